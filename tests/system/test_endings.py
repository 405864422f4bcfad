"""
Nodes and agents that leave, die or hang with requests under way.
"""

from __future__ import annotations

import http.client
import signal
import socket
import threading
import time

from tests.system.case import SystemTestCase
from tests.system.http_client import Broken, Client, Response, request_bytes
from tests.system.pattern import PatternCheck, pattern
from tests.system.processes import MIB, eventually
from tests.system.services import HTTPService


class NodeLeavesTests(SystemTestCase):
    """
    A node that is told to stop.
    """

    def test_drain(self) -> None:
        """
        Downloads, uploads, requests at the service end well; idle clients are let go; nobody new is taken; exit 0.
        """
        service = self.scene.run(HTTPService("s"))
        node = self.scene.node({"grace_period": "10m"})
        self.scene.agent(node, "e", service.port)
        idle, waiting, download, upload, pipelined = [node.client() for _ in range(5)]
        self.assertEqual(idle.get("/x").status, 200)
        waiting.send(request_bytes("GET", "/gate/g"))
        download.send(request_bytes("GET", f"/bytes?n={50 * MIB}"))
        download.wait_for_bytes(100_000)
        body = pattern(0, 1_000_000)
        sent = request_bytes("PUT", "/sink?id=u", body=body)
        upload.send(sent[:500_000])
        pipelined.send(request_bytes("GET", "/gate/g") + request_bytes("GET", "/second"))
        eventually(lambda: service.waiting["/gate/g"] == 2, "the requests at the gate")
        eventually(lambda: service.uploads["u"].received > 400_000, "half of the upload")

        node.program.terminate()
        node.program.wait_for_log("draining")
        self.assertTrue(idle.is_closed())
        eventually(lambda: self._refused(node.proxy), "new clients to be refused")
        eventually(lambda: self._refused(node.upstream), "new agents to be refused")
        self.assertFalse(node.ready)
        self.assertTrue(node.status("/health"))

        service.open_gate("g")
        self.assertEqual(waiting.response().body, b"opened")
        upload.send(sent[500_000:])
        self.assertEqual(upload.response("PUT").status, 200)
        check = PatternCheck()
        download.response(sink=check)
        self.assertEqual(check.size, 50 * MIB)
        self.assertEqual(pipelined.response().body, b"opened")
        for client in (waiting, upload, download):
            self.assertTrue(client.is_closed())
        self.assertEqual(node.program.wait(), 0)

    def test_grace_period(self) -> None:
        """
        What has not ended when the grace period is over is cut, and looks it; exit 0 all the same.
        """
        service = self.scene.run(HTTPService("s"))
        node = self.scene.node({"grace_period": "1s"})
        self.scene.agent(node, "e", service.port)
        stream, waiting = node.client(), node.client()
        stream.send(request_bytes("GET", "/sse/s"))
        waiting.send(request_bytes("GET", "/gate/never"))
        eventually(lambda: service.waiting["/sse/s"] and service.waiting["/gate/never"], "the requests at the service")
        began = time.monotonic()
        node.program.terminate()
        self.assertRaises(Broken, stream.response)
        self.assertGreater(time.monotonic() - began, 0.9)
        self.assertRaises(Broken, waiting.response)
        self.assertEqual(node.program.wait(), 0)

    def test_interrupt(self) -> None:
        """
        Ctrl-C is as good as SIGTERM.
        """
        node = self.scene.node()
        node.program.signal(signal.SIGINT)
        self.assertEqual(node.program.wait(), 0)

    def test_two_agents_come_back(self) -> None:
        """
        Agents that were there before a restart are there after it, also when it takes a while.
        """
        service = self.scene.run(HTTPService("s"))
        node = self.scene.node()
        agents = [self.scene.agent(node, "e", service.port, connected=number) for number in (1, 2)]
        node.program.terminate()
        self.assertEqual(node.program.wait(), 0)
        for agent in agents:
            agent.wait_for_log("connection refused")
            self.assertTrue(agent.running)
        node.restart()
        node.wait_for_tunnels("e", 2)
        self.assertEqual(node.fetch("/x").body, b"s: GET /x\n")

    def _refused(self, port: int) -> bool:
        try:
            socket.create_connection(("127.0.0.1", port), 10).close()
        except ConnectionRefusedError:
            return True
        return False


