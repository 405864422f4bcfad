"""
A listener and nodes on a network in memory: every layer of the tunnel, with nothing faked but sockets and
time.
"""

from __future__ import annotations

import random
from typing import cast

import trustme
from twisted.internet.defer import Deferred
from twisted.internet.protocol import ServerFactory
from twisted.internet.ssl import (
    Certificate,
    PrivateCertificate,
    optionsForClientTLS,
    trustRootFromCertificates,
)
from twisted.internet.task import Clock
from twisted.protocols.tls import TLSMemoryBIOFactory
from twisted.trial.unittest import SynchronousTestCase

from pico.client.dialer import DialError, Tunnel
from pico.client.listener import Listener
from pico.client.slot import OVERLAP
from pico.testing import MemoryNetwork
from pico.tunnel.reasons import StreamRefused
from pico.tunnel.session import TunnelSettings
from pico.tunnel.stream import TunnelStream
from tests.client.support import Echo, Node, RecordingUser, RecordingWatcher, Speaker, make_dialer, refusal


class EndToEndTests(SynchronousTestCase):
    """
    Whole lives of tunnels.
    """

    def setUp(self) -> None:
        """
        A network, an agent and a node.
        """
        self.clock = Clock()
        self.network = MemoryNetwork(self.clock)
        self.host = self.network.host("node")
        self.watcher = RecordingWatcher()

    def listener(self, endpoint: str = "e") -> Listener:
        """
        A listener that echoes.
        """
        dialer, _ = make_dialer(self.network)

        def serve(stream: TunnelStream) -> None:
            stream.attach(Echo())

        listener = Listener(
            endpoint,
            dialer=dialer,
            clock=self.clock,
            on_stream=serve,
            watcher=self.watcher,
            chooser=random.Random(1),
        )
        listener.start()
        self.network.pump()
        return listener

    def open(self, node: Node, index: int = -1) -> Speaker:
        """
        Open a stream of a tunnel, from the node's side.
        """
        here = Speaker()
        node.tunnels[index].session.open_stream().attach(here)
        return here

    def assert_echo(self, here: Speaker, data: bytes) -> None:
        """
        What is sent comes back.
        """
        before = len(here.received)
        here.transport.write(data)
        self.network.pump()
        self.assertEqual(data, here.received[before:])

    def test_serving(self) -> None:
        """
        Streams of the node are served, small and large.
        """
        node = Node(self.host, self.clock, [b"x-pico-node: node-1"])
        self.listener()
        self.assertEqual(["e connected to node-1"], self.watcher.told)
        for size in (1, 1000, 1_000_000):
            self.assert_echo(self.open(node), b"x" * size)

    def test_stopped(self) -> None:
        """
        A listener that is stopped says go-away, serves what is there to its end, and closes.
        """
        node = Node(self.host, self.clock)
        listener = self.listener()
        here = self.open(node)
        self.assert_echo(here, b"before")
        stopped = listener.stop(60)
        self.network.pump()
        self.assertTrue(node.tunnels[0].went_away)
        self.assert_echo(here, b"meanwhile")
        self.network.advance(20)
        self.assert_echo(here, b"much later")
        self.assertNoResult(stopped)
        here.transport.loseConnection()
        self.network.advance(1)
        self.successResultOf(stopped)
        self.assertEqual([], node.live)
        self.assertEqual([], self.clock.getDelayedCalls())

    def test_streams_on_their_way(self) -> None:
        """
        A stream that the node opens while the go-away is on its way is refused as never looked at, also by a
        listener that had nothing to do.
        """
        node = Node(self.host, self.clock)
        listener = self.listener()
        stopped = listener.stop(60)
        here = self.open(node)
        here.transport.write(b"a request")
        self.network.pump()
        self.assertEqual(StreamRefused, here.lost)
        self.network.advance(2)
        self.successResultOf(stopped)

    def test_cut_at_the_end(self) -> None:
        """
        At the end of the grace period what still runs is cut.
        """
        node = Node(self.host, self.clock)
        listener = self.listener()
        here = self.open(node)
        self.assert_echo(here, b"before")
        stopped = listener.stop(5)
        self.network.advance(4.5)
        self.assertIsNone(here.lost)
        self.network.advance(1)
        self.successResultOf(stopped)
        self.assertIsNotNone(here.lost)
        self.assertEqual([], self.clock.getDelayedCalls())

    def test_replaced(self) -> None:
        """
        When the node says go-away a second tunnel stands before the first is let go, and what runs on the
        first ends undisturbed.
        """
        node = Node(self.host, self.clock, [b"x-pico-node: node-1"], [b"x-pico-node: node-2"])
        self.listener()
        here = self.open(node, 0)
        self.assert_echo(here, b"before")
        node.tunnels[0].session.go_away()
        self.network.advance(1)
        self.assertEqual(["e connected to node-1", "e connected to node-2"], self.watcher.told)
        self.network.advance(OVERLAP)
        self.assertTrue(node.tunnels[0].went_away)
        self.assertEqual(2, len(node.live))
        self.assert_echo(here, b"meanwhile")
        self.assert_echo(self.open(node, 1), b"on the new one")
        here.transport.loseConnection()
        self.network.advance(2)
        self.assertEqual([node.tunnels[1]], node.live)

    def test_never_without_a_tunnel(self) -> None:
        """
        While the node that asked to leave is the only one, it serves on, new streams too.
        """
        node = Node(self.host, self.clock, [], *[refusal(b"503 Service Unavailable", b"draining")] * 50)
        self.listener()
        node.tunnels[0].session.go_away()
        for _ in range(10):
            self.network.advance(5)
            self.assert_echo(self.open(node), b"still there")
        self.assertGreater(len(node.requests), 5)
        self.assertFalse(node.tunnels[0].went_away)
        self.assertEqual(1, len(self.watcher.told))

    def test_node_restarts(self) -> None:
        """
        When the node ends and comes back, so does the tunnel.
        """
        node = Node(self.host, self.clock)
        self.listener()
        self.network.advance(10)
        node.stop_listening()
        node.tunnels[0].session.close()
        self.network.advance(3)
        self.assertEqual("e lost", self.watcher.told[-1])
        again = Node(self.host, self.clock)
        self.network.advance(5)
        self.assert_echo(self.open(again), b"hello")

    def test_half_open(self) -> None:
        """
        A tunnel whose network is gone is found dead within interval and timeout, and dialled again.
        """
        node = Node(self.host, self.clock)
        dialer, _ = make_dialer(self.network, tunnel=TunnelSettings(keepalive_interval=30, keepalive_timeout=10))
        listener = Listener(
            "e",
            dialer=dialer,
            clock=self.clock,
            on_stream=lambda stream: stream.abortConnection(),
            watcher=self.watcher,
            chooser=random.Random(1),
        )
        listener.start()
        self.network.advance(100)
        self.assertEqual(1, len(self.watcher.told))
        agent = self.network.host("agent")
        self.network.cut(agent, self.host)
        self.network.advance(41)
        self.assertEqual("e lost", self.watcher.told[-1])
        self.network.heal(agent, self.host)
        self.network.advance(31)
        self.assertEqual(2, len(node.tunnels))
        self.assertTrue(listener.connected)
        listener.stop(0)
        self.network.advance(1)

    def test_several_endpoints(self) -> None:
        """
        Each listener has a tunnel of its own.
        """
        node = Node(self.host, self.clock)
        for endpoint in ("one", "two"):
            self.listener(endpoint)
        self.assertEqual([b"/pico/v1/upstream/one", b"/pico/v1/upstream/two"], [head.target for head in node.requests])
        self.assertEqual(2, len(node.live))


