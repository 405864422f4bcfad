"""
Tests for :mod:`pico.bench.page`.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from pico.bench.page import make_page
from tests.bench.support import add_others, make_report


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

    def test_sections(self) -> None:
        """
        Two nodes and gossip have sections of their own, gossip's with the plot, if there are figures of them.
        """
        self.assertNotIn("## Two nodes", make_page(make_report()))
        report = make_report()
        add_others(report)
        page = make_page(report)
        heads = [line for line in page.splitlines() if line.startswith("## ")]
        self.assertEqual(heads[:4], ["## Figures", "## Two nodes", "## Gossip", "## Conditions"])
        self.assertIn(
            "| requests, 50 connections | /s | 50,000 | 40,000 | 30,000 | 0.60 | ratio ≥ 0.45 | met |\n", page
        )
        plot = page.partition("```text\n")[2].partition("```")[0]
        self.assertIn("\n 20 nodes |█", plot)

    def test_whole_tables(self) -> None:
        """
        All rows of a table have as many cells as its head.
        """
        cells = None
        report = make_report()
        add_others(report)
        for line in make_page(report).splitlines():
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
