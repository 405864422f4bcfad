"""
A service that takes little time: started as ``python -m tests.system.lean_service NAME PORT WEBSOCKET_PORT``.

=============== ============================================================================
POST /echo      the request's body, whole
/ticks?n=&every= an event stream of the numbers below ``n``, one every so many milliseconds
anything else   200, ``METHOD TARGET``
=============== ============================================================================

The other port echoes the messages of WebSockets.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
from typing import cast
from urllib.parse import parse_qsl, urlsplit

from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class Connection(asyncio.Protocol):
    """
    One connection. It reads what the agent sends: heads with a Content-Length, or chunks.
    """

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._tasks: set[asyncio.Task[None]] = set()
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """
        Remember it.
        """
        self._transport = cast(asyncio.Transport, transport)

    def connection_lost(self, exc: Exception | None) -> None:
        """
        Nobody reads streams any more.
        """
        for task in self._tasks:
            task.cancel()

    def data_received(self, data: bytes) -> None:
        """
        Answer each request that is whole.
        """
        self._buffer += data
        while True:
            end = self._buffer.find(b"\r\n\r\n")
            if end < 0:
                return
            head = self._buffer[:end].decode("latin-1")
            lower = head.lower()
            if "transfer-encoding:" in lower:
                whole = _chunked(self._buffer, end + 4)
                if whole is None:
                    return
                body, after = whole
            else:
                at = lower.find("content-length:")
                size = int(lower[at + 15 :].split("\r\n", 1)[0]) if at >= 0 else 0
                after = end + 4 + size
                if len(self._buffer) < after:
                    return
                body = bytes(self._buffer[end + 4 : after])
            del self._buffer[:after]
            self._answer(head, body)

    def _answer(self, head: str, body: bytes) -> None:
        method, target, _ = head.split("\r\n", 1)[0].split(" ")
        if target.startswith("/ticks"):
            query = dict(parse_qsl(urlsplit(target).query))
            task = asyncio.create_task(self._tick(int(query["n"]), int(query["every"]) / 1000))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
            return
        content = body if method == "POST" else f"{method} {target}\n".encode()
        self._transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(content), content))

    async def _tick(self, count: int, every: float) -> None:
        self._transport.write(
            b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
        )
        for number in range(count):
            event = b"data: %d\n\n" % number
            self._transport.write(b"%x\r\n%b\r\n" % (len(event), event))
            await asyncio.sleep(every)
        self._transport.write(b"0\r\n\r\n")


def _chunked(buffer: bytearray, start: int) -> tuple[bytes, int] | None:
    """
    The body that begins there, and where it ends; nothing while it is not whole.
    """
    pieces: list[bytes] = []
    while True:
        end = buffer.find(b"\r\n", start)
        if end < 0:
            return None
        size = int(buffer[start:end].split(b";")[0], 16)
        if len(buffer) < end + 2 + size + 2:
            return None
        if not size:
            return b"".join(pieces), end + 4
        pieces.append(bytes(buffer[end + 2 : end + 2 + size]))
        start = end + 2 + size + 2


async def _echo(connection: ServerConnection) -> None:
    with contextlib.suppress(ConnectionClosed):
        async for message in connection:
            await connection.send(message)


async def run(name: str, port: int, websocket_port: int) -> None:
    """
    Serve until the process is ended.
    """
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Connection, "127.0.0.1", port, backlog=2048)
    async with server, serve(_echo, "127.0.0.1", websocket_port, compression=None, ping_interval=None):
        print(f"{name} listening on {port} and {websocket_port}", flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(run(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))
