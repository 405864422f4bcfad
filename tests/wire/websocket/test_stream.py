"""
Tests for :mod:`pico.wire.websocket.stream`.
"""

from __future__ import annotations

import logging
import tracemalloc
from itertools import pairwise
from os import urandom

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from pico.errors import LocalProtocolError
from pico.wire.websocket.events import Bytes, Failed
from pico.wire.websocket.stream import MASKED_FRAME, ByteStream, Side
from tests.wire.websocket.support import (
    BINARY,
    CLOSE,
    CONT,
    PING,
    PONG,
    TEXT,
    Plain,
    close,
    cut_anywhere,
    feed,
    frame,
    frames,
    plain,
)

#: What comes in as (opcode, payload, fin), what is reported, and what is replied as (opcode, payload).
Case = tuple[list[tuple[int, bytes, bool]], list[Plain], list[tuple[int, bytes]]]

CASES: dict[str, Case] = {
    "one message": ([(BINARY, b"abc", True)], [("bytes", b"abc")], []),
    "an empty message": ([(BINARY, b"", True)], [], []),
    "length in 16 bits": ([(BINARY, b"x" * 126, True)], [("bytes", b"x" * 126)], []),
    "several messages": (
        [(BINARY, b"a", True), (BINARY, b"bc", True)],
        [("bytes", b"abc")],
        [],
    ),
    "continuations": (
        [(BINARY, b"a", False), (CONT, b"b", False), (CONT, b"", False), (CONT, b"c", True)],
        [("bytes", b"abc")],
        [],
    ),
    "a message without its end": ([(BINARY, b"a", False)], [("bytes", b"a")], []),
    "an empty beginning": ([(BINARY, b"", False), (CONT, b"a", True)], [("bytes", b"a")], []),
    "a ping": ([(PING, b"why", True)], [], [(PONG, b"why")]),
    "a pong that nobody asked for": ([(PONG, b"so", True)], [], []),
    "a ping within a message": (
        [(BINARY, b"a", False), (PING, b"", True), (CONT, b"b", True)],
        [("bytes", b"ab")],
        [(PONG, b"")],
    ),
    "a Close": (
        [(BINARY, b"a", True), (CLOSE, close(1000), True)],
        [("bytes", b"a"), ("closed", 1000)],
        [(CLOSE, close(1000))],
    ),
    "a Close with a reason": (
        [(CLOSE, close(1001, b"bye"), True)],
        [("closed", 1001)],
        [(CLOSE, close(1001, b"bye"))],
    ),
    "a Close of our own kind": ([(CLOSE, close(4321), True)], [("closed", 4321)], [(CLOSE, close(4321))]),
    "a Close without a code": ([(CLOSE, b"", True)], [("closed", 1005)], [(CLOSE, b"")]),
    "what follows a Close": (
        [(CLOSE, close(1000), True), (BINARY, b"a", True), (PING, b"", True), (TEXT, b"t", True)],
        [("closed", 1000)],
        [(CLOSE, close(1000))],
    ),
    "text": (
        [(BINARY, b"a", True), (TEXT, b"t", True), (BINARY, b"b", True)],
        [("bytes", b"a"), ("failed", 1003)],
        [(CLOSE, close(1003, b"only binary messages are expected"))],
    ),
    "text among pings": (
        [(PING, b"1", True), (TEXT, b"t", True), (PING, b"2", True)],
        [("failed", 1003)],
        [(PONG, b"1"), (CLOSE, close(1003, b"only binary messages are expected"))],
    ),
    "text before a Close": (
        [(TEXT, b"t", True), (CLOSE, close(1000), True)],
        [("failed", 1003)],
        [(CLOSE, close(1003, b"only binary messages are expected"))],
    ),
    "text in pieces": (
        [(TEXT, b"t", False), (CONT, b"t", True)],
        [("failed", 1003)],
        [(CLOSE, close(1003, b"only binary messages are expected"))],
    ),
    "a continuation of nothing": (
        [(BINARY, b"a", True), (CONT, b"b", True), (BINARY, b"c", True)],
        [("bytes", b"a"), ("failed", 1002)],
        [(CLOSE, close(1002, b"unexpected continuation frame"))],
    ),
    "a message within a message": (
        [(BINARY, b"a", False), (BINARY, b"b", True)],
        [("bytes", b"a"), ("failed", 1002)],
        [(CLOSE, close(1002, b"expected a continuation frame"))],
    ),
    "a Close within a message": (
        [(BINARY, b"a", False), (CLOSE, close(1000), True)],
        [("bytes", b"a"), ("failed", 1002)],
        [(CLOSE, close(1002, b"incomplete fragmented message"))],
    ),
    "a Close cut short": (
        [(CLOSE, b"\x03", True)],
        [("failed", 1002)],
        [(CLOSE, close(1002, b"close frame too short"))],
    ),
    "a Close with a code that must not be sent": (
        [(CLOSE, close(1006), True)],
        [("failed", 1002)],
        [(CLOSE, close(1002, b"invalid status code"))],
    ),
    "a Close whose reason is no text": (
        [(CLOSE, close(1000, b"\xff"), True)],
        [("failed", 1007)],
        [(CLOSE, close(1007, b"close reason is not UTF-8"))],
    ),
    "a ping that is too long": (
        [(PING, b"x" * 126, True)],
        [("failed", 1002)],
        [(CLOSE, close(1002, b"control frame too long"))],
    ),
    "a ping in pieces": (
        [(PING, b"x", False)],
        [("failed", 1002)],
        [(CLOSE, close(1002, b"fragmented control frame"))],
    ),
    "an unknown kind of frame": (
        [(3, b"x", True)],
        [("failed", 1002)],
        [(CLOSE, close(1002, b"invalid opcode"))],
    ),
    "a reserved bit": (
        [(0x40 | BINARY, b"x", True)],
        [("failed", 1002)],
        [(CLOSE, close(1002, b"reserved bits must be 0"))],
    ),
}


