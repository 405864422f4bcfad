"""
The service that takes large uploads: a program that the benchmark runs as a child.

nginx alone has no location that reads a whole body and throws it away: ``return`` answers before the body has
come, a proxied request is buffered. All three sides end at this sink instead. It reads into one buffer, a
megabyte at a time, which costs it about as much as it would cost nginx.
"""

from __future__ import annotations

import select
import socket
import sys
from collections.abc import Sequence

from pico.bench.counting import MessageCounter
from pico.bench.faults import BenchError

_PIECE = 1024 * 1024

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 6\r\n\r\ntaken\n"


class Sink:
    """
    Serve connections in one thread.
    """

    def __init__(self, port: int) -> None:
        self._listening = socket.create_server(("127.0.0.1", port), backlog=1024)
        self._poll = select.epoll()
        self._poll.register(self._listening, select.EPOLLIN)
        self._connections: dict[int, tuple[socket.socket, MessageCounter]] = {}
        self._buffer = memoryview(bytearray(_PIECE))

    def serve_forever(self) -> None:
        """
        Serve until the process is ended.
        """
        while True:
            for number, _ in self._poll.poll():
                if number == self._listening.fileno():
                    self._accept()
                else:
                    self._serve(number)

    def _accept(self) -> None:
        connection, _ = self._listening.accept()
        self._connections[connection.fileno()] = connection, MessageCounter()
        self._poll.register(connection, select.EPOLLIN)

    def _serve(self, number: int) -> None:
        connection, counter = self._connections[number]
        messages = counter.messages
        try:
            size = connection.recv_into(self._buffer)
            counter.feed(self._buffer[:size])
            # So few bytes on a connection that waits for them always fit.
            connection.sendall(ANSWER * (counter.messages - messages))
        except (OSError, BenchError):
            size = 0
        if not size:
            del self._connections[number]
            connection.close()


def main(arguments: Sequence[str]) -> None:
    """
    :param arguments: the port, and nothing else.
    """
    Sink(int(arguments[0])).serve_forever()


if __name__ == "__main__":
    main(sys.argv[1:])
