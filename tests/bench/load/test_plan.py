"""
Tests for :mod:`pico.bench.load.plan`, :mod:`pico.bench.load.pace` and :mod:`pico.bench.load.tally`.
"""

from __future__ import annotations

import attrs
from twisted.trial.unittest import SynchronousTestCase

from pico.bench.load.pace import Pace
from pico.bench.load.plan import Requests, Upstreams
from pico.bench.load.tally import Tally


class PlanTests(SynchronousTestCase):
    """
    Loads that make sense, and others.
    """

    def test_upstreams(self) -> None:
        """
        Tunnels are spread over the endpoints, of which none may be without.
        """
        plan = Upstreams(5, 2)
        plan.check()
        self.assertEqual([plan.endpoint(number) for number in range(3)], ["bench-0", "bench-1", "bench-0"])
        Upstreams(0, 100).check()
        for wrong, flag in (
            (Upstreams(-1, 1), "--upstreams"),
            (Upstreams(1, 0), "--endpoints"),
            (Upstreams(1, 2), "--endpoints 2"),
            (Upstreams(10**6, 1), "--upstreams"),
        ):
            self.assertIn(flag, str(self.assertRaises(ValueError, wrong.check)))

    def test_requests(self) -> None:
        """
        Each flag has its bounds.
        """
        plan = Requests(1, 1, 1, 0)
        plan.check()
        for change, flag in (
            ({"count": 0}, "--requests"),
            ({"clients": 0}, "--clients"),
            ({"clients": 10**6}, "--clients"),
            ({"endpoints": 0}, "--endpoints"),
            ({"size": 10**9}, "--size"),
            ({"timeout": 0.0}, "--timeout"),
        ):
            self.assertIn(flag, str(self.assertRaises(ValueError, attrs.evolve(plan, **change).check)))


class PaceTests(SynchronousTestCase):
    """
    When requests are due.
    """

    def test_rate(self) -> None:
        """
        Clients take turns at even distances, whenever they ask.
        """
        pace = Pace(rate=10.0, clients=2, start=100.0)
        due = [pace.due(client, turn, now=500.0) for turn in range(2) for client in range(2)]
        self.assertEqual(due, [100.0, 100.1, 100.2, 100.3])

    def test_none(self) -> None:
        """
        Without a rate they are due when they can be sent.
        """
        self.assertEqual(Pace(0.0, 2, 100.0).due(1, 7, now=500.0), 500.0)


class TallyTests(SynchronousTestCase):
    """
    What has come of it.
    """

    def test_counts(self) -> None:
        """
        Only successes count for the rate.
        """
        tally = Tally(began=10.0, ended=14.0)
        for _ in range(8):
            tally.times.record(0.1)
        tally.fail("status 502")
        tally.fail("status 502")
        self.assertEqual((tally.done, tally.succeeded, tally.failed), (10, 8, 2))
        self.assertEqual((tally.seconds, tally.rate), (4.0, 2.0))
        self.assertEqual(Tally().rate, 0.0)

    def test_bound(self) -> None:
        """
        However many kinds of errors there are, the table stays small.
        """
        tally = Tally()
        for number in range(1000):
            tally.fail(f"kind {number}")
        tally.fail("kind 3")
        self.assertLessEqual(len(tally.errors), 101)
        self.assertEqual((tally.failed, tally.errors["kind 3"]), (1001, 2))
