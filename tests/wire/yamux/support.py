"""
What the yamux tests share: frames by hand, events as plain values, two sessions joined.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator

from pico.wire.yamux.events import (
    DataReceived,
    Event,
    Failed,
    FinishSent,
    GoAwayReceived,
    PongReceived,
    QueueDrained,
    SentEvent,
    SessionClosed,
    StreamFinished,
    StreamOpened,
    StreamReset,
)
from pico.wire.yamux.frames import ACK, DATA, FIN, GO_AWAY, HEADER, PING, RST, SYN, WINDOW
from pico.wire.yamux.limits import Limits
from pico.wire.yamux.session import Role, Session
from pico.wire.yamux.stream import Stream

W = 262_144

#: An event as a value: its kind, the stream's id (0 for the session), and what else it says.
Plain = tuple[str, int, object]


def window(stream_id: int, increment: int = 0, flags: int = 0) -> bytes:
    """
    A WINDOW frame.
    """
    return HEADER.pack(WINDOW, flags, stream_id, increment)


def data(stream_id: int, payload: bytes, flags: int = 0) -> bytes:
    """
    A DATA frame.
    """
    return HEADER.pack(DATA, flags, stream_id, len(payload)) + payload


def syn(stream_id: int) -> bytes:
    """
    What opens a stream.
    """
    return window(stream_id, 0, SYN)


def ack(stream_id: int) -> bytes:
    """
    What accepts one.
    """
    return window(stream_id, 0, ACK)


def fin(stream_id: int) -> bytes:
    """
    What ends one direction.
    """
    return window(stream_id, 0, FIN)


def rst(stream_id: int) -> bytes:
    """
    What cuts a stream off.
    """
    return window(stream_id, 0, RST)


def ping(value: int) -> bytes:
    """
    A request for a pong.
    """
    return HEADER.pack(PING, SYN, 0, value)


def pong(value: int) -> bytes:
    """
    Its answer.
    """
    return HEADER.pack(PING, ACK, 0, value)


def go_away(code: int = 0) -> bytes:
    """
    The end of new streams, or of the session.
    """
    return HEADER.pack(GO_AWAY, 0, 0, code)


def frames(data: bytes) -> list[tuple[int, int, int, int | bytes]]:
    """
    Read whole frames as (type, flags, stream id, length or payload).
    """
    found: list[tuple[int, int, int, int | bytes]] = []
    pos = 0
    while pos < len(data):
        kind, flags, stream_id, length = HEADER.unpack_from(data, pos)
        pos += HEADER.size
        if kind == DATA:
            found.append((kind, flags, stream_id, data[pos : pos + length]))
            pos += length
        else:
            found.append((kind, flags, stream_id, length))
    if pos != len(data):
        raise AssertionError("bytes behind the last whole frame")
    return found


def plain(events: Iterable[Event | SentEvent]) -> list[Plain]:
    """
    Turn events into values, data of one stream that follows itself joined.
    """
    out: list[Plain] = []
    for event in events:
        if isinstance(event, DataReceived):
            if out and out[-1][:2] == ("data", event.stream.id):
                out[-1] = ("data", event.stream.id, out[-1][2] + event.data)  # type: ignore[operator]
            else:
                out.append(("data", event.stream.id, event.data))
        elif isinstance(event, StreamOpened):
            out.append(("opened", event.stream.id, None))
        elif isinstance(event, StreamFinished):
            out.append(("finished", event.stream.id, None))
        elif isinstance(event, StreamReset):
            out.append(("reset", event.stream.id, event.cause.name))
        elif isinstance(event, PongReceived):
            out.append(("pong", 0, event.rtt))
        elif isinstance(event, GoAwayReceived):
            out.append(("go away", 0, event.code))
        elif isinstance(event, SessionClosed):
            out.append(("closed", 0, None))
        elif isinstance(event, Failed):
            out.append(("failed", 0, (event.error.code, event.error.reason)))
        elif isinstance(event, FinishSent):
            out.append(("fin sent", event.stream.id, None))
        elif isinstance(event, QueueDrained):
            out.append(("drained", event.stream.id, None))
    return out


def drain(session: Session, limit: int = W) -> bytes:
    """
    Everything that a session has to send.
    """
    out = b""
    while True:
        more = session.data_to_send(limit)
        if not more:
            return out
        out += more


def pieces(data: bytes, cuts: Iterable[int]) -> Iterator[bytes]:
    """
    Cut bytes at the given places.
    """
    last = 0
    for cut in sorted({cut for cut in cuts if 0 < cut < len(data)}):
        yield data[last:cut]
        last = cut
    if last < len(data):
        yield data[last:]


def ways_to_cut(data: bytes) -> Iterator[list[bytes]]:
    """
    Bytes whole, one by one, and in two at every place.
    """
    yield [data]
    yield [data[i : i + 1] for i in range(len(data))]
    for cut in range(1, len(data)):
        yield [data[:cut], data[cut:]]


class End:
    """
    One session of a pair with what its user sent and got.
    """

    def __init__(self, role: Role, limits: Limits) -> None:
        self.session = Session(role, limits)
        self.received: dict[int, bytearray] = {}
        self.sent: dict[int, bytearray] = {}
        self.streams: dict[int, Stream] = {}
        self.finished: set[int] = set()
        self.finishing: set[int] = set()
        self.reset: dict[int, str] = {}
        self.failed: str | None = None
        self.flying = b""
        self.log: list[Plain] = []

    def open(self) -> Stream:
        """
        Open a stream.
        """
        stream = self.session.open()
        self._remember(stream)
        return stream

    def send(self, stream: Stream, payload: bytes) -> None:
        """
        Send, and remember what.
        """
        self.session.send(stream, payload)
        self.sent[stream.id] += payload

    def finish(self, stream: Stream) -> None:
        """
        End our side.
        """
        self.session.finish(stream)
        self.finishing.add(stream.id)

    def take(self, events: Iterable[Event]) -> None:
        """
        Do the books on events.
        """
        for event in events:
            self.log += plain([event])
            if isinstance(event, StreamOpened):
                self._remember(event.stream)
            elif isinstance(event, DataReceived):
                if event.stream.id in self.finished or event.stream.id in self.reset:
                    raise AssertionError("data behind the end of a stream")
                self.received[event.stream.id] += event.data
            elif isinstance(event, StreamFinished):
                if event.stream.id in self.finished:
                    raise AssertionError("a stream ended twice")
                self.finished.add(event.stream.id)
            elif isinstance(event, StreamReset):
                self.reset[event.stream.id] = event.cause.name
            elif isinstance(event, Failed):
                self.failed = event.error.reason

    def _remember(self, stream: Stream) -> None:
        self.streams[stream.id] = stream
        self.received[stream.id] = bytearray()
        self.sent[stream.id] = bytearray()


class Pair:
    """
    Two sessions joined by wires that hold bytes until they are carried.
    """

    def __init__(
        self,
        client: Limits | None = None,
        server: Limits | None = None,
        *,
        seed: int = 0,
        size_of_pieces: Callable[[random.Random], int] | None = None,
    ) -> None:
        self.client = End(Role.CLIENT, client or Limits())
        self.server = End(Role.SERVER, server or Limits())
        self.now = 0.0
        self._random = random.Random(seed)
        self._size = size_of_pieces

    def flush(self, end: End, limit: int = W) -> bool:
        """
        Put one batch of ``end``'s frames on its wire.
        """
        data = end.session.data_to_send(limit)
        end.flying += data
        end.session.take_sent()
        return bool(data)

    def carry(self, end: End, size: int | None = None) -> None:
        """
        Carry bytes from ``end``'s wire to the other end, cut as the pair was told.
        """
        other = self.server if end is self.client else self.client
        data = end.flying if size is None else end.flying[:size]
        end.flying = end.flying[len(data) :]
        while data:
            step = self._size(self._random) if self._size is not None else len(data)
            other.take(other.session.receive_data(data[:step], self.now))
            data = data[step:]

    def settle(self) -> None:
        """
        Flush and carry until both sides have nothing to say.
        """
        while True:
            busy = False
            for end in (self.client, self.server):
                while self.flush(end):
                    busy = True
                self.carry(end)
            if not busy:
                return

    def consume_all(self, end: End) -> int:
        """
        Consume everything that an end holds.
        """
        total = 0
        for stream in list(end.streams.values()):
            size = stream.unconsumed
            if size:
                end.session.consumed(stream, size, self.now)
                total += size
        return total
