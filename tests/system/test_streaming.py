"""
Bodies and heads on their way through node and agent: nothing waits that could go on, nothing is changed.
"""

from __future__ import annotations

import hashlib
import http.client
import json
from typing import cast

from tests.system.case import Node, OneOfEachTestCase, Scene, SharedSceneTestCase
from tests.system.http_client import Client, Response, request_bytes
from tests.system.pattern import PatternCheck, pattern
from tests.system.processes import eventually
from tests.system.services import HTTPService


class StreamingTests(OneOfEachTestCase):
    """
    One node, one agent, one service.
    """

    def test_events(self) -> None:
        """
        Each event of an event stream arrives before the next one is made, with and without a length of the response.
        """
        for framing in ("chunked", "close"):
            name = f"events-{framing}"
            connection = http.client.HTTPConnection("127.0.0.1", self.node.proxy, timeout=60)
            self.addCleanup(connection.close)
            connection.request(
                "GET",
                f"/sse/{name}?framing={framing}",
                headers={"x-pico-endpoint": "e", "Accept": "text/event-stream"},
            )
            response = connection.getresponse()
            self.assertEqual(response.getheader("content-type"), "text/event-stream")
            for number in range(20):
                self.service.push(name, f"event {number}")
                self.assertEqual(response.readline(), f"data: event {number}\n".encode())
                self.assertEqual(response.readline(), b"\n")
            self.service.push(name, "")
            self.assertEqual(response.read(), b"")

    def test_early_upload(self) -> None:
        """
        The service has the beginning of an upload while the client still holds the rest.
        """
        body = pattern(0, 500_000)
        for chunked in (False, True):
            upload = self.service.uploads[f"early-{chunked}"]
            request = request_bytes("PUT", f"/sink?id=early-{chunked}", body=body, chunked=chunked)
            head, _, _ = request.partition(b"\r\n\r\n")
            part = len(head) + 100_000
            with self.node.client() as client:
                client.send(request[:part])
                eventually(lambda: upload.received > 90_000, "the beginning of the upload")  # noqa: B023
                self.assertLess(upload.received, 100_000)
                client.send(request[part:])
                response = client.response("PUT")
            self.assertEqual(response.json(), {"size": 500_000, "digest": hashlib.sha256(body).hexdigest()})

    def test_both_ways_at_once(self) -> None:
        """
        A response can run beside its request, piece by piece.
        """
        with self.node.client() as client:
            client.send(b"POST /early HTTP/1.1\r\nHost: a\r\nx-pico-endpoint: e\r\nTransfer-Encoding: chunked\r\n\r\n")
            seen = bytearray()
            for number in range(1, 6):
                client.send(b"3\r\nabc\r\n")
                line = f"{3 * number}\n".encode()
                while line not in seen:
                    data = client.receive()
                    self.assertTrue(data, bytes(seen))
                    seen += data
            client.send(b"0\r\n\r\n")
            while not seen.endswith(b"0\r\n\r\n"):
                data = client.receive()
                self.assertTrue(data, bytes(seen))
                seen += data
            self.assertIn(b"done\n", seen)

    def test_answered_before_the_upload_is_over(self) -> None:
        """
        A service that answers without reading the upload is heard.
        """
        for _ in range(5):
            with self.node.client() as client:
                client.send(
                    b"POST /refuse HTTP/1.1\r\nHost: a\r\nx-pico-endpoint: e\r\nContent-Length: 1000000\r\n\r\n"
                    + b"x" * 5000
                )
                response = client.response("POST")
                self.assertEqual((response.status, response.body), (413, b"too much"))
                self.assertFalse(response.keep_alive)

    def test_continue(self) -> None:
        """
        A client that waits for 100 gets it when the service says it, not before, and its body is not asked for twice.
        """
        with self.node.client() as client:
            client.send(
                request_bytes(
                    "POST",
                    "/continue?gate=continue",
                    headers=[("Expect", "100-continue"), ("Content-Length", "5")],
                )
            )
            eventually(lambda: self.service.waiting["/continue"], "the request at the service")
            client.socket.settimeout(0.3)
            self.assertRaises(TimeoutError, client.receive)
            client.socket.settimeout(60)
            self.service.open_gate("continue")
            self.assertEqual(client.receive_exactly(25), b"HTTP/1.1 100 Continue\r\n\r\n")
            client.send(b"hello")
            response = client.response("POST")
        self.assertEqual((response.status, response.body), (200, b"hello"))
        self.assertEqual(response.header("x-expect").lower(), "100-continue")

    def test_continue_refused(self) -> None:
        """
        A service may refuse instead; the body is never sent.
        """
        with self.node.client() as client:
            client.send(
                request_bytes(
                    "POST",
                    "/continue?refuse=1",
                    headers=[("Expect", "100-continue"), ("Content-Length", "5")],
                )
            )
            response = client.response("POST")
            self.assertEqual((response.status, response.body, response.interim), (417, b"refused", []))

    def test_early_hints(self) -> None:
        """
        103 is passed on, except to a client of HTTP/1.0.
        """
        response = self.node.fetch("/hints")
        self.assertEqual(
            [(status, dict(headers).get("link")) for status, headers in response.interim],
            [(103, "</style.css>; rel=preload")],
        )
        self.assertEqual(response.body, b"with hints")
        self.assertEqual(self.node.fetch("/hints", version="1.0").interim, [])

    def test_head(self) -> None:
        """
        HEAD has the length and no body, and the connection goes on.
        """
        with self.node.client() as client:
            for _ in range(3):
                client.send(request_bytes("HEAD", "/bytes?n=12345"))
                response = client.response("HEAD")
                self.assertEqual((response.status, response.header("content-length")), (200, "12345"))
            client.send(request_bytes("HEAD", "/trailers"))
            self.assertEqual(client.response("HEAD").status, 200)
            self.assertEqual(client.get("/still").body, b"s: GET /still\n")

    def test_bodiless(self) -> None:
        """
        204 and 304 have no body, and the connection goes on.
        """
        with self.node.client() as client:
            self.assertEqual(client.get("/status/204").status, 204)
            response = client.get("/status/304")
            self.assertEqual((response.status, response.header("etag")), (304, '"x"'))
            self.assertIn(response.header("content-length"), ("1234", ""))
            response = client.get("/status/500")
            self.assertEqual((response.status, response.body), (500, b""))
            self.assertEqual(client.get("/still").body, b"s: GET /still\n")

    def test_trailers(self) -> None:
        """
        Trailers travel both ways.
        """
        with self.node.client() as client:
            client.send(
                b"POST /trailers HTTP/1.1\r\nHost: a\r\nx-pico-endpoint: e\r\nTransfer-Encoding: chunked\r\n"
                b"TE: trailers\r\nTrailer: x-sent\r\n\r\n1\r\n!\r\n0\r\nx-sent: yes\r\n\r\n"
            )
            response = client.response("POST")
            self.assertEqual(response.body, b"with trailers!")
            self.assertEqual(response.trailers, [("x-digest", "abc"), ("x-got", "x-sent=yes")])
            self.assertEqual(client.get("/still").body, b"s: GET /still\n")

    def test_old_clients(self) -> None:
        """
        A client of HTTP/1.0 gets no chunks; its connection ends unless it asked to keep it.
        """
        for framing in ("length", "chunked", "close"):
            check = PatternCheck()
            with self.node.client() as client:
                client.send(request_bytes("GET", f"/bytes?n=300000&framing={framing}", version="1.0"))
                response = client.response(sink=check)
                self.assertEqual(check.size, 300_000)
                self.assertNotEqual(response.framing, "chunked")
                self.assertFalse(response.keep_alive)
                self.assertTrue(client.is_closed())
        with self.node.client() as client:
            for _ in range(3):
                client.send(request_bytes("GET", "/old", version="1.0", headers=[("Connection", "keep-alive")]))
                response = client.response()
                self.assertEqual((response.body, response.keep_alive), (b"s: GET /old\n", True))
                self.assertEqual(response.header("connection").lower(), "keep-alive")

    def test_old_client_without_host(self) -> None:
        """
        A client of HTTP/1.0 need not send a Host.
        """
        with self.node.client() as client:
            client.send(b"GET /no-host HTTP/1.0\r\nx-pico-endpoint: e\r\n\r\n")
            self.assertEqual(client.response().body, b"s: GET /no-host\n")

    def test_pipelining(self) -> None:
        """
        Requests sent in one go are answered in order, slow ones and large ones among them.
        """
        methods = []
        data = b""
        for number in range(50):
            if number % 10 == 3:
                methods.append(("GET", f"/bytes?n={number * 10_000}&framing=chunked"))
            elif number % 10 == 5:
                methods.append(("HEAD", f"/bytes?n={number}"))
            elif number % 10 == 7:
                methods.append(("POST", "/echo"))
            else:
                methods.append(("GET", f"/number/{number}"))
            method, target = methods[-1]
            data += request_bytes(method, target, body=pattern(0, number) if method == "POST" else None)
        data = request_bytes("GET", "/gate/pipeline") + data
        with self.node.client() as client:
            client.send(data)
            eventually(lambda: self.service.waiting["/gate/pipeline"], "the first request at the service")
            self.service.open_gate("pipeline")
            self.assertEqual(client.response().body, b"opened")
            for number, (method, target) in enumerate(methods):
                response = client.response(method)
                if method == "POST":
                    self.assertEqual(response.body, pattern(0, number))
                elif method == "HEAD":
                    self.assertEqual(response.header("content-length"), str(number))
                elif target.startswith("/bytes"):
                    self.assertEqual(response.body, pattern(0, number * 10_000))
                else:
                    self.assertEqual(response.body, f"s: GET {target}\n".encode())

    def test_keep_alive(self) -> None:
        """
        A connection carries many requests; one that asks to close is closed.
        """
        with self.node.client() as client:
            for number in range(100):
                response = client.get(f"/{number}")
                self.assertEqual(response.body, f"s: GET /{number}\n".encode())
                self.assertTrue(response.keep_alive)
            response = client.get("/last", headers=[("Connection", "close")])
            self.assertEqual((response.body, response.keep_alive), (b"s: GET /last\n", False))
            self.assertTrue(client.is_closed())

    def test_few_connections_to_the_service(self) -> None:
        """
        Requests one after another, of one client or of several, share connections to the service.
        """
        before = self.service.accepted
        for _ in range(20):
            with self.node.client() as client:
                for _ in range(5):
                    self.assertEqual(client.get("/x").status, 200)
        self.assertLessEqual(self.service.accepted - before, 5)

    def test_slow_head(self) -> None:
        """
        A head that comes byte by byte is read like any other.
        """
        data = request_bytes("POST", "/echo", body=b"0123456789", chunked=True)
        with self.node.client() as client:
            for byte in data:
                client.send(bytes([byte]))
            self.assertEqual(client.response("POST").body, b"0123456789")

    def test_half_closed_client(self) -> None:
        """
        A client that ends its side after the request still gets the response.
        """
        check = PatternCheck()
        with self.node.client() as client:
            client.send(request_bytes("GET", "/bytes?n=3000000"))
            client.end()
            client.response(sink=check)
        self.assertEqual(check.size, 3_000_000)

    def test_bodies_of_all_sizes(self) -> None:
        """
        Bodies around every buffer's size come back as they were sent.
        """
        sizes = [
            0,
            1,
            2,
            999,
            4095,
            4096,
            4097,
            16_384,
            65_535,
            65_536,
            65_537,
            131_072,
            262_143,
            262_144,
            262_145,
        ]
        with self.node.client() as client:
            for size in [*sizes, 1_000_000, 5_000_000]:
                for chunked in (False, True):
                    client.send(request_bytes("POST", "/echo", body=pattern(size, size), chunked=chunked))
                    self.assertEqual(client.response("POST").body, pattern(size, size))

    def test_methods(self) -> None:
        """
        Any method is passed on, but for CONNECT.
        """
        for method in ("GET", "DELETE", "OPTIONS", "PATCH", "PROPFIND", "M-SEARCH", "x"):
            self.assertEqual(self.node.fetch("/m", method).body, f"s: {method} /m\n".encode())
        with self.node.client() as client:
            client.send(b"CONNECT example.com:443 HTTP/1.1\r\nHost: example.com:443\r\nx-pico-endpoint: e\r\n\r\n")
            self.assertEqual(client.response("CONNECT").status, 405)

    def test_target_as_it_is(self) -> None:
        """
        Path and query reach the service untouched; of a whole URL, the path.
        """
        for target in ("/a%2Fb/../c//d?x=%20&y=+&z=é".encode().decode("latin-1"), "/?", "/;p=1?a[]=b&&"):
            if not target.isascii():
                continue
            self.assertEqual(self._describe(target)["target"], target)
        with self.node.client() as client:
            client.send(b"GET http://other.example/abs?q=1 HTTP/1.1\r\nHost: ignored\r\nx-pico-endpoint: e\r\n\r\n")
            self.assertEqual(client.response().body, b"s: GET /abs?q=1\n")

    def test_abandoned_download(self) -> None:
        """
        A client that leaves in the middle ends the download at the service, too.
        """
        before = self.service.open
        clients = [self.node.client() for _ in range(10)]
        for client in clients:
            client.send(request_bytes("GET", "/bytes?n=1000000000"))
            client.receive_exactly(100_000)
        self.assertGreaterEqual(self.service.open, 10)
        for number, client in enumerate(clients):
            if number % 2:
                client.reset()
            else:
                client.close()
        eventually(lambda: self.service.open <= max(before, 5), "the service's connections to be closed")

    def test_abandoned_upload(self) -> None:
        """
        A client that leaves in the middle of an upload is not taken for one that has finished.
        """
        for number, chunked in enumerate((False, True)):
            name = f"abandoned-{number}"
            request = request_bytes("POST", f"/sink?id={name}", body=pattern(0, 200_000), chunked=chunked)
            with self.node.client() as client:
                client.send(request[:-10])
                eventually(lambda: self.service.uploads[name].received > 100_000, "the upload")  # noqa: B023
            eventually(lambda: self.service.uploads[name].aborted, "the service to see it broken")  # noqa: B023
            self.assertFalse(self.service.uploads[name].complete)

    def _describe(self, target: str) -> dict[str, object]:
        # The route is chosen by the path's first part, so a service that only describes is asked by its default route.
        response: Response = self.node.fetch(target)
        line = response.body.decode("latin-1").rstrip("\n").removeprefix("s: ")
        method, _, seen = line.partition(" ")
        return {"method": method, "target": seen}


class BoundAddressTests(SharedSceneTestCase):
    """
    A node that listens on all addresses, as it does by default.
    """

    node: Node

    @classmethod
    def set_scene(cls, scene: Scene) -> None:
        """
        Bind without a host.
        """
        service = scene.run(HTTPService("s"))
        cls.node = scene.node({"proxy.bind_addr": ":0", "upstream.bind_addr": ":0", "admin.bind_addr": ":0"})
        scene.agent(cls.node, "e", f"localhost:{service.port}")

    def test_both_families(self) -> None:
        """
        IPv4 and IPv6 clients are served, and seen by their own addresses.
        """
        for host in ("127.0.0.1", "::1"):
            try:
                client = Client(self.node.proxy, host=host)
            except OSError as error:
                if host == "::1":
                    self.skipTest(f"no IPv6 here: {error}")
                raise
            with client:
                response = client.get("/describe")
                seen = cast("dict[str, list[list[str]]]", json.loads(response.body))
                self.assertIn(["x-forwarded-for", host], seen["headers"])
