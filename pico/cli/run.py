"""
Run a service in the foreground.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable

from twisted.application.service import Service
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from pico.cli.reactor import Reactor
from pico.errors import PicoError
from pico.log.start import Log
from pico.net.memory import tune

_log = Logger(namespace="main")


def run_service(service: Service, reactor: Reactor, log: Log, failed: Deferred[PicoError] | None = None) -> int:
    """
    Start a service and run until it has stopped.

    The first SIGTERM or SIGINT stops the service, which drains; a second one ends the process at once. SIGUSR1 opens
    the log's file anew.

    :param failed: fires with the reason when the service cannot go on: then it is stopped, too.
    :return: the exit status: 0 after a drain; 1 if the service could not go on.
    :raises PicoError: the service could not start.
    """
    status = [0]
    # Before the start: whoever reads that the service is ready may stop it at once.
    handle_signals(lambda: reactor.callFromThread(_stop, service, reactor, status), log.flush)
    reopen_on_signal(log, reactor)
    if failed is not None:
        failed.addCallback(_give_up, service, reactor, status)
    service.privilegedStartService()
    service.startService()
    tune()
    reactor.run(installSignalHandlers=False)
    return status[0]


def reopen_on_signal(log: Log, reactor: Reactor) -> None:
    """
    Open the log's file anew at each SIGUSR1.
    """
    signal.signal(signal.SIGUSR1, lambda number, frame: reactor.callFromThread(log.reopen))


def handle_signals(stop: Callable[[], object], flush: Callable[[], object] | None = None) -> None:
    """
    Stop at the first SIGTERM or SIGINT; end the process at once, with status 1, at the second.

    :param stop: called from a signal handler.
    :param flush: called before the process is ended at once.
    """
    asked = False

    def handle(number: int, frame: object) -> None:
        nonlocal asked
        if asked:
            # Buffers are flushed by hand because nothing else runs any more. The signal may have come amid a flush.
            try:
                if flush is not None:
                    flush()
                sys.stdout.flush()
                sys.stderr.flush()
            finally:
                os._exit(1)
        asked = True
        stop()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, handle)


def _give_up(error: PicoError, service: Service, reactor: Reactor, status: list[int]) -> None:
    _log.error("{reason}", reason=str(error))
    status[0] = 1
    # Not before the reactor runs.
    reactor.callFromThread(_stop, service, reactor, status)


def _stop(service: Service, reactor: Reactor, status: list[int]) -> None:
    def failed(reason: Failure) -> None:
        status[0] = 1
        if reason.check(PicoError):
            _log.error("{reason}", reason=reason.getErrorMessage())
        else:
            _log.failure("stopping failed", reason)

    maybeDeferred(service.stopService).addErrback(failed).addBoth(lambda _: reactor.stop())
