"""
Tables of bytes and what they mean, for both directions of :mod:`pico.wire.http1`; each read whole and cut everywhere.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import h11
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from pico.errors import LocalProtocolError
from pico.wire.http1.client import ClientConnection
from pico.wire.http1.events import Data, EndOfMessage, Event, Failed, Framing, RequestHead, ResponseHead
from pico.wire.http1.headers import HeaderCache
from pico.wire.http1.limits import Limits
from pico.wire.http1.server import ServerConnection

Read = tuple[object, ...]


def _told(events: Iterable[Event]) -> list[Read]:
    """
    Events as plain values, with pieces of a body joined.
    """
    told: list[Read] = []
    for event in events:
        if isinstance(event, RequestHead):
            told.append(("request", event.method, event.path, event.framing, event.keep_alive))
        elif isinstance(event, ResponseHead):
            told.append(("response", event.status, event.framing, event.keep_alive))
        elif isinstance(event, Data):
            if told and told[-1][0] == "data":
                told[-1] = ("data", told[-1][1] + event.data)  # type: ignore[operator]
            else:
                told.append(("data", event.data))
        elif isinstance(event, EndOfMessage):
            told.append(("end", *(header.line for header in event.trailers)))
        elif isinstance(event, Failed):
            told.append(("failed", event.error.code))
    return told


def _cuts(data: bytes) -> Iterable[list[bytes]]:
    yield [data]
    yield [data[n : n + 1] for n in range(len(data))]
    for cut in range(1, len(data)):
        yield [data[:cut], data[cut:]]


def serve(pieces: Iterable[bytes], limits: Limits = Limits()) -> list[Read]:  # noqa: B008 - frozen
    """
    Read requests, answering each at once.
    """
    connection = ServerConnection(HeaderCache(), limits)
    events: list[Event] = []

    def take(more: list[Event]) -> None:
        events.extend(more)
        while connection.request_ended and not connection.response_started:
            connection.send_head(200, b"", [], length=0)
            connection.send_end()
            if not connection.keep_alive:
                return
            more = connection.next_request()
            events.extend(more)

    for piece in pieces:
        take(connection.receive_data(piece))
    return _told(events)


def fetch(pieces: Iterable[bytes], method: bytes = b"GET", *, ended: bool = False) -> list[Read]:
    """
    Read the response to one request.
    """
    connection = ClientConnection(HeaderCache())
    connection.send_request(method, b"/", [b"Host: a"])
    connection.send_end()
    events: list[Event] = []
    for piece in pieces:
        events += connection.receive_data(piece)
    if ended:
        events += connection.receive_eof()
    return _told(events)


NONE, LENGTH, CHUNKED = Framing.NONE, Framing.LENGTH, Framing.CHUNKED
GET: Read = ("request", b"GET", b"/", NONE, True)
H = b"Host: a\r\n"

REQUESTS: list[tuple[bytes, list[Read]]] = [
    (b"GET / HTTP/1.1\r\n" + H + b"\r\n", [GET, ("end",)]),
    (b"\r\nGET / HTTP/1.1\r\n" + H + b"\r\n", [GET, ("end",)]),
    (b"BREW / HTTP/1.1\r\n" + H + b"\r\n", [("request", b"BREW", b"/", NONE, True), ("end",)]),
    (b"GET / HTTP/1.0\r\n\r\n", [("request", b"GET", b"/", NONE, False), ("end",)]),
    (b"GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", [("request", b"GET", b"/", NONE, True), ("end",)]),
    (b"GET / HTTP/1.1\r\n" + H + b"Connection: close\r\n\r\n", [("request", b"GET", b"/", NONE, False), ("end",)]),
    (b"GET http://b/x?y HTTP/1.1\r\n" + H + b"\r\n", [("request", b"GET", b"/x?y", NONE, True), ("end",)]),
    (b"OPTIONS * HTTP/1.1\r\n" + H + b"\r\n", [("request", b"OPTIONS", b"*", NONE, True), ("end",)]),
    (
        b"POST / HTTP/1.1\r\n" + H + b"Content-Length: 3\r\n\r\nabc" + b"GET / HTTP/1.1\r\n" + H + b"\r\n",
        [("request", b"POST", b"/", LENGTH, True), ("data", b"abc"), ("end",), GET, ("end",)],
    ),
    (
        b"POST / HTTP/1.1\r\n" + H + b"Transfer-Encoding: Chunked\r\n\r\n3;a=b\r\nabc\r\n2\r\nde\r\n0\r\nX: y\r\n\r\n",
        [("request", b"POST", b"/", CHUNKED, True), ("data", b"abcde"), ("end", b"X: y")],
    ),
]

#: A request that is refused, and how.
REFUSED: list[tuple[bytes, int]] = [
    (b"\r\n\r\nGET / HTTP/1.1\r\n" + H + b"\r\n", 400),
    (b"GET / HTTP/1.1\r\n\r\n", 400),
    (b"GET / HTTP/1.1\r\n" + H + H + b"\r\n", 400),
    (b"GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", 400),
    (b"GET / HTTP/1.1\n" + H, 400),
    (b"GET / HTTP/1.1\r\n" + H + b"A: b\r\n c\r\n\r\n", 400),
    (b"GET / HTTP/1.1\r\n" + H + b"A : b\r\n\r\n", 400),
    (b"GET / HTTP/1.1\r\n" + H + b"A: \x00\r\n\r\n", 400),
    (b"GET / HTTP/1.1\r\n" + H + b"A\r\n\r\n", 400),
    (b"GET /a b HTTP/1.1\r\n" + H + b"\r\n", 400),
    (b"GET a HTTP/1.1\r\n" + H + b"\r\n", 400),
    (b"GET / HTTP/2.0\r\n" + H + b"\r\n", 505),
    (b"POST / HTTP/1.1\r\n" + H + b"Content-Length: 1\r\nContent-Length: 1\r\n\r\n", 400),
    (b"POST / HTTP/1.1\r\n" + H + b"Content-Length: -1\r\n\r\n", 400),
    (b"POST / HTTP/1.1\r\n" + H + b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
    (b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
    (b"POST / HTTP/1.1\r\n" + H + b"Transfer-Encoding: gzip, chunked\r\n\r\n", 400),
    (b"POST / HTTP/1.1\r\n" + H + b"Transfer-Encoding: gzip\r\n\r\n", 501),
    (b"POST / HTTP/1.1\r\n" + H + b"Expect: tea\r\nContent-Length: 1\r\n\r\n", 417),
]

BAD_BODIES: list[bytes] = [b"g\r\n", b"1\r\nab", b"1\nx", b"0x1\r\n", b"0\r\nContent-Length: 1\r\n\r\n", b"1;\x01\r\n"]

RESPONSES: list[tuple[bytes, bytes, bool, list[Read]]] = [
    (
        b"GET",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
        False,
        [("response", 200, LENGTH, True), ("data", b"ok"), ("end",)],
    ),
    (b"HEAD", b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n", False, [("response", 200, NONE, True), ("end",)]),
    (b"GET", b"HTTP/1.1 204 \r\n\r\n", False, [("response", 204, NONE, True), ("end",)]),
    (b"GET", b"HTTP/1.1 304 NM\r\nContent-Length: 9\r\n\r\n", False, [("response", 304, NONE, True), ("end",)]),
    (
        b"GET",
        b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
        False,
        [("response", 103, NONE, True), ("response", 200, LENGTH, True), ("end",)],
    ),
    (
        b"GET",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n",
        False,
        [("response", 200, CHUNKED, True), ("data", b"a"), ("end",)],
    ),
    (
        b"GET",
        b"HTTP/1.0 200 OK\r\n\r\nuntil the end",
        True,
        [("response", 200, Framing.EOF, False), ("data", b"until the end"), ("end",)],
    ),
    (
        b"GET",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab",
        True,
        [("response", 200, LENGTH, True), ("data", b"ab"), ("failed", 502)],
    ),
    (b"GET", b"HTTP/1.1 101 SP\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n", False, [("failed", 502)]),
    (b"GET", b"SSH-2.0-x\r\n\r\n", False, [("failed", 502)]),
    (b"GET", b"HTTP/1.1 200 OK\nContent-Length: 0\n\n", False, [("failed", 502)]),
]


class RequestTableTests(SynchronousTestCase):
    """
    What the server side reads.
    """

    def test_read(self) -> None:
        """
        Requests are read as they are meant, however they are cut.
        """
        for data, told in REQUESTS:
            for pieces in _cuts(data):
                self.assertEqual(serve(pieces), told, pieces)

    def test_refused(self) -> None:
        """
        What is not a request gets its status, however it is cut.
        """
        for data, status in REFUSED:
            for pieces in _cuts(data):
                self.assertEqual(serve(pieces)[-1:], [("failed", status)], pieces)

    def test_nothing(self) -> None:
        """
        Bytes that are none change nothing, wherever they come.
        """
        requests = [*REQUESTS, *((data, serve([data])) for data, _ in REFUSED)]
        for data, told in requests:
            for pieces in _cuts(data):
                spread = [part for piece in pieces for part in (b"", piece)]
                self.assertEqual(serve(spread), told, spread)
        connection = ServerConnection(HeaderCache())
        for piece in (b"", b"POST / HTTP/1.1\r\n" + H + b"Content-Length: 1\r\n\r\n"):
            connection.receive_data(piece)
        self.assertEqual(connection.receive_data(b""), [])

    def test_host_of_a_response(self) -> None:
        """
        A section that a response may have is refused in a request, in the same words whoever had it first.
        """
        for section, reason in ((H + H, "more than one Host header"), (b"Host: a/b\r\n", "invalid Host header")):
            cache = HeaderCache()
            for _ in range(2):
                client = ClientConnection(cache)
                client.send_request(b"GET", b"/", [])
                client.send_end()
                (response, *_) = client.receive_data(b"HTTP/1.1 200 OK\r\n" + section + b"\r\n")
                assert isinstance(response, ResponseHead), response
                (refused,) = ServerConnection(cache).receive_data(b"GET / HTTP/1.1\r\n" + section + b"\r\n")
                assert isinstance(refused, Failed), refused
                self.assertEqual((refused.error.code, refused.error.reason), (400, reason))

    def test_first_fault(self) -> None:
        """
        Of several faults the first is reported, in the same words however the request is cut.
        """
        limits = Limits(start_line=20, header_bytes=120)
        long_line = b"GET /" + b"x" * 20 + b" HTTP/1.1\r\n"
        for data, code, reason in (
            (b"GET / HTTP/1.1\nA: b\r\n\r\n", 400, "line not ended by CRLF"),
            (b"GET / HTTP/1.1\r\nA: b\nC: d\r\n\r\n", 400, "line not ended by CRLF"),
            (b"GET / HTTP/2.0\r\nA: b\nc\r\n\r\n", 400, "line not ended by CRLF"),
            (long_line + b"A: b\nC\r\n\r\n", 414, "request line too long"),
            (b"GET / HTTP/1.1\r\nA: " + b"b" * 200 + b"\n\r\n", 431, "head too large"),
        ):
            for pieces in _cuts(data):
                connection = ServerConnection(HeaderCache(), limits)
                events = [event for piece in pieces for event in connection.receive_data(piece)]
                last = events[-1]
                assert isinstance(last, Failed), pieces
                self.assertEqual((last.error.code, last.error.reason), (code, reason), pieces)

    def test_longest_line(self) -> None:
        """
        A line of just the limit is read, however it is cut.
        """
        data = b"GET /xxxxxx HTTP/1.1\r\nHost: a\r\n\r\n"
        for pieces in _cuts(data):
            self.assertEqual(serve(pieces, Limits(start_line=20))[0][:2], ("request", b"GET"), pieces)

    def test_bad_bodies(self) -> None:
        """
        Chunks that make no sense end the request.
        """
        head = b"POST / HTTP/1.1\r\n" + H + b"Transfer-Encoding: chunked\r\n\r\n"
        for body in BAD_BODIES:
            for pieces in _cuts(body):
                self.assertEqual(serve([head, *pieces])[-1], ("failed", 400), pieces)

    def test_limits(self) -> None:
        """
        Each limit is met exactly: at it a request passes, one over it does not.
        """
        head = b"GET /%b HTTP/1.1\r\nHost: a\r\n\r\n"
        size = len(head % b"")
        line = len(b"GET / HTTP/1.1")
        for limits, fits, status in [
            (Limits(start_line=line + 5), 5, 414),
            (Limits(header_bytes=size + 5), 5, 431),
        ]:
            self.assertEqual(serve([head % (b"x" * fits)], limits)[-1], ("end",))
            self.assertEqual(serve([head % (b"x" * (fits + 1))], limits)[-1], ("failed", status))
        many = b"GET / HTTP/1.1\r\nHost: a\r\n" + b"A: b\r\n" * 3 + b"\r\n"
        self.assertEqual(serve([many], Limits(headers=4))[-1], ("end",))
        self.assertEqual(serve([many], Limits(headers=3))[-1], ("failed", 431))
        endless = [b"GET / HTTP/1.1\r\n", *[b"A: b\r\n"] * 100]
        self.assertEqual(serve(endless, Limits(header_bytes=300))[-1], ("failed", 431))

    def test_secrets_are_not_kept(self) -> None:
        """
        Lines with credentials, and sections with such a line, are read anew each time.
        """
        cache = HeaderCache()
        secret = b"Authorization: Basic x"
        self.assertIsNot(cache.header(secret), cache.header(secret))
        self.assertIs(cache.header(b"A: b"), cache.header(b"A: b"))
        section = b"A: b\r\n" + secret
        self.assertIsNot(cache.fields(section), cache.fields(section))
        self.assertIs(cache.fields(b"A: b"), cache.fields(b"A: b"))

    def test_cache_is_bounded(self) -> None:
        """
        However many lines come, few are kept.
        """
        cache = HeaderCache(size=16)
        for number in range(1000):
            cache.fields(b"X: %d" % number)
        self.assertLessEqual(len(cache._young) + len(cache._old), 32)
        self.assertLessEqual(len(cache._young_sections) + len(cache._old_sections), 4)


class ResponseTableTests(SynchronousTestCase):
    """
    What the client side reads.
    """

    def test_read(self) -> None:
        """
        Responses are read as they are meant, however they are cut.
        """
        for method, data, ended, told in RESPONSES:
            for pieces in _cuts(data):
                self.assertEqual(fetch(pieces, method, ended=ended), told, pieces)

    def test_unasked(self) -> None:
        """
        Bytes that answer no request are a fault, and the connection is not used again.
        """
        connection = ClientConnection(HeaderCache())
        self.assertEqual(_told(connection.receive_data(b"HTTP/1.1 200 OK\r\n\r\n")), [("failed", 502)])
        self.assertFalse(connection.reusable)


class WritingTests(SynchronousTestCase):
    """
    What is written, and what may not be.
    """

    def _asked(self, request: bytes = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n") -> ServerConnection:
        connection = ServerConnection(HeaderCache())
        connection.receive_data(request)
        return connection

    def test_heads(self) -> None:
        """
        The core writes framing and connection headers.
        """
        for request, status, length, written in [
            (b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", 200, 2, b"Content-Length: 2\r\n\r\n"),
            (b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", 200, None, b"Transfer-Encoding: chunked\r\n\r\n"),
            (b"GET / HTTP/1.0\r\n\r\n", 200, None, b"Connection: close\r\n\r\n"),
            (b"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n", 200, 9, b"Content-Length: 9\r\n\r\n"),
            (b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", 204, None, b"HTTP/1.1 204 No Content\r\n\r\n"),
        ]:
            head = self._asked(request).send_head(status, b"", [], length=length)
            self.assertTrue(head.endswith(written), head)

    def test_misuse(self) -> None:
        """
        A wrong order, too much and too little are bugs of ours.
        """
        calls: list[Callable[[ServerConnection], object]] = [
            lambda c: c.send_data(b"x"),
            lambda c: c.send_head(150, b"", [], length=None),
            lambda c: c.send_end(),
            lambda c: c.next_request(),
            lambda c: c.take_leftover(),
            lambda c: (c.send_head(200, b"", [], length=1), c.send_data(b"xy")),
            lambda c: (c.send_head(200, b"", [], length=1), c.send_end()),
            lambda c: (c.send_head(200, b"", [], length=1), c.send_head(200, b"", [], length=1)),
        ]
        for call in calls:
            with self.assertRaises(LocalProtocolError):
                call(self._asked())

    @settings(derandomize=True, deadline=None, max_examples=60)
    @given(st.lists(st.binary(max_size=40), max_size=5), st.booleans(), st.integers(1, 30))
    def test_joined(self, pieces: list[bytes], chunked: bool, step: int) -> None:
        """
        What one side writes the other reads, whatever the body and the cuts.
        """
        body = b"".join(pieces)
        client, server = ClientConnection(HeaderCache()), ServerConnection(HeaderCache())
        length = None if chunked else len(body)
        sent = client.send_request(b"PUT", b"/x", [b"Host: a"], length=length)
        sent += b"".join(client.send_data(piece) for piece in pieces) + client.send_end()
        told = _told(e for n in range(0, len(sent), step) for e in server.receive_data(sent[n : n + step]))
        data: list[Read] = [("data", body)] if body else []
        self.assertEqual(told[1:], [*data, ("end",)])
        answer = server.send_head(200, b"", [], length=length)
        answer += b"".join(server.send_data(piece) for piece in pieces) + server.send_end()
        told = _told(e for n in range(0, len(answer), step) for e in client.receive_data(answer[n : n + step]))
        self.assertEqual(told[1:], [*data, ("end",)])
        self.assertTrue(client.reusable and server.keep_alive)


class OracleTests(SynchronousTestCase):
    """
    Beside h11: what both accept means the same to both.
    """

    def test_accepted(self) -> None:
        """
        Method, target and body agree.
        """
        for data, told in REQUESTS[2:]:
            if b"http://" in data:
                continue  # h11 leaves the absolute target as it is
            oracle = h11.Connection(h11.SERVER)
            oracle.receive_data(data)
            event = oracle.next_event()
            assert isinstance(event, h11.Request), event
            self.assertEqual((event.method, event.target), told[0][1:3])
            body = b""
            while isinstance(event := oracle.next_event(), h11.Data):
                body += event.data
            self.assertEqual([("data", body)] if body else [], [read for read in told if read[0] == "data"])

    def test_differences(self) -> None:
        """
        What h11 lets pass and we refuse, exactly these: each could be read in two ways (RFC 9112 section 11.2).
        """
        lenient = []
        for data, _ in REFUSED:
            oracle = h11.Connection(h11.SERVER)
            oracle.receive_data(data)
            try:
                if isinstance(oracle.next_event(), h11.Request):
                    lenient.append(data)
            except h11.RemoteProtocolError:
                pass
        expected = [
            b"GET / HTTP/1.1\r\nHost: a/b\r\n\r\n",  # RFC 9112 section 3.2: an invalid Host is 400
            b"GET / HTTP/1.1\r\n" + H + b"A: b\r\n c\r\n\r\n",  # section 5.2: folding is obsolete
            b"GET a HTTP/1.1\r\n" + H + b"\r\n",  # section 3.2: a target has four forms
            b"GET / HTTP/2.0\r\n" + H + b"\r\n",  # RFC 9110 section 15.6.6: another major version is 505
            b"POST / HTTP/1.1\r\n" + H + b"Content-Length: 1\r\nContent-Length: 1\r\n\r\n",  # section 6.3
            b"POST / HTTP/1.1\r\n" + H + b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",  # section 6.1
            b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n",  # section 6.1
            b"POST / HTTP/1.1\r\n" + H + b"Expect: tea\r\nContent-Length: 1\r\n\r\n",  # RFC 9110 section 10.1.1
        ]
        self.assertEqual(lenient, expected)
