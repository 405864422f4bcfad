"""
The byte stream beside wsproto, an independent implementation: each takes the other's bytes.
"""

from __future__ import annotations

from os import urandom

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase
from wsproto.connection import Connection, ConnectionType
from wsproto.events import BytesMessage, CloseConnection, Ping, Pong, TextMessage

from pico.wire.websocket.stream import MASKED_FRAME, ByteStream, Side
from tests.wire.websocket.support import feed, plain


def joined(side: Side) -> tuple[ByteStream, Connection]:
    """
    Our stream of one side and wsproto's connection of the other, behind the handshake.
    """
    theirs = ConnectionType.SERVER if side is Side.CLIENT else ConnectionType.CLIENT
    return ByteStream(side, masks=urandom), Connection(theirs)


def content(connection: Connection) -> bytes:
    """
    The bytes that wsproto has received.
    """
    return b"".join(bytes(event.data) for event in connection.events() if isinstance(event, BytesMessage))


class OracleTests(SynchronousTestCase):
    """
    A client of ours with a server of wsproto's, and the reverse.
    """

    @settings(derandomize=True, deadline=None, max_examples=60)
    @given(
        st.sampled_from(Side),
        st.lists(st.tuples(st.binary(max_size=400), st.booleans()), max_size=8),
        st.integers(1, 60),
    )
    def test_receive(self, side: Side, sent: list[tuple[bytes, bool]], step: int) -> None:
        """
        We read what wsproto writes, in messages of any number of frames.
        """
        ours, theirs = joined(side)
        data = b"".join(theirs.send(BytesMessage(payload, message_finished=fin)) for payload, fin in sent)
        events, replies = feed(ours, [data[i : i + step] for i in range(0, len(data), step)])
        content = b"".join(payload for payload, _ in sent)
        self.assertEqual([("bytes", content)] if content else [], events)
        self.assertEqual([], replies)

    @settings(derandomize=True, deadline=None, max_examples=60)
    @given(st.sampled_from(Side), st.lists(st.binary(max_size=400), max_size=8), st.integers(1, 60))
    def test_send(self, side: Side, sent: list[bytes], step: int) -> None:
        """
        wsproto reads what we write.
        """
        ours, theirs = joined(side)
        data = b"".join(map(ours.send, sent))
        received = b""
        for start in range(0, len(data), step):
            theirs.receive_data(data[start : start + step])
            received += content(theirs)
        self.assertEqual(b"".join(sent), received)

    def test_large(self) -> None:
        """
        Lengths of every form arrive, both ways.
        """
        for side in Side:
            for size in (0, 1, 125, 126, 127, 65_535, 65_536, MASKED_FRAME + 1, 3 * MASKED_FRAME + 7):
                data = (b"0123456789abcdef" * (size // 16 + 1))[:size]
                ours, theirs = joined(side)
                theirs.receive_data(ours.send(data))
                self.assertEqual(data, content(theirs))
                events, _ = feed(ours, [theirs.send(BytesMessage(data))])
                self.assertEqual([("bytes", data)] if data else [], events)

    def test_ping(self) -> None:
        """
        Its pings are answered.
        """
        for side in Side:
            ours, theirs = joined(side)
            ours.receive_data(theirs.send(Ping(b"why")))
            theirs.receive_data(ours.data_to_send())
            self.assertEqual([Pong(b"why")], list(theirs.events()))

    def test_close_of_theirs(self) -> None:
        """
        Its Close is reported and answered.
        """
        for side in Side:
            ours, theirs = joined(side)
            events = ours.receive_data(theirs.send(CloseConnection(1001, "bye")))
            self.assertEqual([("closed", 1001)], plain(events))
            theirs.receive_data(ours.data_to_send())
            self.assertEqual([CloseConnection(1001, "bye")], list(theirs.events()))

    def test_close_of_ours(self) -> None:
        """
        Our Close is understood, and its answer is the end.
        """
        for side in Side:
            ours, theirs = joined(side)
            theirs.receive_data(ours.close(1000))
            (event,) = theirs.events()
            assert isinstance(event, CloseConnection)
            self.assertEqual(1000, event.code)
            self.assertEqual([("closed", 1000)], plain(ours.receive_data(theirs.send(event.response()))))

    def test_text(self) -> None:
        """
        Its text is refused, and it is told so.
        """
        for side in Side:
            ours, theirs = joined(side)
            self.assertEqual([("failed", 1003)], plain(ours.receive_data(theirs.send(TextMessage("hello")))))
            theirs.receive_data(ours.data_to_send())
            (event,) = theirs.events()
            assert isinstance(event, CloseConnection)
            self.assertEqual(1003, event.code)
