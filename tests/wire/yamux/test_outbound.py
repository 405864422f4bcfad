"""
Tests for :mod:`pico.wire.yamux.outbound`: in which order and in which pieces bytes leave.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from pico.wire.yamux.limits import Limits
from pico.wire.yamux.session import Role, Session
from pico.wire.yamux.stream import Stream
from tests.wire.yamux.support import Plain, W, data, drain, fin, frames, plain, rst, syn, window


def opened(count: int, limits: Limits | None = None) -> tuple[Session, list[Stream]]:
    """
    A session with streams whose SYNs have left.
    """
    session = Session(Role.SERVER, limits or Limits())
    streams = [session.open() for _ in range(count)]
    drain(session)
    return session, streams


def turns(sent: bytes) -> list[tuple[int, int]]:
    """
    Stream id and payload size of each DATA frame.
    """
    return [(stream_id, len(payload)) for _, _, stream_id, payload in frames(sent) if isinstance(payload, bytes)]


class FrameTests(SynchronousTestCase):
    """
    How a stream's bytes become frames.
    """

    def test_writes_of_a_turn_are_one_frame(self) -> None:
        """
        What was written in pieces leaves as one frame.
        """
        session, (stream,) = opened(1)
        for piece in (b"HTTP/1.1 200 OK\r\n", b"", b"\r\n", b"body"):
            session.send(stream, piece)
        self.assertEqual(data(2, b"HTTP/1.1 200 OK\r\n\r\nbody"), session.data_to_send())
        self.assertEqual(b"", session.data_to_send())

    def test_nothing_written_is_no_frame(self) -> None:
        """
        An empty write sends nothing.
        """
        session, (stream,) = opened(1)
        session.send(stream, b"")
        self.assertFalse(session.wants_to_send)
        self.assertEqual(b"", session.data_to_send())

    def test_payload_is_not_copied(self) -> None:
        """
        What was written whole leaves whole, and what had to be cut leaves as views of it.
        """
        session, (stream,) = opened(1, Limits(max_frame=150))
        whole, large = b"x" * 100, b"y" * 150
        session.send(stream, whole)
        session.send(stream, large)
        pieces = session.pieces_to_send()
        self.assertIs(whole, pieces[1])
        views = [piece for piece in pieces if isinstance(piece, memoryview)]
        self.assertEqual({large}, {view.obj for view in views})
        self.assertEqual(large, b"".join(views))

    def test_large_write_is_cut(self) -> None:
        """
        A write larger than a frame leaves in frames of the largest size, whatever the pieces were.
        """
        content = bytes(i * 7 % 251 for i in range(1000))
        for sizes in ([1000], [1] * 1000, [300, 700], [99, 1, 100, 101, 699], [100] * 10):
            session, (stream,) = opened(1, Limits(max_frame=100))
            pos = 0
            for size in sizes:
                session.send(stream, content[pos : pos + size])
                pos += size
            sent = drain(session, 250)
            self.assertEqual([(2, 100)] * 10, turns(sent))
            self.assertEqual(content, b"".join(f[3] for f in frames(sent) if isinstance(f[3], bytes)))
            self.assertEqual((0, []), (stream.queued, stream.queue))

    def test_window_smaller_than_a_frame(self) -> None:
        """
        The window cuts too, and a write that is cut often is not copied often.
        """
        session, (stream,) = opened(1)
        stream.send_window = 0
        content = bytes(range(256)) * 4096
        session.send(stream, content)
        sent = b""
        for increment in [1, 2, 99_999, 65_536, 65_537] + [200_000] * 5:
            session.receive_data(window(2, increment), 0.0)
            sent += drain(session)
            self.assertTrue(all(isinstance(chunk, memoryview) and chunk.obj is content for chunk in stream.queue))
        self.assertEqual(content, b"".join(f[3] for f in frames(sent) if isinstance(f[3], bytes)))

    def test_fin_behind_the_last_byte(self) -> None:
        """
        The FIN is a frame of its own, never a flag on data, and comes last.
        """
        session, (stream,) = opened(1, Limits(max_frame=4))
        session.send(stream, b"abcdef")
        session.finish(stream)
        self.assertEqual(data(2, b"abcd") + data(2, b"ef") + fin(2), drain(session))

    def test_reset_overtakes(self) -> None:
        """
        What was queued when a stream is reset never leaves, and its turn is passed over.
        """
        session, (first, second) = opened(2)
        session.send(first, b"a" * 10)
        session.send(second, b"b")
        session.finish(first)
        session.reset(first)
        self.assertEqual(rst(2) + data(4, b"b"), drain(session))


class TurnTests(SynchronousTestCase):
    """
    Streams take turns.
    """

    def test_round_robin(self) -> None:
        """
        A stream with much to send lets the others have theirs after each frame.
        """
        session, (a, b, c) = opened(3, Limits(max_frame=100))
        session.send(a, b"a" * 350)
        session.send(b, b"b" * 150)
        session.send(c, b"c" * 10)
        self.assertEqual(
            [(2, 100), (4, 100), (6, 10), (2, 100), (4, 50), (2, 100), (2, 50)], turns(session.data_to_send())
        )

    def test_turns_go_on_in_the_next_flush(self) -> None:
        """
        The order of turns does not depend on where flushes end.
        """
        expected = [(2, 100), (4, 100), (6, 10), (2, 100), (4, 50), (2, 100), (2, 50)]
        for limit in (1, 100, 113, 224, 300, 10_000):
            session, (a, b, c) = opened(3, Limits(max_frame=100))
            session.send(a, b"a" * 350)
            session.send(b, b"b" * 150)
            session.send(c, b"c" * 10)
            self.assertEqual(expected, turns(drain(session, limit)), limit)

    def test_limit(self) -> None:
        """
        No frame is begun once the limit is reached, so at most one frame goes beyond it.
        """
        session, (stream,) = opened(1, Limits(max_frame=100))
        session.send(stream, b"x" * 1000)
        self.assertEqual(112, len(session.data_to_send(1)))
        self.assertEqual(112, len(session.data_to_send(112)))
        self.assertEqual(224, len(session.data_to_send(113)))

    def test_newcomer_waits_one_round(self) -> None:
        """
        A stream that begins to send while another sends much gets its turn in the next flush.
        """
        session, (a, b) = opened(2, Limits(max_frame=100))
        session.send(a, b"a" * 1000)
        session.data_to_send(1)
        session.send(b, b"b")
        self.assertEqual([(2, 100), (4, 1), (2, 100)], turns(session.data_to_send(200)))

    def test_blocked_stream_stops_nobody(self) -> None:
        """
        A stream without window waits alone, and has its turn when credit comes.
        """
        session, (a, b) = opened(2)
        session.send(a, b"a" * (W + 5))
        drain(session)
        session.send(b, b"b")
        session.send(a, b"more")
        self.assertEqual([(4, 1)], turns(drain(session)))
        session.receive_data(window(2, 100), 0.0)
        self.assertEqual([(2, 9)], turns(drain(session)))

    def test_session_frames_first(self) -> None:
        """
        SYNs, resets, credit and pings overtake data.
        """
        session, (stream,) = opened(1)
        session.send(stream, b"x")
        session.open()
        self.assertEqual(syn(4) + data(2, b"x"), session.data_to_send())


class SentTests(SynchronousTestCase):
    """
    What sending reports.
    """

    def sent(self, session: Session) -> list[Plain]:
        """
        Report and check that it is reported once.
        """
        events = plain(session.take_sent())
        self.assertEqual([], session.take_sent())
        return events

    def test_fin(self) -> None:
        """
        A FIN is reported when it has left, and the stream is closed then if the peer had ended before.
        """
        session, (first, second) = opened(2)
        session.receive_data(fin(4), 0.0)
        for stream in (first, second):
            session.send(stream, b"x" * 10)
            session.finish(stream)
        self.assertEqual([], self.sent(session))
        drain(session)
        self.assertEqual([("fin sent", 2, None), ("fin sent", 4, None)], self.sent(session))
        self.assertEqual({2}, set(session.streams))

    def test_notice_of_a_queue(self) -> None:
        """
        A queue that somebody waits for is reported once, when it has come down to the size that was named.
        """
        session, (stream,) = opened(1, Limits(max_frame=100))
        session.send(stream, b"x" * 350)
        session.notify(stream, 150)
        session.data_to_send(1)
        self.assertEqual([], self.sent(session))
        session.data_to_send(1)
        self.assertEqual([("drained", 2, None)], self.sent(session))
        session.send(stream, b"x" * 500)
        drain(session)
        self.assertEqual([], self.sent(session))

    def test_closed_stream_of_the_same_id(self) -> None:
        """
        A report that nobody took does not touch a later stream of the same id.
        """
        session = Session(Role.SERVER)
        session.receive_data(syn(1), 0.0)
        first = session.streams[1]
        session.accept(first)
        session.finish(first)
        drain(session)
        session.receive_data(fin(1) + syn(1), 0.0)
        session.data_to_send()
        self.assertEqual({1}, set(session.streams))
