"""
Begin to write this process's log.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Collection, Mapping

import attrs
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger, globalLogBeginner, globalLogPublisher

from pico.errors import ConfigError
from pico.log.levels import Threshold
from pico.log.lines import Form, JSONForm, TextForm
from pico.log.observer import LogWriter
from pico.log.outlet import Outlet
from pico.log.standard import publish_standard_logging
from pico.log.target import Descriptor, open_target

_log = Logger(namespace="main")

_STDERR = 2


@attrs.frozen
class LogSettings:
    """
    How and where to write.

    :ivar path: of a file; empty for standard error.
    :ivar color: if standard error is written to; a file is never coloured.
    :ivar repeat_limit: see :class:`pico.log.observer.LogWriter`.
    :ivar max_buffered: bytes that may wait for a slow reader.
    """

    level: str = "info"
    subsystems: Collection[str] = ()
    as_json: bool = False
    path: str = ""
    color: bool = False
    repeat_limit: int = 10
    max_buffered: int = 1_048_576


class Log:
    """
    The log of this process.

    Its owner calls :meth:`close` when everything else has ended, or ends it all.

    :ivar observer: takes the events.
    """

    def __init__(
        self,
        settings: LogSettings,
        *,
        clock: IReactorTime,
        at_turn_end: Callable[[Callable[[], None]], object],
        journal: bool = False,
    ) -> None:
        """
        :param at_turn_end: has something called at the end of this turn of the reactor.
        :param journal: standard error is the journal's.
        :raises pico.errors.ConfigError: the file cannot be opened.
        """
        self._path = settings.path
        target = open_target(settings.path) if settings.path else Descriptor(_STDERR, owned=False)
        self._form: Form
        if settings.as_json:
            self._form = JSONForm()
        else:
            on_stderr = not settings.path
            self._form = TextForm(color=settings.color and on_stderr, journal=journal and on_stderr)
        self._outlet = Outlet(target, clock=clock, limit=settings.max_buffered, note=self._dropped)
        self.observer = LogWriter(
            self._outlet.write,
            self._form,
            threshold=Threshold(settings.level, settings.subsystems),
            clock=clock,
            at_turn_end=at_turn_end,
            repeat_limit=settings.repeat_limit,
        )

    def reopen(self) -> None:
        """
        Open the file anew, because somebody has moved it away; nothing for standard error.
        """
        if not self._path:
            return
        try:
            target = open_target(self._path)
        except ConfigError as error:
            _log.error("{reason}; the file that was open is written on", reason=str(error))
            return
        self.observer.flush()
        self._outlet.replace(target)

    def flush(self) -> None:
        """
        Write what can be written at once.
        """
        self.observer.flush()
        self._outlet.flush()

    def close(self) -> None:
        """
        Write what is left.
        """
        self.observer.close()
        self._outlet.close()

    def _dropped(self, count: int) -> str:
        event = {"log_format": "{dropped:,} lines dropped: nobody reads this log as fast as it is written"}
        return self._form.line({**event, "dropped": count}, "warn", "log")


def make_log(
    settings: LogSettings,
    *,
    clock: IReactorTime,
    at_turn_end: Callable[[Callable[[], None]], object],
    environment: Mapping[str, str],
) -> Log:
    """
    Make the log of this process. It gets no events yet: see :func:`start_logging`.

    :param at_turn_end: has something called at the end of this turn of the reactor.
    :param environment: says whether standard error is the journal's.
    :raises pico.errors.ConfigError: the file cannot be opened.
    """
    # What was printed so far stands before the log.
    sys.stderr.flush()
    journal = is_journal(environment.get("JOURNAL_STREAM", ""), _STDERR)
    return Log(settings, clock=clock, at_turn_end=at_turn_end, journal=journal)


def start_logging(log: Log) -> None:
    """
    Send all log events of this process to a log.
    """
    globalLogBeginner.beginLoggingTo([log.observer], redirectStandardIO=False, discardBuffer=True)
    publish_standard_logging(globalLogPublisher)


def is_journal(stream: str, fd: int) -> bool:
    """
    Whether a descriptor is the journal's stream.

    :param stream: what systemd says of that stream, ``device:inode`` (systemd.exec(5)). The variable reaches children
        whose standard error is another one, so it must be the same.
    """
    status = os.fstat(fd)
    return stream == f"{status.st_dev}:{status.st_ino}"
