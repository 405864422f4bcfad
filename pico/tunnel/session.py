"""
A tunnel: a yamux session over one carrier of bytes, with its streams, its flushes and its only timer.

- The carrier is any transport that keeps bytes in order and knows back-pressure: a WebSocket for agents,
  plain TCP between nodes. It is never paused: a stream whose protocol does not read stops its peer by its own
  window.
- Whatever is sent within a turn of the reactor leaves together at the end of the turn, in writes of about 256
  KiB, as long as the carrier takes it. When the carrier is full nothing more is taken out of the core, so
  that streams still have fair turns when it goes on, and each stream's producer waits when its own queue is
  full.
- One timer serves keep-alive, streams that the peer does not accept or end, and the end of the tunnel. It is
  moved only when something falls due earlier than it fires; when it fires too early, it finds nothing to do.

Who closes: the session closes its carrier, and every stream loses its connection.
"""

from __future__ import annotations

import enum
from collections.abc import Callable
from math import inf
from typing import Final, cast

import attrs
from twisted.internet.error import ConnectionLost
from twisted.internet.interfaces import (
    IAddress,
    IDelayedCall,
    IProtocol,
    IPushProducer,
    IReactorTime,
    ITransport,
)
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import classImplements

from pico.errors import RemoteProtocolError, TunnelBusy, TunnelError
from pico.net.http.transport import JOINED
from pico.net.turn import Turn
from pico.tunnel.carrier import ICarrier
from pico.tunnel.reasons import StreamOverflowed, StreamRefused, StreamReset
from pico.tunnel.stream import DONE, StreamHost, TunnelStream
from pico.wire.keepalive import Action, KeepAlive
from pico.wire.yamux import events as yamux
from pico.wire.yamux.events import DataReceived
from pico.wire.yamux.limits import DEFAULT_LIMITS, Limits
from pico.wire.yamux.session import Role, Session
from pico.wire.yamux.stream import State, Stream

_log: Final = Logger(namespace="tunnel")

#: Bytes of one write to the carrier, about.
FLUSH_SIZE: Final = 65_536

#: The least seconds between two looks at streams that the peer keeps waiting.
_RESOLUTION: Final = 1.0


@attrs.frozen
class TunnelSettings:
    """
    The times, in seconds, and limits of a tunnel.

    :ivar keepalive_interval: silence of the peer after which it is asked for a sign of life; 0 asks never.
    :ivar keepalive_timeout: how long it may take with that; and how long the end of a tunnel may take.
    :ivar close_timeout: how long a peer may go on after ``loseConnection`` on a stream; then it is reset. 0
        for ever.
    :ivar open_timeout: how long a peer may take to accept a stream; then it is reset. 0 for ever.
    """

    keepalive_interval: float = 30.0
    keepalive_timeout: float = 10.0
    close_timeout: float = 300.0
    open_timeout: float = 75.0
    limits: Limits = DEFAULT_LIMITS


class Phase(enum.Enum):
    """
    How far the tunnel is.
    """

    NEW = "not connected"
    OPEN = "open"
    CLOSING = "flushing before its end"
    ENDING = "waiting for its carrier to end"
    LOST = "gone"


_OPEN: Final[Phase] = Phase.OPEN