class AgentLeavesTests(SystemTestCase):
    """
    An agent that is told to stop, or killed.
    """

    def test_drain(self) -> None:
        """
        What it serves ends well, nothing new is sent to it, and it exits with 0.
        """
        service = self.scene.run(HTTPService("s"))
        node = self.scene.node()
        agent = self.scene.agent(node, "e", service.port, {"grace_period": "10m"})
        waiting, download, stopped = [node.client() for _ in range(3)]
        stopped.send(request_bytes("GET", f"/bytes?n={20 * MIB}"))
        waiting.send(request_bytes("POST", "/gate/g", body=b"hello"))
        download.send(request_bytes("GET", f"/bytes?n={20 * MIB}&framing=chunked"))
        download.wait_for_bytes(100_000)
        with node.client() as switched:
            switched.send(request_bytes("GET", "/upgrade", headers=[("Connection", "Upgrade"), ("Upgrade", "shout")]))
            self.assertEqual(switched.response().status, 101)
            self.assertEqual(switched.receive_exactly(6), b"HELLO\n")
            eventually(lambda: service.waiting["/gate/g"], "the request at the gate")

            agent.terminate()
            node.wait_for_tunnels("e", 0)
            response = node.fetch("/new")
            self.assertEqual((response.status, response.json()["error"]), (502, "no available upstreams"))  # type: ignore[index]
            self.assertTrue(agent.running)

            switched.send(b"still there")
            self.assertEqual(switched.receive_exactly(11), b"STILL THERE")
            switched.end()
            self.assertEqual(switched.receive_to_end(), b"bye\n")
        service.open_gate("g")
        self.assertEqual(waiting.response("POST").body, b"hello")
        for client in (download, stopped):
            check = PatternCheck()
            client.response(sink=check)
            self.assertEqual(check.size, 20 * MIB)
        self.assertEqual(agent.wait(), 0)
        # The clients' connections live on and will see the next agent.
        self.scene.agent(node, "e", service.port)
        self.assertEqual(waiting.get("/again").body, b"s: GET /again\n")

    def test_grace_period(self) -> None:
        """
        What has not ended when the grace period is over is cut, and looks it; exit 0 all the same.
        """
        service = self.scene.run(HTTPService("s"))
        node = self.scene.node()
        agent = self.scene.agent(node, "e", service.port, {"grace_period": "1s"})
        with node.client() as client:
            client.send(request_bytes("GET", "/sse/s"))
            eventually(lambda: service.waiting["/sse/s"], "the reader")
            agent.terminate()
            self.assertRaises(Broken, client.response)
        self.assertEqual(agent.wait(), 0)

    def test_second_signal(self) -> None:
        """
        A second SIGTERM ends it at once.
        """
        service = self.scene.run(HTTPService("s"))
        node = self.scene.node()
        agent = self.scene.agent(node, "e", service.port)
        with node.client() as client:
            client.send(request_bytes("GET", "/sse/s"))
            eventually(lambda: service.waiting["/sse/s"], "the reader")
            agent.terminate()
            node.wait_for_tunnels("e", 0)
            agent.terminate()
            agent.wait()
            self.assertRaises(Broken, client.response)

    def test_killed(self) -> None:
        """
        With an agent that is killed, what it carried is broken or 502, never complete; the next agent serves.
        """
        service = self.scene.run(HTTPService("s"))
        node = self.scene.node()
        agent = self.scene.agent(node, "e", service.port)
        bodies = []
        for framing in ("length", "chunked", "close"):
            client = node.client()
            client.send(request_bytes("GET", f"/bytes?n=1000000000&framing={framing}"))
            client.wait_for_bytes(200_000)
            bodies.append(client)
        heads = []
        for method in ("GET", "POST"):
            client = node.client()
            client.send(request_bytes(method, "/gate/never", body=b"x" if method == "POST" else None))
            heads.append((method, client))
        eventually(lambda: service.waiting["/gate/never"] == 2, "the requests at the gate")
        agent.kill()
        for client in bodies:
            self.assertRaises(Broken, client.response, sink=PatternCheck())
        for method, client in heads:
            self.assertEqual(client.response(method).status, 502)
        node.wait_for_tunnels("e", 0)
        self.scene.agent(node, "e", service.port)
        for _, client in heads:
            self.assertEqual(client.get("/after").body, b"s: GET /after\n")


