"""
Pings both ways: the round-trip time from ours, a rate limit on the peer's.
"""

from __future__ import annotations

from typing import Final

_VALUES: Final = 0xFFFF_FFFF


class Pings:
    """
    One ping of ours is on its way at a time; its answer says as much as that of a later one would.

    :ivar rtt: seconds for a round trip, or ``None`` before the first answer. It falls at once and rises
        slowly, because an answer that waited behind data says little about the path.
    """

    __slots__ = ("_allowed", "_count", "_second", "_sent_at", "_value", "rtt")

    def __init__(self, allowed: int) -> None:
        """
        :param allowed: how many pings of the peer are answered in one second.
        """
        self._allowed = allowed
        self._count = 0
        self._second = 0.0
        self._sent_at: float | None = None
        self._value = 0
        self.rtt: float | None = None

    def request(self, now: float) -> int | None:
        """
        Begin a ping.

        :return: the value to send, or ``None`` if one is on its way already.
        """
        if self._sent_at is not None:
            return None
        self._sent_at = now
        return self._value

    def answered(self, value: int, now: float) -> float | None:
        """
        Take an answer.

        :return: the seconds that it took, or ``None`` if it answers nothing that was asked.
        """
        if self._sent_at is None or value != self._value:
            return None
        rtt = max(0.0, now - self._sent_at)
        self._sent_at = None
        self._value = (value + 1) & _VALUES
        if self.rtt is None or rtt < self.rtt:
            self.rtt = rtt
        else:
            self.rtt += (rtt - self.rtt) / 8
        return rtt

    def tolerable(self, now: float) -> bool:
        """
        Count a ping of the peer.

        :return: whether it is within the limit.
        """
        if now - self._second >= 1.0:
            self._second = now
            self._count = 0
        self._count += 1
        return self._count <= self._allowed