class TunnelSession(StreamHost):
    """
    The protocol above a carrier, and the push producer towards it.

    :ivar bytes_received: from the carrier.
    :ivar bytes_sent: given to the carrier.
    :ivar opened_at: when the carrier was connected, on the clock.
    """

    __slots__ = (
        "__weakref__",
        "_carrier",
        "_clock",
        "_core",
        "_ends_at",
        "_keepalive",
        "_on_closed",
        "_on_going_away",
        "_on_room",
        "_on_stream",
        "_paused",
        "_phase",
        "_reason",
        "_settings",
        "_timer",
        "_timer_at",
        "_turn",
        "_wanted",
        "bytes_received",
        "bytes_sent",
        "opened_at",
    )

    def __init__(
        self,
        role: Role,
        *,
        clock: IReactorTime,
        turn: Turn,
        settings: TunnelSettings,
        on_stream: Callable[[TunnelStream], None] | None,
        on_going_away: Callable[[], None],
        on_closed: Callable[[Failure], None],
        on_room: Callable[[], None] | None = None,
    ) -> None:
        """
        :param on_stream: takes the streams that the peer opens, and attaches or aborts them; ``None`` refuses
            all.
        :param on_going_away: the peer takes no new streams; called once.
        :param on_closed: the carrier is gone, and every stream has been told or will be this turn; called
            once, if there was a carrier.
        :param on_room: after :meth:`open_stream` has raised ``TunnelBusy``: it would not any more.
        """
        self._carrier: ICarrier | None = None
        self._clock = clock
        self._core = Session(role, settings.limits)
        # When the carrier is aborted if the tunnel has not ended by then.
        self._ends_at = inf
        self._keepalive = KeepAlive(settings.keepalive_interval, settings.keepalive_timeout)
        self._on_closed = on_closed
        self._on_going_away = on_going_away
        self._on_room = on_room
        self._on_stream = on_stream
        self._paused = False
        self._phase = Phase.NEW
        self._reason: Failure | None = None
        self._settings = settings
        self._timer: IDelayedCall | None = None
        self._timer_at = inf
        self._turn = turn
        # Whether somebody was refused a stream because the peer had not accepted enough.
        self._wanted = False
        self.bytes_received = 0
        self.bytes_sent = 0
        self.flush_due = False
        self.full: list[TunnelStream] = []
        self.now = self.opened_at = clock.seconds()

    # What others may ask

    @property
    def streams(self) -> int:
        """
        Streams that are alive on the wire.
        """
        return 0 if self._phase is Phase.LOST else len(self._core.streams)

    @property
    def over(self) -> bool:
        """
        Whether the carrier is gone.
        """
        return self._phase is Phase.LOST

    @property
    def rtt(self) -> float | None:
        """
        Seconds for a round trip, if it has been measured.
        """
        return self._core.rtt

    @property
    def ids_left(self) -> int:
        """
        How many streams can be opened before the tunnel must be replaced.
        """
        return self._core.ids_left

    @property
    def going_away(self) -> bool:
        """
        Whether :meth:`go_away` was called.
        """
        return self._core.going_away

    @property
    def remote_going_away(self) -> bool:
        """
        Whether the peer has said that it takes no new streams.
        """
        return self._core.remote_going_away

    @property
    def peer(self) -> IAddress:
        """
        The address of the other end.

        :raises TunnelError: before there is a carrier.
        """
        return self.get_peer()

    def find(self, stream_id: int) -> TunnelStream | None:
        """
        The stream of that number, while it is alive on the wire.
        """
        core = self._core.streams.get(stream_id)
        return cast("TunnelStream | None", core.owner) if core is not None else None

    # Verbs

    def open_stream(self) -> TunnelStream:
        """
        Open a stream; attach a protocol to it and write.

        :raises TunnelBusy: if the peer must accept others first; ``on_room`` follows.
        :raises TunnelError: if the tunnel cannot take another stream, now or ever.
        """
        if self._phase is not _OPEN:
            raise TunnelError("the tunnel is closed")
        try:
            core = self._core.open()
        except TunnelBusy:
            self._wanted = True
            raise
        if not self.flush_due:
            self.flush_soon()
        return TunnelStream(self, self._core, core, self._deadline(self._settings.open_timeout))

    def go_away(self) -> None:
        """
        Tell the peer, this turn, to open no more streams; those that exist go on, and we may still open some.
        """
        if self._phase is _OPEN:
            self._core.go_away()
            self.flush_soon()

    def probe(self) -> None:
        """
        Ask the peer for a sign of life now. Without one the tunnel is dead after ``keepalive_timeout``, as after a
        silence.
        """
        if self._phase is _OPEN:
            now = self._clock.seconds()
            if self._keepalive.ask(now) is Action.PING:
                self._core.ping(now)
                self.flush_soon()
                self._set_timer()

    def close(self) -> None:
        """
        End the tunnel at the end of the turn: send what may still be sent, then close the carrier.

        The streams that are open lose their connections; what the peer still sends is not read.
        """
        if self._phase is _OPEN:
            self._end_soon(None)
            self.flush_soon()

    def abort(self) -> None:
        """
        Drop the carrier now; the streams lose their connections when it is gone.
        """
        phase = self._phase
        if self._carrier is not None and phase is not Phase.NEW and phase is not Phase.LOST:
            self._phase = Phase.ENDING
            self._carrier.abortConnection()

    # IProtocol

    def makeConnection(self, transport: ITransport) -> None:
        """
        Begin on a carrier that has just connected.

        :param transport: an :class:`ICarrier`, declared or not.
        """
        carrier = cast(ICarrier, transport)
        self._carrier = carrier
        self._phase = _OPEN
        self.now = self.opened_at = self._clock.seconds()
        self._keepalive.start(self.now)
        self._set_timer()
        carrier.registerProducer(self, True)

    def connectionMade(self) -> None:
        """
        Nothing more to do than :meth:`makeConnection` did; here because the interface asks for it.
        """

    def dataReceived(self, data: bytes) -> None:
        """
        Take bytes from the carrier.
        """
        if self._phase is not _OPEN:
            return
        self.bytes_received += len(data)
        self.now = now = self._clock.seconds()
        self._keepalive.received(now)
        core = self._core
        for event in core.receive_data(data, now):
            if self._phase is not _OPEN:
                self._too_late(event)
            elif type(event) is DataReceived:
                stream: TunnelStream = event.stream.owner  # type: ignore[assignment]  # only we set it
                try:
                    stream.data_received(event.data)
                except Exception:
                    stream.broken()
            else:
                self._act(event)
        if not self.flush_due and (core.wants_to_send or self._wanted):
            self.flush_soon()

    def connectionLost(self, reason: Failure) -> None:
        """
        The carrier is gone.
        """
        if self._phase is Phase.LOST:
            return
        self._phase = Phase.LOST
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        # Those that both sides have ended are not among them: they deliver what they hold.
        self._lose_streams()
        self._core.receive_eof()
        self._on_closed(self._reason or reason)

    # IPushProducer, for the carrier

    def pauseProducing(self) -> None:
        """
        The carrier is full.
        """
        self._paused = True

    def resumeProducing(self) -> None:
        """
        The carrier has room again.
        """
        self._paused = False
        self._flush()

    def stopProducing(self) -> None:
        """
        The carrier is going away; ``connectionLost`` follows and does the work.
        """
        self._paused = True

    # The streams' calls

    def flush_soon(self) -> None:
        """
        Send what there is at the end of this turn.
        """
        if not self.flush_due:
            self.flush_due = True
            self._turn.at_end(self._flush_at_end)

    def call_at_end(self, call: Callable[[], None]) -> None:
        """
        Do something at the end of this turn.
        """
        self._turn.at_end(call)

    def close_deadline(self) -> float:
        """
        When a stream whose end begins now is given up.
        """
        return self._deadline(self._settings.close_timeout)

    def get_peer(self) -> IAddress:
        """
        The address of the other end.
        """
        return self._connected().getPeer()

    def get_host(self) -> IAddress:
        """
        The address of this end.
        """
        return self._connected().getHost()

    # Inside: events

    def _act(self, event: yamux.Event) -> None:
        """
        Act on an event that is not data.
        """
        if isinstance(event, yamux.StreamFinished):
            self._tell(event.stream, TunnelStream.readConnectionLost, DONE)
        elif isinstance(event, yamux.StreamOpened):
            self._offered(event.stream)
        elif isinstance(event, yamux.StreamReset):
            self._tell(event.stream, TunnelStream.connection_lost, self._why_reset(event))
        elif isinstance(event, yamux.GoAwayReceived):
            self._notify(self._on_going_away)
        elif isinstance(event, yamux.Failed):
            self._fault(event.error)

    def _too_late(self, event: yamux.Event) -> None:
        """
        Act on an event behind the one that made somebody end the tunnel.

        The core may have forgotten the stream by now, so this is where its protocol hears that it is gone.
        """
        stream: Stream | None = getattr(event, "stream", None)
        if stream is not None and stream.owner is not None:
            self._tell(stream, TunnelStream.connection_lost, Failure(ConnectionLost("the tunnel is gone")))

    def _offered(self, core: Stream) -> None:
        stream = TunnelStream(self, self._core, core)
        if self._on_stream is None:
            stream.abortConnection()
            return
        try:
            self._on_stream(stream)
        except Exception:
            stream.broken()

    def _why_reset(self, event: yamux.StreamReset) -> Failure:
        if event.cause is yamux.ResetCause.OVERFLOW:
            _log.warn(
                "{peer} sent more than may be held: stream {stream} reset",
                peer=self.peer,
                stream=event.stream.id,
            )
            return Failure(StreamOverflowed())
        return Failure(StreamRefused() if event.refused else StreamReset())

    def _fault(self, error: RemoteProtocolError) -> None:
        """
        The session is over, by the peer's fault or by its word.
        """
        _log.info("tunnel with {peer} failed: {reason}", peer=self.peer, reason=error.reason)
        self._end_soon(Failure(error))
        self._flush()

    def _tell(self, core: Stream, call: Callable[[TunnelStream, Failure], None], reason: Failure) -> None:
        stream: TunnelStream = core.owner  # type: ignore[assignment]  # only we set it
        try:
            call(stream, reason)
        except Exception:
            stream.broken()

    def _notify(self, call: Callable[[], None]) -> None:
        try:
            call()
        except Exception:
            _log.failure("the owner of a tunnel failed")

    # Inside: sending

    def _flush_at_end(self) -> None:
        self.flush_due = False
        self._flush()

    def _flush(self) -> None:
        """
        Give the carrier what it takes, then see to the streams' producers and ends.
        """
        carrier = self._carrier
        if carrier is None or (self._phase is not _OPEN and self._phase is not Phase.CLOSING):
            return
        core = self._core
        if self._wanted and not core.busy:
            self._wanted = False
            if self._on_room is not None:
                self._notify(self._on_room)
        while not self._paused:
            pieces = core.pieces_to_send(FLUSH_SIZE)
            if not pieces:
                break
            size = 0
            for piece in pieces:
                size += len(piece)
            self.bytes_sent += size
            if size < JOINED:
                carrier.write(b"".join(pieces))
            else:
                carrier.writeSequence(pieces)
        for event in core.take_sent():
            stream: TunnelStream = event.stream.owner  # type: ignore[assignment]  # only we set it
            if isinstance(event, yamux.FinishSent):
                self._tell(event.stream, TunnelStream.writeConnectionLost, DONE)
            else:
                self._see_to(stream, TunnelStream.queue_drained)
        full = self.full
        if full:
            self.full = []
            for stream in full:
                self._see_to(stream, TunnelStream.judge)
        if self._phase is Phase.CLOSING:
            self._close_carrier(carrier)

    def _see_to(self, stream: TunnelStream, call: Callable[[TunnelStream], object]) -> None:
        try:
            call(stream)
        except Exception:
            stream.broken()

    # Inside: ends

    def _end_soon(self, reason: Failure | None) -> None:
        """
        Begin to end; the next flush goes on with it.
        """
        self._phase = Phase.CLOSING
        self._reason = reason
        self._ends_at = self._clock.seconds() + self._settings.keepalive_timeout
        self._set_timer()

    def _close_carrier(self, carrier: ICarrier) -> None:
        """
        Tell the streams, and close the carrier once it has taken everything.
        """
        self._lose_streams()
        if not self._paused and self._phase is Phase.CLOSING:
            self._phase = Phase.ENDING
            carrier.unregisterProducer()
            carrier.loseConnection()

    def _lose_streams(self) -> None:
        """
        Tell every stream that is alive that the tunnel is gone.
        """
        lost = Failure(ConnectionLost("the tunnel is gone"))
        refused = Failure(StreamRefused()) if self._core.remote_going_away else lost
        for core in list(self._core.streams.values()):
            if core.owner is None:
                continue  # opened behind the event that ended the tunnel: nobody has heard of it
            # A peer that goes away accepts nothing more, and has said what it had accepted, but for what was
            # ended before it did.
            taken = core.acked or core.state is State.LOCAL_ENDED
            self._tell(core, TunnelStream.connection_lost, lost if taken else refused)

    def _connected(self) -> ICarrier:
        if self._carrier is None:
            raise TunnelError("the tunnel is not connected")
        return self._carrier

    # Inside: time

    def _deadline(self, seconds: float) -> float:
        """
        When so many seconds are over; the timer will have fired by then.
        """
        if seconds <= 0:
            return inf
        deadline = self._clock.seconds() + seconds
        if deadline < self._timer_at:
            self._set_timer(deadline)
        return deadline

    def _set_timer(self, deadline: float = inf) -> None:
        """
        Let the timer fire when the first thing falls due, of what is known here and ``deadline``.
        """
        deadline = min(deadline, self._ends_at)
        if self._phase is _OPEN:
            due = self._keepalive.next_deadline()
            if due is not None:
                deadline = min(deadline, due)
        if deadline >= self._timer_at or self._phase is Phase.LOST:
            return
        self._timer_at = deadline
        delay = max(0.0, deadline - self._clock.seconds())
        if self._timer is None:
            self._timer = self._clock.callLater(delay, self._timed)
        else:
            self._timer.reset(delay)

    def _timed(self) -> None:
        self._timer = None
        self._timer_at = inf
        self.now = now = self._clock.seconds()
        if now >= self._ends_at:
            self._ends_at = inf
            self.abort()
            return
        if self._phase is _OPEN:
            action = self._keepalive.handle_timer(now)
            if action is Action.DEAD:
                _log.info("tunnel with {peer} dead: no sign of life", peer=self.peer)
                self._reason = Failure(ConnectionLost("no sign of life from the other end of the tunnel"))
                self.abort()
                return
            if action is Action.PING:
                self._core.ping(now)
                self.flush_soon()
        earliest = inf
        for core in list(self._core.streams.values()):
            stream: TunnelStream | None = core.owner  # type: ignore[assignment]  # only we set it
            if stream is not None and stream.deadline != inf:
                self._see_to(stream, lambda stream: stream.check(now))
                earliest = min(earliest, stream.deadline)
        self._set_timer(max(earliest, now + _RESOLUTION))


classImplements(TunnelSession, IProtocol, IPushProducer)
