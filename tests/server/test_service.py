"""
Tests for :mod:`pico.server.service`: a node's life from its first second to its last.
"""

from __future__ import annotations

import json
import socket

from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred
from twisted.internet.testing import MemoryReactorClock
from twisted.logger import capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from pico.agent.events import AgentConnected, AgentLost
from pico.config.server import Admin, Proxy, ServerConfig, Upstream
from pico.net.supervised import STATUS_INTERVAL, STOPPING_INTERVAL, Supervised
from pico.server.node import Neighbours, make_server
from pico.server.service import NodeService
from pico.testing import MemoryPipe, StaticMembers
from tests.net.support import FakeNotifier
from tests.server.support import ADMIN, GOSSIP, PROXY, UPSTREAM, Peer, Service, World, request_bytes

_UPGRADE = (
    b"GET /pico/v1/upstream/%s HTTP/1.1\r\nHost: node\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\n\r\n"
)

_GET = request_bytes("GET", "/", "x-pico-endpoint: e")
_WHOLE = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"


class LifeTestCase(SynchronousTestCase):
    """
    A node and an agent for "e", on one clock.
    """

    def setUp(self) -> None:
        """
        A world without them.
        """
        self.world = World()

    def begin(
        self, service: Service | None = None, *, drain_delay: float = 0.0, grace_period: float = 60.0
    ) -> NodeService:
        """
        Start both.
        """
        node = self.world.node(ServerConfig(drain_delay=drain_delay, grace_period=grace_period))
        self.service = service or Service()
        self.agent = self.world.agent(self.service)
        return node

    def stop(self, node: NodeService) -> Deferred[None]:
        """
        Ask it to stop, and let happen what happens at once.
        """
        stopped = node.stopService()
        assert stopped is not None
        self.world.network.pump()
        return stopped

    @property
    def open(self) -> list[int]:
        """
        The ports on which the node listens.
        """
        return sorted(self.world.host.ports)

    def assert_over(self, stopped: Deferred[None]) -> None:
        """
        The node has stopped, and when its agent has, too, nothing is left.
        """
        self.successResultOf(stopped)
        self.assertEqual(self.open, [])
        self.agent.stopService()
        self.world.network.advance(1)
        self.assertEqual(self.world.clock.getDelayedCalls(), [])


class ReadinessTests(LifeTestCase):
    """
    When a node takes traffic, and when it says so.
    """

    def test_when_ready(self) -> None:
        """
        A node that binds its ports itself is ready with its start, for those who ask before and after.
        """
        node = self.world.make_node()
        before = node.when_ready()
        node.privilegedStartService()
        self.assertNoResult(before)
        self.assertEqual(self.world.look("/ready").status, 503)
        node.startService()
        self.successResultOf(before)
        self.successResultOf(node.when_ready())
        self.assertEqual(self.world.look("/ready").status, 200)

    def test_once(self) -> None:
        """
        A node that was stopped is not started again: that is said, and nothing is bound.
        """
        node = self.world.node()
        node.stopService()
        self.world.network.advance(1)
        self.assertEqual({}, self.world.host.ports)
        for start in (node.privilegedStartService, node.startService):
            with self.assertRaisesRegex(RuntimeError, "make another one"):
                start()
        self.assertFalse(node.running)
        self.assertEqual({}, self.world.host.ports)

    def test_not_waited_for(self) -> None:
        """
        Whoever does not want to wait any more is forgotten.
        """
        node = self.world.make_node()
        ready = node.when_ready()
        ready.addErrback(lambda _: None)
        ready.cancel()
        node.startService()
        self.successResultOf(node.when_ready())

    def test_status(self) -> None:
        """
        One line says what the node does.
        """
        node = self.begin(Service(b""), drain_delay=1)
        self.assertEqual(node.status, "1 tunnel, 1 endpoint")
        self.world.agent(Service(), "f")
        self.world.agent(Service(), "f")
        self.assertEqual(node.status, "3 tunnels, 2 endpoints")
        self.world.get()
        self.world.get()
        self.stop(node)
        self.assertEqual(node.status, "draining: 2 requests left")

    def test_never_started(self) -> None:
        """
        A node that was not started stops at once, and so does one that has stopped.
        """
        node = self.world.make_node()
        self.assertIsNone(node.stopService())
        node = self.begin()
        self.agent.stopService()
        self.world.network.advance(1)
        self.successResultOf(self.stop(node))
        self.assertIsNone(node.stopService())


