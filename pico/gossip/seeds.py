"""
Addresses where somebody of the group may be found.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from random import Random

from pico.gossip.limits import Timing
from pico.gossip.sections import Address

#: Seeds that are tried at once.
_AT_ONCE = 3


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
