"""
An HTTP/1.1 client that looks at every byte and forgives nothing.

It shares no code with Pico. A response that is cut short raises :class:`Broken`; one that is no HTTP/1.1 raises
:class:`Malformed`. One reader, a generator that yields when it wants more bytes, serves the blocking client and the
asyncio client alike.
"""

from __future__ import annotations

import asyncio
import json
import re
import socket
import time
from collections.abc import Callable, Generator, Iterable

import attrs

from tests.system.pattern import Pace
from tests.system.processes import DEADLINE

Headers = Iterable[tuple[str, str]]

_STATUS = re.compile(rb"HTTP/1\.([01]) ([1-9]\d\d)(?: ([^\x00-\x08\x0a-\x1f\x7f]*))?")
_FIELD = re.compile(rb"([!#$%&'*+\-.^_`|~0-9A-Za-z]+):[ \t]*([^\x00-\x08\x0a-\x1f\x7f]*?)[ \t]*")
_CHUNK = re.compile(rb"([0-9A-Fa-f]+)(?:;.*)?")


class Broken(Exception):
    """
    The connection ended inside a response.
    """


class NoResponse(Broken):
    """
    The connection ended before a response began.
    """


class Malformed(Exception):
    """
    What came is not a response.
    """


@attrs.define
class Response:
    """
    A whole response.

    :ivar headers: names in lower case, in order.
    :ivar interim: status and headers of each 1xx that came before.
    :ivar size: bytes of the body, kept or not.
    :ivar framing: ``length``, ``chunked``, ``close`` or ``none``.
    """

    status: int
    reason: str
    version: str
    headers: list[tuple[str, str]]
    framing: str = "none"
    body: bytes = b""
    size: int = 0
    trailers: list[tuple[str, str]] = attrs.Factory(list)
    interim: list[tuple[int, list[tuple[str, str]]]] = attrs.Factory(list)
    keep_alive: bool = True

    def values(self, name: str) -> list[str]:
        """
        All values of a header.
        """
        return [value for key, value in self.headers if key == name]

    def header(self, name: str) -> str:
        """
        The one value of a header; empty when there is none.
        """
        values = self.values(name)
        if len(values) > 1:
            raise Malformed(f"{name} {len(values)} times")
        return values[0] if values else ""

    def json(self) -> object:
        """
        The body, read as JSON.
        """
        return json.loads(self.body)


class Incoming:
    """
    Bytes that were received and not read yet.
    """

    def __init__(self) -> None:
        self.buffer = bytearray()
        self.ended = False

    def feed(self, data: bytes) -> None:
        """
        Add what was received; nothing stands for the end.
        """
        if data:
            self.buffer += data
        else:
            self.ended = True

    def take(self, size: int) -> bytes:
        """
        Take up to ``size`` bytes of what is there.
        """
        data = bytes(self.buffer[:size])
        del self.buffer[:size]
        return data


Reading = Generator[None, None, Response]


def read_response(
    incoming: Incoming,
    method: str,
    sink: Callable[[bytes], None] | None = None,
    on_head: Callable[[Response], None] | None = None,
) -> Reading:
    """
    Read one response, the interim ones before it included. Yields whenever there must be more bytes first.

    :param sink: gets the body instead of the response.
    :param on_head: is told of the final head as soon as it is there.
    """
    interim: list[tuple[int, list[tuple[str, str]]]] = []
    while True:
        response = yield from _read_head(incoming)
        if response.status >= 200 or response.status == 101:
            break
        interim.append((response.status, response.headers))
    response.interim = interim
    lengths = response.values("content-length")
    codings = response.values("transfer-encoding")
    if len(lengths) > 1 or len(codings) > 1 or (lengths and codings):
        raise Malformed(f"ambiguous length: {response.headers}")
    if lengths and not lengths[0].isdigit():
        raise Malformed(f"Content-Length: {lengths[0]}")
    options = [word.strip() for word in response.header("connection").lower().split(",")]
    response.keep_alive = "close" not in options and (response.version == "1.1" or "keep-alive" in options)
    bodiless = method == "HEAD" or response.status in (204, 304, 101)
    if bodiless:
        response.framing = "none"
        if codings and response.status in (204, 101):
            raise Malformed("Transfer-Encoding without a body")
    elif codings:
        if codings[0].lower() != "chunked" or response.version != "1.1":
            raise Malformed(f"Transfer-Encoding: {codings[0]} in HTTP/{response.version}")
        response.framing = "chunked"
    elif lengths:
        response.framing = "length"
    else:
        response.framing = "close"
        if response.keep_alive:
            raise Malformed(f"no length, and not closed either: {response.headers}")
    if on_head is not None:
        on_head(response)
    pieces: list[bytes] = []
    consume = pieces.append if sink is None else sink
    if response.framing == "length":
        yield from _read_exactly(incoming, int(lengths[0]), consume, response)
    elif response.framing == "chunked":
        yield from _read_chunks(incoming, consume, response)
    elif response.framing == "close":
        while True:
            if incoming.buffer:
                data = incoming.take(len(incoming.buffer))
                response.size += len(data)
                consume(data)
            if incoming.ended:
                break
            yield
    response.body = b"".join(pieces)
    return response


