"""
One end of a tunnel, played from a recording of a Piko program.

The player sends the recorded bytes as they are, each when its moment has come: a response not before its request, data
not before the window is open for it. What the other side sends is taken apart by the ``websockets`` library and by the
few lines here, and checked against the rules of yamux.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import socket
import struct
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import attrs
from websockets.frames import Frame, Opcode
from websockets.protocol import Protocol, Side, State

from tests.system.http_client import Incoming, Response, read_response
from tests.system.processes import DEADLINE

CAPTURES = Path(__file__).parents[1] / "captures"

DATA, WINDOW, PING, GO_AWAY = range(4)
SYN, ACK, FIN, RST = 1, 2, 4, 8

INITIAL_WINDOW = 262_144

_HEADER = struct.Struct("!BBHII")


@attrs.frozen
class Header:
    """
    The twelve bytes before everything in yamux.
    """

    kind: int
    flags: int
    stream: int
    length: int


class YamuxReader:
    """
    Take a byte stream apart into headers and payloads, as they come.
    """

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._stream = 0
        self._left = 0

    def read(self, data: bytes) -> Iterator[Header | tuple[int, bytes]]:
        """
        Yields headers, and for payloads the stream's id and the bytes.
        """
        self._buffer += data
        while self._buffer:
            if self._left:
                piece = bytes(self._buffer[: self._left])
                del self._buffer[: len(piece)]
                self._left -= len(piece)
                yield self._stream, piece
                continue
            if len(self._buffer) < 12:
                return
            version, kind, flags, stream, length = _HEADER.unpack_from(self._buffer)
            if version != 0 or kind > GO_AWAY or flags > 15:
                raise AssertionError(f"not yamux: {bytes(self._buffer[:12]).hex()}")
            del self._buffer[:12]
            if kind == DATA:
                self._stream, self._left = stream, length
            yield Header(kind, flags, stream, length)


@attrs.define
class Stream:
    """
    What was received on a stream, and the windows.

    :ivar may_send: bytes that the other side still takes.
    :ivar may_come: bytes that it may still send.
    """

    received: bytearray = attrs.Factory(bytearray)
    opened: bool = False
    acked: bool = False
    finished: bool = False
    reset: bool = False
    may_send: int = INITIAL_WINDOW
    may_come: int = INITIAL_WINDOW


@attrs.frozen
class Chunk:
    """
    Bytes that came in one piece, and the headers that begin in them; ``None`` is the end of TCP.
    """

    data: bytes | None
    headers: list[Header]


@attrs.define
class Recording:
    """
    One connection of a recording.

    :ivar to_node: what the agent sent behind its upgrade request, which is in ``request``.
    :ivar to_agent: what the server sent behind its 101.
    :ivar requests: by stream: the bytes that went to the agent.
    :ivar responses: by stream: the bytes that came back.
    """

    request: bytes
    to_node: list[Chunk]
    to_agent: list[Chunk]
    requests: dict[int, bytes]
    responses: dict[int, bytes]


def load(name: str) -> Recording:
    """
    Read a recording that has one connection.
    """
    heads = {"a>n": b"", "n>a": b""}
    chunks: dict[str, list[Chunk]] = {"a>n": [], "n>a": []}
    content: dict[str, dict[int, bytes]] = {"a>n": {}, "n>a": {}}
    readers = {"a>n": YamuxReader(), "n>a": YamuxReader()}
    messages = {"a>n": _protocol(Side.SERVER), "n>a": _protocol(Side.CLIENT)}
    with gzip.open(CAPTURES / f"{name}.jsonl.gz", "rt") as lines:
        for entry in map(json.loads, lines):
            way = entry["dir"]
            if entry.get("eof"):
                chunks[way].append(Chunk(None, []))
                continue
            data = bytes.fromhex(entry["hex"])
            if not heads[way].endswith(b"\r\n\r\n"):
                head, end, data = data.partition(b"\r\n\r\n")
                heads[way] += head + end
            headers = []
            for item in readers[way].read(_payloads(messages[way], data)):
                if isinstance(item, Header):
                    headers.append(item)
                else:
                    content[way][item[0]] = content[way].get(item[0], b"") + item[1]
            if data:
                chunks[way].append(Chunk(data, headers))
    return Recording(heads["a>n"], chunks["a>n"], chunks["n>a"], content["n>a"], content["a>n"])


def _protocol(side: Side) -> Protocol:
    return Protocol(side, state=State.OPEN, max_size=None)


def _payloads(protocol: Protocol, data: bytes) -> bytes:
    """
    The payloads of the binary messages in ``data``.
    """
    if data:
        protocol.receive_data(data)
    if protocol.parser_exc is not None:
        raise AssertionError(f"not WebSocket: {protocol.parser_exc}")
    content = b""
    for event in protocol.events_received():
        assert isinstance(event, Frame)
        if event.opcode in (Opcode.BINARY, Opcode.CONT):
            content += event.data
        elif event.opcode is Opcode.TEXT:
            raise AssertionError("a text message")
    return content


def accept_key(request: bytes) -> bytes:
    """
    The Sec-WebSocket-Accept that answers an upgrade request (RFC 6455 section 4.2.2).
    """
    for line in request.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.strip().lower() == b"sec-websocket-key":
            digest = hashlib.sha1(value.strip() + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest()
            return base64.b64encode(digest)
    raise AssertionError(f"no key in {request!r}")


def http_response(data: bytes, method: str = "GET") -> Response:
    """
    Read a recorded response.
    """
    incoming = Incoming()
    incoming.feed(data)
    incoming.feed(b"")
    reading = read_response(incoming, method)
    try:
        while True:
            next(reading)
    except StopIteration as stop:
        response: Response = stop.value
        return response


class TunnelPeer:
    """
    Our end of a tunnel that stands.

    :ivar streams: by id.
    :ivar pongs: values of the answers to our pings.
    :ivar go_aways: codes.
    :ivar ended: whether the other side has ended the connection.
    """

    def __init__(self, sock: socket.socket, *, is_agent: bool, rest: bytes = b"") -> None:
        """
        :param rest: what was received behind the upgrade.
        """
        self._socket = sock
        self._is_agent = is_agent
        self._messages = _protocol(Side.CLIENT if is_agent else Side.SERVER)
        self._frames = YamuxReader()
        self.streams: dict[int, Stream] = {}
        self.pongs: list[int] = []
        self.go_aways: list[int] = []
        self.ended = False
        self._take(rest)

    def stream(self, number: int) -> Stream:
        """
        A stream, known or not.
        """
        return self.streams.setdefault(number, Stream())

    def wait_for(self, condition: Callable[[], object], what: str) -> None:
        """
        Receive until something is so.
        """
        end = time.monotonic() + DEADLINE
        while not condition():
            left = end - time.monotonic()
            if left <= 0:
                raise AssertionError(f"still waiting for {what}")
            if self.ended:
                raise AssertionError(f"the connection ended; waiting for {what}")
            self._socket.settimeout(left)
            try:
                data = self._socket.recv(262_144)
            except TimeoutError:
                continue
            except ConnectionResetError:
                data = b""
            if data:
                self._take(data)
            else:
                self.ended = True

    def play(
        self,
        chunks: list[Chunk],
        *,
        ready: Callable[[TunnelPeer, Header], bool],
        before: Callable[[int], None] = lambda stream: None,
    ) -> None:
        """
        Send recorded chunks.

        :param ready: whether the moment for a DATA frame or a FIN has come.
        :param before: told of each stream once, before its first frame.
        """
        known: set[int] = set()
        for chunk in chunks:
            for header in chunk.headers:
                if header.stream and header.stream not in known:
                    known.add(header.stream)
                    before(header.stream)
                self._wait_for_turn(header, ready)
            if chunk.data is None:
                self._socket.shutdown(socket.SHUT_WR)
            else:
                self._socket.settimeout(DEADLINE)
                self._socket.sendall(chunk.data)

    def _wait_for_turn(self, header: Header, ready: Callable[[TunnelPeer, Header], bool]) -> None:
        if not header.stream:
            return
        stream = self.stream(header.stream)
        if self._is_agent:
            self.wait_for(lambda: stream.opened, f"stream {header.stream} to be opened")
        if header.kind == DATA:
            self.wait_for(lambda: stream.may_send >= header.length, f"{header.length} bytes of window")
            stream.may_send -= header.length
        elif header.kind == WINDOW:
            stream.may_come += header.length
        if header.kind == DATA or header.flags & FIN:
            self.wait_for(lambda: ready(self, header), f"the turn of {header}")

    def _take(self, data: bytes) -> None:
        for item in self._frames.read(_payloads(self._messages, data)):
            if isinstance(item, Header):
                self._header(item)
            else:
                self.stream(item[0]).received += item[1]

    def _header(self, header: Header) -> None:
        if header.kind == PING:
            if header.flags & ACK:
                self.pongs.append(header.length)
            return
        if header.kind == GO_AWAY:
            self.go_aways.append(header.length)
            return
        stream = self.stream(header.stream)
        if header.flags & SYN:
            assert self._is_agent, "an agent opened a stream"
            assert header.stream % 2 == 0, f"the node opened stream {header.stream}"
            assert not stream.opened, f"stream {header.stream} opened twice"
            stream.opened = True
        if header.flags & ACK:
            stream.acked = True
        if header.kind == WINDOW:
            stream.may_send += header.length
        else:
            assert not stream.finished, f"data behind the FIN of stream {header.stream}"
            stream.may_come -= header.length
            assert stream.may_come >= 0, f"more data on stream {header.stream} than its window"
        if header.flags & FIN:
            assert not stream.finished, f"stream {header.stream} finished twice"
            stream.finished = True
        if header.flags & RST:
            stream.reset = True
