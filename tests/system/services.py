"""
Services to stand behind an agent.

:class:`HTTPService` is a small HTTP/1.1 server on asyncio with a route for everything a test wants to see. It runs in
a thread of the test, which can then look inside and say when things happen, or as a program of its own
(``python -m tests.system.services PORT``), which can be killed. :class:`RecordingService` keeps the raw bytes it gets.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import re
import socket
import sys
import threading
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from typing import TypeVar
from urllib.parse import parse_qsl, urlsplit

import attrs
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from tests.system.pattern import Pace, pattern
from tests.system.processes import DEADLINE

T = TypeVar("T")

PIECE = 65_536

_REASONS = {200: "OK", 204: "No Content", 304: "Not Modified", 417: "Expectation Failed"}


class ClientLeft(Exception):
    """
    The connection ended where more was to come.
    """


@attrs.define
class Upload:
    """
    What a service knows of a request body while it comes.
    """

    received: int = 0
    complete: bool = False
    aborted: bool = False
    digest: str = ""


@attrs.define
class Request:
    """
    A request whose head was read.
    """

    method: str
    target: str
    version: str
    headers: list[tuple[str, str]]
    _reader: asyncio.StreamReader
    trailers: list[tuple[str, str]] = attrs.Factory(list)
    body_read: bool = False

    @property
    def path(self) -> str:
        return urlsplit(self.target).path

    @property
    def query(self) -> dict[str, str]:
        return dict(parse_qsl(urlsplit(self.target).query))

    def header(self, name: str) -> str:
        """
        All values of a header, joined.
        """
        return ", ".join(value for key, value in self.headers if key == name)

    async def pieces(self) -> AsyncIterator[bytes]:
        """
        The body as it comes.

        :raises ClientLeft: when it does not come to its end.
        """
        try:
            if self.header("transfer-encoding"):
                async for piece in self._chunks():
                    yield piece
            else:
                left = int(self.header("content-length") or 0)
                while left:
                    piece = await self._reader.read(min(left, PIECE))
                    if not piece:
                        raise ClientLeft
                    left -= len(piece)
                    yield piece
        except (asyncio.IncompleteReadError, ConnectionError) as error:
            raise ClientLeft from error
        self.body_read = True

    async def body(self) -> bytes:
        """
        The whole body.
        """
        return b"".join([piece async for piece in self.pieces()])

    async def _chunks(self) -> AsyncIterator[bytes]:
        while True:
            line = await self._reader.readuntil(b"\r\n")
            left = int(line, 16)
            if not left:
                break
            while left:
                piece = await self._reader.read(min(left, PIECE))
                if not piece:
                    raise ClientLeft
                left -= len(piece)
                yield piece
            if await self._reader.readexactly(2) != b"\r\n":
                raise ClientLeft
        self.trailers = await read_fields(self._reader)


async def read_fields(reader: asyncio.StreamReader) -> list[tuple[str, str]]:
    """
    Header lines up to the empty one; names in lower case.
    """
    fields: list[tuple[str, str]] = []
    while True:
        line = (await reader.readuntil(b"\r\n"))[:-2].decode("latin-1")
        if not line:
            return fields
        name, _, value = line.partition(":")
        fields.append((name.lower(), value.strip()))


class _LoopThread:
    """
    An asyncio loop in a thread, and the server that lives there.

    :ivar port: where it listens.
    """

    def __init__(self, port: int = 0, send_buffer: int = 0) -> None:
        """
        :param port: where to listen; 0 for any free one.
        :param send_buffer: of the system, a connection; 0 for the usual one, which grows to megabytes.
        """
        self._wanted = port
        self._send_buffer = send_buffer
        self.port = 0
        self._loop = asyncio.new_event_loop()
        self._started = threading.Event()
        self._trouble: BaseException | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        """
        Listen.
        """
        self._thread.start()
        self._started.wait(DEADLINE)
        if self._trouble is not None:
            raise self._trouble

    def call(self, coroutine: Coroutine[object, object, T]) -> T:
        """
        Run something in the loop and wait for it.
        """
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(DEADLINE)

    def close(self) -> None:
        """
        Stop, and drop every connection.
        """
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(DEADLINE)

    async def listen(self, sock: socket.socket) -> None:
        raise NotImplementedError

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            # The protocol is named because asyncio turns Nagle off only where it is.
            sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if self._send_buffer:
                # Connections inherit it.
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, self._send_buffer)
            sock.bind(("127.0.0.1", self._wanted))
            sock.listen(2048)
            self.port = sock.getsockname()[1]
            self._loop.run_until_complete(self.listen(sock))
        except BaseException as error:
            self._trouble = error
            return
        finally:
            self._started.set()
        self._loop.run_forever()
        tasks = asyncio.all_tasks(self._loop)
        for task in tasks:
            task.cancel()
        self._loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
        self._loop.run_until_complete(self._loop.shutdown_asyncgens())
        sock.close()
        self._loop.close()


class HTTPService(_LoopThread):
    """
    A service with a route for everything.

    =============== =======================================================================================
    /echo           the request's body, whole
    /describe       JSON of what was received
    /bytes?n=       a pattern; ``framing`` is length, chunked or close
    /gate/NAME      waits for :meth:`open_gate`; the body of a request is read first
    /sse/NAME       an event stream of what :meth:`push` says, in chunks or with ``framing=close``
    /sink?id=       reads a body; ``rate`` bytes a second, stopping ``stop`` seconds after ``stop_at`` bytes
    /early          answers every piece of the body when it comes, before the next one
    /refuse         answers 413 without reading the body, and closes
    /die            ``n`` bytes of a longer body, then the end: ``framing``, ``how`` = close or reset
    /silent         reads and never answers
    /hang-up        reads and closes without an answer
    /raw?bytes=     answers with these bytes (latin-1) and closes
    /trailers       a chunked body with trailers, and those of the request
    /continue       sends 100 when :meth:`open_gate` says so, then echoes; ``refuse`` answers 417 at once
    /hints          103 before 200
    /status/N       that status, without a body
    /upgrade        switches to a protocol that echoes in capitals; the end of one side is answered by ``bye``
    anything else   200, ``NAME: METHOD TARGET``
    =============== =======================================================================================

    :ivar name: sent with every response as ``x-service``.
    :ivar counts: requests by path.
    :ivar uploads: bodies by the id in the query of /sink.
    :ivar open: connections that are open.
    """

    def __init__(self, name: str = "service", port: int = 0, send_buffer: int = 0) -> None:
        super().__init__(port, send_buffer)
        self.name = name
        self.counts: Counter[str] = Counter()
        self.uploads: dict[str, Upload] = defaultdict(Upload)
        self.open = 0
        self.accepted = 0
        self.waiting: Counter[str] = Counter()
        self._gates: dict[str, asyncio.Event] = defaultdict(asyncio.Event)
        self._events: dict[str, asyncio.Queue[str]] = defaultdict(asyncio.Queue)
        self._routes: dict[str, Callable[[Request, asyncio.StreamWriter], Awaitable[None]]] = {
            "echo": self._echo,
            "describe": self._describe,
            "bytes": self._bytes,
            "gate": self._gate,
            "sse": self._sse,
            "sink": self._sink,
            "early": self._early,
            "refuse": self._refuse,
            "die": self._die,
            "silent": self._silent,
            "hang-up": self._hang_up,
            "raw": self._raw,
            "trailers": self._trailers,
            "continue": self._continue,
            "hints": self._hints,
            "status": self._status,
            "upgrade": self._upgrade,
        }

    # What a test says

    def open_gate(self, name: str) -> None:
        """
        Let those go on who wait at a gate, and who will come to it.
        """
        self._loop.call_soon_threadsafe(lambda: self._gates[name].set())

    def push(self, name: str, event: str) -> None:
        """
        Send an event to the one reader of /sse/NAME; an empty one ends the stream.
        """
        self._loop.call_soon_threadsafe(lambda: self._events[name].put_nowait(event))

    # Inside

    async def listen(self, sock: socket.socket) -> None:
        await asyncio.start_server(self._serve, sock=sock, limit=PIECE, backlog=2048)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.open += 1
        self.accepted += 1
        try:
            while await self._serve_one(reader, writer):
                pass
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError, ClientLeft):
            # Cancelled is what connections are that are there when the service is closed.
            pass
        finally:
            self.open -= 1
            writer.close()

    async def _serve_one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        line = (await reader.readuntil(b"\r\n")).decode("latin-1").rstrip("\r\n")
        method, target, version = line.split(" ")
        request = Request(method, target, version, await read_fields(reader), reader)
        self.counts[request.path] += 1
        route = self._routes.get(request.path.split("/")[1], self._anything)
        await route(request, writer)
        await writer.drain()
        if writer.is_closing():
            return False
        if not request.body_read:
            async for _ in request.pieces():
                pass
        return request.header("connection").lower() != "close"

    def _head(
        self, writer: asyncio.StreamWriter, status: int, *fields: str, length: int | None = None, body: bytes = b""
    ) -> None:
        lines = [f"HTTP/1.1 {status} {_REASONS.get(status, 'Status')}", f"x-service: {self.name}", *fields]
        if length is not None:
            lines.append(f"Content-Length: {length}")
        # In one piece: between a head and its body a killed agent would leave a client with half an answer.
        writer.write("\r\n".join([*lines, "", ""]).encode("latin-1") + body)

    def _answer(self, writer: asyncio.StreamWriter, body: bytes, *fields: str, head: bool = False) -> None:
        self._head(writer, 200, *fields, length=len(body), body=b"" if head else body)

    async def _anything(self, request: Request, writer: asyncio.StreamWriter) -> None:
        await request.body()
        text = f"{self.name}: {request.method} {request.target}\n"
        self._answer(writer, text.encode("latin-1"), "Content-Type: text/plain", head=request.method == "HEAD")

    async def _echo(self, request: Request, writer: asyncio.StreamWriter) -> None:
        self._answer(writer, await request.body())

    async def _describe(self, request: Request, writer: asyncio.StreamWriter) -> None:
        body = await request.body()
        seen = {
            "method": request.method,
            "target": request.target,
            "version": request.version,
            "headers": request.headers,
            "trailers": request.trailers,
            "size": len(body),
            "digest": hashlib.sha256(body).hexdigest(),
        }
        self._answer(writer, json.dumps(seen).encode(), "Content-Type: application/json")

    async def _bytes(self, request: Request, writer: asyncio.StreamWriter) -> None:
        await request.body()
        size = int(request.query["n"])
        chunked = self._framed_head(writer, request.query.get("framing", "length"), size)
        if request.method == "HEAD":
            return
        for offset in range(0, size, PIECE):
            self._piece(writer, pattern(offset, min(PIECE, size - offset)), chunked)
            await writer.drain()
        if chunked:
            writer.write(b"0\r\n\r\n")
        if request.query.get("framing") == "close":
            await writer.drain()
            writer.close()

    def _framed_head(self, writer: asyncio.StreamWriter, framing: str, size: int) -> bool:
        if framing == "length":
            self._head(writer, 200, length=size)
        elif framing == "chunked":
            self._head(writer, 200, "Transfer-Encoding: chunked")
        else:
            self._head(writer, 200, "Connection: close")
        return framing == "chunked"

    def _piece(self, writer: asyncio.StreamWriter, data: bytes, chunked: bool) -> None:
        writer.write(b"%x\r\n%b\r\n" % (len(data), data) if chunked else data)

    async def _gate(self, request: Request, writer: asyncio.StreamWriter) -> None:
        body = await request.body()
        self.waiting[request.path] += 1
        await self._gates[request.path.removeprefix("/gate/")].wait()
        self._answer(writer, body or b"opened")

    async def _sse(self, request: Request, writer: asyncio.StreamWriter) -> None:
        chunked = request.query.get("framing") != "close"
        framing = "Transfer-Encoding: chunked" if chunked else "Connection: close"
        self._head(writer, 200, "Content-Type: text/event-stream", "Cache-Control: no-cache", framing)
        name = request.path.removeprefix("/sse/")
        self.waiting[request.path] += 1
        while event := await self._events[name].get():
            self._piece(writer, f"data: {event}\n\n".encode(), chunked)
            await writer.drain()
        if chunked:
            writer.write(b"0\r\n\r\n")
        else:
            writer.close()

    async def _sink(self, request: Request, writer: asyncio.StreamWriter) -> None:
        query = request.query
        upload = self.uploads[query["id"]]
        rate = int(query.get("rate", 0))
        stop, stop_at = float(query.get("stop", 0)), int(query.get("stop_at", 0))
        digest = hashlib.sha256()
        pace = Pace(rate)
        try:
            async for piece in request.pieces():
                digest.update(piece)
                upload.received += len(piece)
                ahead = pace.ahead(len(piece))
                if ahead:
                    await asyncio.sleep(ahead)
                if stop and upload.received >= stop_at:
                    await asyncio.sleep(stop)
                    stop = 0
        except ClientLeft:
            upload.aborted = True
            raise
        upload.digest = digest.hexdigest()
        upload.complete = True
        self._answer(writer, json.dumps({"size": upload.received, "digest": upload.digest}).encode())

    async def _early(self, request: Request, writer: asyncio.StreamWriter) -> None:
        self._head(writer, 200, "Transfer-Encoding: chunked", "Content-Type: text/plain")
        total = 0
        async for piece in request.pieces():
            total += len(piece)
            self._piece(writer, f"{total}\n".encode(), True)
            await writer.drain()
        self._piece(writer, b"done\n", True)
        writer.write(b"0\r\n\r\n")

    async def _refuse(self, request: Request, writer: asyncio.StreamWriter) -> None:
        self._head(writer, 413, "Connection: close", length=8)
        writer.write(b"too much")
        await writer.drain()
        writer.close()

    async def _die(self, request: Request, writer: asyncio.StreamWriter) -> None:
        await request.body()
        query = request.query
        size = int(query.get("n", 1000))
        chunked = self._framed_head(writer, query.get("framing", "length"), size + 100)
        for offset in range(0, size, PIECE):
            self._piece(writer, pattern(offset, min(PIECE, size - offset)), chunked)
            await writer.drain()
        if "gate" in query:
            self.waiting[request.path] += 1
            await self._gates[query["gate"]].wait()
        if query.get("how") == "reset":
            reset(writer)
        else:
            writer.close()

    async def _silent(self, request: Request, writer: asyncio.StreamWriter) -> None:
        await request.body()
        self.waiting[request.path] += 1
        # Not for ever: until the other side gives up.
        await request._reader.read(1)
        writer.close()

    async def _hang_up(self, request: Request, writer: asyncio.StreamWriter) -> None:
        await request.body()
        writer.close()

    async def _raw(self, request: Request, writer: asyncio.StreamWriter) -> None:
        await request.body()
        writer.write(request.query["bytes"].encode("latin-1"))
        await writer.drain()
        writer.close()

    async def _trailers(self, request: Request, writer: asyncio.StreamWriter) -> None:
        body = await request.body()
        self._head(writer, 200, "Transfer-Encoding: chunked", "Trailer: x-digest, x-got")
        if request.method == "HEAD":
            return
        self._piece(writer, b"with trailers" + body, True)
        got = ";".join(f"{name}={value}" for name, value in request.trailers)
        writer.write(b"0\r\n" + f"x-digest: abc\r\nx-got: {got}\r\n\r\n".encode())

    async def _continue(self, request: Request, writer: asyncio.StreamWriter) -> None:
        if "refuse" in request.query:
            self._head(writer, 417, "Connection: close", length=7)
            writer.write(b"refused")
            await writer.drain()
            writer.close()
            return
        self.waiting[request.path] += 1
        await self._gates[request.query["gate"]].wait()
        writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        self._answer(writer, await request.body(), f"x-expect: {request.header('expect')}")

    async def _hints(self, request: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=preload\r\n\r\n")
        self._answer(writer, b"with hints")

    async def _status(self, request: Request, writer: asyncio.StreamWriter) -> None:
        await request.body()
        status = int(request.path.removeprefix("/status/"))
        if status == 304:
            self._head(writer, status, 'ETag: "x"', length=1234)
        elif status == 204:
            self._head(writer, status)
        else:
            self._head(writer, status, length=0)

    async def _upgrade(self, request: Request, writer: asyncio.StreamWriter) -> None:
        protocol = request.header("upgrade")
        self._head(writer, 101, "Connection: Upgrade", f"Upgrade: {protocol}")
        reader = request._reader
        writer.write(b"HELLO\n")
        while data := await reader.read(PIECE):
            writer.write(data.upper())
            await writer.drain()
        writer.write(b"bye\n")
        await writer.drain()
        writer.close()


def reset(writer: asyncio.StreamWriter) -> None:
    """
    Drop a connection so that the peer sees it reset.
    """
    sock = writer.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
    writer.transport.abort()


class WebSocketEcho(_LoopThread):
    """
    The ``websockets`` library's server, which sends back what it gets.

    :ivar closes: close codes that it saw.
    """

    def __init__(self) -> None:
        super().__init__()
        self.closes: list[int | None] = []

    async def listen(self, sock: socket.socket) -> None:
        await serve(self._echo, sock=sock, max_size=None, compression=None)

    async def _echo(self, connection: ServerConnection) -> None:
        try:
            async for message in connection:
                await connection.send(message)
        except ConnectionClosed:
            pass
        self.closes.append(connection.close_code)


@attrs.define
class Recorded:
    """
    One connection and all bytes that came on it.
    """

    data: bytearray = attrs.Factory(bytearray)
    ended: bool = False


class RecordingService(_LoopThread):
    """
    Keep what comes, byte by byte, and answer what looks like a request.

    Its idea of a request is as generous as can be, so that it would answer what is smuggled: it looks for the empty
    line, takes Content-Length or chunks where it finds them, and the rest as the next request. The response is
    ``recorded: `` and the request line.

    :ivar connections: in the order in which they came.
    """

    def __init__(self) -> None:
        super().__init__()
        self.connections: list[Recorded] = []

    @property
    def bytes_received(self) -> int:
        """
        Of all connections.
        """
        return sum(len(connection.data) for connection in list(self.connections))

    async def listen(self, sock: socket.socket) -> None:
        await asyncio.start_server(self._serve, sock=sock, backlog=512)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        recorded = Recorded()
        self.connections.append(recorded)
        position = 0
        try:
            while data := await reader.read(PIECE):
                recorded.data += data
                while (end := _end_of_request(recorded.data, position)) is not None:
                    line = bytes(recorded.data[position:end]).split(b"\n", 1)[0].strip()
                    position = end
                    body = b"recorded: " + line
                    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))
                await writer.drain()
        except ConnectionError:
            pass
        finally:
            recorded.ended = True
            writer.close()


def _end_of_request(data: bytearray, start: int) -> int | None:
    """
    Where the request that begins at ``start`` ends; ``None`` if that is not there yet.
    """
    found = re.compile(rb"\r?\n\r?\n").search(data, start)
    if found is None:
        return None
    head = bytes(data[start : found.start()]).lower()
    end = found.end()
    if re.search(rb"\ntransfer-encoding[ \t]*:", head):
        last = re.compile(rb"(?:^|\n)0+[ \t]*(?:;[^\n]*)?\r?\n(?:[^\n]+\n)*?\r?\n").search(data, end - 1)
        return last.end() if last is not None else None
    length = re.search(rb"\ncontent-length[ \t]*:[ \t]*(\d+)", head)
    if length is not None:
        end += int(length.group(1))
    return end if end <= len(data) else None


def main() -> None:
    """
    Serve on the port named on the command line until killed.
    """
    name, port = sys.argv[1], int(sys.argv[2])
    service = HTTPService(name, port)
    service.start()
    print(f"listening on {service.port}", flush=True)
    threading.Event().wait()


if __name__ == "__main__":
    main()
