"""
Tests for :mod:`pico.bench.probe`.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from pico.bench.probe import parse_metrics


class MetricsTests(SynchronousTestCase):
    def test_numbers(self) -> None:
        """
        Numbers without labels are read; comments and all that has labels are left out.
        """
        text = '# HELP a A.\n# TYPE a counter\na 3\nb{x="y"} 4\nc_total 1.5e+07\nd -2.5e-05\n\n'
        self.assertEqual(parse_metrics(text), {"a": 3.0, "c_total": 1.5e7, "d": -2.5e-5})
