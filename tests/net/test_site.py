"""
The small HTTP sites for operators.
"""

from __future__ import annotations

import gzip
import json
from io import BytesIO
from typing import Protocol, cast

from twisted.internet.error import ConnectionLost
from twisted.internet.interfaces import IAddress
from twisted.internet.protocol import ClientFactory, ServerFactory
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.resource import IResource
from zope.interface.verify import verifyObject

from pico.net.site import (
    FolderResource,
    HealthResource,
    JSONResource,
    MetricsResource,
    Page,
    Question,
    ReadyResource,
    error_page,
    json_page,
    make_site,
    timestamp,
)
from pico.testing import HalfCloseRecordingProtocol, MemoryNetwork, MemoryTransport


class Client(HalfCloseRecordingProtocol):
    """
    A client of a site.
    """

    transport: MemoryTransport


class ContentFiles(Protocol):
    """
    What a request asks its site for where to put its body, if the site has it.
    """

    def getContentFile(self, length: int | None) -> BytesIO: ...  # noqa: N802


class SiteTests(SynchronousTestCase):
    """
    A site with one resource of each kind, asked with bytes.
    """

    def setUp(self) -> None:
        self.network = MemoryNetwork()
        self.ready = True
        self.value: object = {"b": [1, 2], "a": None}
        self.metrics = b"metric 1\n"
        self.details: dict[str, object] = {}

        def render(open_metrics: bool) -> tuple[bytes, bytes]:
            return self.metrics, b"application/openmetrics-text" if open_metrics else b"text/plain; version=0.0.4"

        def item(name: str, question: Question) -> Page:
            if name == "none":
                return error_page(404, "not found", "there is nothing called none")
            return json_page([name, dict(question.arguments)])

        self.resources = {
            "/health": HealthResource(),
            "/ready": ReadyResource(lambda: self.ready, lambda: self.details),
            "/metrics": MetricsResource(render),
            "/status/deep/thing": JSONResource(lambda: self.value),
            "/status/broken": JSONResource(lambda: 1 // 0),
            "/status/strange": JSONResource(lambda: {1: object()}),
            "/status/items": FolderResource(lambda question: json_page(dict(question.arguments)), item),
        }
        self.site = make_site(self.resources, timeout=30.0, max_connections=5, clock=self.network.clock)
        self.server = self.network.host("server")
        # Twisted's factories are generic in their protocol, and a reactor takes any.
        self.port = self.server.listenTCP(8002, cast(ServerFactory, self.site))

    def tearDown(self) -> None:
        self.port.stopListening()
        self.network.advance(100)
        self.assertEqual(self.network.clock.getDelayedCalls(), [])

    def connect(self) -> Client:
        """
        Connect a client.
        """
        client = Client()

        class Clients(ClientFactory):
            def buildProtocol(self, addr: IAddress | None) -> Client:
                return client

        self.network.host("client").connectTCP("server", 8002, Clients())
        self.network.pump()
        return client

    def ask(
        self, path: str, method: str = "GET", *headers: str, body: bytes = b""
    ) -> tuple[int, dict[str, str], bytes]:
        """
        Send a request on a connection of its own.

        :return: status, headers with names in lower case, and body.
        """
        client = self.connect()
        lines = [f"{method} {path} HTTP/1.1", "Host: server", "Connection: close", *headers, "", ""]
        client.transport.write("\r\n".join(lines).encode() + body)
        self.network.pump()
        client.transport.loseConnection()
        self.network.pump()
        head, _, content = client.received.partition(b"\r\n\r\n")
        first, *rest = head.decode().split("\r\n")
        fields = dict(line.lower().split(": ", 1) for line in rest)
        return int(first.split()[1]), fields, content

    def test_resources(self) -> None:
        """
        They are resources of twisted.web.
        """
        for resource in self.resources.values():
            verifyObject(IResource, resource)

    def test_json(self) -> None:
        """
        A value is answered as JSON, as it is at the moment.
        """
        status, headers, body = self.ask("/status/deep/thing")
        self.assertEqual((status, headers["content-type"]), (200, "application/json"))
        self.assertEqual(body, b'{"b":[1,2],"a":null}\n')
        self.assertEqual(headers["x-content-type-options"], "nosniff")
        self.assertEqual(headers["cache-control"], "no-store")
        self.value = []
        self.assertEqual(self.ask("/status/deep/thing")[2], b"[]\n")

    def test_timestamp(self) -> None:
        """
        Times are in UTC and say so.
        """
        self.assertEqual((timestamp(0), timestamp(1e9 + 0.9)), ("1970-01-01T00:00:00Z", "2001-09-09T01:46:40Z"))

    def test_health_and_ready(self) -> None:
        """
        Health is always good; readiness is told by the status.
        """
        self.assertEqual(self.ask("/health")[::2], (200, b'{"status":"ok"}\n'))
        self.assertEqual(self.ask("/ready")[::2], (200, b'{"status":"ready"}\n'))
        self.ready = False
        self.assertEqual(self.ask("/health")[0], 200)
        self.assertEqual(self.ask("/ready")[::2], (503, b'{"status":"not ready"}\n'))
        self.details = {"why": ["x"]}
        self.assertEqual(self.ask("/ready")[::2], (503, b'{"status":"not ready","why":["x"]}\n'))

    def test_metrics(self) -> None:
        """
        Metrics are rendered for the Accept header, and have the type that the renderer says.
        """
        status, headers, body = self.ask("/metrics", "GET", "Accept: application/openmetrics-text")
        self.assertEqual((status, body), (200, b"metric 1\n"))
        self.assertEqual(headers["content-type"], "application/openmetrics-text")
        self.assertEqual(self.ask("/metrics")[1]["content-type"], "text/plain; version=0.0.4")

    def test_gzip(self) -> None:
        """
        What is worth it is compressed for who takes that, and for nobody else.
        """
        self.assertNotIn("content-encoding", self.ask("/metrics", "GET", "Accept-Encoding: gzip")[1])
        self.metrics = b"metric 1\n" * 1000
        status, headers, body = self.ask("/metrics", "GET", "Accept-Encoding: gzip")
        self.assertEqual((status, headers["content-encoding"]), (200, "gzip"))
        self.assertEqual(int(headers["content-length"]), len(body))
        self.assertLess(len(body), 1000)
        self.assertEqual(gzip.decompress(body), self.metrics)
        for accepted in ([], ["Accept-Encoding: br"], ["Accept-Encoding: gzip;q=0"]):
            status, headers, body = self.ask("/metrics", "GET", *accepted)
            self.assertEqual((status, body), (200, self.metrics))
            self.assertNotIn("content-encoding", headers)

    def test_folder(self) -> None:
        """
        A page has pages below it, by names that may be anything, and knows its query.
        """
        self.assertEqual(json.loads(self.ask("/status/items?a=1&b=%C3%A9&a=2&c")[2]), {"a": "1", "b": "\u00e9"})
        self.assertEqual(json.loads(self.ask("/status/items/x%20%2F%C3%A9?n=1")[2]), ["x /\u00e9", {"n": "1"}])
        self.assertEqual(json.loads(self.ask("/status/items/%FF")[2]), ["\ufffd", {}])
        status, _, body = self.ask("/status/items/none")
        self.assertEqual(
            (status, json.loads(body)), (404, {"error": "not found", "detail": "there is nothing called none"})
        )
        for path in ("/status/items/", "/status/items/a/b"):
            self.assertEqual(self.ask(path)[0], 404, path)

    def test_too_many(self) -> None:
        """
        There is a limit to connections; those that end make room.
        """
        clients = [self.connect() for _ in range(5)]
        refused = self.connect()
        self.assertEqual((refused.lost, refused.received), (ConnectionLost, b""))
        clients[0].transport.loseConnection()
        self.network.pump()
        self.assertEqual(self.ask("/health")[0], 200)

    def test_head(self) -> None:
        """
        HEAD is answered like GET, without the body.
        """
        for path in ("/health", "/ready", "/metrics", "/status/deep/thing", "/nothing"):
            status, headers, body = self.ask(path)
            self.assertEqual(len(body), int(headers["content-length"]))
            head_status, head_headers, head_body = self.ask(path, "HEAD")
            self.assertEqual((head_status, head_body), (status, b""))
            for headers_ in (headers, head_headers):
                headers_.pop("date")
            self.assertEqual(head_headers, headers)

    def test_unknown(self) -> None:
        """
        Unknown paths are answered with 404, as JSON: also those above and below known ones.
        """
        for path in (
            "/",
            "/nothing",
            "/status",
            "/status/",
            "/health/",
            "/health/x",
            "/status/deep",
            "//health",
        ):
            status, headers, body = self.ask(path)
            self.assertEqual((status, headers["content-type"]), (404, "application/json"), path)
            self.assertEqual(json.loads(body)["error"], "not found")

    def test_hint(self) -> None:
        """
        Who asks for what does not exist is told of what may be meant, else of all that there is.
        """
        for path, detail in (
            ("/helth", "did you mean /health?"),
            ("/status/deep/things?x=1", "did you mean /status/deep/thing?"),
            ("/status/items/", "did you mean /status/items?"),
            ("/", "there are " + ", ".join(self.resources)),
            ("/" + "z" * 10_000, "there are " + ", ".join(self.resources)),
        ):
            self.assertEqual(json.loads(self.ask(path)[2]), {"error": "not found", "detail": detail})

    def test_method(self) -> None:
        """
        Nothing can be changed: other methods are refused, as JSON.
        """
        for method in ("POST", "PUT", "DELETE", "FROB"):
            status, headers, body = self.ask("/health", method, "Content-Length: 2", body=b"{}")
            self.assertEqual((status, headers["allow"]), (405, "get, head"))
            self.assertEqual(json.loads(body)["error"], "method not allowed")

    def test_failure(self) -> None:
        """
        A value that cannot be had, or not be written as JSON, is a logged error and a 500.
        """
        for path, error in (("/status/broken", ZeroDivisionError), ("/status/strange", TypeError)):
            status, _, body = self.ask(path)
            self.assertEqual((status, json.loads(body)), (500, {"error": "internal error"}))
            self.assertEqual(len(self.flushLoggedErrors(error)), 1)

    def test_anonymous(self) -> None:
        """
        The program does not name itself.
        """
        for path in ("/health", "/nothing"):
            self.assertNotIn("server", self.ask(path)[1])

    def test_keep_alive(self) -> None:
        """
        A connection serves requests one after another, pipelined ones too.
        """
        client = self.connect()
        for _ in range(3):
            client.transport.write(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n" * 2)
            self.network.pump()
        self.assertEqual(client.received.count(b"200 OK"), 6)

    def test_body_is_dropped(self) -> None:
        """
        The body of a request is taken and not kept, whatever its size.
        """
        status, _, _ = self.ask("/health", "GET", "Content-Length: 1000000", body=bytes(1_000_000))
        self.assertEqual(status, 200)
        for size in (10, 1_000_000, None):
            content = cast(ContentFiles, self.site).getContentFile(size)
            content.write(bytes(1000))
            self.assertEqual(content.getvalue(), b"")

    def test_form(self) -> None:
        """
        Nobody looks into forms.
        """
        headers = ("Content-Type: multipart/form-data; boundary=x", "Content-Length: 4")
        self.assertEqual(self.ask("/health", "POST", *headers, body=b"junk")[0], 405)

    def test_slow_request(self) -> None:
        """
        A request that drips in is cut off after the timeout, however steadily it drips.
        """
        for start in (
            b"",
            b"GET /health HTTP/1.1\r\n",
            b"GET /health HTTP/1.1\r\nContent-Length: 100\r\n\r\n",
        ):
            client = self.connect()
            client.transport.write(start)
            for _ in range(29):
                client.transport.write(b"x")
                self.network.advance(1)
            self.assertEqual(client.read_ends, 0)
            self.network.advance(2)
            self.assertEqual(client.read_ends, 1)

    def test_idle(self) -> None:
        """
        A connection that asks nothing more is closed after the timeout.
        """
        client = self.connect()
        self.network.advance(20)
        client.transport.write(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
        self.network.advance(29)
        self.assertEqual((client.received[:15], client.read_ends), (b"HTTP/1.1 200 OK", 0))
        self.network.advance(2)
        self.assertEqual(client.read_ends, 1)

    def test_slow_reader(self) -> None:
        """
        A client that does not read its answer is cut off.
        """
        self.value = "x" * 1_000_000
        client = self.connect()
        client.transport.pauseProducing()
        client.transport.write(b"GET /status/deep/thing HTTP/1.1\r\nHost: x\r\n\r\n")
        self.network.advance(60)
        client.transport.resumeProducing()
        self.network.pump()
        self.assertEqual(client.lost, ConnectionLost)

    def test_stop(self) -> None:
        """
        Connections do not outlive their port, and answers that are on their way do.
        """
        idle, asking = self.connect(), self.connect()
        self.value = "x" * 1_000_000
        asking.transport.write(b"GET /status/deep/thing HTTP/1.1\r\nHost: x\r\n\r\n")
        self.network.pump()
        self.port.stopListening()
        self.network.pump()
        self.assertEqual((idle.read_ends, asking.read_ends), (1, 1))
        self.assertIn(b"x" * 1_000_000, asking.received)

    def test_malformed(self) -> None:
        """
        What is no request is refused and the connection closed.
        """
        client = self.connect()
        client.transport.write(b"\x16\x03\x01\r\n\r\n")
        self.network.pump()
        self.assertEqual((client.received[:12], client.read_ends), (b"HTTP/1.1 400", 1))