class DrainTests(LifeTestCase):
    """
    A node that is told to stop.
    """

    def test_sequence(self) -> None:
        """
        Not ready and agents told at once; clients are taken for the delay; then the ports close.
        """
        node = self.begin(drain_delay=10)
        self.assertEqual(self.world.look("/ready").status, 200)
        kept, idle = self.world.get(), self.world.get()
        self.assertEqual((kept.take()[-5:], idle.body), (b"hello", b"hello"))
        stopped = self.stop(node)
        self.assertEqual(self.world.look("/ready").status, 503)
        self.assertEqual(self.world.look("/health").status, 200)
        refused = self.world.ask(_UPGRADE % b"other", UPSTREAM)
        self.assertEqual((refused.status, refused.error), (503, "node is draining"))
        self.assertIn(b"\r\nRetry-After: ", refused.head)

        # The agent was told, dials, is refused, and keeps what it has: requests are served all the time.
        for _ in range(9):
            self.world.network.advance(1)
            self.assertEqual(self.world.get().body, b"hello")
        self.assertIsNone(idle.lost)
        # A client that keeps its connection is told with its next answer.
        self.world.say(kept, _GET)
        self.assertEqual((kept.body, b"\r\nConnection: close" in kept.head), (b"hello", True))
        self.assertIsNotNone(kept.lost)
        self.assertNoResult(stopped)
        self.assertGreater(self.world.number('pico_upstreams_refused_total{status="503"}'), 1)

        self.assertEqual(self.open, [PROXY, UPSTREAM, ADMIN, GOSSIP])
        self.world.network.advance(1)
        self.assertIsNotNone(idle.lost)
        self.assert_over(stopped)

    def test_no_delay(self) -> None:
        """
        Without a delay the ports close at once; a client that has just come still has a moment.
        """
        node = self.begin()
        idle = self.world.client()
        stopped = self.stop(node)
        self.assertEqual(self.open, [ADMIN, GOSSIP])
        self.assertIsNone(idle.lost)
        self.world.network.advance(0.4)
        self.assertIsNotNone(idle.lost)
        self.assert_over(stopped)

    def test_nobody_there(self) -> None:
        """
        Where no client is connected the drain is over at once.
        """
        node = self.begin()
        with capturedLogs() as events:
            self.assert_over(self.stop(node))
        said = [formatEvent(event) for event in events if event.get("log_namespace") == "server"]
        self.assertEqual(said, ["draining: 0 requests in flight", "drained"])

    def test_first_request(self) -> None:
        """
        A client that was taken just before the ports closed has a moment for its request.
        """
        node = self.begin(drain_delay=10)
        stopped = self.stop(node)
        self.world.network.advance(9.99)
        late = self.world.client()
        self.world.network.advance(0.01)
        self.assertEqual(self.open, [ADMIN, GOSSIP])
        self.world.network.advance(0.1)
        self.world.say(late, _GET)
        self.assertEqual(late.body, b"hello")
        self.world.network.advance(0.2)
        self.assert_over(stopped)

    def test_half_a_head(self) -> None:
        """
        A connection on which a request has begun is not idle, however little of it has come: it is answered.
        """
        node = self.begin()
        kept, idle = self.world.get(), self.world.get()
        kept.take()
        self.world.say(kept, _GET[:1])
        stopped = self.stop(node)
        self.assertIsNotNone(idle.lost)
        self.world.network.advance(5)
        self.assertIsNone(kept.lost)
        self.world.say(kept, _GET[1:])
        self.assertEqual((kept.body, b"\r\nConnection: close" in kept.head), (b"hello", True))
        self.assertIsNotNone(kept.lost)
        self.world.network.advance(1)
        self.assert_over(stopped)

    def test_in_flight(self) -> None:
        """
        Requests under way are served to their end, on connections that close behind them; with the last one the drain
        is over, long before the grace period is.
        """
        node = self.begin(Service(b""))
        waiting, halfway, idle = self.world.get(), self.world.get(), self.world.get()
        first, second, third = self.service.connections
        self.world.say(third, _WHOLE)
        self.world.say(second, _WHOLE[:-2])
        stopped = self.stop(node)
        self.assertIsNotNone(idle.lost)
        self.world.network.advance(25)
        self.assertEqual((self.world.look("/ready").status, self.world.look("/health").status), (503, 200))
        self.assertEqual(node.status, "draining: 2 requests left")
        self.world.say(first, _WHOLE)
        self.assertIn(b"\r\nConnection: close", waiting.head)
        self.assertEqual(waiting.body, b"hello")
        self.assertIsNotNone(waiting.lost)
        self.assertNoResult(stopped)
        self.world.say(second, _WHOLE[-2:])
        self.assertEqual(halfway.body, b"hello")
        self.assert_over(stopped)

    def test_upload(self) -> None:
        """
        A request whose body is still on its way counts as under way.
        """
        node = self.begin(Service(b""))
        client = self.world.ask(b"POST / HTTP/1.1\r\nHost: e.h\r\nContent-Length: 4\r\n\r\nab")
        stopped = self.stop(node)
        self.world.network.advance(5)
        self.world.say(client, b"cd")
        (connection,) = self.service.connections
        self.assertTrue(connection.received.endswith(b"abcd"))
        self.world.say(connection, _WHOLE)
        self.assertEqual(client.body, b"hello")
        self.assert_over(stopped)

    def test_grace_period(self) -> None:
        """
        The grace period begins when the ports have closed; what is left at its end is cut, and said.
        """
        node = self.begin(Service(b""), drain_delay=10, grace_period=15)
        waiting = self.world.get()
        stopped = self.stop(node)
        self.world.network.advance(10)
        self.assertEqual(node.status, "draining: 1 request left")
        self.world.network.advance(14.9)
        self.assertNoResult(stopped)
        self.assertIsNone(waiting.lost)
        with capturedLogs() as events:
            self.world.network.advance(0.2)
        self.assertIsNotNone(waiting.lost)
        self.assertIn("grace period over: 1 connection cut", [formatEvent(event) for event in events])
        self.assert_over(stopped)

    def test_stopped_reader(self) -> None:
        """
        A client that does not read its response holds the node no longer than for the grace period.
        """
        node = self.begin(Service(b""), grace_period=15)
        client = self.world.get()
        client.transport.pauseProducing()
        size = 1_000_000
        self.world.say(
            self.service.connections[0], b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size + bytes(size)
        )
        stopped = self.stop(node)
        self.world.network.advance(14.9)
        self.assertNoResult(stopped)
        self.assertTrue(client.transport.peer.connected)
        self.world.network.advance(0.2)
        self.assertFalse(client.transport.peer.connected)
        self.assert_over(stopped)

    def test_upgraded(self) -> None:
        """
        A WebSocket lives on for the grace period, in both directions, and is cut at its end.
        """
        node = self.begin(Service(b""), grace_period=20)
        client = self.world.get("/", "Connection: Upgrade", "Upgrade: websocket")
        (connection,) = self.service.connections
        self.world.say(
            connection, b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
        )
        self.assertEqual(client.status, 101)
        stopped = self.stop(node)
        self.world.network.advance(19)
        client.take()
        connection.take()
        self.world.say(client, b"to the service")
        self.world.say(connection, b"to the client")
        self.assertEqual((connection.take(), client.take()), (b"to the service", b"to the client"))
        self.assertNoResult(stopped)
        self.world.network.advance(1.1)
        self.assertIsNotNone(client.lost)
        self.assertIsNotNone(connection.lost)
        self.assert_over(stopped)

    def test_agents(self) -> None:
        """
        Agents keep their tunnels to the end of the drain; then they dial again.
        """
        node = self.begin(Service(b""), grace_period=20)
        self.world.get()
        stopped = self.stop(node)
        self.world.network.advance(19)
        self.assertIsInstance(self.world.events[-1], AgentConnected)
        self.world.network.advance(2)
        self.assertIsInstance(self.world.events[-1], AgentLost)
        self.assert_over(stopped)


