"""
One stream of a tunnel as a Twisted transport.

How it differs from a TCP connection, and where it does not:

- Nothing is called from inside a verb. ``connectionLost`` after ``loseConnection`` or ``abortConnection``,
  and bytes that were held while the protocol was paused, come at the end of the turn; ``pauseProducing`` of a
  producer comes after the flush that ends the turn. So what is written within one turn is held whatever its
  size, and writing without bound in one call is the producer's fault.
- ``connectionLost`` is called exactly once, and nothing after it.
- ``loseConnection`` sends our FIN behind what was written. What still arrives is thrown away;
  ``connectionLost`` comes when the peer's FIN has, or when its time is up. A producer that is paused may
  first write what it still has, as on TCP, unless it is unregistered.
- When the peer ends: as on TCP, a protocol that provides ``IHalfCloseableProtocol`` hears
  ``readConnectionLost`` and may go on writing; another loses its connection at once, and what it has written
  still leaves.
- When both sides have ended, ``connectionLost`` comes by itself, without ``loseConnection``.
- A protocol that is paused hears of the peer's end when it resumes, behind the bytes; of a reset, and of the
  loss of the tunnel, at once. A stream that both sides had ended delivers what it holds even if the tunnel is
  lost.
"""

from __future__ import annotations

import enum
from abc import ABCMeta, abstractmethod
from collections import deque
from collections.abc import Callable, Iterable
from math import inf
from typing import Final, cast

from twisted.internet.error import ConnectionAborted
from twisted.internet.interfaces import (
    IAddress,
    IHalfCloseableDescriptor,
    IHalfCloseableProtocol,
    IProducer,
    IProtocol,
    IPushProducer,
)
from twisted.internet.main import CONNECTION_DONE
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import classImplements

from pico.net.http.transport import IStreamTransport
from pico.tunnel.reasons import StreamTimedOut
from pico.wire.yamux.session import Session
from pico.wire.yamux.stream import Opening, State, Stream

_log: Final = Logger(namespace="tunnel")

#: A producer is paused when the flush has left more than this in its stream's queue ...
HIGH_WATER: Final = 65_536
#: ... and resumed when no more than this is left.
LOW_WATER: Final = 16_384

#: Both sides have ended. Failures may be shared: this one holds no traceback.
DONE: Final = Failure(CONNECTION_DONE)


class StreamHost(metaclass=ABCMeta):
    """
    What a stream needs of its session.

    :ivar now: the time of the turn, or a little before.
    :ivar flush_due: whether the turn ends with a flush.
    :ivar full: streams whose producer may have to be paused after the flush.
    """

    __slots__ = ("flush_due", "full", "now")

    now: float
    flush_due: bool
    full: list[TunnelStream]

    @abstractmethod
    def flush_soon(self) -> None:
        """
        End the turn with a flush.
        """

    @abstractmethod
    def call_at_end(self, call: Callable[[], None]) -> None:
        """
        Do something at the end of the turn.
        """

    @abstractmethod
    def close_deadline(self) -> float:
        """
        When a stream whose end begins now is given up.
        """

    @abstractmethod
    def get_peer(self) -> IAddress:
        """
        The address of the other end.
        """

    @abstractmethod
    def get_host(self) -> IAddress:
        """
        The address of this end.
        """


class Life(enum.Enum):
    """
    How far the connection is.
    """

    NEW = "without a protocol"
    CONNECTED = "with one"
    CLOSING = "waiting for both ends"
    LOSING = "connectionLost comes at the end of the turn"
    LOST = "over"


class Reading(enum.Enum):
    """
    What happens to bytes that arrive.
    """

    FLOWING = "the protocol gets them"
    HELD = "they wait for a protocol, for it to resume, or for the end of the turn"
    DISCARDED = "nobody wants them"


class PeerEnd(enum.Enum):
    """
    Whether the peer has ended its side.
    """

    NO = "no"
    HELD = "yes, and the protocol will hear of it behind the bytes"
    HEARD = "yes, and the protocol knows"


class Writing(enum.Enum):
    """
    Whether the protocol may write.
    """

    OPEN = "it may"
    LAST = "only what its paused producer still has"
    ENDED = "it may not"


class Flow(enum.Enum):
    """
    How a producer is doing.
    """

    NONE = "there is none"
    RUNNING = "it may produce"
    FULL = "it may until the flush"
    PAUSED = "it must not"


