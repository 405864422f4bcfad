"""
Two sessions joined: what one side sends the other gets, whatever the order and the cuts.
"""

from __future__ import annotations

import random

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from pico.errors import TunnelError
from pico.wire.yamux.limits import Limits
from pico.wire.yamux.stream import Opening, State, Stream
from tests.wire.yamux.support import End, Pair, W


def small_pieces(source: random.Random) -> int:
    """
    Mostly a few bytes, sometimes many.
    """
    return source.choice([1, 2, 5, 11, 12, 13, 100, 5000, 100_000])


#: Frequent ones stand more than once.
VERBS = (
    *("open", "accept", "send", "send", "big", "finish", "consume", "consume"),
    *("flush", "flush", "carry", "carry", "ping", "reset"),
)


class ConversationTests(SynchronousTestCase):
    """
    Ordinary use.
    """

    def test_request_and_response(self) -> None:
        """
        A stream carries bytes both ways and is gone when both have ended.
        """
        pair = Pair()
        ours = pair.server.open()
        pair.server.send(ours, b"request")
        pair.settle()
        theirs = pair.client.streams[2]
        self.assertEqual(b"request", pair.client.received[2])
        self.assertFalse(ours.acked)
        pair.client.session.accept(theirs)
        pair.client.send(theirs, b"response")
        pair.client.finish(theirs)
        pair.settle()
        self.assertEqual(b"response", pair.server.received[2])
        self.assertTrue(ours.acked)
        pair.server.finish(ours)
        pair.settle()
        self.assertIs(State.CLOSED, ours.state)
        self.assertIs(State.CLOSED, theirs.state)
        self.assertEqual(({}, {}), (dict(pair.server.session.streams), dict(pair.client.session.streams)))

    def test_reader_that_stops(self) -> None:
        """
        A reader that consumes nothing costs one window, and the rest comes when it reads again.
        """
        pair = Pair()
        ours = pair.server.open()
        pair.server.send(ours, b"x" * (5 * W))
        pair.settle()
        pair.client.session.accept(pair.client.streams[2])
        pair.settle()
        self.assertEqual((W, 4 * W), (len(pair.client.received[2]), ours.queued))
        while pair.consume_all(pair.client):
            pair.settle()
        self.assertEqual(pair.server.sent[2], pair.client.received[2])

    def test_windows_grow_over_a_long_path(self) -> None:
        """
        With 50 ms each way a reader that keeps up gets larger windows, and the same bytes sooner.
        """
        rounds = {}
        for name, limits in [("fixed", Limits(max_window=W)), ("growing", Limits(max_window=16 * W))]:
            pair = Pair(client=limits)
            pair.server.send(pair.server.open(), b"x" * (40 * W))
            count = 0
            while len(pair.client.received.get(2, b"")) < 40 * W:
                count += 1
                while pair.flush(pair.server):
                    pass
                pair.now += 0.05
                pair.carry(pair.server)
                theirs = pair.client.streams[2]
                if not theirs.acked:
                    pair.client.session.accept(theirs)
                pair.consume_all(pair.client)
                pair.flush(pair.client)
                pair.now += 0.05
                pair.carry(pair.client)
            rounds[name] = count
            self.assertEqual(W if name == "fixed" else 16 * W, theirs.window)
        self.assertEqual(40, rounds["fixed"])
        self.assertLess(rounds["growing"], 10)

    def test_go_away_crosses_an_open(self) -> None:
        """
        A stream that was opened before the go-away arrived is refused, and its opener knows that nobody saw
        it.
        """
        pair = Pair()
        pair.client.session.go_away()
        pair.server.send(pair.server.open(), b"GET /")
        pair.settle()
        self.assertEqual({2: "REFUSED"}, pair.server.reset)
        self.assertEqual({}, pair.client.received)
        self.assertRaises(TunnelError, pair.server.session.open)

    def test_resets_cross(self) -> None:
        """
        Both sides may reset the same stream at once; what is still under way is for nobody.
        """
        pair = Pair()
        ours = pair.server.open()
        pair.settle()
        theirs = pair.client.streams[2]
        pair.client.session.accept(theirs)
        pair.server.send(ours, b"x" * 1000)
        pair.flush(pair.server)
        pair.client.session.reset(theirs)
        pair.server.session.reset(ours)
        pair.settle()
        self.assertEqual((None, None), (pair.server.failed, pair.client.failed))
        self.assertEqual((0, 0), (pair.server.session.buffered, pair.client.session.buffered))

    def test_ids_used_up(self) -> None:
        """
        A session serves its last id like the first, and then says that it has none.
        """
        pair = Pair(server=Limits(last_stream_id=10))
        served = 0
        while pair.server.session.ids_left:
            ours = pair.server.open()
            pair.server.send(ours, b"request")
            pair.server.finish(ours)
            pair.settle()
            theirs = pair.client.streams[ours.id]
            pair.client.session.accept(theirs)
            pair.client.send(theirs, bytes(pair.client.received[ours.id]))
            pair.client.finish(theirs)
            pair.settle()
            self.assertEqual(b"request", pair.server.received[ours.id])
            served += 1
        self.assertEqual(4, served)
        self.assertRaises(TunnelError, pair.server.session.open)


