"""
Tests of clusters whose nodes are stopped and started one after the other: whole nodes and agents in memory, looked at
after each single event.
"""

from __future__ import annotations

import random

from twisted.internet.defer import Deferred
from twisted.logger import capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from pico.agent.service import AgentService, make_agent
from pico.config.agent import AgentConfig, Connect, ListenerConfig
from pico.errors import PicoError
from tests.server.clusters import Clusters
from tests.server.support import ADMIN, UPSTREAM, Service, request_bytes

#: What a program of Piko's says to have a tunnel.
_UPGRADE = (
    b"GET /piko/v1/upstream/piko HTTP/1.1\r\nHost: node\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\n\r\n"
)


class RollingTestCase(SynchronousTestCase):
    """
    Three nodes, and agents that know all of them.
    """

    def setUp(self) -> None:
        """
        Start the nodes.
        """
        self.world = Clusters()
        self.world.start_all("a", "b", "c")
        self.service = Service()
        self.samples = 0

    def agent(self, *nodes: str, connections: int = 1) -> AgentService:
        """
        Start an agent that dials nodes in turn.
        """
        world = self.world
        host = world.network.host(f"roaming-{len(world.agents)}")
        host.listenTCP(4000, self.service)
        agent = make_agent(
            AgentConfig(
                connect=Connect(url=tuple(f"http://{node}:{UPSTREAM}" for node in nodes)),
                listeners=(ListenerConfig(endpoint_id="e", addr="4000"),),
                connections=connections,
            ),
            host,
            clock=host,
            on_event=world.events.append,
            chooser=random.Random(1),
        )
        agent.startService()
        world.agents.append(agent)
        world.network.advance(1)
        return agent

    def places(self, node: str) -> int:
        """
        How many tunnels of the endpoint a node would route to, its own and those of others.
        """
        there = sum(holder.upstreams for holder in self.world.holders(node, "e"))
        return self.world.nodes[node].service.view.upstream_endpoints().get("e", 0) + there

    def advance(self, seconds: float, *, without: str = "") -> None:
        """
        Let time pass event by event, and see at each that all nodes route the endpoint somewhere.

        :param without: a node that does not count, as it has ended.
        """
        clock = self.world.clock
        end = clock.seconds() + seconds
        while clock.seconds() < end:
            due = min((call.getTime() for call in clock.getDelayedCalls()), default=end)
            self.world.network.advance(max(0.0, min(due, end) - clock.seconds()))
            for name in self.world.nodes:
                if name != without:
                    self.samples += 1
                    self.assertGreater(self.places(name), 0, f"{name} at {clock.seconds()}")

    def stop(self, name: str) -> Deferred[None]:
        """
        Ask a node to stop.
        """
        stopped = self.world.nodes[name].service.stopService()
        assert stopped is not None
        return stopped

    def restart(self, name: str, *, within: float) -> None:
        """
        Stop a node and start it again.
        """
        stopped = self.stop(name)
        clock = self.world.clock
        end = clock.seconds() + within
        while not stopped.called and clock.seconds() < end:
            self.advance(0.1)
        self.successResultOf(stopped)
        self.advance(0.5, without=name)
        self.world.start(name, *(other for other in self.world.nodes if other != name))
        while not self.world.nodes[name].ready:
            self.advance(0.1, without=name)
        self.advance(1)


class RollingTests(RollingTestCase):
    """
    One node after the other.
    """

    def test_never_nowhere(self) -> None:
        """
        However tunnels move, at no instant is there a node that knows of none; a node that is ready knows as well.
        """
        self.agent("a", "b", "c")
        for _ in range(2):
            for name in "abc":
                self.restart(name, within=5)
                for node in "abc":
                    client = self.world.get_at(node)
                    self.assertEqual((client.status, client.body), (200, b"hello"))
        self.assertGreater(self.samples, 1000)

    def test_streams(self) -> None:
        """
        What is under way when the node is told to stop, from its own clients and over links, is served to its end.
        """
        self.service = Service(b"")
        self.agent("c", "a", "b")
        clients = [self.world.get_at(node) for node in "cab"]
        connections = list(self.service.connections)
        stopped = self.stop("c")
        self.advance(8)
        self.assertEqual(self.world.known("a")["c"], "leaving")
        for connection in connections:
            connection.transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ndone")
        self.advance(1)
        self.assertEqual([client.body for client in clients], [b"done"] * 3)
        self.advance(1, without="c")
        self.successResultOf(stopped)
        self.assertEqual(self.world.known("a")["c"], "left")

    def test_cut(self) -> None:
        """
        What has not ended when the grace period is over is cut, and counted: clients of its own, and what others sent.
        """
        self.service = Service(b"")
        self.agent("c", "a", "b")
        clients = [self.world.get_at(node) for node in "cabb"]
        *connections, answered = self.service.connections
        for connection in connections:
            connection.transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        # Its stream is kept for a next request, which is nothing that could be cut.
        answered.transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ndone")
        self.advance(0.1)
        self.assertEqual(clients.pop().body, b"done")
        stopped = self.stop("c")
        with capturedLogs() as events:
            for second in range(64):
                for connection in connections:
                    if not connection.lost:
                        connection.transport.write(b"x")
                self.advance(1, without="c" if second >= 58 else "")
                if second < 58:
                    self.assertNoResult(stopped)
                    self.assertEqual([client.lost for client in clients], [None] * 3)
        self.successResultOf(stopped)
        told = [formatEvent(event) for event in events]
        self.assertIn("grace period over: 1 connection cut", told)
        self.assertIn("grace period over: 2 streams of other nodes cut", told)
        self.assertTrue(all(client.lost for client in clients))

    def test_all_together(self) -> None:
        """
        Where all nodes stop there is nowhere to go, and nobody waits for it.
        """
        self.agent("a", "b", "c")
        stopped = [self.stop(name) for name in "abc"]
        self.world.network.advance(3)
        for each in stopped:
            self.successResultOf(each)


