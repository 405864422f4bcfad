"""
Which ports the demo uses.
"""

from __future__ import annotations

import errno
import socket
from collections.abc import Callable, Mapping, Sequence

import attrs

_HOST = "127.0.0.1"


@attrs.frozen
class PortChoice:
    """
    A port, and why it is not the one that was asked for.

    :ivar problem: empty if it is.
    """

    port: int
    wanted: int
    problem: str = ""

    @property
    def notice(self) -> str:
        """
        What to tell the user; empty if there is nothing to tell.
        """
        return f"port {self.wanted} {self.problem}, using {self.port}" if self.problem else ""


def choose_ports(
    wanted: Mapping[str, int],
    *,
    problem_of: Callable[[int], str],
    find_free: Callable[[], int],
) -> dict[str, PortChoice]:
    """
    Choose a port for each name: the one that is wanted if it can be had, else a free one. All are different.

    :param wanted: by name; 0 for any free one.
    :param problem_of: why a port cannot be had; empty if it can.
    :param find_free: gives a free port, a different one now and then.
    """
    chosen: dict[str, PortChoice] = {}
    used: set[int] = set()
    reserved = {port for port in wanted.values() if port}
    for name, port in wanted.items():
        problem = "is asked for twice" if port in used else problem_of(port) if port else ""
        found = port
        if problem or not port:
            found = find_free()
            while found in used or found in reserved:
                found = find_free()
        used.add(found)
        chosen[name] = PortChoice(found, port, problem)
    return chosen


def node_hosts(count: int) -> list[str]:
    """
    An address of the loopback interface for each node, so that all have the same ports, as on machines of their own.

    :return: that many, or none where the system gives the interface one address only.
    """
    hosts = [f"127.0.1.{number}" for number in range(1, count + 1)]
    return [] if problem_of_port(0, hosts) else hosts


def problem_of_port(port: int, hosts: Sequence[str] = (_HOST,)) -> str:
    """
    Try a port of some addresses of the loopback interface.

    :return: why it cannot be had, as the end of a sentence about it; empty if it can.
    """
    try:
        for host in hosts:
            with socket.socket() as probe:
                # What a server that listens there would set: connections that ended a moment ago are no obstacle.
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind((host, port))
    except OSError as error:
        return wording_of(error)
    except OverflowError:
        return "does not exist"
    return ""


def wording_of(error: OSError) -> str:
    """
    Word the reason for which a port could not be bound.
    """
    if error.errno == errno.EADDRINUSE:
        return "is taken"
    return f"cannot be used ({(error.strerror or str(error)).lower()})"


def find_free_port(hosts: Sequence[str] = (_HOST,)) -> int:
    """
    Ask the system for a port of the loopback interface that nobody uses on any of these addresses.
    """
    while True:
        with socket.socket() as probe:
            probe.bind((_HOST, 0))
            port: int = probe.getsockname()[1]
        if not problem_of_port(port, hosts):
            return port
