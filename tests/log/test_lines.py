"""
Tests for :mod:`pico.log.lines` and :mod:`pico.log.records`.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping

from twisted.logger import LogEvent
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from pico.log.lines import MAX_LINE, RECORD, JSONForm, TextForm, message_of
from pico.log.records import AccessRecord

#: 2026-11-26 01:02:03.456 UTC.
MOMENT = 1_795_654_923.456

#: What peers may send to make a second line or to command a terminal.
HOSTILE = "a\nb\r\x1b[31mc\x9b\u2028\u202e\x00\x7f\ud800é"

PLAIN: Mapping[str, object] = {
    "client": "192.0.2.7",
    "method": "GET",
    "path": "/x?y=1",
    "status": 200,
    "endpoint": "e",
    "tunnel": "10.0.0.1:4000",
    "node": "n1",
    "request_bytes": 0,
    "response_bytes": 33,
    "head_seconds": 0.001,
    "seconds": 0.0025,
    "retries": 0,
    "ended": "complete",
    "request_id": "r1",
}


class Ended:
    """
    A request that is over.
    """

    def __init__(self, **fields: object) -> None:
        self._record = AccessRecord(**fields)  # type: ignore[arg-type]  # the table above is loosely typed

    def record(self) -> AccessRecord:
        return self._record

    def __str__(self) -> str:
        return str(self._record)


def event(template: str, **fields: object) -> LogEvent:
    """
    An event as a logger makes it.
    """
    return {"log_format": template, "log_time": MOMENT, **fields}


def access(**fields: object) -> LogEvent:
    """
    An event of the access log.
    """
    return event("{log_record}", **{RECORD: Ended(**{**PLAIN, **fields})})


class MessageTests(SynchronousTestCase):
    """
    What an event says.
    """

    CASES = [
        (event("plain"), "plain"),
        (event("{a} and {b:.1f}", a="x", b=2), "x and 2.0"),
        (event("{a.real}", a=3), "3"),
        # Twisted's own, beyond str.format.
        (event("{a()}", a=lambda: "called"), "called"),
    ]

    def test_formats(self) -> None:
        """
        Formats are filled in as twisted.logger does it.
        """
        for given, expected in self.CASES:
            self.assertEqual(message_of(given), expected)

    def test_misfit(self) -> None:
        """
        A format that does not fit is no reason to fall over.
        """
        self.assertIn("missing", message_of(event("bad {missing}")))

    def test_no_format(self) -> None:
        """
        An event without one has nothing to say.
        """
        self.assertEqual(message_of({}), "")


class TextTests(SynchronousTestCase):
    """
    Lines for people.
    """

    def setUp(self) -> None:
        """
        Be in UTC.
        """
        self.form = TextForm()
        self.when = time.strftime("%Y-%m-%d %H:%M:%S.456", time.localtime(MOMENT))

    def test_columns(self) -> None:
        """
        Time, level, subsystem and text, each in its column.
        """
        for level, subsystem, expected in (
            ("info", "proxy", "info  proxy:        said 2"),
            ("error", "proxy.access", "error proxy.access: said 2"),
            ("warn", "proxy.http.access", "warn  proxy.http.access: said 2"),
        ):
            self.assertEqual(self.form.line(event("said {n}", n=2), level, subsystem), f"{self.when} {expected}")

    def test_moments(self) -> None:
        """
        Each line has its own time, whatever that of the line before was.
        """
        said = event("x")
        for seconds, milliseconds in ((0, 456), (0, 456), (0, 457), (1, 457), (1, 456), (0, 456)):
            said["log_time"] = int(MOMENT) + seconds + milliseconds / 1000 + 0.0001
            expected = time.strftime("%H:%M:%S", time.localtime(int(MOMENT) + seconds)) + f".{milliseconds}"
            self.assertEqual(self.form.line(said, "info", "proxy").split()[1], expected)

    def test_color(self) -> None:
        """
        Levels are coloured on a terminal; info is not.
        """
        form = TextForm(color=True)
        self.assertIn(" \x1b[33mwarn \x1b[0m proxy", form.line(event("x"), "warn", "proxy"))
        self.assertNotIn("\x1b", form.line(event("x"), "info", "proxy"))

    def test_journal(self) -> None:
        """
        The journal gets a priority instead of time and level.
        """
        form = TextForm(journal=True, color=True)
        for level, priority in (("debug", 7), ("info", 6), ("warn", 4), ("error", 3), ("critical", 2)):
            self.assertEqual(form.line(event("x"), level, "proxy"), f"<{priority}>proxy:        x")

    def test_hostile_values(self) -> None:
        """
        Whatever a value holds, it is one line that a terminal shows as it is.
        """
        line = self.form.line(event("{a} {b}", a=HOSTILE, b=HOSTILE), "info", "proxy")
        self.assertTrue(line.isprintable(), line)
        line.encode()

    def test_access(self) -> None:
        """
        A request is a line, which says more if there was more to it.
        """
        said = self.form.line(access(), "info", "proxy.access").partition("proxy.access: ")[2]
        self.assertEqual(said, "GET /x?y=1 200 e 192.0.2.7 2.5ms 33B id=r1")
        failed = access(
            status=502,
            endpoint="",
            retries=2,
            ended="no backend",
            request_id="",
            request_headers={"user-agent": ["curl"], "accept": ["a", "b"]},
            response_headers={"server": ["x"]},
        )
        said = self.form.line(failed, "warn", "proxy.access").partition("proxy.access: ")[2]
        self.assertEqual(
            said,
            "GET /x?y=1 502 - 192.0.2.7 2.5ms 33B retries=2 (no backend) "
            "<user-agent: curl <accept: a <accept: b >server: x",
        )

    def test_hostile_access(self) -> None:
        """
        A request cannot write a line of its own.
        """
        hostile = access(path=HOSTILE, method=HOSTILE, client=HOSTILE, request_headers={HOSTILE: [HOSTILE]})
        self.assertTrue(self.form.line(hostile, "info", "proxy.access").isprintable())
        self.assertTrue(str(hostile[RECORD]).isprintable())

    def test_long(self) -> None:
        """
        A line has an end.
        """
        self.assertLess(len(self.form.line(event("{a}", a="x" * MAX_LINE * 2), "info", "proxy")), MAX_LINE + 100)

    def test_failure(self) -> None:
        """
        A bug keeps its traceback, in lines that nobody takes for events.
        """
        line = self.form.line(event("broken", log_failure=_failure("a\nb\x1b")), "critical", "proxy")
        first, *more = line.split("\n")
        self.assertTrue(first.endswith("proxy:        broken"))
        self.assertEqual(more[0], "    Traceback (most recent call last):")
        self.assertTrue(all(each.startswith("    ") and each.isprintable() for each in more), more)

    def test_failure_in_journal(self) -> None:
        """
        Each line of it is an entry of its own, of the same priority.
        """
        line = TextForm(journal=True).line(event("broken", log_failure=_failure("x")), "critical", "proxy")
        self.assertTrue(all(each.startswith("<2>") for each in line.split("\n")))


class JSONTests(SynchronousTestCase):
    """
    Objects for programs.
    """

    def setUp(self) -> None:
        self.form = JSONForm()

    def test_fields(self) -> None:
        """
        The fixed fields come first, then those of the event, without Twisted's bookkeeping.
        """
        given = event("said {n}", n=2, f=0.5, flag=True, none=None, thing=["x"], log_source=self, time="now")
        self.assertEqual(
            self.form.line(given, "info", "proxy"),
            '{"time":"2026-11-26T01:02:03.456Z","level":"info","subsystem":"proxy","message":"said 2",'
            '"n":2,"f":0.5,"flag":true,"thing":"[\'x\']"}',
        )

    def test_access(self) -> None:
        """
        A request's fields have their names and order, whatever has nothing to say is left out.
        """
        self.assertEqual(
            self.form.line(access(tunnel="", head_seconds=None), "info", "proxy.access"),
            '{"time":"2026-11-26T01:02:03.456Z","level":"info","subsystem":"proxy.access","message":"request",'
            '"client":"192.0.2.7","method":"GET","path":"/x?y=1","status":200,"endpoint":"e","node":"n1",'
            '"request_bytes":0,"response_bytes":33,"seconds":0.0025,"retries":0,"ended":"complete","request_id":"r1"}',
        )

    def test_hostile_values(self) -> None:
        """
        Whatever a value holds, it is one line of plain ASCII, and can be read back.
        """
        for given in (event("{a}", a=HOSTILE), access(path=HOSTILE), access(path="\x7f"), access(path="é")):
            line = self.form.line(given, "info", "proxy")
            self.assertTrue(line.isascii() and line.isprintable(), line)
            read = json.loads(line)
            self.assertIn(read.get("a", read.get("path")), (HOSTILE, "\x7f", "é"))

    def test_failure(self) -> None:
        """
        A bug keeps its traceback, in a field.
        """
        line = self.form.line(event("broken", log_failure=_failure("a\nb")), "critical", "proxy")
        self.assertNotIn("\n", line)
        self.assertIn("KeyError", json.loads(line)["traceback"])


def _failure(message: str) -> Failure:
    try:
        raise KeyError(message)
    except KeyError:
        return Failure()