def other(side: Side) -> Side:
    """
    The side that is not this one.
    """
    return Side.SERVER if side is Side.CLIENT else Side.CLIENT


class ReceiveTests(SynchronousTestCase):
    """
    Frames of the peer.
    """

    def test_table(self) -> None:
        """
        Every case, on both sides, whole, byte by byte and cut at every place, gives the same events and
        replies.
        """
        for name, (received, events, replies) in CASES.items():
            for side in Side:
                data = b"".join(frame(opcode, payload, fin=fin, to=side) for opcode, payload, fin in received)
                for pieces in cut_anywhere(data):
                    got, replied = feed(ByteStream(side, masks=urandom), pieces)
                    self.assertEqual(events, got, (name, side, pieces))
                    self.assertEqual(replies, [(kind, payload) for kind, _, payload in replied], name)

    def test_events_hold_bytes(self) -> None:
        """
        What is handed out is ``bytes``, on both sides.
        """
        for side in Side:
            event = ByteStream(side, masks=urandom).receive_data(frame(BINARY, b"abc", to=side))[0]
            assert isinstance(event, Bytes)
            self.assertIs(bytes, type(event.data))

    def test_payload_comes_as_it_comes(self) -> None:
        """
        What has come of a payload is not held back for the rest of it, however it was cut and masked.
        """
        payload = bytes(range(256)) * 40
        for side in Side:
            for cuts in ([3, 10], [5000, 5001, 5002, 5003], [2, 4096, 8195]):
                stream = ByteStream(side, masks=urandom)
                data = frame(BINARY, payload, to=side)
                head = len(data) - len(payload)
                edges = [0, *(head + cut for cut in cuts), len(data)]
                for start, end in pairwise(edges):
                    (event,) = stream.receive_data(data[start:end])
                    self.assertEqual(Bytes(payload[max(0, start - head) : end - head]), event)

    def test_wrong_masking(self) -> None:
        """
        A server wants masks, a client wants none.
        """
        for side in Side:
            events, _ = feed(ByteStream(side, masks=urandom), [frame(BINARY, b"abc", to=other(side))])
            self.assertEqual([("failed", 1002)], events)

    def test_fragment_too_large(self) -> None:
        """
        One frame is bounded, and its size alone is enough to refuse it; a message of many frames is not.
        """
        for side in Side:
            whole = frame(BINARY, b"x" * 127, to=side)
            self.assertEqual([("bytes", b"x" * 127)], feed(ByteStream(side, 127, masks=urandom), [whole])[0])
            for pieces in cut_anywhere(whole):
                events, replies = feed(ByteStream(side, 126, masks=urandom), pieces)
                self.assertEqual([("failed", 1009)], events)
                self.assertEqual(close(1009), replies[0][2][:2])
            self.assertEqual([("failed", 1009)], feed(ByteStream(side, 126, masks=urandom), [whole[:4]])[0])
            first, more = (frame(kind, b"x" * 126, fin=False, to=side) for kind in (BINARY, CONT))
            events, _ = feed(ByteStream(side, 126, masks=urandom), [first + more * 9])
            self.assertEqual([("bytes", b"x" * 1260)], events)

    def test_end_of_connection(self) -> None:
        """
        The end of TCP is the end of the stream, also within a frame or a message; it is reported once.
        """
        for received in (b"", frame(BINARY, b"abc")[:3], frame(BINARY, b"abc", fin=False)):
            stream = ByteStream(Side.CLIENT, masks=urandom)
            stream.receive_data(received)
            self.assertFalse(stream.closed)
            self.assertEqual([("closed", 1006)], plain(stream.receive_eof()))
            self.assertTrue(stream.closed)
            self.assertEqual([], stream.receive_eof())
            self.assertEqual([], stream.receive_data(frame(BINARY, b"abc")))
            self.assertEqual(b"", stream.data_to_send())

    def test_silence_after_the_end(self) -> None:
        """
        After the peer's Close or fault nothing is reported and nothing replied, whatever comes.
        """
        for last in (frame(CLOSE, close(1000)), frame(TEXT, b"t"), frame(CONT, b"c")):
            stream = ByteStream(Side.CLIENT, masks=urandom)
            feed(stream, [last])
            self.assertTrue(stream.closed)
            rest = [frame(PING), frame(BINARY, b"a"), frame(CLOSE, close(1000)), frame(TEXT)]
            self.assertEqual(([], []), feed(stream, rest))
            self.assertEqual([], stream.receive_eof())

    def test_reason(self) -> None:
        """
        A fault is told in words.
        """
        event = ByteStream(Side.CLIENT, masks=urandom).receive_data(frame(CONT, b"c"))[0]
        assert isinstance(event, Failed)
        self.assertEqual("unexpected continuation frame", event.error.reason)


