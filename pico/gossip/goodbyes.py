"""
Who is told that this member leaves, until they have said that they know.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from pico.gossip.peer import Peer


class Goodbyes:
    """
    Those that are told, by the numbers of what they are told.

    :ivar told: how many have said that they know.
    """

    __slots__ = ("_again", "_next", "_until", "_waiting", "told")

    def __init__(self, again: float) -> None:
        """
        :param again: seconds after which it is said again.
        """
        self._again = again
        self._next = 0.0
        self._until = 0.0
        self._waiting: dict[int, Peer] = {}
        self.told = 0

    def begin(self, peers: Mapping[int, Peer], now: float, until: float) -> None:
        """
        Tell these, until then at the latest.
        """
        self._waiting = dict(peers)
        self._next = now
        self._until = until

    def heard(self, number: int, peer: Peer) -> bool:
        """
        Somebody has answered.

        :return: whether it was this that he has answered.
        """
        if self._waiting.get(number) is not peer:
            return False
        del self._waiting[number]
        self.told += 1
        return True

    def numbers_of(self, peer: Peer) -> Iterator[int]:
        """
        What one has been told and has not answered.
        """
        return (number for number, other in self._waiting.items() if other is peer)

    def is_over(self, now: float) -> bool:
        """
        Whether nobody is left to be told, or there is no time left.
        """
        return not self._waiting or now >= self._until

    def due(self, now: float) -> list[tuple[int, Peer]]:
        """
        Those that are to be told now.
        """
        if now < self._next:
            return []
        self._next = now + self._again
        return list(self._waiting.items())
