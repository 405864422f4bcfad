"""
Tests for :mod:`pico.bench.figures`.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from pico.bench.figures import Figures, Summary, pair_ratios, summarise


class SummariseTests(SynchronousTestCase):
    def test_summaries(self) -> None:
        """
        A summary has the middle, the least and the most, whatever the order; no samples have none.
        """
        table: list[tuple[list[float], Summary | None]] = [
            ([], None),
            ([2.0], Summary(2.0, 2.0, 2.0, (2.0,))),
            ([9.0, 1.0, 3.0], Summary(3.0, 1.0, 9.0, (9.0, 1.0, 3.0))),
            ([4.0, 1.0, 2.0, 8.0], Summary(3.0, 1.0, 8.0, (4.0, 1.0, 2.0, 8.0))),
        ]
        for samples, summary in table:
            self.assertEqual(summarise(samples), summary, samples)


class PairRatiosTests(SynchronousTestCase):
    def test_pairs(self) -> None:
        """
        Each sample is divided by its neighbour; a neighbour of zero and a sample without one have no ratio.
        """
        table: list[tuple[list[float], list[float], list[float]]] = [
            ([], [], []),
            ([1.0, 9.0], [2.0, 3.0], [0.5, 3.0]),
            ([1.0, 9.0], [0.0, 3.0], [3.0]),
            ([1.0, 9.0], [2.0], [0.5]),
        ]
        for samples, others, ratios in table:
            self.assertEqual(pair_ratios(samples, others), ratios)


class FiguresTests(SynchronousTestCase):
    def test_apart(self) -> None:
        """
        Samples of other measures and other sides are kept apart, in the order in which they came.
        """
        figures = Figures()
        for sample in (3.0, 1.0):
            figures.add("rate", "a", sample)
            figures.add("rate", "b", sample + 10)
            figures.add("ready", "a", sample + 20)
        self.assertEqual(figures.samples("rate", "a"), [3.0, 1.0])
        self.assertEqual(figures.samples("rate", "b"), [13.0, 11.0])
        self.assertEqual(figures.samples("ready", "b"), ())
        self.assertIsNone(figures.summary("ready", "b"))

    def test_ratio(self) -> None:
        """
        A ratio is the median of those of the rounds, not the ratio of the medians.
        """
        figures = Figures()
        for mine, other in ((10.0, 10.0), (10.0, 20.0), (90.0, 100.0)):
            figures.add("rate", "mine", mine)
            figures.add("rate", "other", other)
        self.assertEqual(figures.ratio("rate", "mine", "other"), Summary(0.9, 0.5, 1.0, (1.0, 0.5, 0.9)))
        self.assertIsNone(figures.ratio("rate", "mine", "nobody"))