class NowhereElseTests(RollingTestCase):
    """
    Agents that do not go when they are told to.
    """

    def test_only_one_node(self) -> None:
        """
        An agent that knows one node is served for as long as it may look for another one, then its tunnel is closed.
        """
        self.agent("c")
        stopped = self.stop("c")
        self.advance(9)
        self.assertNoResult(stopped)
        self.world.network.advance(2)
        self.successResultOf(stopped)
        self.assertEqual(self.places("a"), 0)

    def test_piko(self) -> None:
        """
        A program that does not know go-away is told nothing; its tunnel is the last to be closed, and is not waited for
        when it is idle.
        """
        self.agent("c", "a", "b")
        pikos = self.world.ask_at("c", _UPGRADE, UPSTREAM)
        pikos.take()
        stopped = self.stop("c")
        while pikos.lost is None:
            self.assertEqual(pikos.received, b"")
            self.advance(0.05)
        self.assertEqual(pikos.take(), b"\x88\x02\x03\xe9")
        self.assertEqual(self.world.nodes["c"].service.view.upstream_endpoints(), {})
        self.assertEqual(self.world.known("a")["c"], "leaving")
        self.advance(2, without="c")
        self.successResultOf(stopped)
        self.assertEqual(self.world.known("a")["c"], "left")


class OrderTests(RollingTestCase):
    """
    A node that is drained by order, and goes on to run.
    """

    def test_drained(self) -> None:
        """
        It is left by its agents and takes no others, clients are told to go; taken back, it is like any other.
        """
        self.agent("c", "a", "b")
        c = self.world.nodes["c"].service
        kept, idle = (self.world.get_at("c") for _ in range(2))
        self.assertTrue(c.drain())
        self.assertFalse(c.drain())
        self.advance(5)
        self.assertEqual(c.status, "drained: 0 tunnels, 0 endpoints, 3 nodes")
        for node in "abc":
            self.assertEqual(self.world.known(node)["c"], "leaving")
        self.assertEqual(self.world.ask_at("c", request_bytes("GET", "/ready"), ADMIN).status, 503)
        self.assertEqual(self.world.number_at("c", "pico_node_leaving"), 1)
        kept.take()
        self.world.say(kept, request_bytes("GET", "/", "x-pico-endpoint: e"))
        self.assertIn(b"\r\nConnection: close", kept.head)
        self.assertIsNone(idle.lost)
        self.assertEqual(self.world.get_at("c").status, 200)
        refused = self.world.agent_at("c", self.service)
        self.advance(2)
        self.assertEqual(c.view.upstream_endpoints(), {})

        self.assertTrue(c.undrain())
        self.assertFalse(c.undrain())
        self.advance(20)
        self.assertEqual(c.view.upstream_endpoints(), {"e": 1})
        self.assertEqual(self.world.ask_at("c", request_bytes("GET", "/ready"), ADMIN).status, 200)
        self.assertEqual(self.world.known("a")["c"], "active")
        self.assertNotIn(b"Connection: close", self.world.get_at("c").head)
        self.assertEqual(self.world.number_at("c", "pico_node_leaving"), 0)
        refused.stopService()

    def test_stopped_then(self) -> None:
        """
        A node that was drained stops without a further delay; that it stops cannot be taken back.
        """
        self.agent("c", "a", "b")
        c = self.world.nodes["c"].service
        self.world.get_at("c")
        c.drain()
        self.advance(5)
        stopped = self.stop("c")
        self.assertFalse(c.drain())
        with self.assertRaisesRegex(PicoError, "is stopping"):
            c.undrain()
        self.advance(1, without="c")
        self.successResultOf(stopped)