class HangingTests(SystemTestCase):
    """
    Peers that are there and do not answer: frozen, which is not the same as killed.
    """

    def test_frozen_agent_beside_another(self) -> None:
        """
        A frozen agent is found; what can be sent again goes to the other one, and so does all that comes later.
        """
        node = self.scene.node({"upstream.keepalive-interval": "500ms", "upstream.keepalive-timeout": "500ms"})
        services = [self.scene.run(HTTPService(name)) for name in ("a", "b")]
        agents = [
            self.scene.agent(node, "e", service.port, connected=number + 1) for number, service in enumerate(services)
        ]
        # Both have served, so both have streams that are kept.
        eventually(lambda: node.fetch("/warm") and all(s.counts["/warm"] for s in services), "both to serve")
        agents[0].freeze()
        clients = [node.client() for _ in range(10)]
        for client in clients:
            client.send(request_bytes("GET", "/which"))
        for client in clients:
            self.assertEqual(client.response().body, b"b: GET /which\n")
        node.wait_for_tunnels("e", 1)
        for number in range(20):
            body = f"{number}".encode()
            self.assertEqual(node.fetch("/echo", "POST", body=body).body, body)
        agents[0].thaw()
        node.wait_for_tunnels("e", 2)
        before = services[0].counts["/which"]
        eventually(lambda: node.fetch("/which") and services[0].counts["/which"] > before, "the first to serve again")

    def test_frozen_node(self) -> None:
        """
        An agent whose node hangs finds out, and dials again until the node is back.
        """
        service = self.scene.run(HTTPService("s"))
        node = self.scene.node()
        agent = self.scene.agent(
            node,
            "e",
            service.port,
            {"connect.keepalive-interval": "500ms", "connect.keepalive-timeout": "500ms", "connect.timeout": "2s"},
        )
        self.assertEqual(node.fetch("/x").status, 200)
        node.program.freeze()
        agent.wait_for_log("dialling again", timeout=60)
        node.program.thaw()
        node.wait_for_tunnels("e", 1)
        eventually(lambda: node.fetch("/x").status == 200, "the node to serve again")

    def test_frozen_service(self) -> None:
        """
        A service that hangs costs its clients a 504 each, and nobody else anything.
        """
        program, port = self.scene.service_program("frozen")
        service = self.scene.run(HTTPService("s"))
        node = self.scene.node({"proxy.timeout": "1s"})
        self.scene.agent(node, "frozen", port)
        self.scene.agent(node, "e", service.port)
        self.assertEqual(node.fetch("/x", endpoint="frozen").status, 200)
        program.freeze()
        clients = [node.client() for _ in range(50)]
        for client in clients:
            client.send(request_bytes("GET", "/x", endpoint="frozen"))
        for number in range(50):
            self.assertEqual(node.fetch(f"/{number}").status, 200)
        for client in clients:
            self.assertEqual(client.response().status, 504)
        program.thaw()
        eventually(lambda: node.fetch("/x", endpoint="frozen").status == 200, "the service to answer again")

    def test_frozen_client(self) -> None:
        """
        A client that hangs in the middle of its request is dropped, if a limit says so.
        """
        service = self.scene.run(HTTPService("s"))
        node = self.scene.node({"proxy.http.read-timeout": "1s", "proxy.http.write-timeout": "1s"})
        self.scene.agent(node, "e", service.port)
        with node.client() as client:
            client.send(request_bytes("POST", "/sink?id=u", headers=[("Content-Length", "1000")]) + b"x" * 10)
            self.assertEqual(client.response("POST").status, 408)
            self.assertTrue(client.is_closed())
        eventually(lambda: service.uploads["u"].aborted, "the upload to be seen broken")
        client = Client(node.proxy, receive_buffer=8192)
        client.send(request_bytes("GET", "/bytes?n=1000000000"))
        eventually(lambda: service.open == 0, "the download to be dropped")
        client.close()


class SessionTests(SystemTestCase):
    """
    A day in the life, with a library that keeps connections.
    """

    def test_library(self) -> None:
        """
        The standard library's client goes on through an agent's replacement without noticing.
        """
        service = self.scene.run(HTTPService("s"))
        node = self.scene.node()
        agents = [self.scene.agent(node, "e", service.port)]
        connection = http.client.HTTPConnection("127.0.0.1", node.proxy, timeout=60)
        self.addCleanup(connection.close)
        done = threading.Event()
        wrong: list[object] = []

        def talk() -> None:
            number = 0
            while not done.is_set() and not wrong:
                number += 1
                connection.request("POST", "/echo", body=str(number), headers={"x-pico-endpoint": "e"})
                response = connection.getresponse()
                body = response.read()
                if (response.status, body) != (200, str(number).encode()):
                    wrong.append((response.status, body))

        talker = threading.Thread(target=talk, daemon=True)
        talker.start()
        try:
            for _ in range(3):
                agents.append(self.scene.agent(node, "e", service.port, connected=2))
                agents[-2].terminate()
                self.assertEqual(agents[-2].wait(), 0)
                node.wait_for_tunnels("e", 1)
        finally:
            done.set()
            talker.join()
        self.assertEqual(wrong, [])
        self.assertIsInstance(node.fetch("/"), Response)
