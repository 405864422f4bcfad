"""
Tests for :mod:`pico.doctor.clocks`.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from pico.doctor.clocks import judge_clock, judge_other_clock
from pico.doctor.finding import Level

OK, WARN, FAIL = Level.OK, Level.WARN, Level.FAIL


class ClockTests(SynchronousTestCase):
    """
    What time it is.
    """

    def test_clock(self) -> None:
        """
        A clock that was never set is noticed, and one that differs from the node's.
        """
        self.assertEqual(judge_clock(1_800_000_000).level, OK)
        finding = judge_clock(86_400)
        self.assertEqual((finding.level, finding.text), (FAIL, "it says 1970-01-02 00:00:00 UTC"))
        date = "Thu, 26 Nov 2026 02:00:00 GMT"
        node = 1_795_658_400.0
        for now, text in (
            (node + 59, ""),
            (node - 59, ""),
            (node + 3600, "3,600s ahead of that of the node"),
            (node - 120, "120s behind that of the node"),
        ):
            found = judge_other_clock(now, date, "the node")
            self.assertEqual([(each.level, each.text) for each in found], [(WARN, text)] if text else [], now)
        for date in ("", "yesterday"):
            self.assertEqual(judge_other_clock(0, date, "the node"), [])