class SecondStopTests(LifeTestCase):
    """
    A node that is told to stop while it drains.
    """

    def test_in_delay(self) -> None:
        """
        It does not wait for the delay, nor then for anything else, and both who asked are told.
        """
        node = self.begin(Service(b""), drain_delay=10)
        waiting = self.world.get()
        first = self.stop(node)
        self.world.network.advance(1)
        second = self.stop(node)
        self.assertIsNotNone(waiting.lost)
        self.successResultOf(first)
        self.assert_over(second)

    def test_in_grace_period(self) -> None:
        """
        It cuts what is in flight, and says why.
        """
        node = self.begin(Service(b""))
        waiting = [self.world.get(), self.world.get()]
        first = self.stop(node)
        self.world.network.advance(1)
        with capturedLogs() as events:
            second = self.stop(node)
        self.assertIn("asked again to stop: 2 connections cut", [formatEvent(event) for event in events])
        self.assertTrue(all(each.lost for each in waiting))
        self.successResultOf(first)
        self.assert_over(second)

    def test_many_times(self) -> None:
        """
        However often it is asked within one turn, all are told once.
        """
        node = self.begin(Service(b""), drain_delay=10)
        self.world.get()
        stops = [node.stopService() for _ in range(4)]
        self.world.network.pump()
        for stopped in stops[:2]:
            assert stopped is not None
            self.successResultOf(stopped)
        self.assertEqual(stops[2:], [None, None])
        self.agent.stopService()


