"""
What every transport has to do, whatever it is made of.

The same tests run on Twisted's own TCP transports, on those that send at once, and on the double in
memory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Protocol as Shape
from typing import cast

from twisted.internet.error import ConnectionAborted, ConnectionDone, ConnectionLost
from twisted.internet.interfaces import (
    IConsumer,
    IHalfCloseableDescriptor,
    IProtocol,
    IPullProducer,
    IPushProducer,
    ITCPTransport,
    ITransport,
)
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer
from zope.interface.verify import verifyObject

from pico.net.transport import StreamTransport
from pico.testing import HalfCloseRecordingProtocol, RecordingProducer, RecordingProtocol
from tests.mixin import Mixin

#: More than all buffers between two transports hold.
MUCH = bytes(range(256)) * 4096


class Transport(StreamTransport, Shape):
    """
    What the tests call.
    """

    protocol: IProtocol

    def writeSequence(self, data: Iterable[bytes | memoryview], /) -> None: ...
    def stopProducing(self) -> None: ...


class Pair(Shape):
    """
    Two connected transports.
    """

    @property
    def left(self) -> Transport: ...
    @property
    def right(self) -> Transport: ...

    def pump(self) -> object:
        """
        Let everything happen that happens by itself.
        """


class Chatter(HalfCloseRecordingProtocol):
    """
    Writes as long as it may: a streaming producer.
    """

    transport: ITCPTransport

    def __init__(self, data: bytes, size: int) -> None:
        super().__init__()
        self.pending = [data[at : at + size] for at in range(0, len(data), size)][::-1]
        self.paused = False
        self.pauses = 0
        self.most = 0

    def connectionMade(self) -> None:
        """
        Begin.
        """
        cast(IConsumer, self.transport).registerProducer(implementer(IPushProducer)(self), True)
        self.resumeProducing()

    def pauseProducing(self) -> None:
        """
        Stop writing.
        """
        self.paused = True
        self.pauses += 1

    def resumeProducing(self) -> None:
        """
        Write on.
        """
        self.paused = False
        while self.pending and not self.paused:
            self.transport.write(self.pending.pop())
        if not self.pending and not self.paused:
            cast(IConsumer, self.transport).unregisterProducer()
            self.transport.loseConnection()

    def stopProducing(self) -> None:
        """
        Stop for good.
        """
        self.pending = []


@implementer(IPullProducer)
class Puller:
    """
    Writes one piece whenever it is asked: a pull producer.
    """

    def __init__(self, transport: Transport, pieces: list[bytes]) -> None:
        self.transport = transport
        self.pieces = pieces
        self.stopped = 0

    def resumeProducing(self) -> None:
        """
        Write a piece.
        """
        if self.pieces:
            self.transport.write(self.pieces.pop(0))
        else:
            self.transport.unregisterProducer()
            self.transport.loseConnection()

    def stopProducing(self) -> None:
        """
        Count.
        """
        self.stopped += 1


class LastWords(RecordingProducer):
    """
    Writes a last piece whenever it is resumed.
    """

    def __init__(self, transport: Transport) -> None:
        super().__init__()
        self.transport = transport

    def resumeProducing(self) -> None:
        """
        Write.
        """
        self.transport.write(b"last words")


class Reacting(HalfCloseRecordingProtocol):
    """
    Does something when something is received.
    """

    transport: ITCPTransport

    def __init__(self, react: Callable[[bytes], None]) -> None:
        super().__init__()
        self.react = react

    def dataReceived(self, data: bytes) -> None:
        """
        Remember and react.
        """
        super().dataReceived(data)
        self.react(data)


class Parting(RecordingProtocol):
    """
    Writes when it is too late.
    """

    transport: ITCPTransport

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """
        Write into the void.
        """
        super().connectionLost(reason)
        self.transport.write(b"too late")
        self.transport.loseConnection()
        self.transport.abortConnection()


def read_ends(protocol: RecordingProtocol) -> int:
    """
    How often a protocol that knows of half-closing was told that its peer had sent everything.
    """
    assert isinstance(protocol, HalfCloseRecordingProtocol)
    return protocol.read_ends


def write_ends(protocol: RecordingProtocol) -> int:
    """
    How often it was told that its own end was sent.
    """
    assert isinstance(protocol, HalfCloseRecordingProtocol)
    return protocol.write_ends


class TransportTests(Mixin):
    """
    The behaviours. Mix into a test case that knows how to make a pair.
    """

    def make_pair(self, left: Protocol, right: Protocol) -> Pair:
        """
        Connect two protocols. Less than :data:`MUCH` must fit between them.
        """
        raise NotImplementedError

    def begin(self, left: RecordingProtocol | None = None, right: RecordingProtocol | None = None) -> None:
        """
        Make a pair; without other wishes, of protocols that remember everything.
        """
        self.here = left if left is not None else HalfCloseRecordingProtocol()
        self.there = right if right is not None else HalfCloseRecordingProtocol()
        self.pair = self.make_pair(self.here, self.there)
        self.left = self.pair.left
        self.right = self.pair.right
        self.pump = self.pair.pump

    def assert_lost(self, protocol: RecordingProtocol, *reasons: type[BaseException]) -> None:
        """
        The connection was lost exactly once, and for one of these reasons.
        """
        self.assertEqual(len(protocol.reasons), 1)
        self.assertIn(protocol.lost, reasons)

    # Interfaces

    def test_interfaces(self) -> None:
        """
        A transport is all that protocols expect of one.
        """
        self.begin()
        for interface in (ITransport, IConsumer, IPushProducer, IHalfCloseableDescriptor):
            verifyObject(interface, self.left)

    # Writing

    def test_order(self) -> None:
        """
        Bytes arrive in the order in which they were written.
        """
        self.begin()
        self.left.write(b"one")
        self.left.writeSequence([b"two", b"three"])
        self.left.write(b"four")
        self.pump()
        self.assertEqual(self.there.received, b"onetwothreefour")
        self.assertEqual(self.here.received, b"")

    def test_both_ways(self) -> None:
        """
        Each side can send while the other does.
        """
        self.begin()
        self.left.write(b"to the right")
        self.right.write(b"to the left")
        self.pump()
        self.assertEqual((self.here.received, self.there.received), (b"to the left", b"to the right"))

    def test_more_than_fits(self) -> None:
        """
        What does not fit at once is sent later, in order, with what was written after it.
        """
        self.begin()
        self.left.write(MUCH)
        self.left.write(b"and more")
        self.left.writeSequence([b", ", b"and", b" more"])
        self.pump()
        self.assertEqual(self.there.received, MUCH + b"and more, and more")

    def test_sequence_more_than_fits(self) -> None:
        """
        A long sequence is sent whole, wherever the room ends within it.
        """
        self.begin()
        pieces = [MUCH[at : at + 29_989] for at in range(0, len(MUCH), 29_989)]
        self.left.writeSequence(pieces)
        self.left.writeSequence(pieces)
        self.pump()
        self.assertEqual(self.there.received, MUCH + MUCH)

    def test_sequence_of_many(self) -> None:
        """
        A sequence may have more pieces than the kernel takes in one call.
        """
        self.begin()
        self.left.writeSequence([b"%08d" % number for number in range(5000)])
        self.pump()
        self.assertEqual(self.there.received, b"".join(b"%08d" % number for number in range(5000)))

    def test_nothing(self) -> None:
        """
        Writing nothing sends nothing.
        """
        self.begin()
        self.left.write(b"")
        self.left.writeSequence([])
        self.left.writeSequence([b"", b""])
        self.pump()
        self.assertEqual(self.there.pieces, [])

    def test_only_bytes(self) -> None:
        """
        Anything but bytes is refused, now and not later.
        """
        self.begin()
        with self.assertRaises(TypeError):
            self.left.write("text")  # type: ignore[arg-type]  # the mistake that is refused
        with self.assertRaises(TypeError):
            self.left.write(bytearray(b"may change"))  # type: ignore[arg-type]  # the mistake that is refused
        with self.assertRaises(TypeError):
            self.left.writeSequence(["text"])  # type: ignore[list-item]  # the mistake that is refused

    def test_echo(self) -> None:
        """
        A protocol may write while it receives.
        """
        there = Reacting(lambda data: there.transport.write(data))
        self.begin(right=there)
        self.left.write(MUCH)
        self.pump()
        self.assertEqual(self.here.received, MUCH)

    def test_write_when_lost(self) -> None:
        """
        Writing to a connection that is gone does nothing.
        """
        here = Parting()
        self.begin(left=here)
        self.left.loseConnection()
        self.pump()
        self.left.write(b"too late")
        self.left.writeSequence([b"too", MUCH])
        self.pump()
        self.assertEqual(self.there.received, b"")
        self.assert_lost(self.here, ConnectionDone)

    def test_write_when_peer_gone(self) -> None:
        """
        Neither does it when the peer ended the connection.
        """
        self.begin(left=RecordingProtocol())
        self.right.loseConnection()
        self.pump()
        self.assert_lost(self.here, ConnectionDone)
        self.left.write(b"too late")
        self.left.writeSequence([b"too", MUCH])
        self.pump()
        self.assert_lost(self.here, ConnectionDone)

    # Closing

    def test_close(self) -> None:
        """
        Closing ends both sides in good order.
        """
        self.begin(right=RecordingProtocol())
        self.left.loseConnection()
        self.pump()
        self.assert_lost(self.here, ConnectionDone)
        self.assert_lost(self.there, ConnectionDone)

    def test_close_after_write(self) -> None:
        """
        What was written before closing arrives.
        """
        self.begin(right=RecordingProtocol())
        self.left.write(b"farewell")
        self.left.loseConnection()
        self.pump()
        self.assertEqual(self.there.received, b"farewell")
        self.assert_lost(self.here, ConnectionDone)
        self.assert_lost(self.there, ConnectionDone)

    def test_close_after_much(self) -> None:
        """
        Closing waits for what is queued.
        """
        self.begin(right=RecordingProtocol())
        self.left.write(MUCH)
        self.left.loseConnection()
        self.pump()
        self.assertEqual(self.there.received, MUCH)
        self.assert_lost(self.here, ConnectionDone)
        self.assert_lost(self.there, ConnectionDone)

    def test_write_after_close(self) -> None:
        """
        What is written while a closing transport still exists is sent as well.
        """
        for before in (b"", b"one", MUCH):
            self.begin(right=RecordingProtocol())
            self.left.write(before)
            self.left.loseConnection()
            self.left.write(b"two")
            self.left.writeSequence([b"three", MUCH])
            self.pump()
            self.assertEqual(self.there.received, before + b"twothree" + MUCH)
            self.assert_lost(self.here, ConnectionDone)

    def test_close_twice(self) -> None:
        """
        Closing again changes nothing.
        """
        self.begin()
        self.left.loseConnection()
        self.left.loseConnection()
        self.pump()
        self.left.loseConnection()
        self.pump()
        self.assert_lost(self.here, ConnectionDone)

    def test_deaf_once_closing(self) -> None:
        """
        A transport that closes delivers nothing any more.
        """
        self.begin()
        self.left.write(MUCH)
        self.left.loseConnection()
        self.right.write(b"not heard")
        self.pump()
        self.assertEqual(self.here.received, b"")

    def test_peer_closed(self) -> None:
        """
        Writing to a peer that has closed breaks the connection, once, and not within write.
        """
        self.begin(left=HalfCloseRecordingProtocol(), right=RecordingProtocol())
        self.right.loseConnection()
        self.pump()
        self.assertEqual(read_ends(self.here), 1)
        for _ in range(4):
            self.left.write(b"anybody there?")
            self.left.writeSequence([b"hello", MUCH])
            if not self.here.reasons:
                self.pump()
        self.assert_lost(self.here, ConnectionLost)

    def test_peer_closed_with_much_queued(self) -> None:
        """
        A peer that closes while bytes wait for it breaks the connection.
        """
        self.begin(right=RecordingProtocol())
        self.right.pauseProducing()
        self.left.write(MUCH)
        self.pump()
        self.right.loseConnection()
        self.pump()
        self.assert_lost(self.here, ConnectionLost)
        self.assert_lost(self.there, ConnectionDone)

    # Half-closing

    def test_half_close(self) -> None:
        """
        One side ends what it sends and still receives.
        """
        self.begin()
        self.left.write(b"question")
        self.left.loseWriteConnection()
        self.pump()
        self.assertEqual(self.there.received, b"question")
        self.assertEqual((read_ends(self.there), write_ends(self.here)), (1, 1))
        self.right.write(b"answer")
        self.pump()
        self.assertEqual(self.here.received, b"answer")
        self.assertEqual(self.here.reasons + self.there.reasons, [])

    def test_half_close_after_much(self) -> None:
        """
        The end comes after everything that is queued.
        """
        self.begin()
        self.left.write(MUCH)
        self.left.loseWriteConnection()
        self.assertEqual(write_ends(self.here), 0)
        self.pump()
        self.assertEqual(self.there.received, MUCH)
        self.assertEqual((read_ends(self.there), write_ends(self.here)), (1, 1))

    def test_write_after_half_close(self) -> None:
        """
        What is written before the end has gone goes before it; what is written later is dropped.
        """
        self.begin()
        self.left.loseWriteConnection()
        self.left.write(b"just in time")
        self.pump()
        self.left.write(b"too late")
        self.left.writeSequence([b"too late", MUCH])
        self.pump()
        self.assertEqual(self.there.received, b"just in time")
        self.assertEqual(self.here.reasons, [])

    def test_both_half_close(self) -> None:
        """
        When both sides have ended, closing ends both connections at once and in good order.
        """
        self.begin()
        self.left.loseWriteConnection()
        self.pump()
        self.right.loseWriteConnection()
        self.pump()
        self.assertEqual((read_ends(self.here), read_ends(self.there)), (1, 1))
        self.left.loseConnection()
        self.right.loseConnection()
        self.pump()
        self.assert_lost(self.here, ConnectionDone)
        self.assert_lost(self.there, ConnectionDone)

    def test_half_close_of_simple_protocol(self) -> None:
        """
        A protocol that knows nothing of half-closing is closed when its peer ends.
        """
        self.begin(right=RecordingProtocol())
        self.left.write(b"bye")
        self.left.loseWriteConnection()
        self.pump()
        self.assertEqual(self.there.received, b"bye")
        self.assert_lost(self.there, ConnectionDone)

    def test_resumed_after_end(self) -> None:
        """
        Whoever resumes a transport whose peer has ended reads the end again.
        """
        self.begin()
        self.right.loseWriteConnection()
        self.pump()
        self.left.resumeProducing()
        self.pump()
        self.assertEqual(read_ends(self.here), 2)

    # Aborting

    def test_abort(self) -> None:
        """
        Aborting ends this side later in the turn, whatever is queued.
        """
        self.begin()
        self.left.write(MUCH)
        self.left.abortConnection()
        self.assertEqual(self.here.reasons, [])
        self.pump()
        self.assert_lost(self.here, ConnectionAborted)
        self.assertLess(len(self.there.received), len(MUCH))

    def test_write_after_abort(self) -> None:
        """
        Nothing is sent after an abort.
        """
        self.begin()
        self.left.abortConnection()
        self.left.write(b"too late")
        self.left.writeSequence([b"too late", MUCH])
        self.pump()
        self.assertEqual(self.there.received, b"")
        self.assert_lost(self.here, ConnectionAborted)

    def test_abort_twice(self) -> None:
        """
        Aborting again, or closing, changes nothing.
        """
        self.begin()
        self.left.abortConnection()
        self.left.abortConnection()
        self.left.loseConnection()
        self.pump()
        self.assert_lost(self.here, ConnectionAborted)

    def test_deaf_once_aborting(self) -> None:
        """
        A transport that aborts delivers nothing any more.
        """
        self.begin()
        self.right.write(b"not heard")
        self.left.abortConnection()
        self.pump()
        self.assertEqual(self.here.received, b"")

    # Producers

    def test_streaming_producer(self) -> None:
        """
        A producer that writes until it is paused gets everything through, and is paused on the way.
        """
        chatter = Chatter(MUCH, 50_000)
        self.begin(left=chatter, right=RecordingProtocol())
        self.pump()
        self.assertEqual(self.there.received, MUCH)
        self.assertGreater(chatter.pauses, 0)
        self.assert_lost(self.here, ConnectionDone)

    def test_large_pieces(self) -> None:
        """
        A producer of pieces larger than any buffer is paused after each.
        """
        chatter = Chatter(MUCH, 300_000)
        self.begin(left=chatter, right=RecordingProtocol())
        self.pump()
        self.assertEqual(self.there.received, MUCH)
        self.assertGreater(chatter.pauses, 1)

    def test_pause_and_resume(self) -> None:
        """
        A producer is paused when too much is queued, and resumed once, when nothing is any more.
        """
        self.begin()
        producer = RecordingProducer()
        self.left.registerProducer(producer, True)
        self.right.pauseProducing()
        self.left.write(b"little")
        self.pump()
        self.assertEqual(producer.calls, [])
        self.left.write(MUCH)
        self.pump()
        self.assertEqual(producer.calls, ["pause"])
        self.right.resumeProducing()
        self.pump()
        self.assertEqual(producer.calls, ["pause", "resume"])
        self.left.write(b"little")
        self.pump()
        self.assertEqual(producer.calls, ["pause", "resume"])
        self.assertEqual(self.there.received, b"little" + MUCH + b"little")

    def test_pull_producer(self) -> None:
        """
        A pull producer is asked again and again until it has no more.
        """
        pieces = [MUCH[:100_000], b"small", MUCH, b"", b"last"]
        self.begin(right=RecordingProtocol())
        # Asked again only after it has written something, as ever.
        producer = Puller(self.left, [piece for piece in pieces if piece])
        self.left.registerProducer(producer, False)
        self.pump()
        self.assertEqual(self.there.received, b"".join(pieces))
        self.assert_lost(self.here, ConnectionDone)

    def test_producer_keeps_open(self) -> None:
        """
        A paused producer keeps a closing transport open until it is unregistered.
        """
        self.begin(right=RecordingProtocol())
        self.left.registerProducer(RecordingProducer(), True)
        self.left.write(MUCH)
        self.left.loseConnection()
        self.pump()
        self.assertEqual(self.here.reasons, [])
        self.left.unregisterProducer()
        self.pump()
        self.assertEqual(self.there.received, MUCH)
        self.assert_lost(self.here, ConnectionDone)

    def test_closing_producer_writes(self) -> None:
        """
        A producer of a closing transport writes on when it is resumed, and then the transport closes.
        """
        self.begin(right=RecordingProtocol())
        producer = LastWords(self.left)
        self.left.registerProducer(producer, True)
        self.left.write(MUCH)
        self.left.loseConnection()
        self.pump()
        self.assertEqual(self.there.received, MUCH + b"last words")
        self.assert_lost(self.here, ConnectionDone)

    def test_half_closing_producer_writes(self) -> None:
        """
        A producer of a half-closing transport writes on when it is resumed, and then the end is sent.
        """
        self.begin()
        producer = LastWords(self.left)
        self.left.registerProducer(producer, True)
        self.left.write(MUCH)
        self.left.loseWriteConnection()
        self.pump()
        self.assertEqual(self.there.received, MUCH + b"last words")
        self.assertEqual(read_ends(self.there), 1)

    def test_one_producer(self) -> None:
        """
        A transport has one producer at a time.
        """
        self.begin()
        self.left.registerProducer(RecordingProducer(), True)
        with self.assertRaises(RuntimeError):
            self.left.registerProducer(RecordingProducer(), True)
        self.left.unregisterProducer()
        self.left.registerProducer(RecordingProducer(), True)

    def test_producer_stopped(self) -> None:
        """
        A producer is stopped when the connection is lost, and at once when it was lost before.
        """
        self.begin()
        early, late = RecordingProducer(), RecordingProducer()
        self.left.registerProducer(early, True)
        self.left.abortConnection()
        self.pump()
        self.left.registerProducer(late, True)
        self.assertEqual((early.calls, late.calls), (["stop"], ["stop"]))

    # Being a producer

    def test_paused_reading(self) -> None:
        """
        A paused transport delivers nothing; resumed, it goes on where it stopped.
        """
        self.begin()
        self.right.pauseProducing()
        self.left.write(b"one")
        self.pump()
        self.assertEqual(self.there.received, b"")
        self.left.write(b"two")
        self.right.resumeProducing()
        self.pump()
        self.assertEqual(self.there.received, b"onetwo")

    def test_pause_within_delivery(self) -> None:
        """
        A protocol may pause its transport while it receives.
        """
        there = Reacting(lambda data: cast(IPushProducer, there.transport).pauseProducing())
        self.begin(right=there)
        self.left.write(MUCH)
        self.pump()
        self.assertEqual(len(there.pieces), 1)
        while len(there.received) < len(MUCH):
            self.right.resumeProducing()
            self.pump()
        self.assertEqual(there.received, MUCH)

    def test_paused_end(self) -> None:
        """
        A paused transport does not tell that its peer has ended either.
        """
        self.begin()
        self.right.pauseProducing()
        self.left.write(b"last")
        self.left.loseWriteConnection()
        self.pump()
        self.assertEqual(read_ends(self.there), 0)
        self.right.resumeProducing()
        self.pump()
        self.assertEqual((self.there.received, read_ends(self.there)), (b"last", 1))

    def test_stop_producing(self) -> None:
        """
        Stopping a transport as a producer closes it.
        """
        self.begin(right=RecordingProtocol())
        self.left.write(b"bye")
        self.left.stopProducing()
        self.pump()
        self.assertEqual(self.there.received, b"bye")
        self.assert_lost(self.here, ConnectionDone)

    def test_close_within_delivery(self) -> None:
        """
        A protocol may close or abort its transport while it receives.
        """
        for end, reason in (("loseConnection", ConnectionDone), ("abortConnection", ConnectionAborted)):

            def react(data: bytes, end: str = end) -> None:
                getattr(self.right, end)()

            there = Reacting(react)
            self.begin(right=there)
            self.left.write(b"x")
            self.pump()
            self.assertEqual(there.received, b"x")
            self.assert_lost(there, reason)

    def test_replaced_protocol(self) -> None:
        """
        Another protocol can take over a transport.
        """
        self.begin()
        self.left.write(b"one")
        self.pump()
        successor = HalfCloseRecordingProtocol()
        self.right.protocol = successor
        self.left.write(b"two")
        self.left.loseWriteConnection()
        self.pump()
        self.assertEqual((self.there.received, successor.received), (b"one", b"two"))
        self.assertEqual((read_ends(self.there), successor.read_ends), (0, 1))


class BreakingTests(TransportTests):
    """
    What happens to the other side when one breaks the connection. UNIX sockets know no such thing.
    """

    def test_peer_aborts(self) -> None:
        """
        A side that aborts breaks the other one's connection, which does not look like an end.
        """
        self.begin()
        self.left.abortConnection()
        self.pump()
        self.assert_lost(self.there, ConnectionLost)
        self.assertEqual(read_ends(self.there), 0)

    def test_peer_aborts_after_write(self) -> None:
        """
        What had arrived before the other side aborted is still delivered.
        """
        self.begin()
        self.right.pauseProducing()
        self.left.write(b"before")
        self.pump()
        self.left.abortConnection()
        self.pump()
        self.right.resumeProducing()
        self.pump()
        self.assertEqual(self.there.received, b"before")
        self.assert_lost(self.there, ConnectionLost)

    def test_paused_peer_aborts(self) -> None:
        """
        A paused transport learns of the break when it is resumed.
        """
        self.begin()
        self.right.pauseProducing()
        self.left.abortConnection()
        self.pump()
        self.assertEqual(self.there.reasons, [])
        self.right.resumeProducing()
        self.pump()
        self.assert_lost(self.there, ConnectionLost)

    def test_write_finds_broken(self) -> None:
        """
        A write that finds the connection broken does not make the break look like an end.
        """
        self.begin()
        self.right.pauseProducing()
        self.left.abortConnection()
        self.pump()
        self.right.resumeProducing()
        self.right.write(b"anybody there?")
        self.assertEqual(self.there.reasons, [])
        self.pump()
        self.assert_lost(self.there, ConnectionLost)
        self.assertEqual(read_ends(self.there), 0)

    def test_close_with_unread_bytes(self) -> None:
        """
        Closing before everything was read looks like an end to the peer, and breaks once it writes.
        """
        self.begin(right=RecordingProtocol())
        self.right.pauseProducing()
        self.left.write(b"not read")
        self.pump()
        self.right.loseConnection()
        self.pump()
        self.assert_lost(self.there, ConnectionDone)
        self.assertEqual((read_ends(self.here), self.here.reasons), (1, []))
        self.left.write(b"anybody there?")
        self.pump()
        self.assert_lost(self.here, ConnectionLost)
