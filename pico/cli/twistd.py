"""
``twistd pico``: a node under Twisted's own daemon.
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Sequence
from typing import cast

import click
from twisted.application.service import IService, Service
from twisted.internet.interfaces import IReactorTCP, IReactorTime
from twisted.python.usage import Options as UsageOptions

from pico.cli.command import HELP_FLAGS, WIDTH
from pico.cli.options import load_config, settings_in
from pico.cli.run import handle_signals
from pico.cli.server import server
from pico.cli.supervisor import Supervisor
from pico.config.server import ServerConfig
from pico.errors import PicoError
from pico.net.memory import tune
from pico.server.node import PORTS, make_server


class Options(UsageOptions):
    """
    The options of ``pico server``, read by that command's own parser, so that they cannot differ.
    """

    def __init__(self) -> None:
        UsageOptions.__init__(self)
        self._flags: dict[str, str] = {}

    def parseOptions(self, options: Sequence[str] | None = None) -> None:  # noqa: N802 - Twisted's name
        """
        Parse the command line; end with status 2 if it cannot be understood, or with 0 behind its help.
        """
        arguments = list(sys.argv[1:] if options is None else options)
        try:
            context = server.make_context(
                "twistd pico", arguments, help_option_names=HELP_FLAGS, max_content_width=WIDTH
            )
        except click.ClickException as error:
            error.show()
            raise SystemExit(error.exit_code) from None
        except click.exceptions.Exit as end:
            raise SystemExit(end.exit_code) from None
        self._flags = settings_in(dict(context.params))

    def settings(self) -> dict[str, str]:
        """
        The flags that were given, by dotted path.
        """
        return dict(self._flags)


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
