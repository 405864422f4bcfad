"""
Two connections joined.
"""

from __future__ import annotations

from functools import partial

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.interfaces import (
    IHalfCloseableProtocol,
    IProtocol,
    IPushProducer,
    ISSLTransport,
    ITransport,
)
from twisted.internet.protocol import Protocol, connectionDone
from twisted.protocols.tls import TLSMemoryBIOProtocol
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import directlyProvides
from zope.interface.verify import verifyObject

from pico.net.splice import Splice, can_half_close
from pico.testing import (
    HalfCloseRecordingProtocol,
    MemoryPipe,
    MemoryTransport,
    RecordingProducer,
    RecordingProtocol,
    pump,
)
from tests.testing.transports import read_ends, write_ends

#: More than both pipes hold together.
MUCH = bytes(range(256)) * 2048

#: What fits between the two outer protocols: both pipes, the splice's queue and one read.
ROOM = 3 * 65536 + 2 * 65536


class SpliceTests(SynchronousTestCase):
    """
    Two pipes, joined in the middle: near and far are the protocols at the outer ends.
    """

    def setUp(self) -> None:
        self.ended: list[tuple[int, int]] = []
        self.splice = Splice(lambda left, right: self.ended.append((left, right)))
        self.near: RecordingProtocol = HalfCloseRecordingProtocol()
        self.far: RecordingProtocol = HalfCloseRecordingProtocol()
        self.near_pipe = MemoryPipe()
        self.far_pipe = MemoryPipe()

    def join(self) -> None:
        """
        Connect everything.
        """
        self.connect_near()
        self.connect_far()

    def connect_near(self) -> None:
        """
        Give the left end its connection.
        """
        self.near_pipe.connect(self.near, self.splice.left)

    def connect_far(self) -> None:
        """
        Give the right end its connection.
        """
        self.far_pipe.connect(self.splice.right, self.far)

    def pump(self) -> None:
        """
        Let everything happen.
        """
        pump([self.near_pipe, self.far_pipe])

    @property
    def near_end(self) -> MemoryTransport:
        """
        The near protocol's transport.
        """
        return self.near_pipe.left

    @property
    def far_end(self) -> MemoryTransport:
        """
        The far protocol's transport.
        """
        return self.far_pipe.right

    def assert_over(self, from_near: int, from_far: int) -> None:
        """
        The splice has ended, once, and nothing is left.
        """
        self.assertEqual(self.ended, [(from_near, from_far)])
        self.assertTrue(self.near_pipe.closed and self.far_pipe.closed)
        self.assertEqual((len(self.near.reasons), len(self.far.reasons)), (1, 1))

    def test_interfaces(self) -> None:
        """
        An end is a protocol that knows half-closing, and a producer.
        """
        self.join()
        for interface in (IProtocol, IHalfCloseableProtocol, IPushProducer):
            verifyObject(interface, self.splice.left)

    # Bytes

    def test_both_ways(self) -> None:
        """
        What one side sends, the other receives.
        """
        self.join()
        self.near_end.write(b"ping")
        self.far_end.write(b"pong!")
        self.pump()
        self.assertEqual((self.near.received, self.far.received), (b"pong!", b"ping"))
        self.assertEqual((self.splice.left.received, self.splice.right.received), (4, 5))
        self.assertEqual(self.ended, [])

    def test_nothing_read_before_both(self) -> None:
        """
        Nothing is read from one side before the other is there; then nothing is missing.
        """
        self.connect_near()
        self.near_end.write(b"early")
        self.pump()
        self.assertEqual(self.splice.left.received, 0)
        self.connect_far()
        self.pump()
        self.assertEqual(self.far.received, b"early")

    def test_leftover(self) -> None:
        """
        What had been read before the splice began goes first.
        """
        self.connect_near()
        self.splice.left.dataReceived(b"first, ")
        self.near_end.write(b"second")
        self.connect_far()
        self.splice.right.dataReceived(b"to the near side")
        self.pump()
        self.assertEqual((self.near.received, self.far.received), (b"to the near side", b"first, second"))

    def test_right_first(self) -> None:
        """
        Either end may be connected first.
        """
        self.connect_far()
        self.far_end.write(b"hello")
        self.splice.right.dataReceived(b"oh, ")
        self.connect_near()
        self.pump()
        self.assertEqual(self.near.received, b"oh, hello")

    # Back-pressure

    def test_back_pressure(self) -> None:
        """
        A reader that stops stops the sender, and no more than the buffers on the way fills up.
        """
        for direction in (0, 1):
            self.setUp()
            self.join()
            from_end, to_end = (self.near_end, self.far_end)[:: 1 - 2 * direction]
            middle = (self.near_pipe.right, self.far_pipe.left)[direction]
            reader = (self.far, self.near)[direction]
            sender = RecordingProducer()
            from_end.registerProducer(sender, True)
            to_end.pauseProducing()
            from_end.write(MUCH)
            self.pump()
            self.assertEqual(sender.calls, ["pause"])
            self.assertFalse(middle.reading)
            self.assertLess(len(MUCH) - from_end.queued, ROOM)
            to_end.resumeProducing()
            self.pump()
            self.assertEqual(reader.received, MUCH)
            self.assertEqual(sender.calls, ["pause", "resume"])
            self.assertTrue(middle.reading)

    def test_one_direction_at_a_time(self) -> None:
        """
        A direction that is stopped does not stop the other one.
        """
        self.join()
        self.far_end.pauseProducing()
        self.near_end.write(MUCH)
        self.far_end.write(b"still heard")
        self.pump()
        self.assertEqual(self.near.received, b"still heard")

    def test_leftover_that_fills(self) -> None:
        """
        Leftover bytes that fill the other side keep its reading stopped until they have gone.
        """
        self.connect_near()
        self.splice.left.dataReceived(MUCH)
        self.far_pipe.right.pauseProducing()
        self.connect_far()
        self.far_end.pauseProducing()
        self.pump()
        self.assertFalse(self.near_pipe.right.reading)
        self.far_end.resumeProducing()
        self.pump()
        self.assertTrue(self.near_pipe.right.reading)
        self.assertEqual(self.far.received, MUCH)

    # Ends

    def test_half_close(self) -> None:
        """
        The end of one direction is passed on behind its last byte; the other direction goes on.
        """
        self.join()
        self.near_end.write(MUCH)
        self.near_end.loseWriteConnection()
        self.pump()
        self.assertEqual((self.far.received, read_ends(self.far)), (MUCH, 1))
        self.far_end.write(MUCH)
        self.pump()
        self.assertEqual((self.near.received, read_ends(self.near)), (MUCH, 0))
        self.assertEqual(self.ended, [])

    def test_both_ends(self) -> None:
        """
        When both directions have ended, both connections close in good order.
        """
        for first, second in ((0, 1), (1, 0)):
            self.setUp()
            self.join()
            ends = (self.near_end, self.far_end)
            ends[first].write(MUCH)
            ends[first].loseWriteConnection()
            self.pump()
            ends[second].write(b"bye")
            ends[second].loseWriteConnection()
            self.pump()
            counts = (len(MUCH), 3)
            self.assertEqual(self.ended, [(counts[first], counts[second])])
            self.near_end.loseConnection()
            self.far_end.loseConnection()
            self.pump()
            self.assert_over(counts[first], counts[second])
            self.assertEqual((self.near.lost, self.far.lost), (ConnectionDone, ConnectionDone))

    def test_both_ends_while_stopped(self) -> None:
        """
        When both directions have ended, a side that has been sent everything need not wait for the other.
        """
        for slow, quick in ((0, 1), (1, 0)):
            for last in (0, 1):
                self.setUp()
                self.join()
                ends = (self.near_end, self.far_end)
                middle = (self.near_pipe.right, self.far_pipe.left)
                ends[slow].pauseProducing()
                ends[quick].write(bytes(100_000))
                self.pump()
                for end in (ends[1 - last], ends[last]):
                    end.loseWriteConnection()
                    self.pump()
                self.assertFalse(middle[quick].connected)
                self.assertTrue(middle[slow].connected)
                ends[slow].resumeProducing()
                self.pump()
                self.assertFalse(middle[slow].connected)
                self.assertEqual((self.near, self.far)[slow].received, bytes(100_000))

    def test_half_close_while_stopped(self) -> None:
        """
        An end that comes while the other side cannot take more arrives behind everything before it.
        """
        self.join()
        self.far_end.pauseProducing()
        self.near_end.write(MUCH)
        self.near_end.loseWriteConnection()
        self.pump()
        self.assertEqual(read_ends(self.far), 0)
        self.far_end.resumeProducing()
        self.pump()
        self.assertEqual((self.far.received, read_ends(self.far)), (MUCH, 1))

    def test_end_before_both(self) -> None:
        """
        A side that ends before the other is there has its bytes and its end delivered.
        """
        self.connect_near()
        self.splice.left.dataReceived(b"all")
        self.splice.left.readConnectionLost()
        self.connect_far()
        self.pump()
        self.assertEqual((self.far.received, read_ends(self.far)), (b"all", 1))
        self.far_end.write(b"answer")
        self.pump()
        self.assertEqual(self.near.received, b"answer")

    def test_much_and_end_before_both(self) -> None:
        """
        So is one whose bytes fill the other side.
        """
        self.connect_near()
        self.splice.left.dataReceived(MUCH)
        self.splice.left.readConnectionLost()
        self.connect_far()
        self.pump()
        self.assertEqual((self.far.received, read_ends(self.far)), (MUCH, 1))

    def test_end_told_twice(self) -> None:
        """
        The same end is passed on once, however often it is told, and what has ended is not read again.
        """
        self.join()
        told: list[str] = []
        lose = self.far_pipe.left.loseWriteConnection

        def tell_end() -> None:
            told.append("end")
            lose()

        self.patch(self.far_pipe.left, "loseWriteConnection", tell_end)
        self.near_end.loseWriteConnection()
        self.pump()
        self.splice.left.readConnectionLost()
        self.splice.left.resumeProducing()
        self.assertFalse(self.near_pipe.right.reading)
        self.far_end.write(b"answer")
        self.pump()
        self.assertEqual((self.near.received, read_ends(self.far), told), (b"answer", 1, ["end"]))

    def test_close_while_stopped(self) -> None:
        """
        A side that closes while the other cannot take more lets that have what it had received.
        """
        self.far = RecordingProtocol()
        self.join()
        self.far_end.pauseProducing()
        self.near_end.write(MUCH)
        self.pump()
        self.near_pipe.right.loseConnection()
        self.pump()
        self.assertEqual(self.ended, [])
        self.far_end.resumeProducing()
        self.pump()
        self.assertEqual(len(self.far.received), self.splice.left.received)
        self.assertEqual(self.far.lost, ConnectionDone)
        self.assertEqual(len(self.ended), 1)

    def test_lost_told_twice(self) -> None:
        """
        Only the first reason counts.
        """
        self.join()
        self.far_end.pauseProducing()
        self.near_end.write(bytes(100_000))
        self.pump()
        self.near_pipe.right.loseConnection()
        self.pump()
        self.splice.left.connectionLost(Failure(ConnectionLost()))
        self.far_end.resumeProducing()
        self.pump()
        self.assertEqual(self.far.received, bytes(100_000))
        self.assertEqual(read_ends(self.far), 1)

    def test_late_bytes(self) -> None:
        """
        Bytes for a side that is gone are dropped.
        """
        written: list[bytes] = []
        self.patch(self.far_pipe.left, "write", written.append)
        self.join()
        self.far_end.abortConnection()
        self.pump()
        self.splice.left.dataReceived(b"late")
        self.assertEqual(written, [])

    def test_simple_protocols(self) -> None:
        """
        Outer protocols that know nothing of half-closing are closed with the first end.
        """
        self.near, self.far = RecordingProtocol(), RecordingProtocol()
        self.join()
        self.far_end.write(b"bye")
        self.far_end.loseConnection()
        self.pump()
        self.assertEqual(self.near.received, b"bye")
        self.assert_over(0, 3)

    # Without half-close

    def test_secure_transport(self) -> None:
        """
        Where half-closing is impossible, the end of one side closes the other behind its last byte.
        """
        directlyProvides(self.far_pipe.left, ISSLTransport)
        self.join()
        self.near_end.write(MUCH)
        self.near_end.loseWriteConnection()
        self.far_end.loseWriteConnection()
        self.pump()
        self.assertEqual(self.far.received, MUCH)
        self.far_end.loseConnection()
        self.near_end.loseConnection()
        self.pump()
        self.assert_over(len(MUCH), 0)

    def test_can_half_close(self) -> None:
        """
        A TLS connection cannot half-close, whatever interfaces the connection below has.
        """
        transport = MemoryPipe().left
        self.assertTrue(can_half_close(transport))
        directlyProvides(transport, ISSLTransport)
        self.assertFalse(can_half_close(transport))

        self.assertTrue(ISSLTransport.implementedBy(TLSMemoryBIOProtocol))

        class Plain:
            """
            Nothing.
            """

        directlyProvides(plain := Plain(), ITransport)
        self.assertFalse(can_half_close(plain))

    # Breaks

    def test_break(self) -> None:
        """
        A side that breaks breaks the other one.
        """
        for broken in (0, 1):
            self.setUp()
            self.join()
            (self.near_end, self.far_end)[broken].abortConnection()
            self.pump()
            self.assertEqual((self.far.lost, self.near.lost)[broken], ConnectionLost)
            self.assert_over(0, 0)

    def test_break_while_much_is_queued(self) -> None:
        """
        What is queued for the other side is dropped with it.
        """
        self.join()
        self.far_end.pauseProducing()
        self.near_end.write(MUCH)
        self.pump()
        self.far_end.abortConnection()
        self.pump()
        self.assertEqual(self.near.lost, ConnectionLost)
        self.assertEqual(len(self.ended), 1)

    def test_break_after_end(self) -> None:
        """
        A side that ended and then breaks breaks the other one as well.
        """
        self.join()
        self.near_end.loseWriteConnection()
        self.pump()
        self.near_end.abortConnection()
        self.far_end.write(b"to nobody")
        self.pump()
        self.far_end.write(b"to nobody")
        self.pump()
        self.assertEqual(self.far.lost, ConnectionLost)
        self.assertEqual(len(self.ended), 1)

    def test_lost_before_both(self) -> None:
        """
        A side that is gone before the other is there takes it along: closed, or broken if it broke.
        """
        for end, reason, received in (
            ("loseConnection", ConnectionDone, b"early"),
            ("abortConnection", ConnectionLost, b""),
        ):
            self.setUp()
            self.far = RecordingProtocol()
            self.connect_near()
            self.splice.left.dataReceived(b"early")
            getattr(self.near_pipe.right, end)()
            self.pump()
            self.near_end.abortConnection()
            self.pump()
            self.assertEqual(self.ended, [])
            self.connect_far()
            self.pump()
            self.assertEqual((self.far.lost, self.far.received), (reason, received))
            self.assertEqual(len(self.ended), 1)

    def test_abort(self) -> None:
        """
        The owner can break both sides.
        """
        self.join()
        self.near_end.write(b"x")
        self.pump()
        self.splice.abort()
        self.splice.abort()
        self.pump()
        self.assertEqual((self.near.lost, self.far.lost), (ConnectionLost, ConnectionLost))
        self.assert_over(1, 0)
        self.splice.abort()
        self.assert_over(1, 0)

    def test_abort_before_both(self) -> None:
        """
        A splice that is aborted before it is complete ends with the side that was there; one that comes
        later is broken.
        """
        self.connect_near()
        self.splice.abort()
        self.assertEqual(self.ended, [])
        self.pump()
        self.assertEqual(self.near.lost, ConnectionLost)
        self.assertEqual(self.ended, [(0, 0)])
        self.connect_far()
        self.pump()
        self.assertEqual(self.far.lost, ConnectionLost)
        self.assertEqual(self.ended, [(0, 0)])

    def test_abort_before_either(self) -> None:
        """
        A splice that is aborted before anything is there has ended.
        """
        self.splice.abort()
        self.assertEqual(self.ended, [(0, 0)])

    def test_passed_on(self) -> None:
        """
        A protocol that has switched may pass on to an end what it is told, instead of being replaced.
        """
        left = self.splice.left

        class Switched(Protocol):
            """
            Was something else before.
            """

            def makeConnection(self, transport: ITransport) -> None:
                left.makeConnection(transport)

            def dataReceived(self, data: bytes) -> None:
                left.dataReceived(data)

            def readConnectionLost(self) -> None:
                left.readConnectionLost()

            def writeConnectionLost(self) -> None:
                left.writeConnectionLost()

            def connectionLost(self, reason: Failure = connectionDone) -> None:
                left.connectionLost(reason)

        switched = Switched()
        directlyProvides(switched, IHalfCloseableProtocol)
        self.near_pipe.connect(self.near, switched)
        self.connect_far()
        self.near_end.write(MUCH)
        self.near_end.loseWriteConnection()
        self.pump()
        self.assertEqual((self.far.received, read_ends(self.far)), (MUCH, 1))
        self.far_end.loseWriteConnection()
        self.pump()
        self.near_end.loseConnection()
        self.far_end.loseConnection()
        self.pump()
        self.assert_over(len(MUCH), 0)

    def test_who_was_last(self) -> None:
        """
        A splice knows which side has sent something last.
        """
        self.join()
        self.assertIsNone(self.splice.last)
        for end, expected in (
            (self.near_end, self.splice.left),
            (self.far_end, self.splice.right),
            (self.near_end, self.splice.left),
        ):
            end.write(b"x")
            self.pump()
            self.assertIs(self.splice.last, expected)

    def test_break_seen_to(self) -> None:
        """
        Who wants to may see to the end of the other side when one breaks; not when it closes in good order.
        """
        told: list[tuple[object, bool]] = []

        def broken(answer: bool, end: object, reason: Failure) -> bool:
            told.append((end, reason.check(ConnectionLost) is not None))
            return answer

        for seen_to in (True, False):
            self.setUp()
            told.clear()
            self.splice = Splice(lambda left, right: self.ended.append((left, right)), partial(broken, seen_to))
            self.join()
            self.far_end.abortConnection()
            self.pump()
            self.assertEqual(told, [(self.splice.right, True)])
            self.assertIs(self.near.lost, None if seen_to else ConnectionLost)
            if seen_to:
                self.assertEqual(self.ended, [])
                self.near_end.write(b"into the void")
                self.near_end.loseConnection()
                self.pump()
            self.assertEqual(len(self.ended), 1)
            self.assertEqual(len(told), 1)
            self.setUp()

    def test_close_is_no_break(self) -> None:
        """
        Nobody is asked when one closes in good order.
        """
        told: list[object] = []

        def broken(end: object, reason: Failure) -> bool:
            told.append(end)
            return True

        self.splice = Splice(lambda left, right: self.ended.append((left, right)), broken)
        self.join()
        for end in (self.far_end, self.near_end):
            end.loseConnection()
        self.pump()
        self.assertEqual((told, len(self.ended)), ([], 1))

    @settings(derandomize=True, deadline=None, max_examples=60)
    @given(
        st.lists(
            st.tuples(
                st.sampled_from(["near", "far"]),
                st.sampled_from(["write", "write", "write", "end", "pause", "resume", "pump", "close", "abort"]),
            ),
            max_size=20,
        )
    )
    def test_any_order(self, steps: list[tuple[str, str]]) -> None:
        """
        Whatever the outer ends do, each receives a beginning of what the other sent, and all of it if
        neither closed or broke; and the splice ends once.
        """
        self.setUp()
        self.join()
        ends = {"near": self.near_end, "far": self.far_end}
        protocols = {"near": self.near, "far": self.far}
        sent = {"near": b"", "far": b""}
        for number, (side, action) in enumerate(steps):
            end = ends[side]
            if action == "write":
                data = bytes([number]) * 50_000
                if end.connected and not write_ends(protocols[side]):
                    sent[side] += data
                end.write(data)
            elif action == "end":
                end.loseWriteConnection()
            elif action == "pause":
                end.pauseProducing()
            elif action == "resume":
                end.resumeProducing()
            elif action == "close":
                end.loseConnection()
            elif action == "abort":
                end.abortConnection()
            else:
                self.pump()
        for end in ends.values():
            end.resumeProducing()
        self.pump()
        self.assertTrue(sent["near"].startswith(self.far.received))
        self.assertTrue(sent["far"].startswith(self.near.received))
        if not any(action in ("close", "abort") for _, action in steps):
            self.assertEqual((self.near.received, self.far.received), (sent["far"], sent["near"]))
        for end in ends.values():
            end.abortConnection()
        self.pump()
        for end in (self.near_pipe.right, self.far_pipe.left):
            if end.connected:
                self.assertFalse(end.reading)
        self.splice.abort()
        self.pump()
        self.assertEqual(len(self.ended), 1)
