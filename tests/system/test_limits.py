"""
Clients and agents that take more time or room than they are given.
"""

from __future__ import annotations

import threading
import time

from tests.system.case import Node, Scene, SharedSceneTestCase, SystemTestCase
from tests.system.http_client import Broken, Client, NoResponse, request_bytes
from tests.system.pattern import pattern
from tests.system.processes import eventually
from tests.system.services import HTTPService


class Dripper:
    """
    Clients that send a byte now and then, from a thread.

    :ivar dropped: how many have been closed by the other side.
    """

    def __init__(self, clients: list[Client], data: bytes) -> None:
        """
        :param data: what to send over and over.
        """
        self._clients = clients
        self._data = data
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._drip, daemon=True)
        self.answers: list[bytes] = []

    def __enter__(self) -> Dripper:
        self._thread.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._done.set()
        self._thread.join()
        for client in self._clients:
            client.close()

    @property
    def dropped(self) -> int:
        return len(self.answers)

    def _drip(self) -> None:
        living = list(self._clients)
        for client in living:
            client.socket.setblocking(False)
        seen = dict.fromkeys(living, b"")
        position = 0
        while living and not self._done.wait(0.1):
            byte = self._data[position % len(self._data) :][:1]
            position += 1
            for client in list(living):
                try:
                    client.socket.send(byte)
                    data = client.socket.recv(65_536)
                except BlockingIOError:
                    continue
                except OSError:
                    data = b""
                seen[client] += data
                if not data:
                    living.remove(client)
                    self.answers.append(seen[client])


class SlowClientTests(SharedSceneTestCase):
    """
    A second for a head.
    """

    node: Node

    @classmethod
    def set_scene(cls, scene: Scene) -> None:
        """
        Be impatient.
        """
        service = scene.run(HTTPService("s"))
        cls.node = scene.node(
            {
                "proxy.http.read-header-timeout": "1s",
                "proxy.http.idle-timeout": "2s",
                "upstream.handshake-timeout": "1s",
            }
        )
        scene.agent(cls.node, "e", service.port)

    def test_dripping_heads(self) -> None:
        """
        Two hundred clients that drip are dropped, with 408 if they hear it; others are served all the while.
        """
        clients = [self.node.client() for _ in range(200)]
        began = time.monotonic()
        with Dripper(clients, b"GET / HTTP/1.1\r\nHost: a\r\n" + b"X-Drip: drop\r\n" * 1000) as dripper:
            served = 0
            while dripper.dropped < 200:
                self.assertEqual(self.node.fetch("/served").status, 200)
                served += 1
                self.assertLess(time.monotonic() - began, 60)
            self.assertGreater(served, 20)
            self.assertTrue(
                all(answer[:12] in (b"HTTP/1.1 408", b"") for answer in dripper.answers), dripper.answers[:5]
            )

    def test_dripping_second_heads(self) -> None:
        """
        A good first request buys no more time for the second.
        """
        clients = [self.node.client() for _ in range(50)]
        for client in clients:
            self.assertEqual(client.get("/first").status, 200)
        with Dripper(clients, b"GET / HTTP/1.1\r\nHost: a\r\n" + b"X-Drip: drop\r\n" * 1000) as dripper:
            eventually(lambda: dripper.dropped == 50, "all to be dropped")

    def test_silent_clients(self) -> None:
        """
        Clients that say nothing are closed: at first after the time for a head, later after that for idleness.
        """
        with self.node.client() as silent, self.node.client() as idle:
            self.assertEqual(idle.get("/x").status, 200)
            began = time.monotonic()
            try:
                self.assertEqual(silent.response().status, 408)
            except NoResponse:
                pass
            self.assertTrue(idle.is_closed())
            self.assertGreater(time.monotonic() - began, 1.5)

    def test_dripping_agents(self) -> None:
        """
        The same at the port for agents.
        """
        clients = [Client(self.node.upstream) for _ in range(50)]
        with Dripper(
            clients, b"GET /pico/v1/upstream/e HTTP/1.1\r\nHost: a\r\n" + b"X-Drip: drop\r\n" * 1000
        ) as dripper:
            eventually(lambda: dripper.dropped == 50, "all to be dropped")
        self.assertEqual(self.node.tunnels("e"), 1)

    def test_dripping_bodies_are_served(self) -> None:
        """
        A slow body is not a slow head.
        """
        body = b"0123456789"
        data = request_bytes("POST", "/echo", body=body)
        with self.node.client() as client:
            client.send(data[:-10])
            for byte in body:
                began = time.monotonic()
                eventually(lambda: time.monotonic() - began > 0.2, "a moment")  # noqa: B023
                client.send(bytes([byte]))
            self.assertEqual(client.response("POST").body, body)


