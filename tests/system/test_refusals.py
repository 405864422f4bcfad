"""
What is not a request must not become one: one in, at most one out, also on streams that are used again.
"""

from __future__ import annotations

from tests.system.case import Node, Scene, SharedSceneTestCase, SystemTestCase
from tests.system.http_client import Broken, Client, fetch, request_bytes
from tests.system.services import HTTPService, RecordingService

HEAD = b"Host: e.example\r\nx-pico-endpoint: e\r\n"

#: What each is, and its bytes. ``SMUGGLED`` in the recorded bytes would be a request that nobody sent.
SMUGGLED = b"GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n"
MALFORMED: list[tuple[str, bytes]] = [
    (
        "Content-Length beside Transfer-Encoding",
        b"POST / HTTP/1.1\r\n" + HEAD + b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + SMUGGLED,
    ),
    (
        "two lengths",
        b"POST / HTTP/1.1\r\n" + HEAD + b"Content-Length: 0\r\nContent-Length: 44\r\n\r\n" + SMUGGLED,
    ),
    ("a list of lengths", b"POST / HTTP/1.1\r\n" + HEAD + b"Content-Length: 0, 0\r\n\r\n" + SMUGGLED),
    ("a signed length", b"POST / HTTP/1.1\r\n" + HEAD + b"Content-Length: +0\r\n\r\n" + SMUGGLED),
    ("a hexadecimal length", b"POST / HTTP/1.1\r\n" + HEAD + b"Content-Length: 0x0\r\n\r\n" + SMUGGLED),
    ("a length with a space", b"POST / HTTP/1.1\r\n" + HEAD + b"Content-Length: 1 0\r\n\r\n" + SMUGGLED),
    ("chunked twice", b"POST / HTTP/1.1\r\n" + HEAD + b"Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n"),
    ("chunked not last", b"POST / HTTP/1.1\r\n" + HEAD + b"Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n"),
    ("chunked and identity", b"POST / HTTP/1.1\r\n" + HEAD + b"Transfer-Encoding: identity, chunked\r\n\r\n0\r\n\r\n"),
    (
        "two codings in two lines",
        b"POST / HTTP/1.1\r\n" + HEAD + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n\r\n0\r\n\r\n",
    ),
    ("a quoted coding", b"POST / HTTP/1.1\r\n" + HEAD + b'Transfer-Encoding: "chunked"\r\n\r\n0\r\n\r\n'),
    (
        "a vertical tab in the coding",
        b"POST / HTTP/1.1\r\n" + HEAD + b"Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n",
    ),
    ("chunked in HTTP/1.0", b"POST / HTTP/1.0\r\n" + HEAD + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    ("bare LF", b"GET / HTTP/1.1\n" + HEAD.replace(b"\r", b"") + b"\n"),
    ("one bare LF", b"GET / HTTP/1.1\r\nHost: e.example\nx-pico-endpoint: e\r\n\r\n"),
    ("bare CR", b"GET / HTTP/1.1\r\nHost: e.example\rX: y\r\nx-pico-endpoint: e\r\n\r\n"),
    ("a folded line", b"GET / HTTP/1.1\r\n" + HEAD + b"X: a\r\n b\r\n\r\n"),
    ("a space before the colon", b"GET / HTTP/1.1\r\n" + HEAD + b"Content-Length : 5\r\n\r\nhello"),
    ("a header without a colon", b"GET / HTTP/1.1\r\n" + HEAD + b"nonsense\r\n\r\n"),
    ("an empty header name", b"GET / HTTP/1.1\r\n" + HEAD + b": x\r\n\r\n"),
    ("NUL in a value", b"GET / HTTP/1.1\r\n" + HEAD + b"X: a\x00b\r\n\r\n"),
    ("NUL in a name", b"GET / HTTP/1.1\r\n" + HEAD + b"X\x00: a\r\n\r\n"),
    ("two hosts", b"GET / HTTP/1.1\r\n" + HEAD + b"Host: other\r\n\r\n"),
    ("no host", b"GET / HTTP/1.1\r\nx-pico-endpoint: e\r\n\r\n"),
    ("a host that is none", b"GET / HTTP/1.1\r\nHost: a b\r\nx-pico-endpoint: e\r\n\r\n"),
    ("a host with a path", b"GET / HTTP/1.1\r\nHost: a/b\r\nx-pico-endpoint: e\r\n\r\n"),
    ("two endpoints", b"GET / HTTP/1.1\r\n" + HEAD + b"x-pico-endpoint: f\r\n\r\n"),
    ("no version", b"GET /\r\n" + HEAD + b"\r\n"),
    ("HTTP/2.0", b"GET / HTTP/2.0\r\n" + HEAD + b"\r\n"),
    ("a lower-case protocol", b"GET / http/1.1\r\n" + HEAD + b"\r\n"),
    ("two spaces", b"GET  / HTTP/1.1\r\n" + HEAD + b"\r\n"),
    ("a tab in the request line", b"GET\t/ HTTP/1.1\r\n" + HEAD + b"\r\n"),
    ("a fragment", b"GET /#x HTTP/1.1\r\n" + HEAD + b"\r\n"),
    ("a target without a slash", b"GET x HTTP/1.1\r\n" + HEAD + b"\r\n"),
    ("CR in the target", b"GET /\rX HTTP/1.1\r\n" + HEAD + b"\r\n"),
    ("a byte above ASCII in the target", b"GET /\xff HTTP/1.1\r\n" + HEAD + b"\r\n"),
    ("three empty lines", b"\r\n\r\n\r\nGET / HTTP/1.1\r\n" + HEAD + b"\r\n"),
    ("a TLS hello", bytes.fromhex("16030100a5010000a1")),
    ("an unknown expectation", b"POST / HTTP/1.1\r\n" + HEAD + b"Expect: tea\r\nContent-Length: 1\r\n\r\nx"),
    ("CONNECT", b"CONNECT example.com:443 HTTP/1.1\r\n" + HEAD + b"\r\n"),
]

#: Bodies that go wrong after a good head.
BAD_CHUNKS: list[tuple[str, bytes]] = [
    ("no size", b"\r\n\r\n"),
    ("a size that is no number", b"g\r\n"),
    ("a negative size", b"-1\r\n"),
    ("a size with 0x", b"0x1\r\nx\r\n"),
    ("a size with an underscore", b"1_0\r\n"),
    ("a huge size", b"ffffffffffffffffff\r\n"),
    ("a size ended by LF", b"1\nx\r\n"),
    ("a chunk ended by LF", b"1\r\nx\n0\r\n\r\n"),
    ("a chunk that is too long", b"1\r\nxy\r\n"),
    ("NUL in an extension", b"1;a=\x00\r\nx\r\n"),
    ("a framing header as trailer", b"0\r\nContent-Length: 5\r\n\r\n"),
    ("a folded trailer", b"0\r\nA: b\r\n c\r\n\r\n"),
]


class RefusalTests(SharedSceneTestCase):
    """
    A node and an agent in front of a service that would answer anything.
    """

    node: Node
    service: RecordingService

    @classmethod
    def set_scene(cls, scene: Scene) -> None:
        """
        Connect the service.
        """
        cls.service = scene.run(RecordingService())
        cls.node = scene.node()
        scene.agent(cls.node, "e", cls.service.port)

    def _recorded(self) -> bytes:
        return b"".join(bytes(connection.data) for connection in self.service.connections)

    def _next_client_is_untouched(self, what: str) -> None:
        with Client(self.node.proxy) as client:
            client.send(request_bytes("GET", "/next"))
            self.assertEqual(client.response().body, b"recorded: GET /next HTTP/1.1", what)

    def test_malformed(self) -> None:
        """
        Each is answered with 4xx or 5xx, the connection closes, and the service sees nothing of it.
        """
        for what, data in MALFORMED:
            before = len(self._recorded())
            with Client(self.node.proxy) as client:
                client.send(data)
                response = client.response()
                self.assertIn(response.status, {400, 405, 417, 501, 505}, what)
                if response.status != 405 and what != "two endpoints":
                    self.assertTrue(client.is_closed(), what)
            self.assertEqual(len(self._recorded()), before, what)
            self._next_client_is_untouched(what)
        self.assertNotIn(b"smuggled", self._recorded())

    def test_malformed_bodies(self) -> None:
        """
        A body that stops making sense ends its request; nothing behind it is read as another one.
        """
        for what, chunks in BAD_CHUNKS:
            with Client(self.node.proxy) as client:
                client.send(
                    b"POST /body HTTP/1.1\r\n" + HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + chunks + SMUGGLED
                )
                try:
                    self.assertEqual(client.response().status, 400, what)
                except Broken:
                    pass  # the service had begun to answer what it had got: that answer must not look whole
            self._next_client_is_untouched(what)
        self.assertNotIn(b"smuggled", self._recorded())

    def test_pipelined_behind_upgrade(self) -> None:
        """
        What stands behind a request for an upgrade is not forwarded before the service has agreed to it.
        """
        with Client(self.node.proxy) as client:
            client.send(b"GET /up HTTP/1.1\r\n" + HEAD + b"Connection: Upgrade\r\nUpgrade: x\r\n\r\n" + SMUGGLED)
            self.assertEqual(client.response().body, b"recorded: GET /up HTTP/1.1")
            # Behind an upgrade that was refused it is a request like any other, with a host that names no endpoint.
            self.assertEqual(client.response().status, 400)
        self.assertNotIn(b"smuggled", self._recorded())

    def test_slow_loris(self) -> None:
        """
        Clients that drip their heads are dropped after the time for a head, while others are served.
        """
        node = self.scene.node({"proxy.http.read-header-timeout": "1s"})
        self.scene.agent(node, "e", self.service.port)
        clients = [Client(node.proxy) for _ in range(50)]
        for client in clients:
            self.addCleanup(client.close)
            client.send(b"GET / HTTP/1.1\r\nHost: e.example\r\nX: ")
        self.assertEqual(node.fetch("/").status, 200)
        for client in clients:
            self.assertEqual(client.response().status, 408)
            self.assertTrue(client.is_closed())


class ErrorTests(SystemTestCase):
    """
    What clients are told when it does not work.
    """

    def test_table(self) -> None:
        """
        Statuses and texts of the errors, as JSON for programs and as a page for browsers.
        """
        node = self.scene.node({"proxy.timeout": "500ms"})
        service = self.scene.run(HTTPService("s"))
        self.scene.agent(node, "e", service.port)
        self.scene.agent(node, "down", 1)
        for target, endpoint, status, error in [
            ("/", "nobody", 502, "no available upstreams"),
            ("/", "", 400, "missing endpoint id"),
            ("/", "down", 502, "upstream unreachable"),
            ("/silent", "e", 504, "upstream timeout"),
            ("/hang-up", "e", 502, "upstream unreachable"),
            ("/raw?bytes=nonsense%0d%0a%0d%0a", "e", 502, "upstream unreachable"),
            ("/_pico/v1/tcp/e", "e", 404, "not found"),
        ]:
            response = fetch(node.proxy, target, endpoint=endpoint or None, host="localhost")
            self.assertEqual((response.status, response.json()["error"]), (status, error), target)  # type: ignore[index]
            self.assertEqual(response.header("content-type"), "application/json")
            self.assertEqual(response.header("x-content-type-options"), "nosniff")
            self.assertTrue(response.body.endswith(b"}\n"))
            wanted = [("Accept", "text/html,*/*;q=0.8")]
            page = fetch(node.proxy, target, endpoint=endpoint or None, host="localhost", headers=wanted)
            self.assertEqual((page.status, page.header("content-type")), (status, "text/html; charset=utf-8"))

    def test_broken_responses(self) -> None:
        """
        A response that the service breaks off is broken for the client too, however it was framed.
        """
        node = self.scene.node()
        service = self.scene.run(HTTPService("s"))
        self.scene.agent(node, "e", service.port)
        for framing, how in (("length", "close"), ("length", "reset"), ("chunked", "close"), ("chunked", "reset")):
            with self.assertRaises(Broken, msg=f"{framing} {how}"):
                node.fetch(f"/die?framing={framing}&how={how}&n=200000")
        self.assertEqual(node.fetch("/").status, 200)

    def test_killed_service(self) -> None:
        """
        The same when the service is killed within a response.
        """
        node = self.scene.node()
        program, port = self.scene.service_program()
        self.scene.agent(node, "e", port)
        with Client(node.proxy) as client:
            client.send(request_bytes("GET", "/bytes?n=100000000"))
            with self.assertRaises(Broken):
                client.response(on_head=lambda response: program.kill())
        self.assertEqual(node.fetch("/").status, 502)
