"""
Tests for :mod:`pico.net.http.access_log`.
"""

from __future__ import annotations

from twisted.logger import LogLevel, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from pico.config.sections import Log
from pico.log.levels import Threshold
from pico.log.records import AccessRecord
from pico.log.redaction import MASK, Redaction
from pico.net.http.access_log import (
    MAX_HEADERS,
    MAX_PATH,
    MAX_VALUE,
    AccessLog,
    AccessLogSettings,
    HeaderChoice,
    Parties,
)
from tests.log_events import LogEvents
from tests.net.http.support import World, request

REDACTION = Redaction(Log().redact)

#: Settings, and the levels of a line about a 200 and about a 502.
LEVELS = [
    (AccessLogSettings(redaction=REDACTION), "info", "warn"),
    (AccessLogSettings(redaction=REDACTION, enabled=False), None, None),
    (AccessLogSettings(redaction=REDACTION, level="debug"), None, "warn"),
    (AccessLogSettings(redaction=REDACTION, level="debug", threshold=Threshold("debug")), "debug", "warn"),
    (AccessLogSettings(redaction=REDACTION, level="error"), "error", "error"),
    (AccessLogSettings(redaction=REDACTION, threshold=Threshold("warn")), None, "warn"),
    (AccessLogSettings(redaction=REDACTION, threshold=Threshold("error")), None, None),
    (AccessLogSettings(redaction=REDACTION, threshold=Threshold("error", ["a"])), "info", "warn"),
    (AccessLogSettings(redaction=REDACTION, enabled=False, threshold=Threshold("error", ["a"])), None, None),
]


class HeaderChoiceTests(SynchronousTestCase):
    """
    Which headers are written.
    """

    def test_choice(self) -> None:
        """
        None by default; those that are allowed, or all but those that are blocked.
        """
        for choice, shown in (
            (HeaderChoice(), []),
            (HeaderChoice(["accept", "x-*"]), ["accept", "x-a"]),
            (HeaderChoice((), ["accept", "x-*"]), ["host"]),
            (HeaderChoice(["*"]), ["accept", "x-a", "host"]),
        ):
            self.assertEqual([name for name in ("accept", "x-a", "host") if name in choice], shown)
            self.assertEqual(bool(choice), bool(shown))


