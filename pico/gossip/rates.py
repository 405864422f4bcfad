"""
How many datagrams one address may send us.
"""

from __future__ import annotations

from collections.abc import Collection


class Rates:
    """
    Counts the datagrams of each address within a second of the clock.

    It bounds what a stranger can make us do, not what a network can carry: one dictionary, emptied every second. When
    too many addresses write to us in one second, which only happens when they are made up, further ones are heard only
    if they belong to somebody we know.
    """

    __slots__ = ("_counts", "_known", "_max_addresses", "_per_second", "_second")

    def __init__(self, per_second: int, max_addresses: int) -> None:
        self._per_second = per_second
        self._max_addresses = max_addresses
        self._counts: dict[str, int] = {}
        self._known: Collection[str] = frozenset()
        self._second = 0

    def know(self, hosts: Collection[str]) -> None:
        """
        Say which addresses are heard in any case.
        """
        self._known = hosts

    def allow(self, host: str, now: float) -> bool:
        """
        Whether to hear one more datagram of an address.
        """
        second = int(now)
        counts = self._counts
        if second != self._second:
            self._second = second
            counts.clear()
        count = counts.get(host)
        if count is None:
            if len(counts) >= self._max_addresses and host not in self._known:
                return False
            count = 0
        elif count >= self._per_second:
            return False
        counts[host] = count + 1
        return True
