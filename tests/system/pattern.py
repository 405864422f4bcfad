"""
Bytes whose every position can be checked, as many as wanted.
"""

from __future__ import annotations

import random

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