class AccessLogTests(SynchronousTestCase):
    """
    What is written about exchanges.
    """

    def setUp(self) -> None:
        """
        Have a gateway with one service, and look at the exchanges that are over.
        """
        self.log = LogEvents()
        self.world = World()

    def _ask(self, *lines: bytes, answer: bytes = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok") -> None:
        client = self.world.client()
        self.world.say(client, request(*lines))
        if self.world.services[0].peers:
            self.world.say(self.world.services[0].peers[-1], answer)

    def _record(self, settings: AccessLogSettings | None = None) -> AccessRecord:
        log = AccessLog(settings or AccessLogSettings(redaction=REDACTION), "a", self.log)
        exchange = self.world.finished_exchanges[-1]
        log.write(exchange, exchange.started + 0.25, lambda _: Parties("c", "e", "t", "s", "n"))
        return self.log.records()[-1]

    def test_levels(self) -> None:
        """
        Lines have the level that was set, failures are warnings at least, and what the log does not write is not made.
        """
        for settings, usual, failed in LEVELS:
            log = AccessLog(settings, "a", self.log)
            self.assertEqual(log.wants(200), usual is not None, settings)
            self.assertEqual(log.wants(502), failed is not None, settings)
            self.assertEqual(log.on, usual is not None or failed is not None, settings)
            for path, level in ((b"GET /fine HTTP/1.1", usual), (b"GET /local HTTP/1.1", usual)):
                self._ask(path)
                exchange = self.world.finished_exchanges[-1]
                log.write(exchange, 0.0, lambda _: Parties(""))
                levels = [event["log_level"].name for event in self.log.events]
                self.assertEqual(levels, [level] if level else [], settings)
                self.log.events.clear()
            exchange.status = 502
            log.write(exchange, 0.0, lambda _: Parties(""))
            self.assertEqual([event["log_level"].name for event in self.log.events], [failed] if failed else [])
            self.log.events.clear()

    def test_event(self) -> None:
        """
        The event is one that any observer of twisted.logger can write.
        """
        self._ask(b"GET /x?y=1 HTTP/1.1")
        self._record()
        event = self.log.events[0]
        self.assertEqual((event["log_level"], event["log_namespace"]), (LogLevel.info, "a"))
        self.assertEqual(formatEvent(event), "GET /x?y=1 200 e c 250.0ms 2B")

    def test_refused(self) -> None:
        """
        What was refused before it was a request has a line in the same columns, at the same levels, which is folded
        as all lines are that are not about requests.
        """
        for settings, usual, failed in LEVELS:
            log = AccessLog(settings, "a", self.log)
            for status, level in ((400, usual), (501, failed)):
                log.write_refused(Parties("c", "e"), status, "too odd")
                levels = [event["log_level"].name for event in self.log.events]
                self.assertEqual(levels, [level] if level else [], (settings, status))
                self.log.events.clear()
        log = AccessLog(AccessLogSettings(redaction=REDACTION), "a", self.log)
        for parties in (Parties("c", node="n"), Parties("", "e", "t", "s")):
            log.write_refused(parties, 400, "too odd")
        self.assertEqual(self.log.said("a"), ["info: - - 400 - c (too odd)", "info: - - 400 e - (too odd)"])
        told = [{name: event.get(name) for name in ("client", "node", "status", "reason")} for event in self.log.events]
        self.assertEqual(told[0], {"client": "c", "node": "n", "status": 400, "reason": "too odd"})
        self.assertEqual(self.log.records(), [])

    def test_complete(self) -> None:
        """
        A request that went well, with all that is known of it.
        """
        self._ask(b"GET /x?y=1 HTTP/1.1")
        exchange = self.world.finished_exchanges[-1]
        exchange.request_id = b"r1"
        exchange.bytes_in = 7
        exchange.responded = exchange.started + 0.125
        self.assertEqual(
            self._record(),
            AccessRecord(
                client="c",
                method="GET",
                path="/x?y=1",
                status=200,
                endpoint="e",
                tunnel="t",
                service="s",
                node="n",
                request_bytes=7,
                response_bytes=2,
                head_seconds=0.125,
                seconds=0.25,
                retries=0,
                ended="complete",
                request_id="r1",
            ),
        )

    def test_endings(self) -> None:
        """
        How a request ended is said in the words of the metrics.
        """
        self._ask(b"GET /local HTTP/1.1")
        record = self._record()
        self.assertEqual((record.status, record.ended, record.retries, record.head_seconds), (404, "refused", 0, None))
        self._ask(b"GET / HTTP/1.1", answer=b"nonsense\r\n\r\n")
        record = self._record()
        self.assertEqual((record.status, record.ended), (502, "malformed response"))
        client = self.world.client()
        self.world.say(client, request(b"GET / HTTP/1.1"))
        client.transport.abortConnection()
        self.world.pump()
        record = self._record()
        self.assertEqual((record.status, record.ended), (499, "client gone"))

    def test_retries(self) -> None:
        """
        Upstreams beside the first are counted.
        """
        self.world = World(2)
        self._ask(b"GET / HTTP/1.1", answer=b"HTTP/1.1 502 Bad Gateway\r\nX-Down: 1\r\nContent-Length: 0\r\n\r\n")
        self.world.say(self.world.services[1].peers[-1], b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        record = self._record()
        self.assertEqual((record.status, record.ended, record.retries), (200, "complete", 1))

    def test_secrets(self) -> None:
        """
        Secrets in the path are hidden, and hidden before a path that is too long is cut.
        """
        self._ask(b"GET /x?token=s3cr3t&y=1 HTTP/1.1")
        self.assertEqual(self._record().path, f"/x?token={MASK}&y=1")
        self._ask(b"GET /" + b"x" * (MAX_PATH - 20) + b"//user:s3cr3t" + b"y" * 100 + b"@h HTTP/1.1")
        path = self._record().path
        self.assertNotIn("s3cr3t", path)
        self.assertLessEqual(len(path), MAX_PATH + 1)

    def test_invalid_utf_8(self) -> None:
        """
        A value is text, whatever its bytes.
        """
        self._ask(b"GET /%ff HTTP/1.1", b"X-A: \xff\xc3\xa9\x80")
        settings = AccessLogSettings(redaction=REDACTION, request_headers=HeaderChoice(["x-a"]))
        self.assertEqual(self._record(settings).request_headers, {"x-a": ["\\xffé\\x80"]})

    def test_headers(self) -> None:
        """
        Those that were chosen are written, with their secrets hidden, and within bounds.
        """
        self._ask(
            b"GET / HTTP/1.1",
            b"Authorization: Bearer s3cr3t",
            b"Cookie: a=s3cr3t",
            b"Referer: http://h/?token=s3cr3t",
            b"Accept: a",
            b"Accept: b",
            b"X-Long: " + b"x" * 1000,
            answer=b"HTTP/1.1 200 OK\r\nSet-Cookie: s3cr3t\r\nServer: x\r\nContent-Length: 0\r\n\r\n",
        )
        record = self._record(
            AccessLogSettings(
                redaction=REDACTION, request_headers=HeaderChoice(["*"]), response_headers=HeaderChoice((), ["server"])
            )
        )
        self.assertEqual(
            record.request_headers,
            {
                "host": ["h"],
                "authorization": [MASK],
                "cookie": [MASK],
                "referer": [f"http://h/?token={MASK}"],
                "accept": ["a", "b"],
                "x-long": ["x" * MAX_VALUE + "…"],
            },
        )
        self.assertEqual(record.response_headers, {"set-cookie": [MASK], "content-length": ["0"]})
        self._ask(b"GET / HTTP/1.1", *(b"X-%d: a" % number for number in range(MAX_HEADERS + 10)))
        record = self._record(AccessLogSettings(redaction=REDACTION, request_headers=HeaderChoice(["*"])))
        self.assertEqual(len(record.request_headers or ()), MAX_HEADERS)
        self.assertIsNone(record.response_headers)
