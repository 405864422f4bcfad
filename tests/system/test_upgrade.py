"""
What begins as HTTP and goes on as something else.
"""

from __future__ import annotations

import asyncio
import threading

from websockets.asyncio.client import connect as connect_asyncio
from websockets.exceptions import ConnectionClosedOK
from websockets.sync.client import connect

from tests.system.case import Node, OneOfEachTestCase, Scene, SharedSceneTestCase
from tests.system.http_client import Client, request_bytes
from tests.system.pattern import PatternCheck, pattern
from tests.system.processes import MIB, MemorySampler, eventually
from tests.system.services import WebSocketEcho


class WebSocketTests(SharedSceneTestCase):
    """
    The ``websockets`` library on both sides.
    """

    node: Node
    echo: WebSocketEcho

    @classmethod
    def set_scene(cls, scene: Scene) -> None:
        """
        Put the library's server behind an agent.
        """
        cls.echo = scene.run(WebSocketEcho())
        cls.node = scene.node()
        scene.agent(cls.node, "ws", cls.echo.port)

    def test_echo(self) -> None:
        """
        Texts and bytes of every size come back, and the close handshake is the service's own.
        """
        with connect(
            f"ws://127.0.0.1:{self.node.proxy}/chat",
            additional_headers={"x-pico-endpoint": "ws"},
            max_size=None,
            compression=None,
            proxy=None,
        ) as connection:
            for message in ("hello", "", "ü" * 1000, b"", b"\0\xff", pattern(0, 65_537), pattern(7, 3 * MIB)):
                connection.send(message)
                self.assertEqual(connection.recv(timeout=60), message)
            self.assertTrue(connection.ping().wait(60))
            connection.close(4321, "enough")
        eventually(lambda: 4321 in self.echo.closes, "the close code at the service")

    def test_endpoint_by_host(self) -> None:
        """
        The endpoint may be the first label of the host.
        """
        with connect(
            f"ws://ws.example.com:{self.node.proxy}/",
            sock=Client(self.node.proxy).socket,
            compression=None,
            proxy=None,
        ) as connection:
            connection.send("by host")
            self.assertEqual(connection.recv(timeout=60), "by host")

    def test_many_at_once(self) -> None:
        """
        A hundred connections talk at the same time, and each hears only itself.
        """

        async def talk(number: int) -> None:
            async with connect_asyncio(
                f"ws://127.0.0.1:{self.node.proxy}/{number}",
                additional_headers={"x-pico-endpoint": "ws"},
                compression=None,
                open_timeout=60,
                proxy=None,
            ) as connection:
                for step in range(20):
                    message = f"{number}/{step} " + "x" * (number * step)
                    await connection.send(message)
                    self.assertEqual(await asyncio.wait_for(connection.recv(), 60), message)

        async def talk_all() -> None:
            await asyncio.gather(*(talk(number) for number in range(100)))

        asyncio.run(talk_all())

    def test_service_stops(self) -> None:
        """
        A service that closes is seen to close with its own code.
        """
        echo = WebSocketEcho()
        echo.start()
        self.addCleanup(echo.close)
        agent = self.scene.agent(self.node, "short", echo.port)
        self.addCleanup(agent.kill)
        with connect(
            f"ws://127.0.0.1:{self.node.proxy}/",
            additional_headers={"x-pico-endpoint": "short"},
            compression=None,
            proxy=None,
        ) as connection:
            connection.send("x")
            connection.recv(timeout=60)
            connection.close()
            self.assertRaises(ConnectionClosedOK, connection.recv, timeout=60)


class UpgradeTests(OneOfEachTestCase):
    """
    A protocol of our own behind ``Upgrade``.
    """

    def test_bytes_and_half_close(self) -> None:
        """
        Bytes go through untouched both ways; the end of the client's side reaches the service, which still answers.
        """
        with self.node.client() as client:
            self._switch(client)
            client.send(b"abc")
            self.assertEqual(client.receive_exactly(3), b"ABC")
            client.end()
            self.assertEqual(client.receive_to_end(), b"bye\n")

    def test_bytes_behind_the_request(self) -> None:
        """
        What a client sends without waiting for the 101 is not lost.
        """
        with self.node.client() as client:
            self._switch(client, behind=b"impatient")
            self.assertEqual(client.receive_exactly(9), b"IMPATIENT")
            client.end()
            self.assertEqual(client.receive_to_end(), b"bye\n")

    def test_much(self) -> None:
        """
        A lot of bytes both ways at once arrive whole, and cost no memory to speak of.
        """
        size = 64 * MIB
        check = PatternCheck()
        with self.node.client() as client, MemorySampler(self.node.program, self.agent) as memory:
            self._switch(client)

            def send() -> None:
                for offset in range(0, size, MIB):
                    # Digits have no capitals.
                    client.send(pattern(offset, MIB).hex().upper().encode()[:MIB])
                client.end()

            sender = threading.Thread(target=send, daemon=True)
            sender.start()
            received = bytearray()
            total = 0
            while data := client.receive():
                received += data
                while len(received) >= MIB:
                    expected = pattern(total, MIB).hex().upper().encode()[:MIB]
                    self.assertEqual(received[:MIB], expected)
                    total += MIB
                    del received[:MIB]
            sender.join()
        self.assertEqual((total, bytes(received)), (size, b"bye\n"))
        self.assertEqual(check.size, 0)
        for program in (self.node.program, self.agent):
            self.assertLess(memory.growth(program), 32 * MIB)

    def test_refused_upgrade(self) -> None:
        """
        A service that does not switch answers as usual, and the connection goes on.
        """
        with self.node.client() as client:
            client.send(request_bytes("GET", "/plain", headers=[("Connection", "Upgrade"), ("Upgrade", "something")]))
            self.assertEqual(client.response().body, b"s: GET /plain\n")
            self.assertEqual(client.get("/still").body, b"s: GET /still\n")

    def test_client_leaves(self) -> None:
        """
        A client that goes away ends the connection to the service.
        """
        clients = [self.node.client() for _ in range(10)]
        for client in clients:
            self._switch(client)
        # Others may be there as well, kept for requests of other tests, and may end meanwhile.
        self.assertGreaterEqual(self.service.open, 10)
        for client in clients:
            client.reset()
        eventually(lambda: self.service.open < 10, "the service's connections to end")

    def test_unasked_switch(self) -> None:
        """
        A 101 that nobody asked for is an error of the service.
        """
        response = self.node.fetch("/upgrade")
        self.assertEqual(response.status, 502)

    def _switch(self, client: Client, behind: bytes = b"") -> None:
        client.send(
            request_bytes("GET", "/upgrade", headers=[("Connection", "Upgrade"), ("Upgrade", "shout")]) + behind
        )
        response = client.response()
        self.assertEqual((response.status, response.header("upgrade").lower()), (101, "shout"))
        self.assertEqual(response.header("connection").lower(), "upgrade")
        self.assertEqual(client.receive_exactly(6), b"HELLO\n")
