"""
Small questions to ports of this machine.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Mapping
from contextlib import ExitStack

from pico.bench.faults import BenchError

HOST = "127.0.0.1"

#: Seconds that an answer may take. Long: while a process starts it may hold the CPU.
_PATIENCE = 5.0

_NUMBER = re.compile(r"(\w+) ([\d.e+-]+)")


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
    try:
        with _ask(port, path, endpoint) as connection:
            return connection.recv(64).startswith(b"HTTP/1.1 200 ") or None
    except OSError:
        return None


def read_metrics(port: int) -> Mapping[str, float]:
    """
    Ask an admin port for the numbers of a node.

    :return: numbers by name; those with labels are left out.
    :raises BenchError: it does not answer.
    """
    pieces = []
    try:
        with _ask(port, "/metrics") as connection:
            while piece := connection.recv(65_536):
                pieces.append(piece)
    except OSError as error:
        raise BenchError(f"no metrics on port {port}: {error}") from None
    return parse_metrics(b"".join(pieces).decode("utf-8", "replace"))


def parse_metrics(text: str) -> Mapping[str, float]:
    """
    Read the numbers without labels of a page in Prometheus' format, by name.
    """
    matches = (_NUMBER.fullmatch(line) for line in text.splitlines())
    return {match[1]: float(match[2]) for match in matches if match}


def _ask(port: int, path: str, endpoint: str = "-") -> socket.socket:
    """
    Send a request.

    :return: the connection, which the caller closes; the other side does so after its answer.
    """
    request = f"GET {path} HTTP/1.1\r\nHost: {HOST}:{port}\r\nx-pico-endpoint: {endpoint}\r\nConnection: close\r\n\r\n"
    connection = socket.create_connection((HOST, port), timeout=_PATIENCE)
    try:
        connection.sendall(request.encode("ascii"))
    except OSError:
        connection.close()
        raise
    return connection
