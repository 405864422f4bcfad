"""
TCP transports that send at once.

Invariants, and why they hold:

1. Bytes leave in the order in which they were written. A write goes straight to the socket only while
   nothing is queued; once a byte is queued, everything after it is queued too, until Twisted's
   ``doWrite`` has emptied the queue.
2. Nobody is called from inside ``write`` except a producer that must pause. An error of the socket is
   not reported there: the bytes are queued, and the reactor finds the connection broken in its next
   turn.
3. Whatever Twisted decides when its queue runs empty (ask a pull producer for more, close,
   half-close) is still decided there: in those states writes are queued although nothing is waiting.
4. A connection that the peer reset never looks like one that ended. A failed ``send`` takes the error
   away from the socket, so that the ``recv`` after it sees a plain end; that end is reported as a
   loss.

TLS: ``startTLS`` works, but its ciphertext goes through the queue. A TLS protocol on top of these transports
(:class:`twisted.protocols.tls.TLSMemoryBIOFactory`) sends at once like any other protocol.
"""

from __future__ import annotations

import socket
from collections.abc import Iterable
from errno import EINTR, ENOBUFS, EWOULDBLOCK
from typing import Protocol, cast

from twisted.internet import tcp
from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.interfaces import IAddress, IProducer, IProtocol, IReactorFDSet
from twisted.internet.main import CONNECTION_DONE, CONNECTION_LOST

#: What the socket module calls an address: host and port, for IPv6 also flow label and scope.
SocketName = tuple[str, int] | tuple[str, int, int, int]

#: The socket is as good as before: it has no room, or the call was interrupted.
_NO_ROOM = (EWOULDBLOCK, ENOBUFS, EINTR)

#: From this many bytes on, handing several buffers to the kernel is cheaper than joining them first.
_GATHER = 16384

#: Buffers in one ``sendmsg``, below the 1024 that Linux allows.
_GATHER_CHUNKS = 512

#: How the address of an IPv4 peer begins on a socket of both families (RFC 4291 section 2.5.5.2).
_MAPPED = "::ffff:"


class StreamTransport(Protocol):
    """
    The shape of what carries a stream of bytes: ITransport, IConsumer and IPushProducer in one, with
    half-close and abort.

    These transports have it, and so have those of Twisted, streams of a tunnel and the doubles for tests.
    """

    def write(self, data: bytes, /) -> object: ...
    def writeSequence(self, iovec: Iterable[bytes | memoryview], /) -> object: ...
    def loseConnection(self) -> object: ...
    def loseWriteConnection(self) -> object: ...
    def abortConnection(self) -> object: ...
    def registerProducer(self, producer: IProducer, streaming: bool, /) -> object: ...
    def unregisterProducer(self) -> object: ...
    def pauseProducing(self) -> object: ...
    def resumeProducing(self) -> object: ...
    def getPeer(self) -> IAddress: ...
    def getHost(self) -> IAddress: ...


def has_unread(transport: object) -> bool:
    """
    Whether bytes have come over a connection that nobody has read yet; false where that cannot be known.

    Whoever closes a connection that should be idle asks, because the peer may just have begun to use it: what was not
    read when a socket is closed makes the system reset the connection.
    """
    if not isinstance(transport, DirectConnection) or not transport.connected:
        return False
    try:
        return bool(transport.socket.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT))
    except OSError:
        return False


