"""
Who is told what about whom.
"""

from __future__ import annotations

import json
from typing import cast

from tests.system.case import Node, Scene, SharedSceneTestCase
from tests.system.http_client import Headers, request_bytes
from tests.system.services import HTTPService


class HeaderTests(SharedSceneTestCase):
    """
    What the service sees of a client's headers, and the client of the service's.
    """

    node: Node
    trusting: Node

    @classmethod
    def set_scene(cls, scene: Scene) -> None:
        """
        A node that trusts nobody, and one that trusts this machine.
        """
        service = scene.run(HTTPService("s"))
        cls.node = scene.node()
        cls.trusting = scene.node({"proxy.trusted_proxies": "10.0.0.0/8,127.0.0.0/8"})
        for node in (cls.node, cls.trusting):
            scene.agent(node, "e", service.port)
            scene.agent(node, "rewritten", f"http://localhost:{service.port}/base", {"rewrite-host": None})
        cls.service_port = service.port

    service_port: int

    def test_forwarded_of_strangers(self) -> None:
        """
        What a stranger says of himself is replaced.
        """
        seen = self._seen(
            self.node,
            [
                ("X-Forwarded-For", "1.2.3.4"),
                ("X-Forwarded-Host", "evil.example"),
                ("X-Forwarded-Proto", "https"),
                ("X-Forwarded-Port", "1"),
                ("X-Real-IP", "1.2.3.4"),
                ("Forwarded", "for=1.2.3.4"),
            ],
        )
        self.assertEqual(seen["x-forwarded-for"], ["127.0.0.1"])
        self.assertEqual(seen["x-forwarded-host"], ["service.local"])
        self.assertEqual(seen["x-forwarded-proto"], ["http"])
        self.assertFalse({"x-real-ip", "forwarded", "x-forwarded-port"} & set(seen))

    def test_forwarded_of_trusted_proxies(self) -> None:
        """
        What a trusted proxy says is kept, and its own address added.
        """
        seen = self._seen(
            self.trusting,
            [
                ("X-Forwarded-For", "1.2.3.4, 5.6.7.8"),
                ("X-Forwarded-Host", "shop.example"),
                ("X-Forwarded-Proto", "https"),
            ],
        )
        self.assertEqual(seen["x-forwarded-for"], ["1.2.3.4, 5.6.7.8, 127.0.0.1"])
        self.assertEqual(seen["x-forwarded-host"], ["shop.example"])
        self.assertEqual(seen["x-forwarded-proto"], ["https"])
        self.assertEqual(self._seen(self.trusting, [])["x-forwarded-for"], ["127.0.0.1"])

    def test_ambiguous_endpoint(self) -> None:
        """
        Whoever names two endpoints is refused, and its connection closed.
        """
        with self.node.client() as client:
            client.send(
                b"GET / HTTP/1.1\r\nHost: a\r\nx-pico-endpoint: e\r\nx-piko-endpoint: f\r\n\r\n"
                b"GET / HTTP/1.1\r\nHost: a\r\nx-pico-endpoint: e\r\n\r\n"
            )
            answer = client.response()
            self.assertEqual((answer.status, answer.header("connection")), (400, "close"))
            self.assertTrue(client.is_closed())

    def test_own_headers(self) -> None:
        """
        Pico's own headers do not reach the service; Authorization, which was not checked here, does.
        """
        seen = self._seen(
            self.node,
            [
                ("x-pico-anything", "1"),
                ("X-Piko-Forward", "true"),
                ("x-pico-service", "unreachable"),
                ("Authorization", "Bearer t"),
                ("Cookie", "a=b"),
                ("Cookie", "c=d"),
            ],
        )
        self.assertFalse([name for name in seen if name.startswith(("x-pico", "x-piko"))], seen)
        self.assertEqual(seen["authorization"], ["Bearer t"])
        self.assertEqual(seen["cookie"], ["a=b", "c=d"])

    def test_hop_by_hop(self) -> None:
        """
        Headers of one connection stay there, those that Connection names too.
        """
        seen = self._seen(
            self.node,
            [
                ("Connection", "keep-alive, x-private"),
                ("X-Private", "1"),
                ("Keep-Alive", "timeout=5"),
                ("Proxy-Connection", "keep-alive"),
                ("Proxy-Authorization", "Basic x"),
                ("TE", "trailers, gzip"),
                ("X-Kept", "  spaces  inside  "),
            ],
        )
        self.assertFalse({"x-private", "keep-alive", "proxy-connection", "proxy-authorization"} & set(seen), seen)
        self.assertEqual(seen["x-kept"], ["spaces  inside"])
        self.assertEqual(seen["te"], ["trailers"])

    def test_host(self) -> None:
        """
        The service sees the client's Host, unless the agent was told to rewrite it; its path is put before the target.
        """
        self.assertEqual(self._seen(self.node, [])["host"], ["service.local"])
        response = self.node.fetch("/x?y=z", endpoint="rewritten")
        self.assertEqual(response.body, b"s: GET /base/x?y=z\n")

    def test_nothing_is_invented(self) -> None:
        """
        Headers come as they were sent, in their order, and nothing is added but what is meant to be.
        """
        response = self.node.fetch("/describe", headers=[("B-Two", "1"), ("A-One", "2"), ("B-Two", "3")])
        headers = cast("dict[str, list[list[str]]]", response.json())["headers"]
        own = [(name, value) for name, value in headers if name in ("a-one", "b-two")]
        self.assertEqual(own, [("b-two", "1"), ("a-one", "2"), ("b-two", "3")])
        self.assertEqual(
            {name for name, _ in headers} - {"a-one", "b-two"},
            {"host", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-request-id"},
        )

    def test_response_headers(self) -> None:
        """
        The service's headers reach the client; those of its connection do not.
        """
        raw = (
            "HTTP/1.1 200 Fine\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\nx-pico-secret: 1\r\nX-Hop: 1\r\n"
            "Connection: x-hop\r\nKeep-Alive: timeout=5\r\nX-Latin: caf\xe9\r\nContent-Length: 2\r\n\r\nok"
        )
        quoted = "".join(f"%{byte:02x}" for byte in raw.encode())
        response = self.node.fetch(f"/raw?bytes={quoted}")
        self.assertEqual((response.status, response.reason, response.body), (200, "Fine", b"ok"))
        self.assertEqual(response.values("set-cookie"), ["a=1", "b=2"])
        self.assertEqual(response.header("x-latin"), "caf\xe9")
        names = {name for name, _ in response.headers}
        self.assertFalse({"x-hop", "keep-alive", "x-pico-secret"} & names, names)

    def test_large_head(self) -> None:
        """
        Heads near the limit pass in both directions; above it they are refused.
        """
        value = "v" * 8000
        headers = [(f"x-large-{number}", value) for number in range(100)]
        seen = self._seen(self.node, headers)
        self.assertEqual(sum(name.startswith("x-large") for name in seen), 100)
        many = [(f"x-many-{number}", "v") for number in range(300)]
        self.assertEqual(self.node.fetch("/", headers=many).status, 431)
        with self.node.client() as client:
            client.send(request_bytes("GET", "/" + "x" * 20_000))
            self.assertEqual(client.response().status, 414)

    def _seen(self, node: Node, headers: Headers) -> dict[str, list[str]]:
        response = node.fetch("/describe", headers=headers)
        self.assertEqual(response.status, 200, response.body)
        seen: dict[str, list[str]] = {}
        for name, value in json.loads(response.body)["headers"]:
            seen.setdefault(name, []).append(value)
        return seen
