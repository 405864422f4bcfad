"""
The connection in memory behaves like those that it stands in for.
"""

from __future__ import annotations

from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.interfaces import ITCPTransport
from twisted.internet.protocol import Protocol
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from pico.testing import (
    HalfCloseRecordingProtocol,
    MemoryPipe,
    MemoryTransport,
    RecordingProducer,
    RecordingProtocol,
    pump,
)
from tests.testing.transports import MUCH, BreakingTests, Pair


class MemoryTransportTests(BreakingTests, SynchronousTestCase):
    """
    The behaviours of all transports.
    """

    def make_pair(self, left: Protocol, right: Protocol) -> Pair:
        pipe = MemoryPipe()
        pipe.connect(left, right)
        return pipe


class MemoryPipeTests(SynchronousTestCase):
    """
    What only the pipe can do.
    """

    def setUp(self) -> None:
        self.here = HalfCloseRecordingProtocol()
        self.there = HalfCloseRecordingProtocol()

    def make(self, pipe: MemoryPipe | None = None) -> MemoryPipe:
        pipe = pipe or MemoryPipe()
        pipe.connect(self.here, self.there)
        return pipe

    def test_tcp_transport(self) -> None:
        """
        Its ends have what protocols ask of TCP transports.
        """
        pipe = self.make()
        verifyObject(ITCPTransport, pipe.left)
        self.assertEqual(pipe.left.getPeer(), pipe.right.getHost())
        self.assertEqual(pipe.right.getPeer(), pipe.left.getHost())
        pipe.left.setTcpNoDelay(True)
        pipe.left.setTcpKeepAlive(True)
        self.assertTrue(pipe.left.getTcpNoDelay() and pipe.left.getTcpKeepAlive())

    def test_nothing_moves_by_itself(self) -> None:
        """
        Bytes arrive only when the pipe is pumped, in pieces of the size that was asked for.
        """
        pipe = self.make(MemoryPipe(read_size=2))
        pipe.left.write(b"abcde")
        self.assertEqual(self.there.pieces, [])
        self.assertTrue(pipe.pump_once())
        self.assertEqual(self.there.pieces, [b"ab"])
        self.assertEqual(pipe.pump(), 2)
        self.assertEqual(self.there.pieces, [b"ab", b"cd", b"e"])
        self.assertFalse(pipe.pump_once())

    def test_bounded(self) -> None:
        """
        No more than the capacity is on the way; the rest is queued and pauses the producer beyond high water.
        """
        pipe = self.make(MemoryPipe(capacity=100, high_water=50))
        producer = RecordingProducer()
        pipe.left.registerProducer(producer, True)
        pipe.right.pauseProducing()
        pipe.left.write(bytes(150))
        self.assertEqual((pipe.left.queued, producer.calls), (50, []))
        pipe.left.write(b"x")
        self.assertEqual((pipe.left.queued, producer.calls), (51, ["pause"]))
        pipe.pump()
        self.assertEqual(pipe.left.queued, 51)
        pipe.right.resumeProducing()
        pipe.pump()
        self.assertEqual((pipe.left.queued, producer.calls), (0, ["pause", "resume"]))
        self.assertEqual(self.there.received, bytes(150) + b"x")

    def test_frozen(self) -> None:
        """
        Through a frozen pipe comes neither data nor an end nor a break, until it thaws.
        """
        pipe = self.make()
        pipe.frozen = True
        pipe.left.write(b"hello")
        pipe.left.loseConnection()
        pipe.pump()
        self.assertEqual(self.here.lost, ConnectionDone)
        self.assertEqual((self.there.received, self.there.read_ends), (b"", 0))
        pipe.frozen = False
        pipe.pump()
        self.assertEqual((self.there.received, self.there.read_ends), (b"hello", 1))

    def test_frozen_break(self) -> None:
        """
        Neither side of a frozen pipe learns that the other broke or refuses what it is sent.
        """
        for end in ("abortConnection", "loseConnection"):
            self.setUp()
            pipe = self.make()
            pipe.frozen = True
            getattr(pipe.right, end)()
            pipe.left.write(bytes(100_000))
            pipe.pump()
            pipe.left.write(b"more")
            pipe.pump()
            self.assertEqual((len(self.there.reasons), self.here.reasons), (1, []))
            pipe.frozen = False
            pipe.pump()
            self.assertEqual(self.here.lost, ConnectionLost)

    def test_clock(self) -> None:
        """
        Calls that are due run between the turns; those of the future do not.
        """
        clock = Clock()
        pipe = MemoryPipe(clock=clock)
        pipe.connect(self.here, self.there)
        clock.callLater(0, pipe.left.write, b"now")
        clock.callLater(1, pipe.left.write, b"later")
        pipe.pump()
        self.assertEqual(self.there.received, b"now")
        self.assertEqual(len(clock.getDelayedCalls()), 1)

    def test_together(self) -> None:
        """
        Several pipes are pumped together until all are at rest.
        """
        one, two = MemoryPipe(), MemoryPipe()

        class Onward(RecordingProtocol):
            def dataReceived(self, data: bytes) -> None:
                two.left.write(data)

        one.connect(self.here, Onward())
        two.connect(HalfCloseRecordingProtocol(), self.there)
        one.left.write(MUCH)
        pump([one, two])
        self.assertEqual(self.there.received, MUCH)

    def test_restless(self) -> None:
        """
        Two protocols that never stop talking are reported instead of waited for.
        """

        class Echo(Protocol):
            transport: MemoryTransport

            def dataReceived(self, data: bytes) -> None:
                self.transport.write(data)

        pipe = MemoryPipe()
        pipe.connect(Echo(), Echo())
        pipe.left.write(b"ping")
        self.assertRaises(AssertionError, pipe.pump, 100)

    def test_closed(self) -> None:
        """
        The pipe is closed when both protocols have lost it.
        """
        pipe = self.make()
        pipe.left.loseConnection()
        pipe.pump()
        self.assertFalse(pipe.closed)
        self.assertFalse(pipe.left.connected)
        pipe.right.loseConnection()
        pipe.pump()
        self.assertTrue(pipe.closed)

    def test_errors_surface(self) -> None:
        """
        What a protocol raises reaches the test.
        """

        class Broken(Protocol):
            def dataReceived(self, data: bytes) -> None:
                raise ZeroDivisionError

        pipe = MemoryPipe()
        pipe.connect(Broken(), Broken())
        pipe.left.write(b"x")
        self.assertRaises(ZeroDivisionError, pipe.pump)
