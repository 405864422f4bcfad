"""
The reader of all events: picks those that are loud enough, folds what comes too often, and has the rest written.
"""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import ILogObserver, LogEvent, LogLevel
from zope.interface import implementer

from pico.log.levels import Threshold
from pico.log.lines import RECORD, Form, message_of
from pico.log.repeats import WINDOW, Repeats

#: Levels whose lines should not wait: they may be the last.
_URGENT = frozenset({"warn", "error", "critical"})


@implementer(ILogObserver)
class LogWriter:
    """
    Write each event that is loud enough as one line.

    Nothing raises from here: an event that cannot be written is written as the fact that it could not be.
    """

    def __init__(
        self,
        write: Callable[[str, bool], None],
        form: Form,
        *,
        threshold: Threshold,
        clock: IReactorTime,
        repeat_limit: int = 0,
    ) -> None:
        """
        :param write: takes a line without its end, and whether it is urgent; does not raise.
        :param repeat_limit: how often in ten seconds the same is written; 0 for as often as it comes. Lines of the
            access log are never the same, and neither is what is said at level debug.
        """
        self._write = write
        self._form = form
        self._threshold = threshold
        self._clock = clock
        self._repeats: Repeats[LogEvent] | None = Repeats(repeat_limit) if repeat_limit else None
        self._timer: IDelayedCall | None = None

    def __call__(self, event: LogEvent) -> None:
        """
        Write an event.
        """
        level: str = event.get("log_level", LogLevel.info).name
        subsystem: str = event.get("log_namespace") or "-"
        if not self._threshold.passes(level, subsystem):
            return
        if self._repeats is not None and RECORD not in event and level != "debug":
            family = (subsystem, level, str(event.get("log_format")))
            now = self._clock.seconds()
            whose = str(event.get("endpoint", ""))
            admitted = self._repeats.admit(family, whose, event, now)
            if self._timer is None:
                self._wait(now)
            if not admitted:
                return
        self._put(event, level, subsystem)

    def close(self) -> None:
        """
        Tell what was held back, and wait for nothing more.
        """
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        self._timer = None
        self._tell(float("inf"))

    def _put(self, event: LogEvent, level: str, subsystem: str) -> None:
        try:
            line = self._form.line(event, level, subsystem)
        except Exception as error:
            line = f"unloggable event of {subsystem}: {type(error).__name__}"
        self._write(line, level in _URGENT)

    def _wait(self, now: float) -> None:
        deadline = self._repeats.next_deadline() if self._repeats is not None else None
        self._timer = None if deadline is None else self._clock.callLater(max(0.0, deadline - now), self._timed_out)

    def _timed_out(self) -> None:
        now = self._clock.seconds()
        self._tell(now)
        self._wait(now)

    def _tell(self, now: float) -> None:
        if self._repeats is None:
            return
        for folded in self._repeats.handle_timer(now):
            sample = folded.sample
            level = sample.get("log_level", LogLevel.info).name
            subsystem = str(sample.get("log_namespace", "-"))
            event: LogEvent = {
                "log_format": "{log_said} ... repeated {repeated:,} times in the last {log_window:g} s",
                "log_said": message_of(sample),
                "log_window": WINDOW,
                "endpoint": sample.get("endpoint"),
                "repeated": folded.count,
            }
            self._put(event, level, subsystem)
