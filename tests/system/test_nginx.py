"""
Real nginx: as the service behind an agent, and as the proxy in front of a node.
"""

from __future__ import annotations

import asyncio

from websockets.sync.client import connect

from tests.system.case import Node, Scene, SharedSceneTestCase
from tests.system.http_client import AsyncClient, Client, request_bytes
from tests.system.nginx import Nginx, see_events
from tests.system.pattern import PatternCheck, pattern
from tests.system.processes import MIB, free_port
from tests.system.services import HTTPService, WebSocketEcho

#: It closes connections after three requests, and idle ones after a second: whoever keeps them finds many gone.
_ORIGIN = """
server {{
    listen 127.0.0.1:{port} backlog=2048;
    root {directory}/www;
    keepalive_requests 3;
    keepalive_timeout 1s;
    absolute_redirect off;
    location /hello {{ return 200 "hello from nginx\\n"; }}
    location /moved {{ return 302 /elsewhere; }}
}}
"""

_FRONT = """
upstream node {{ server 127.0.0.1:{node}; keepalive 16; }}
server {{
    listen 127.0.0.1:{port};
    location / {{
        proxy_pass http://node;
        proxy_http_version 1.1;
        proxy_set_header Host $http_host;
        proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
        proxy_set_header X-Forwarded-Proto https;
        proxy_set_header Upgrade $http_upgrade;
        proxy_set_header Connection $connection_upgrade;
        proxy_buffering off;
        proxy_request_buffering off;
        proxy_read_timeout 1h;
    }}
}}
"""


class OriginTests(SharedSceneTestCase):
    """
    nginx behind an agent.
    """

    node: Node

    @classmethod
    def set_scene(cls, scene: Scene) -> None:
        """
        Serve a directory.
        """
        port = free_port()
        files = scene.directory / "www"
        files.mkdir()
        # Its workers are nobody, who must be let in.
        scene.directory.chmod(0o755)
        (files / "pattern").write_bytes(pattern(0, 20 * MIB))
        (files / "elsewhere").write_text("here\n")
        Nginx(scene, _ORIGIN.format(port=port, directory=scene.directory), port)
        cls.node = scene.node()
        scene.agent(cls.node, "e", port)

    def test_files(self) -> None:
        """
        Files, ranges, redirects and conditional requests work as directly.
        """
        check = PatternCheck()
        with self.node.client() as client:
            client.send(request_bytes("GET", "/pattern"))
            response = client.response(sink=check)
            self.assertEqual(check.size, 20 * MIB)
            tag = response.header("etag")
            self.assertTrue(tag)
            self.assertEqual(client.get("/pattern", headers=[("If-None-Match", tag)]).status, 304)
            response = client.get("/pattern", headers=[("Range", "bytes=1000000-1999999")])
            self.assertEqual((response.status, response.body), (206, pattern(1_000_000, 1_000_000)))
            response = client.get("/moved")
            self.assertEqual((response.status, response.header("location")), (302, "/elsewhere"))
            self.assertEqual(client.get("/elsewhere").body, b"here\n")
            self.assertEqual(client.get("/missing").status, 404)
            client.send(request_bytes("HEAD", "/pattern"))
            self.assertEqual(client.response("HEAD").header("content-length"), str(20 * MIB))

    def test_impatient_service(self) -> None:
        """
        A service that closes its connections all the time costs nobody a request.
        """
        wrong: list[object] = []

        async def ask(number: int) -> None:
            client = await AsyncClient.connect(self.node.proxy)
            for step in range(100):
                method = "POST" if step % 3 == 0 else "GET"
                target = "/hello"
                response = await client.exchange(method, target, body=b"x" * number if method == "POST" else None)
                if (response.status, response.body) != (200, b"hello from nginx\n"):
                    wrong.append((number, step, method, response.status, response.body))
                if step % 20 == 19:
                    # Long enough for nginx to close what is idle, in the same moment as the next request.
                    await asyncio.sleep(1.0 + number / 1000)
            client.close()

        async def ask_all() -> None:
            await asyncio.gather(*(ask(number) for number in range(20)))

        asyncio.run(ask_all())
        self.assertEqual(wrong, [])


class FrontTests(SharedSceneTestCase):
    """
    nginx in front of a node that trusts it.
    """

    service: HTTPService
    port: int

    @classmethod
    def set_scene(cls, scene: Scene) -> None:
        """
        Chain nginx, node, agent and services.
        """
        cls.service = scene.run(HTTPService("s"))
        echo = scene.run(WebSocketEcho())
        node = scene.node({"proxy.trusted_proxies": "127.0.0.1"})
        scene.agent(node, "e", cls.service.port)
        scene.agent(node, "ws", echo.port)
        cls.port = free_port()
        Nginx(scene, _FRONT.format(port=cls.port, node=node.proxy), cls.port)

    def test_addresses(self) -> None:
        """
        The service learns of the client through both.
        """
        with Client(self.port) as client:
            response = client.get(
                "/describe", endpoint=None, host="e.example.com", headers=[("X-Forwarded-For", "9.9.9.9")]
            )
        headers = dict(response.json()["headers"])  # type: ignore[index]
        self.assertEqual(headers["x-forwarded-for"], "9.9.9.9, 127.0.0.1, 127.0.0.1")
        self.assertEqual(headers["x-forwarded-proto"], "https")
        self.assertEqual(headers["host"], "e.example.com")

    def test_bodies(self) -> None:
        """
        Bodies go both ways.
        """
        with Client(self.port) as client:
            for chunked in (False, True):
                body = pattern(3, 3 * MIB)
                client.send(request_bytes("POST", "/echo", body=body, chunked=chunked))
                self.assertEqual(client.response("POST").body, body)

    def test_events(self) -> None:
        """
        Events come one by one.
        """
        with Client(self.port) as client:
            see_events(client, self.service)

    def test_websocket(self) -> None:
        """
        So does a WebSocket.
        """
        with connect(
            f"ws://127.0.0.1:{self.port}/", additional_headers={"x-pico-endpoint": "ws"}, compression=None, proxy=None
        ) as connection:
            for message in ("hello", pattern(0, 1_000_000)):
                connection.send(message)
                self.assertEqual(connection.recv(timeout=60), message)
