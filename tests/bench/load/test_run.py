"""
Tests for :mod:`pico.bench.load.run`: a whole node and all load for it, in memory and on one clock.
"""

from __future__ import annotations

import io
import random
from collections.abc import Coroutine
from typing import Any, TypeVar

from twisted.internet.defer import Deferred
from twisted.internet.protocol import Protocol, ServerFactory
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from pico.bench.faults import BenchError
from pico.bench.load.bar import Bar
from pico.bench.load.plan import Requests, Upstreams
from pico.bench.load.run import Node, Run
from pico.config.server import ServerConfig, Upstream
from pico.server.node import make_server
from pico.server.service import NodeService
from pico.testing import MemoryNetwork, RecordingProtocol

T = TypeVar("T")

NODE = Node("http://node:8000", "http://node:8001", timeout=5.0)


class RunTests(SynchronousTestCase):
    """
    Load for a node.
    """

    def setUp(self) -> None:
        """
        A network with a place for a node.
        """
        self.clock = Clock()
        self.network = MemoryNetwork(self.clock)
        self.host = self.network.host("node")
        load = self.network.host("load")
        self.out = io.StringIO()
        self.load = Run(load, load, random.Random(1), Bar(self.out, terminal=True, columns=80))

    def node(self, max_tunnels: int = 100) -> NodeService:
        """
        Start a node.
        """
        config = ServerConfig(upstream=Upstream(max_tunnels=max_tunnels))
        node = make_server(config, self.host, clock=self.host, chooser=random.Random(1))
        node.privilegedStartService()
        node.startService()
        return node

    def begin(self, running: Coroutine[Any, Any, T]) -> Deferred[T]:
        """
        Let a part of a run go as far as it does without time.
        """
        done = Deferred.fromCoroutine(running)
        self.network.pump()
        return done

    def wait(self, running: Coroutine[Any, Any, T], seconds: float = 0.0) -> T:
        """
        Let a part of a run end.
        """
        done = self.begin(running)
        for _ in range(round(seconds * 10)):
            self.network.advance(0.1)
        return self.successResultOf(done)

    def test_requests(self) -> None:
        """
        All requests come back as they were sent, through all tunnels, and everything is closed.
        """
        node = self.node()
        upstreams = self.wait(self.load.open(Upstreams(6, 3), NODE))
        self.assertEqual((upstreams.connected, upstreams.tally.succeeded, upstreams.tally.failed), (6, 6, 0))
        for size in (0, 1, 100_000):
            requests = self.wait(self.load.request(Requests(50, 4, 3, size), NODE))
            self.assertEqual((requests.tally.succeeded, dict(requests.tally.errors)), (50, {}), size)
        self.wait(self.load.close(upstreams), 2.0)
        self.assertEqual((upstreams.connected, upstreams.lost, node.view.upstream_endpoints()), (0, 0, {}))
        self.assertIn("0 of 6 tunnels", self.out.getvalue())
        self.assertTrue(self.out.getvalue().endswith("\r\x1b[K"))

    def test_no_service(self) -> None:
        """
        Answers other than 200 are failures, by status.
        """
        self.node()
        running = self.begin(self.load.request(Requests(20, 2, 1, 10), NODE))
        for _ in range(100):
            self.network.advance(0.1)
        requests = self.successResultOf(running)
        self.assertEqual((requests.tally.succeeded, dict(requests.tally.errors)), (0, {"status 502": 20}))

    def answering(self, answer: bytes, *, close: bool = False) -> None:
        """
        Have something else in the place of the node's proxy port.
        """

        class Answers(RecordingProtocol):
            def dataReceived(self, data: bytes) -> None:
                assert self.transport is not None
                self.transport.write(answer)
                if close:
                    self.transport.loseConnection()

        factory = ServerFactory()
        factory.protocol = Answers
        self.host.listenTCP(8000, factory)

    def test_faults(self) -> None:
        """
        Everything that can go wrong has a kind of its own.
        """
        for answer, close, size, kind in (
            (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nxx", False, 2, "wrong echo"),
            (b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nxxx", False, 2, "wrong echo"),
            (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", False, 2, "wrong echo"),
            (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", False, 0, ""),
            (b"HTTP/1.1 200 OK\r\n\r\n", True, 0, ""),
            (b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n", False, 0, "status 503"),
            (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nx", True, 2, "connection lost"),
            (b"", True, 2, "connection lost"),
            (b"SSH-2.0\r\n\r\n", False, 2, "malformed answer"),
            (b"", False, 2, "no answer in time"),
        ):
            self.network = MemoryNetwork(self.clock)
            self.host, load = self.network.host("node"), self.network.host("load")
            self.load = Run(load, load, random.Random(1), Bar(self.out, terminal=False, columns=80))
            self.answering(answer, close=close)
            running = self.begin(self.load.request(Requests(2, 1, 1, size, timeout=1.0), NODE))
            for _ in range(40):
                self.network.advance(0.1)
            requests = self.successResultOf(running)
            self.assertEqual(dict(requests.tally.errors), {kind: 2} if kind else {}, answer)

    def test_rate(self) -> None:
        """
        Requests at a rate are sent when they are due; one that waits for another is late, and its time says so.
        """
        self.answering(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        running = self.begin(self.load.request(Requests(11, 2, 1, 0, rate=10.0), NODE))
        for _ in range(9):
            self.network.advance(0.1)
        self.assertNoResult(running)
        self.network.advance(0.2)
        tally = self.successResultOf(running).tally
        self.assertEqual(tally.succeeded, 11)
        self.assertAlmostEqual(tally.seconds, 1.0, places=1)
        late = self.begin(self.load.request(Requests(5, 1, 1, 0, rate=10.0), NODE))
        self.clock.advance(1.0)
        self.network.pump()
        tally = self.successResultOf(late).tally
        self.assertGreater(tally.times.most, 0.5)

    def test_stop(self) -> None:
        """
        A run that is stopped gives what it has measured; what was under way does not count.
        """
        self.answering(b"")
        running = self.begin(self.load.request(Requests(10, 2, 1, 0), NODE))
        self.assertNoResult(running)
        self.load.stop()
        self.network.pump()
        tally = self.successResultOf(running).tally
        self.assertEqual((tally.done, self.load.interrupted), (0, True))
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_stop_before(self) -> None:
        """
        What follows a stop ends at once.
        """
        self.node()
        upstreams = self.wait(self.load.open(Upstreams(2, 1), NODE))
        self.load.stop()
        self.wait(self.load.hold(upstreams, 2, 0))
        self.assertEqual(self.wait(self.load.request(Requests(10, 2, 1, 0), NODE)).tally.done, 0)

    def test_nobody(self) -> None:
        """
        A node that is not there is told in one line, and soon.
        """
        error = self.failureResultOf(self.begin(self.load.request(Requests(10, 2, 1, 0), NODE))).value
        self.assertIsInstance(error, BenchError)
        self.assertIn("cannot connect to http://node:8000: connection", str(error))
        opening = self.begin(self.load.open(Upstreams(2, 1), NODE))
        for _ in range(60):
            self.network.advance(0.1)
        error = self.failureResultOf(opening).value
        self.assertIsInstance(error, BenchError)
        self.assertIn("0 of 2 tunnels, and no other within 5s: cannot connect to http://node:8001", str(error))
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_refused(self) -> None:
        """
        A node that refuses for good is not asked again.
        """

        class Refuses(Protocol):
            def dataReceived(self, data: bytes) -> None:
                assert self.transport is not None
                self.transport.write(b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n")
                self.transport.loseConnection()

        factory = ServerFactory()
        factory.protocol = Refuses
        self.host.listenTCP(8001, factory)
        error = self.failureResultOf(self.begin(self.load.open(Upstreams(2, 1), NODE))).value
        self.assertEqual(str(error), "the node refuses tunnels: 401: Unauthorized")

    def test_some_refused(self) -> None:
        """
        A node that has no room for all of them: those that stand are counted, and why there are no more.
        """
        self.node(max_tunnels=2)
        opening = self.begin(self.load.open(Upstreams(3, 1), NODE))
        for _ in range(60):
            self.network.advance(0.1)
        error = self.failureResultOf(opening).value
        self.assertEqual(str(error), "2 of 3 tunnels, and no other within 5s: 503: too many tunnels")

    def test_lost(self) -> None:
        """
        A tunnel that is lost is counted and dialled again.
        """
        node = self.node()
        upstreams = self.wait(self.load.open(Upstreams(2, 2), NODE))
        holding = self.begin(self.load.hold(upstreams, 2, 60.0))
        for pipe in self.network.pipes:
            pipe.left.abortConnection()
        self.network.pump()
        self.assertEqual((upstreams.connected, upstreams.lost), (0, 2))
        for _ in range(100):
            self.network.advance(0.1)
        self.assertEqual((upstreams.connected, upstreams.lost), (2, 2))
        self.assertNoResult(holding)
        self.network.advance(60.0)
        self.successResultOf(holding)
        self.assertEqual(sum(node.view.upstream_endpoints().values()), 2)

    def test_wrong_url(self) -> None:
        """
        A URL that leads nowhere is told.
        """
        for url in ("node:8000", "http://", "ftp://node", "http://node/path", "http://node:port", "http://u@node"):
            running = self.begin(self.load.request(Requests(1, 1, 1, 0), Node(url)))
            self.assertIn(f"--connect.proxy-url {url}: ", str(self.failureResultOf(running, BenchError).value))
