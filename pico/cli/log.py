"""
The log of a command that runs until it is stopped.
"""

from __future__ import annotations

import os
import signal
import sys

from twisted.internet.interfaces import IReactorTime

from pico.cli.terminal import use_color_on
from pico.config.sections import Log as LogConfig
from pico.log.start import Log, LogSettings, make_log, start_logging
from pico.net.turn import Turn


def open_log(config: LogConfig, clock: IReactorTime) -> Log:
    """
    Begin to log as the configuration says.

    :param clock: the reactor.
    :return: to be closed at the end.
    :raises pico.errors.ConfigError: the log's file cannot be opened.
    """
    log = log_of(config, clock)
    start_logging(log)
    return log


def log_of(config: LogConfig, clock: IReactorTime) -> Log:
    """
    Make the log that the configuration describes, for somebody else to begin with; see :func:`open_log`.
    """
    # It is waited for in earnest when the service starts; who sends it before that must not end the process.
    signal.signal(signal.SIGUSR1, signal.SIG_IGN)
    settings = LogSettings(
        level=config.level,
        subsystems=config.subsystems,
        as_json=config.format == "json",
        path=config.path,
        color=use_color_on(sys.stderr),
        repeat_limit=config.repeat_limit,
        max_buffered=config.max_buffered,
    )
    return make_log(settings, clock=clock, at_turn_end=Turn(clock).at_end, environment=os.environ)
