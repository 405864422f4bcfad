"""
Tests for :mod:`pico.bench.load.report` and :mod:`pico.bench.load.bar`.
"""

from __future__ import annotations

import io

from twisted.trial.unittest import SynchronousTestCase

from pico.bench.load.bar import Bar, bar_line
from pico.bench.load.plan import Requests, Upstreams
from pico.bench.load.report import http_data, http_lines, upstreams_data, upstreams_lines
from pico.bench.load.tally import Tally


def some(*kinds: str) -> Tally:
    """
    Four successes within two seconds, and failures.
    """
    tally = Tally(began=0.0, ended=2.0)
    for milliseconds in (1, 2, 3, 400):
        tally.times.record(milliseconds / 1000)
    for kind in kinds:
        tally.fail(kind)
    return tally


class ReportTests(SynchronousTestCase):
    """
    Figures, written down.
    """

    PLAN = Requests(count=10, clients=2, endpoints=3, size=1_000_000)

    def test_lines(self) -> None:
        """
        How many, how fast, how long they took, and what went wrong, the most frequent first.
        """
        self.assertEqual(
            http_lines(self.PLAN, some("b", "a", "a"), interrupted=True),
            [
                "requests    7 of 10 (interrupted) in 2.0s by 2 clients",
                "throughput  2 requests/s, 2.0 MB/s each way",
                "latency     min 1ms  mean 102ms  p50 2ms  p90 400ms  p99 400ms  p99.9 400ms  max 400ms",
                "errors      3",
                "           2  a",
                "           1  b",
            ],
        )
        self.assertEqual(http_lines(self.PLAN, some(), interrupted=False)[3:], ["errors      0"])

    def test_many_kinds(self) -> None:
        """
        Of many kinds of errors some are shown.
        """
        lines = http_lines(self.PLAN, some(*map(str, range(13))), interrupted=False)
        self.assertEqual((len(lines), lines[-1]), (4 + 10 + 1, "              and 3 kinds more"))

    def test_data(self) -> None:
        """
        The same for programs.
        """
        data = http_data(self.PLAN, some("a"), {"x": 1}, interrupted=False)
        self.assertEqual((data["requests"], data["succeeded"], data["failed"]), (5, 4, 1))
        self.assertEqual((data["errors"], data["upstreams"], data["requests_per_second"]), ({"a": 1}, {"x": 1}, 2.0))
        latency = data["latency_ms"]
        assert isinstance(latency, dict)
        self.assertEqual(list(latency), ["min", "mean", "p50", "p90", "p99", "p99.9", "max"])
        self.assertEqual((latency["min"], latency["max"]), (1.0, 400.0))

    def test_upstreams(self) -> None:
        """
        Tunnels in the same manner.
        """
        plan = Upstreams(5, 2)
        self.assertEqual(upstreams_lines(plan, some())[0], "tunnels     4 of 5 in 2.00s, 2/s")
        data = upstreams_data(plan, some("x"), connected=3, lost=1, interrupted=False)
        self.assertEqual((data["opened"], data["connected"], data["lost"], data["failed_tries"]), (4, 3, 1, 1))


class BarTests(SynchronousTestCase):
    """
    How far it is.
    """

    def test_lines(self) -> None:
        """
        A bar, a share, a text, and never more than a terminal's line.
        """
        self.assertEqual(bar_line(1, 2, "half", 80), f"[{'#' * 15}{'.' * 15}]  50%  half")
        self.assertEqual(bar_line(0, 0, "x", 80), f"[{'#' * 30}] 100%  x")
        self.assertEqual(len(bar_line(3, 2, "x" * 100, 60)), 59)

    def test_terminal(self) -> None:
        """
        On a terminal the line is rewritten, and gone at the end; elsewhere nothing is written.
        """
        for terminal, expected in ((True, f"\r\x1b[K{bar_line(1, 2, 'x', 80)}\r\x1b[K"), (False, "")):
            out = io.StringIO()
            bar = Bar(out, terminal=terminal, columns=80)
            bar.show(1, 2, "x")
            bar.clear()
            self.assertEqual(out.getvalue(), expected)
