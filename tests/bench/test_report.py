"""
Tests for :mod:`pico.bench.report`.
"""

from __future__ import annotations

import json

from twisted.trial.unittest import SynchronousTestCase

from pico.bench.measures import GOSSIP, ONE_NODE, TWO_NODES
from pico.bench.report import align, make_json, median_rows, spread_rows, text_lines
from tests.bench.support import add_others, make_report


class RowTests(SynchronousTestCase):
    def test_medians(self) -> None:
        """
        Each measure with figures has a row: medians, the ratio of the rounds, the goal and its verdict.
        """
        head, *rows = median_rows(make_report(), ONE_NODE)
        self.assertEqual(
            head,
            ("", "unit", "origin alone", "nginx → nginx", "Pico", "ratio (least to most)", "goal", ""),
        )
        self.assertEqual(
            rows,
            [
                (
                    "latency p50, 1 connection",
                    "µs",
                    "",
                    "100",
                    "250",
                    "2.50 (2.50 to 2.50)",
                    "ratio ≤ 2",
                    "missed",
                ),
                (
                    "requests, 50 connections",
                    "/s",
                    "100,001",
                    "60,000",
                    "41,000",
                    "0.68 (0.60 to 0.80)",
                    "ratio ≥ 0.65",
                    "met",
                ),
                ("memory gained by it, first hop (node)", "MiB", "", "1.0", "21.0", "", "≤ 32", "met"),
                ("from start to ready", "s", "", "", "0.250", "", "≤ 0.5", "met"),
            ],
        )

    def test_one_round(self) -> None:
        """
        One round has no least and most.
        """
        self.assertEqual(median_rows(make_report(rounds=1), ONE_NODE)[2][5], "0.80")

    def test_spread(self) -> None:
        """
        The least and the most of each side are told.
        """
        rows = {row[0]: row[1:] for row in spread_rows(make_report(), ONE_NODE)}
        self.assertEqual(
            rows["requests, 50 connections"],
            ("/s", "100,000 to 100,002", "50,000 to 70,000", "40,000 to 42,000"),
        )
        self.assertEqual(rows["from start to ready"], ("s", "", "", "0.250 to 0.250"))

    def test_other_tables(self) -> None:
        """
        Two nodes are compared with nginx → nginx; gossip has a column for each size that there are figures of.
        """
        report = make_report()
        self.assertEqual(report.tables, [ONE_NODE])
        add_others(report)
        self.assertEqual(report.tables, [ONE_NODE, TWO_NODES, GOSSIP])
        head, row = median_rows(report, TWO_NODES)
        self.assertEqual(
            head[2:6], ("nginx → nginx", "nginx → nginx → nginx", "Pico, two nodes", "ratio (least to most)")
        )
        self.assertEqual(row[2:], ("50,000", "40,000", "30,000", "0.60", "ratio ≥ 0.45", "met"))
        head, *rows = median_rows(report, GOSSIP)
        self.assertEqual(head, ("", "unit", "3 nodes", "20 nodes", "goal", ""))
        self.assertEqual(rows[1][1:], ("s", "0.100", "1.500", "≤ 1", "missed"))


class AlignTests(SynchronousTestCase):
    def test_columns(self) -> None:
        """
        The first column stands to the left, the others to the right; lines end without blanks.
        """
        rows = [("", "a", "verdict"), ("long name", "1,000", ""), ("x", "1", "met")]
        self.assertEqual(align(rows), ["               a  verdict", "long name  1,000", "x              1      met"])


class TextTests(SynchronousTestCase):
    def test_text(self) -> None:
        """
        The text has conditions, both tables, and what was missed.
        """
        lines = text_lines(make_report())
        self.assertIn("machine     A CPU, 2 CPUs, 8 GiB", lines)
        self.assertIn("took        61 s", lines)
        self.assertIn("Least and most", lines)
        self.assertEqual(lines[-1], "Missed: latency p50, 1 connection.")

    def test_one_round(self) -> None:
        """
        After one round there is one table.
        """
        self.assertNotIn("Least and most", text_lines(make_report(rounds=1)))

    def test_tables(self) -> None:
        """
        Each table stands below its title, the plot behind that of gossip.
        """
        report = make_report()
        add_others(report)
        lines = text_lines(report)
        self.assertEqual(
            [line for line in lines if line in ("Figures", "Two nodes", "Gossip")], ["Figures", "Two nodes", "Gossip"]
        )
        self.assertIn("Medians; ratio: Pico, two nodes ÷ nginx → nginx, round by round", lines)
        self.assertTrue(any(line.startswith("  3 nodes |█") for line in lines))
        self.assertIn("until every node knows, p99", lines[-1])

    def test_faults(self) -> None:
        """
        What went wrong is told.
        """
        lines = text_lines(make_report(faults=["Pico, 50 connections: 3 socket errors"]))
        self.assertIn("Something went wrong, so these figures prove nothing:", lines)
        self.assertIn("  Pico, 50 connections: 3 socket errors", lines)


class JSONTests(SynchronousTestCase):
    def test_document(self) -> None:
        """
        The document has every sample, the ratios with their sides, the goals and the configurations.
        """
        document = json.loads(make_json(make_report(faults=["oh"])))
        self.assertEqual(document["faults"], ["oh"])
        self.assertEqual(document["seconds"], 61.4)
        self.assertEqual(document["conditions"]["pico"], "1.2.3")
        self.assertEqual(document["configurations"]["origin.conf"], "listen 1;\n")
        measures = {measure["key"]: measure for measure in document["measures"]}
        self.assertEqual(list(measures), ["p50.1", "rate.50", "memory.first", "ready"])
        rate = measures["rate.50"]
        self.assertEqual(
            rate["sides"]["nginx"],
            {
                "median": 60_000,
                "minimum": 50_000,
                "maximum": 70_000,
                "samples": [50_000, 60_000, 70_000],
            },
        )
        self.assertEqual((rate["ratio"]["of"], rate["ratio"]["to"]), ("pico", "nginx"))
        self.assertEqual(len(rate["ratio"]["samples"]), 3)
        self.assertEqual(rate["goal"], {"bound": 0.65, "relative": True, "at_least": True, "verdict": "met"})
        self.assertNotIn("ratio", measures["ready"])
        self.assertEqual(list(measures["ready"]["sides"]), ["pico"])
        report = make_report()
        add_others(report)
        measures = {measure["key"]: measure for measure in json.loads(make_json(report))["measures"]}
        self.assertEqual(measures["nodes.rate.50"]["ratio"]["of"], "nodes")
        self.assertEqual(list(measures["gossip.p99"]["sides"]), ["3", "20"])
        self.assertNotIn("ratio", measures["gossip.p99"])
