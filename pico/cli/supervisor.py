"""
What has started this process and wants to hear of it: systemd, or what speaks like it.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path

from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime

from pico.net.supervised import Supervised
from pico.net.systemd import Notifier, inherited_sockets, parse_descriptors, parse_supervision, take_variables


class Supervisor:
    """
    Who has started us, as the environment tells it; often nobody in particular. To be asked once.
    """

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock
        variables = take_variables(os.environ)
        # Twisted has taken LISTEN_* out of the environment as soon as its endpoints are imported (for its "systemd:"
        # endpoints, which cannot have several sockets of one name). The kernel still knows them.
        self._variables = {**take_variables(_environ_at_start()), **variables}

    def sockets(self, names: Collection[str]) -> Mapping[str, Sequence[socket.socket]]:
        """
        The sockets that it passed on.

        :raises pico.errors.ListenError: one of them cannot be used.
        """
        return inherited_sockets(parse_descriptors(self._variables, os.getpid()), names)

    def watch(self, service: Service, status: Callable[[], str], when_ready: Callable[[], Deferred[None]]) -> Service:
        """
        Have it told how the service fares, if it wants to know.
        """
        supervision = parse_supervision(self._variables, os.getpid())
        if not supervision.address:
            return service
        return Supervised(
            service,
            Notifier(supervision.address),
            clock=self._clock,
            status=status,
            when_ready=when_ready,
            watchdog=supervision.watchdog,
        )


def _environ_at_start() -> dict[str, str]:
    try:
        block = Path("/proc/self/environ").read_bytes()
    except OSError:
        return {}
    pairs = (os.fsdecode(each).partition("=") for each in block.split(b"\0"))
    return {name: value for name, _, value in pairs}
