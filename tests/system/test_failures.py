"""
What clients are told when something behind the node fails; never that it went well.
"""

from __future__ import annotations

import json
import socket
import time
from typing import ClassVar

from tests.system.case import Node, Scene, SharedSceneTestCase, SystemTestCase
from tests.system.http_client import Broken, Response, request_bytes
from tests.system.pattern import PatternCheck, pattern
from tests.system.processes import eventually, free_port
from tests.system.services import HTTPService


class ErrorMixin:
    """
    The one form of errors.
    """

    def check_error(self, response: Response, status: int, error: str) -> dict[str, str]:
        """
        Expect status and text; JSON with a newline, not to be sniffed.
        """
        assert (response.status, response.framing) == (status, "length"), response
        assert response.header("content-type") == "application/json", response
        assert response.header("x-content-type-options") == "nosniff", response
        assert response.body.endswith(b"}\n"), response
        content: dict[str, str] = json.loads(response.body)
        assert content.pop("error") == error, response
        assert content.pop("request_id") == response.header("x-request-id"), response
        assert set(content) <= {"detail"}, response
        return content


class ErrorTests(ErrorMixin, SharedSceneTestCase):
    """
    Statuses and texts by what is wrong.
    """

    node: Node
    service: HTTPService
    dead_port: ClassVar[int]

    @classmethod
    def set_scene(cls, scene: Scene) -> None:
        """
        A service that works, one that is down, and a node that is soon out of patience.
        """
        cls.service = scene.run(HTTPService("s"))
        cls.dead_port = free_port()
        cls.node = scene.node({"proxy.timeout": "1s"})
        scene.agent(cls.node, "e", cls.service.port)
        scene.agent(cls.node, "down", cls.dead_port)

    def test_no_upstream(self) -> None:
        """
        No agent for the endpoint.
        """
        self.check_error(self.node.fetch(endpoint="nobody"), 502, "no available upstreams")
        self.check_error(self.node.fetch(endpoint=None, host="nobody.example.com"), 502, "no available upstreams")

    def test_no_endpoint(self) -> None:
        """
        A request that names no endpoint.
        """
        for host in ("localhost", "localhost:8000", "127.0.0.1", "127.0.0.1:8000", "[::1]:8000", "[::1]"):
            self.check_error(self.node.fetch(endpoint=None, host=host), 400, "missing endpoint id")
        self.check_error(self.node.fetch(endpoint="", host="localhost"), 400, "missing endpoint id")

    def test_two_endpoints(self) -> None:
        """
        A request that names two.
        """
        response = self.node.fetch(headers=[("x-piko-endpoint", "other")])
        self.assertEqual(response.status, 400)
        self.assertEqual(self.node.fetch("/same", headers=[("x-piko-endpoint", "e")]).status, 200)

    def test_endpoint_by_every_name(self) -> None:
        """
        The header of either spelling, taken as it is; else the first label of the host in lower case.
        """
        for request in (
            {"endpoint": "e"},
            {"endpoint": None, "headers": [("X-Piko-Endpoint", "e")]},
            {"endpoint": None, "host": "e.example.com"},
            {"endpoint": None, "host": "E.Example.COM:8000"},
        ):
            self.assertEqual(self.node.fetch("/x", **request).body, b"s: GET /x\n")
        self.check_error(self.node.fetch(endpoint="E"), 502, "no available upstreams")

    def test_service_down(self) -> None:
        """
        A service that is not there is 502, says so, and is no reason for the agent to stop.
        """
        for method in ("GET", "POST"):
            response = self.node.fetch("/", method, endpoint="down", body=b"x" if method == "POST" else None)
            self.check_error(response, 502, "upstream unreachable")
            self.assertFalse([name for name, _ in response.headers if name.startswith(("x-pico", "x-piko"))])
        late = HTTPService("late", self.dead_port)
        late.start()
        try:
            self.assertEqual(self.node.fetch("/up", endpoint="down").body, b"late: GET /up\n")
        finally:
            late.close()
        self.check_error(self.node.fetch("/again", endpoint="down"), 502, "upstream unreachable")

    def test_browser(self) -> None:
        """
        A browser gets a small page with the same status.
        """
        accept = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
        for endpoint, error in (("nobody", b"no available upstreams"), ("down", b"upstream unreachable")):
            response = self.node.fetch(endpoint=endpoint, headers=[("Accept", accept)])
            self.assertEqual(response.status, 502)
            self.assertTrue(response.header("content-type").startswith("text/html"))
            self.assertEqual(response.header("x-content-type-options"), "nosniff")
            self.assertIn(error, response.body)
            self.assertIn(b"<!doctype html>", response.body[:100].lower())
        for accept in ("*/*", "application/json", "text/plain"):
            response = self.node.fetch(endpoint="nobody", headers=[("Accept", accept)])
            self.assertEqual(response.header("content-type"), "application/json", accept)

    def test_error_to_head(self) -> None:
        """
        The answer to HEAD has no body; the connection goes on.
        """
        with self.node.client() as client:
            for _ in range(3):
                client.send(request_bytes("HEAD", "/", endpoint="nobody"))
                self.assertEqual(client.response("HEAD").status, 502)
            self.assertEqual(client.get("/x").status, 200)

    def test_connection_goes_on(self) -> None:
        """
        After an answer of the node's own the connection is as good as before, also with a body in the request.
        """
        with self.node.client() as client:
            for _ in range(3):
                client.send(request_bytes("POST", "/", endpoint="nobody", body=b"x" * 1000))
                response = client.response("POST")
                self.check_error(response, 502, "no available upstreams")
                if not response.keep_alive:
                    break
                self.assertEqual(client.get("/x").body, b"s: GET /x\n")

    def test_upload_to_nobody(self) -> None:
        """
        A large upload to nobody is answered at once and the answer can be read.
        """
        for _ in range(3):
            with self.node.client() as client:
                client.send(request_bytes("POST", "/", endpoint="nobody", headers=[("Content-Length", "100000000")]))
                client.send(b"x" * 500_000)
                self.check_error(client.response("POST"), 502, "no available upstreams")

    def test_response_head_late(self) -> None:
        """
        A service that does not answer in time is 504; the client's connection goes on, the service's does not.
        """
        with self.node.client() as client:
            for method in ("GET", "POST"):
                began = time.monotonic()
                body = b"hello" if method == "POST" else None
                client.send(request_bytes(method, "/silent", body=body))
                self.check_error(client.response(method), 504, "upstream timeout")
                self.assertGreaterEqual(time.monotonic() - began, 0.9)
            self.assertEqual(client.get("/x").status, 200)

    def test_long_responses_have_no_limit(self) -> None:
        """
        The time limit ends with the response's head: a stream may take as long as it likes.
        """
        with self.node.client() as client:
            client.send(request_bytes("GET", "/sse/long"))
            eventually(lambda: self.service.waiting["/sse/long"], "the reader")
            began = time.monotonic()
            self.service.push("long", "first")
            eventually(lambda: time.monotonic() - began > 2.5, "more than the limit to pass")
            self.service.push("long", "last")
            self.service.push("long", "")
            self.assertEqual(client.response().body, b"data: first\n\ndata: last\n\n")

    def test_slow_upload_has_no_limit(self) -> None:
        """
        Nor does an upload that is still coming count against the response's head.
        """
        body = pattern(0, 1000)
        request = request_bytes("POST", "/echo", body=body)
        with self.node.client() as client:
            client.send(request[:-500])
            began = time.monotonic()
            eventually(lambda: time.monotonic() - began > 2.5, "more than the limit to pass")
            client.send(request[-500:])
            self.assertEqual(client.response("POST").body, body)

    def test_no_answer(self) -> None:
        """
        A service that hangs up without an answer, or sends nonsense, is 502.
        """
        for target in (
            "/hang-up",
            "/raw?bytes=hello",
            "/raw?bytes=HTTP/1.1%20200%20OK%0D%0Ax%20y:%20z%0D%0A%0D%0A",
            "/raw?bytes=HTTP/1.1%20200%20OK%0D%0AContent-Length:%20-1%0D%0A%0D%0A",
            "/raw?bytes=HTTP/1.1%20200%20OK%0D%0AContent-Length:%201%0D%0AContent-Length:%202%0D%0A%0D%0Aab",
            "/raw?bytes=HTTP/1.1%20200%20OK%0D%0AContent-Length:%201%0D%0ATransfer-Encoding:%20chunked%0D%0A%0D%0A",
            "/raw?bytes=HTTP/1.1%20200%20OK%0AContent-Length:%200%0A%0A",
            "/raw?bytes=HTTP/2.0%20200%20OK%0D%0A%0D%0A",
        ):
            for method in ("GET", "POST"):
                response = self.node.fetch(target, method, body=b"x" if method == "POST" else None)
                self.check_error(response, 502, "upstream unreachable")

    def test_dies_in_the_middle(self) -> None:
        """
        A response that the service does not finish is broken for the client, however it was framed and cut.
        """
        for framing, how in (
            ("length", "close"),
            ("length", "reset"),
            ("chunked", "close"),
            ("chunked", "reset"),
            ("close", "reset"),
        ):
            for size in (0, 1000, 300_000):
                for version in ("1.1", "1.0"):
                    target = f"/die?framing={framing}&how={how}&n={size}"
                    what = (target, version)
                    if size == 0 and how == "reset":
                        # The reset may overtake the head: then it is 502.
                        try:
                            response = self.node.fetch(target, version=version)
                        except Broken:
                            continue
                        self.assertEqual(response.status, 502, what)
                        continue
                    self.assertRaises(Broken, self.node.fetch, target, version=version)
        self.assertEqual(self.node.fetch("/after").status, 200)

    def test_garbage_in_the_middle(self) -> None:
        """
        So is one whose chunks make no sense.
        """
        target = (
            "/raw?bytes=HTTP/1.1%20200%20OK%0D%0ATransfer-Encoding:%20chunked%0D%0A%0D%0A3%0D%0Aabc%0D%0Anonsense%0D%0A"
        )
        self.assertRaises(Broken, self.node.fetch, target)

    def test_reserved_paths(self) -> None:
        """
        Paths that are Pico's never reach a service.
        """
        for target in ("/_pico/x", "/_piko/v1/tcp/e"):
            self.check_error(self.node.fetch(target), 404, "not found")
            self.assertEqual(self.service.counts[target], 0)


