"""
Tests for :mod:`pico.client.listener`: an endpoint with several tunnels.
"""

from __future__ import annotations

import random

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from pico.client.dialer import Tunnel
from pico.client.listener import Listener
from pico.testing import MemoryNetwork
from pico.tunnel.stream import TunnelStream
from tests.client.support import Balancer, Echo, Node, RecordingWatcher, Speaker, make_dialer, refusal


class ListenerCase(SynchronousTestCase):
    """
    Nodes "n1" and "n2" behind a balancer that gives them in turn, and a listener that keeps two tunnels.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.network = MemoryNetwork(self.clock)
        self.one, self.two = self.node("n1"), self.node("n2")
        self.balancer = Balancer(self.network.host("node"), self.one, self.two)
        self.watcher = RecordingWatcher()
        self.listener = self.make(2)

    def node(self, name: str) -> Node:
        """
        A node that says who it is.
        """
        return Node(self.network.host(name), self.clock, usual=[b"x-pico-node: " + name.encode()])

    def make(self, connections: int) -> Listener:
        """
        A listener that echoes.
        """

        def serve(stream: TunnelStream) -> None:
            stream.attach(Echo())

        return Listener(
            "e",
            dialer=make_dialer(self.network)[0],
            clock=self.clock,
            on_stream=serve,
            watcher=self.watcher,
            chooser=random.Random(1),
            connections=connections,
        )

    def start(self) -> None:
        """
        Start it.
        """
        self.listener.start()
        self.network.pump()

    def end(self) -> None:
        """
        Stop; nothing may be left.
        """
        stopped = self.listener.stop(0)
        self.network.advance(3)
        self.successResultOf(stopped)
        self.assertEqual(([], []), (self.one.live, self.two.live))
        self.assertEqual([], self.clock.getDelayedCalls())

    @property
    def nodes(self) -> list[str]:
        """
        Where its tunnels lead to.
        """
        return sorted(tunnel.node for tunnel in self.listener.tunnels)

    def assert_serves(self, node: Node) -> None:
        """
        A stream over the node's latest tunnel is answered.
        """
        here = Speaker()
        node.live[-1].session.open_stream().attach(here)
        here.transport.write(b"hello")
        self.network.pump()
        self.assertEqual(b"hello", here.received)


class ListenerTests(ListenerCase):
    """
    Two nodes, and all that may happen to them.
    """

    def test_two_nodes(self) -> None:
        """
        There is a tunnel to each.
        """
        self.start()
        self.assertEqual(["e connected to n1", "e connected to n2"], self.watcher.told)
        self.assertEqual((["n1", "n2"], 2), (self.nodes, self.listener.connections))
        for node in (self.one, self.two):
            self.assert_serves(node)
        self.network.advance(200)
        self.assertEqual((1, 1), (len(self.one.tunnels), len(self.two.tunnels)))
        self.end()

    def test_one_connection(self) -> None:
        """
        One tunnel is all there is, unless more are asked for; none is wrong use.
        """
        self.listener = self.make(1)
        self.start()
        self.network.advance(200)
        self.assertEqual((["n1"], []), (self.nodes, self.two.tunnels))
        self.end()
        self.assertRaises(ValueError, self.make, 0)

    def test_balancer_with_one_node(self) -> None:
        """
        Two tunnels lead to the only node; another is looked for more and more seldom, and found when it is there.
        """
        self.balancer.nodes = [self.one]
        self.start()
        self.network.advance(600)
        self.assertEqual(["n1", "n1"], self.nodes)
        self.assertEqual(2, len(self.one.live))
        before = len(self.one.tunnels)
        self.assertLess(before, 40)
        self.network.advance(600)
        self.assertLess(len(self.one.tunnels) - before, 35)
        self.assertEqual(["e connected to n1"] * 2, self.watcher.told)
        self.balancer.nodes = [self.one, self.two]
        self.network.advance(121)
        self.assertEqual(["n1", "n2"], self.nodes)
        self.assertEqual((1, 1), (len(self.one.live), len(self.two.live)))
        self.end()

    def test_useless_tunnels_are_told(self) -> None:
        """
        The node hears go-away on a tunnel that is not wanted before it is closed.
        """
        self.balancer.nodes = [self.one]
        self.start()
        self.network.advance(5)
        useless = self.one.tunnels[2:]
        self.assertTrue(useless)
        self.assertTrue(all(tunnel.went_away for tunnel in useless))
        self.assertFalse(any(tunnel.went_away for tunnel in self.one.tunnels[:2]))
        self.end()

    def test_node_lost_and_back(self) -> None:
        """
        When a node dies the endpoint is never without a tunnel; the lost one comes to the other node, and returns when
        the node is back.
        """
        self.start()
        self.balancer.nodes = [self.two]
        self.one.live[0].session.abort()
        self.network.pump()
        self.assertTrue(self.listener.connected)
        self.assertEqual(["n2"], self.nodes)
        self.assert_serves(self.two)
        self.network.advance(1)
        self.assertEqual(["n2", "n2"], self.nodes)
        self.network.advance(30)
        self.balancer.nodes = [self.two, self.one]
        self.network.advance(121)
        self.assertEqual(["n1", "n2"], self.nodes)
        self.assertEqual((1, 1), (len(self.one.live), len(self.two.live)))
        self.end()

    def test_both_at_one_node_that_dies(self) -> None:
        """
        Both tunnels lost, both come back.
        """
        self.balancer.nodes = [self.one]
        self.start()
        self.balancer.nodes = [self.two, self.one]
        for tunnel in self.one.live:
            tunnel.session.abort()
        self.network.advance(5)
        self.assertEqual(["n1", "n2"], self.nodes)
        self.end()

    def test_node_leaves(self) -> None:
        """
        A node that says go-away is left for the one that has no tunnel yet.
        """
        three = self.node("n3")
        self.start()
        self.balancer.nodes = [self.two, three]
        self.one.live[0].session.go_away()
        self.network.advance(5)
        self.assertEqual(["n2", "n3"], self.nodes)
        self.assertEqual([], self.one.live)
        self.assertNotIn("e lost", self.watcher.told)

    def test_servers_that_say_no_id(self) -> None:
        """
        Behind Piko servers, which do not say who they are, the tunnels are kept as they come.
        """
        self.one.usual = []
        self.balancer.nodes = [self.one]
        self.start()
        self.network.advance(600)
        self.assertEqual(2, len(self.one.tunnels))
        self.end()

    def test_stop(self) -> None:
        """
        A stop says go-away on every tunnel, lets what is under way end, and fires when all are gone.
        """
        self.start()
        speakers = []
        for node in (self.one, self.two):
            speakers.append(Speaker())
            node.live[0].session.open_stream().attach(speakers[-1])
        self.network.pump()
        stopped = self.listener.stop(60)
        self.network.pump()
        self.assertEqual([True, True], [node.tunnels[0].went_away for node in (self.one, self.two)])
        self.assertFalse(self.listener.connected)
        for speaker in speakers:
            self.network.advance(5)
            self.assertNoResult(stopped)
            speaker.transport.loseConnection()
        self.network.advance(2)
        self.successResultOf(stopped)
        self.end()

    def test_restarted(self) -> None:
        """
        A listener that was stopped can be started again, with all its tunnels.
        """
        self.start()
        self.end()
        self.start()
        self.assertEqual(["n1", "n2"], self.nodes)
        self.end()


class FirstTunnelTests(ListenerCase):
    """
    How it begins.
    """

    def test_first_comes_first(self) -> None:
        """
        While there is none at all only one is dialled, so that a trouble is told once.
        """
        self.balancer.nodes = []
        self.start()
        self.assertEqual(1, len(self.watcher.told))
        self.balancer.nodes = [self.one, self.two]
        self.network.advance(1)
        self.assertEqual(["n1", "n2"], self.nodes)
        self.end()

    def test_refusals(self) -> None:
        """
        A refusal of all tunnels is told once, until a node accepts.
        """
        no = refusal(b"401 Unauthorized", b"invalid token")
        self.start()
        for node in (self.one, self.two):
            node.answers = [no] * 5
            node.live[0].session.close()
        self.network.advance(200)
        told = "e refused: 401: invalid token"
        self.assertEqual(1, self.watcher.told.count(told))
        for node in (self.one, self.two):
            node.answers = []
        self.network.advance(80)
        self.assertEqual(["n1", "n2"], self.nodes)
        self.one.answers = [no]
        self.two.answers = [no]
        self.one.live[0].session.close()
        self.network.advance(2)
        self.assertEqual(2, self.watcher.told.count(told))

    def test_stopped_before_the_others(self) -> None:
        """
        A stop within the first tunnel's beginning starts no others.
        """
        told = self.watcher.connected

        def connected(endpoint: str, tunnel: Tunnel) -> None:
            told(endpoint, tunnel)
            self.listener.stop(0)

        self.watcher.connected = connected  # type: ignore[method-assign]
        self.start()
        self.network.advance(100)
        self.assertEqual(1, len(self.one.requests) + len(self.two.requests))
        self.end()
