"""
Pings for somebody else, who has had no answer to his own.
"""

from __future__ import annotations

import attrs

from pico.gossip.admission import Session


@attrs.define(eq=False)
class Errand:
    """
    One of them.

    :ivar target: the token of whom is asked.
    :ivar session: that of whoever wants to know ...
    :ivar number: ... and the number of his own ping.
    :ivar until: when he is told that there was no answer.
    """

    target: bytes
    session: Session
    number: int
    until: float


class Errands:
    """
    Those under way, by the numbers of our pings.
    """

    __slots__ = ("_most", "_under_way")

    def __init__(self, most: int) -> None:
        """
        :param most: how many there may be.
        """
        self._most = most
        self._under_way: dict[int, Errand] = {}

    def __len__(self) -> int:
        """
        How many there are.
        """
        return len(self._under_way)

    @property
    def full(self) -> bool:
        """
        Whether there may be no more of them.
        """
        return len(self._under_way) >= self._most

    def begin(self, number: int, errand: Errand) -> None:
        """
        Wait for the answer to a ping.
        """
        self._under_way[number] = errand

    def answered(self, number: int, token: bytes) -> Errand | None:
        """
        Somebody has answered a ping.

        :return: the errand that is done by it, if it was one.
        """
        errand = self._under_way.get(number)
        if errand is None or errand.target != token:
            return None
        del self._under_way[number]
        return errand

    def overdue(self, now: float) -> list[Errand]:
        """
        Give up those that have had their time.
        """
        over = [number for number, errand in self._under_way.items() if errand.until <= now]
        return [self._under_way.pop(number) for number in over]
