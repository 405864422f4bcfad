"""
Tests for :mod:`pico.doctor.limits`.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from pico.config.files import OpenFiles
from pico.doctor.finding import Level
from pico.doctor.limits import judge_open_files

OK, WARN, FAIL = Level.OK, Level.WARN, Level.FAIL


class LimitTests(SynchronousTestCase):
    """
    How many files may be open.
    """

    def test_open_files(self) -> None:
        """
        Too few are a warning, because not all connections will be used; far too few are a failure.
        """
        any_number = float("inf")
        for limit, level, text, advice in (
            (1000, OK, "1,000 allowed, 1,000 needed", ""),
            (any_number, OK, "any number allowed", ""),
            (999, WARN, "999 allowed, but the settings let 1,000", "as root: ulimit -n 1000"),
            (20, FAIL, "20 allowed", "or lower a.b"),
        ):
            finding = judge_open_files(limit, OpenFiles(1000, "a.b"))
            self.assertEqual(finding.level, level)
            self.assertIn(text, finding.text)
            self.assertIn(advice, finding.advice)
