"""
Two connected transports in memory that behave like the two ends of a TCP connection.

There is room for ``capacity`` bytes on the way in each direction, as in the buffers of two kernels;
what does not fit waits in the sender's own queue, and its producer is paused when that grows beyond
``high_water``. Nothing moves by itself: :meth:`MemoryPipe.pump` and :meth:`MemoryPipe.pump_once`
deliver, one turn of a reactor at a time, first to the left transport, then to the right one.

What a real connection does and doubles usually do not, this one does too:

- a transport that is paused gets neither data nor the news that its peer is gone;
- after the peer has half-closed, resuming reads the end again;
- a transport with a producer that is paused does not close before the producer is resumed or
  unregistered;
- closing while received bytes are unread, or sending to a peer that has closed, resets.
"""

from __future__ import annotations

import enum
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import cast

from twisted.internet.address import IPv4Address
from twisted.internet.error import ConnectionAborted, ConnectionDone, ConnectionLost
from twisted.internet.interfaces import (
    IConsumer,
    IHalfCloseableDescriptor,
    IHalfCloseableProtocol,
    IProducer,
    IProtocol,
    IPullProducer,
    IPushProducer,
    ITCPTransport,
    ITransport,
)
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from zope.interface import implementer

_LEFT = IPv4Address("TCP", "192.0.2.1", 40000)
_RIGHT = IPv4Address("TCP", "192.0.2.2", 80)


class _Way:
    """
    One direction of a pipe.

    :ivar ended: the sender has sent everything.
    :ivar broken: the sender was reset or does not exist any more.
    """

    __slots__ = ("broken", "capacity", "chunks", "ended", "offset", "size")

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self.chunks: deque[bytes] = deque()
        #: Bytes of the first chunk that have been taken.
        self.offset = 0
        self.size = 0
        self.ended = False
        self.broken = False

    def take(self, size: int) -> bytes:
        taken = []
        size = min(size, self.size)
        self.size -= size
        while size:
            chunk = self.chunks[0]
            taken.append(chunk[self.offset : self.offset + size])
            size -= len(taken[-1])
            self.offset += len(taken[-1])
            if self.offset == len(chunk):
                self.chunks.popleft()
                self.offset = 0
        return b"".join(taken)


class _Life(enum.Enum):
    NEW = enum.auto()
    OPEN = enum.auto()
    #: To be closed once everything has been sent.
    CLOSING = enum.auto()
    ABORTING = enum.auto()
    LOST = enum.auto()


class _Writing(enum.Enum):
    OPEN = enum.auto()
    #: To be ended once everything has been sent.
    ENDING = enum.auto()
    ENDED = enum.auto()


