"""
Requests that are wrong, or that two readers could read in two ways.

Behind the agent is a service that keeps every byte and answers whatever might be a request. One request in, at most
one out; the wrong ones none, or one that the service can see is not complete. The streams and connections that others
use next are as they were.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import h11

from tests.system.case import Node, Scene, SharedSceneTestCase
from tests.system.http_client import Broken, Client, Malformed, NoResponse, request_bytes
from tests.system.processes import eventually
from tests.system.services import RecordingService

#: The headers that every request of a table has besides those that the row is about.
H = b"Host: a\r\nx-pico-endpoint: e\r\n"

SMUGGLED = b"GET /smuggled HTTP/1.1\r\n" + H + b"\r\n"

CHUNKED = b"POST /case HTTP/1.1\r\n" + H + b"Transfer-Encoding: chunked\r\n\r\n"


def get(extra: bytes) -> bytes:
    """
    A GET with more header lines, and something smuggled behind it.
    """
    return b"GET /case HTTP/1.1\r\n" + H + extra + b"\r\n" + SMUGGLED


def post(extra: bytes, body: bytes) -> bytes:
    """
    A POST with more header lines and a body.
    """
    return b"POST /case HTTP/1.1\r\n" + H + extra + b"\r\n" + body


#: Heads that are refused before anything of them goes on, and the status.
HEADS: dict[str, tuple[bytes, int]] = {
    "CL and TE": (post(b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", b"0\r\n\r\n" + SMUGGLED), 400),
    "TE and CL": (post(b"Transfer-Encoding: chunked\r\nContent-Length: 6\r\n", b"0\r\n\r\n" + SMUGGLED), 400),
    "TE xchunked": (post(b"Transfer-Encoding: xchunked\r\n", b"0\r\n\r\n" + SMUGGLED), 501),
    "TE gzip": (post(b"Transfer-Encoding: gzip\r\n", b"0\r\n\r\n" + SMUGGLED), 501),
    "TE identity": (post(b"Transfer-Encoding: identity\r\n", SMUGGLED), 400),
    "TE identity, CL": (post(b"Transfer-Encoding: identity\r\nContent-Length: 5\r\n", b"hello" + SMUGGLED), 400),
    "TE identity, chunked": (post(b"Transfer-Encoding: identity, chunked\r\n", b"0\r\n\r\n" + SMUGGLED), 400),
    "TE gzip, chunked": (post(b"Transfer-Encoding: gzip, chunked\r\n", b"0\r\n\r\n" + SMUGGLED), 400),
    "TE chunked, identity": (post(b"Transfer-Encoding: chunked, identity\r\n", b"0\r\n\r\n" + SMUGGLED), 400),
    "TE chunked, gzip": (post(b"Transfer-Encoding: chunked, gzip\r\n", b"0\r\n\r\n" + SMUGGLED), 400),
    "TE chunked twice": (post(b"Transfer-Encoding: chunked, chunked\r\n", b"0\r\n\r\n" + SMUGGLED), 400),
    "two TE": (post(b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", b"0\r\n\r\n" + SMUGGLED), 400),
    "two TE, one unknown": (post(b"Transfer-Encoding: x\r\nTransfer-Encoding: chunked\r\n", b"0\r\n\r\n"), 400),
    "TE ,chunked": (post(b"Transfer-Encoding: ,chunked\r\n", b"0\r\n\r\n" + SMUGGLED), 400),
    "TE chunked,": (post(b"Transfer-Encoding: chunked,\r\n", b"0\r\n\r\n" + SMUGGLED), 400),
    "TE with parameter": (post(b"Transfer-Encoding: chunked;q=1\r\n", b"0\r\n\r\n" + SMUGGLED), 400),
    "TE quoted": (post(b'Transfer-Encoding: "chunked"\r\n', b"0\r\n\r\n" + SMUGGLED), 400),
    "TE with vertical tab": (post(b"Transfer-Encoding: \x0bchunked\r\n", b"0\r\n\r\n" + SMUGGLED), 400),
    "TE with NUL": (post(b"Transfer-Encoding: chunked\x00\r\n", b"0\r\n\r\n" + SMUGGLED), 400),
    "TE empty": (post(b"Transfer-Encoding:\r\n", SMUGGLED), 400),
    "TE folded": (post(b"Transfer-Encoding:\r\n chunked\r\n", b"0\r\n\r\n" + SMUGGLED), 400),
    "TE with space before colon": (post(b"Transfer-Encoding : chunked\r\n", b"0\r\n\r\n" + SMUGGLED), 400),
    "TE with tab before colon": (post(b"Transfer-Encoding\t: chunked\r\n", b"0\r\n\r\n" + SMUGGLED), 400),
    "TE behind bare LF": (post(b"X: y\nTransfer-Encoding: chunked\r\n", b"0\r\n\r\n" + SMUGGLED), 400),
    "TE behind bare CR": (post(b"X: y\rTransfer-Encoding: chunked\r\n", b"0\r\n\r\n" + SMUGGLED), 400),
    "TE in 1.0": (b"POST /case HTTP/1.0\r\n" + H + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + SMUGGLED, 400),
    "two CL": (post(b"Content-Length: 5\r\nContent-Length: 5\r\n", b"hello" + SMUGGLED), 400),
    "two CL, different": (post(b"Content-Length: 5\r\nContent-Length: 0\r\n", b"hello" + SMUGGLED), 400),
    "CL list": (post(b"Content-Length: 5, 5\r\n", b"hello" + SMUGGLED), 400),
    "CL list, different": (post(b"Content-Length: 0, 5\r\n", b"hello" + SMUGGLED), 400),
    "CL signed": (post(b"Content-Length: +5\r\n", b"hello" + SMUGGLED), 400),
    "CL negative": (post(b"Content-Length: -5\r\n", b"hello" + SMUGGLED), 400),
    "CL hexadecimal": (post(b"Content-Length: 0x5\r\n", b"hello" + SMUGGLED), 400),
    "CL with underscore": (post(b"Content-Length: 1_0\r\n", b"0123456789" + SMUGGLED), 400),
    "CL with space inside": (post(b"Content-Length: 1 0\r\n", b"hello" + SMUGGLED), 400),
    "CL empty": (post(b"Content-Length:\r\n", b"hello" + SMUGGLED), 400),
    "CL not ASCII": (post(b"Content-Length: \xd9\xa5\r\n", b"hello" + SMUGGLED), 400),
    "CL decimal point": (post(b"Content-Length: 5.0\r\n", b"hello" + SMUGGLED), 400),
    "CL huge": (post(b"Content-Length: 99999999999999999999999\r\n", b"hello" + SMUGGLED), 400),
    "CL with space before colon": (post(b"Content-Length : 5\r\n", b"hello" + SMUGGLED), 400),
    "CL folded": (post(b"Content-Length:\r\n 5\r\n", b"hello" + SMUGGLED), 400),
    "bare LF": (get(b"").replace(b"\r\n", b"\n"), 400),
    "bare LF after the request line": (b"GET /case HTTP/1.1\n" + H + b"\r\n" + SMUGGLED, 400),
    "bare LF at the end of the head": (b"GET /case HTTP/1.1\r\n" + H + b"\n" + SMUGGLED, 400),
    "bare LF twice": (b"GET /case HTTP/1.1\r\nHost: a\n\n" + SMUGGLED, 400),
    "bare CR": (get(b"X: a\rb\r\n"), 400),
    "CR CR LF": (get(b"X: a\r\r\n"), 400),
    "folded": (get(b"X: a\r\n b\r\n"), 400),
    "folded with tab": (get(b"X: a\r\n\tb\r\n"), 400),
    "space before the first header": (b"GET /case HTTP/1.1\r\n " + H + b"\r\n" + SMUGGLED, 400),
    "space before colon": (get(b"X : a\r\n"), 400),
    "header without colon": (get(b"nonsense\r\n"), 400),
    "header without name": (get(b": a\r\n"), 400),
    "NUL in a value": (get(b"X: a\x00b\r\n"), 400),
    "NUL in a name": (get(b"X\x00: a\r\n"), 400),
    "control character in a value": (get(b"X: a\x01b\r\n"), 400),
    "DEL in a value": (get(b"X: a\x7fb\r\n"), 400),
    "separator in a name": (get(b"X(y): a\r\n"), 400),
    "name not ASCII": (get("Ü: a\r\n".encode()), 400),
    "two Hosts": (get(b"Host: b\r\n"), 400),
    "two Hosts, the same": (get(b"Host: a\r\n"), 400),
    "no Host": (b"GET /case HTTP/1.1\r\nx-pico-endpoint: e\r\n\r\n" + SMUGGLED, 400),
    "Host with space": (b"GET /case HTTP/1.1\r\nHost: a b\r\nx-pico-endpoint: e\r\n\r\n" + SMUGGLED, 400),
    "Host with slash": (b"GET /case HTTP/1.1\r\nHost: a/b\r\nx-pico-endpoint: e\r\n\r\n" + SMUGGLED, 400),
    "Host with user": (b"GET /case HTTP/1.1\r\nHost: u@a\r\nx-pico-endpoint: e\r\n\r\n" + SMUGGLED, 400),
    "Host with odd port": (b"GET /case HTTP/1.1\r\nHost: a:b\r\nx-pico-endpoint: e\r\n\r\n" + SMUGGLED, 400),
    "two spaces in the request line": (b"GET  /case HTTP/1.1\r\n" + H + b"\r\n" + SMUGGLED, 400),
    "space before the method": (b" GET /case HTTP/1.1\r\n" + H + b"\r\n" + SMUGGLED, 400),
    "tab in the request line": (b"GET\t/case HTTP/1.1\r\n" + H + b"\r\n" + SMUGGLED, 400),
    "space behind the version": (b"GET /case HTTP/1.1 \r\n" + H + b"\r\n" + SMUGGLED, 400),
    "space in the target": (b"GET /ca se HTTP/1.1\r\n" + H + b"\r\n" + SMUGGLED, 400),
    "no version": (b"GET /case\r\n" + H + b"\r\n" + SMUGGLED, 400),
    "HTTP/0.9": (b"GET /case\r\n\r\n" + SMUGGLED, 400),
    "small letters": (b"GET /case http/1.1\r\n" + H + b"\r\n" + SMUGGLED, 400),
    "HTTP/1.10": (b"GET /case HTTP/1.10\r\n" + H + b"\r\n" + SMUGGLED, 400),
    "HTTP/2.0": (b"GET /case HTTP/2.0\r\n" + H + b"\r\n" + SMUGGLED, 505),
    "HTTP/2 preface": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + SMUGGLED, 505),
    "method not a token": (b"GE(T /case HTTP/1.1\r\n" + H + b"\r\n" + SMUGGLED, 400),
    "fragment": (b"GET /case#x HTTP/1.1\r\n" + H + b"\r\n" + SMUGGLED, 400),
    "target without slash": (b"GET case HTTP/1.1\r\n" + H + b"\r\n" + SMUGGLED, 400),
    "target not ASCII": ("GET /cäse HTTP/1.1\r\n".encode() + H + b"\r\n" + SMUGGLED, 400),
    "CR in the target": (b"GET /ca\rse HTTP/1.1\r\n" + H + b"\r\n" + SMUGGLED, 400),
    "asterisk with GET": (b"GET * HTTP/1.1\r\n" + H + b"\r\n" + SMUGGLED, 400),
    "other scheme": (b"GET ftp://a/case HTTP/1.1\r\n" + H + b"\r\n" + SMUGGLED, 400),
    "URL with user": (b"GET http://u@a/case HTTP/1.1\r\n" + H + b"\r\n" + SMUGGLED, 400),
    "two empty lines first": (b"\r\n\r\nGET /case HTTP/1.1\r\n" + H + b"\r\n" + SMUGGLED, 400),
    "TLS": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(range(64)) + b"\r\n\r\n", 400),
    "unknown expectation": (post(b"Expect: 200-ok\r\nContent-Length: 5\r\n", b"hello"), 417),
    "Connection not a token": (get(b"Connection: a b\r\n"), 400),
    "start line too long": (b"GET /" + b"x" * 20_000 + b" HTTP/1.1\r\n" + H + b"\r\n" + SMUGGLED, 414),
    "too many headers": (get(b"X: y\r\n" * 300), 431),
    "head too large": (get(b"X: " + b"y" * 1_100_000 + b"\r\n"), 431),
}

#: Bodies behind the head of CHUNKED that are wrong somewhere.
BODIES: dict[str, bytes] = {
    "no size": b"\r\nhello\r\n0\r\n\r\n",
    "size not a number": b"x\r\nhello\r\n0\r\n\r\n",
    "size negative": b"-5\r\nhello\r\n0\r\n\r\n",
    "size signed": b"+5\r\nhello\r\n0\r\n\r\n",
    "size with 0x": b"0x5\r\nhello\r\n0\r\n\r\n",
    "size with underscore": b"1_0\r\n0123456789012345\r\n0\r\n\r\n",
    "space before the size": b" 5\r\nhello\r\n0\r\n\r\n",
    "two sizes": b"5 5\r\nhello\r\n0\r\n\r\n",
    "size of 17 digits": b"f0000000000000005\r\nhello\r\n0\r\n\r\n",
    "bare LF behind the size": b"5\nhello\r\n0\r\n\r\n",
    "bare CR behind the size": b"5\rhello\r\n0\r\n\r\n",
    "bare LF in an extension": b"5;a\nb\r\nhello\r\n0\r\n\r\n",
    "NUL in an extension": b"5;a=\x00\r\nhello\r\n0\r\n\r\n",
    "extension too long": b"5;" + b"a" * 20_000 + b"\r\nhello\r\n0\r\n\r\n",
    "longer than its size": b"5\r\nhello!\r\n0\r\n\r\n",
    "shorter than its size": b"7\r\nhello\r\n0\r\n\r\n",
    "bare LF behind the data": b"5\r\nhello\n0\r\n\r\n",
    "nothing behind the data": b"5\r\nhello0\r\n\r\n",
    "bare LF behind the last size": b"5\r\nhello\r\n0\n\n",
    "bare LF at the very end": b"5\r\nhello\r\n0\r\n\n",
    "trailer without colon": b"5\r\nhello\r\n0\r\nnonsense\r\n\r\n",
    "trailer folded": b"5\r\nhello\r\n0\r\n x: y\r\n\r\n",
    "trailer with space before colon": b"5\r\nhello\r\n0\r\nx : y\r\n\r\n",
    "Content-Length as trailer": b"5\r\nhello\r\n0\r\nContent-Length: 5\r\n\r\n",
    "Transfer-Encoding as trailer": b"5\r\nhello\r\n0\r\nTransfer-Encoding: chunked\r\n\r\n",
    "Host as trailer": b"5\r\nhello\r\n0\r\nHost: b\r\n\r\n",
    "trailers too large": b"5\r\nhello\r\n0\r\nx: " + b"y" * 20_000 + b"\r\n\r\n",
    "too many trailers": b"5\r\nhello\r\n0\r\n" + b"x: y\r\n" * 100 + b"\r\n",
}

#: Requests that are odd and right, and the one target that the service may see.
RIGHT: dict[str, tuple[bytes, bytes]] = {
    "an empty line first": (b"\r\n" + request_bytes("GET", "/case"), b"/case"),
    "capitals": (post(b"TRANSFER-ENCODING: CHUNKED\r\n", b"5\r\nhello\r\n0\r\n\r\n"), b"/case"),
    "tabs around a value": (post(b"Content-Length:\t5\t\r\n", b"hello"), b"/case"),
    "zeros before the length": (post(b"Content-Length: 0005\r\n", b"hello"), b"/case"),
    "chunk extensions": (CHUNKED + b'005;a=b;c="d"\r\nhello\r\n0;last\r\n\r\n', b"/case"),
    "capital hexadecimal digits": (CHUNKED + b"A\r\n0123456789\r\n0\r\n\r\n", b"/case"),
    "a request as body": (post(b"Content-Length: %d\r\n" % len(SMUGGLED), SMUGGLED), b"/case"),
    "a request in a chunk": (CHUNKED + b"%x\r\n%b\r\n0\r\n\r\n" % (len(SMUGGLED), SMUGGLED), b"/case"),
    "a request in a value": (get(b"X: GET /smuggled HTTP/1.1\r\n")[: -len(SMUGGLED)], b"/case"),
    "GET with a body": (b"GET /case HTTP/1.1\r\n" + H + b"Content-Length: 5\r\n\r\nhello", b"/case"),
    "similar name": (get(b"Transfer_Encoding: chunked\r\nContent_Length: 5\r\n")[: -len(SMUGGLED)], b"/case"),
    "URL as target": (b"GET http://b.example/case HTTP/1.1\r\n" + H + b"\r\n", b"/case"),
    "asterisk": (b"OPTIONS * HTTP/1.1\r\n" + H + b"\r\n", b"*"),
    "unusual method": (b"BREW /case HTTP/1.1\r\n" + H + b"\r\n", b"/case"),
}


class MalformedTests(SharedSceneTestCase):
    """
    The tables, one row after the other, through one tunnel.
    """

    node: Node
    service: RecordingService
    bystander: Client
    probes = 0

    @classmethod
    def set_scene(cls, scene: Scene) -> None:
        """
        Put the recorder behind an agent, and connect somebody who has nothing to do with it all.
        """
        cls.service = scene.run(RecordingService())
        cls.node = scene.node()
        scene.agent(cls.node, "e", cls.service.port)
        cls.bystander = cls.node.client()

    def test_heads(self) -> None:
        """
        A malformed head is refused with its status, the connection closed, and nothing of it goes on.
        """
        self._each(HEADS, self._refused)

    def test_heads_behind_a_good_request(self) -> None:
        """
        So it is when it comes behind a good request in the same packet; that one is answered.
        """
        self._each(HEADS, self._refused_behind_a_good_one)

    def test_bodies(self) -> None:
        """
        A malformed body is refused, or ends the connection, and the service never takes it for a whole one.
        """
        self._each(BODIES, self._broken_body)

    def test_bodies_that_have_begun(self) -> None:
        """
        Nor does it if the beginning of the body has reached it before.
        """
        self._each(BODIES, self._broken_body_late)

    def test_incomplete_bodies(self) -> None:
        """
        Nor is a body complete that ends with the connection, or never comes.
        """
        self._each(
            {
                "length": post(b"Content-Length: 10\r\n", b"hello"),
                "length, nothing": post(b"Content-Length: 10\r\n", b""),
                "chunk": CHUNKED + b"a\r\nhello",
                "last chunk": CHUNKED + b"5\r\nhello\r\n",
                "end of last chunk": CHUNKED + b"5\r\nhello\r\n0\r\n",
                "trailers": CHUNKED + b"5\r\nhello\r\n0\r\nx: y\r\n",
            },
            self._incomplete,
        )

    def test_incomplete_heads(self) -> None:
        """
        A head that breaks off is no request.
        """
        whole = request_bytes("GET", "/case")

        def cut(length: int) -> None:
            with self.node.client() as client:
                client.send(whole[:length])
                client.end()
                try:
                    self.assertGreaterEqual(client.response().status, 400)
                except NoResponse:
                    pass
            self._check([], 0)

        for length in range(1, len(whole), 7):
            cut(length)

    def test_right(self) -> None:
        """
        Odd and right requests are answered, and are one request for the service, too.
        """
        self._each(RIGHT, self._right)

    def test_pipelined(self) -> None:
        """
        As many requests come out as went in, in order, however they are cut.
        """
        parts = [request for request, _ in RIGHT.values() if not request.startswith(b"\r\n")]
        data = b"".join(parts)
        for size in (len(data), 7, 1):
            with self.node.client() as client:
                for start in range(0, len(data), size):
                    client.send(data[start : start + size])
                for part in parts:
                    response = client.response(part.split(b" ", 1)[0].decode())
                    self.assertEqual(response.status, 200)
                    self.assertTrue(response.body.startswith(b"recorded: " + part.split(b" ", 1)[0]))
            self._check(None, len(parts))

    def test_behind_refused_upgrade(self) -> None:
        """
        What stands behind a request for an upgrade waits until the service has refused, and is a request like any
        other then.
        """
        upgrade = b"GET /case HTTP/1.1\r\n" + H + b"Connection: Upgrade\r\nUpgrade: x\r\n\r\n"
        nowhere = b"GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n"
        with self.node.client() as client:
            client.send(upgrade + nowhere)
            self.assertEqual(client.response().body, b"recorded: GET /case HTTP/1.1")
            self.assertEqual(client.response().status, 400)
        self._check([(b"GET", b"/case")], 1)

    # The rows

    def _each(self, table: Mapping[str, object], check: Callable[..., None]) -> None:
        wrong = []
        for name, row in table.items():
            try:
                check(*row) if isinstance(row, tuple) else check(row)
            except (AssertionError, Broken, Malformed, OSError) as error:
                wrong.append(f"{name}: {type(error).__name__}: {error}")
                # What one row left behind is not the next one's fault.
                self._seen = self._all_requests()
                type(self).bystander = self.node.client()
        self.assertEqual(wrong, [], "\n" + "\n".join(wrong))

    def _refused(self, data: bytes, status: int) -> None:
        with self.node.client() as client:
            client.send(data)
            response = client.response()
            self.assertEqual(response.status, status, response)
            self.assertFalse(response.keep_alive)
            self.assertTrue(client.is_closed())
        self._check([], 0)

    def _refused_behind_a_good_one(self, data: bytes, status: int) -> None:
        with self.node.client() as client:
            client.send(request_bytes("GET", "/good") + data)
            self.assertEqual(client.response().body, b"recorded: GET /good HTTP/1.1")
            response = client.response()
            self.assertEqual(response.status, status, response)
            self.assertTrue(client.is_closed())
        self._check([(b"GET", b"/good")], 1)

    def _broken_body(self, body: bytes) -> None:
        with self.node.client() as client:
            client.send(CHUNKED + body + SMUGGLED)
            self._refused_or_dropped(client)
        self._check([], 0)

    def _broken_body_late(self, body: bytes) -> None:
        before = self.service.bytes_received
        with self.node.client() as client:
            client.send(CHUNKED + b"6\r\nbegin!\r\n")
            eventually(lambda: self.service.bytes_received > before + 100, "the beginning of the body")
            client.send(body + SMUGGLED)
            self._refused_or_dropped(client)
        self._check([], 0)

    def _incomplete(self, data: bytes) -> None:
        with self.node.client() as client:
            client.send(data)
            client.end()
            self._refused_or_dropped(client)
        self._check([], 0)

    def _right(self, data: bytes, target: bytes) -> None:
        method = data.lstrip().split(b" ", 1)[0]
        with self.node.client() as client:
            client.send(data)
            response = client.response(method.decode())
            self.assertEqual((response.status, response.keep_alive), (200, True))
            self.assertEqual(response.body, b"recorded: %b %b HTTP/1.1" % (method, target))
            client.send(request_bytes("GET", "/next"))
            self.assertEqual(client.response().body, b"recorded: GET /next HTTP/1.1")
        self._check([(method, target), (b"GET", b"/next")], 2)

    def _refused_or_dropped(self, client: Client) -> None:
        try:
            response = client.response("POST")
        except Broken:
            self.assertFalse(client.incoming.buffer)
            return
        self.assertIn(response.status, range(400, 600), response)
        self.assertFalse(response.keep_alive)
        self.assertTrue(client.is_closed())

    # What the service saw

    _seen: list[tuple[bytes, bytes]] | None = None

    def _check(self, expected: list[tuple[bytes, bytes]] | None, count: int) -> None:
        """
        Compare what the service saw since the last time; then let the bystander and somebody new ask for something.
        """
        if self._seen is None:
            self._seen = []
        type(self).probes += 1
        probe = f"/probe/{self.probes}"
        for client in (self.bystander, self.node.client()):
            client.send(request_bytes("GET", probe))
            self.assertEqual(client.response().body, f"recorded: GET {probe} HTTP/1.1".encode())
        client.close()
        requests = self._all_requests()
        new = list(requests)
        for request in self._seen:
            new.remove(request)
        self._seen = requests
        self.assertEqual(new.count((b"GET", probe.encode())), 2)
        rest = [request for request in new if request != (b"GET", probe.encode())]
        self.assertEqual(len(rest), count, rest)
        if expected is not None:
            self.assertEqual(sorted(rest), sorted(expected))

    def setUp(self) -> None:
        """
        Begin with what is there.
        """
        super().setUp()
        self._seen = self._all_requests()

    def _all_requests(self) -> list[tuple[bytes, bytes]]:
        """
        Every whole request on every connection, as another parser reads them.
        """
        requests = []
        for connection in list(self.service.connections):
            reader = h11.Connection(h11.SERVER, max_incomplete_event_size=2_000_000)
            reader.receive_data(bytes(connection.data))
            head: h11.Request | None = None
            while True:
                event = reader.next_event()
                if event is h11.NEED_DATA or event is h11.PAUSED:
                    if event is h11.NEED_DATA:
                        break
                    reader.send(h11.Response(status_code=200, headers=[("Content-Length", "0")]))
                    reader.send(h11.EndOfMessage())
                    reader.start_next_cycle()
                elif isinstance(event, h11.Request):
                    head = event
                elif isinstance(event, h11.EndOfMessage):
                    assert head is not None
                    requests.append((bytes(head.method), bytes(head.target)))
                    if reader.our_state is h11.SEND_RESPONSE and reader.their_state is h11.DONE:
                        reader.send(h11.Response(status_code=200, headers=[("Content-Length", "0")]))
                        reader.send(h11.EndOfMessage())
                        reader.start_next_cycle()
                elif isinstance(event, h11.ConnectionClosed):
                    break
        return requests
