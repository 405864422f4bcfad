"""
Open many tunnels at once, and keep them open: a program that the benchmark runs as a child.

Each tunnel has an endpoint of its own, as in the worst case for the node. So many are being opened at a time
as a node meets when a load balancer lets go of its agents, but never more than a listening port queues.
"""

from __future__ import annotations

import json
import select
import socket
import sys
import time
from collections.abc import Sequence

from pico.bench.faults import BenchError
from pico.bench.silent import SilentTunnel, make_upgrade

_HOST = "127.0.0.1"

#: Tunnels that are being opened at a time.
_AT_ONCE = 64

#: Seconds without any progress after which it gives up.
_PATIENCE = 10.0


class Opener:
    """
    All tunnels of the program.
    """

    def __init__(self, port: int, count: int) -> None:
        self._port = port
        self._count = count
        self._poll = select.epoll()
        self._tunnels: dict[int, tuple[socket.socket, SilentTunnel]] = {}
        self._accepted = 0

    def open_all(self) -> float:
        """
        Open them.

        :return: seconds from the first connection to the last acceptance.
        :raises BenchError: if the node refuses one.
        """
        start = time.perf_counter()
        while self._accepted < self._count:
            while len(self._tunnels) < min(self._count, self._accepted + _AT_ONCE):
                self._dial(len(self._tunnels))
            if not self._serve(_PATIENCE):
                raise BenchError(f"no tunnel was accepted for {_PATIENCE:g} s")
        return time.perf_counter() - start

    def keep_open(self) -> None:
        """
        Stay silent until the process is ended.
        """
        while self._tunnels:
            self._serve(-1)

    def _dial(self, number: int) -> None:
        connection = socket.create_connection((_HOST, self._port), timeout=_PATIENCE)
        connection.setblocking(False)
        connection.sendall(make_upgrade(f"silent-{number}", self._port))
        self._tunnels[connection.fileno()] = connection, SilentTunnel()
        self._poll.register(connection, select.EPOLLIN)

    def _serve(self, patience: float) -> bool:
        events = self._poll.poll(patience)
        for number, _ in events:
            connection, tunnel = self._tunnels[number]
            data = connection.recv(65_536)
            if not data:
                raise BenchError(f"the node closed a tunnel, {self._accepted} were accepted")
            accepted = tunnel.accepted
            reply = tunnel.receive(data)
            self._accepted += tunnel.accepted and not accepted
            if reply:
                connection.sendall(reply)
        return bool(events)


def main(arguments: Sequence[str]) -> None:
    """
    Print the seconds once all are open, and stay.

    :param arguments: the node's port and the number of tunnels.
    """
    port, count = map(int, arguments)
    opener = Opener(port, count)
    try:
        print(json.dumps({"seconds": opener.open_all()}), flush=True)
        opener.keep_open()
    except (BenchError, OSError) as error:
        raise SystemExit(str(error)) from None


if __name__ == "__main__":
    main(sys.argv[1:])
