"""
The reader of all events: picks those that are loud enough, folds what comes too often, and has the rest written.

Lines are written together: at the end of the reactor's turn if one of them is urgent or if they are many, else after
a moment. At thousands of requests a second a system call for each turn would cost more than all else about the access
log; and for the same reason its lines are only made then, one after the other.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import ILogObserver, LogEvent, LogLevel
from zope.interface import classImplements

from pico.log.escape import printable
from pico.log.levels import Threshold, subsystem_of
from pico.log.lines import RECORD, Form, message_of
from pico.log.repeats import WINDOW, Repeats

#: Levels whose lines should not wait: they may be the last.
_URGENT: Final = frozenset({"warn", "error", "critical"})

#: Seconds that lines wait for others, and how many of them do not.
GATHER: Final = 0.05
MANY: Final = 64


class LogWriter:
    """
    Write each event that is loud enough as one line.

    Nothing raises from here: an event that cannot be written is written as the fact that it could not be.
    """

    def __init__(
        self,
        write: Callable[[Sequence[str]], None],
        form: Form,
        *,
        threshold: Threshold,
        clock: IReactorTime,
        at_turn_end: Callable[[Callable[[], None]], object],
        repeat_limit: int = 0,
    ) -> None:
        """
        :param write: takes lines without their ends, and does not raise.
        :param at_turn_end: has something called at the end of this turn of the reactor.
        :param repeat_limit: how often in ten seconds the same is written; 0 for as often as it comes. Lines of the
            access log are never the same, and neither is what is said at level debug.
        """
        self._write = write
        self._form = form
        self._threshold = threshold
        self._clock = clock
        self._at_turn_end = at_turn_end
        self._repeats: Repeats[LogEvent] | None = Repeats(repeat_limit) if repeat_limit else None
        self._timer: IDelayedCall | None = None
        # Lines, and events of the access log that have yet to become lines.
        self._pending: list[str | LogEvent] = []
        self._gathering: IDelayedCall | None = None
        self._subsystems: dict[str | None, str] = {}
        self._asked = False
        self._closed = False

    def __call__(self, event: LogEvent) -> None:
        """
        Write an event, by and by.
        """
        level: str = event.get("log_level", LogLevel.info).name
        namespace: str | None = event.get("log_namespace")
        subsystem = self._subsystems.get(namespace)
        if subsystem is None:
            # Names are written in the code, so there are only so many.
            subsystem = self._subsystems[namespace] = subsystem_of(namespace)
        if not self._threshold.passes(level, subsystem):
            return
        if RECORD in event:
            self._put(event, level)
            return
        if self._repeats is not None and level != "debug" and not self._closed:
            family = (subsystem, level, str(event.get("log_format")))
            now = self._clock.seconds()
            whose = str(event.get("endpoint") or event.get("client", ""))
            admitted = self._repeats.admit(family, whose, event, now)
            if self._timer is None:
                self._wait(now)
            if not admitted:
                return
        # Made at once: what the event speaks of may be another thing by then.
        self._put(self._line(event, level, subsystem), level)

    def flush(self) -> None:
        """
        Write what has come so far.
        """
        if self._gathering is not None:
            self._gathering.cancel()
            self._gathering = None
        pending, self._pending = self._pending, []
        if pending:
            self._write([each if isinstance(each, str) else self._line_of(each) for each in pending])

    def close(self) -> None:
        """
        Write everything, and tell what was held back. What comes later still is written at once.
        """
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._closed = True
        self._tell(float("inf"))
        self.flush()

    def _put(self, what: str | LogEvent, level: str) -> None:
        self._pending.append(what)
        if self._closed:
            self.flush()
        elif not self._asked and (level in _URGENT or len(self._pending) >= MANY):
            self._asked = True
            self._at_turn_end(self._turn_ended)
        elif self._gathering is None and not self._asked:
            self._gathering = self._clock.callLater(GATHER, self._gathered)

    def _turn_ended(self) -> None:
        self._asked = False
        self.flush()

    def _gathered(self) -> None:
        self._gathering = None
        self.flush()

    def _line(self, event: LogEvent, level: str, subsystem: str) -> str:
        try:
            return self._form.line(event, level, subsystem)
        except Exception as error:
            return f"unloggable event of {printable(subsystem)}: {type(error).__name__}"

    def _line_of(self, event: LogEvent) -> str:
        return self._line(event, event["log_level"].name, event["log_namespace"])

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
            subsystem = subsystem_of(sample.get("log_namespace"))
            event: LogEvent = {
                "log_format": "{log_said} ... repeated {repeated:,} times in the last {log_window:g} s",
                "log_said": message_of(sample),
                "log_window": WINDOW,
                "endpoint": sample.get("endpoint"),
                "client": sample.get("client"),
                "repeated": folded.count,
            }
            self._put(self._line(event, level, subsystem), level)


classImplements(LogWriter, ILogObserver)