def _read_head(incoming: Incoming) -> Reading:
    if not incoming.buffer:
        while not incoming.buffer:
            if incoming.ended:
                raise NoResponse("closed before a response")
            yield
    line = yield from _read_line(incoming)
    match = _STATUS.fullmatch(line)
    if match is None:
        raise Malformed(f"status line {line!r}")
    headers = yield from _read_fields(incoming)
    minor, status, reason = match.groups()
    return Response(int(status), (reason or b"").decode("latin-1"), f"1.{minor.decode()}", headers)


def _read_line(incoming: Incoming) -> Generator[None, None, bytes]:
    start = 0
    while True:
        end = incoming.buffer.find(b"\n", start)
        if end >= 0:
            line = incoming.take(end + 1)
            if not line.endswith(b"\r\n") or b"\r" in line[:-2]:
                raise Malformed(f"line not ended by CRLF: {line!r}")
            return line[:-2]
        start = len(incoming.buffer)
        if start > 1 << 20:
            raise Malformed("line longer than 1 MiB")
        if incoming.ended:
            raise Broken(f"closed inside a line: {bytes(incoming.buffer[:100])!r}")
        yield


def _read_fields(incoming: Incoming) -> Generator[None, None, list[tuple[str, str]]]:
    fields: list[tuple[str, str]] = []
    while True:
        line = yield from _read_line(incoming)
        if not line:
            return fields
        match = _FIELD.fullmatch(line)
        if match is None:
            raise Malformed(f"header line {line!r}")
        fields.append((match.group(1).decode().lower(), match.group(2).decode("latin-1")))


def _read_exactly(
    incoming: Incoming, size: int, consume: Callable[[bytes], None], response: Response
) -> Generator[None, None, None]:
    left = size
    while left:
        if incoming.buffer:
            data = incoming.take(left)
            left -= len(data)
            response.size += len(data)
            consume(data)
        elif incoming.ended:
            raise Broken(f"{left} of {size} bytes missing")
        else:
            yield


def _read_chunks(
    incoming: Incoming, consume: Callable[[bytes], None], response: Response
) -> Generator[None, None, None]:
    while True:
        line = yield from _read_line(incoming)
        match = _CHUNK.fullmatch(line)
        if match is None:
            raise Malformed(f"chunk size {line!r}")
        size = int(match.group(1), 16)
        if not size:
            response.trailers = yield from _read_fields(incoming)
            return
        yield from _read_exactly(incoming, size, consume, response)
        line = yield from _read_line(incoming)
        if line:
            raise Malformed(f"{line!r} behind a chunk")


def request_bytes(
    method: str,
    target: str,
    *,
    endpoint: str | None = "e",
    host: str = "service.local",
    headers: Headers = (),
    body: bytes | None = None,
    chunked: bool = False,
    version: str = "1.1",
) -> bytes:
    """
    Write a request.

    :param endpoint: for the header that names it; ``None`` to leave that out.
    :param chunked: send the body in chunks, of 1,000 bytes.
    """
    lines = [f"{method} {target} HTTP/{version}", f"Host: {host}"]
    if endpoint is not None:
        lines.append(f"x-pico-endpoint: {endpoint}")
    lines += [f"{name}: {value}" for name, value in headers]
    content = b""
    if body is not None and chunked:
        lines.append("Transfer-Encoding: chunked")
        pieces = [body[start : start + 1000] for start in range(0, len(body), 1000)]
        content = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"
    elif body is not None:
        lines.append(f"Content-Length: {len(body)}")
        content = body
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + content