class RandomTests(SynchronousTestCase):
    """
    Random conversations.
    """

    def pick(self, source: random.Random, end: End, *states: State) -> Stream | None:
        """
        Some stream of an end that may be used as it is.
        """
        fit = [
            stream for stream in end.streams.values() if stream.state in states and end.session.streams.get(stream.id)
        ]
        return source.choice(fit) if fit else None

    def act(self, source: random.Random, pair: Pair) -> None:
        """
        Do one thing on one side.
        """
        end = source.choice([pair.client, pair.server])
        verb = source.choice(VERBS)
        session = end.session
        if verb == "open" and len(end.streams) < 40:
            try:
                end.open()
            except TunnelError:
                pass
        elif verb in ("send", "big", "finish"):
            stream = self.pick(source, end, State.OPEN, State.REMOTE_ENDED)
            if stream is None or stream.opening is Opening.OFFERED:
                return
            if verb == "finish":
                end.finish(stream)
            else:
                end.send(stream, source.randbytes(source.randrange(400_000 if verb == "big" else 50)))
        elif verb == "accept":
            waiting = [s for s in end.streams.values() if s.opening is Opening.OFFERED and s.state is not State.RESET]
            if waiting:
                session.accept(source.choice(waiting))
        elif verb == "consume":
            holding = [s for s in end.streams.values() if s.unconsumed]
            if holding:
                stream = source.choice(holding)
                session.consumed(stream, source.randint(0, stream.unconsumed), pair.now)
        elif verb == "flush":
            pair.flush(end, source.choice([1, 100, 70_000, W]))
        elif verb == "carry":
            pair.carry(end, source.choice([None, 1, 12, 50, 100_000]))
        elif verb == "ping":
            session.ping(pair.now)
        elif verb == "reset" and source.random() < 0.2:
            stream = self.pick(source, end, *State)
            if stream is not None:
                session.reset(stream)
                end.reset.setdefault(stream.id, "OURS")
        pair.now += source.choice([0.0, 0.001, 0.02])

    @given(st.integers(0, 2**32))
    @settings(derandomize=True, deadline=None, max_examples=60)
    def test_everything_arrives(self, seed: int) -> None:
        """
        Nothing fails; every byte of a stream that was not reset arrives once and in order; credit is
        conserved.
        """
        source = random.Random(seed)
        limits = Limits(max_window=source.choice([W, 4 * W]), max_frame=source.choice([1000, 65_536]))
        pair = Pair(limits, limits, seed=seed, size_of_pieces=small_pieces if seed % 2 else None)
        for _ in range(source.randrange(20, 200)):
            self.act(source, pair)
        self.finish_all(pair)
        self.assertEqual((None, None), (pair.client.failed, pair.server.failed))
        for one, other in [(pair.client, pair.server), (pair.server, pair.client)]:
            for stream_id, sent in one.sent.items():
                if stream_id in one.reset or stream_id in other.reset:
                    got = other.received.get(stream_id, b"")
                    self.assertTrue(sent.startswith(got))
                else:
                    self.assertEqual(sent, other.received[stream_id])
                    self.assertEqual(stream_id in one.finishing, stream_id in other.finished)
            self.assertEqual(0, one.session.buffered)
            for stream_id, stream in one.session.streams.items():
                peer = other.session.streams[stream_id]
                # Nothing is under way: what one side may send is what the other has granted.
                self.assertEqual(peer.receive_window, stream.send_window)
                if stream.state in (State.OPEN, State.ENDING, State.LOCAL_ENDED):
                    self.assertLess(stream.window - stream.receive_window, stream.window // 2)

    def finish_all(self, pair: Pair) -> None:
        """
        Accept and consume until nothing moves any more.
        """
        while True:
            pair.settle()
            moved = 0
            for end in (pair.client, pair.server):
                for stream in end.streams.values():
                    if stream.opening is Opening.OFFERED and stream.state is not State.RESET:
                        end.session.accept(stream)
                        moved += 1
                moved += pair.consume_all(end)
            if not moved:
                return

    @given(st.integers(0, 2**32))
    @settings(derandomize=True, deadline=None, max_examples=20)
    def test_books_after_all_is_over(self, seed: int) -> None:
        """
        When every stream has ended or was reset, both sides hold nothing and could open as many as at the
        start.
        """
        source = random.Random(seed)
        limits = Limits(max_unacked=5, max_unaccepted=5)
        pair = Pair(limits, limits, seed=seed)
        for _ in range(150):
            self.act(source, pair)
        self.finish_all(pair)
        for end in (pair.client, pair.server):
            for stream in list(end.session.streams.values()):
                if stream.state in (State.OPEN, State.REMOTE_ENDED):
                    end.finish(stream)
            self.finish_all(pair)
        for end in (pair.client, pair.server):
            self.assertEqual({}, dict(end.session.streams))
            self.assertEqual(0, end.session.buffered)
            for _ in range(5):
                end.session.open()
            self.assertRaises(TunnelError, end.session.open)
        pair.settle()
        self.assertEqual(5, sum(stream.opening is Opening.OFFERED for stream in pair.client.session.streams.values()))