class SlowServiceTests(ErrorMixin, SystemTestCase):
    """
    A service that does not accept connections.
    """

    def test_slow_to_connect(self) -> None:
        """
        A connection that does not come about in time is 504.
        """
        listener = socket.socket()
        self.addCleanup(listener.close)
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        port = listener.getsockname()[1]
        # The queue is full with this one and its neighbour; whoever comes now is not answered at all.
        for _ in range(4):
            filler = socket.socket()
            self.addCleanup(filler.close)
            filler.setblocking(False)
            filler.connect_ex(("127.0.0.1", port))
        node = self.scene.node()
        self.scene.agent(node, "slow", port, {"timeout": "1s"})
        for _ in range(2):
            response = node.fetch("/", endpoint="slow")
            self.check_error(response, 504, "upstream timeout")

    def test_service_killed(self) -> None:
        """
        A service that is killed in the middle of a download: the client sees it broken, and the next one is told.
        """
        program, port = self.scene.service_program("s")
        node = self.scene.node()
        self.scene.agent(node, "e", port)
        clients = [node.client() for _ in range(6)]
        for number, client in enumerate(clients):
            client.send(request_bytes("GET", f"/bytes?n=1000000000&framing={('length', 'chunked')[number % 2]}"))
            client.wait_for_bytes(500_000)
        program.kill()
        for client in clients:
            self.assertRaises(Broken, client.response, sink=PatternCheck())
            client.close()
        self.check_error(node.fetch("/"), 502, "upstream unreachable")
        self.scene.service_program("s", port)
        self.assertEqual(node.fetch("/back").body, b"s: GET /back\n")
