"""
Tests for :mod:`pico.tunnel.session`.
"""

from __future__ import annotations

import random
from collections.abc import Callable

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.error import ConnectionAborted, ConnectionDone, ConnectionLost
from twisted.internet.interfaces import IDelayedCall, IProtocol, IPushProducer
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from pico.errors import RemoteProtocolError, TunnelBusy, TunnelError
from pico.tunnel.carrier import ICarrier
from pico.tunnel.reasons import StreamRefused, StreamTimedOut
from pico.tunnel.session import TunnelSettings
from pico.tunnel.stream import TunnelStream
from pico.wire.yamux.frames import PING
from pico.wire.yamux.limits import Limits
from pico.wire.yamux.session import Role
from tests.tunnel.support import Alone, Carrier, HalfCloser, Joined, Producer, Recorder
from tests.wire.yamux.support import W, ack, data, fin, frames, go_away, ping, pong, rst, syn, window


class InterfaceTests(SynchronousTestCase):
    """
    What a session claims to be.
    """

    def test_interfaces(self) -> None:
        """
        A session is a protocol above its carrier and a producer towards it; the tests' carrier is a carrier.
        """
        alone = Alone()
        self.assertTrue(verifyObject(IProtocol, alone.session))
        self.assertTrue(verifyObject(IPushProducer, alone.session))
        self.assertTrue(verifyObject(ICarrier, alone.carrier))

    def test_no_dictionary(self) -> None:
        """
        Sessions, of which there are many, have no room for stray attributes.
        """
        self.assertRaises(AttributeError, setattr, Alone().session, "surplus", 1)

    def test_before_there_is_a_carrier(self) -> None:
        """
        Without a carrier nothing can be opened or asked, and ending is nothing.
        """
        joined = Joined()
        session = type(joined.node)(Role.SERVER, joined.clock, joined.node.session._turn, TunnelSettings()).session
        self.assertRaises(TunnelError, session.open_stream)
        self.assertRaises(TunnelError, lambda: session.peer)
        session.go_away()
        session.close()
        session.abort()
        joined.end()


class ConversationTests(SynchronousTestCase):
    """
    Two sessions joined.
    """

    def test_request_and_response(self) -> None:
        """
        Bytes go both ways, and both sides hear of an orderly end.
        """
        joined = Joined()
        ours, theirs = joined.open()
        ours.stream.write(b"request")
        joined.settle()
        self.assertEqual(b"request", theirs.received)
        theirs.stream.write(b"response")
        theirs.stream.loseConnection()
        joined.settle()
        self.assertEqual((b"response", ["made", "data", "read lost"]), (ours.received, ours.log))
        ours.stream.loseConnection()
        joined.settle()
        for protocol in (ours, theirs):
            self.assertEqual("lost", protocol.log[-1])
            self.assertIs(ConnectionDone, protocol.lost.type if protocol.lost else None)
        self.assertEqual((0, 0), (joined.node.session.streams, joined.agent.session.streams))
        joined.end()

    def test_counters(self) -> None:
        """
        What one side has sent the other has received.
        """
        joined = Joined()
        ours, _ = joined.open()
        ours.stream.write(b"x" * 100_000)
        joined.settle()
        node, agent = joined.node.session, joined.agent.session
        self.assertEqual(node.bytes_sent, agent.bytes_received)
        self.assertEqual(agent.bytes_sent, node.bytes_received)
        self.assertGreater(node.bytes_sent, 100_000)
        self.assertEqual((1, 1), (node.streams, agent.streams))
        self.assertEqual(joined.node.carrier.getPeer(), node.peer)
        self.assertEqual(2**31 - 3, node.ids_left)
        joined.end()

    def test_large_body_through_a_narrow_carrier(self) -> None:
        """
        A producer that respects its pauses sends a large body through a small carrier, with little held
        anywhere.
        """
        joined = Joined(capacity=100_000)
        ours, theirs = joined.open()
        left = [b"x" * 30_000] * 100

        def produce() -> None:
            # One piece more each turn, as from a socket, until it is paused.
            if left and producer.log[-1:] != ["pause"]:
                ours.stream.write(left.pop())
                joined.clock.callLater(0, produce)

        producer = Producer(produce)
        ours.stream.registerProducer(producer, True)
        produce()
        most = 0
        while joined.step(20_000):
            most = max(most, len(joined.node.carrier.waiting) + ours.stream._core.queued)
        self.assertEqual(3_000_000, len(theirs.received))
        self.assertGreater(producer.log.count("pause"), 10)
        self.assertLess(most, 100_000 + 2 * (65_536 + 30_000))
        joined.end()

    def test_a_stream_that_nobody_takes(self) -> None:
        """
        A side that takes no streams refuses them, with whatever came along.
        """
        alone = Alone(takes_streams=False)
        alone.hear(syn(1) + data(1, b"abc") + fin(1) + syn(3))
        self.assertEqual(rst(1) + rst(3), alone.said())
        self.assertEqual(0, alone.session.streams)
        alone.end()


