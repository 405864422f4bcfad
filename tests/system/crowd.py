"""
Many clients that never try anything twice, and compare every byte: short requests, event streams and WebSockets.

They are leaner than those of :mod:`tests.system.load`, so that one program can make a thousand requests a second, and
remember when a request that failed had begun.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from typing import cast

import attrs
from websockets.asyncio.client import connect
from websockets.exceptions import WebSocketException

#: Events of one stream and their distance; the messages of a WebSocket are as many.
TICKS = 30
EVERY = 0.15

#: Seconds for one answer; longer is a failure.
_PATIENCE = 60.0

#: Bodies of POSTs are cut out of this.
_RANDOM = os.urandom(40_000)


class Failed(Exception):
    """
    An answer that is not the right one.
    """


@attrs.frozen
class Failure:
    """
    A request that has failed.

    :ivar began: when it did, by :func:`time.monotonic`, and when it ...
    :ivar ended: ... was over.
    """

    what: str
    began: float
    ended: float


class _Connection(asyncio.Protocol):
    """
    One connection to the port for clients; one request at a time.

    :ivar closing: whether the last answer was the connection's last, or it has ended.
    """

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._answer: asyncio.Future[bytes] | None = None
        self._on_piece: Callable[[bytes], None] | None = None
        self._transport: asyncio.Transport
        self.closing = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self.closing = True
        self._fail(f"the connection ended: {exc!r}, {len(self._buffer)} bytes of an answer")

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            return
        head = self._buffer[:end].decode("latin-1").lower()
        at = head.find("\r\ncontent-length: ")
        if at >= 0:
            size = int(head[at + 18 :].split("\r\n", 1)[0])
            if len(self._buffer) < end + 4 + size:
                return
            body = bytes(self._buffer[end + 4 : end + 4 + size])
            rest = len(self._buffer) - (end + 4 + size)
        elif "transfer-encoding: chunked" in head:
            if not self._buffer.endswith(b"\r\n0\r\n\r\n"):
                return
            body, rest = _unchunked(bytes(self._buffer[end + 4 :])), 0
        else:
            self._fail(f"no length: {head[:200]!r}")
            return
        self._buffer.clear()
        self.closing = self.closing or "\r\nconnection: close" in head
        status = head[9:12]
        if status != "200" or rest:
            self._fail(f"status {status}, {rest} bytes too many: {body[:200]!r}")
        elif self._answer is not None and not self._answer.done():
            self._answer.set_result(body)

    async def ask(self, request: bytes) -> bytes:
        """
        Send a request, and return the body of the answer.

        :raises Failed: it is not one with status 200, or none came.
        """
        self._answer = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        return await self._answer

    def close(self) -> None:
        """
        Close it.
        """
        self.closing = True
        self._transport.close()

    def _fail(self, why: str) -> None:
        self.closing = True
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(Failed(why))


def _unchunked(data: bytes) -> bytes:
    pieces: list[bytes] = []
    while True:
        line, _, data = data.partition(b"\r\n")
        size = int(line, 16)
        if not size:
            return b"".join(pieces)
        pieces.append(data[:size])
        data = data[size + 2 :]


class Crowd:
    """
    Clients that go on until they are told to stop.

    :ivar counts: right answers, by kind: get, post, stream, websocket.
    :ivar failures: the others.
    """

    def __init__(
        self,
        port: int,
        *,
        clients: int = 32,
        streams: int = 8,
        websockets: int = 8,
        endpoints: Sequence[str] = ("e",),
        keep_alive: bool = True,
        bearable: int = 20,
    ) -> None:
        """
        :param endpoints: asked in turn, each of which has a second one with ``-ws`` at its end for WebSockets.
        :param keep_alive: whether clients keep their connections.
        :param bearable: failures after which the clients give up.
        """
        self._port = port
        self._sizes = (clients, streams, websockets)
        self._endpoints = endpoints
        self._keep_alive = keep_alive
        self._bearable = bearable
        self._stopping = False
        self.counts: Counter[str] = Counter()
        self.failures: list[Failure] = []
        self.seconds = 0.0

    @property
    def size(self) -> int:
        """
        How many of them there are.
        """
        return sum(self._sizes)

    @property
    def served(self) -> int:
        """
        Requests with a right answer, GETs and POSTs.
        """
        return self.counts["get"] + self.counts["post"]

    @property
    def gives_up(self) -> bool:
        """
        Whether too much has failed to go on.
        """
        return len(self.failures) >= self._bearable

    async def run(self, plan: Callable[[], Awaitable[None]], at_least: int) -> None:
        """
        Send requests while ``plan`` runs, and on until ``at_least`` were served; streams are read to their end.
        """
        began = time.monotonic()
        clients, streams, websockets = self._sizes
        tasks = [
            *(asyncio.create_task(self._client(number)) for number in range(clients)),
            *(asyncio.create_task(self._again("stream", self._stream, number)) for number in range(streams)),
            *(asyncio.create_task(self._again("websocket", self._websocket, number)) for number in range(websockets)),
        ]
        try:
            await plan()
            while self.served < at_least and not self.gives_up:
                await asyncio.sleep(0.02)
        finally:
            self._stopping = True
            await asyncio.gather(*tasks)
            self.seconds = time.monotonic() - began

    async def until(self, served: int) -> None:
        """
        Wait until so many more were served, or the clients have given up.
        """
        wanted = self.served + served
        while self.served < wanted and not self.gives_up:
            await asyncio.sleep(0.02)

    def summary(self, what: str) -> str:
        """
        What was counted, for people.
        """
        counts = self.counts
        return (
            f"{what}: {counts['get']} GETs, {counts['post']} POSTs, {counts['stream']} event streams, "
            f"{counts['websocket']} WebSockets served in {self.seconds:.0f} s, {self.served / self.seconds:.0f} "
            f"requests/s, {len(self.failures)} failed"
        )

    async def _again(self, kind: str, once: Callable[[str], Awaitable[None]], number: int) -> None:
        endpoint = self._endpoints[number % len(self._endpoints)]
        while not self._stopping and not self.gives_up:
            await self._try(kind, f"{kind} of {endpoint}", lambda: once(endpoint))

    async def _try(self, kind: str, what: str, call: Callable[[], Awaitable[None]]) -> bool:
        began = time.monotonic()
        try:
            async with asyncio.timeout(_PATIENCE):
                await call()
        except (Failed, OSError, TimeoutError, WebSocketException) as error:
            self.failures.append(Failure(f"{what}: {error!r}", began, time.monotonic()))
            # Whoever could not connect does not do so thousands of times.
            await asyncio.sleep(0.02)
            return False
        self.counts[kind] += 1
        return True

    async def _connect(self) -> _Connection:
        _, connection = await asyncio.get_running_loop().create_connection(_Connection, "127.0.0.1", self._port)
        return connection

    async def _client(self, number: int) -> None:
        connection: _Connection | None = None
        count = 0
        while not self._stopping and not self.gives_up:
            count += 1
            endpoint = self._endpoints[(number + count) % len(self._endpoints)]
            name = f"{number}-{count}"
            head = f"/{name} HTTP/1.1\r\nHost: h\r\nx-pico-endpoint: {endpoint}\r\n"
            if not self._keep_alive:
                head += "Connection: close\r\n"
            if count % 3:
                kind = "get"
                request = f"GET {head}\r\n".encode()
                expected = f"GET /{name}\n".encode()
            else:
                kind = "post"
                size = 1 + (count * 977) % 20_000 if count % 9 else 10
                expected = _RANDOM[number : number + size]
                request = f"POST {head}Content-Length: {size}\r\n\r\n".encode() + expected

            async def once(request: bytes = request, expected: bytes = expected) -> None:
                nonlocal connection
                if connection is None or connection.closing:
                    connection = await self._connect()
                if await connection.ask(request) != expected:
                    raise Failed("another body")

            if not await self._try(kind, f"{kind} {name} of {endpoint}", once) and connection is not None:
                connection.close()
            if not self._keep_alive and connection is not None:
                connection.close()
        if connection is not None:
            connection.close()

    async def _stream(self, endpoint: str) -> None:
        connection = await self._connect()
        try:
            target = f"/ticks?n={TICKS}&every={round(EVERY * 1000)}"
            body = await connection.ask(
                f"GET {target} HTTP/1.1\r\nHost: h\r\nx-pico-endpoint: {endpoint}\r\n\r\n".encode()
            )
            if body != b"".join(b"data: %d\n\n" % number for number in range(TICKS)):
                raise Failed(f"events are missing: {body!r}")
        finally:
            connection.close()

    async def _websocket(self, endpoint: str) -> None:
        async with connect(
            f"ws://127.0.0.1:{self._port}/",
            additional_headers={"x-pico-endpoint": f"{endpoint}-ws"},
            compression=None,
            ping_interval=None,
            proxy=None,
            open_timeout=_PATIENCE,
        ) as websocket:
            for number in range(TICKS):
                message = _RANDOM[number : number + 500]
                await websocket.send(message)
                if await websocket.recv() != message:
                    raise Failed("another message")
                await asyncio.sleep(EVERY)