@implementer(ITCPTransport, ITransport, IConsumer, IPushProducer, IHalfCloseableDescriptor)
class MemoryTransport:
    """
    One end of a :class:`MemoryPipe`.

    :ivar protocol: gets what arrives; may be replaced at any time.
    :ivar peer: the other end.
    :ivar on_lost: called after the protocol's ``connectionLost``.
    """

    protocol: IProtocol
    peer: MemoryTransport
    on_lost: Callable[[Failure], None] | None = None

    def __init__(self, pipe: MemoryPipe, host: IPv4Address, incoming: _Way, outgoing: _Way) -> None:
        self._pipe = pipe
        self._host = host
        self._incoming = incoming
        self._outgoing = outgoing
        self._life = _Life.NEW
        self._writing = _Writing.OPEN
        self._queue: deque[bytes] = deque()
        self._producer: IProducer | None = None
        self._streaming = False
        self._producer_paused = False
        #: Whether the reactor would call when something arrives.
        self._wants_read = False
        #: Whether the reactor would call when there is room.
        self._wants_write = False
        self._no_delay = False
        self._keep_alive = False
        #: Bytes that did not fit on the way yet.
        self.queued = 0

    # What a test may ask

    @property
    def connected(self) -> bool:
        """
        Whether the protocol has been connected and has not lost its connection.
        """
        return self._life not in (_Life.NEW, _Life.LOST)

    @property
    def disconnecting(self) -> bool:
        """
        Whether ``loseConnection`` was called and the connection still exists.
        """
        return self._life is _Life.CLOSING

    @property
    def reading(self) -> bool:
        """
        Whether what arrives is delivered; false while paused, closing or closed.
        """
        return self._wants_read

    @property
    def producer(self) -> IProducer | None:
        """
        The registered producer.
        """
        return self._producer

    # ITransport, ITCPTransport

    def write(self, data: bytes) -> None:
        """
        Send ``data``, at once as far as there is room.
        """
        if not isinstance(data, bytes):
            raise TypeError(f"data must be bytes, not {type(data).__name__}")
        if not data or not self.connected or self._writing is _Writing.ENDED:
            return
        at_once = (
            not self._queue
            and self._life is _Life.OPEN
            and self._writing is _Writing.OPEN
            and (self._producer is None or self._streaming)
        )
        self._queue.append(data)
        self.queued += len(data)
        if at_once:
            self._send()
        if self._queue:
            self._wants_write = True
            if self.queued > self._pipe.high_water and self._producer is not None and self._streaming:
                self._producer_paused = True
                cast(IPushProducer, self._producer).pauseProducing()

    def writeSequence(self, data: Iterable[bytes | memoryview]) -> None:
        """
        Send several pieces.
        """
        self.write(b"".join(data))

    def loseConnection(self) -> None:
        """
        Close after everything has been sent, and deliver nothing any more.
        """
        if self._life is not _Life.OPEN:
            return
        self._wants_read = False
        if self._writing is _Writing.ENDED:
            self._lose(ConnectionDone("Connection done"))
        else:
            self._life = _Life.CLOSING
            self._wants_write = True

    def abortConnection(self) -> None:
        """
        Close at once and let the peer's connection break.
        """
        if self.connected:
            self._life = _Life.ABORTING
            self._wants_read = self._wants_write = False

    def loseWriteConnection(self) -> None:
        """
        Send the end after everything before it, and go on receiving.
        """
        if self._writing is _Writing.OPEN:
            self._writing = _Writing.ENDING
        self._wants_write = True

    def getPeer(self) -> IPv4Address:
        """
        The address of the other end.
        """
        return self.peer._host

    def getHost(self) -> IPv4Address:
        """
        The address of this end.
        """
        return self._host

    def getTcpNoDelay(self) -> bool:
        """
        What was set last.
        """
        return self._no_delay

    def setTcpNoDelay(self, enabled: bool) -> None:
        """
        Remember the setting, which has no effect here.
        """
        self._no_delay = enabled

    def getTcpKeepAlive(self) -> bool:
        """
        What was set last.
        """
        return self._keep_alive

    def setTcpKeepAlive(self, enabled: bool) -> None:
        """
        Remember the setting, which has no effect here.
        """
        self._keep_alive = enabled

    # IConsumer

    def registerProducer(self, producer: IProducer, streaming: bool) -> None:
        """
        Pause and resume ``producer`` as there is room for what it writes.
        """
        if self._producer is not None:
            raise RuntimeError(f"cannot register {producer!r}: {self._producer!r} is registered")
        if self._life is _Life.LOST:
            producer.stopProducing()
            return
        self._producer = producer
        self._streaming = streaming
        if not streaming:
            cast(IPullProducer, producer).resumeProducing()

    def unregisterProducer(self) -> None:
        """
        Forget the producer.
        """
        self._producer = None
        if self._life is _Life.CLOSING:
            self._wants_write = True

    # IPushProducer

    def pauseProducing(self) -> None:
        """
        Deliver nothing until resumed.
        """
        self._wants_read = False

    def resumeProducing(self) -> None:
        """
        Deliver again.
        """
        if self._life is _Life.OPEN:
            self._wants_read = True

    def stopProducing(self) -> None:
        """
        Close, as ``loseConnection`` does.
        """
        self.loseConnection()

    # IHalfCloseableDescriptor: what a reactor calls

    def readConnectionLost(self, reason: Failure) -> None:
        """
        The peer has sent everything.
        """
        if IHalfCloseableProtocol.providedBy(self.protocol):
            cast(IHalfCloseableProtocol, self.protocol).readConnectionLost()
        else:
            self._lose(ConnectionDone("Connection done"))

    def writeConnectionLost(self, reason: Failure) -> None:
        """
        The end of what this side sent is on its way.
        """
        if IHalfCloseableProtocol.providedBy(self.protocol):
            cast(IHalfCloseableProtocol, self.protocol).writeConnectionLost()

    # The pipe's side

    def _open(self, protocol: IProtocol) -> None:
        self.protocol = protocol
        self._life = _Life.OPEN
        self._wants_read = True
        protocol.makeConnection(self)

    def _turn(self) -> bool:
        """
        Do what a reactor would do for this end in one turn; false if that is nothing.
        """
        if self._life is _Life.ABORTING:
            self._lose(ConnectionAborted())
            return True
        if self._life is _Life.LOST:
            return self._refuse()
        did_read = self._wants_read and not self._pipe.frozen and self._read()
        did_write = self._wants_write and self._flush()
        return did_read or did_write

    def _read(self) -> bool:
        incoming = self._incoming
        if incoming.size:
            self.protocol.dataReceived(incoming.take(self._pipe.read_size))
        elif incoming.ended:
            self._wants_read = False
            self.readConnectionLost(Failure(ConnectionDone("Connection done")))
        elif incoming.broken:
            self._lose(ConnectionLost("Connection lost"))
        else:
            return False
        return True

    def _refuse(self) -> bool:
        """
        What is unread when a connection goes, or comes later, is answered with a reset.
        """
        if self._pipe.frozen or not self._incoming.size:
            return False
        self._incoming.take(self._incoming.size)
        self._outgoing.broken = True
        return True

    @property
    def _broken(self) -> bool:
        return self._incoming.broken and not self._pipe.frozen

    def _flush(self) -> bool:
        if self._broken:
            self._lose(ConnectionLost("Connection lost"))
            return True
        sent = self._send()
        if self._queue:
            return sent
        self._wants_write = False
        producer = self._producer
        if producer is not None and (self._producer_paused or not self._streaming):
            self._producer_paused = False
            cast(IPushProducer, producer).resumeProducing()
        elif self._life is _Life.CLOSING:
            self._lose(ConnectionDone("Connection done"))
        elif self._writing is _Writing.ENDING:
            self._writing = _Writing.ENDED
            self._outgoing.ended = True
            self.writeConnectionLost(Failure(ConnectionDone("Connection done")))
        return True

    def _send(self) -> bool:
        """
        Put on the way what fits; false if nothing did.
        """
        outgoing = self._outgoing
        queue = self._queue
        before = self.queued
        if self._broken:
            return False
        while queue and (room := outgoing.capacity - outgoing.size) > 0:
            data = queue.popleft()
            if len(data) > room:
                queue.appendleft(data[room:])
                data = data[:room]
            self.queued -= len(data)
            outgoing.chunks.append(data)
            outgoing.size += len(data)
        return self.queued < before

    def _lose(self, reason: Exception) -> None:
        self._life = _Life.LOST
        self._wants_read = self._wants_write = False
        self._queue.clear()
        self.queued = 0
        if isinstance(reason, ConnectionAborted):
            self._outgoing.broken = True
        else:
            self._outgoing.ended = True
        producer, self._producer = self._producer, None
        if producer is not None:
            producer.stopProducing()
        failure = Failure(reason)
        self.protocol.connectionLost(failure)
        if self.on_lost is not None:
            self.on_lost(failure)


