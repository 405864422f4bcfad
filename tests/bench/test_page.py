"""
Tests for :mod:`pico.bench.page`.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from pico.bench.page import make_page
from tests.bench.support import make_report


class PageTests(SynchronousTestCase):
    def test_tables(self) -> None:
        """
        Figures, conditions and configurations stand on the page.
        """
        page = make_page(make_report())
        self.assertTrue(page.startswith("# Benchmarks\n"))
        row = "| requests, 50 connections | /s | 100,001 | 60,000 | 41,000 | 0.68 (0.60 to 0.80) | ratio ≥ 0.65 | met |"
        self.assertIn(f"\n{row}\n", page)
        self.assertIn("\n| requests, 50 connections | /s | 100,000 to 100,002 |", page)
        self.assertIn("\n| machine | A CPU, 2 CPUs, 8 GiB |\n", page)
        self.assertIn("\n`origin.conf`:\n\n```nginx\nlisten 1;\n```\n", page)
        self.assertIn("\n```yaml\nconnect:\n```\n", page)

    def test_whole_tables(self) -> None:
        """
        All rows of a table have as many cells as its head.
        """
        cells = None
        for line in make_page(make_report()).splitlines():
            if not line.startswith("|"):
                cells = None
                continue
            cells = cells or line.count("|")
            self.assertEqual(line.count("|"), cells, line)

    def test_faults(self) -> None:
        """
        Only a run with faults says so.
        """
        self.assertNotIn("went wrong", make_page(make_report()))
        self.assertIn("went wrong in this run", make_page(make_report(faults=["oh"])))
        self.assertIn("\n- oh\n", make_page(make_report(faults=["oh"])))
