"""
Tests for :mod:`pico.doctor.report`.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from pico.doctor.finding import fail, ok, warn
from pico.doctor.report import as_data, failed, lines_of, summary_of

FINDINGS = [ok("clock", "2026"), warn("a", "b", "c"), warn("a", "b", "c"), fail("proxy port", "taken", "stop it")]


class ReportTests(SynchronousTestCase):
    """
    Findings, written down.
    """

    def test_lines(self) -> None:
        """
        A line each, texts below one another, and what to do below that.
        """
        lines = [line for finding in FINDINGS for line in lines_of(finding, width=0, color=False)]
        indent = " " * 32
        self.assertEqual(
            lines,
            [
                "ok    clock                     2026",
                "warn  a                         b",
                f"{indent}-> c",
                "warn  a                         b",
                f"{indent}-> c",
                "fail  proxy port                taken",
                f"{indent}-> stop it",
            ],
        )

    def test_color(self) -> None:
        """
        Only how bad it is has a colour.
        """
        self.assertEqual(
            lines_of(FINDINGS[0], width=0, color=True)[0], "\x1b[32mok  \x1b[0m  clock                     2026"
        )

    def test_width(self) -> None:
        """
        Long texts are wrapped to the terminal, and stay in their column.
        """
        lines = lines_of(fail("service of my-endpoint", "word " * 30, "advice " * 20), width=80, color=False)
        self.assertGreater(len(lines), 5)
        self.assertLessEqual(max(map(len, lines)), 80)
        for line in lines[1:]:
            self.assertTrue(line.startswith(" " * 32), line)
        self.assertEqual(" ".join(" ".join(lines).split()).count("word"), 30)

    def test_summary(self) -> None:
        """
        How many of each.
        """
        self.assertEqual(summary_of(FINDINGS), "1 ok, 2 warnings, 1 failed")
        self.assertEqual(summary_of(FINDINGS[:2]), "1 ok, 1 warning")
        self.assertEqual(failed(FINDINGS), 1)

    def test_data(self) -> None:
        """
        The same for programs.
        """
        data = as_data("agent", "x.yaml", FINDINGS)
        self.assertEqual((data["kind"], data["file"], data["healthy"]), ("agent", "x.yaml", False))
        self.assertEqual(data["counts"], {"ok": 1, "warn": 2, "fail": 1})
        findings = data["findings"]
        assert isinstance(findings, list)
        self.assertEqual(findings[3], {"level": "fail", "subject": "proxy port", "text": "taken", "advice": "stop it"})
        self.assertEqual(as_data("server", "", FINDINGS[:3])["healthy"], True)