class LimitTests(SystemTestCase):
    """
    Limits that are settings.
    """

    def test_connections(self) -> None:
        """
        More clients than allowed are closed at once; when some leave there is room again.
        """
        service = self.scene.run(HTTPService("s"))
        node = self.scene.node({"proxy.http.max-connections": 10})
        self.scene.agent(node, "e", service.port)
        clients = [node.client() for _ in range(10)]
        for client in clients:
            self.assertEqual(client.get("/x").status, 200)
        with node.client() as client:
            self.assertTrue(client.is_closed())
        for client in clients:
            self.assertEqual(client.get("/still").status, 200)
            client.close()

        def served() -> bool:
            try:
                return node.fetch("/room").status == 200
            except Broken:
                return False

        eventually(served, "room for a client")

    def test_requests(self) -> None:
        """
        A connection carries as many requests as allowed, and says so with the last.
        """
        service = self.scene.run(HTTPService("s"))
        node = self.scene.node({"proxy.http.max-requests": 3})
        self.scene.agent(node, "e", service.port)
        with node.client() as client:
            self.assertEqual([client.get("/x").keep_alive for _ in range(3)], [True, True, False])
            self.assertTrue(client.is_closed())

    def test_body(self) -> None:
        """
        A body larger than allowed is 413, whether its length was said before or is found out on the way; the service
        does not take it for whole.
        """
        service = self.scene.run(HTTPService("s"))
        node = self.scene.node({"proxy.http.max-body-bytes": "100KiB"})
        self.scene.agent(node, "e", service.port)
        right, wrong = pattern(0, 102_400), pattern(0, 102_401)
        for chunked in (False, True):
            self.assertEqual(node.fetch("/echo", "POST", body=right, chunked=chunked).body, right)
            with node.client() as client:
                client.send(request_bytes("POST", f"/sink?id={chunked}", body=wrong, chunked=chunked))
                response = client.response("POST")
                self.assertEqual((response.status, response.keep_alive), (413, False))
        eventually(lambda: service.open <= 2, "the upload to be dropped")
        self.assertFalse(any(upload.complete for upload in service.uploads.values()))

    def test_head(self) -> None:
        """
        So is a head.
        """
        service = self.scene.run(HTTPService("s"))
        node = self.scene.node({"proxy.http.max-header-bytes": "10KiB", "proxy.http.max-headers": 20})
        self.scene.agent(node, "e", service.port)
        self.assertEqual(node.fetch("/", headers=[("x", "y" * 9000)]).status, 200)
        self.assertEqual(node.fetch("/", headers=[("x", "y" * 11_000)]).status, 431)
        self.assertEqual(node.fetch("/", headers=[(f"x{number}", "y") for number in range(18)]).status, 200)
        self.assertEqual(node.fetch("/", headers=[(f"x{number}", "y") for number in range(19)]).status, 431)

    def test_tunnels(self) -> None:
        """
        An agent too many is told so, and comes in when there is room.
        """
        service = self.scene.run(HTTPService("s"))
        node = self.scene.node({"upstream.max-tunnels": 1})
        first = self.scene.agent(node, "e", service.port)
        second = self.scene.agent(node, "f", service.port, connected=None)
        second.wait_for_log("503")
        self.assertTrue(second.running)
        first.kill()
        node.wait_for_tunnels("f", 1)

    def test_streams(self) -> None:
        """
        More requests at once than a tunnel may have streams are told to come again; none is lost that was taken.
        """
        service = self.scene.run(HTTPService("s"))
        node = self.scene.node({"upstream.max-streams": 5})
        self.scene.agent(node, "e", service.port)
        clients = [node.client() for _ in range(5)]
        for client in clients:
            client.send(request_bytes("GET", "/gate/g"))
        eventually(lambda: service.waiting["/gate/g"] == 5, "five requests at the gate")
        response = node.fetch("/x")
        self.assertEqual((response.status, response.header("retry-after")), (503, "1"))
        service.open_gate("g")
        for client in clients:
            self.assertEqual(client.response().body, b"opened")
        self.assertEqual(node.fetch("/x").status, 200)


class ManyClientsTests(SystemTestCase):
    """
    Many at the same time, and really at the same time.
    """

    def test_500_at_a_gate(self) -> None:
        """
        Five hundred requests are at the service together before any is answered.
        """
        service = self.scene.run(HTTPService("s"))
        node = self.scene.node()
        self.scene.agent(node, "e", service.port)
        clients = [node.client() for _ in range(500)]
        for number, client in enumerate(clients):
            client.send(request_bytes("POST", "/gate/g", body=f"client {number}".encode()))
        eventually(lambda: service.waiting["/gate/g"] == 500, "all of them at the gate")
        service.open_gate("g")
        for number, client in enumerate(clients):
            self.assertEqual(client.response("POST").body, f"client {number}".encode())
            self.assertEqual(client.get(f"/{number}").body, f"s: GET /{number}\n".encode())
            client.close()