class MemoryPipe:
    """
    A connection in memory.

    :param capacity: bytes on the way in each direction.
    :param high_water: bytes in a transport's queue beyond which its producer is paused.
    :param read_size: bytes delivered at a time; 1 shows that a protocol copes with any cut.
    :param clock: its calls that are due run between turns.
    :ivar frozen: while true, nothing arrives on either side, as if the network between them had gone.
    """

    def __init__(
        self,
        *,
        capacity: int = 65536,
        high_water: int = 65536,
        read_size: int = 65536,
        clock: Clock | None = None,
        left_address: IPv4Address = _LEFT,
        right_address: IPv4Address = _RIGHT,
    ) -> None:
        self.high_water = high_water
        self.read_size = read_size
        self.frozen = False
        self._clock = clock
        to_left, to_right = _Way(capacity), _Way(capacity)
        self.left = MemoryTransport(self, left_address, to_left, to_right)
        self.right = MemoryTransport(self, right_address, to_right, to_left)
        self.left.peer = self.right
        self.right.peer = self.left

    def connect(self, left: IProtocol, right: IProtocol) -> None:
        """
        Give both ends their protocols and connect them.
        """
        self.left._open(left)
        self.right._open(right)

    @property
    def closed(self) -> bool:
        """
        Whether both protocols have lost their connection.
        """
        return self.left._life is self.right._life is _Life.LOST

    def pump_once(self) -> bool:
        """
        Run one turn: both ends once, then what is due on the clock.

        :return: whether anything happened.
        """
        return _turn((self,), self._clock)

    def pump(self, limit: int = 100_000) -> int:
        """
        Run turns until nothing happens any more.

        :return: the number of turns.
        :raise AssertionError: it does not come to rest within ``limit`` turns.
        """
        return pump((self,), self._clock, limit)


def pump(pipes: Sequence[MemoryPipe], clock: Clock | None = None, limit: int = 100_000) -> int:
    """
    Run turns of several pipes together until nothing happens any more.

    ``pipes`` may grow meanwhile.

    :param clock: its calls that are due run between turns; its time stands still.
    :return: the number of turns.
    :raise AssertionError: they do not come to rest within ``limit`` turns.
    """
    turns = 0
    while _turn(pipes, clock):
        turns += 1
        if turns >= limit:
            raise AssertionError(f"not at rest after {limit} turns")
    return turns


def _turn(pipes: Sequence[MemoryPipe], clock: Clock | None) -> bool:
    happened = False
    for pipe in list(pipes):
        left = pipe.left._turn()
        right = pipe.right._turn()
        happened = happened or left or right
    if clock is not None and any(call.getTime() <= clock.seconds() for call in clock.getDelayedCalls()):
        clock.advance(0)
        happened = True
    return happened