class SupervisedTests(LifeTestCase):
    """
    A node and whoever has started it and wants to know.
    """

    def test_life(self) -> None:
        """
        It hears when clients are taken, what the node does, that it is alive, and how the drain goes.
        """
        node = self.world.make_node(ServerConfig())
        notifier = FakeNotifier()
        supervised = Supervised(
            node,
            notifier,
            clock=self.world.clock,
            status=lambda: node.status,
            when_ready=node.when_ready,
            watchdog=8.0,
        )
        supervised.privilegedStartService()
        supervised.startService()
        self.world.network.pump()
        self.assertIn({"READY": "1", "STATUS": "0 tunnels, 0 endpoints"}, notifier.take())

        self.service = Service(b"")
        self.agent = self.world.agent(self.service)
        self.world.get()
        self.world.network.advance(STATUS_INTERVAL)
        said = notifier.take()
        self.assertIn({"STATUS": "1 tunnel, 1 endpoint"}, said)
        self.assertIn({"WATCHDOG": "1"}, said)

        stopped = supervised.stopService()
        self.world.network.advance(STOPPING_INTERVAL)
        self.assertEqual(notifier.take(), [{"STOPPING": "1"}, {"STATUS": "draining: 1 request left"}])
        self.world.network.advance(10)
        self.assertIn({"WATCHDOG": "1"}, notifier.take())
        self.assertNoResult(stopped)
        self.world.say(self.service.connections[0], _WHOLE)
        self.successResultOf(stopped)
        self.assertTrue(notifier.closed)
        self.agent.stopService()
        self.world.network.advance(1)
        self.assertEqual(self.world.clock.getDelayedCalls(), [])


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
        # Twisted's reactor in memory has no UDP.
        alone = Neighbours(StaticMembers())
        node = make_server(config, self.reactor, clock=self.reactor, inherited=inherited, neighbours=alone)
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
        agent = Peer()
        pipe.connect(agent, server)
        agent.transport.write(_UPGRADE % endpoint)
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
        self.assertEqual(self.bound, [8000, 8003])
        self.assertEqual(len(self.reactor.adoptedPorts), 2)
        self.successResultOf(node.when_ready())

    def test_agents_first(self) -> None:
        """
        Clients are taken when no more agents have come for half a second.
        """
        node = self.node("upstream", "proxy")
        self.assertEqual(self.bound, [8002, 8003])
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
        operator = Peer()
        pipe.connect(operator, server)
        operator.transport.write(b"GET /status/cluster/nodes HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
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
