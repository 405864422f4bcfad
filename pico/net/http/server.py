"""
A connection that brings requests.

Bytes come in from the transport; the events that :class:`pico.wire.http1.server.ServerConnection` makes of them go to
the one exchange that the connection carries at a time, and what the exchange sends is collected until the batch of
events that caused it has been worked through.

Who closes: the protocol closes its transport, after the last response or when the client broke a rule. An exchange
never touches the transport. After a 101 the transport belongs to the protocol that was given to
:meth:`HTTPServerProtocol.switch`.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence
from typing import Final, cast

import attrs
from twisted.internet.interfaces import IAddress, IHalfCloseableProtocol, IProtocol, IPushProducer, ITransport
from twisted.python.failure import Failure
from zope.interface import classImplements

from pico.net.deadlines import Deadline, Deadlines
from pico.net.http.answers import Answer
from pico.net.http.gateway import Application, Exchanger
from pico.net.http.transport import JOINED, IStreamTransport, hand_over, write_all
from pico.net.transport import has_unread
from pico.wire.http1.events import Data, EndOfMessage, Event, Failed, RequestHead
from pico.wire.http1.headers import HeaderCache
from pico.wire.http1.limits import DEFAULT_LIMITS, Limits
from pico.wire.http1.server import ServerConnection

#: Seconds for the first request of a connection, once connections are to be closed.
FIRST_REQUEST: Final = 0.25


@attrs.frozen
class ServerSettings:
    """
    The limits of a server connection. Times are seconds, 0 is no limit.

    :ivar head_timeout: from a request's first byte (for the first request: from the connection) to its head's last.
    :ivar idle_timeout: between the end of one exchange and the first byte of the next request.
    :ivar linger_timeout: how long to go on reading, and throw away, what a client still sends after an answer that
        closes the connection. Closing at once would reset the connection and could destroy the answer on its way
        (RFC 9112 section 9.6).
    :ivar max_requests: requests on one connection.
    """

    head_timeout: float = 10.0
    idle_timeout: float = 300.0
    linger_timeout: float = 5.0
    max_requests: int = 0
    limits: Limits = DEFAULT_LIMITS


class Phase(enum.Enum):
    """
    What a server connection is waiting for.
    """

    IDLE = "the first byte of a request"
    HEAD = "the rest of a request head"
    EXCHANGE = "the end of an exchange"
    LINGER = "the client to close"
    SWITCHED = "nothing: another protocol has the transport"
    CLOSED = "nothing"


class Pause(enum.IntFlag):
    """
    Who asked the connection not to read; it reads again when the last of them gave up the claim.
    """

    NOBODY = 0
    PIPELINE = 1
    EXCHANGE = 2


_IDLE: Final[Phase] = Phase.IDLE
_HEAD: Final[Phase] = Phase.HEAD
_EXCHANGE: Final[Phase] = Phase.EXCHANGE
_LINGER: Final[Phase] = Phase.LINGER
_SWITCHED: Final[Phase] = Phase.SWITCHED
_CLOSED: Final[Phase] = Phase.CLOSED


class HTTPServerProtocol:
    """
    Serve requests from one transport, in order.

    :ivar peer_host: the client's address, as text.
    :ivar half_closed: the client has ended its side and still may read.
    """

    __slots__ = (
        "__weakref__",
        "_application",
        "_core",
        "_deadline",
        "_delivering",
        "_exchange",
        "_idle_timeout",
        "_max_requests",
        "_next_due",
        "_out",
        "_paused",
        "_settings",
        "half_closed",
        "peer_host",
        "phase",
        "requests",
        "transport",
    )

    transport: IStreamTransport

    def __init__(
        self,
        application: Application,
        *,
        cache: HeaderCache,
        settings: ServerSettings,
        deadlines: Deadlines,
        peer_host: str = "",
    ) -> None:
        self._application = application
        self._core = ServerConnection(cache, settings.limits)
        self._settings = settings
        self._deadline: Deadline = deadlines.watch(self._timed_out)
        self._delivering = False
        self._exchange: Exchanger | None = None
        self._idle_timeout = settings.idle_timeout
        self._max_requests = settings.max_requests
        self._next_due = False
        self._out: list[bytes] = []
        self._paused = 0
        self.half_closed = False
        self.peer_host = peer_host
        self.phase = Phase.IDLE
        self.requests = 0

    # The transport's calls

    def makeConnection(self, transport: ITransport) -> None:
        """
        Take over a transport that has just connected.
        """
        self.transport = cast(IStreamTransport, transport)
        if not self.peer_host:
            self.peer_host = host_of(transport.getPeer())
        self.transport.registerProducer(self, True)
        self._deadline.set(self._settings.head_timeout)
        self._application.connection_made(self)

    def connectionMade(self) -> None:
        """
        Nothing more to do than :meth:`makeConnection` did; here because the interface asks for it.
        """

    def dataReceived(self, data: bytes) -> None:
        """
        Take bytes from the client.
        """
        phase = self.phase
        if phase is _LINGER or phase is _CLOSED:
            return
        self._work(self._core.receive_data(data))
        if self._core.held:
            if self.phase is _IDLE:
                self._begin_head()
            elif self.phase is _EXCHANGE:
                self.pause_reading(Pause.PIPELINE)

    def readConnectionLost(self) -> None:
        """
        The client has ended its side.
        """
        self.half_closed = True
        if self.phase is not _EXCHANGE:
            self._close()
            return
        exchange = self._exchange
        if self._core.receive_eof():
            if exchange is not None:
                exchange.client_lost()
            self.abort()
        elif exchange is not None:
            exchange.client_half_closed()

    def writeConnectionLost(self) -> None:
        """
        Our own side has ended, as we asked.
        """

    def connectionLost(self, reason: Failure) -> None:
        """
        The transport is gone.
        """
        self.phase = _CLOSED
        self._deadline.cancel()
        self._out.clear()
        exchange, self._exchange = self._exchange, None
        if exchange is not None:
            exchange.client_lost()
        self._application.connection_lost(self)

    # IPushProducer, for the transport: it is full, it has room

    def pauseProducing(self) -> None:
        """
        The transport is full.
        """
        if self._exchange is not None:
            self._exchange.pause_response()

    def resumeProducing(self) -> None:
        """
        The transport has room again.
        """
        if self._exchange is not None:
            self._exchange.resume_response()

    def stopProducing(self) -> None:
        """
        The transport is going away; ``connectionLost`` follows and does the work.
        """

    # The exchange's calls

    def pause_reading(self, who: Pause) -> None:
        """
        Stop reading from the client until ``who`` calls :meth:`resume_reading`.
        """
        if not self._paused:
            self.transport.pauseProducing()
        self._paused |= who

    def resume_reading(self, who: Pause) -> None:
        """
        Give up a claim made with :meth:`pause_reading`; without such a claim nothing happens.
        """
        if self._paused & who:
            self._paused &= ~who
            if not self._paused and self.phase is not _CLOSED:
                self.transport.resumeProducing()

    def set_deadline(self, seconds: float) -> None:
        """
        Call the exchange's ``timed_out`` in ``seconds``; 0 never.
        """
        self._deadline.set(seconds)

    def send_informational(self, status: int, reason: bytes, lines: Sequence[bytes]) -> None:
        """
        Send a 1xx head on. A client of HTTP/1.0 gets none (RFC 9110 section 15.2).
        """
        data = self._core.send_informational(status, reason, lines)
        if data:
            self._out.append(data)

    def send_head(
        self, status: int, reason: bytes, lines: Sequence[bytes], *, length: int | None, close: bool = False
    ) -> None:
        """
        Send a response head; see :meth:`pico.wire.http1.server.ServerConnection.send_head`.
        """
        if self._max_requests and self.requests >= self._max_requests:
            close = True
        self._out.append(self._core.send_head(status, reason, lines, length=length, close=close or self.half_closed))

    def send_data(self, data: bytes) -> None:
        """
        Send a piece of the response's body.
        """
        framed = self._core.send_data(data)
        if framed:
            self._out.append(framed)

    def send_end(self, trailers: Sequence[bytes] = ()) -> None:
        """
        End the response. The exchange is over for this connection, and is told nothing more.
        """
        data = self._core.send_end(trailers)
        if data:
            self._out.append(data)
        self._exchange = None
        self._next_due = True
        if not self._delivering:
            self._finish_exchange()

    def flush(self) -> None:
        """
        Write what was collected; for calls that do not come out of a batch of the client's own bytes.
        """
        out = self._out
        if out and self.phase is not _CLOSED:
            self._out = []
            if len(out) == 1:
                self.transport.write(out[0])
            elif len(out) == 2 and len(out[1]) < JOINED:
                # A head with a small body: one piece for the tunnel, and for whoever reads at its other end.
                self.transport.write(out[0] + out[1])
            else:
                write_all(self.transport, out)

    def answer(self, answer: Answer) -> None:
        """
        Send a complete response that was made here and end the exchange.
        """
        body = answer.body
        self.send_head(
            answer.status,
            b"",
            answer.lines,
            length=len(body),
            close=answer.close or not self._core.request_ended,
        )
        if body and self._core.body_allowed:
            self.send_data(body)
        self.send_end()
        if not self._delivering:
            self.flush()

    def switch(self, protocol: IProtocol) -> bytes:
        """
        Hand the transport to another protocol after a 101 was sent; this one takes no part in it any more.

        Whoever switched calls :meth:`gone` when the new protocol has lost the connection, so that it is counted.

        :return: what the client sent behind its request; the caller passes it on.
        """
        self.flush()
        self.phase = _SWITCHED
        self._exchange = None
        self._deadline.cancel()
        leftover = self._core.take_leftover()
        paused, self._paused = self._paused, 0
        hand_over(self.transport, protocol)
        if paused:
            self.transport.resumeProducing()
        return leftover

    def gone(self) -> None:
        """
        The connection that was handed to another protocol is gone.
        """
        if self.phase is _SWITCHED:
            self.phase = _CLOSED
            self._application.connection_lost(self)

    def break_off(self) -> None:
        """
        End a response whose head was sent and whose body cannot be completed, so that it looks broken.

        A body with a length or in chunks is recognised as short when the connection ends; one that is ended by the
        connection itself must see it reset.
        """
        self._exchange = None
        self.flush()
        if self._core.ends_by_close:
            self.abort()
        else:
            self._close()

    def abort(self) -> None:
        """
        Drop the connection now, with whatever was not yet written and the exchange it carries.
        """
        exchange, self._exchange = self._exchange, None
        self._out.clear()
        if self.phase is not _CLOSED:
            self.phase = _CLOSED
            self._deadline.clear()
            self.transport.abortConnection()
        if exchange is not None:
            exchange.client_lost()

    def close_with_next_answer(self) -> None:
        """
        Have the connection end with the first answer whose head is still to be written, which says so.
        """
        self._core.close_with_next_head()

    def close_when_idle(self) -> None:
        """
        Close between requests: at once when none is on its way, else with the next answer.

        The first request of a connection that was made just now is on its way, and is waited for a moment.
        """
        if self.phase is _IDLE and not self.requests:
            self._core.close_after_response()
            self._deadline.set(FIRST_REQUEST)
        elif self.phase is _IDLE:
            self._core.close_after_response()
            self._close_idle()
        else:
            self._core.close_after_response()

    # Inside

    def _work(self, events: list[Event]) -> None:
        """
        Deliver one batch of events, then write what they led to.
        """
        self._delivering = True
        while True:
            for event in events:
                if isinstance(event, RequestHead):
                    self.phase = _EXCHANGE
                    self.requests += 1
                    self._exchange = self._application.request_received(self, event)
                elif isinstance(event, Data):
                    if self._exchange is not None:
                        self._exchange.body_received(event.data)
                elif isinstance(event, EndOfMessage):
                    if self._exchange is not None:
                        self._exchange.body_ended(event.trailers)
                elif isinstance(event, Failed):
                    self._malformed(event.error.code, event.error.reason)
            if self._exchange is not None:
                self._exchange.flush_request()
            if not self._next_due:
                break
            events = self._after_response()
            if not events:
                break
        self._delivering = False
        if self._out:
            self.flush()
        if self.phase is _LINGER:
            self._linger()

    def _finish_exchange(self) -> None:
        """
        Go on after a response that ended outside a batch of the client's bytes.
        """
        self.flush()
        events = self._after_response()
        if events:
            self._work(events)
        elif self.phase is _LINGER:
            self._linger()

    def _after_response(self) -> list[Event]:
        """
        Decide what follows a finished response: the next request, waiting for one, or the end.
        """
        self._next_due = False
        if self.phase is _CLOSED:
            return []
        core = self._core
        if not core.keep_alive:
            self.phase = _LINGER
            return []
        self.phase = _IDLE
        events = core.next_request()
        if self._paused:
            self.resume_reading(Pause.EXCHANGE)
            self.resume_reading(Pause.PIPELINE)
        if not events:
            if core.held:
                self._begin_head()
            else:
                self._deadline.set(self._idle_timeout)
        return events

    def _begin_head(self) -> None:
        """
        Part of a head is there: from here on the whole of it has one limit, which more bytes do not move.
        """
        self.phase = _HEAD
        if self.requests or self._core.closing:
            self._deadline.set(self._settings.head_timeout)

    def _malformed(self, status: int, reason: str) -> None:
        exchange, self._exchange = self._exchange, None
        if exchange is not None:
            # The head was fine and the body is not: the exchange knows whether a response has begun.
            exchange.client_failed(status, reason)
        elif not self._core.response_started:
            answer = self._application.request_malformed(self, status, reason)
            self.answer(attrs.evolve(answer, close=True))
        else:
            self.abort()

    def _linger(self) -> None:
        """
        Close so that the answer survives: end our side, read on for a while if the client is still sending.
        """
        if self._core.request_ended and not self._core.held:
            self._close()
            return
        if self.half_closed:
            self._close()
            return
        self._deadline.set(self._settings.linger_timeout)
        self.transport.unregisterProducer()
        self.transport.loseWriteConnection()
        self.resume_reading(Pause.EXCHANGE)
        self.resume_reading(Pause.PIPELINE)

    def _close(self) -> None:
        if self.phase is not _CLOSED:
            self.phase = _CLOSED
            self._deadline.clear()
            # A registered producer that is paused would keep the transport open for more from it.
            self.transport.unregisterProducer()
            self.transport.loseConnection()

    def _close_idle(self) -> None:
        """
        Close, unless a request has begun that the reactor has not come to yet.
        """
        if has_unread(self.transport):
            self._deadline.set(FIRST_REQUEST)
        else:
            self._close()

    def _timed_out(self) -> None:
        phase = self.phase
        if phase is _EXCHANGE:
            if self._exchange is not None:
                self._exchange.timed_out()
        elif phase is _HEAD:
            answer = self._application.request_malformed(self, 408, "request head not received in time")
            self.answer(attrs.evolve(answer, close=True))
        elif phase is _LINGER:
            self.abort()
        elif phase is _IDLE:
            self._close_idle()


def host_of(address: IAddress) -> str:
    """
    The host part of a transport's address, or nothing for addresses without one.
    """
    return str(getattr(address, "host", ""))


classImplements(HTTPServerProtocol, IProtocol, IHalfCloseableProtocol, IPushProducer)
