"""
Tests for :mod:`pico.bench.plan`.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from pico.bench.plan import STAGES, make_plan


class MakePlanTests(SynchronousTestCase):
    def test_everything(self) -> None:
        """
        Without a choice everything is measured, in several rounds, with 3,000 tunnels.
        """
        plan = make_plan(quick=False, only=[])
        self.assertEqual(plan.stages, STAGES)
        self.assertGreaterEqual(plan.rounds, 3)
        self.assertEqual(plan.tunnels, 3000)
        self.assertFalse(plan.quick)

    def test_quick(self) -> None:
        """
        A quick run has one round.
        """
        plan = make_plan(quick=True, only=[])
        self.assertEqual((plan.rounds, plan.seconds, plan.quick), (1, 1, True))

    def test_only(self) -> None:
        """
        A choice of stages keeps their order and counts each once.
        """
        self.assertEqual(make_plan(quick=True, only=["ready", "bodies", "ready"]).stages, ("bodies", "ready"))

    def test_unknown(self) -> None:
        """
        A stage that does not exist is named, and those that do are listed.
        """
        error = self.assertRaises(ValueError, make_plan, quick=True, only=["ready", "speed"])
        self.assertEqual(str(error), "nothing is called speed; there are requests, watching, bodies, tunnels, ready")

    def test_steps(self) -> None:
        """
        The steps are those that the stages take, with a warm-up where there is load.
        """
        table = {
            (): 9 + 4 + 9 + 4 + 12 + 1 + 1,
            ("requests",): 18,
            ("watching",): 8,
            ("bodies",): 12,
            ("tunnels", "ready"): 2,
        }
        for only, steps in table.items():
            self.assertEqual(make_plan(quick=True, only=only).steps, steps, only)
        self.assertEqual(make_plan(quick=False, only=["ready"]).steps, 5)
