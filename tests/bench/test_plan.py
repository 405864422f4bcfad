"""
Tests for :mod:`pico.bench.plan`.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from pico.bench.plan import STAGES, Group, make_plan


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
        self.assertEqual(
            str(error), "nothing is called speed; there are requests, watching, bodies, nodes, tunnels, ready, gossip"
        )

    def test_steps(self) -> None:
        """
        The steps are those that the stages take, with a warm-up where there is load.
        """
        table = {
            (): 9 + 4 + 9 + 9 + 4 + 12 + 21 + 1 + 1 + 4,
            ("requests",): 18,
            ("watching",): 8,
            ("bodies",): 12,
            ("nodes",): 9 + 21,
            ("gossip",): 1 + 3,
            ("tunnels", "ready"): 2,
        }
        for only, steps in table.items():
            self.assertEqual(make_plan(quick=True, only=only).steps, steps, only)
        self.assertEqual(make_plan(quick=False, only=["ready"]).steps, 5)
        # Gossip is simulated once, however many rounds there are.
        self.assertEqual(make_plan(quick=False, only=["gossip"]).steps, 7)

    def test_groups(self) -> None:
        """
        Gossip is simulated from 3 to 200 nodes; a hundred of them have 100,000 endpoints and change 5,000 a second for
        ten seconds. All have as many endpoints that no change is overtaken by the next one of its endpoint.
        """
        groups = {group.nodes: group for group in make_plan(quick=False, only=[]).groups}
        self.assertEqual(list(groups), [3, 10, 20, 50, 100, 200])
        self.assertEqual(groups[100], Group(100, 100_000, 5_000, 10, 10, 5))
        self.assertEqual(groups[3].deaths, 2)
        for group in (*groups.values(), *make_plan(quick=True, only=[]).groups):
            self.assertGreaterEqual(group.endpoints / group.rate, 2.0)
            self.assertLess(group.deaths, group.nodes)
