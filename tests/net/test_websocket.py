"""
A byte stream over a WebSocket as a transport.
"""

from __future__ import annotations

from os import urandom

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.error import ConnectionAborted, ConnectionDone, ConnectionLost
from twisted.internet.interfaces import IConsumer, IProtocol, IPushProducer, ITransport
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from pico.errors import RemoteProtocolError
from pico.net.websocket import WebSocketTransport
from pico.testing import HalfCloseRecordingProtocol, MemoryPipe, RecordingProducer, RecordingProtocol
from pico.wire.websocket.stream import ByteStream, Side

MUCH = bytes(range(256)) * 2048

#: Unmasked frames of a server, RFC 6455 section 5.2.
BINARY_HI = b"\x82\x02hi"
TEXT_HI = b"\x81\x02hi"
PING_X = b"\x89\x01x"
CLOSE_1000 = b"\x88\x02\x03\xe8"
CLOSE_1001 = b"\x88\x02\x03\xe9"
RESERVED = b"\x83\x00"


class Talker(RecordingProtocol):
    """
    A protocol on top of a WebSocket.
    """

    transport: WebSocketTransport


class Pausing(Talker):
    """
    Pauses after each delivery.

    :ivar untiring: does not any more.
    """

    untiring = False

    def dataReceived(self, data: bytes) -> None:
        """
        Remember and pause.
        """
        super().dataReceived(data)
        if not self.untiring:
            self.transport.pauseProducing()


