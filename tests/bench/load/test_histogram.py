"""
Tests for :mod:`pico.bench.load.histogram`.
"""

from __future__ import annotations

import random

from twisted.trial.unittest import SynchronousTestCase

from pico.bench.load.histogram import Histogram


class HistogramTests(SynchronousTestCase):
    """
    Times, counted.
    """

    def test_empty(self) -> None:
        """
        Without times there are zeros.
        """
        times = Histogram()
        self.assertEqual(
            (times.count, times.least, times.mean, times.percentile(50), times.most), (0, 0.0, 0.0, 0.0, 0.0)
        )

    def test_exact(self) -> None:
        """
        Short times are known to the microsecond.
        """
        times = Histogram()
        for microseconds in range(1, 101):
            times.record(microseconds / 1e6)
        for percent, microseconds in ((1, 1), (50, 50), (99, 99), (99.9, 100), (100, 100)):
            self.assertAlmostEqual(times.percentile(percent), microseconds / 1e6, delta=1e-6)
        self.assertAlmostEqual(times.mean, 50.5e-6)

    def test_precision(self) -> None:
        """
        Others are known to a percent, from a millisecond to hours.
        """
        chooser = random.Random(1)
        values = sorted(10 ** chooser.uniform(-3, 4) for _ in range(2000))
        times = Histogram()
        for value in values:
            times.record(value)
        for percent in (0.1, 1, 10, 50, 90, 99, 99.9, 100):
            exact = values[max(0, -(-int(len(values) * percent) // 100) - 1)]
            self.assertLess(abs(times.percentile(percent) - exact) / exact, 0.01, percent)
        self.assertEqual((times.count, times.least, times.most), (2000, values[0], values[-1]))

    def test_extremes(self) -> None:
        """
        Impossible times take no more room: a clock that went back, a wait of days.
        """
        times = Histogram()
        for seconds in (-1.0, 1e9):
            times.record(seconds)
        self.assertEqual((times.count, times.least, times.most), (2, -1.0, 1e9))
        self.assertLess(len(times._buckets), 4096)
