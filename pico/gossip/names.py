"""
The addresses of names, looked up again and again.

A name of a seed or of a member may come to mean another address at any time, and a lookup may fail for a while. What
was found stays good until something else is found.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from twisted.internet.abstract import isIPAddress, isIPv6Address
from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.interfaces import (
    IAddress,
    IDelayedCall,
    IHostnameResolver,
    IHostResolution,
    IReactorTime,
    IResolutionReceiver,
)
from twisted.logger import Logger
from zope.interface import implementer

from pico.gossip.sections import Address

#: Seconds between two lookups of a name, when it was found and when it was not.
FOUND_AGAIN = 30.0
MISSING_AGAIN = 2.0

#: Seconds after which a lookup that has not ended is given up.
PATIENCE = 10.0

#: Addresses of one name that are used.
MAX_ADDRESSES = 64

#: Names that are looked up; more can only come from members that are known by name.
MAX_NAMES = 1000


class Names:
    """
    Looks names up, from when they are first asked for until :meth:`stop`.
    """

    _log = Logger()

    def __init__(self, clock: IReactorTime, resolver: IHostnameResolver) -> None:
        self._clock = clock
        self._resolver = resolver
        self._found: dict[str, list[str]] = {}
        self._missing: set[str] = set()
        self._lookups: dict[str, _Lookup] = {}
        self._timers: dict[str, IDelayedCall] = {}
        self._wanted: list[Address] = []
        self._tell: Callable[[Sequence[Address]], object] | None = None

    def keep(self, wanted: Sequence[Address], tell: Callable[[Sequence[Address]], object]) -> None:
        """
        Look these names up.

        :param tell: is given all addresses of all names, now and whenever something was found.
        """
        self._wanted = list(wanted)
        self._tell = tell
        self._report()
        for host, _ in wanted:
            if not _is_address(host):
                self._begin(host)

    @property
    def unfound(self) -> Sequence[str]:
        """
        Those of the names to be kept that there is no address for, each once.
        """
        unfound = (host for host, _ in self._wanted if not _is_address(host) and host not in self._found)
        return list(dict.fromkeys(unfound))

    @property
    def any_found(self) -> bool:
        """
        Whether there is an address for any of them.
        """
        return any(_is_address(host) or host in self._found for host, _ in self._wanted)

    def find(self, name: str) -> str | None:
        """
        An address of a name, if one is known by now.
        """
        self._begin(name)
        found = self._found.get(name)
        return found[0] if found else None

    def stop(self) -> None:
        """
        Look nothing up any more.
        """
        self._tell = None
        for timer in self._timers.values():
            if timer.active():
                timer.cancel()
        self._timers.clear()
        lookups, self._lookups = self._lookups, {}
        for lookup in lookups.values():
            lookup.cancel()

    def _begin(self, name: str) -> None:
        if name not in self._timers and len(self._timers) < MAX_NAMES:
            self._look_up(name)

    def _look_up(self, name: str) -> None:
        self._timers[name] = self._clock.callLater(PATIENCE, self._ended, name, [])
        lookup = self._lookups[name] = _Lookup(lambda found: self._ended(name, found))
        try:
            self._resolver.resolveHostName(lookup, name, transportSemantics="UDP")
        except UnicodeError:
            # A label that is too long, for one thing.
            self._ended(name, [])

    def _ended(self, name: str, found: list[str]) -> None:
        lookup = self._lookups.pop(name, None)
        if lookup is None:
            return
        lookup.cancel()
        timer = self._timers[name]
        if timer.active():
            timer.cancel()
        self._timers[name] = self._clock.callLater(FOUND_AGAIN if found else MISSING_AGAIN, self._look_up, name)
        if not found:
            if name not in self._missing:
                self._missing.add(name)
                self._log.warn(
                    "{name} cannot be looked up; trying again every {pause} s", name=name, pause=MISSING_AGAIN
                )
            return
        if name in self._missing:
            self._missing.discard(name)
            self._log.info("{name} is found: {addresses}", name=name, addresses=", ".join(found))
        if found != self._found.get(name):
            self._found[name] = found
            self._report()

    def _report(self) -> None:
        if self._tell is not None:
            addresses = [
                (address, port)
                for host, port in self._wanted
                for address in ([host] if _is_address(host) else self._found.get(host, []))
            ]
            self._tell(addresses)


@implementer(IResolutionReceiver)
class _Lookup:
    """
    What comes of one lookup.
    """

    def __init__(self, done: Callable[[list[str]], object]) -> None:
        self._done: Callable[[list[str]], object] | None = done
        self._found: list[str] = []

    def cancel(self) -> None:
        """
        Nobody waits for it any more. Twisted's own lookups cannot be stopped, only ignored.
        """
        self._done = None

    def resolutionBegan(self, resolutionInProgress: IHostResolution) -> None:  # noqa: N802, N803 - Twisted's names
        """
        Nothing to do yet.
        """

    def addressResolved(self, address: IAddress) -> None:  # noqa: N802 - Twisted's name
        """
        Keep one.
        """
        if isinstance(address, IPv4Address | IPv6Address) and len(self._found) < MAX_ADDRESSES:
            self._found.append(address.host)

    def resolutionComplete(self) -> None:  # noqa: N802 - Twisted's name
        """
        Give them all.
        """
        done, self._done = self._done, None
        if done is not None:
            done(list(dict.fromkeys(self._found)))


def _is_address(host: str) -> bool:
    return isIPAddress(host) or isIPv6Address(host)
