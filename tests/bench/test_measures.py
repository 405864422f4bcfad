"""
Tests for :mod:`pico.bench.measures`.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from pico.bench.figures import Figures
from pico.bench.measures import GOSSIP, TWO_NODES, Goal, Measure, Verdict, make_measures
from pico.bench.plan import STAGES


class GoalTests(SynchronousTestCase):
    def test_judge(self) -> None:
        """
        A goal is met at its bound and on the better side of it.
        """
        table = [
            (Goal(0.65, True, True), 0.65, Verdict.MET),
            (Goal(0.65, True, True), 0.7, Verdict.MET),
            (Goal(0.65, True, True), 0.64, Verdict.MISSED),
            (Goal(2.0, True, False), 2.0, Verdict.MET),
            (Goal(2.0, True, False), 1.0, Verdict.MET),
            (Goal(2.0, True, False), 2.01, Verdict.MISSED),
        ]
        for goal, figure, verdict in table:
            self.assertIs(goal.judge(figure), verdict, (goal, figure))

    def test_text(self) -> None:
        """
        A goal says whether it is a ratio, which side is better, and the bound.
        """
        self.assertEqual(Goal(0.65, True, True).text, "ratio ≥ 0.65")
        self.assertEqual(Goal(2000.0, False, True).text, "≥ 2,000")
        self.assertEqual(Goal(14.0, False, False).text, "≤ 14")


class MeasureTests(SynchronousTestCase):
    def setUp(self) -> None:
        """
        Make figures of which Pico has twice as much as nginx.
        """
        self.figures = Figures()
        self.figures.add("some", "nginx", 10.0)
        self.figures.add("some", "pico", 20.0)

    def verdict(self, goal: Goal | None, key: str = "some", *, compared: bool = True) -> Verdict | None:
        return Measure(key, "", "", 0, "ready", goal, compared=compared).verdict(self.figures)

    def test_verdict(self) -> None:
        """
        A relative goal judges the ratio, another one Pico's own figure.
        """
        self.assertIs(self.verdict(Goal(2.0, True, True)), Verdict.MET)
        self.assertIs(self.verdict(Goal(2.1, True, True)), Verdict.MISSED)
        self.assertIs(self.verdict(Goal(20.0, False, True)), Verdict.MET)
        self.assertIs(self.verdict(Goal(21.0, False, True)), Verdict.MISSED)

    def test_no_verdict(self) -> None:
        """
        Without a goal there is nothing to judge; without figures it is not known.
        """
        self.assertIsNone(self.verdict(None))
        self.assertIs(self.verdict(Goal(1.0, False, True), "other"), Verdict.UNKNOWN)

    def test_other_table(self) -> None:
        """
        In another table another side is judged; where nobody is alone, the worst of all.
        """
        self.figures.add("some", "nodes", 5.0)
        half = Measure("some", "", "", 0, "nodes", Goal(0.5, True, True), table=TWO_NODES)
        self.assertIs(half.verdict(self.figures), Verdict.MET)
        every = Measure("times", "", "", 0, "gossip", Goal(3.0, False, False), False, GOSSIP)
        self.assertFalse(every.measured(self.figures))
        self.assertIs(every.verdict(self.figures), Verdict.UNKNOWN)
        for size, time, verdict in (("3", 1.0, Verdict.MET), ("20", 3.5, Verdict.MISSED), ("100", 2.0, Verdict.MISSED)):
            self.figures.add("times", size, time)
            self.assertIs(every.verdict(self.figures), verdict)
        self.assertTrue(every.measured(self.figures))
        self.assertIsNone(every.ratio(self.figures))

    def test_not_compared(self) -> None:
        """
        Some figures have no ratio.
        """
        measure = Measure("some", "", "", 0, "ready", compared=False)
        self.assertIsNone(measure.ratio(self.figures))

    def test_show(self) -> None:
        """
        Figures have as many digits as say something.
        """
        self.assertEqual(Measure("", "", "", 0, "").show(12_345.6), "12,346")
        self.assertEqual(Measure("", "", "", 3, "").show(0.25), "0.250")


class MakeMeasuresTests(SynchronousTestCase):
    def test_goals(self) -> None:
        """
        These are the project's goals.
        """
        goals = {measure.key: measure.goal.text for measure in make_measures(3000) if measure.goal}
        self.assertEqual(
            goals,
            {
                "rate.50": "ratio ≥ 0.65",
                "rate.200": "ratio ≥ 0.65",
                "p50.1": "ratio ≤ 2",
                "p99.50": "ratio ≤ 2.5",
                "watching.metrics": "≤ 5",
                "watching.log": "≤ 25",
                "down.1": "ratio ≥ 0.6",
                "down.8": "ratio ≥ 0.6",
                "up.1": "ratio ≥ 0.6",
                "up.8": "ratio ≥ 0.6",
                "memory.first": "≤ 32",
                "memory.second": "≤ 32",
                "tunnel.memory": "≤ 14",
                "tunnel.rate": "≥ 2,000",
                "ready": "≤ 0.5",
                "nodes.rate.50": "ratio ≥ 0.45",
                "nodes.down.1": "ratio ≥ 0.45",
                "nodes.down.8": "ratio ≥ 0.45",
                "nodes.up.1": "ratio ≥ 0.45",
                "nodes.up.8": "ratio ≥ 0.45",
                "gossip.p99": "≤ 1",
                "gossip.unknown": "≤ 0",
                "gossip.cpu": "≤ 25",
                "gossip.rest.cpu": "≤ 5",
                "gossip.death": "≤ 3",
                "gossip.false": "≤ 0",
            },
        )

    def test_distinct(self) -> None:
        """
        Each measure has a key of its own and in its table a title, and belongs to a stage.
        """
        measures = make_measures(3000)
        self.assertEqual(len({measure.key for measure in measures}), len(measures))
        self.assertEqual(len({(measure.table.title, measure.title) for measure in measures}), len(measures))
        self.assertEqual({measure.stage for measure in measures}, set(STAGES))
