"""
Samples, and what may be said about them.
"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

import attrs


@attrs.frozen
class Summary:
    """
    Several samples of one thing.
    """

    median: float
    minimum: float
    maximum: float
    samples: tuple[float, ...]


def summarise(samples: Sequence[float]) -> Summary | None:
    """
    Summarise samples; nothing when there are none.
    """
    if not samples:
        return None
    return Summary(median(samples), min(samples), max(samples), tuple(samples))


def pair_ratios(samples: Sequence[float], others: Sequence[float]) -> list[float]:
    """
    Divide samples by those that were taken next to them, in the same round.

    A machine that is slower in one round than in the next then changes both sides of a ratio.
    """
    return [sample / other for sample, other in zip(samples, others, strict=False) if other]


class Figures:
    """
    All samples of a run, by measure and side, in the order of the rounds.

    :ivar faults: what went wrong on the way: failed requests, bodies cut short. A run without is empty here.
    """

    def __init__(self) -> None:
        self._samples: dict[tuple[str, str], list[float]] = {}
        self.faults: list[str] = []

    def add(self, measure: str, side: str, sample: float) -> None:
        """
        Keep a sample.
        """
        self._samples.setdefault((measure, side), []).append(sample)

    def samples(self, measure: str, side: str) -> Sequence[float]:
        """
        The samples so far.
        """
        return self._samples.get((measure, side), ())

    def summary(self, measure: str, side: str) -> Summary | None:
        """
        The samples so far, summarised.
        """
        return summarise(self.samples(measure, side))

    def ratio(self, measure: str, side: str, other: str) -> Summary | None:
        """
        How a side compares with another, round by round.
        """
        return summarise(pair_ratios(self.samples(measure, side), self.samples(measure, other)))
