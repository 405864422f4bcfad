"""
A byte stream in WebSocket messages, as a transport for one protocol.

It stands between a connection whose upgrade is done and the protocol above, and is small, since there
may be very many. Back-pressure passes through it in both directions. It ends the stream with a Close frame that says
that this end goes away, and with the end of the connection right behind it. The peer's Close frame is an end in good
order, whatever becomes of the connection behind it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import cast

from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IAddress, IConsumer, IProducer, IProtocol, IPushProducer, ITransport
from twisted.python.failure import Failure
from zope.interface import classImplements

from pico.net.transport import StreamTransport
from pico.wire.websocket.events import Bytes, Event, Failed
from pico.wire.websocket.stream import ByteStream

#: The close code of an end that goes away (RFC 6455 section 7.4.1).
_GOING_AWAY = 1001

#: The close codes of a peer that has ended the stream as it should. Its process may be gone before it has read what was
#: still on its way to it, so that the connection itself looks broken.
_IN_ORDER = (1000, _GOING_AWAY)


class WebSocketTransport:
    """
    The protocol of a connection, and the transport of the protocol above.

    ``upper.connectionLost`` is called once, when the connection is gone, with ``ConnectionDone`` as its reason if the
    peer had said that it closes. If the peer broke the protocol,
    its reason is the :class:`pico.errors.RemoteProtocolError`; the peer has been told by a Close frame,
    and the connection closes once that is sent. A peer that does not read holds this up until somebody
    calls ``abortConnection``.

    :param upper: connected by ``makeConnection``.
    :ivar transport: the connection.
    """

    __slots__ = ("_end", "_held", "_open", "_stream", "_upper", "transport")

    transport: StreamTransport

    def __init__(self, upper: IProtocol, stream: ByteStream) -> None:
        self._upper = upper
        self._stream = stream
        #: Whether the protocol above may send and be sent to.
        self._open = True
        #: What came together with that at which the protocol above paused; None while it does not.
        self._held: list[Event] | None = None
        #: How the stream has ended, if it was not by the end of the connection.
        self._end: Exception | None = None

    # The connection's side

    def makeConnection(self, transport: ITransport) -> None:
        """
        Take over a connection.
        """
        self.transport = cast(StreamTransport, transport)
        self.connectionMade()

    def connectionMade(self) -> None:
        """
        Connect the protocol above.
        """
        self._upper.makeConnection(self)

    def dataReceived(self, data: bytes) -> None:
        """
        Pass the bytes in the messages up.
        """
        events = self._stream.receive_data(data)
        reply = self._stream.data_to_send()
        if reply:
            self.transport.write(reply)
        self._deliver(events)

    def connectionLost(self, reason: Failure) -> None:
        """
        The connection is gone, and so is the stream.
        """
        self._open = False
        self._upper.connectionLost(reason if self._end is None else Failure(self._end))

    # The protocol's side

    def write(self, data: bytes) -> None:
        """
        Send one message.
        """
        if data and self._open:
            self.transport.write(self._stream.send(data))

    def writeSequence(self, data: Iterable[bytes | memoryview]) -> None:
        """
        Send one message of several pieces, which are copied only to be masked.
        """
        if self._open:
            self.transport.writeSequence(self._stream.send_pieces(list(data)))

    def loseConnection(self) -> None:
        """
        Close once what was written is sent, without waiting for a producer that is paused.
        """
        if self._open:
            self._open = False
            self.transport.write(self._stream.close(_GOING_AWAY))
            self._close()

    def abortConnection(self) -> None:
        """
        Break the connection.
        """
        self._open = False
        self.transport.abortConnection()

    def getPeer(self) -> IAddress:
        """
        The connection's peer.
        """
        return self.transport.getPeer()

    def getHost(self) -> IAddress:
        """
        The connection's own address.
        """
        return self.transport.getHost()

    def registerProducer(self, producer: IProducer, streaming: bool) -> None:
        """
        Pause and resume the producer as the connection takes its bytes.
        """
        self.transport.registerProducer(producer, streaming)

    def unregisterProducer(self) -> None:
        """
        Forget the producer.
        """
        self.transport.unregisterProducer()

    def pauseProducing(self) -> None:
        """
        Deliver nothing until resumed.
        """
        if self._held is None:
            self._held = []
            self.transport.pauseProducing()

    def resumeProducing(self) -> None:
        """
        Deliver what was held back, and read on unless that made the protocol above pause again.
        """
        held, self._held = self._held, None
        if held:
            self._deliver(held)
        self._read_on()

    def stopProducing(self) -> None:
        """
        Close.
        """
        self.loseConnection()

    # Inside

    def _read_on(self) -> None:
        if self._held is None and self._open:
            self.transport.resumeProducing()

    def _deliver(self, events: list[Event]) -> None:
        for event in events:
            if not self._open:
                return
            if self._held is not None:
                self._held.append(event)
            elif isinstance(event, Bytes):
                self._upper.dataReceived(event.data)
            else:
                self._open = False
                if isinstance(event, Failed):
                    self._end = event.error
                elif event.code in _IN_ORDER:
                    self._end = ConnectionDone()
                self._close()

    def _close(self) -> None:
        # A paused producer that nobody lets write any more would keep the connection open.
        self.transport.unregisterProducer()
        self.transport.loseConnection()


classImplements(WebSocketTransport, IProtocol, ITransport, IConsumer, IPushProducer)
