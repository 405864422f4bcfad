"""
Which datagrams of a life have been seen.
"""

from __future__ import annotations

#: How far a datagram may be overtaken by others of its sender, to whomever they go, before it counts as seen.
WINDOW = 1024

_MASK = (1 << WINDOW) - 1


class ReplayWindow:
    """
    Remembers the counters of the last datagrams of one life.

    :param counter: of the first datagram that is taken. Everything before it counts as seen: it was sent before we
        knew that the life is real, and might come from a recording.
    """

    __slots__ = ("_highest", "_seen")

    def __init__(self, counter: int) -> None:
        self._highest = counter
        # Bit n stands for the counter that is n below the highest.
        self._seen = _MASK

    def take(self, counter: int) -> bool:
        """
        Whether a datagram is new. From now on it is not.
        """
        ahead = counter - self._highest
        if ahead > 0:
            self._highest = counter
            self._seen = (self._seen << ahead | 1) & _MASK if ahead < WINDOW else 1
            return True
        if ahead <= -WINDOW:
            return False
        bit = 1 << -ahead
        if self._seen & bit:
            return False
        self._seen |= bit
        return True
