"""
The load balancer in front of the demo's nodes. Started as ``python -m pico.demo.balancer PORT=HOST:PORT,HOST:PORT …``.

Each argument is a port of the loopback interface and the addresses behind it, which get connections in turn. One that
refuses is passed over. Bytes are carried both ways and not looked at, so it is good for HTTP, WebSocket and tunnels
alike. In production this is the work of nginx, HAProxy or a cloud's load balancer.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import signal
import socket
import struct
import sys
from asyncio import StreamReader, StreamWriter
from collections.abc import Sequence

import attrs

#: Where it listens.
HOST = "127.0.0.1"

#: Connections of one port at a time; more are closed.
MAX_CONNECTIONS = 1024

#: Seconds that a connection to a node may take.
_PATIENCE = 1.0

#: Bytes that are carried at once; twice as many wait for a slow reader at most.
_PIECE = 65_536

_RESET = struct.pack("ii", 1, 0)
_BACKEND = r"[0-9.]+:[0-9]{1,5}"
_ARGUMENT = re.compile(rf"([0-9]{{1,5}})=({_BACKEND}(?:,{_BACKEND})*)")


@attrs.frozen
class Route:
    """
    A port, and the addresses behind it.
    """

    port: int
    backends: tuple[tuple[str, int], ...]


def parse_routes(arguments: Sequence[str]) -> list[Route]:
    """
    Read the command line.

    :raises ValueError: it says nothing, or something else.
    """
    matches = [_ARGUMENT.fullmatch(argument) for argument in arguments]
    routes = [
        Route(int(match[1]), tuple(_address(backend) for backend in match[2].split(",")))
        for match in matches
        if match is not None
    ]
    if not routes or len(routes) != len(arguments):
        raise ValueError("usage: python -m pico.demo.balancer PORT=HOST:PORT[,HOST:PORT...] ...")
    return routes


def _address(text: str) -> tuple[str, int]:
    host, _, port = text.partition(":")
    return host, int(port)


class Balancer:
    """
    One port.
    """

    def __init__(self, backends: Sequence[tuple[str, int]]) -> None:
        self._backends = backends
        self._turn = 0
        self._connections = 0

    async def serve(self, reader: StreamReader, writer: StreamWriter) -> None:
        """
        Carry a connection to its end.
        """
        if self._connections >= MAX_CONNECTIONS:
            writer.transport.abort()
            return
        self._connections += 1
        try:
            behind = await self._connect()
            if behind is None:
                _reset(writer)
                return
            ways = (_carry(reader, behind[1]), _carry(behind[0], writer))
            whole = all(await asyncio.gather(*ways))
            for each in (writer, behind[1]):
                if whole:
                    each.close()
                else:
                    # Neither side may take what it has got for all that there was.
                    _reset(each)
        finally:
            self._connections -= 1

    async def _connect(self) -> tuple[StreamReader, StreamWriter] | None:
        """
        Connect to the next node that takes it.
        """
        for _ in self._backends:
            address = self._backends[self._turn % len(self._backends)]
            self._turn += 1
            with contextlib.suppress(OSError, TimeoutError):
                async with asyncio.timeout(_PATIENCE):
                    return await asyncio.open_connection(*address, limit=_PIECE)
        return None


async def _carry(reader: StreamReader, writer: StreamWriter) -> bool:
    """
    Carry one way, to its end.

    :return: whether it came to an end that was meant.
    """
    try:
        while data := await reader.read(_PIECE):
            writer.write(data)
            await writer.drain()
        writer.write_eof()
    except OSError:
        # The other way hears of it by its own end.
        _reset(writer)
        return False
    return True


def _reset(writer: StreamWriter) -> None:
    """
    Break a connection so that it does not look ended.
    """
    connection: socket.socket | None = writer.get_extra_info("socket")
    with contextlib.suppress(OSError):
        if connection is not None:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    writer.transport.abort()


async def run(routes: Sequence[Route]) -> None:
    """
    Serve until SIGTERM or SIGINT.

    :raises OSError: a port cannot be had.
    """
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ended.set)
    for route in routes:
        await asyncio.start_server(Balancer(route.backends).serve, HOST, route.port, limit=_PIECE, backlog=1024)
    await ended.wait()
    # What is under way ends with the process; those who hold it are told to end first.


def main(arguments: Sequence[str]) -> None:
    """
    Run it.

    :param arguments: the routes.
    """
    try:
        asyncio.run(run(parse_routes(arguments)))
    except (ValueError, OSError) as error:
        raise SystemExit(str(error)) from None


if __name__ == "__main__":
    main(sys.argv[1:])
