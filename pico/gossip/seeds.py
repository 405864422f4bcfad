"""
Addresses where somebody of the group may be found.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Collection, Sequence
from random import Random

from pico.gossip.limits import Timing
from pico.gossip.sections import Address

#: Seeds that are tried at once.
_AT_ONCE = 3


_PORT = re.compile(r"[0-9]{1,5}")
_NAME = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9._-]*[A-Za-z0-9_])?\.?")


def parse_seed(text: str, default_port: int) -> Address:
    """
    Read where a seed is: ``host``, ``host:port``, ``10.0.0.1``, ``::1``, ``[::1]`` or ``[::1]:port``.

    :param default_port: used when there is none.
    :raises ValueError: with what would be right.
    """
    host, port = text.strip(), ""
    if host.startswith("["):
        inside, bracket, port = host[1:].partition("]")
        if not bracket or not _is_ipv6(inside) or (port and not port.startswith(":")):
            raise ValueError(f"{text!r} is no address; write an IPv6 address with a port as [::1]:8003")
        host, port = inside, port[1:] if port else str(default_port)
    elif host.count(":") > 1:
        if not _is_ipv6(host):
            raise ValueError(f"{text!r} is no address; write host, host:port, or [::1]:8003")
        port = str(default_port)
    else:
        host, colon, port = host.partition(":")
        port = port if colon else str(default_port)
        if _NAME.fullmatch(host) is None:
            raise ValueError(f"{text!r}: {host!r} is not a host name")
    if _PORT.fullmatch(port) is None or not 0 < int(port) < 65536:
        raise ValueError(f"{text!r}: the port must be a number from 1 to 65535")
    return host, int(port)


def _is_ipv6(text: str) -> bool:
    try:
        return ipaddress.ip_address(text).version == 6
    except ValueError:
        return False


class Seeds:
    """
    When which seed is tried.

    As long as we live: a group that fell apart, and of which each part has forgotten the other, finds together again
    when somebody reaches a seed of the other part.
    """

    def __init__(self, timing: Timing, random: Random) -> None:
        self._timing = timing
        self._random = random
        self._addresses: list[Address] = []
        self._ours: set[Address] = set()
        self._next = 0.0

    def replace(self, addresses: Sequence[Address]) -> None:
        """
        These are the seeds from now on.
        """
        self._addresses = list(dict.fromkeys(addresses))

    def is_us(self, address: Address) -> None:
        """
        Our own datagrams come from that address.
        """
        if address in self._addresses:
            self._ours.add(address)

    def only(self, ours: Address) -> bool:
        """
        Whether there are seeds, and all of them are ourselves.

        :param ours: where others reach us.
        """
        return bool(self._addresses) and all(each == ours or each in self._ours for each in self._addresses)

    def is_due(self, now: float) -> bool:
        """
        Whether it is time to try one.
        """
        return bool(self._addresses) and now >= self._next

    def choose(self, now: float, members: Collection[Address]) -> list[Address]:
        """
        Whom to try now.

        :param members: where those live whom we know and hold for alive.
        """
        pause = self._timing.seeds if members else self._timing.seeds / 10
        self._next = now + pause * (0.75 + self._random.random() / 2)
        self._ours.intersection_update(self._addresses)
        others = [each for each in self._addresses if each not in members and each not in self._ours]
        return self._random.sample(others, min(_AT_ONCE, len(others)))
