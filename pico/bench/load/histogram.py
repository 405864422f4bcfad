"""
How long things took, in bounded memory.

Below 256 µs each microsecond has a bucket of its own. Above that each doubling has 128 buckets of equal width, so that
a value is known to 0.8 % or better up to a day. That is about 4,000 counters, however many values are recorded.
"""

from __future__ import annotations

_BITS = 8
_EXACT = 1 << _BITS
_HALF = _EXACT >> 1

#: The longest time that is told apart, in microseconds: more than a day.
_MAX = (1 << 37) - 1


class Histogram:
    """
    Times, counted.

    :ivar count: how many.
    """

    def __init__(self) -> None:
        self._buckets = [0] * (_index(_MAX) + 1)
        self._sum = 0.0
        self._least = 0.0
        self._most = 0.0
        self.count = 0

    def record(self, seconds: float) -> None:
        """
        Count a time.
        """
        if not self.count or seconds < self._least:
            self._least = seconds
        if seconds > self._most:
            self._most = seconds
        self.count += 1
        self._sum += seconds
        self._buckets[_index(min(_MAX, max(0, int(seconds * 1e6))))] += 1

    @property
    def least(self) -> float:
        """
        The shortest time, in seconds; 0 without any.
        """
        return self._least

    @property
    def most(self) -> float:
        """
        The longest time, in seconds; 0 without any.
        """
        return self._most

    @property
    def mean(self) -> float:
        """
        The mean, in seconds; 0 without any.
        """
        return self._sum / self.count if self.count else 0.0

    def percentile(self, percent: float) -> float:
        """
        The time, in seconds, that so many percent of all did not exceed; 0 without any.
        """
        wanted = max(1.0, self.count * percent / 100)
        seen = 0
        for index, count in enumerate(self._buckets):
            seen += count
            if seen >= wanted:
                return min(self._most, max(self._least, _middle(index) / 1e6))
        return self._most


def _index(value: int) -> int:
    if value < _EXACT:
        return value
    shift = value.bit_length() - _BITS
    return shift * _HALF + (value >> shift)


def _middle(index: int) -> float:
    """
    The middle of what a bucket counts.
    """
    if index < _EXACT:
        return float(index)
    shift, step = divmod(index, _HALF)
    shift -= 1
    return ((step + _HALF) << shift) + (1 << shift) / 2
