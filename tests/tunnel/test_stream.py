"""
Tests for :mod:`pico.tunnel.stream`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

from twisted.internet.error import ConnectionAborted, ConnectionDone, ConnectionLost
from twisted.internet.interfaces import IConsumer, IHalfCloseableDescriptor, IPushProducer, ITransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from pico.net.http.transport import IStreamTransport
from pico.tunnel.reasons import StreamOverflowed, StreamRefused, StreamReset, StreamTimedOut
from pico.tunnel.session import TunnelSettings
from pico.tunnel.stream import HIGH_WATER, LOW_WATER, TunnelStream
from pico.wire.yamux.frames import ACK, FIN, SYN
from pico.wire.yamux.limits import Limits
from tests.tunnel.support import Alone, HalfCloser, Joined, Producer, Recorder
from tests.wire.yamux.support import W, ack, data, fin, frames, rst, syn, window


def attached(alone: Alone, protocol: Recorder | None = None) -> Recorder:
    """
    A stream of ours that the peer has taken.
    """
    protocol = alone.open(protocol)
    alone.said()
    alone.hear(ack(protocol.stream.id))
    return protocol


class InterfaceTests(SynchronousTestCase):
    """
    What a stream claims to be.
    """

    def test_interfaces(self) -> None:
        """
        A stream is a transport, a consumer, a producer and half-closeable.
        """
        stream = Alone().open().stream
        for interface in (ITransport, IConsumer, IPushProducer, IHalfCloseableDescriptor, IStreamTransport):
            self.assertTrue(verifyObject(interface, stream))

    def test_addresses(self) -> None:
        """
        A stream's addresses are those of its tunnel.
        """
        alone = Alone()
        stream = alone.open().stream
        self.assertEqual(alone.carrier.getPeer(), stream.getPeer())
        self.assertEqual(alone.carrier.getHost(), stream.getHost())

    def test_no_dictionary(self) -> None:
        """
        Streams, of which there are many, have no room for stray attributes.
        """
        self.assertRaises(AttributeError, setattr, Alone().open().stream, "surplus", 1)

    def test_names_itself(self) -> None:
        """
        A stream in a log says which and how far it is.
        """
        self.assertEqual("<TunnelStream 2 with one>", repr(Alone().open().stream))


class AttachTests(SynchronousTestCase):
    """
    Protocols come to streams.
    """

    def test_opened(self) -> None:
        """
        A protocol is connected at once, and what it writes leaves with the SYN at the end of the turn.
        """
        alone = Alone()
        protocol = HalfCloser()
        stream = alone.session.open_stream()
        stream.attach(protocol)
        stream.write(b"GET")
        self.assertEqual(["made"], protocol.log)
        self.assertTrue(stream.connected)
        self.assertEqual([], alone.carrier.written)
        self.assertEqual(syn(2) + data(2, b"GET"), alone.said())
        self.assertFalse(stream.acked)
        alone.hear(ack(2))
        self.assertTrue(stream.acked)
        alone.end()

    def test_accepted_on_attach(self) -> None:
        """
        The peer's stream is accepted when a protocol is attached, and what came before is delivered then.
        """
        alone = Alone()
        alone.hear(syn(1) + data(1, b"GET") + data(1, b" /") + fin(1))
        self.assertEqual(b"", alone.said())
        protocol = HalfCloser()
        alone.offered[0].attach(protocol)
        self.assertEqual(["made", "data", "read lost"], protocol.log)
        self.assertEqual(b"GET /", protocol.received)
        self.assertEqual(ack(1), alone.said())

    def test_paused_when_connected(self) -> None:
        """
        A protocol that pauses while it is being connected gets nothing before it resumes.
        """

        class Pausing(HalfCloser):
            def connectionMade(self) -> None:
                super().connectionMade()
                self.stream.pauseProducing()

        alone = Alone()
        alone.hear(syn(1) + data(1, b"early"))
        protocol = Pausing()
        alone.offered[0].attach(protocol)
        alone.turn()
        self.assertEqual(["made"], protocol.log)
        protocol.stream.resumeProducing()
        alone.turn()
        self.assertEqual(b"early", protocol.received)

    def test_replaced(self) -> None:
        """
        Another protocol takes over; it is the one that hears of the end.
        """
        alone = Alone()
        first = attached(alone)
        second = HalfCloser()
        first.stream.protocol = second
        alone.hear(data(2, b"for the second") + rst(2))
        self.assertEqual((["made"], ["data", "lost"]), (first.log, second.log))

    def test_detached(self) -> None:
        """
        Without a protocol bytes are held; attaching one again delivers them.
        """
        alone = Alone()
        first, second = attached(alone), HalfCloser()
        stream = first.stream
        stream.protocol = None
        alone.hear(data(2, b"held"))
        self.assertEqual(b"", first.received)
        stream.attach(second)
        self.assertEqual(b"held", second.received)
        alone.hear(data(2, b" on"))
        self.assertEqual(b"held on", second.received)

    def test_refused_without_attaching(self) -> None:
        """
        Aborting or closing a stream that nobody attached to refuses it.
        """
        for verb in (TunnelStream.abortConnection, TunnelStream.loseConnection):
            alone = Alone()
            alone.hear(syn(1) + data(1, b"GET"))
            verb(alone.offered[0])
            self.assertEqual(rst(1), alone.said())
            alone.end()

    def test_attached_too_late(self) -> None:
        """
        A protocol that comes to a stream that is gone is told so at the end of the turn.
        """
        alone = Alone()
        alone.hear(syn(1) + rst(1))
        protocol = HalfCloser()
        alone.offered[0].attach(protocol)
        self.assertEqual(["made"], protocol.log)
        alone.turn()
        self.assertEqual(["made", "lost"], protocol.log)
        alone.end()

    def test_attached_while_it_is_lost(self) -> None:
        """
        So is one that comes in the turn in which the stream was aborted.
        """
        alone = Alone()
        stream = alone.session.open_stream()
        stream.abortConnection()
        protocol = HalfCloser()
        stream.attach(protocol)
        alone.turn()
        self.assertEqual(["made", "lost"], protocol.log)


class WriteTests(SynchronousTestCase):
    """
    Bytes out.
    """

    def test_one_flush(self) -> None:
        """
        What all streams write in a turn leaves as one write to the carrier, each stream's pieces as one
        frame.
        """
        alone = Alone()
        protocols = [alone.open() for _ in range(3)]
        for protocol in protocols:
            protocol.stream.write(b"head ")
        for protocol in protocols:
            protocol.stream.writeSequence([b"bo", b"", b"dy"])
        self.assertEqual(1, len(alone.clock.getDelayedCalls()) - 1)
        alone.turn()
        self.assertEqual(
            [syn(2) + syn(4) + syn(6) + data(2, b"head body") + data(4, b"head body") + data(6, b"head body")],
            alone.carrier.written,
        )
        self.assertEqual(len(alone.carrier.written[0]), alone.session.bytes_sent)

    def test_bytes_only(self) -> None:
        """
        Text is refused where it is written.
        """
        alone = Alone()
        stream = alone.open().stream
        self.assertRaises(TypeError, stream.write, "text")
        self.assertEqual(syn(2), alone.said())

    def test_not_after_the_end(self) -> None:
        """
        What is written after our side ended, in whatever way, is dropped.
        """
        for verb in (
            TunnelStream.loseConnection,
            TunnelStream.loseWriteConnection,
            TunnelStream.abortConnection,
            TunnelStream.stopProducing,
        ):
            alone = Alone()
            stream = attached(alone).stream
            verb(stream)
            stream.write(b"late")
            stream.writeSequence([b"later"])
            self.assertNotIn(b"late", alone.said())


class ReadTests(SynchronousTestCase):
    """
    Bytes in.
    """

    def test_credit_when_delivered(self) -> None:
        """
        The window is given back for what was delivered, not for what is held.
        """
        alone = Alone(settings=TunnelSettings(limits=Limits(max_window=W)))
        protocol = attached(alone)
        alone.hear(data(2, b"x" * (W // 2)))
        self.assertEqual(window(2, W // 2), alone.said())
        protocol.stream.pauseProducing()
        alone.hear(data(2, b"y" * W))
        self.assertEqual((W // 2, b""), (len(protocol.received), alone.said()))
        protocol.stream.resumeProducing()
        self.assertEqual(window(2, W), alone.said())
        self.assertEqual(W // 2 + W, len(protocol.received))

    def test_resumed_at_the_end_of_the_turn(self) -> None:
        """
        What was held is delivered when the turn ends, never from inside ``resumeProducing``, and in order.
        """
        alone = Alone()
        protocol = attached(alone)
        protocol.stream.pauseProducing()
        alone.hear(data(2, b"1") + data(2, b"2"))
        protocol.stream.resumeProducing()
        alone.session.dataReceived(data(2, b"3"))
        self.assertEqual(b"", protocol.received)
        alone.turn()
        self.assertEqual(b"123", protocol.received)
        alone.hear(data(2, b"4"))
        self.assertEqual(b"1234", protocol.received)

    def test_resumed_with_nothing_held(self) -> None:
        """
        When nothing was held, delivery goes on within the same bytes.
        """
        alone = Alone()

        def pause_and_resume(_: bytes) -> None:
            protocol.stream.pauseProducing()
            protocol.stream.resumeProducing()

        protocol = attached(alone, HalfCloser(pause_and_resume))
        alone.session.dataReceived(data(2, b"1") + data(2, b"2"))
        self.assertEqual(b"12", protocol.received)

    def test_paused_between_held_pieces(self) -> None:
        """
        A protocol that pauses on every piece gets one a time.
        """
        alone = Alone()
        protocol = attached(alone, HalfCloser(lambda _: protocol.stream.pauseProducing()))
        alone.hear(data(2, b"1") + data(2, b"2") + data(2, b"3") + fin(2))
        for expected in (b"1", b"12", b"123"):
            self.assertEqual((expected, ["made", "data"]), (protocol.received, protocol.log))
            protocol.stream.resumeProducing()
            alone.turn()
        self.assertEqual(["made", "data", "read lost"], protocol.log)

    def test_paused_and_resumed_many_times(self) -> None:
        """
        However often it pauses and resumes in one turn, each byte comes once.
        """
        alone = Alone()
        protocol = attached(alone)
        stream = protocol.stream
        stream.pauseProducing()
        alone.hear(data(2, b"abc"))
        for _ in range(3):
            stream.resumeProducing()
            stream.resumeProducing()
            stream.pauseProducing()
        alone.turn()
        self.assertEqual(b"", protocol.received)
        stream.resumeProducing()
        stream.pauseProducing()
        stream.resumeProducing()
        alone.turn()
        self.assertEqual(b"abc", protocol.received)

    def test_end_waits_behind_a_pause(self) -> None:
        """
        A paused protocol hears of the peer's end when it resumes, with or without bytes before it.
        """
        for before in (b"", data(2, b"abc")):
            for kind in (Recorder, HalfCloser):
                alone = Alone()
                protocol = attached(alone, kind())
                protocol.stream.pauseProducing()
                alone.hear(before + fin(2))
                self.assertEqual(["made"], protocol.log)
                protocol.stream.resumeProducing()
                self.assertEqual(["made"], protocol.log)
                alone.turn()
                end = "lost" if kind is Recorder else "read lost"
                self.assertEqual(["made", *(["data"] if before else []), end], protocol.log)

    def test_reset_does_not_wait(self) -> None:
        """
        A reset reaches a paused protocol at once, and what was held is gone.
        """
        alone = Alone()
        protocol = attached(alone)
        protocol.stream.pauseProducing()
        alone.hear(data(2, b"abc"))
        protocol.stream.resumeProducing()
        alone.session.dataReceived(rst(2))
        self.assertEqual(["made", "lost"], protocol.log)
        alone.turn()

    def test_slow_stream_stops_nobody(self) -> None:
        """
        While one stream holds a whole window the others go on.
        """
        joined = Joined(serve=None)
        slow, fast = joined.node.open(), joined.node.open()
        joined.settle()
        for stream in joined.agent.offered:
            stream.attach(HalfCloser())
        held, flowing = joined.agent.offered
        holding, taking = cast(HalfCloser, held.protocol), cast(HalfCloser, flowing.protocol)
        held.pauseProducing()
        slow.stream.write(b"s" * (3 * W))
        fast.stream.write(b"f" * (3 * W))
        joined.settle()
        self.assertEqual((0, 3 * W), (len(holding.received), len(taking.received)))
        held.resumeProducing()
        joined.settle()
        self.assertEqual(3 * W, len(holding.received))
        joined.end()


class EndTests(SynchronousTestCase):
    """
    How connections end.
    """

    def test_both_close(self) -> None:
        """
        FIN leaves behind what was written; ``connectionLost`` comes with the peer's FIN.
        """
        alone = Alone()
        protocol = attached(alone)
        protocol.stream.write(b"last words")
        protocol.stream.loseConnection()
        self.assertTrue(protocol.stream.disconnecting)
        self.assertEqual(data(2, b"last words") + fin(2), alone.said())
        self.assertEqual(["made"], protocol.log)
        alone.hear(fin(2))
        self.assertEqual(["made", "lost"], protocol.log)
        self.failureResultOf_(protocol, ConnectionDone)
        alone.end()

    def failureResultOf_(self, protocol: Recorder, kind: type[Exception]) -> None:  # noqa: N802
        """
        Check why a protocol lost its connection.
        """
        self.assertIsInstance(protocol.lost, Failure)
        if protocol.lost is not None:
            self.assertIs(kind, protocol.lost.type)

    def test_late_bytes_are_thrown_away(self) -> None:
        """
        What arrives after ``loseConnection`` is for nobody, and its window is given back so that the peer can
        end.
        """
        alone = Alone(settings=TunnelSettings(limits=Limits(max_window=W)))
        protocol = attached(alone)
        protocol.stream.pauseProducing()
        alone.hear(data(2, b"x" * (W // 2 - 1)))
        protocol.stream.loseConnection()
        self.assertEqual(fin(2), alone.said())
        alone.hear(data(2, b"y"))
        self.assertEqual(window(2, W // 2), alone.said())
        alone.hear(data(2, b"y" * W) + fin(2))
        self.assertEqual(["made", "lost"], protocol.log)
        self.assertEqual(0, alone.session.streams)
        alone.end()

    def test_peer_first_then_we(self) -> None:
        """
        Half-closed by the peer we may still write; then our end is the end, told after the call.
        """
        alone = Alone()
        protocol = attached(alone)
        alone.hear(data(2, b"all") + fin(2))
        self.assertEqual(["made", "data", "read lost"], protocol.log)
        protocol.stream.write(b"answer")
        protocol.stream.loseConnection()
        self.assertEqual(["made", "data", "read lost"], protocol.log)
        self.assertEqual(data(2, b"answer") + fin(2), alone.said())
        self.assertEqual(["made", "data", "read lost", "lost"], protocol.log)
        self.failureResultOf_(protocol, ConnectionDone)
        alone.end()

    def test_half_close_by_us(self) -> None:
        """
        After ``loseWriteConnection`` bytes still come; the protocol hears when its end has left.
        """
        alone = Alone()
        protocol = attached(alone)
        protocol.stream.write(b"request")
        protocol.stream.loseWriteConnection()
        protocol.stream.loseWriteConnection()
        self.assertEqual(["made"], protocol.log)
        self.assertEqual(data(2, b"request") + fin(2), alone.said())
        self.assertEqual(["made", "write lost"], protocol.log)
        alone.hear(data(2, b"response") + fin(2))
        self.assertEqual(["made", "write lost", "data", "read lost", "lost"], protocol.log)
        self.failureResultOf_(protocol, ConnectionDone)
        alone.end()

    def test_half_close_then_close(self) -> None:
        """
        A second FIN is never sent, and closing after both ends is told at the end of the turn.
        """
        alone = Alone()
        protocol = attached(alone)
        protocol.stream.loseWriteConnection()
        protocol.stream.loseConnection()
        protocol.stream.loseConnection()
        self.assertEqual(fin(2), alone.said())
        alone.hear(fin(2))
        self.assertEqual(["made", "lost"], protocol.log)

    def test_close_after_both_ends_while_paused(self) -> None:
        """
        A paused protocol on a stream that both sides have ended may close; it is told at the end of the turn.
        """
        alone = Alone()
        protocol = attached(alone)
        protocol.stream.loseWriteConnection()
        alone.turn()
        protocol.stream.pauseProducing()
        alone.hear(data(2, b"unread") + fin(2))
        self.assertEqual(["made", "write lost"], protocol.log)
        protocol.stream.loseConnection()
        self.assertEqual(["made", "write lost"], protocol.log)
        alone.turn()
        self.assertEqual(["made", "write lost", "lost"], protocol.log)
        self.failureResultOf_(protocol, ConnectionDone)

    def test_peer_ends_and_the_protocol_knows_no_half_close(self) -> None:
        """
        It loses its connection at once; what it wrote still leaves, and our FIN.
        """
        alone = Alone()
        protocol = attached(alone, Recorder())
        protocol.stream.write(b"x" * (W + 10))
        alone.hear(fin(2))
        self.assertEqual(["made", "lost"], protocol.log)
        self.failureResultOf_(protocol, ConnectionDone)
        alone.said()
        self.assertEqual(1, alone.session.streams)
        alone.hear(window(2, 100))
        self.assertEqual(data(2, b"x" * 10) + fin(2), alone.said())
        self.assertEqual(0, alone.session.streams)
        alone.end()

    def test_abort(self) -> None:
        """
        A reset leaves at once instead of what was written; ``connectionLost`` comes at the end of the turn.
        """
        alone = Alone()
        protocol = attached(alone)
        protocol.stream.write(b"never sent")
        protocol.stream.abortConnection()
        protocol.stream.abortConnection()
        protocol.stream.loseConnection()
        self.assertEqual(["made"], protocol.log)
        self.assertEqual(rst(2), alone.said())
        self.assertEqual(["made", "lost"], protocol.log)
        self.failureResultOf_(protocol, ConnectionAborted)
        alone.end()

    def test_abort_while_closing(self) -> None:
        """
        Whoever waits for the peer's end may stop waiting.
        """
        alone = Alone()
        protocol = attached(alone)
        protocol.stream.loseConnection()
        self.assertEqual(fin(2), alone.said())
        protocol.stream.abortConnection()
        self.assertEqual(rst(2), alone.said())
        self.failureResultOf_(protocol, ConnectionAborted)

    def test_our_end_leaves_while_the_peers_is_held(self) -> None:
        """
        When the second FIN is ours and the protocol is paused, it still gets every byte and the peer's end
        first.
        """
        alone = Alone()
        protocol = attached(alone)
        protocol.stream.pauseProducing()
        alone.hear(data(2, b"unread") + fin(2))
        protocol.stream.loseWriteConnection()
        self.assertEqual(fin(2), alone.said())
        self.assertEqual(["made", "write lost"], protocol.log)
        protocol.stream.resumeProducing()
        alone.turn()
        self.assertEqual(["made", "write lost", "data", "read lost", "lost"], protocol.log)
        self.failureResultOf_(protocol, ConnectionDone)

    def test_abort_after_both_ends_while_held(self) -> None:
        """
        A stream that is over on the wire and holds bytes is let go without another word.
        """
        alone = Alone()
        protocol = attached(alone)
        protocol.stream.pauseProducing()
        alone.hear(data(2, b"held") + fin(2))
        protocol.stream.loseWriteConnection()
        alone.said()
        protocol.stream.abortConnection()
        self.assertEqual(b"", alone.said())
        self.assertEqual("lost", protocol.log[-1])

    def test_reset_by_peer(self) -> None:
        """
        A reset before the peer took the stream says that nothing was processed; later it does not.
        """
        for taken, kind in [(False, StreamRefused), (True, StreamReset)]:
            alone = Alone()
            protocol = alone.open()
            alone.said()
            alone.hear((ack(2) if taken else b"") + rst(2))
            self.failureResultOf_(protocol, kind)
            if protocol.lost is not None:
                reason = protocol.lost.value
                assert isinstance(reason, StreamReset), reason
                self.assertIs(not taken, reason.never_processed)
                self.assertTrue(protocol.lost.check(ConnectionLost))
            alone.end()

    def test_reset_while_closing(self) -> None:
        """
        The end that we waited for may be a reset.
        """
        alone = Alone()
        protocol = attached(alone)
        protocol.stream.loseConnection()
        alone.said()
        alone.hear(rst(2))
        self.failureResultOf_(protocol, StreamReset)

    def test_peer_never_ends(self) -> None:
        """
        A peer that does not end after our close is reset when its time is up, and not before.
        """
        alone = Alone(settings=TunnelSettings(keepalive_interval=0, close_timeout=300))
        protocol = attached(alone)
        protocol.stream.loseConnection()
        self.assertEqual(fin(2), alone.said())
        alone.clock.advance(299)
        alone.hear(data(2, b"still here"))
        self.assertEqual((["made"], b""), (protocol.log, alone.said()))
        alone.clock.advance(1)
        self.failureResultOf_(protocol, StreamTimedOut)
        self.assertEqual(rst(2), alone.said())
        alone.end()

    def test_half_close_has_no_limit(self) -> None:
        """
        After ``loseWriteConnection`` the peer may go on for as long as it likes.
        """
        alone = Alone(settings=TunnelSettings(keepalive_interval=0))
        protocol = attached(alone)
        protocol.stream.loseWriteConnection()
        alone.said()
        alone.clock.advance(100_000)
        alone.hear(data(2, b"still here"))
        self.assertEqual(b"still here", protocol.received)

    def test_tunnel_is_lost(self) -> None:
        """
        Every live stream loses its connection with its tunnel, paused or not, whatever it waits for.
        """
        alone = Alone()
        protocols = [attached(alone) for _ in range(4)]
        protocols[1].stream.pauseProducing()
        alone.hear(data(4, b"held"))
        protocols[2].stream.loseConnection()
        protocols[3].stream.loseWriteConnection()
        alone.end()
        for protocol in protocols:
            self.assertEqual("lost", protocol.log[-1])
            self.failureResultOf_(protocol, ConnectionLost)

    def test_what_is_complete_outlives_the_tunnel(self) -> None:
        """
        Bytes of a stream that both sides had ended are delivered even when the tunnel is gone.
        """
        alone = Alone()
        protocol = attached(alone)
        protocol.stream.loseWriteConnection()
        alone.turn()
        protocol.stream.pauseProducing()
        alone.hear(data(2, b"the rest") + fin(2))
        alone.end()
        self.assertEqual(["made", "write lost"], protocol.log)
        protocol.stream.resumeProducing()
        alone.turn()
        self.assertEqual(["made", "write lost", "data", "read lost", "lost"], protocol.log)
        self.failureResultOf_(protocol, ConnectionDone)
        self.assertEqual([], alone.clock.getDelayedCalls())

    def test_overflow(self) -> None:
        """
        The stream that holds most loses its connection when too much is held.
        """
        alone = Alone(settings=TunnelSettings(limits=Limits(max_buffered=1000)))
        first, second = attached(alone), attached(alone)
        for protocol in (first, second):
            protocol.stream.pauseProducing()
        alone.hear(data(2, b"x" * 700) + data(4, b"y" * 301))
        self.failureResultOf_(first, StreamOverflowed)
        self.assertEqual((None, rst(2)), (second.lost, alone.said()))
        second.stream.resumeProducing()
        alone.turn()
        self.assertEqual(b"y" * 301, second.received)


class ProducerTests(SynchronousTestCase):
    """
    Back-pressure towards who writes.
    """

    def producing(self, alone: Alone, protocol: Recorder | None = None) -> tuple[Recorder, Producer]:
        """
        A stream with a producer.
        """
        protocol = attached(alone, protocol)
        producer = Producer()
        protocol.stream.registerProducer(producer, True)
        return protocol, producer

    def test_paused_after_the_flush(self) -> None:
        """
        A producer is paused when the flush left too much, not before, and resumed when little is left.
        """
        alone = Alone()
        protocol, producer = self.producing(alone)
        protocol.stream.write(b"x" * (W + HIGH_WATER))
        self.assertEqual([], producer.log)
        alone.said()
        self.assertEqual([], producer.log)
        protocol.stream.write(b"x")
        self.assertEqual([], producer.log)
        alone.said()
        self.assertEqual(["pause"], producer.log)
        alone.hear(window(2, HIGH_WATER - LOW_WATER))
        self.assertEqual(["pause"], producer.log)
        alone.hear(window(2, 1))
        self.assertEqual(["pause", "resume"], producer.log)

    def test_large_writes_that_leave_pause_nobody(self) -> None:
        """
        What the flush could send never counts.
        """
        alone = Alone()
        protocol, producer = self.producing(alone)
        for _ in range(4):
            protocol.stream.write(b"x" * (W // 4))
        alone.said()
        self.assertEqual([], producer.log)

    def test_full_carrier(self) -> None:
        """
        Producers wait when the carrier takes nothing, each when its own queue is full.
        """
        alone = Alone(capacity=1000)
        eager, eager_producer = self.producing(alone)
        modest, modest_producer = self.producing(alone)
        eager.stream.write(b"x" * 2000)
        alone.turn()
        eager.stream.write(b"e" * (HIGH_WATER + 1))
        modest.stream.write(b"m")
        alone.turn()
        self.assertEqual((["pause"], []), (eager_producer.log, modest_producer.log))
        self.assertEqual(data(2, b"x" * 2000), alone.carrier.take())
        order = [stream_id for _, _, stream_id, _ in frames(b"".join(alone.carrier.written))]
        self.assertLess(order.index(4), 2, "the modest stream waits for one frame of the eager one at most")
        self.assertEqual(2, order[-1])
        self.assertEqual(["pause", "resume"], eager_producer.log)

    def test_resumed_producer_that_writes_again(self) -> None:
        """
        A producer that fills the queue whenever it is resumed is paused again after the next flush.
        """
        alone = Alone()
        protocol = attached(alone)
        producer = Producer(lambda: protocol.stream.write(b"x" * (2 * HIGH_WATER)))
        protocol.stream.registerProducer(producer, True)
        protocol.stream.write(b"x" * (W + HIGH_WATER + 1))
        alone.said()
        alone.hear(window(2, HIGH_WATER + 1))
        self.assertEqual(["pause", "resume", "pause"], producer.log)

    def test_registering(self) -> None:
        """
        One push producer at a time.
        """
        alone = Alone()
        protocol, producer = self.producing(alone)
        self.assertRaises(RuntimeError, protocol.stream.registerProducer, Producer(), True)
        protocol.stream.unregisterProducer()
        self.assertRaises(ValueError, protocol.stream.registerProducer, Producer(), False)
        protocol.stream.registerProducer(Producer(), True)
        self.assertEqual([], producer.log)

    def test_registered_on_a_full_queue(self) -> None:
        """
        A producer that comes to a queue that is full already is paused after the next flush.
        """
        alone = Alone()
        protocol = attached(alone)
        protocol.stream.write(b"x" * (2 * W))
        alone.said()
        producer = Producer()
        protocol.stream.registerProducer(producer, True)
        self.assertEqual([], producer.log)
        alone.turn()
        self.assertEqual(["pause"], producer.log)

    def test_held_back(self) -> None:
        """
        Who holds a producer back pauses it at the end of the turn though nothing is queued, until it may go on.
        """
        alone = Alone()
        protocol, producer = self.producing(alone)
        protocol.stream.hold_back()
        self.assertEqual([], producer.log)
        self.assertEqual(b"", alone.said())
        self.assertEqual(["pause"], producer.log)
        protocol.stream.write(b"x")
        self.assertEqual(data(2, b"x"), alone.said())
        self.assertEqual(["pause"], producer.log)
        protocol.stream.go_ahead()
        self.assertEqual(["pause"], producer.log)
        alone.turn()
        protocol.stream.go_ahead()
        alone.turn()
        self.assertEqual(["pause", "resume"], producer.log)

    def test_held_back_within_a_turn(self) -> None:
        """
        A producer that may go on in the same turn has not been paused.
        """
        alone = Alone()
        protocol, producer = self.producing(alone)
        protocol.stream.hold_back()
        protocol.stream.go_ahead()
        alone.turn()
        self.assertEqual([], producer.log)

    def test_held_back_before_there_is_a_producer(self) -> None:
        """
        A producer that comes later is held back, too.
        """
        alone = Alone()
        protocol = attached(alone)
        protocol.stream.hold_back()
        producer = Producer()
        protocol.stream.registerProducer(producer, True)
        alone.turn()
        self.assertEqual(["pause"], producer.log)

    def test_held_back_with_a_full_queue(self) -> None:
        """
        The queue and whoever holds the producer back must both agree before it goes on, in whichever order.
        """
        for drained_first in (True, False):
            alone = Alone()
            protocol, producer = self.producing(alone)
            protocol.stream.hold_back()
            protocol.stream.write(b"x" * (W + HIGH_WATER + 1))
            alone.said()
            self.assertEqual(["pause"], producer.log)
            for drain in (drained_first, not drained_first):
                self.assertEqual(["pause"], producer.log)
                if drain:
                    alone.hear(window(2, HIGH_WATER + 1))
                    alone.said()
                else:
                    protocol.stream.go_ahead()
                    alone.turn()
            self.assertEqual(["pause", "resume"], producer.log)

    def test_unregistered_is_left_alone(self) -> None:
        """
        Who was unregistered is told nothing, also if it was due to be paused or resumed.
        """
        alone = Alone()
        protocol, producer = self.producing(alone)
        protocol.stream.write(b"x" * (2 * W))
        protocol.stream.unregisterProducer()
        alone.said()
        self.assertEqual([], producer.log)
        protocol.stream.registerProducer(producer, True)
        alone.turn()
        protocol.stream.unregisterProducer()
        alone.hear(window(2, 2 * W))
        self.assertEqual(["pause"], producer.log)

    def test_stopped_at_the_end(self) -> None:
        """
        A producer is stopped before ``connectionLost``, however the connection ends, and one that comes later
        at once.
        """
        ends: list[Callable[[Alone, Recorder], None]] = [
            lambda alone, protocol: alone.hear(rst(2)),
            lambda alone, protocol: protocol.stream.abortConnection(),
            lambda alone, protocol: alone.end(),
        ]
        for end in ends:
            alone = Alone()
            protocol, producer = self.producing(alone)
            stream = protocol.stream
            end(alone, protocol)
            alone.turn()
            self.assertEqual((["stop"], "lost"), (producer.log, protocol.log[-1]))
            late = Producer()
            stream.registerProducer(late, True)
            self.assertEqual(["stop"], late.log)

    def test_close_waits_for_a_paused_producer(self) -> None:
        """
        A producer that was paused may write what it still has before the FIN.
        """
        alone = Alone()
        protocol = attached(alone)
        producer = Producer(lambda: protocol.stream.write(b"rest"))
        protocol.stream.registerProducer(producer, True)
        protocol.stream.write(b"x" * (W + HIGH_WATER + 1))
        alone.said()
        protocol.stream.loseConnection()
        self.assertEqual(b"", alone.said())
        alone.hear(window(2, W))
        self.assertEqual(["pause", "resume"], producer.log)
        sent = frames(alone.said())
        self.assertEqual([b"rest", 0], [value for _, _, _, value in sent[-2:]])
        self.assertEqual(FIN, sent[-1][1])
        alone.hear(fin(2))
        self.assertEqual("lost", protocol.log[-1])

    def test_close_waits_while_the_producer_is_paused_again(self) -> None:
        """
        If what the producer still had fills the queue once more, the FIN waits once more.
        """
        alone = Alone()
        protocol = attached(alone)
        rest = [b"y" * (2 * W), b"z"]
        producer = Producer(lambda: protocol.stream.write(rest.pop(0)))
        protocol.stream.registerProducer(producer, True)
        protocol.stream.write(b"x" * (W + HIGH_WATER + 1))
        alone.said()
        protocol.stream.loseWriteConnection()
        alone.hear(window(2, HIGH_WATER + 1))
        self.assertNotIn(fin(2), alone.said())
        alone.hear(window(2, 4 * W))
        self.assertEqual(["pause", "resume", "pause", "resume"], producer.log)
        self.assertTrue(alone.said().endswith(data(2, b"z") + fin(2)))

    def test_close_after_unregistering(self) -> None:
        """
        A producer that was unregistered keeps no stream open, before the close or after it.
        """
        for first in (True, False):
            alone = Alone()
            protocol, _ = self.producing(alone)
            protocol.stream.write(b"x" * (W + HIGH_WATER + 1))
            alone.said()
            if first:
                protocol.stream.unregisterProducer()
                protocol.stream.loseConnection()
            else:
                protocol.stream.loseConnection()
                protocol.stream.unregisterProducer()
            alone.hear(window(2, W))
            self.assertTrue(alone.said().endswith(fin(2)))

    def test_peer_ends_while_a_producer_is_paused(self) -> None:
        """
        A protocol without half-close loses its connection even then; what was written leaves.
        """
        alone = Alone()
        protocol, producer = self.producing(alone, Recorder())
        protocol.stream.write(b"x" * (W + HIGH_WATER + 1))
        alone.said()
        alone.hear(fin(2))
        self.assertEqual((["pause", "stop"], "lost"), (producer.log, protocol.log[-1]))
        alone.hear(window(2, W))
        self.assertTrue(alone.said().endswith(fin(2)))
        self.assertEqual(0, alone.session.streams)


class FailureTests(SynchronousTestCase):
    """
    Protocols that raise.
    """

    def fail_(self, *_: object) -> None:
        """
        Raise.
        """
        raise ZeroDivisionError

    def test_one_stream_only(self) -> None:
        """
        A protocol that raises loses its own connection; the others on the same bytes are served.
        """
        alone = Alone()
        broken, fine = attached(alone, HalfCloser(self.fail_)), attached(alone)
        alone.hear(data(2, b"a") + data(2, b"b") + data(4, b"c"))
        self.assertEqual((b"a", "lost"), (broken.received, broken.log[-1]))
        self.assertEqual((b"c", None), (fine.received, fine.lost))
        self.assertEqual(rst(2), alone.said())
        self.assertEqual(1, len(self.flushLoggedErrors(ZeroDivisionError)))
        alone.end()

    def test_in_every_call(self) -> None:
        """
        It does not matter in which call it raises.
        """
        calls = (
            "readConnectionLost",
            "writeConnectionLost",
            "connectionLost",
            "pauseProducing",
            "resumeProducing",
        )
        for name in calls:
            alone = Alone()
            kind = type("Broken", (HalfCloser,), {name: self.fail_} if "Producing" not in name else {})
            protocol = attached(alone, kind())
            fine = attached(alone)
            stream = protocol.stream
            producer = Producer()
            if "Producing" in name:
                setattr(producer, name, self.fail_)
                stream.registerProducer(producer, True)
                stream.write(b"x" * (W + HIGH_WATER + 1))
                alone.said()
                alone.hear(window(2, W))
            elif name == "writeConnectionLost":
                stream.loseWriteConnection()
                alone.turn()
            elif name == "readConnectionLost":
                alone.hear(fin(2))
            else:
                alone.hear(rst(2))
            self.assertEqual(1, len(self.flushLoggedErrors(ZeroDivisionError)), name)
            alone.hear(data(4, b"alive"))
            self.assertEqual(b"alive", fine.received)
            self.assertEqual(1, alone.session.streams, name)
            alone.end()

    def test_while_held_bytes_are_delivered(self) -> None:
        """
        Also when it raises on bytes that it had put off.
        """
        alone = Alone()
        protocol = attached(alone, HalfCloser(self.fail_))
        protocol.stream.pauseProducing()
        alone.hear(data(2, b"a") + data(2, b"b"))
        protocol.stream.resumeProducing()
        self.assertEqual(rst(2), alone.said())
        self.assertEqual((b"a", "lost"), (protocol.received, protocol.log[-1]))
        self.assertEqual(1, len(self.flushLoggedErrors(ZeroDivisionError)))

    def test_whoever_takes_streams(self) -> None:
        """
        If the owner of the tunnel raises on a new stream, that stream is reset.
        """
        alone = Alone(serve=self.fail_)  # type: ignore[arg-type]  # that is the point
        alone.hear(syn(1) + syn(3))
        self.assertEqual(rst(1) + rst(3), alone.said())
        self.assertEqual(2, len(self.flushLoggedErrors(ZeroDivisionError)))


class ReentrancyTests(SynchronousTestCase):
    """
    Verbs called from inside what the tunnel calls.
    """

    def verbs(self, alone: Alone, own: Recorder, other: Recorder) -> dict[str, Callable[[], object]]:
        """
        Everything that a protocol could do.
        """
        return {
            "write": lambda: own.stream.write(b"x"),
            "close own": lambda: own.stream.loseConnection(),
            "abort own": lambda: own.stream.abortConnection(),
            "half-close own": lambda: own.stream.loseWriteConnection(),
            "pause own": lambda: own.stream.pauseProducing(),
            "write other": lambda: other.stream.write(b"x"),
            "close other": lambda: other.stream.loseConnection(),
            "abort other": lambda: other.stream.abortConnection(),
            "pause other": lambda: other.stream.pauseProducing(),
            "resume other": lambda: other.stream.resumeProducing(),
            "open": lambda: alone.open(),
            "go away": alone.session.go_away,
            "close the tunnel": alone.session.close,
            "abort the tunnel": alone.session.abort,
            "lose the carrier": lambda: alone.carrier.lose(ConnectionLost()),
        }

    def test_in_the_middle_of_events(self) -> None:
        """
        Whatever a protocol does while bytes for several streams are being delivered, nobody hears anything
        after ``connectionLost``, everybody hears that once, and nothing is left behind.
        """
        names = list(self.verbs(Alone(), Recorder(), Recorder()))
        moments = ("dataReceived", "readConnectionLost", "connectionLost", "writeConnectionLost")
        for name in names:
            for moment in moments:
                for kind in (Recorder, HalfCloser):
                    self.run_one(name, moment, kind)

    def run_one(self, name: str, moment: str, kind: type[Recorder]) -> None:
        """
        Do one thing at one moment.
        """
        alone = Alone()
        other = kind()
        fired: list[bool] = []

        def act(*_: object) -> None:
            if not fired:
                fired.append(True)
                self.verbs(alone, own, other)[name]()

        class Acting(kind):  # type: ignore[misc, valid-type]  # chosen at run time
            pass

        if moment != "dataReceived" and hasattr(kind, moment):
            original = getattr(kind, moment)

            def both(recorder: Recorder, *arguments: object) -> None:
                original(recorder, *arguments)
                act()

            setattr(Acting, moment, both)
        own = attached(alone, Acting(act if moment == "dataReceived" else None))
        attached(alone, other)
        if moment == "writeConnectionLost":
            own.stream.loseWriteConnection()
            alone.turn()
        alone.session.dataReceived(
            data(2, b"a")
            + data(4, b"b")
            + data(2, b"c")
            + fin(2)
            + data(4, b"d")
            + (rst(2) if moment != "writeConnectionLost" else b"")
            + fin(4)
            + syn(1)
        )
        alone.turn()
        for protocol in (own, other):
            if protocol.lost is None:
                # A stream that both sides have ended waits for its protocol, not for the tunnel.
                protocol.stream.resumeProducing()
        alone.end()
        for protocol in (own, other):
            self.assertEqual(1, protocol.log.count("lost"), (name, moment, kind.__name__, protocol.log))
        self.assertEqual(1, len(alone.closed))

    def test_never_inside_a_verb(self) -> None:
        """
        No verb calls the protocol before it returns, in any state of the stream.
        """
        verbs: list[Callable[[TunnelStream], object]] = [
            lambda stream: stream.write(b"x" * 300_000),
            TunnelStream.loseConnection,
            TunnelStream.abortConnection,
            TunnelStream.loseWriteConnection,
            TunnelStream.pauseProducing,
            TunnelStream.resumeProducing,
            TunnelStream.stopProducing,
            TunnelStream.unregisterProducer,
        ]
        histories = [b"", data(2, b"x"), fin(2), data(2, b"x") + fin(2)]
        for first in verbs:
            for history in histories:
                for second in verbs:
                    alone = Alone()
                    protocol = attached(alone)
                    stream = protocol.stream
                    producer = Producer()
                    stream.registerProducer(producer, True)
                    first(stream)
                    alone.hear(history)
                    log, told = list(protocol.log), list(producer.log)
                    second(stream)
                    self.assertEqual((log, told), (protocol.log, producer.log))
                    alone.turn()
                    stream.resumeProducing()
                    alone.end()
                    self.assertEqual(1, protocol.log.count("lost"))


class FlagTests(SynchronousTestCase):
    """
    Frames that carry more than one thing.
    """

    def test_ack_on_data(self) -> None:
        """
        A protocol that answers when it is connected sends its ACK with the answer.
        """

        class Greeting(HalfCloser):
            def connectionMade(self) -> None:
                self.stream.write(b"hello")

        alone = Alone(serve=Greeting)
        alone.hear(data(1, b"x", SYN))
        self.assertEqual(data(1, b"hello", ACK), alone.said())
