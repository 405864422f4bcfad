"""
Tests for :mod:`pico.doctor.examine`.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator

from twisted.trial.unittest import SynchronousTestCase

from pico.doctor.examine import AT_ONCE, examine
from pico.doctor.finding import Check, Finding, Level, ok


class ExamineTests(SynchronousTestCase):
    """
    Checks, run at once.
    """

    def test_order(self) -> None:
        """
        Findings come in the order of the checks, whichever ends first, and what is waited for is told.
        """
        second = threading.Event()

        def first() -> Iterator[Finding]:
            second.wait(60)
            yield ok("a", "1")
            yield ok("a", "2")

        def other() -> list[Finding]:
            second.set()
            return [ok("b", "3")]

        begun: list[str] = []
        found = examine([Check("a", first), Check("b", other)], limit=60, begin=begun.append)
        self.assertEqual([finding.text for finding in found], ["1", "2", "3"])
        self.assertEqual(begun, ["a", "b"])

    def test_limit(self) -> None:
        """
        What takes too long is given up, and the rest goes on.
        """
        never = threading.Event()
        self.addCleanup(never.set)
        now = 0.0

        def clock() -> float:
            nonlocal now
            now += 10.0
            return now

        def stuck() -> list[Finding]:
            never.wait(60)
            return []

        found = list(examine([Check("stuck", stuck)], limit=5, clock=clock))
        self.assertEqual(
            [(each.level, each.subject, each.text) for each in found], [(Level.FAIL, "stuck", "no result within 5s")]
        )
        self.assertIn("--timeout", found[0].advice)

    def test_bound(self) -> None:
        """
        Only so many run at a time.
        """
        started = 0
        at_first: list[int] = []

        def clock() -> float:
            # Each check notes when it is started, and nothing else asks before the first is waited for.
            nonlocal started
            started += 1
            return 0.0

        checks = [Check("x", lambda: [ok("x", "y")])] * 100
        found = examine(checks, limit=60, begin=lambda subject: at_first.append(started), clock=clock)
        self.assertEqual(len(list(found)), 100)
        self.assertEqual(at_first[0], AT_ONCE)

    def test_bug(self) -> None:
        """
        An error of a check is nobody's finding.
        """

        def look() -> list[Finding]:
            raise ZeroDivisionError

        self.assertRaises(ZeroDivisionError, list, examine([Check("x", look)], limit=60))
