"""
``twistd pico``: a node under Twisted's own daemon.
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Sequence
from typing import cast

from twisted.application.service import IService, Service
from twisted.internet.interfaces import IReactorTCP, IReactorTime
from twisted.python.usage import Options as UsageOptions
from twisted.python.usage import UsageError

from pico.cli.options import load_config
from pico.cli.run import handle_signals, tune
from pico.cli.supervisor import Supervisor
from pico.config.fields import Kind, leaves
from pico.config.server import ServerConfig
from pico.errors import PicoError
from pico.server.node import PORTS, make_server

_FLAGS = {leaf.flag[2:]: leaf for leaf in leaves(ServerConfig)}


class Options(UsageOptions):
    """
    The same flags as ``pico server``.
    """

    optParameters = [
        *([name, None, None, leaf.setting.help] for name, leaf in _FLAGS.items() if leaf.setting.kind is not Kind.BOOL),
        ["config.path", None, None, "YAML file to read."],
    ]
    optFlags = [
        *([name, None, leaf.setting.help] for name, leaf in _FLAGS.items() if leaf.setting.kind is Kind.BOOL),
        ["config.expand-env", None, "Replace ${VAR} and ${VAR:default} in that file."],
    ]
    synopsis = "[options]"

    def parseOptions(self, options: Sequence[str] | None = None) -> None:  # noqa: N802 - Twisted's name
        """
        Parse the command line, and end with status 2 if it cannot be understood.
        """
        try:
            UsageOptions.parseOptions(self, options)
        except UsageError as error:
            print(f"pico: {error}\nTry 'twistd pico --help' for help.", file=sys.stderr)
            raise SystemExit(2) from None

    def settings(self) -> dict[str, str]:
        """
        The flags that were given, by dotted path.
        """
        given = {}
        for name, value in self.items():
            if value not in (None, 0):
                given[name.replace("-", "_")] = "true" if value == 1 else str(value)
        return given


class _Daemon(Service):
    """
    A node whose second SIGTERM ends at once, and whose start says in one line what keeps it from starting.
    """

    def __init__(self, node: Service) -> None:
        self._node = node

    def privilegedStartService(self) -> None:
        try:
            self._node.privilegedStartService()
        except PicoError as error:
            # twistd would print a traceback for what is the user's to correct.
            raise SystemExit(f"pico: {error}") from None

    def startService(self) -> None:
        Service.startService(self)
        self._node.startService()
        tune()
        from twisted.internet import reactor

        # Twisted puts its own handlers in the place of ours when the reactor begins to run.
        reactor.callWhenRunning(_handle_signals)

    def stopService(self) -> object:
        Service.stopService(self)
        return self._node.stopService()


def _handle_signals() -> None:
    from twisted.internet import reactor

    if signal.getsignal(signal.SIGUSR1) is signal.SIG_DFL:
        # twistd opens its log's file anew, if it has one; without one the signal must not end it.
        signal.signal(signal.SIGUSR1, signal.SIG_IGN)
    # The module is the reactor.
    handle_signals(lambda: reactor.callFromThread(reactor.stop))  # type: ignore[attr-defined]


def makeService(options: Options) -> IService:
    """
    Make the node that ``twistd`` runs.
    """
    from twisted.internet import reactor

    try:
        config = load_config(ServerConfig, options.settings()).config
        supervisor = Supervisor(cast(IReactorTime, reactor))
        node = make_server(
            config,
            cast(IReactorTCP, reactor),
            clock=cast(IReactorTime, reactor),
            inherited=supervisor.sockets(PORTS),
        )
    except PicoError as error:
        raise SystemExit(f"pico: {error}") from None
    return cast(IService, _Daemon(supervisor.watch(node, lambda: node.status, node.when_ready)))
