"""
A member of the group on a UDP port.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import inf
from typing import cast

from twisted.internet.abstract import isIPAddress, isIPv6Address
from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.defer import Deferred, succeed
from twisted.internet.error import MessageLengthError
from twisted.internet.interfaces import IAddress, IDelayedCall, IHostnameResolver, IReactorTime, IUDPTransport
from twisted.internet.protocol import DatagramProtocol
from twisted.logger import Logger

from pico.gossip.events import Departed, Event, Joined, Superseded
from pico.gossip.member import Member
from pico.gossip.names import Names
from pico.gossip.sections import Address
from pico.gossip.seeds import parse_seed
from pico.gossip.stream import ExchangeProtocol
from pico.net.turn import Turn
from pico.net.waiters import Waiters

#: The longest datagram that UDP carries.
MAX_DATAGRAM = 65_535

#: Seconds between two lines in the log about datagrams that could not be sent.
_QUIET = 60.0

_MAPPED = "::ffff:"


class Gossip(DatagramProtocol):
    """
    A member, its timer, its seeds and those who want to hear of others.

    Give it to ``listenUDP``; the member is made when the port is bound, because others must know the port. When the
    port is closed, everything stops, without a word to others; :meth:`leave` says it before.

    :ivar member: the core; there is none before the port is bound.
    :ivar unsent: datagrams that the system did not take.
    """

    noisy = False
    _log = Logger()

    def __init__(
        self,
        clock: IReactorTime,
        resolver: IHostnameResolver,
        make_member: Callable[[IAddress], Member],
        *,
        seeds: Sequence[str] = (),
        default_port: int = 8003,
    ) -> None:
        """
        :param resolver: looks up the names of seeds and members.
        :param make_member: is given the address of the port.
        :param seeds: where others may be found, in any form that :func:`~pico.gossip.seeds.parse_seed` reads. Names
            are looked up again and again.
        :param default_port: of seeds that name none.
        :raises ValueError: a seed cannot be read.
        """
        self.unsent = 0
        self._clock = clock
        self._make_member = make_member
        self._member: Member | None = None
        self._turn = Turn(clock)
        self._names = Names(clock, resolver)
        self._seeds = [parse_seed(seed, default_port) for seed in seeds]
        self._observers: list[Callable[[Sequence[Event]], object]] = []
        self._events: list[Event] = []
        self._timer: IDelayedCall | None = None
        #: When the timer fires.
        self._due = inf
        self._joined: Waiters[None] = Waiters()
        self._departed: Waiters[int] = Waiters()
        self._told: int | None = None
        self._is_ipv6 = False
        self._quiet_until = 0.0

    @property
    def member(self) -> Member:
        """
        The core.
        """
        assert self._member is not None, "the port is not bound"
        return self._member

    @property
    def has_member(self) -> bool:
        """
        Whether the port was bound, so that there is a core.
        """
        return self._member is not None

    @property
    def only_seed(self) -> bool:
        """
        Whether there are seeds, all of their names are found, and all of them are this member itself.
        """
        return not self._names.unfound and self.member.only_seed

    @property
    def unfound_seeds(self) -> Sequence[str]:
        """
        The names of seeds that there is no address for.
        """
        return self._names.unfound

    @property
    def has_seed(self) -> bool:
        """
        Whether there is a seed with an address.
        """
        return self._names.any_found

    # For others

    def observe(self, observer: Callable[[Sequence[Event]], object]) -> None:
        """
        Tell somebody all events, those of one turn of the reactor together.
        """
        self._observers.append(observer)

    def put(self, key: bytes, value: bytes) -> None:
        """
        Publish a key; see :meth:`pico.gossip.member.Member.put`.
        """
        self.member.put(key, value, self._clock.seconds())
        self._arm()

    def delete(self, key: bytes) -> None:
        """
        Take a key back.
        """
        self.member.delete(key, self._clock.seconds())
        self._arm()

    def exchange(self, timeout: float = 30.0) -> ExchangeProtocol:
        """
        A protocol for a connection to another member, on either side.
        """
        return ExchangeProtocol(self.member, self._clock, self._take, timeout)

    def when_joined(self) -> Deferred[None]:
        """
        Fires as soon as another member is known.
        """
        return succeed(None) if len(self.member.roster) > 1 else self._joined.wait()

    def leave(self) -> Deferred[int]:
        """
        Say goodbye, which takes a second at most. The port is to be closed afterwards.

        :return: how many others have said that they know.
        """
        if self._told is not None or self._member is None or self._timer is None or self._member.is_out:
            return succeed(self._told or 0)
        departed = self._departed.wait()
        self.member.leave(self._clock.seconds())
        self._arm()
        return departed

    # Twisted's calls

    def startProtocol(self) -> None:  # noqa: N802 - Twisted's name
        """
        The port is bound.
        """
        host = cast(IUDPTransport, self.transport).getHost()
        self._is_ipv6 = isinstance(host, IPv6Address)
        self._member = self._make_member(host)
        self._names.keep(self._seeds, self._seeds_found)
        self._fire()

    def stopProtocol(self) -> None:  # noqa: N802 - Twisted's name
        """
        The port is closed.
        """
        self._names.stop()
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        self._timer = None
        self._due = -inf
        self._has_departed(0)

    def datagramReceived(self, datagram: bytes, addr: Address) -> None:
        """
        Take a datagram.
        """
        host, port = addr
        if host.startswith(_MAPPED) and "." in host:
            host = host[len(_MAPPED) :]
        member = self.member
        self._take(member.receive_datagram(datagram, (host, port), self._clock.seconds()))

    # Inside

    def _fire(self) -> None:
        self._due = inf
        self._take(self.member.handle_timer(self._clock.seconds()))

    def _arm(self) -> None:
        # The timer is moved only when it fires too late; when it fires too early it finds nothing to do.
        deadline = self.member.next_deadline()
        if deadline is None or deadline >= self._due:
            return
        self._due = deadline
        wait = max(0.0, deadline - self._clock.seconds())
        if self._timer is not None and self._timer.active():
            self._timer.reset(wait)
        else:
            self._timer = self._clock.callLater(wait, self._fire)

    def _take(self, events: list[Event]) -> None:
        for data, address in self.member.datagrams_to_send():
            self._send(data, address)
        self._arm()
        if events:
            if not self._events:
                self._turn.at_end(self._tell)
            self._events.extend(events)

    def _tell(self) -> None:
        events, self._events = self._events, []
        for event in events:
            if isinstance(event, Joined):
                self._joined.tell(None)
            elif isinstance(event, Departed):
                self._has_departed(event.told)
            elif isinstance(event, Superseded):
                self._has_departed(0)
        for observer in self._observers:
            try:
                observer(events)
            except Exception:
                # The others must hear it all the same, and the member goes on.
                self._log.failure("what was told of other members was not understood")

    def _has_departed(self, told: int) -> None:
        if self._told is None:
            self._told = told
        self._departed.tell(self._told)

    def _seeds_found(self, addresses: Sequence[Address]) -> None:
        self.member.join(addresses, self._clock.seconds())
        self._arm()

    def _send(self, data: bytes, address: Address) -> None:
        host, port = address
        if isIPAddress(host):
            if self._is_ipv6:
                host = _MAPPED + host
        elif not isIPv6Address(host):
            found = self._names.find(host)
            if found is None:
                self.unsent += 1
                return
            self._send(data, (found, port))
            return
        try:
            cast(IUDPTransport, self.transport).write(data, (host, port))
        except (OSError, MessageLengthError, ValueError) as error:
            self._not_sent(address, error)

    def _not_sent(self, address: Address, error: Exception) -> None:
        self.unsent += 1
        now = self._clock.seconds()
        if now >= self._quiet_until:
            self._quiet_until = now + _QUIET
            self._log.warn(
                "cannot send to {peer}: {reason}; no more is said of that for a minute",
                peer=f"{address[0]} port {address[1]}",
                reason=str(error),
            )


def port_of(address: IAddress) -> int:
    """
    The number of a bound port.
    """
    return cast(IPv4Address | IPv6Address, address).port