class DirectConnection(tcp.Connection):
    """
    A connection whose writes go to the socket at once when nothing is queued before them.

    :cvar read_size: bytes asked of the socket at a time. A larger first read would make the allocator
        map and unmap memory for every small message.
    :cvar bulk_read_size: bytes asked of the socket after a read that was filled.
    """

    read_size = 65536
    bulk_read_size = 262144

    def keep_at_hand(self) -> None:
        """
        Give the connection attributes of its own where Twisted's classes have what they begin with: every write and
        read asks for them, and an instance's are found much faster.
        """
        self._read_next = self.read_size
        self._send_failed = False
        self.TLS = False
        self._aborting = False
        self._writeDisconnecting = False
        self.dataBuffer = b""
        self.disconnecting = False
        self.producer = None
        self.streamingProducer = False

    def write(self, data: bytes) -> None:
        """
        Send what the socket takes now and queue the rest.
        """
        if not data or self._must_queue():
            tcp.Connection.write(self, data)
            return
        if not isinstance(data, bytes):
            raise TypeError("Data must be bytes")
        try:
            sent = self.socket.send(data)
        except OSError as error:
            self._send_failed = error.errno not in _NO_ROOM
            sent = 0
        if sent != len(data):
            self._queue_rest(data, sent)

    def writeSequence(self, iovec: Iterable[bytes | memoryview]) -> None:
        """
        Send what the socket takes of several pieces now, in one system call, and queue the rest.

        :param iovec: may hold memoryviews of bytes, too.
        """
        chunks = list(iovec)
        size = sum(map(len, chunks))
        if size < _GATHER or len(chunks) > _GATHER_CHUNKS:
            self.write(b"".join(chunks))
            return
        if self._must_queue():
            tcp.Connection.write(self, b"".join(chunks))
            return
        try:
            sent = self.socket.sendmsg(chunks)
        except OSError as error:
            self._send_failed = error.errno not in _NO_ROOM
            sent = 0
        if sent != size:
            self._queue_rest(b"".join(chunks), sent)

    def _must_queue(self) -> bool:
        return bool(
            self._tempDataLen
            or self.dataBuffer
            or not self.connected
            or self.disconnecting
            or self._writeDisconnecting
            or self._aborting
            or self.TLS
            or (self.producer is not None and not self.streamingProducer)
        )

    def _queue_rest(self, data: bytes, sent: int) -> None:
        if sent:
            # As doWrite would leave it: nothing is copied, the offset says what has gone.
            self.dataBuffer = data
            self.offset = sent
        else:
            self._tempDataBuffer.append(data)
            self._tempDataLen = len(data)
        tcp.Connection._maybePauseProducer(self)
        tcp.Connection.startWriting(self)

    def _isSendBufferFull(self) -> bool:  # noqa: N802 - Twisted's name
        # The stock test counts what has been sent of dataBuffer as well.
        return len(self.dataBuffer) - self.offset + self._tempDataLen > self.bufferSize

    # Twisted's mixin types it as the function that it puts here when a connection is aborted.
    def doRead(self) -> ConnectionLost | ConnectionDone | None:  # type: ignore[override]
        """
        Pass what the socket holds, up to one buffer, to the protocol.
        """
        try:
            data = self.socket.recv(self._read_next)
        except OSError as error:
            return None if error.errno == EWOULDBLOCK else CONNECTION_LOST
        if not data:
            return CONNECTION_LOST if self._send_failed else CONNECTION_DONE
        self._read_next = self.read_size if len(data) < self.read_size else self.bulk_read_size
        self.protocol.dataReceived(data)
        return None


class DirectServer(DirectConnection, tcp.Server):
    """
    An accepted connection; made by :class:`pico.net.ports.DirectPort`.

    A peer that came over IPv4 to a socket of both families has an IPv4 address here, like any other.
    """

    def __init__(
        self,
        sock: socket.socket,
        protocol: IProtocol,
        client: tuple[object, ...],
        server: tcp.Port,
        sessionno: int,
        reactor: IReactorFDSet,
    ) -> None:
        self.keep_at_hand()
        super().__init__(sock, protocol, unmapped(client), server, sessionno, reactor)

    def getHost(self) -> IPv4Address | IPv6Address:
        """
        The address of this side.
        """
        return address_of(tcp._getsockname(self.socket))


class DirectClient(DirectConnection, tcp.Client):
    """
    A dialled connection; made by :func:`pico.net.ports.make_client_endpoint`.
    """

    def createInternetSocket(self) -> socket.socket:
        """
        Make the socket, with small writes sent without delay.
        """
        self.keep_at_hand()
        made: socket.socket = tcp.Client.createInternetSocket(self)
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return made


def unmapped(name: tuple[object, ...]) -> tuple[object, ...]:
    """
    Turn the socket name of an IPv4 peer of an IPv6 socket into the IPv4 one; leave others as they are.
    """
    host = name[0]
    if isinstance(host, str) and host.startswith(_MAPPED) and "." in host:
        return (host.removeprefix(_MAPPED), name[1])
    return name


def address_of(name: SocketName) -> IPv4Address | IPv6Address:
    """
    Make the address object of a socket name, that of IPv4 for an IPv4 peer of an IPv6 socket.
    """
    name = cast(SocketName, unmapped(name))
    return IPv4Address("TCP", *name) if len(name) == 2 else IPv6Address("TCP", *name)
