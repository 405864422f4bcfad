"""
Bytes whose every position can be checked, as many as wanted.
"""

from __future__ import annotations

import random
import time

#: Not a power of two, so that a piece at a wrong place is not taken for the right one.
PERIOD = 1_048_573

_BLOCK = random.Random(20).randbytes(PERIOD) * 2


def pattern(offset: int, size: int) -> bytes:
    """
    The bytes from ``offset`` on.
    """
    start = offset % PERIOD
    if size <= PERIOD:
        return _BLOCK[start : start + size]
    return b"".join(
        pattern(place, min(PERIOD, offset + size - place)) for place in range(offset, offset + size, PERIOD)
    )


class PatternCheck:
    """
    Take bytes piece by piece and compare them with the pattern.

    :ivar size: how many were right so far.
    """

    def __init__(self) -> None:
        self.size = 0

    def __call__(self, data: bytes) -> None:
        if data != pattern(self.size, len(data)):
            wrong = next(i for i, byte in enumerate(data) if byte != pattern(self.size + i, 1)[0])
            raise AssertionError(f"byte {self.size + wrong} is not the one that was sent")
        self.size += len(data)


class Pace:
    """
    Somebody who takes so many bytes a second and never catches up on what was missed.
    """

    def __init__(self, bytes_per_second: float) -> None:
        """
        :param bytes_per_second: 0 for as fast as possible.
        """
        self._rate = bytes_per_second
        self._due = time.monotonic()

    def ahead(self, size: int) -> float:
        """
        Note that ``size`` bytes were taken.

        :return: seconds to wait before the next; 0 if it is too few to bother.
        """
        if not self._rate:
            return 0.0
        now = time.monotonic()
        # Not more than a moment behind.
        self._due = max(self._due, now - 0.05) + size / self._rate
        return self._due - now if self._due - now > 0.01 else 0.0
