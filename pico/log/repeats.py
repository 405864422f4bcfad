"""
Messages that come again and again: the first few as they are, the others counted and told in one.

Each message has a key: its family, which is what the program can say, and of whom it is said. In the ten seconds that
follow its first appearance so many of one key pass, and twenty times as many of one family, for whoever can choose of
whom something is said could choose another name each time. The table is bounded for the same reason: what finds no
room counts for its family alone, and a family without room is not told apart from others.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Generic, TypeVar

import attrs

T = TypeVar("T")

#: Seconds for which a message is counted after it came first.
WINDOW = 10.0

#: How many times the limit of one key all keys of a family have together.
FAMILY = 20


@attrs.frozen
class Folded(Generic[T]):
    """
    Messages that were held back.

    :ivar sample: the first of them.
    :ivar count: how many.
    """

    sample: T
    count: int


@attrs.define(eq=False)
class _Count(Generic[T]):
    """
    The messages of one key, or of a family, since ``began``.
    """

    began: float
    passed: int = 0
    held: int = 0
    sample: T | None = None


class Repeats(Generic[T]):
    """
    Decide which messages are written.
    """

    def __init__(self, limit: int, *, size: int = 1000) -> None:
        """
        :param limit: messages of one key in a window.
        :param size: keys and families that are counted at a time.
        """
        self._limit = limit
        self._size = size
        # In the order in which they began, so that what is over stands in front.
        self._counts: dict[tuple[Hashable, Hashable], _Count[T]] = {}

    def admit(self, family: Hashable, key: Hashable, message: T, now: float) -> bool:
        """
        Whether a message is to be written. If it is not, :meth:`handle_timer` tells of it in its time.
        """
        own = self._count((family, key), now)
        together = self._count((family, None), now) or self._count((None, None), now)
        full = None
        if own is not None and own.passed >= self._limit:
            full = own
        elif together is not None and together.passed >= self._limit * FAMILY:
            full = together
        if full is not None:
            full.held += 1
            if full.sample is None:
                full.sample = message
            return False
        for count in (own, together):
            if count is not None:
                count.passed += 1
        return True

    def next_deadline(self) -> float | None:
        """
        When :meth:`handle_timer` is to be called next; never while nothing is counted.
        """
        for count in self._counts.values():
            return count.began + WINDOW
        return None

    def handle_timer(self, now: float) -> list[Folded[T]]:
        """
        Forget what is over.

        :return: what was held back meanwhile.
        """
        folded = []
        for name, count in list(self._counts.items()):
            if now < count.began + WINDOW:
                break
            del self._counts[name]
            if count.sample is not None:
                folded.append(Folded(count.sample, count.held))
        return folded

    def __len__(self) -> int:
        """
        How many keys and families are counted.
        """
        return len(self._counts)

    def _count(self, name: tuple[Hashable, Hashable], now: float) -> _Count[T] | None:
        count = self._counts.get(name)
        if count is None and (len(self._counts) < self._size or name == (None, None)):
            count = self._counts[name] = _Count(now)
        return count