class FlushTests(SynchronousTestCase):
    """
    When and how much is sent.
    """

    def test_answers_at_the_end_of_the_turn(self) -> None:
        """
        Pongs, ACKs and credit wait for the end of the turn, like everything.
        """
        alone = Alone(serve=HalfCloser)
        alone.session.dataReceived(ping(1) + syn(1))
        alone.session.dataReceived(data(1, b"x" * (W // 2)))
        self.assertEqual([], alone.carrier.written)
        alone.turn()
        self.assertEqual(1, len(alone.carrier.written))
        self.assertEqual({1, 2}, {kind for kind, _, _, _ in frames(alone.carrier.take())})
        alone.end()

    def test_nothing_to_say(self) -> None:
        """
        Bytes that need no answer schedule no flush.
        """
        alone = Alone()
        alone.open()
        alone.said()
        timers = len(alone.clock.getDelayedCalls())
        alone.session.dataReceived(ack(2))
        self.assertEqual(timers, len(alone.clock.getDelayedCalls()))

    def test_messages_of_bounded_size(self) -> None:
        """
        Much leaves in several writes.
        """
        alone = Alone()
        streams = [alone.open().stream for _ in range(5)]
        for stream in streams:
            stream.write(b"x" * W)
        alone.turn()
        sizes = [len(write) for write in alone.carrier.written]
        self.assertEqual(5 * (W + 12 + 4 * 12), sum(sizes))
        self.assertLess(max(sizes), 262_144 + 65_536 + 24)

    def test_full_carrier(self) -> None:
        """
        While the carrier is full nothing is given to it; then all streams have their turns.
        """
        alone = Alone(capacity=100)
        first, second = alone.open(), alone.open()
        first.stream.write(b"1" * 1000)
        alone.turn()
        self.assertEqual(1, len(alone.carrier.written))
        first.stream.write(b"a" * 100_000)
        second.stream.write(b"b" * 100_000)
        alone.turn()
        alone.hear(ping(5))
        self.assertEqual(1, len(alone.carrier.written))
        alone.carrier.capacity = 1 << 30
        alone.carrier.take()
        sent = frames(b"".join(alone.carrier.written[1:]))
        self.assertEqual([0, 2, 4, 2, 4], [stream_id for _, _, stream_id, _ in sent])
        alone.end()

    def test_carrier_is_never_paused(self) -> None:
        """
        However much a stream holds, reading goes on: the carrier has no way to be paused here.
        """
        alone = Alone()
        protocol = alone.open()
        protocol.stream.pauseProducing()
        alone.hear(data(2, b"x" * W))
        self.assertFalse(hasattr(Carrier, "pauseProducing"))


class GoAwayTests(SynchronousTestCase):
    """
    The ends of new streams.
    """

    def test_ours(self) -> None:
        """
        Said this turn, and once; streams that exist go on, late ones are refused, and we may open more.
        """
        alone = Alone(serve=HalfCloser)
        alone.hear(syn(1))
        alone.said()
        alone.session.go_away()
        alone.session.go_away()
        self.assertTrue(alone.session.going_away)
        self.assertEqual(go_away(), alone.said())
        alone.hear(data(1, b"old") + syn(3))
        self.assertEqual((b"old", rst(3)), (alone.served[0].received, alone.said()))
        alone.open()
        self.assertEqual(syn(2), alone.said())
        alone.end()

    def test_theirs(self) -> None:
        """
        The owner hears of it once; nothing new is opened; what is open goes on.
        """
        alone = Alone()
        old = alone.open()
        alone.hear(ack(2) + go_away() + go_away() + data(2, b"on"))
        self.assertEqual((1, True), (alone.leaving, alone.session.remote_going_away))
        self.assertRaises(TunnelError, alone.session.open_stream)
        self.assertEqual(b"on", old.received)
        alone.end()

    def test_owner_raises(self) -> None:
        """
        An owner that raises on it harms nobody else.
        """
        alone = Alone()
        protocol = alone.open()
        alone.session._on_going_away = lambda: 1 / 0  # type: ignore[assignment]  # to raise, not to return
        alone.hear(go_away() + data(2, b"on"))
        self.assertEqual(b"on", protocol.received)
        self.assertEqual(1, len(self.flushLoggedErrors(ZeroDivisionError)))
        alone.end()

    def test_stream_that_crossed_it(self) -> None:
        """
        A stream that the peer had not taken when it went away and was gone is known not to have been
        processed.
        """
        for taken, reason in [(b"", StreamRefused), (ack(2), ConnectionLost)]:
            alone = Alone()
            protocol = alone.open()
            protocol.stream.write(b"POST /")
            alone.hear(taken + go_away())
            alone.end()
            self.assertIs(reason, protocol.lost.type if protocol.lost else None)

    def test_stream_that_crossed_it_and_was_ended(self) -> None:
        """
        But one whose end has left may have been processed, because nobody says that it was taken then.
        """
        alone = Alone()
        protocol = alone.open()
        protocol.stream.loseWriteConnection()
        alone.hear(go_away())
        alone.end()
        self.assertIs(ConnectionLost, protocol.lost.type if protocol.lost else None)


class RoomTests(SynchronousTestCase):
    """
    Streams that wait to be taken.
    """

    def test_busy_and_free_again(self) -> None:
        """
        Who was refused a stream hears when there is room, once, and before that turn's flush.
        """
        for sign in (ack(2), rst(2), data(4, b"x")):
            alone = Alone(settings=TunnelSettings(limits=Limits(max_unacked=2)))
            alone.open()
            alone.open()
            alone.hear(ack(99))
            self.assertEqual(0, alone.room)
            self.assertRaises(TunnelBusy, alone.session.open_stream)
            alone.hear(ping(1))
            self.assertEqual(0, alone.room)
            alone.hear(sign)
            self.assertEqual(1, alone.room)
            alone.session.open_stream()
            alone.hear(ping(2))
            self.assertEqual(1, alone.room)
            alone.end()

    def test_room_by_our_own_doing(self) -> None:
        """
        A stream that we abort makes room too.
        """
        alone = Alone(settings=TunnelSettings(limits=Limits(max_unacked=1)))
        protocol = alone.open()
        self.assertRaises(TunnelBusy, alone.session.open_stream)
        protocol.stream.abortConnection()
        alone.turn()
        self.assertEqual(1, alone.room)
        alone.end()

    def test_ids_used_up(self) -> None:
        """
        A tunnel without ids opens nothing more and serves what is open.
        """
        alone = Alone(settings=TunnelSettings(limits=Limits(last_stream_id=4)))
        self.assertEqual(1, alone.session.ids_left)
        protocol = alone.open()
        self.assertEqual(0, alone.session.ids_left)
        self.assertRaises(TunnelError, alone.session.open_stream)
        alone.hear(data(2, b"on"))
        self.assertEqual(b"on", protocol.received)
        alone.end()


class TimeTests(SynchronousTestCase):
    """
    The one timer.
    """

    def pings(self, alone: Alone) -> int:
        """
        How many pings were sent.
        """
        return sum(kind == PING for kind, _, _, _ in frames(alone.said()))

    def test_asks_a_silent_peer(self) -> None:
        """
        After the interval of silence there is a ping; a peer that answers lives on.
        """
        alone = Alone()
        alone.clock.advance(29)
        self.assertEqual(b"", alone.said())
        alone.clock.advance(1)
        self.assertEqual(ping(0), alone.said())
        alone.clock.advance(9)
        alone.hear(pong(0))
        self.assertEqual(9.0, alone.session.rtt)
        alone.clock.advance(29)
        self.assertEqual(b"", alone.said())
        alone.clock.advance(1)
        self.assertEqual(ping(1), alone.said())
        alone.end()

    def test_dead_peer(self) -> None:
        """
        A peer that gives no sign within interval and timeout is dropped, and its streams with it.
        """
        alone = Alone()
        protocol = alone.open()
        alone.hear(ack(2))
        alone.clock.advance(30)
        alone.turn()
        alone.clock.advance(9.99)
        alone.turn()
        self.assertEqual("open", alone.carrier.state)
        alone.clock.advance(0.01)
        alone.turn()
        self.assertEqual("lost", alone.carrier.state)
        self.assertEqual("lost", protocol.log[-1])
        self.assertIn("no sign of life", alone.closed[0].getErrorMessage())
        self.assertEqual([], alone.clock.getDelayedCalls())

    def test_probed(self) -> None:
        """
        A peer that is doubted is asked at once, and once; one that answers lives on, one that does not is dropped
        after the timeout, whether silence is watched or not.
        """
        for interval in (30.0, 0.0):
            alone = Alone(settings=TunnelSettings(keepalive_interval=interval, keepalive_timeout=10))
            alone.clock.advance(5)
            alone.session.probe()
            alone.turn()
            self.assertEqual(ping(0), alone.said())
            alone.session.probe()
            alone.turn()
            self.assertEqual(b"", alone.said())
            alone.hear(pong(0))
            alone.clock.advance(11)
            alone.turn()
            self.assertEqual("open", alone.carrier.state)
            alone.session.probe()
            alone.clock.advance(9.9)
            alone.turn()
            self.assertEqual("open", alone.carrier.state)
            alone.clock.advance(0.1)
            alone.turn()
            self.assertEqual("lost", alone.carrier.state)
            alone.session.probe()
            self.assertEqual([], alone.clock.getDelayedCalls())

    def test_dead_peer_behind_a_full_carrier(self) -> None:
        """
        A peer that has stopped reading as well is found as fast, though the ping cannot leave.
        """
        alone = Alone(capacity=10)
        alone.open().stream.write(b"x" * 1000)
        alone.turn()
        for _ in range(40):
            alone.clock.advance(1)
            alone.turn()
        self.assertEqual("lost", alone.carrier.state)

    def test_traffic_costs_no_timers(self) -> None:
        """
        Bytes move no timer: there is one, which fires and finds nothing to do.
        """
        alone = Alone()
        alone.open()
        alone.said()
        (timer,) = alone.clock.getDelayedCalls()
        for _ in range(29):
            alone.clock.advance(1)
            alone.hear(data(2, b"x"))
            self.assertEqual([timer], alone.clock.getDelayedCalls())
        alone.clock.advance(1)
        self.assertEqual(0, self.pings(alone))
        self.assertEqual(1, len(alone.clock.getDelayedCalls()))
        alone.end()

    def test_nothing_is_watched(self) -> None:
        """
        Without keep-alive an idle tunnel has no timer.
        """
        alone = Alone(settings=TunnelSettings(keepalive_interval=0))
        self.assertEqual([], alone.clock.getDelayedCalls())
        alone.hear(ping(1))
        self.assertEqual([], alone.clock.getDelayedCalls())
        alone.end()

    def test_stream_that_is_not_taken(self) -> None:
        """
        A stream that the peer does not take in time is reset, and only that one.
        """
        for interval in (0.0, 30.0, 1000.0):
            alone = Alone(settings=TunnelSettings(keepalive_interval=interval, keepalive_timeout=1000))
            late, taken = alone.open(), alone.open()
            alone.said()
            alone.clock.advance(50)
            alone.hear(ack(4))
            alone.said()
            alone.clock.advance(24.9)
            alone.turn()
            self.assertIsNone(late.lost)
            alone.clock.advance(0.1)
            self.assertIn(rst(2), alone.said())
            self.assertIs(StreamTimedOut, late.lost.type if late.lost else None)
            alone.clock.advance(1000)
            self.assertIsNone(taken.lost)
            alone.end()

    def test_many_that_are_not_taken(self) -> None:
        """
        Streams that are opened one after another are given up one after another, within a second of their
        time.
        """
        alone = Alone(settings=TunnelSettings(keepalive_interval=0))
        looks: list[float] = []
        call_later = alone.clock.callLater

        def counting(delay: float, call: Callable[..., object], *args: object) -> IDelayedCall:
            if delay:
                looks.append(delay)
            return call_later(delay, call, *args)

        self.patch(alone.clock, "callLater", counting)
        opened = []
        for _ in range(20):
            opened.append((alone.clock.seconds(), alone.open()))
            alone.said()
            alone.clock.advance(0.3)
        timers = 0
        while any(protocol.lost is None for _, protocol in opened):
            now = alone.clock.seconds()
            for began, protocol in opened:
                self.assertFalse(protocol.lost is not None and now < began + 75)
                self.assertFalse(protocol.lost is None and now > began + 76.1)
            timers = max(timers, len(alone.clock.getDelayedCalls()))
            alone.clock.advance(0.1)
            alone.turn()
        self.assertEqual(1, timers)
        # 20 streams in 6 seconds: looked at once a second, not once a stream.
        self.assertLess(len(looks), 10)
        alone.end()

    def test_no_limits(self) -> None:
        """
        Times of 0 wait for ever.
        """
        alone = Alone(settings=TunnelSettings(keepalive_interval=0, open_timeout=0, close_timeout=0))
        protocol = alone.open()
        protocol.stream.loseConnection()
        alone.said()
        alone.clock.advance(1e6)
        self.assertIsNone(protocol.lost)
        alone.end()

    def test_peer_that_lingers_after_it_ended(self) -> None:
        """
        What a protocol left behind when its peer ended is dropped if the peer takes it not in time.
        """
        alone = Alone(settings=TunnelSettings(keepalive_interval=0))
        protocol = alone.open(Recorder())
        protocol.stream.write(b"x" * (W + 1))
        alone.hear(ack(2) + fin(2))
        alone.said()
        self.assertEqual(("lost", 1), (protocol.log[-1], alone.session.streams))
        alone.clock.advance(299)
        self.assertEqual((b"", 1), (alone.said(), alone.session.streams))
        alone.clock.advance(1)
        self.assertEqual(rst(2), alone.said())
        self.assertEqual(0, alone.session.streams)
        alone.end()


class EndTests(SynchronousTestCase):
    """
    How tunnels end.
    """

    def test_close(self) -> None:
        """
        What may be sent is sent, the streams are told at the end of the turn, and the carrier is closed
        behind it.
        """
        alone = Alone()
        protocol = alone.open()
        protocol.stream.write(b"last")
        alone.session.close()
        alone.session.close()
        self.assertEqual((["made"], "open"), (protocol.log, alone.carrier.state))
        self.assertEqual(syn(2) + data(2, b"last"), alone.said())
        self.assertEqual((["made", "lost"], "closing"), (protocol.log, alone.carrier.state))
        self.assertIs(ConnectionLost, protocol.lost.type if protocol.lost else None)
        self.assertEqual([], alone.closed)
        alone.hear(syn(1))
        self.assertEqual([], alone.offered)
        self.assertRaises(TunnelError, alone.session.open_stream)
        alone.end()
        self.assertEqual(1, len(alone.closed))
        self.assertTrue(alone.closed[0].check(ConnectionDone))

    def test_close_when_the_carrier_is_full(self) -> None:
        """
        The end waits until the carrier has taken the rest; the streams do not wait.
        """
        alone = Alone(capacity=10)
        protocol = alone.open()
        protocol.stream.write(b"a" * 100)
        alone.turn()
        protocol.stream.write(b"b" * 100)
        alone.session.close()
        alone.turn()
        self.assertEqual(("lost", "open"), (protocol.log[-1], alone.carrier.state))
        alone.carrier.take()
        self.assertEqual("open", alone.carrier.state)
        self.assertEqual(data(2, b"b" * 100), alone.carrier.take())
        self.assertEqual("closing", alone.carrier.state)
        alone.end()

    def test_close_that_takes_too_long(self) -> None:
        """
        A carrier that does not end is aborted.
        """
        for stuck in (True, False):
            alone = Alone(capacity=10 if stuck else 1 << 30)
            alone.open().stream.write(b"a" * 100)
            alone.turn()
            alone.session.close()
            alone.turn()
            alone.clock.advance(9.9)
            self.assertEqual("open" if stuck else "closing", alone.carrier.state)
            alone.clock.advance(0.1)
            alone.turn()
            self.assertEqual("lost", alone.carrier.state)
            self.assertEqual((1, []), (len(alone.closed), alone.clock.getDelayedCalls()))

    def test_abort(self) -> None:
        """
        The carrier is dropped at once, and the streams are told when it is gone.
        """
        alone = Alone()
        protocol = alone.open()
        protocol.stream.write(b"never sent")
        alone.session.abort()
        alone.session.abort()
        self.assertEqual(["made"], protocol.log)
        alone.turn()
        self.assertEqual(([], "lost"), (alone.carrier.written, alone.carrier.state))
        self.assertEqual(["made", "lost"], protocol.log)
        self.assertTrue(alone.closed[0].check(ConnectionAborted))
        self.assertEqual([], alone.clock.getDelayedCalls())

    def test_carrier_is_lost(self) -> None:
        """
        The owner hears why, once, after the streams; then every verb is harmless.
        """
        alone = Alone()
        protocol = alone.open()
        stream = protocol.stream
        order: list[str] = []
        alone.session._on_closed = lambda reason: order.append(f"closed after {protocol.log[-1]}")
        alone.carrier.lose(ConnectionLost())
        alone.session.connectionLost(Failure(ConnectionLost()))
        self.assertEqual(["closed after lost"], order)
        stream.write(b"x")
        stream.loseConnection()
        stream.abortConnection()
        stream.pauseProducing()
        stream.resumeProducing()
        alone.session.go_away()
        alone.session.close()
        alone.session.abort()
        alone.session.dataReceived(syn(1))
        alone.session.pauseProducing()
        alone.session.resumeProducing()
        alone.turn()
        self.assertEqual((0, []), (alone.session.streams, alone.carrier.written))
        self.assertEqual([], alone.clock.getDelayedCalls())

    def test_peer_breaks_the_protocol(self) -> None:
        """
        It is told, the streams lose their connections, the carrier is closed, and the owner hears why.
        """
        alone = Alone()
        protocol = alone.open()
        protocol.stream.write(b"not sent any more")
        alone.session.dataReceived(data(2, b"before") + b"\x01" * 12 + data(2, b"after"))
        self.assertEqual((b"before", "lost"), (protocol.received, protocol.log[-1]))
        self.assertEqual(go_away(1), alone.said())
        self.assertEqual("closing", alone.carrier.state)
        alone.end()
        self.assertTrue(alone.closed[0].check(RemoteProtocolError))
        self.assertEqual("invalid protocol version", alone.closed[0].getErrorMessage())

    def test_peer_says_that_we_broke_it(self) -> None:
        """
        A go-away with a code is the end too, and nothing is answered.
        """
        alone = Alone()
        protocol = alone.open()
        alone.said()
        alone.hear(go_away(1))
        self.assertEqual(("lost", b"", "closing"), (protocol.log[-1], alone.said(), alone.carrier.state))
        alone.end()
        self.assertIsInstance(alone.closed[0].value, RemoteProtocolError)


class RandomTests(SynchronousTestCase):
    """
    Random use of two joined sessions.
    """

    @given(st.integers(0, 2**32))
    @settings(derandomize=True, deadline=None, max_examples=40)
    def test_everything_arrives_and_ends(self, seed: int) -> None:
        """
        Streams that were not cut off deliver every byte in order; each protocol loses its connection exactly
        once; nothing is left behind.
        """
        source = random.Random(seed)
        joined = Joined(capacity=source.choice([1000, 100_000, 1 << 30]))
        node, agent = joined.node, joined.agent
        protocols: dict[int, tuple[Recorder, Recorder]] = {}
        sent: dict[tuple[int, int], bytes] = {}
        cut: set[int] = set()
        for _ in range(source.randrange(20, 120)):
            verb = source.choice(
                ["open", "write", "write", "write", "close", "pause", "resume", "step", "step", "abort"]
            )
            if verb == "open" and len(protocols) < 20:
                ours = node.open(HalfCloser())
                joined.settle(source.choice([None, 20_000]))
                protocols[ours.stream.id] = (ours, agent.served[-1])
                sent[ours.stream.id, 0] = sent[ours.stream.id, 1] = b""
            elif verb == "step":
                joined.step(source.choice([None, 1, 100, 50_000]))
            elif protocols:
                stream_id = source.choice(list(protocols))
                end = source.randrange(2)
                protocol = protocols[stream_id][end]
                if protocol.lost is not None:
                    continue
                stream = protocol.stream
                if verb == "write" and stream.connected and stream_id not in cut:
                    piece = source.randbytes(source.choice([1, 100, 30_000, 300_000]))
                    if "write lost" not in protocol.log and stream._writing.name != "ENDED":
                        stream.write(piece)
                        sent[stream_id, end] += piece
                elif verb == "close":
                    stream.loseWriteConnection()
                elif verb == "pause":
                    stream.pauseProducing()
                elif verb == "resume":
                    stream.resumeProducing()
                elif verb == "abort" and source.random() < 0.3:
                    stream.abortConnection()
                    cut.add(stream_id)
        for pair in protocols.values():
            for protocol in pair:
                if protocol.lost is None:
                    protocol.stream.resumeProducing()
        joined.settle()
        for stream_id, pair in protocols.items():
            for end, protocol in enumerate(pair):
                expected = sent[stream_id, 1 - end]
                if stream_id in cut:
                    self.assertTrue(expected.startswith(protocol.received))
                else:
                    self.assertEqual(expected, protocol.received)
        joined.end()
        for pair in protocols.values():
            for protocol in pair:
                self.assertEqual(1, protocol.log.count("lost"))
        self.assertEqual((1, 1), (len(node.closed), len(agent.closed)))


class MemoryTests(SynchronousTestCase):
    """
    What must not be kept.
    """

    def test_streams_are_forgotten(self) -> None:
        """
        A session keeps nothing of streams that are over.
        """
        joined = Joined()
        for _ in range(50):
            ours, theirs = joined.open()
            ours.stream.write(b"x" * 100_000)
            ours.stream.loseConnection()
            joined.settle()
            theirs.stream.loseConnection()
            joined.settle()
        for side in (joined.node, joined.agent):
            self.assertEqual((0, []), (side.session.streams, side.session.full))
        self.assertEqual(2, len(joined.clock.getDelayedCalls()))
        joined.end()

    def test_bounded_by_the_windows(self) -> None:
        """
        A window that nobody empties is never passed.
        """
        alone = Alone()
        protocol = alone.open()
        protocol.stream.pauseProducing()
        alone.hear(data(2, b"x" * W))
        alone.session.dataReceived(data(2, b"y"))
        self.assertEqual(go_away(1), alone.said()[-12:])
        alone.end()

    def test_kinds(self) -> None:
        """
        Whatever opens a stream gets one of ours.
        """
        alone = Alone()
        self.assertIsInstance(alone.session.open_stream(), TunnelStream)
        alone.hear(window(2, 5))
        alone.end()
