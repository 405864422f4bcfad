"""
What has come of the load so far.
"""

from __future__ import annotations

from collections import Counter

import attrs

from pico.bench.load.histogram import Histogram

#: Kinds of errors that are told apart.
_MAX_KINDS = 100


@attrs.define
class Tally:
    """
    Successes with the time that they took, and failures by kind.

    :ivar began: when the first was begun, on the run's clock.
    :ivar ended: when the last one ended.
    """

    times: Histogram = attrs.field(factory=Histogram)
    errors: Counter[str] = attrs.field(factory=Counter)
    began: float = 0.0
    ended: float = 0.0

    @property
    def succeeded(self) -> int:
        """
        How many.
        """
        return self.times.count

    @property
    def failed(self) -> int:
        """
        How many.
        """
        return self.errors.total()

    @property
    def done(self) -> int:
        """
        How many, one way or the other.
        """
        return self.succeeded + self.failed

    @property
    def seconds(self) -> float:
        """
        From the first to the last.
        """
        return max(0.0, self.ended - self.began)

    @property
    def rate(self) -> float:
        """
        Successes a second.
        """
        return self.succeeded / self.seconds if self.seconds else 0.0

    def fail(self, kind: str) -> None:
        """
        Count a failure.
        """
        self.errors[kind if kind in self.errors or len(self.errors) < _MAX_KINDS else "other"] += 1
