"""
Tests of programs that serve an endpoint by the SDK and replace each other: whole nodes in memory.
"""

from __future__ import annotations

import random

from twisted.internet.defer import Deferred
from twisted.internet.protocol import Protocol
from twisted.trial.unittest import SynchronousTestCase

from pico.client import Dialer, DialSettings, Listener, Tunnel, parse_node_url
from pico.net.turn import Turn
from pico.tunnel.stream import TunnelStream
from tests.server.clusters import Clusters
from tests.server.support import UPSTREAM, request_bytes

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class Program(Protocol):
    """
    Serves a stream of the node: answers at once, but to what asks for it only when it is told to.
    """

    transport: TunnelStream

    def __init__(self, slow: list[Program]) -> None:
        self._slow = slow

    def dataReceived(self, data: bytes) -> None:
        """
        Answer a request.
        """
        if b" /slow " in data:
            self._slow.append(self)
        else:
            self.transport.write(ANSWER)


class Silent:
    """
    Watches a listener without a word.
    """

    def connected(self, endpoint: str, tunnel: Tunnel) -> None:
        """
        A tunnel stands.
        """

    def refused(self, endpoint: str, reason: str) -> None:
        """
        It was refused.
        """

    def lost(self, endpoint: str, reason: str, retry_in: float) -> None:
        """
        There is none.
        """


class ReplacedTests(SynchronousTestCase):
    """
    Two nodes; programs at either of them.
    """

    def setUp(self) -> None:
        """
        Start the nodes.
        """
        self.world = Clusters()
        self.world.start_all("a", "b")
        self.slow: list[Program] = []
        self.programs = 0

    def program(self, node: str) -> Listener:
        """
        Start a program.
        """
        self.programs += 1
        host = self.world.network.host(f"program-{self.programs}")
        listener = Listener(
            "e",
            dialer=Dialer(
                DialSettings(url=parse_node_url(f"http://{node}:{UPSTREAM}")), reactor=host, clock=host, turn=Turn(host)
            ),
            clock=host,
            on_stream=lambda stream: stream.attach(Program(self.slow)),
            watcher=Silent(),
            chooser=random.Random(self.programs),
        )
        listener.start()
        self.world.network.pump()
        self.assertTrue(listener.connected)
        return listener

    def assert_served(self, seconds: float) -> None:
        """
        Both nodes answer for the endpoint all the time.
        """
        for _ in range(round(seconds / 0.1)):
            for node in "ab":
                self.assertEqual(self.world.get_at(node).status, 200)
            self.world.network.advance(0.1)

    def stop(self, listener: Listener, grace: float = 60.0) -> Deferred[None]:
        """
        Let a program end.
        """
        stopped = listener.stop(grace)
        self.world.network.pump()
        return stopped

    def test_overlap(self) -> None:
        """
        Programs that start before their predecessors stop, here and there, lose no request.
        """
        old = self.program("a")
        self.world.network.advance(0.5)
        for node in "abba":
            new = self.program(node)
            # Other nodes hear of it by gossip.
            self.assert_served(0.3)
            stopped = self.stop(old)
            self.assert_served(1.5)
            self.successResultOf(stopped)
            old = new

    def test_under_way(self) -> None:
        """
        What a program has begun it brings to its end, while everything new goes to its successor; then it is done.
        """
        old = self.program("a")
        client = self.world.ask_at("a", request_bytes("GET", "/slow", "x-pico-endpoint: e"))
        self.assertEqual(len(self.slow), 1)
        self.program("a")
        self.world.network.advance(0.5)
        stopped = self.stop(old)
        self.assert_served(0.5)
        self.world.network.advance(10)
        self.assertNoResult(stopped)
        self.assertEqual(len(self.slow), 1)
        self.slow[0].transport.write(ANSWER)
        self.world.network.advance(2)
        self.assertEqual((client.status, client.body), (200, b"ok"))
        self.successResultOf(stopped)

    def test_grace_over(self) -> None:
        """
        A program is done when its time is over, whatever it has begun.
        """
        old = self.program("a")
        client = self.world.ask_at("a", request_bytes("GET", "/slow", "x-pico-endpoint: e"))
        self.program("a")
        stopped = self.stop(old, grace=3)
        self.world.network.advance(2.5)
        self.assertNoResult(stopped)
        self.world.network.advance(1)
        self.successResultOf(stopped)
        self.assertNotIn(ANSWER, client.received)
