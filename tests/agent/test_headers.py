"""
Tests for :mod:`pico.agent.headers`.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from pico.agent.headers import Fate, fate_of, request_lines, response_lines
from pico.wire.http1.client import ClientConnection
from pico.wire.http1.events import RequestHead, ResponseHead
from pico.wire.http1.headers import HeaderCache
from pico.wire.http1.server import ServerConnection
from tests.heads import request_head, response_head

#: What speaks of one connection, whatever Connection says, or is Pico's own.
DROPPED = [
    b"Connection: keep-alive",
    b"Keep-Alive: timeout=5",
    b"Proxy-Connection: keep-alive",
    b"Proxy-Authenticate: Basic",
    b"Proxy-Authorization: Basic x",
    b"HTTP2-Settings: AAMAAABk",
    b"Upgrade: h2c",
    b"x-pico-endpoint: e",
    b"x-piko-endpoint: e",
    b"X-Pico-Service: unreachable",
    b"X-PICO-anything: at all",
    b"X-Piko-Forward: true",
]

#: What is nobody's business but theirs, spelled as it was.
PASSED = [
    b"x-forwarded-for: 192.0.2.1, 192.0.2.2",
    b"X-Forwarded-Host: e.test",
    b"X-Forwarded-Proto:https",
    b"X-Forwarded-Port: 8000",
    b"Forwarded: for=192.0.2.1",
    b"X-Real-IP: 192.0.2.1",
    b"Authorization: Bearer x",
    b"Cookie: a=b",
    b"Expect: 100-continue",
    b"X-Request-ID: 7",
    b"x-picolo: no name of ours",
    b"Trailer: X-Sum",
    b"Via: 1.1 somebody",
    b"Accept: a",
    b"Accept: b",
]


def request(*lines: bytes, line: bytes = b"GET / HTTP/1.1") -> RequestHead:
    """
    A request's head.
    """
    return request_head(b"\r\n".join([line, *lines, b"", b""]), fate_of)


def response(*lines: bytes) -> ResponseHead:
    """
    A response's head.
    """
    return response_head(b"\r\n".join([b"HTTP/1.1 200 OK", *lines, b"", b""]), fate_of)


class FateTests(SynchronousTestCase):
    """
    What happens to a header by its name.
    """

    def test_table(self) -> None:
        """
        Each name has its fate.
        """
        for fate, lines in (
            (Fate.DROP, [*DROPPED, b"Content-Length: 1", b"Transfer-Encoding: chunked"]),
            (Fate.PASS, PASSED),
            (Fate.HOST, [b"Host: e"]),
            (Fate.TE, [b"TE: trailers"]),
        ):
            for line in lines:
                self.assertEqual(fate, fate_of(line.partition(b":")[0].lower()), line)


class RequestTests(SynchronousTestCase):
    """
    What the service sees.
    """

    def test_passed(self) -> None:
        """
        What the node says of the client, and what the client says to the service, passes byte for byte and in order.
        """
        head = request(b"Host: e.test", *PASSED)
        self.assertEqual([*PASSED, b"Host: e.test"], request_lines(head, None))

    def test_dropped(self) -> None:
        """
        What speaks of the connection to the node, and what is Pico's own, ends here.
        """
        self.assertEqual([b"Host: e.test"], request_lines(request(b"Host: e.test", *DROPPED), None))

    def test_framing(self) -> None:
        """
        Framing is written anew by whoever sends the body.
        """
        for line in (b"Content-Length: 3", b"Transfer-Encoding: chunked"):
            self.assertEqual([b"Host: e.test"], request_lines(request(b"Host: e.test", line), None))

    def test_named_by_connection(self) -> None:
        """
        What Connection names ends here, too; Host always has a place.
        """
        head = request(b"Host: e.test", b"Connection: X-Hop, host, close", b"X-Hop: 1", b"x-hop: 2", b"X-Stays: 3")
        self.assertEqual([b"X-Stays: 3", b"Host: e.test"], request_lines(head, None))

    def test_te(self) -> None:
        """
        Of TE only trailers pass.
        """
        for value, lines in (
            (b"trailers", [b"TE: trailers"]),
            (b"gzip;q=0.5, Trailers", [b"TE: trailers"]),
            (b"gzip", []),
            (b"", []),
        ):
            head = request(b"Host: e.test", b"Connection: TE", b"TE: " + value)
            self.assertEqual([*lines, b"Host: e.test"], request_lines(head, None), value)

    def test_host_kept(self) -> None:
        """
        The service sees the client's Host, or the authority of an absolute target in its place.
        """
        for line, host in (
            (b"GET / HTTP/1.1", b"e.test:8000"),
            (b"GET http://other.test/ HTTP/1.1", b"other.test"),
        ):
            self.assertEqual([b"Host: " + host], request_lines(request(b"Host: e.test:8000", line=line), None))

    def test_no_host(self) -> None:
        """
        A client of HTTP/1.0 that names no host stays without one.
        """
        self.assertEqual([b"A: b"], request_lines(request(b"A: b", line=b"GET / HTTP/1.0"), None))

    def test_host_rewritten(self) -> None:
        """
        On request the service sees its own address instead, also where the client names no host.
        """
        for head in (
            request(b"Host: e.test"),
            request(b"Host: e.test", line=b"GET http://other.test/ HTTP/1.1"),
            request(line=b"GET / HTTP/1.0"),
        ):
            self.assertEqual([b"Host: localhost:4000"], request_lines(head, b"localhost:4000"))

    def test_seen_before(self) -> None:
        """
        What was worked out for a header section serves the next request with the same one, but not when its target
        names another host.
        """
        cache = HeaderCache(fate_of)

        def lines(target: bytes) -> list[bytes]:
            head = ServerConnection(cache).receive_data(b"GET %b HTTP/1.1\r\nHost: e.test\r\nA: b\r\n\r\n" % target)[0]
            assert isinstance(head, RequestHead)
            return request_lines(head, None)

        first = lines(b"/")
        self.assertIs(first, lines(b"/2"))
        self.assertEqual([b"A: b", b"Host: other"], lines(b"http://other/"))
        self.assertEqual([b"A: b", b"Host: e.test"], lines(b"/"))


class ResponseTests(SynchronousTestCase):
    """
    What the node sees.
    """

    def test_passed(self) -> None:
        """
        What the service says passes byte for byte and in order.
        """
        lines = [b"Server: x", b"set-cookie: a", b"Set-Cookie:b", b"X-Forwarded-For: 192.0.2.1", b"Trailer: X-Sum"]
        self.assertEqual(lines, response_lines(response(*lines)))

    def test_dropped(self) -> None:
        """
        What speaks of the connection to the service ends here; and no service can say what only agents may, such as
        that it was never reached.
        """
        self.assertEqual([], response_lines(response(*DROPPED, b"TE: trailers")))
        for line in (b"Content-Length: 3", b"Transfer-Encoding: chunked"):
            self.assertEqual([], response_lines(response(line)))

    def test_named_by_connection(self) -> None:
        """
        So does what Connection names.
        """
        head = response(b"Connection: X-Hop, Host", b"X-Hop: 1", b"Host: a", b"X-Stays: 2")
        self.assertEqual([b"X-Stays: 2"], response_lines(head))

    def test_host(self) -> None:
        """
        Host means nothing in a response, and passes like anything else.
        """
        lines = [b"Host: a b", b"Host: c"]
        self.assertEqual(lines, response_lines(response(*lines)))

    def test_seen_before(self) -> None:
        """
        A section that both a request and a response have means to each what it means to it.
        """
        cache = HeaderCache(fate_of)
        section = b"Host: a\r\nX-Pico-A: b\r\nC: d\r\n\r\n"
        for _ in range(3):
            asked = ServerConnection(cache).receive_data(b"GET / HTTP/1.1\r\n" + section)[0]
            connection = ClientConnection(cache)
            connection.send_request(b"GET", b"/", [])
            connection.send_end()
            answered = connection.receive_data(b"HTTP/1.1 200 OK\r\n" + section)[0]
            assert isinstance(asked, RequestHead) and isinstance(answered, ResponseHead)
            self.assertIs(asked.fields, answered.fields)
            self.assertEqual([b"C: d", b"Host: own"], request_lines(asked, b"own"))
            self.assertEqual([b"Host: a", b"C: d"], response_lines(answered))
