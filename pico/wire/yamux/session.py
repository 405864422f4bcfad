"""
A yamux session: frames in, events out; verbs in, frames out.

Invariants:

- A stream stands in ``streams`` from its SYN until both FINs have passed or it is reset. Bytes that were
  received on it may outlive it; they count in ``buffered`` until they are consumed.
- What a frame counts against a window or a cap is decided when its header has been read, by the length that
  it declares. So neither the events (their data joined) nor the limits depend on how the bytes were cut.

What Piko adds to the specification: the opener sends WINDOW|SYN and then data at once; an ACK comes when the
stream is accepted, so it may come late, or never if our FIN was faster.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from itertools import chain
from operator import attrgetter
from typing import Final

from pico.errors import LocalProtocolError, RemoteProtocolError, TunnelBusy, TunnelError
from pico.wire.yamux.events import (
    DataReceived,
    Event,
    Failed,
    FinishSent,
    GoAwayReceived,
    PongReceived,
    ResetCause,
    SentEvent,
    SessionClosed,
    StreamFinished,
    StreamOpened,
    StreamReset,
)
from pico.wire.yamux.frames import (
    ACK,
    DATA,
    FIN,
    GO_AWAY,
    HEADER,
    HEADER_SIZE,
    PING,
    RST,
    SYN,
    WINDOW,
    GoAwayCode,
)
from pico.wire.yamux.limits import DEFAULT_LIMITS, Limits
from pico.wire.yamux.outbound import Outbound
from pico.wire.yamux.pings import Pings
from pico.wire.yamux.stream import Opening, State, Step, Stream


class Role(enum.Enum):
    """
    Which ids a side opens: the client, who dialled, odd ones; the server even ones.
    """

    CLIENT = 1
    SERVER = 2


_pack: Final = HEADER.pack
_unpack_from: Final = HEADER.unpack_from
_unconsumed: Final = attrgetter("unconsumed")

_OPEN: Final[State] = State.OPEN
_ENDING: Final[State] = State.ENDING
_LOCAL_ENDED: Final[State] = State.LOCAL_ENDED
_REMOTE_ENDED: Final[State] = State.REMOTE_ENDED
_LAST_ENDING: Final[State] = State.LAST_ENDING
_CLOSED: Final[State] = State.CLOSED
_RESET: Final[State] = State.RESET
_UNACKED: Final[Opening] = Opening.UNACKED
_OFFERED: Final[Opening] = Opening.OFFERED
_AGREED: Final[Opening] = Opening.AGREED

#: A window grows when it is used up in fewer round trips than this.
_GROW_WITHIN: Final = 4


class Session:
    """
    One side of a session. The caller carries bytes and reports time; nothing here blocks or calls back.

    After the peer's fault, its end or a go-away other than 0 the session is ``closed``: input is ignored,
    verbs on streams do nothing, :meth:`open` raises. Verbs on a stream that was reset do nothing either,
    because the user of a stream may not have heard of it yet.

    :ivar streams: live streams by id.
    :ivar buffered: bytes received and not consumed.
    :ivar closed: whether the session is over.
    :ivar going_away: we have told the peer to open no more streams.
    :ivar remote_going_away: the peer has told us so.
    """

    __slots__ = (
        "_finish_after",
        "_into",
        "_left",
        "_limits",
        "_max_buffered",
        "_max_control",
        "_next_id",
        "_now",
        "_out",
        "_pings",
        "_rest",
        "_streams",
        "_unaccepted",
        "_unacked",
        "_unread",
        "buffered",
        "closed",
        "going_away",
        "remote_going_away",
    )

    def __init__(self, role: Role, limits: Limits = DEFAULT_LIMITS) -> None:
        self._limits = limits
        # These two are asked for whenever bytes come.
        self._max_buffered = limits.max_buffered
        self._max_control = limits.max_control
        self._next_id = role.value
        self._now = 0.0
        self._pings = Pings(limits.max_pings_per_second)
        self._streams: dict[int, Stream] = {}
        # Streams that are closed and hold bytes which nobody has consumed.
        self._unread: dict[Stream, None] = {}
        self._unaccepted = 0
        self._unacked = 0
        # Reading: the part of a header that has come, or what is left of a payload, for whom (None drains
        # it), and whether a FIN stood on its frame.
        self._rest = b""
        self._left = 0
        self._into: Stream | None = None
        self._finish_after = False
        self._out = Outbound(limits.max_frame)
        self.buffered = 0
        self.closed = False
        self.going_away = False
        self.remote_going_away = False

    @property
    def streams(self) -> Mapping[int, Stream]:
        """
        Live streams by id; not to be changed.
        """
        return self._streams

    @property
    def rtt(self) -> float | None:
        """
        Seconds for a round trip, once a ping was answered.
        """
        return self._pings.rtt

    @property
    def ids_left(self) -> int:
        """
        How many streams can still be opened before the session must be replaced.
        """
        return max(0, (self._limits.last_stream_id - self._next_id + 1) // 2)

    @property
    def busy(self) -> bool:
        """
        Whether the peer must accept some of our streams before it may be offered another.
        """
        return self._unacked >= self._limits.max_unacked

    @property
    def wants_to_send(self) -> bool:
        """
        Whether :meth:`data_to_send` would return anything.
        """
        out = self._out
        return bool(out.control or out.ready or out.acks)

    # Input

    def receive_data(self, data: bytes, now: float) -> list[Event]:
        """
        Take bytes from the peer, cut anywhere.

        :param now: seconds on any clock that does not go back.
        """
        closed = self.closed
        if closed:
            return []
        self._now = now
        if self._rest:
            data = self._rest + data
            self._rest = b""
        events: list[Event] = []
        end = len(data)
        pos = self._go_on(data, events) if self._left else 0
        streams = self._streams
        max_buffered = self._max_buffered
        while end - pos >= HEADER_SIZE:
            kind, flags, stream_id, length = _unpack_from(data, pos)
            pos += HEADER_SIZE
            if kind > WINDOW:
                if not self._session_frame(kind, flags, length, now, events):
                    return events
                continue
            stream = streams.get(stream_id)
            finished = False
            if flags:
                stream = self._flagged(stream, stream_id, flags, events)
                if self.closed:
                    return events
                finished = flags & FIN != 0 and stream is not None
            if kind == DATA:
                if stream is not None and length:
                    if length > stream.receive_window:
                        self._fail("receive window exceeded", events)
                        return events
                    stream.receive_window -= length
                    state = stream.state
                    if state is _OPEN or state is _ENDING or state is _LOCAL_ENDED:
                        if stream.opening is _UNACKED:
                            self._agree(stream)
                        stream.unconsumed += length
                        self.buffered += length
                        if self.buffered > max_buffered:
                            self._relieve(events)
                            if stream.state is _RESET:
                                stream = None
                    else:
                        # Behind its FIN: a Go peer that writes and closes at once can do that. Nobody waits
                        # for it.
                        stream = None
                left = length - (end - pos)
                if left <= 0:
                    if length:
                        if stream is not None:
                            events.append(DataReceived(stream, data[pos : pos + length]))
                        pos += length
                else:
                    if stream is not None and pos < end:
                        events.append(DataReceived(stream, data[pos:]))
                    self._left = left
                    self._into = stream
                    self._finish_after = finished
                    pos = end
                    break
            elif stream is not None and length:
                stream.send_window += length
                if stream.opening is _UNACKED:
                    self._agree(stream)
                if stream.queued:
                    self._out.schedule(stream)
            if finished and stream is not None:
                self._remote_finished(stream, events)
        if pos < end:
            self._rest = data[pos:]
        if len(self._out.control) > self._max_control:
            self._fail("answers are not read", events)
        return events

    def receive_eof(self) -> list[Event]:
        """
        The peer has ended the connection, which is an ordinary end wherever it comes.
        """
        if self.closed:
            return []
        self._end()
        return [SessionClosed()]

    # Verbs

    def open(self) -> Stream:
        """
        Open a stream; data may be sent on it at once.

        :raises TunnelBusy: if too many of ours wait to be accepted.
        :raises TunnelError: if there can be no further stream, now or ever (see ``ids_left``).
        """
        limits = self._limits
        if self.closed:
            raise TunnelError("the tunnel is closed")
        if self.remote_going_away:
            raise TunnelError("the other end of the tunnel takes no new streams")
        if self._next_id >= limits.last_stream_id:
            raise TunnelError("the tunnel has used up its stream ids")
        if self._unacked >= limits.max_unacked:
            raise TunnelBusy("too many streams wait for the other end of the tunnel to accept them")
        if len(self._streams) >= limits.max_streams:
            raise TunnelError("the tunnel has too many streams")
        stream_id = self._next_id
        self._next_id = stream_id + 2
        self._unacked += 1
        stream = self._streams[stream_id] = Stream(stream_id, _UNACKED, self._now)
        self._out.control.append(_pack(WINDOW, SYN, stream_id, 0))
        return stream

    def accept(self, stream: Stream) -> None:
        """
        Take a stream that the peer has opened; only then may be sent on it.
        """
        if stream.state is _RESET:
            return
        if stream.opening is not _OFFERED:
            raise LocalProtocolError("only a stream that the peer opened can be accepted, and once")
        stream.opening = _AGREED
        self._unaccepted -= 1
        stream.flags = ACK
        self._out.acks.append(stream)

    def send(self, stream: Stream, data: bytes) -> None:
        """
        Queue bytes of any size; they leave as the peer's window and the other streams' turns allow.
        """
        state = stream.state
        if (state is not _OPEN and state is not _REMOTE_ENDED) or stream.opening is _OFFERED:
            if state is _RESET:
                return
            raise LocalProtocolError("nothing may be sent on a stream before accept() or after finish()")
        if not data:
            return
        stream.queue.append(data)
        stream.queued += len(data)
        if not stream.scheduled and stream.send_window:
            stream.scheduled = True
            self._out.ready.append(stream)

    def finish(self, stream: Stream) -> None:
        """
        End our direction behind what is queued. ``FinishSent`` reports that it happened.
        """
        if stream.state is _RESET:
            return
        if stream.opening is _OFFERED or not stream.advance(Step.FINISH):
            raise LocalProtocolError("a stream can be finished once, and not before accept()")
        if not stream.queued:
            self._out.schedule(stream)

    def reset(self, stream: Stream) -> None:
        """
        Cut a stream off, both ways and at once, with what is queued and what nobody has consumed.
        """
        if stream.state is _RESET or self.closed:
            return
        if stream.state is not _CLOSED:
            self._out.control.append(_pack(WINDOW, RST, stream.id, 0))
        self._drop(stream)

    def consumed(self, stream: Stream, size: int, now: float) -> None:
        """
        Give back the window of bytes that have been used. The peer hears of it by half windows.
        """
        if stream.state is _RESET or self.closed:
            return
        unconsumed = stream.unconsumed - size
        if unconsumed < 0 or size < 0:
            raise LocalProtocolError("more was consumed than received")
        stream.unconsumed = unconsumed
        self.buffered -= size
        window = stream.window
        credit = window - unconsumed - stream.receive_window
        if credit + credit >= window:
            self._give_credit(stream, credit, now)
        if not unconsumed and stream.state is _CLOSED:
            self._unread.pop(stream, None)

    def notify(self, stream: Stream, size: int) -> None:
        """
        Report ``QueueDrained``, once, when sending has left no more than ``size`` bytes in a stream's queue.
        """
        stream.notify_at = size

    def ping(self, now: float) -> None:
        """
        Ask the peer for a sign of life. While one ping is unanswered, another sends nothing.
        """
        if self.closed:
            return
        value = self._pings.request(now)
        if value is not None:
            self._out.control.append(_pack(PING, SYN, 0, value))

    def go_away(self, code: int = GoAwayCode.NORMAL) -> None:
        """
        Tell the peer to open no more streams; streams live on, and ours may still be opened.

        With a code other than 0 the session is over.
        """
        if self.closed or (self.going_away and not code):
            return
        self.going_away = True
        if code:
            self._end()
        self._out.control.append(_pack(GO_AWAY, 0, 0, code))

    # Output

    def data_to_send(self, limit: int = 262_144) -> bytes:
        """
        Take the next frames: what is due of the session, then data of the streams in turns of one frame.

        To be called until it returns nothing; :meth:`take_sent` then tells what became of it.

        :param limit: no frame is begun once so many bytes have been reached.
        """
        return b"".join(self.pieces_to_send(limit))

    def pieces_to_send(self, limit: int = 262_144) -> list[bytes | memoryview]:
        """
        Take the next frames like :meth:`data_to_send`, in pieces that follow each other: payload is not copied.
        """
        out = self._out
        pieces = out.take(limit)
        if out.finished:
            for stream in out.finished:
                if stream.state is _CLOSED:
                    self._forget(stream)
        return pieces

    def take_sent(self) -> list[SentEvent]:
        """
        What has happened by sending since the last call.
        """
        out = self._out
        if not out.finished and not out.drained:
            return []
        sent: list[SentEvent] = [*out.drained, *map(FinishSent, out.finished)]
        out.drained = []
        out.finished = []
        return sent

    # Inside: reading

    def _go_on(self, data: bytes, events: list[Event]) -> int:
        """
        Deliver more of a payload whose beginning came before.

        :return: where the next frame begins.
        """
        stream = self._into
        if stream is not None and stream.state is _RESET:
            stream = self._into = None
        left = self._left
        size = min(left, len(data))
        if stream is not None and size:
            events.append(DataReceived(stream, data[:size]))
        self._left = left = left - size
        if not left:
            self._into = None
            if stream is not None and self._finish_after:
                self._remote_finished(stream, events)
        return size

    def _session_frame(self, kind: int, flags: int, value: int, now: float, events: list[Event]) -> bool:
        """
        Act on a frame that belongs to no stream.

        :return: whether the session goes on.
        """
        if kind == PING:
            if not flags & SYN:
                rtt = self._pings.answered(value, now)
                if rtt is not None:
                    events.append(PongReceived(rtt))
                return True
            if not self._pings.tolerable(now):
                return self._fail("too many pings", events)
            self._out.control.append(_pack(PING, ACK, 0, value))
            return True
        if kind == GO_AWAY:
            if value != GoAwayCode.NORMAL:
                self._end()
                events.append(Failed(RemoteProtocolError(value, f"the peer went away with code {value}")))
                return False
            if not self.remote_going_away:
                self.remote_going_away = True
                events.append(GoAwayReceived(value))
            return True
        return self._fail("invalid frame type" if kind < 0x100 else "invalid protocol version", events)

    def _flagged(self, stream: Stream | None, stream_id: int, flags: int, events: list[Event]) -> Stream | None:
        """
        Act on a frame's SYN, ACK and RST, and check its FIN, which takes effect behind the payload.

        :return: the stream that the rest of the frame is for, or ``None`` if nobody wants it.
        """
        if flags & SYN:
            stream = self._offered(stream, stream_id, events)
        if stream is None:
            return None
        if flags & ACK and stream.opening is _UNACKED:
            self._agree(stream)
        if flags & FIN and (stream.state is _REMOTE_ENDED or stream.state is _LAST_ENDING):
            self._fail("unexpected flag", events)
            return None
        if flags & RST:
            # A peer that accepts says so before it does anything; but Piko never says it once it has seen our
            # FIN.
            refused = stream.opening is _UNACKED and stream.state is not _LOCAL_ENDED
            self._drop(stream)
            events.append(StreamReset(stream, ResetCause.REFUSED if refused else ResetCause.PEER))
            return None
        return stream

    def _offered(self, stream: Stream | None, stream_id: int, events: list[Event]) -> Stream | None:
        """
        Act on a SYN.

        :return: the new stream, or ``None`` if it was refused (or the session failed).
        """
        if stream is not None:
            self._fail("duplicate stream initiated", events)
            return None
        if not stream_id or not (stream_id ^ self._next_id) & 1:
            self._fail("stream id of the wrong side", events)
            return None
        limits = self._limits
        if self.going_away or self._unaccepted >= limits.max_unaccepted or len(self._streams) >= limits.max_streams:
            self._out.control.append(_pack(WINDOW, RST, stream_id, 0))
            return None
        self._unaccepted += 1
        stream = self._streams[stream_id] = Stream(stream_id, _OFFERED, self._now)
        events.append(StreamOpened(stream))
        return stream

    def _remote_finished(self, stream: Stream, events: list[Event]) -> None:
        if stream.opening is _UNACKED:
            self._agree(stream)
        stream.advance(Step.FIN_RECEIVED)
        if stream.state is _CLOSED:
            self._forget(stream)
        events.append(StreamFinished(stream))

    def _agree(self, stream: Stream) -> None:
        stream.opening = _AGREED
        self._unacked -= 1

    def _relieve(self, events: list[Event]) -> None:
        """
        Reset the streams that hold most until the rest may be held.
        """
        while self.buffered > self._limits.max_buffered:
            worst = max(chain(self._streams.values(), self._unread), key=_unconsumed)
            self.reset(worst)
            events.append(StreamReset(worst, ResetCause.OVERFLOW))

    # Inside: writing

    def _give_credit(self, stream: Stream, credit: int, now: float) -> None:
        state = stream.state
        if state is not _OPEN and state is not _ENDING and state is not _LOCAL_ENDED:
            return  # the peer has ended: it needs none
        window = stream.window
        limits = self._limits
        if window < limits.max_window and self.buffered <= limits.max_buffered // 2:
            rtt = self._pings.rtt
            if rtt is None:
                self.ping(now)
            elif (now - stream.credited_at) * window < _GROW_WITHIN * rtt * credit:
                stream.window = min(window * 2, limits.max_window)
                credit += stream.window - window
        stream.credited_at = now
        stream.receive_window += credit
        self._out.control.append(_pack(WINDOW, stream.flags, stream.id, credit))
        stream.flags = 0

    # Inside: ends

    def _forget(self, stream: Stream) -> None:
        """
        Take a stream out of the books; its unconsumed bytes stay in them.
        """
        if self._streams.get(stream.id) is not stream:
            return
        del self._streams[stream.id]
        if stream.opening is _UNACKED:
            self._unacked -= 1
        elif stream.opening is _OFFERED:
            self._unaccepted -= 1
        if stream.unconsumed:
            self._unread[stream] = None

    def _drop(self, stream: Stream) -> None:
        """
        Take a stream out of the books with all that it holds.
        """
        if stream.state is not _CLOSED:
            self._forget(stream)
        self._unread.pop(stream, None)
        self.buffered -= stream.unconsumed
        stream.unconsumed = 0
        stream.state = _RESET
        stream.queue.clear()
        stream.queued = 0
        stream.notify_at = -1

    def _fail(self, reason: str, events: list[Event]) -> bool:
        """
        End the session for the peer's fault, and tell it.

        :return: false, for the convenience of callers that say whether the session goes on.
        """
        self._end()
        self._out.control.append(_pack(GO_AWAY, 0, 0, GoAwayCode.PROTOCOL_ERROR))
        events.append(Failed(RemoteProtocolError(GoAwayCode.PROTOCOL_ERROR, reason)))
        return False

    def _end(self) -> None:
        """
        Let every stream and everything queued go. ``streams`` keeps those that were alive, for who must be
        told; a stream that was closed stays closed.
        """
        self.closed = True
        for stream in self._streams.values():
            stream.state = _RESET
            stream.unconsumed = 0
            stream.queue.clear()
            stream.queued = 0
        self._unread.clear()
        self.buffered = 0
        self._rest = b""
        self._left = 0
        self._into = None
        self._out.clear()
