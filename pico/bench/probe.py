"""
Small questions to ports of this machine.
"""

from __future__ import annotations

import socket
from contextlib import ExitStack

HOST = "127.0.0.1"

#: Seconds that an answer may take. Long: while a process starts it may hold the CPU.
_PATIENCE = 5.0


def find_free_ports(count: int) -> list[int]:
    """
    Ask the system for ports that nobody uses, all different.
    """
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind((HOST, 0))
        return [one.getsockname()[1] for one in sockets]


def listens(port: int) -> bool | None:
    """
    Try to connect.

    :return: nothing if nobody listens yet.
    """
    try:
        socket.create_connection((HOST, port), timeout=_PATIENCE).close()
    except OSError:
        return None
    return True


def answers_ok(port: int, path: str, endpoint: str = "-") -> bool | None:
    """
    Ask for a path.

    :return: nothing unless the answer is 200.
    """
    request = f"GET {path} HTTP/1.1\r\nHost: {HOST}:{port}\r\nx-pico-endpoint: {endpoint}\r\nConnection: close\r\n\r\n"
    try:
        with socket.create_connection((HOST, port), timeout=_PATIENCE) as connection:
            connection.sendall(request.encode("ascii"))
            return connection.recv(64).startswith(b"HTTP/1.1 200 ") or None
    except OSError:
        return None
