"""
The client of the large bodies: a program that the benchmark runs as a child.

It reads into one buffer that is used again and again, and writes from one, so that what it costs is what the
kernel costs. The bodies of one connection follow each other.
"""

from __future__ import annotations

import argparse
import json
import select
import socket
import sys
import time
from collections.abc import Sequence

import attrs

from pico.bench.counting import MessageCounter
from pico.bench.faults import BenchError

_HOST = "127.0.0.1"

#: Bytes of one read or write at most.
_PIECE = 1024 * 1024

#: Seconds without any progress after which it gives up.
_PATIENCE = 30.0


@attrs.frozen
class Order:
    """
    What to transfer.

    :ivar way: ``down`` or ``up``.
    :ivar size: of one body.
    :ivar at_once: connections.
    :ivar repeat: bodies on each, one after the other.
    """

    way: str
    port: int
    path: str
    endpoint: str
    size: int
    at_once: int
    repeat: int


def make_request(order: Order) -> bytes:
    """
    Word the request.
    """
    method, length = ("POST", f"Content-Length: {order.size}\r\n") if order.way == "up" else ("GET", "")
    return (
        f"{method} {order.path} HTTP/1.1\r\nHost: {_HOST}:{order.port}\r\n"
        f"x-pico-endpoint: {order.endpoint}\r\n{length}\r\n"
    ).encode("ascii")


class Transfer:
    """
    One connection and what is left to send on it.
    """

    def __init__(self, order: Order, source: memoryview) -> None:
        """
        :param source: what bodies that go up are made of.
        """
        self._order = order
        self._source = source
        self._request = make_request(order)
        self._counter = MessageCounter()
        self._head = memoryview(self._request)
        self._left = order.size if order.way == "up" else 0

    @property
    def sends(self) -> bool:
        """
        Whether there is something to send.
        """
        return bool(self._head or self._left)

    @property
    def done(self) -> bool:
        """
        Whether all bodies are through.
        """
        return self._counter.messages >= self._order.repeat

    def next_piece(self) -> memoryview:
        """
        What to send now.
        """
        return self._head or self._source[: self._left]

    def sent(self, size: int) -> None:
        """
        So much of it was taken.
        """
        if self._head:
            self._head = self._head[size:]
        else:
            self._left -= size

    def received(self, data: memoryview) -> None:
        """
        Count a piece of the answer; after its end the next body begins.

        :raises BenchError: if it is not the answer that was expected.
        """
        if not data:
            raise BenchError(f"the connection ended after {self._counter.body_bytes} bytes")
        messages = self._counter.messages
        self._counter.feed(data)
        if self._counter.messages == messages:
            return
        self._check()
        if not self.done:
            self._head = memoryview(self._request)
            self._left = self._order.size if self._order.way == "up" else 0

    def _check(self) -> None:
        if b" 200 " not in self._counter.start_line + b" " or self.sends:
            raise BenchError(f"answered {self._counter.start_line.decode('latin-1')!r}")
        if self._order.way == "down" and self._counter.body_bytes % self._order.size:
            raise BenchError(f"{self._counter.body_bytes} bytes are not whole bodies of {self._order.size}")


def run(order: Order) -> float:
    """
    Transfer all bodies.

    :return: seconds from the first connection to the last byte.
    :raises BenchError: if one fails.
    """
    buffer = memoryview(bytearray(_PIECE))
    source = memoryview(bytes(range(256)) * (_PIECE // 256))
    start = time.perf_counter()
    poll = select.epoll()
    links: dict[int, _Link] = {}
    for _ in range(order.at_once):
        link = _Link(order, source, poll)
        links[link.connection.fileno()] = link
    while links:
        events = poll.poll(_PATIENCE)
        if not events:
            raise BenchError(f"nothing moved for {_PATIENCE:g} s")
        for number, event in events:
            if not links[number].serve(event, buffer):
                links.pop(number).connection.close()
    return time.perf_counter() - start


class _Link:
    """
    A transfer and its socket.
    """

    def __init__(self, order: Order, source: memoryview, poll: select.epoll) -> None:
        self.connection = socket.create_connection((_HOST, order.port), timeout=_PATIENCE)
        self.connection.setblocking(False)
        self._transfer = Transfer(order, source)
        self._poll = poll
        self._watched = select.EPOLLIN | select.EPOLLOUT
        poll.register(self.connection, self._watched)

    def serve(self, event: int, buffer: memoryview) -> bool:
        """
        Move what can be moved.

        :return: whether there is more to do.
        """
        transfer = self._transfer
        if event & ~select.EPOLLOUT:
            transfer.received(buffer[: self.connection.recv_into(buffer)])
        if event & select.EPOLLOUT and transfer.sends:
            transfer.sent(self.connection.send(transfer.next_piece()))
        if transfer.done:
            return False
        wanted = select.EPOLLIN | (select.EPOLLOUT if transfer.sends else 0)
        if wanted != self._watched:
            self._watched = wanted
            self._poll.modify(self.connection, wanted)
        return True


def parse_order(arguments: Sequence[str]) -> Order:
    """
    Read the command line: the fields of :class:`Order` as JSON.
    """
    parser = argparse.ArgumentParser()
    parser.add_argument("order")
    return Order(**json.loads(parser.parse_args(arguments).order))


def main(arguments: Sequence[str]) -> None:
    """
    Run, and print the seconds.
    """
    try:
        print(json.dumps({"seconds": run(parse_order(arguments))}))
    except (BenchError, OSError) as error:
        raise SystemExit(str(error)) from None


if __name__ == "__main__":
    main(sys.argv[1:])