class TLSTests(SynchronousTestCase):
    """
    The same through TLS.
    """

    authority = trustme.CA()

    def setUp(self) -> None:
        """
        A node behind TLS.
        """
        self.clock = Clock()
        self.network = MemoryNetwork(self.clock)
        issued = self.authority.issue_cert("node")
        pem = issued.private_key_pem.bytes() + b"".join(each.bytes() for each in issued.cert_chain_pems)
        certificate = PrivateCertificate.loadPEM(pem)

        def secured(factory: ServerFactory) -> ServerFactory:
            # Twisted's type calls it a client's factory; it serves as well.
            return cast(ServerFactory, TLSMemoryBIOFactory(certificate.options(), False, factory, self.clock))

        self.node = Node(self.network.host("node"), self.clock, wrap=secured)

    def dial(self, root: trustme.CA) -> Deferred[Tunnel]:
        """
        Dial, trusting one authority.
        """
        trusted = trustRootFromCertificates([Certificate.loadPEM(root.cert_pem.bytes())])
        dialer, _ = make_dialer(self.network, "https://node:8001", tls=optionsForClientTLS("node", trustRoot=trusted))
        dialled = dialer.dial("e", RecordingUser())
        self.network.pump()
        return dialled

    def test_tunnel(self) -> None:
        """
        A tunnel stands and carries streams.
        """
        self.successResultOf(self.dial(self.authority))
        here = Speaker()
        self.node.tunnels[0].session.open_stream().attach(here)
        here.transport.write(b"x" * 200_000)
        self.network.pump()
        self.assertEqual(200_000, len(here.received))

    def test_not_trusted(self) -> None:
        """
        A node with a certificate that nobody vouches for is not spoken to, and the reason is told.
        """
        failure = self.failureResultOf(self.dial(trustme.CA()), DialError)
        self.assertIn("certificate verify failed", str(failure.value))
        self.assertEqual([], self.node.requests)
