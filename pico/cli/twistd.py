"""
``twistd pico``: a node under Twisted's own daemon.
"""

from __future__ import annotations

import atexit
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from typing import cast

import click
import msgspec
from twisted.application.service import IService, Service
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTCP, IReactorTime
from twisted.logger import ILogObserver, Logger, globalLogPublisher
from twisted.python.components import Componentized
from twisted.python.usage import Options as UsageOptions

from pico.cli.command import HELP_FLAGS, WIDTH
from pico.cli.files import make_room
from pico.cli.log import log_of
from pico.cli.options import load_config, settings_in
from pico.cli.reactor import Reactor
from pico.cli.run import handle_signals, reopen_on_signal
from pico.cli.server import server
from pico.cli.supervisor import Supervisor
from pico.cli.wrong_use import status_of
from pico.config.files import files_of_node
from pico.config.sections import Log as LogConfig
from pico.config.server import ServerConfig
from pico.errors import PicoError
from pico.log.standard import publish_standard_logging
from pico.log.start import Log
from pico.net.memory import tune
from pico.server.node import PORTS, make_server

#: Where a daemon of twistd's logs if nobody says otherwise, in the directory that it is started in.
DAEMON_LOG = "twistd.log"

#: Options of twistd's own that say where the log goes.
_LOG_OPTIONS = ("logfile", "syslog", "logger")

_log = Logger(namespace="main")


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

    def log(self, config: LogConfig) -> LogConfig | None:
        """
        How to log, the configuration being what it is; ``None`` if twistd itself was told where to.
        """
        twistd: Mapping[str, object] = self.parent or {}
        if any(twistd.get(name) for name in _LOG_OPTIONS):
            return None
        path = config.path
        if not path and self.parent is not None and not (twistd.get("nodaemon") or twistd.get("debug")):
            # In the background there is no standard error.
            path = DAEMON_LOG
        # twistd may go to another directory before the file is opened anew.
        return msgspec.structs.replace(config, path=os.path.abspath(path) if path else "")


class _Daemon(Service):
    """
    A node whose second SIGTERM ends at once, and whose start says in one line what keeps it from starting.

    When it cannot go on it says why, drains and ends with status 1.
    """

    def __init__(self, node: Service, log: Log | None, failed: Deferred[PicoError]) -> None:
        """
        :param log: of the process; without one twistd has its own.
        :param failed: fires with the reason when the node cannot go on.
        """
        self._node = node
        self._log = log
        self._failed = failed

    def setServiceParent(self, parent: object) -> None:
        # The application takes its services before twistd asks it who reads the log.
        if self._log is not None and isinstance(parent, Componentized):
            parent.setComponent(ILogObserver, self._log.observer)
            publish_standard_logging(globalLogPublisher)
        Service.setServiceParent(self, parent)

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
        reactor.callWhenRunning(_handle_signals, self._log)
        self._failed.addCallback(_give_up)

    def stopService(self) -> object:
        Service.stopService(self)
        return self._node.stopService()


def _handle_signals(log: Log | None) -> None:
    from twisted.internet import reactor

    if log is not None:
        reopen_on_signal(log, cast(Reactor, reactor))
    elif signal.getsignal(signal.SIGUSR1) is signal.SIG_DFL:
        # twistd opens its log's file anew, if it has one; without one the signal must not end it.
        signal.signal(signal.SIGUSR1, signal.SIG_IGN)
    # The module is the reactor.
    handle_signals(
        lambda: reactor.callFromThread(reactor.stop),  # type: ignore[attr-defined]
        None if log is None else log.flush,
    )


def _give_up(error: PicoError) -> None:
    from twisted.internet import reactor

    _log.error("{reason}", reason=str(error))
    atexit.register(_exit)
    # Not before the reactor runs. The module is the reactor.
    reactor.callFromThread(reactor.stop)  # type: ignore[attr-defined]


def _exit() -> None:
    # twistd has no way for a service to say with which status it ends.
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(1)


def makeService(options: Options) -> IService:
    """
    Make the node that ``twistd`` runs.
    """
    from twisted.internet import reactor

    clock = cast(IReactorTime, reactor)
    try:
        config = load_config(ServerConfig, options.settings()).config
        log_config = options.log(config.log)
        log = None if log_config is None else log_of(log_config, clock)
        make_room(files_of_node(config))
        supervisor = Supervisor(clock)
        node = make_server(config, cast(IReactorTCP, reactor), clock=clock, inherited=supervisor.sockets(PORTS))
    except PicoError as error:
        for line in str(error).splitlines():
            click.echo(f"pico: {line}", err=True)
        raise SystemExit(status_of(error)) from None
    if log is not None:
        # twistd has things to say when all services have stopped, and about one that could not start.
        atexit.register(log.close)
    watched = supervisor.watch(node, lambda: node.status, node.when_ready)
    return cast(IService, _Daemon(watched, log, node.when_failed()))
