"""
Tests for :mod:`pico.bench.plot`.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from pico.bench.figures import Figures
from pico.bench.plot import plot_lines


class PlotTests(SynchronousTestCase):
    def setUp(self) -> None:
        """
        Without figures.
        """
        self.figures = Figures()

    def add(self, size: int, *bounds: float) -> None:
        for key, bound in zip(("p50", "p99", "last"), bounds, strict=True):
            self.figures.add(f"gossip.{key}", str(size), bound)

    def test_nothing(self) -> None:
        """
        Without figures there is no plot.
        """
        self.assertEqual(plot_lines(self.figures), [])

    def test_bars(self) -> None:
        """
        A bar shows the median, the 99th percentile and the last change, to one scale, which ends at a whole tenth of a
        second.
        """
        self.add(100, 0.15, 0.2, 0.3)
        self.add(3, 0.05, 0.1, 0.1)
        _, _, three, hundred, axis, numbers = plot_lines(self.figures)
        self.assertEqual(three, f"  3 nodes |{'█' * 10}{'▒' * 10}")
        self.assertEqual(hundred, f"100 nodes |{'█' * 30}{'▒' * 10}{'·' * 20}")
        self.assertEqual(len(axis), len(hundred))
        self.assertEqual(numbers.split(), ["0", "0.15", "0.30", "s"])