class SendTests(SynchronousTestCase):
    """
    What is sent.
    """

    def test_one_message(self) -> None:
        """
        Each call makes one binary message; only a client masks, each time anew.
        """
        self.assertEqual(frame(BINARY, b"abc"), ByteStream(Side.SERVER).send(b"abc"))
        client = ByteStream(Side.CLIENT, masks=urandom)
        first, second = client.send(b"abc"), client.send(b"abc")
        self.assertEqual([(BINARY, True, b"abc")], frames(first))
        self.assertNotEqual(first, second)
        self.assertEqual(0x80, first[1] & 0x80)

    def test_large_message(self) -> None:
        """
        A client cuts a large message into frames, a server does not.
        """
        for size in (MASKED_FRAME - 1, MASKED_FRAME, MASKED_FRAME + 1, 3 * MASKED_FRAME):
            data = bytes(range(256)) * (size // 256) + b"x" * (size % 256)
            self.assertEqual([(BINARY, True, data)], frames(ByteStream(Side.SERVER).send(data)))
            sent = frames(ByteStream(Side.CLIENT, masks=urandom).send(data))
            self.assertEqual(data, b"".join(payload for _, _, payload in sent))
            self.assertLessEqual(max(len(payload) for _, _, payload in sent), MASKED_FRAME)
            self.assertEqual([BINARY] + [CONT] * (len(sent) - 1), [kind for kind, _, _ in sent])
            self.assertEqual([False] * (len(sent) - 1) + [True], [fin for _, fin, _ in sent])

    def test_pieces(self) -> None:
        """
        A message of several pieces is the same as of one; a server does not copy them.
        """
        pieces: list[bytes | memoryview] = [b"head", memoryview(bytes(70_000))[5:], b"x" * 70_000]
        whole = b"".join(pieces)
        sent = ByteStream(Side.SERVER).send_pieces(pieces)
        self.assertEqual(frame(BINARY, whole), b"".join(sent))
        for piece, given_piece in zip(sent[1:], pieces, strict=True):
            self.assertIs(given_piece, piece)
        for some in (pieces, pieces[:1], [b""]):
            made = frames(b"".join(ByteStream(Side.CLIENT, masks=urandom).send_pieces(some)))
            self.assertEqual(b"".join(some), b"".join(payload for _, _, payload in made))

    def test_masks(self) -> None:
        """
        Every frame of a client has a mask of its own, out of random bytes that are asked for seldom.
        """
        self.assertRaises(LocalProtocolError, ByteStream, Side.CLIENT)
        asked = []

        def numbers(size: int) -> bytes:
            asked.append(size)
            return b"".join((len(asked) * 1000 + n).to_bytes(4, "big") for n in range(size // 4))

        stream = ByteStream(Side.CLIENT, masks=numbers)
        self.assertEqual([], asked)
        count = 300
        sent = [stream.send(b"abc") for _ in range(count)]
        self.assertEqual([(BINARY, True, b"abc")] * count, frames(b"".join(sent)))
        self.assertEqual(count, len({data[2:6] for data in sent}))
        self.assertLess(len(asked), count // 50)

    def test_replies_come_first(self) -> None:
        """
        A reply that is due leaves with the next message at the latest.
        """
        stream = ByteStream(Side.SERVER)
        stream.receive_data(frame(PING, b"why", to=Side.SERVER))
        self.assertEqual(frame(PONG, b"why") + frame(BINARY, b"abc"), stream.send(b"abc"))
        self.assertEqual(b"", stream.data_to_send())

    def test_close(self) -> None:
        """
        A Close frame is made once, and nothing may be sent behind it.
        """
        stream = ByteStream(Side.SERVER)
        self.assertEqual(frame(CLOSE, close(1000)), stream.close())
        self.assertEqual(b"", stream.close())
        self.assertRaises(LocalProtocolError, stream.send, b"abc")
        self.assertEqual(frame(CLOSE, close(1001)), ByteStream(Side.SERVER).close(1001))

    def test_closing_handshake(self) -> None:
        """
        After our Close the peer may finish what it was sending; its Close ends the stream without another
        reply.
        """
        for side in Side:
            stream = ByteStream(side, masks=urandom)
            stream.close()
            data = frame(BINARY, b"late", to=side) + frame(PING, b"?", to=side)
            events, replies = feed(stream, [data, frame(CLOSE, close(1000), to=side)])
            self.assertEqual([("bytes", b"late"), ("closed", 1000)], events)
            self.assertEqual([(PONG, True, b"?")], replies)
            self.assertEqual(b"", stream.send(b"x"))

    def test_faults_while_closing(self) -> None:
        """
        After our Close a text still ends the stream, and any other fault looks like silence up to the end;
        neither makes a second Close.
        """
        for side in Side:
            stream = ByteStream(side, masks=urandom)
            stream.close()
            result = feed(stream, [frame(PING, b"1", to=side) + frame(TEXT, b"t", to=side)])
            self.assertEqual(([("failed", 1003)], [(PONG, True, b"1")]), result)
            stream = ByteStream(side, masks=urandom)
            stream.close()
            result = feed(stream, [frame(CONT, b"c", to=side), frame(BINARY, b"b", to=side)])
            self.assertEqual(([], []), result)
            self.assertEqual([("closed", 1006)], plain(stream.receive_eof()))

    def test_sending_to_nobody(self) -> None:
        """
        Once the peer has ended, sending and closing make nothing: whoever writes may not have heard of it
        yet.
        """
        for last in (frame(CLOSE, close(1000)), frame(TEXT, b"t"), frame(CONT, b"c")):
            stream = ByteStream(Side.CLIENT, masks=urandom)
            feed(stream, [last])
            self.assertEqual(b"", stream.send(b"abc"))
            self.assertEqual(b"", stream.close())
        stream = ByteStream(Side.CLIENT, masks=urandom)
        stream.receive_eof()
        self.assertEqual(b"", stream.send(b"abc"))
        self.assertEqual(b"", stream.close())


class FootprintTests(SynchronousTestCase):
    """
    What a stream costs while nothing happens.
    """

    def test_idle(self) -> None:
        """
        An idle stream stays under 1.5 KiB, also after it has carried something large.
        """
        large = frame(BINARY, bytes(65_536))
        ByteStream(Side.CLIENT, masks=urandom).receive_data(large)
        tracemalloc.start()
        self.addCleanup(tracemalloc.stop)
        before = tracemalloc.get_traced_memory()[0]
        idle = [ByteStream(Side.CLIENT, masks=urandom) for _ in range(100)]
        self.assertLess((tracemalloc.get_traced_memory()[0] - before) / len(idle), 1536)
        for stream in idle:
            stream.receive_data(large)
            stream.send(b"x" * 100)
        self.assertLess((tracemalloc.get_traced_memory()[0] - before) / len(idle), 1536)

    def test_payloads_are_not_logged(self) -> None:
        """
        Not even a program that logs everything gets to see frames.
        """
        with self.assertNoLogs(level=logging.DEBUG):
            feed(ByteStream(Side.SERVER), [frame(BINARY, b"secret", to=Side.SERVER)])


class LanguageTests(SynchronousTestCase):
    """
    Any sequence of frames, in any pieces.
    """

    messages = st.lists(
        st.tuples(
            st.sampled_from([BINARY, BINARY, CONT, PING, PONG, CLOSE, TEXT]),
            st.sampled_from([b"", b"a", b"\x03\xe8", b"x" * 125, b"y" * 130]),
            st.booleans(),
        ),
        max_size=8,
    )

    @settings(derandomize=True, deadline=None, max_examples=100)
    @given(messages, st.sampled_from(Side), st.data())
    def test_cuts_mean_nothing(self, received: list[tuple[int, bytes, bool]], side: Side, draw: st.DataObject) -> None:
        """
        Whatever the frames are, how they are cut changes neither events nor replies, and nothing is raised.
        """
        data = b"".join(frame(opcode, payload, fin=fin, to=side) for opcode, payload, fin in received)
        places = draw.draw(st.lists(st.integers(0, len(data)), max_size=6))
        edges = [0, *sorted(places), len(data)]
        pieces = [data[a:b] for a, b in pairwise(edges)]
        self.assertEqual(feed(ByteStream(side, masks=urandom), [data]), feed(ByteStream(side, masks=urandom), pieces))

    @settings(derandomize=True, deadline=None, max_examples=100)
    @given(st.binary(max_size=200), st.sampled_from(Side), st.integers(0, 200))
    def test_noise(self, noise: bytes, side: Side, place: int) -> None:
        """
        Noise does not raise, is read the same in two pieces, and ends in at most one end.
        """
        stream = ByteStream(side, masks=urandom)
        events, _ = feed(stream, [noise])
        again, _ = feed(ByteStream(side, masks=urandom), [noise[:place], noise[place:]])
        self.assertEqual(events, again)
        events += plain(stream.receive_eof())
        ends = [event for event in events if event[0] != "bytes"]
        self.assertEqual(ends, events[-1:])

    @settings(derandomize=True, deadline=None, max_examples=50)
    @given(st.lists(st.binary(max_size=300), max_size=10), st.sampled_from(Side), st.integers(1, 50))
    def test_pair(self, sent: list[bytes], side: Side, step: int) -> None:
        """
        What one side sends the other receives, in whatever pieces it comes.
        """
        sender, receiver = ByteStream(side, masks=urandom), ByteStream(other(side), masks=urandom)
        data = b"".join(map(sender.send, sent)) + sender.close(1001)
        events, replies = feed(receiver, [data[i : i + step] for i in range(0, len(data), step)])
        self.assertEqual(b"".join(sent), b"".join(what for kind, what in events if isinstance(what, bytes)))
        self.assertEqual(("closed", 1001), events[-1])
        self.assertEqual([(CLOSE, True, close(1001))], replies)
