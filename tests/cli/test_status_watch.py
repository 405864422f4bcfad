"""
Tests for :mod:`pico.cli.status_watch`, with a node, a clock and a screen that are made up.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable

import attrs
from rich.console import Console
from rich.live import Live
from twisted.trial.unittest import SynchronousTestCase

from pico.cli.status_client import Reply
from pico.cli.status_forms import NODES, TUNNELS, UPSTREAM_ENDPOINTS, Form, Table
from pico.cli.status_watch import Documents, LiveTable, Sample, fitting, table_text, watch
from pico.errors import PicoError


class Enough(Exception):
    """
    The test has seen enough.
    """


@attrs.define
class Recorded:
    """
    A screen that keeps what it is shown.
    """

    samples: list[Sample] = attrs.field(factory=list)

    def show(self, sample: Sample) -> None:
        """
        Keep it.
        """
        self.samples.append(sample)


def _tunnels(*requests: int) -> dict[str, object]:
    return {
        "total": len(requests),
        "tunnels": [{"id": n, "since": "x", "requests": count} for n, count in enumerate(requests)],
    }


class WatchTests(SynchronousTestCase):
    """
    The loop.
    """

    def run_watch(self, answers: list[Callable[[], Reply]], form: Form = TUNNELS) -> tuple[Recorded, list[float]]:
        """
        Watch until the answers are used up; each takes a quarter of a second of the interval of two.
        """
        screen, slept, now = Recorded(), [], [100.0]
        waiting = list(answers)

        def ask() -> Reply:
            if not waiting:
                raise Enough
            now[0] += 0.25
            return waiting.pop(0)()

        def sleep(seconds: float) -> None:
            slept.append(seconds)
            now[0] += seconds

        self.assertRaises(Enough, watch, ask, form, screen, interval=2.0, clock=lambda: now[0], sleep=sleep)
        return screen, slept

    def test_rates(self) -> None:
        """
        Counters are compared with those of the last answer, over the time between them.
        """
        screen, slept = self.run_watch(
            [lambda: Reply(_tunnels(10)), lambda: Reply(_tunnels(20, 5)), lambda: Reply(_tunnels(20, 9))]
        )
        first, second, third = (sample.rates for sample in screen.samples)
        self.assertEqual(first, {})
        self.assertEqual(second, {((0, "x"), "requests"): 5.0})
        self.assertEqual(third, {((0, "x"), "requests"): 0.0, ((1, "x"), "requests"): 2.0})
        self.assertEqual(slept, [1.75, 1.75, 1.75])

    def test_node_goes_and_comes(self) -> None:
        """
        A node that does not answer is asked on; what it says then is compared over the whole time.
        """

        def gone() -> Reply:
            raise PicoError("connection refused")

        screen, slept = self.run_watch(
            [lambda: Reply(_tunnels(10)), gone, lambda: Reply({"strange": 1}), lambda: Reply(_tunnels(16))]
        )
        errors = [sample.error for sample in screen.samples]
        self.assertEqual(errors[:2], ["", "connection refused"])
        self.assertIn("the answer is not what a node says", errors[2])
        self.assertEqual(screen.samples[3].rates, {((0, "x"), "requests"): 1.0})
        self.assertEqual(len(slept), 4)

    def test_slow_answers(self) -> None:
        """
        An answer that takes longer than the interval is followed by the next question at once.
        """
        slept: list[float] = []
        times = iter([0.0, 9.0, 9.0, 20.0])

        def sleep(seconds: float) -> None:
            slept.append(seconds)
            raise Enough

        self.assertRaises(
            Enough,
            watch,
            lambda: Reply([]),
            NODES,
            Recorded(),
            interval=1.0,
            clock=lambda: next(times),
            sleep=sleep,
        )
        self.assertEqual(slept, [0.0])


class DocumentsTests(SynchronousTestCase):
    """
    What is written when nobody looks at a terminal.
    """

    def show(self, output: str, *samples: Sample) -> tuple[str, str]:
        """
        Show samples.

        :return: standard output and standard error.
        """
        out, errors = io.StringIO(), io.StringIO()
        documents = Documents(UPSTREAM_ENDPOINTS, output, out, errors)
        for sample in samples:
            documents.show(sample)
        return out.getvalue(), errors.getvalue()

    def test_forms(self) -> None:
        """
        Each form can be told apart into its documents.
        """
        samples = [Sample(Reply({"e": count}), "", {}) for count in (1, 2)]
        self.assertEqual(self.show("yaml", *samples), ("e: 1\n---\ne: 2\n", ""))
        self.assertEqual(self.show("json", *samples), ('{"e": 1}\n{"e": 2}\n', ""))
        self.assertEqual(
            self.show("table", *samples),
            ("ENDPOINT  UPSTREAMS\ne                 1\n\nENDPOINT  UPSTREAMS\ne                 2\n", ""),
        )

    def test_errors(self) -> None:
        """
        An error is told once, on standard error, and once more after something has worked.
        """
        failed, worked = Sample(None, "gone", {}), Sample(Reply({"e": 1}), "", {})
        out, errors = self.show("yaml", failed, failed, worked, failed, Sample(None, "other", {}))
        self.assertEqual((out, errors), ("e: 1\n", "pico: gone\npico: gone\npico: other\n"))


class LiveTableTests(SynchronousTestCase):
    """
    What is drawn on a terminal of 100 columns and 12 lines.
    """

    def setUp(self) -> None:
        self.stream = io.StringIO()
        self.console = Console(
            file=self.stream, force_terminal=True, width=100, height=12, color_system=None, legacy_windows=False
        )

    def draw(self, form: Form, *samples: Sample) -> list[str]:
        """
        Draw samples one over the other.

        :return: the lines of the last picture.
        """
        with Live(console=self.console, screen=True, auto_refresh=False) as live:
            screen = LiveTable(form, live, "title", lambda: "12:00:00")
            for sample in samples:
                screen.show(sample)
        picture = re.split(r"\x1b\[H", self.stream.getvalue())[-1]
        return [line.rstrip() for line in re.sub(r"\x1b\[[0-9;?]*[a-z]", "", picture).splitlines()]

    def test_rates(self) -> None:
        """
        A heading, and the table with its rates.
        """
        key = ((0, "x"), "requests")
        lines = self.draw(TUNNELS, Sample(Reply(_tunnels(7)), "", {key: 2.5}))
        self.assertEqual(lines[0], "12:00:00  title")
        self.assertIn("REQ/S", lines[2])
        self.assertIn("2.5", lines[3])

    def test_in_place(self) -> None:
        """
        Each picture covers the one before; nothing is erased in between, and the terminal is given back.
        """
        self.draw(UPSTREAM_ENDPOINTS, *[Sample(Reply({"e": count}), "", {}) for count in range(3)])
        written = self.stream.getvalue()
        self.assertNotRegex(written, r"\x1b\[[0-9]*[JK]")
        for begin, end in (("\x1b[?1049h", "\x1b[?1049l"), ("\x1b[?25l", "\x1b[?25h")):
            self.assertLess(written.index(begin), written.index(end))
            self.assertEqual((written.count(begin), written.count(end)), (1, 1))

    def test_node_goes(self) -> None:
        """
        While the node does not answer, the reason stands above what was last.
        """
        lines = self.draw(UPSTREAM_ENDPOINTS, Sample(Reply({"e": 1}), "", {}), Sample(None, "connection refused", {}))
        self.assertEqual(lines[1:3], ["connection refused", "as it was at 12:00:00:"])
        self.assertEqual(lines[4].split(), ["e", "1"])
        lines = self.draw(UPSTREAM_ENDPOINTS, Sample(None, "connection refused", {}))
        self.assertEqual(lines[1], "connection refused")

    def test_too_many_rows(self) -> None:
        """
        What does not fit is counted.
        """
        value = {f"e{number:03}": number for number in range(100)}
        lines = self.draw(UPSTREAM_ENDPOINTS, Sample(Reply(value), "", {}))
        self.assertLessEqual(len(lines), 12)
        shown = len([line for line in lines if line.startswith("e0")])
        self.assertIn(f"and {100 - shown} more", lines)
        self.assertGreater(shown, 4)


class FittingTests(SynchronousTestCase):
    """
    Tables and widths.
    """

    def test_fitting(self) -> None:
        """
        Columns go in the order in which they can be spared, and only as many as must.
        """
        table = Table(("A", "BB", "CCC"), [["1234", "12345", "\u4e16\u754c"]], spare=["BB", "A"])
        for width, columns in [(17, 3), (16, 2), (10, 2), (9, 1), (1, 1)]:
            self.assertEqual(len(fitting(table, width).columns), columns, width)
        self.assertEqual(list(fitting(table, 9).columns), ["CCC"])

    def test_usual_terminal(self) -> None:
        """
        80 columns are enough for tunnels, nothing being cut.
        """
        tunnel = {
            "id": 12345,
            "endpoint": "my-endpoint",
            "agent_addr": "172.18.100.100:39084",
            "requests": 123_456_789,
            "bytes_received": 10**12,
        }
        table = fitting(TUNNELS.table(Reply({"total": 1, "tunnels": [tunnel]}), {}), 80)
        self.assertTrue({"ENDPOINT", "AGENT", "REQ/S", "IN/S", "OUT/S"} <= set(table.columns))
        console = Console(file=io.StringIO(), width=80, color_system=None)
        self.assertNotIn("\u2026", table_text(table, console=console))


class TableTextTests(SynchronousTestCase):
    """
    Tables as plain text.
    """

    def test_wide(self) -> None:
        """
        Nothing is cut and nothing coloured, however long it is.
        """
        text = table_text(Table(("A", "STATUS"), [["x" * 300, "active"]], caption="above"))
        self.assertEqual(text.splitlines()[0], "above")
        self.assertIn("x" * 300 + "  active\n", text)
        self.assertNotIn("\x1b", text)

    def test_markup(self) -> None:
        """
        What looks like markup is text.
        """
        self.assertIn("[red]:smile:[/red]", table_text(Table(("A",), [["[red]:smile:[/red]"]])))
