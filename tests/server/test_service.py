"""
Tests for :mod:`pico.server.service`: a node's life from its first second to its last.
"""

from __future__ import annotations

import json
import socket

from twisted.internet.address import IPv4Address
from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase

from pico.config.server import Admin, Proxy, ServerConfig, Upstream
from pico.net.supervised import STATUS_INTERVAL, STOPPING_INTERVAL, Supervised
from pico.server.node import Neighbours, make_server
from pico.server.service import NodeService
from pico.testing import MemoryPipe, StaticMembers
from tests.net.support import FakeNotifier
from tests.server.lives import UPGRADE, WHOLE, LifeTestCase
from tests.server.support import Peer, Service


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
        self.world.say(self.service.connections[0], WHOLE)
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
        agent.transport.write(UPGRADE % endpoint)
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
