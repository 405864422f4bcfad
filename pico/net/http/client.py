"""
A connection that takes requests: to a local service, or a stream of a tunnel.

It carries one request at a time for one receiver, usually an exchange. After a response that allows it the
connection can carry another; whoever owns it (a :class:`pico.net.http.pool.Pool`) decides that.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence
from typing import Final, Protocol, cast

from twisted.internet.interfaces import IHalfCloseableProtocol, IProtocol, IPushProducer, ITransport
from twisted.python.failure import Failure
from zope.interface import classImplements

from pico.net.http.gateway import Backend, FailureKind, Requester
from pico.net.http.transport import JOINED, IStreamTransport, hand_over, write_all
from pico.wire.http1.client import ClientConnection
from pico.wire.http1.events import Data, EndOfMessage, Event, Failed, ResponseHead
from pico.wire.http1.headers import HeaderCache
from pico.wire.http1.limits import Limits


class IdleOwner(Protocol):
    """
    Whoever keeps the connection while it carries nothing.
    """

    def idle_lost(self, client: HTTPClientProtocol) -> None: ...


class Use(enum.Enum):
    """
    What the connection is doing.
    """

    IDLE = "nothing"
    BUSY = "carrying a request"
    SWITCHED = "carrying another protocol"
    CLOSED = "gone"


_IDLE: Final[Use] = Use.IDLE
_BUSY: Final[Use] = Use.BUSY
_CLOSED: Final[Use] = Use.CLOSED


class HTTPClientProtocol:
    """
    Send requests and read their responses over one transport.

    :ivar backend: where this connection leads.
    :ivar carried: requests that it has carried; more than one means that it was kept alive.
    :ivar idle_since: when it last became idle, on the owner's clock.
    :ivar note: a number for the backend's own use.
    """

    __slots__ = (
        "__weakref__",
        "_core",
        "_out",
        "_owner",
        "_reading_paused",
        "_receiver",
        "_retired",
        "backend",
        "carried",
        "idle_since",
        "note",
        "transport",
        "use",
    )

    transport: IStreamTransport

    def __init__(self, backend: Backend, owner: IdleOwner, *, cache: HeaderCache, limits: Limits) -> None:
        self._core = ClientConnection(cache, limits)
        self._out: list[bytes] = []
        self._owner = owner
        self._reading_paused = False
        self._receiver: Requester | None = None
        self._retired = False
        self.backend = backend
        self.carried = 0
        self.idle_since = 0.0
        self.note = 0
        self.use = Use.IDLE

    @property
    def reusable(self) -> bool:
        """
        Whether another request may be sent: the last exchange ended well and both sides kept the connection alive.
        """
        return self.use is _IDLE and self._core.reusable and not self._retired

    # The transport's calls

    def makeConnection(self, transport: ITransport) -> None:
        """
        Take over a transport that has just connected.
        """
        self.transport = cast(IStreamTransport, transport)
        self.transport.registerProducer(self, True)

    def connectionMade(self) -> None:
        """
        Nothing more to do than :meth:`makeConnection` did; here because the interface asks for it.
        """

    def dataReceived(self, data: bytes) -> None:
        """
        Take bytes from the backend.
        """
        use = self.use
        if use is _BUSY:
            self._deliver(self._core.receive_data(data))
        elif use is _IDLE:
            # Nobody asked for anything: whatever this is, it must not be read as the answer to the next request.
            self._owner.idle_lost(self)
            self.abort()

    def readConnectionLost(self) -> None:
        """
        The backend has ended its side.
        """
        use = self.use
        if use is _BUSY:
            events = self._core.receive_eof()
            if not any(isinstance(event, Failed) for event in events):
                self._deliver(events)
            if self.use is _BUSY:
                self._fail(FailureKind.LOST, False)
            self.close()
        else:
            if use is _IDLE:
                self._owner.idle_lost(self)
            self.close()

    def writeConnectionLost(self) -> None:
        """
        Our own side has ended, as we asked.
        """

    def connectionLost(self, reason: Failure) -> None:
        """
        The transport is gone.
        """
        use = self.use
        if use is _BUSY:
            self._fail(kind_of(reason), never_processed(reason))
        self.use = _CLOSED
        self._out.clear()
        if use is _IDLE:
            self._owner.idle_lost(self)

    # IPushProducer, for the transport: it is full, it has room

    def pauseProducing(self) -> None:
        """
        The transport is full.
        """
        if self._receiver is not None:
            self._receiver.pause_request()

    def resumeProducing(self) -> None:
        """
        The transport has room again.
        """
        if self._receiver is not None:
            self._receiver.resume_request()

    def stopProducing(self) -> None:
        """
        The transport is going away; ``connectionLost`` follows and does the work.
        """

    # The receiver's calls

    def send_request(
        self,
        receiver: Requester,
        method: bytes,
        target: bytes,
        lines: Sequence[bytes],
        *,
        length: int | None,
        upgrade: bytes | None = None,
        close: bool = False,
    ) -> None:
        """
        Begin a request; see :meth:`pico.wire.http1.client.ClientConnection.send_request`. Call :meth:`flush` after.
        """
        self._receiver = receiver
        self.use = _BUSY
        self.carried += 1
        self._out.append(self._core.send_request(method, target, lines, length=length, upgrade=upgrade, close=close))

    def send_data(self, data: bytes) -> None:
        """
        Send a piece of the request's body.
        """
        framed = self._core.send_data(data)
        if framed:
            self._out.append(framed)

    def send_end(self, trailers: Sequence[bytes] = ()) -> None:
        """
        End the request.
        """
        data = self._core.send_end(trailers)
        if data:
            self._out.append(data)

    def flush(self) -> None:
        """
        Write what was collected.
        """
        out = self._out
        if out and self.use is not _CLOSED:
            self._out = []
            if len(out) == 1:
                self.transport.write(out[0])
            elif len(out) == 2 and len(out[1]) < JOINED:
                # A head with a small body: one piece for the tunnel, and for whoever reads at its other end.
                self.transport.write(out[0] + out[1])
            else:
                write_all(self.transport, out)

    def pause_reading(self) -> None:
        """
        Stop reading the response.
        """
        if not self._reading_paused:
            self._reading_paused = True
            self.transport.pauseProducing()

    def resume_reading(self) -> None:
        """
        Go on reading the response.
        """
        if self._reading_paused:
            self._reading_paused = False
            if self.use is not _CLOSED:
                self.transport.resumeProducing()

    def switch(self, protocol: IProtocol) -> bytes:
        """
        Hand the transport to another protocol after a 101 was received; this one takes no part in it any more.

        :return: what came behind the 101; the caller passes it on.
        """
        self.flush()
        self._receiver = None
        self.use = Use.SWITCHED
        leftover = self._core.take_leftover()
        hand_over(self.transport, protocol)
        self.resume_reading()
        return leftover

    def retire(self) -> None:
        """
        Take no further request: close now if nothing is on its way, else let its owner close it after that.
        """
        self._retired = True
        if self.use is _IDLE:
            self._owner.idle_lost(self)
            self.close()

    def abort(self) -> None:
        """
        Drop the connection now; its receiver hears nothing more.
        """
        self._receiver = None
        if self.use is _IDLE or self.use is _BUSY:
            self.use = _CLOSED
            self._out.clear()
            self.transport.abortConnection()

    def close(self) -> None:
        """
        Close the connection after what was written.
        """
        self._receiver = None
        if self.use is _IDLE or self.use is _BUSY:
            self.use = _CLOSED
            # A registered producer that is paused would keep the transport open for more from it.
            self.transport.unregisterProducer()
            self.transport.loseConnection()

    # Inside

    def _deliver(self, events: list[Event]) -> None:
        receiver = self._receiver
        if receiver is None:
            return
        for event in events:
            if isinstance(event, Data):
                receiver.response_data(event.data)
            elif isinstance(event, ResponseHead):
                receiver.response_head(event)
            elif isinstance(event, EndOfMessage):
                self._receiver = None
                self.use = _IDLE
                if self._reading_paused:
                    self.resume_reading()
                receiver.response_end(event.trailers)
            elif isinstance(event, Failed):
                self._fail(FailureKind.MALFORMED, False)
            if self._receiver is not receiver:
                # The exchange has ended, was retried elsewhere or switched protocols: the rest is not for it.
                break
        receiver.flush_response()

    def _fail(self, kind: FailureKind, unprocessed: bool) -> None:
        receiver, self._receiver = self._receiver, None
        self.use = _CLOSED
        self._out.clear()
        self.transport.abortConnection()
        if receiver is not None:
            receiver.response_failed(kind, unprocessed)


def never_processed(reason: Failure) -> bool:
    """
    Whether a connection was refused before its peer processed a byte of it, as a late stream of a tunnel is.
    """
    return bool(getattr(reason.value, "never_processed", False))


def kind_of(reason: Failure) -> FailureKind:
    """
    What a lost connection means for the request that it carried: that it is lost, unless the reason knows better.
    """
    kind = getattr(reason.value, "kind", None)
    return kind if isinstance(kind, FailureKind) else FailureKind.LOST


classImplements(HTTPClientProtocol, IProtocol, IHalfCloseableProtocol, IPushProducer)