class WebSocketTransportTests(SynchronousTestCase):
    """
    Two protocols that talk over a WebSocket in memory.
    """

    def begin(self, node: Talker | None = None, read_size: int = 65536) -> None:
        """
        Connect an agent's protocol to a node's.
        """
        self.pipe = MemoryPipe(read_size=read_size)
        self.agent = Talker()
        self.node = node if node is not None else Talker()
        self.agent_side = WebSocketTransport(self.agent, ByteStream(Side.CLIENT, masks=urandom))
        self.node_side = WebSocketTransport(self.node, ByteStream(Side.SERVER))
        self.pipe.connect(self.agent_side, self.node_side)

    def test_interfaces(self) -> None:
        """
        It is a protocol below and a transport above.
        """
        self.begin()
        for interface in (IProtocol, ITransport, IConsumer, IPushProducer):
            verifyObject(interface, self.node_side)
        self.assertIs(self.node.transport, self.node_side)

    def test_both_ways(self) -> None:
        """
        What one protocol writes, the other receives.
        """
        self.begin()
        self.agent.transport.write(b"hello ")
        self.agent.transport.writeSequence([b"no", b"de"])
        self.node.transport.write(b"hello agent")
        self.pipe.pump()
        self.assertEqual((self.node.received, self.agent.received), (b"hello node", b"hello agent"))

    def test_one_message(self) -> None:
        """
        Each write is one message, sent at once; an empty one is none.
        """
        peer = RecordingProtocol()
        pipe = MemoryPipe()
        pipe.connect(peer, WebSocketTransport(node := Talker(), ByteStream(Side.SERVER)))
        node.transport.write(b"hi")
        node.transport.writeSequence([b"h", b"i"])
        node.transport.write(b"")
        pipe.pump()
        self.assertEqual(peer.received, BINARY_HI * 2)

    def test_addresses(self) -> None:
        """
        The addresses are those of the connection.
        """
        self.begin()
        self.assertEqual(self.node_side.getPeer(), self.pipe.left.getHost())
        self.assertEqual(self.node_side.getHost(), self.pipe.right.getHost())

    @settings(derandomize=True, deadline=None, max_examples=50)
    @given(st.lists(st.binary(max_size=300)), st.integers(1, 50))
    def test_any_cut(self, messages: list[bytes], size: int) -> None:
        """
        The connection may cut the messages anywhere.
        """
        self.begin(read_size=size)
        for message in messages:
            self.agent.transport.write(message)
            self.node.transport.write(message)
        self.pipe.pump()
        self.assertEqual(self.node.received, b"".join(messages))
        self.assertEqual(self.agent.received, b"".join(messages))

    # Back-pressure

    def test_producer(self) -> None:
        """
        The protocol's producer is paused when the connection takes no more, and resumed when it does.
        """
        self.begin()
        producer = RecordingProducer()
        self.agent.transport.registerProducer(producer, True)
        self.node.transport.pauseProducing()
        self.agent.transport.write(MUCH)
        self.pipe.pump()
        self.assertEqual((producer.calls, self.node.received), (["pause"], b""))
        self.node.transport.resumeProducing()
        self.pipe.pump()
        self.assertEqual((producer.calls, self.node.received), (["pause", "resume"], MUCH))
        self.agent.transport.unregisterProducer()
        self.agent.transport.registerProducer(producer, True)

    def test_pause(self) -> None:
        """
        A protocol that pauses gets nothing more until it resumes, not even what came together.
        """
        self.begin(node=Pausing())
        for number in range(5):
            self.agent.transport.write(b"%d" % number)
        self.pipe.pump()
        for number in range(5):
            self.assertEqual(self.node.received, b"01234"[: number + 1])
            self.assertFalse(self.pipe.right.reading)
            self.node.transport.resumeProducing()
            self.pipe.pump()
        self.assertTrue(self.pipe.right.reading)

    def test_pause_twice(self) -> None:
        """
        Pausing again loses nothing that was held back, nor does resuming again.
        """
        node = Pausing()
        self.begin(node=node)
        for data in (b"a", b"b"):
            self.agent.transport.write(data)
        self.pipe.pump()
        self.node.transport.pauseProducing()
        node.untiring = True
        self.node.transport.resumeProducing()
        self.node.transport.resumeProducing()
        self.assertEqual(self.node.received, b"ab")

    def test_pause_before_end(self) -> None:
        """
        The peer's end waits behind what is held back.
        """
        self.begin(node=Pausing())
        stream = ByteStream(Side.CLIENT, masks=urandom)
        self.pipe.left.write(stream.send(b"a") + stream.send(b"b") + stream.close())
        self.pipe.pump()
        self.assertEqual((self.node.received, self.node.lost), (b"a", None))
        self.node.transport.resumeProducing()
        self.pipe.pump()
        self.assertEqual((self.node.received, self.node.lost), (b"ab", None))
        self.node.transport.resumeProducing()
        self.pipe.pump()
        self.assertEqual(self.node.lost, ConnectionDone)

    # Ends

    def test_lose_connection(self) -> None:
        """
        Closing sends what was written, then ends the connection; both sides see an end in good order.
        """
        self.begin()
        self.agent.transport.write(MUCH)
        self.agent.transport.loseConnection()
        self.agent.transport.write(b"too late")
        self.pipe.pump()
        self.assertEqual(self.node.received, MUCH)
        self.assertEqual((self.agent.lost, self.node.lost), (ConnectionDone, ConnectionDone))
        self.assertEqual((len(self.agent.reasons), len(self.node.reasons)), (1, 1))

    def test_going_away(self) -> None:
        """
        The other end is told that this one goes away, once.
        """
        peer = RecordingProtocol()
        pipe = MemoryPipe()
        pipe.connect(peer, WebSocketTransport(node := Talker(), ByteStream(Side.SERVER)))
        node.transport.write(b"hi")
        node.transport.stopProducing()
        node.transport.loseConnection()
        pipe.pump()
        received = BINARY_HI + CLOSE_1001
        self.assertEqual((peer.received, peer.lost, node.lost), (received, ConnectionDone, ConnectionDone))

    def test_close_with_paused_producer(self) -> None:
        """
        A producer that was paused does not keep a closing connection open.
        """
        self.begin()
        self.node.transport.pauseProducing()
        self.agent.transport.registerProducer(RecordingProducer(), True)
        self.agent.transport.write(MUCH)
        self.agent.transport.loseConnection()
        self.pipe.pump()
        self.node.transport.resumeProducing()
        self.pipe.pump()
        self.assertEqual((self.node.received, self.agent.lost), (MUCH, ConnectionDone))

    def test_abort(self) -> None:
        """
        Aborting breaks the connection, and nothing is delivered any more.
        """
        self.begin()
        self.agent.transport.write(b"not heard")
        self.node.transport.abortConnection()
        self.node.transport.write(b"not sent")
        self.pipe.pump()
        self.assertEqual((self.node.lost, self.agent.lost), (ConnectionAborted, ConnectionLost))
        self.assertEqual((self.node.received, self.agent.received), (b"", b""))

    def test_lost_while_held(self) -> None:
        """
        A connection that breaks while its protocol pauses takes along what was held back.
        """
        self.begin(node=Pausing())
        for data in (b"a", b"b"):
            self.agent.transport.write(data)
        self.pipe.pump()
        self.node.transport.abortConnection()
        self.pipe.pump()
        self.node.transport.resumeProducing()
        self.pipe.pump()
        self.assertEqual((self.node.received, self.node.lost), (b"a", ConnectionAborted))

    def test_write_when_lost(self) -> None:
        """
        Nothing is sent to a connection that is gone.
        """
        self.begin()
        self.agent.transport.abortConnection()
        self.pipe.pump()
        self.assertEqual(self.node.lost, ConnectionLost)
        written: list[bytes] = []
        self.patch(self.pipe.right, "write", written.append)
        self.node.transport.write(b"too late")
        self.assertEqual(written, [])

    def test_close_within_delivery(self) -> None:
        """
        A protocol that closes or aborts while it receives gets none of what came together.
        """
        for end in ("loseConnection", "abortConnection"):

            class Closing(Talker):
                def dataReceived(self, data: bytes, end: str = end) -> None:
                    super().dataReceived(data)
                    getattr(self.transport, end)()

            self.begin(node=Closing())
            for data in (b"a", b"b"):
                self.agent.transport.write(data)
            self.pipe.pump()
            self.assertEqual(self.node.received, b"a")
            self.assertEqual(len(self.node.reasons), 1)

    def test_peer_half_closes(self) -> None:
        """
        A connection whose peer has ended is at its end: there is no half-open WebSocket.
        """
        self.begin()
        self.pipe.left.loseWriteConnection()
        self.pipe.pump()
        self.assertEqual(self.node.lost, ConnectionDone)

    # What only bytes from outside show

    def raw(self, data: bytes) -> HalfCloseRecordingProtocol:
        """
        Send bytes to an agent's side.

        :return: what sent them.
        """
        peer = HalfCloseRecordingProtocol()
        self.pipe = MemoryPipe()
        self.agent = Talker()
        self.pipe.connect(WebSocketTransport(self.agent, ByteStream(Side.CLIENT, masks=urandom)), peer)
        self.pipe.right.write(data)
        self.pipe.pump()
        return peer

    def test_ping(self) -> None:
        """
        Pings are answered.
        """
        peer = self.raw(PING_X + BINARY_HI)
        self.assertEqual((self.agent.received, peer.received[:2]), (b"hi", b"\x8a\x81"))

    def test_close_frame(self) -> None:
        """
        The peer's Close frame is answered and ends the connection in good order.
        """
        peer = self.raw(BINARY_HI + CLOSE_1000 + BINARY_HI)
        self.assertEqual((self.agent.received, self.agent.lost), (b"hi", ConnectionDone))
        self.assertEqual((peer.received[:2], peer.read_ends), (b"\x88\x82", 1))

    def test_reset_behind_close_frame(self) -> None:
        """
        A peer whose process is gone right behind its Close frame has ended in good order, too: what was still on its
        way to it resets the connection.
        """
        self.pipe = MemoryPipe()
        self.agent = Talker()
        side, peer = WebSocketTransport(self.agent, ByteStream(Side.CLIENT, masks=urandom)), RecordingProtocol()
        self.pipe.connect(side, peer)
        self.pipe.right.pauseProducing()
        self.agent.transport.write(bytes(10_000_000))
        self.pipe.right.write(CLOSE_1000)
        self.pipe.pump()
        self.assertEqual(self.agent.reasons, [])
        self.pipe.right.abortConnection()
        self.pipe.pump()
        self.assertEqual([reason.type for reason in self.agent.reasons], [ConnectionDone])

    def test_faults(self) -> None:
        """
        A peer that breaks the protocol is told by a Close frame and disconnected; what came before is
        delivered, and the reason says what was wrong.
        """
        for fault, code in ((TEXT_HI, 1003), (RESERVED, 1002)):
            peer = self.raw(BINARY_HI + fault + BINARY_HI)
            self.assertEqual((self.agent.received, self.agent.lost), (b"hi", RemoteProtocolError))
            reason = self.agent.reasons[0].value
            assert isinstance(reason, RemoteProtocolError)
            self.assertEqual(reason.code, code)
            self.assertEqual((peer.received[:1], peer.read_ends), (b"\x88", 1))
            self.assertEqual(len(self.agent.reasons), 1)

    def test_small(self) -> None:
        """
        A transport has no dictionary: there may be very many.
        """
        self.begin()
        self.assertFalse(hasattr(self.node_side, "__dict__"))