class Client:
    """
    One blocking connection.
    """

    def __init__(
        self, port: int, *, host: str = "127.0.0.1", timeout: float = DEADLINE, receive_buffer: int = 0
    ) -> None:
        """
        :param timeout: how long a single wait for bytes may take.
        :param receive_buffer: for the system's buffer; 0 for the usual size.
        """
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.socket = socket.socket(family)
        self.socket.settimeout(timeout)
        if receive_buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
            # Segments as on a real network: those of the loopback interface are larger than such a buffer, and would
            # go through it at the pace of the system's probe timer.
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, 1400)
        self.socket.connect((host, port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.incoming = Incoming()

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def close(self) -> None:
        """
        Close.
        """
        self.socket.close()

    def reset(self) -> None:
        """
        Close with a reset.
        """
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
        self.socket.close()

    def send(self, data: bytes) -> None:
        """
        Send all of it.
        """
        self.socket.sendall(data)

    def end(self) -> None:
        """
        Half-close.
        """
        self.socket.shutdown(socket.SHUT_WR)

    def receive(self, size: int = 262_144) -> bytes:
        """
        Take what is held or what comes next; nothing at the end of the connection.

        :raises Broken: when the connection was reset.
        """
        if not self.incoming.buffer:
            self._pull(size)
        return self.incoming.take(size)

    def receive_exactly(self, size: int) -> bytes:
        """
        Take ``size`` bytes.
        """
        self.wait_for_bytes(size)
        return self.incoming.take(size)

    def wait_for_bytes(self, size: int) -> None:
        """
        Wait until ``size`` bytes are here; they stay to be read.
        """
        while len(self.incoming.buffer) < size:
            self._pull()
            if self.incoming.ended:
                raise Broken(f"only {bytes(self.incoming.buffer)!r}")

    def receive_to_end(self) -> bytes:
        """
        Take everything up to the end of the connection.
        """
        while not self.incoming.ended:
            self._pull()
        return self.incoming.take(len(self.incoming.buffer))

    def response(
        self,
        method: str = "GET",
        sink: Callable[[bytes], None] | None = None,
        on_head: Callable[[Response], None] | None = None,
        *,
        bytes_per_second: float = 0,
    ) -> Response:
        """
        Read a response.

        :param bytes_per_second: how fast to read at most; 0 as fast as possible.
        """
        reading = read_response(self.incoming, method, sink, on_head)
        pace = Pace(bytes_per_second)
        try:
            while True:
                next(reading)
                ahead = pace.ahead(self._pull())
                if ahead:
                    time.sleep(ahead)
        except StopIteration as stop:
            response: Response = stop.value
            return response

    def get(self, target: str, **request: object) -> Response:
        """
        Ask and wait for the answer.
        """
        self.send(request_bytes("GET", target, **request))  # type: ignore[arg-type]
        return self.response()

    def is_closed(self, timeout: float = DEADLINE) -> bool:
        """
        Wait for the peer to close, gently or not; bytes that come before that are an error.
        """
        self.socket.settimeout(timeout)
        try:
            data = self.receive()
        except Broken:
            return True
        except TimeoutError:
            return False
        if data:
            raise Malformed(f"unexpected {data[:100]!r}")
        return True

    def _pull(self, size: int = 262_144) -> int:
        try:
            data = self.socket.recv(size)
        except (ConnectionResetError, BrokenPipeError) as error:
            raise Broken(f"reset with {len(self.incoming.buffer)} bytes unread: {error}") from error
        self.incoming.feed(data)
        return len(data)


class AsyncClient:
    """
    One connection of many in an asyncio loop.
    """

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self.incoming = Incoming()

    @classmethod
    async def connect(cls, port: int, host: str = "127.0.0.1") -> AsyncClient:
        """
        Dial.
        """
        return cls(*await asyncio.open_connection(host, port))

    def close(self) -> None:
        """
        Close.
        """
        self._writer.close()

    async def send(self, data: bytes) -> None:
        """
        Send all of it.
        """
        self._writer.write(data)
        await self._writer.drain()

    async def response(
        self,
        method: str = "GET",
        sink: Callable[[bytes], None] | None = None,
        on_head: Callable[[Response], None] | None = None,
    ) -> Response:
        """
        Read a response.
        """
        reading = read_response(self.incoming, method, sink, on_head)
        try:
            while True:
                next(reading)
                try:
                    self.incoming.feed(await self._reader.read(262_144))
                except ConnectionResetError as error:
                    raise Broken(f"reset: {error}") from error
        except StopIteration as stop:
            response: Response = stop.value
            return response

    async def exchange(self, method: str, target: str, **request: object) -> Response:
        """
        Ask and wait for the answer.
        """
        await self.send(request_bytes(method, target, **request))  # type: ignore[arg-type]
        return await self.response(method)


def fetch(port: int, target: str = "/", method: str = "GET", *, at: str = "127.0.0.1", **request: object) -> Response:
    """
    Ask once, on a connection of its own.
    """
    with Client(port, host=at) as client:
        client.send(request_bytes(method, target, **request))  # type: ignore[arg-type]
        return client.response(method)
