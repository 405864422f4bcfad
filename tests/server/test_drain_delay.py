"""
A node's first and last seconds: agents before clients where both may be waiting, and a farewell that takes a while.
"""

from __future__ import annotations

import json
import random
import socket

from twisted.internet.address import IPv4Address
from twisted.internet.protocol import Factory, ServerFactory
from twisted.internet.task import Clock
from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase

from pico.agent.events import AgentConnected, AgentEvent
from pico.agent.service import AgentService, make_agent
from pico.config.agent import AgentConfig, Connect, ListenerConfig
from pico.config.server import Admin, Proxy, ServerConfig, Upstream
from pico.net.ports import make_client_endpoint
from pico.server.node import make_server
from pico.server.service import NodeService
from pico.testing import MemoryNetwork, MemoryPipe, RecordingProtocol

_UPGRADE = (
    b"GET /pico/v1/upstream/%s HTTP/1.1\r\nHost: node\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\n\r\n"
)


class _OneRequest(RecordingProtocol):
    """
    Answers once and closes.
    """

    def dataReceived(self, data: bytes) -> None:
        super().dataReceived(data)
        _send(self, b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello")


def _send(protocol: RecordingProtocol, data: bytes) -> None:
    assert protocol.transport is not None
    protocol.transport.write(data)


class DrainDelayTests(SynchronousTestCase):
    """
    A node and an agent, told to stop.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.network = MemoryNetwork(self.clock)
        self.host = self.network.host("node")
        self.agent_host = self.network.host("agent")
        self.client_host = self.network.host("client")
        self.events: list[AgentEvent] = []

    def node(self, drain_delay: float = 10.0, grace_period: float = 60.0) -> NodeService:
        """
        Start a node.
        """
        config = ServerConfig(drain_delay=drain_delay, grace_period=grace_period)
        node = make_server(config, self.host, clock=self.host, chooser=random.Random(1))
        node.privilegedStartService()
        node.startService()
        self.network.pump()
        return node

    def agent(self, service: type[RecordingProtocol] = _OneRequest) -> AgentService:
        """
        Start an agent for "e" and its service.
        """
        factory = ServerFactory()
        factory.protocol = service
        self.agent_host.listenTCP(4000, factory)
        agent = make_agent(
            AgentConfig(
                connect=Connect(url="http://node:8001"), listeners=(ListenerConfig(endpoint_id="e", addr="4000"),)
            ),
            self.agent_host,
            clock=self.agent_host,
            on_event=self.events.append,
            chooser=random.Random(1),
        )
        agent.startService()
        self.network.pump()
        return agent

    def connect(self, port: int) -> RecordingProtocol:
        """
        Connect to the node.
        """
        d = make_client_endpoint(self.client_host, "node", port).connect(Factory.forProtocol(RecordingProtocol))
        self.network.pump()
        client = self.successResultOf(d)
        assert isinstance(client, RecordingProtocol)
        return client

    def ask(self, port: int, request: bytes) -> RecordingProtocol:
        """
        Connect and ask.
        """
        client = self.connect(port)
        _send(client, request)
        self.network.pump()
        return client

    def get(self, path: bytes = b"/", port: int = 8000) -> bytes:
        """
        What a new client is answered.
        """
        return self.ask(port, b"GET " + path + b" HTTP/1.1\r\nHost: e.test\r\n\r\n").received

    def test_sequence(self) -> None:
        """
        Not ready and agents told at once; clients are taken for the delay; then the ports close.
        """
        node = self.node()
        agent = self.agent()
        self.assertIn(b"200 OK", self.get(b"/ready", 8002))
        self.assertIn(b"hello", self.get())
        stopped = node.stopService()
        assert stopped is not None
        self.network.pump()
        self.assertIn(b"503", self.get(b"/ready", 8002))
        self.assertIn(b"200 OK", self.get(b"/health", 8002))
        refused = self.ask(8001, _UPGRADE % b"other").received
        self.assertIn(b" 503 ", refused)
        self.assertIn(b"\r\nRetry-After: ", refused)

        # The agent was told, dials, is refused, and keeps what it has: requests are served all the time.
        kept = self.connect(8000)
        for _ in range(9):
            self.network.advance(1)
            self.assertIn(b"hello", self.get())
        _send(kept, b"GET / HTTP/1.1\r\nHost: e.test\r\n\r\n")
        self.network.pump()
        self.assertIn(b"hello", kept.received)
        self.assertIsNone(kept.lost)
        self.assertNoResult(stopped)

        self.assertEqual(sorted(self.host.ports), [8000, 8001, 8002])
        self.network.advance(1)
        self.assertIsNotNone(kept.lost)
        self.successResultOf(stopped)
        self.assertEqual(self.host.ports, {})
        agent.stopService()
        self.network.advance(1)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_first_request(self) -> None:
        """
        A client that was taken just before the ports closed has a moment for its request.
        """
        node = self.node()
        self.agent()
        stopped = node.stopService()
        self.network.advance(9.99)
        late = self.connect(8000)
        self.network.advance(0.01)
        self.assertEqual(sorted(self.host.ports), [8002])
        self.network.advance(0.1)
        _send(late, b"GET / HTTP/1.1\r\nHost: e.test\r\n\r\n")
        self.network.pump()
        self.assertIn(b"hello", late.received)
        self.network.advance(0.2)
        self.successResultOf(stopped)  # type: ignore[arg-type]

    def test_grace_after_delay(self) -> None:
        """
        The grace period begins when the ports have closed; what is left at its end is cut.
        """
        node = self.node(drain_delay=10, grace_period=20)
        self.agent(RecordingProtocol)
        self.assertIsInstance(self.events[-1], AgentConnected)
        waiting = self.ask(8000, b"GET / HTTP/1.1\r\nHost: e.test\r\n\r\n")
        self.assertEqual(node.status, "1 tunnel, 1 endpoint")
        stopped = node.stopService()
        assert stopped is not None
        self.network.advance(10)
        self.assertEqual(node.status, "draining: 1 request left")
        self.network.advance(19)
        self.assertNoResult(stopped)
        self.assertIsNone(waiting.lost)
        self.network.advance(1.3)
        self.successResultOf(stopped)
        self.assertIsNotNone(waiting.lost)

    def test_no_delay(self) -> None:
        """
        Without a delay the ports close at once; a client that has just come still has a moment.
        """
        node = self.node(drain_delay=0)
        idle = self.connect(8000)
        stopped = node.stopService()
        self.network.pump()
        self.assertEqual(sorted(self.host.ports), [8002])
        self.network.advance(0.4)
        self.assertEqual(self.host.ports, {})
        self.assertIsNotNone(idle.lost)
        self.successResultOf(stopped)  # type: ignore[arg-type]
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_when_ready(self) -> None:
        """
        A node that binds its ports itself is ready with its start.
        """
        config = ServerConfig()
        node = make_server(config, self.host, clock=self.host)
        ready = node.when_ready()
        self.assertNoResult(ready)
        node.startService()
        self.successResultOf(ready)
        self.successResultOf(node.when_ready())
        self.assertEqual(node.status, "0 tunnels, 0 endpoints")


class InheritedTests(SynchronousTestCase):
    """
    A node that is given sockets.
    """

    def setUp(self) -> None:
        self.reactor = MemoryReactorClock()

    def node(self, *names: str, admin: str = "127.0.0.1:8002") -> NodeService:
        """
        Start a node with sockets for some of its ports.
        """
        self.sockets = {name: socket.create_server(("127.0.0.1", 0)) for name in names}
        self.ports = {name: made.getsockname()[1] for name, made in self.sockets.items()}
        for each in self.sockets.values():
            self.addCleanup(each.close)
        config = ServerConfig(
            proxy=Proxy(bind_addr="127.0.0.1:8000"),
            upstream=Upstream(bind_addr="127.0.0.1:8001"),
            admin=Admin(bind_addr=admin),
        )
        inherited = {name: [made] for name, made in self.sockets.items()}
        node = make_server(config, self.reactor, clock=self.reactor, inherited=inherited)
        node.privilegedStartService()
        node.startService()
        return node

    def tunnel(self, endpoint: bytes) -> MemoryPipe:
        """
        Have an agent come in.
        """
        factory = self.reactor.adoptedPorts[0][2]
        server = factory.buildProtocol(IPv4Address("TCP", "127.0.0.1", 1234))
        pipe = MemoryPipe(clock=self.reactor)
        agent = RecordingProtocol()
        pipe.connect(agent, server)
        _send(agent, _UPGRADE % endpoint)
        pipe.pump()
        self.assertIn(b" 101 ", agent.received)
        return pipe

    @property
    def bound(self) -> list[int]:
        """
        The ports that were bound.
        """
        return [port for port, *_ in self.reactor.tcpServers]

    def test_some(self) -> None:
        """
        What is not given is bound; a node with its own port for clients takes them at once.
        """
        node = self.node("upstream", "admin")
        self.assertEqual(self.bound, [8000])
        self.assertEqual(len(self.reactor.adoptedPorts), 2)
        self.successResultOf(node.when_ready())

    def test_agents_first(self) -> None:
        """
        Clients are taken when no more agents have come for half a second.
        """
        node = self.node("upstream", "proxy")
        self.assertEqual(self.bound, [8002])
        ready = node.when_ready()
        self.assertEqual(len(self.reactor.adoptedPorts), 1)
        for number in range(5):
            self.reactor.pump([0.1] * 4)
            self.tunnel(b"e%d" % number)
        self.assertNoResult(ready)
        self.reactor.pump([0.1] * 7)
        self.successResultOf(ready)
        self.assertEqual(len(self.reactor.adoptedPorts), 2)
        self.assertEqual(node.status, "5 tunnels, 5 endpoints")

    def test_no_agents(self) -> None:
        """
        Where none come clients do not wait for long, and are told so.
        """
        node = self.node("upstream", "proxy")
        self.reactor.pump([0.1] * 6)
        self.successResultOf(node.when_ready())

    def test_endless_agents(self) -> None:
        """
        However many agents come, clients do not wait for more than five seconds.
        """
        node = self.node("upstream", "proxy")
        for number in range(17):
            self.reactor.pump([0.1] * 3)
            self.tunnel(b"e%d" % number)
        self.successResultOf(node.when_ready())

    def test_advertised(self) -> None:
        """
        Others are told of the sockets' ports, agents before clients are taken.
        """
        self.node("upstream", "proxy", "admin")
        factory = self.reactor.adoptedPorts[1][2]
        self.assertEqual(factory.proxy_port, self.ports["proxy"])
        self.reactor.pump([0.1] * 6)
        site = self.reactor.adoptedPorts[0][2]
        server = site.buildProtocol(IPv4Address("TCP", "127.0.0.1", 1))
        pipe = MemoryPipe(clock=self.reactor)
        operator = RecordingProtocol()
        pipe.connect(operator, server)
        _send(operator, b"GET /status/cluster/nodes HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        pipe.pump()
        (status,) = json.loads(operator.received.partition(b"\r\n\r\n")[2])
        self.assertEqual(status["proxy_addr"], f"127.0.0.1:{self.ports['proxy']}")
        self.assertEqual(status["admin_addr"], f"127.0.0.1:{self.ports['admin']}")

    def test_stopped_while_it_waits(self) -> None:
        """
        A node that is stopped before it has taken clients never does.
        """
        node = self.node("upstream", "proxy")
        ready = node.when_ready()
        self.successResultOf(node.stopService())  # type: ignore[arg-type]
        self.reactor.pump([0.1] * 10)
        self.assertNoResult(ready)
        self.assertEqual(len(self.reactor.adoptedPorts), 1)