_FLOWING: Final[Reading] = Reading.FLOWING
_HELD: Final[Reading] = Reading.HELD
_DISCARDED: Final[Reading] = Reading.DISCARDED
_ENDED: Final[Writing] = Writing.ENDED
_RUNNING: Final[Flow] = Flow.RUNNING


class TunnelStream:
    """
    A stream: transport, consumer and push producer of one protocol.

    Those that the peer opens are handed to the session's ``on_stream``; :meth:`attach` accepts them and
    ``abortConnection`` refuses them.

    :ivar protocol: gets what arrives; may be replaced at any time. Without one, what arrives is held until
        :meth:`attach`.
    :ivar session: the tunnel.
    :ivar deadline: when the session gives the stream up, on its clock; ``inf`` for never.
    """

    __slots__ = (
        "__weakref__",
        "_core",
        "_flow",
        "_held",
        "_held_back",
        "_life",
        "_paused",
        "_peer_end",
        "_producer",
        "_reading",
        "_reason",
        "_writing",
        "_yamux",
        "deadline",
        "protocol",
        "session",
    )

    def __init__(self, session: StreamHost, yamux: Session, core: Stream, deadline: float = inf) -> None:
        self.session = session
        self._yamux = yamux
        self._core = core
        core.owner = self
        self.protocol: IProtocol | None = None
        self.deadline = deadline
        self._life = Life.NEW
        self._reading = _HELD
        self._peer_end = PeerEnd.NO
        self._writing = Writing.OPEN
        self._flow = Flow.NONE
        self._producer: IPushProducer | None = None
        self._held: deque[bytes] | None = None
        self._held_back = False
        self._paused = False
        self._reason: Failure | None = None

    def __repr__(self) -> str:
        return f"<TunnelStream {self._core.id} {self._life.value}>"

    @property
    def id(self) -> int:
        """
        The stream's number within its tunnel.
        """
        return self._core.id

    @property
    def acked(self) -> bool:
        """
        Whether the side that did not open the stream has taken it.
        """
        return self._core.acked

    @property
    def connected(self) -> bool:
        """
        Whether a protocol is connected and has not asked for the end.
        """
        return self._life is Life.CONNECTED

    @property
    def disconnecting(self) -> bool:
        """
        Whether ``loseConnection`` was called and ``connectionLost`` not yet.
        """
        return self._life is Life.CLOSING

    def attach(self, protocol: IProtocol) -> None:
        """
        Connect a protocol: accept the stream if it is the peer's, and deliver what arrived before.

        If the stream is gone by now, the protocol is connected and loses its connection at the end of the
        turn.
        """
        life = self._life
        if life is Life.LOST:
            reason = self._reason or DONE
            protocol.makeConnection(self)
            self.session.call_at_end(lambda: protocol.connectionLost(reason))
            return
        self.protocol = protocol
        if life is Life.NEW:
            self._life = Life.CONNECTED
            if self._core.opening is Opening.OFFERED:
                self._yamux.accept(self._core)
                self.session.flush_soon()
        protocol.makeConnection(self)
        self._deliver_held()

    # ITransport

    def write(self, data: bytes) -> None:
        """
        Send bytes; they are ignored once our side has ended.
        """
        if self._writing is _ENDED:
            return
        if not isinstance(data, bytes):
            raise TypeError("Data must be bytes")
        core = self._core
        self._yamux.send(core, data)
        session = self.session
        if not session.flush_due:
            session.flush_soon()
        if self._flow is _RUNNING and core.queued > HIGH_WATER:
            self._flow = Flow.FULL
            session.full.append(self)

    def writeSequence(self, iovec: Iterable[bytes]) -> None:
        """
        Send several pieces.
        """
        for data in iovec:
            self.write(data)

    def loseConnection(self) -> None:
        """
        End the connection behind what was written; see the module's docstring for what follows.
        """
        life = self._life
        if life is Life.NEW and self._core.opening is Opening.OFFERED:
            self.abortConnection()
        elif life is Life.NEW or life is Life.CONNECTED:
            self._life = Life.CLOSING
            self.deadline = self.session.close_deadline()
            self._discard()
            self._end_writing()
            if self._core.state is State.CLOSED:
                self._lose_soon(DONE)

    def abortConnection(self) -> None:
        """
        Reset the stream now, with whatever was not yet sent.
        """
        self.abort_because(Failure(ConnectionAborted()))

    def abort_because(self, reason: Failure) -> None:
        """
        Do the same, and let the protocol hear another reason.
        """
        life = self._life
        if life is not Life.LOSING and life is not Life.LOST:
            self._yamux.reset(self._core)
            self.session.flush_soon()
            self._lose_soon(reason)

    def loseWriteConnection(self) -> None:
        """
        End our side behind what was written; the peer may go on sending.
        """
        if self._life is Life.CONNECTED:
            self._end_writing()

    def getPeer(self) -> IAddress:
        """
        The address of the tunnel's other end.
        """
        return self.session.get_peer()

    def getHost(self) -> IAddress:
        """
        The address of the tunnel's own end.
        """
        return self.session.get_host()

    # IConsumer

    def registerProducer(self, producer: IProducer, streaming: bool) -> None:
        """
        Pause and resume a push producer as the stream's queue fills and drains.

        :raises ValueError: for a pull producer: nothing here asks for single pieces.
        """
        if not streaming:
            raise ValueError("a stream takes push producers only")
        if self._producer is not None:
            raise RuntimeError(f"{self._producer!r} is registered and was never unregistered")
        if self._life is Life.LOST:
            producer.stopProducing()
            return
        self._producer = cast(IPushProducer, producer)
        self._flow = _RUNNING
        if self._core.queued > HIGH_WATER or self._held_back:
            self._flow = Flow.FULL
            self.session.full.append(self)
            self.session.flush_soon()

    def unregisterProducer(self) -> None:
        """
        Forget the producer; an end that waited for it follows.
        """
        self._producer = None
        self._flow = Flow.NONE
        if self._writing is Writing.LAST:
            self._finish()

    def hold_back(self) -> None:
        """
        Pause the producer at the end of this turn, however little is queued, and until :meth:`go_ahead`.
        """
        self._held_back = True
        if self._flow is _RUNNING:
            self._flow = Flow.FULL
            self.session.full.append(self)
            self.session.flush_soon()

    def go_ahead(self) -> None:
        """
        Let the producer go on again, at the end of this turn, as far as the queue allows.
        """
        if self._held_back:
            self._held_back = False
            if self._core.queued > LOW_WATER:
                self._yamux.notify(self._core, LOW_WATER)
            else:
                self.session.call_at_end(self.queue_drained)

    # IPushProducer

    def pauseProducing(self) -> None:
        """
        Hold what arrives from here on; the peer may still fill the window.
        """
        self._paused = True
        if self._reading is _FLOWING:
            self._reading = _HELD

    def resumeProducing(self) -> None:
        """
        Deliver again; what was held comes first, at the end of this turn.
        """
        if self._paused:
            self._paused = False
            if self._reading is _HELD and self.protocol is not None:
                if self._held or self._peer_end is PeerEnd.HELD:
                    self.session.call_at_end(self._deliver_held)
                else:
                    self._reading = _FLOWING

    def stopProducing(self) -> None:
        """
        Nobody wants what arrives any more: end the connection.
        """
        self.loseConnection()

    # The session's calls: it is to its streams what the reactor is to sockets

    def data_received(self, data: bytes) -> None:
        """
        Bytes have come from the peer.
        """
        if self._reading is _FLOWING:
            protocol = self.protocol
            if protocol is not None:
                protocol.dataReceived(data)
                self._yamux.consumed(self._core, len(data), self.session.now)
                return
            self._reading = _HELD
        if self._reading is _HELD:
            if self._held is None:
                self._held = deque()
            self._held.append(data)
        else:
            self._yamux.consumed(self._core, len(data), self.session.now)

    def readConnectionLost(self, reason: Failure) -> None:
        """
        The peer has ended its side.
        """
        self._peer_end = PeerEnd.HELD
        if self._reading is not _HELD:
            self._hear_end(reason)

    def writeConnectionLost(self, reason: Failure) -> None:
        """
        Our FIN has left.
        """
        if self._life is Life.CONNECTED:
            half = _half_closeable(self.protocol)
            if half is not None:
                half.writeConnectionLost()
        if self._core.state is State.CLOSED and self._peer_end is PeerEnd.HEARD:
            self.connection_lost(reason)

    def connection_lost(self, reason: Failure) -> None:
        """
        The stream is over; tell the protocol now, unless it has been told or is about to be.
        """
        life = self._life
        if life is not Life.LOSING and life is not Life.LOST:
            self._reason = reason
            self._lost()

    def judge(self) -> None:
        """
        After a flush: pause the producer if too much is left.
        """
        if self._flow is Flow.FULL and self._producer is not None:
            if self._core.queued > HIGH_WATER or self._held_back:
                self._flow = Flow.PAUSED
                self._yamux.notify(self._core, LOW_WATER)
                self._producer.pauseProducing()
            else:
                self._flow = _RUNNING

    def queue_drained(self) -> None:
        """
        After a flush: there is room again.
        """
        if self._flow is Flow.PAUSED and self._producer is not None and not self._held_back:
            self._flow = _RUNNING
            self._producer.resumeProducing()
            if self._writing is Writing.LAST and self._flow is _RUNNING:
                self._finish()

    def check(self, now: float) -> float:
        """
        Give the stream up if its time is over.

        :return: when to check again; ``inf`` for never.
        """
        life = self._life
        if self._core.acked and (life is Life.CONNECTED or life is Life.NEW):
            self.deadline = inf
        if now >= self.deadline:
            self.deadline = inf
            self._yamux.reset(self._core)
            self.session.flush_soon()
            self.connection_lost(Failure(StreamTimedOut()))
        return self.deadline

    def broken(self) -> None:
        """
        A protocol or producer on this stream has raised: log that, and abort this stream only.
        """
        _log.failure("a protocol failed on stream {stream}", stream=self._core.id)
        self.abortConnection()

    # Inside

    def _deliver_held(self) -> None:
        """
        Deliver what was held, for as long as the protocol wants it, and the peer's end behind it.
        """
        while self._delivering() and self.protocol is not None:
            if self._held:
                data = self._held.popleft()
                self._yamux.consumed(self._core, len(data), self.session.now)
                self.session.flush_soon()
                try:
                    self.protocol.dataReceived(data)
                except Exception:
                    self.broken()
            else:
                self._held = None
                self._reading = _FLOWING
                if self._peer_end is PeerEnd.HELD:
                    self._hear_end(DONE)

    def _delivering(self) -> bool:
        return self._reading is _HELD and not self._paused

    def _hear_end(self, reason: Failure) -> None:
        self._peer_end = PeerEnd.HEARD
        if self._life is Life.CONNECTED:
            half = _half_closeable(self.protocol)
            if half is not None:
                half.readConnectionLost()
            else:
                self.deadline = self.session.close_deadline()
                if self._writing is not _ENDED:
                    self._finish()
                self.connection_lost(reason)
        if self._core.state is State.CLOSED:
            self.connection_lost(reason)

    def _discard(self) -> None:
        """
        Throw away what is held and what still comes.
        """
        self._reading = _DISCARDED
        if self._peer_end is PeerEnd.HELD:
            self._peer_end = PeerEnd.HEARD
        held, self._held = self._held, None
        if held:
            self._yamux.consumed(self._core, sum(map(len, held)), self.session.now)
            self.session.flush_soon()

    def _end_writing(self) -> None:
        if self._writing is Writing.OPEN:
            if self._flow is Flow.PAUSED:
                self._writing = Writing.LAST
            else:
                self._finish()

    def _finish(self) -> None:
        self._writing = _ENDED
        self._yamux.finish(self._core)
        self.session.flush_soon()

    def _lose_soon(self, reason: Failure) -> None:
        self._life = Life.LOSING
        self._reason = reason
        self._discard()
        self._writing = _ENDED
        self.session.call_at_end(self._lost)

    def _lost(self) -> None:
        self._life = Life.LOST
        self._discard()
        self._writing = _ENDED
        self._flow = Flow.NONE
        producer, self._producer = self._producer, None
        protocol, self.protocol = self.protocol, None
        if producer is not None:
            producer.stopProducing()
        if protocol is not None:
            protocol.connectionLost(self._reason or DONE)


def _half_closeable(protocol: IProtocol | None) -> IHalfCloseableProtocol | None:
    return IHalfCloseableProtocol(protocol, None)


classImplements(TunnelStream, IStreamTransport, IHalfCloseableDescriptor)
