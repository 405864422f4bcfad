"""
From an event to the line, or for a bug the lines, that tells of it.

Every value stays on its line, whatever is in it; see :mod:`pico.log.escape`. The lines of a traceback that follow the
first begin with spaces, which no other line does.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from typing import Final, Protocol

import msgspec
from twisted.logger import LogEvent, formatEvent

from pico.log.escape import cut, printable
from pico.log.records import AccessRecord, Recordable

_COLORS: Final = {"debug": "\x1b[2m", "warn": "\x1b[33m", "error": "\x1b[31m", "critical": "\x1b[31m"}
_RESET: Final = "\x1b[0m"

#: What systemd's journal reads at the beginning of a line (sd-daemon(3)).
_PRIORITIES: Final = {"debug": "<7>", "info": "<6>", "warn": "<4>", "error": "<3>", "critical": "<2>"}

#: Wide enough for most names, with the colon behind them, so that messages begin in one column.
_WIDTH: Final = 13

#: Fields of an event that are Twisted's bookkeeping; so is what begins with ``log_``.
_INTERNAL: Final = frozenset({"isError", "message", "time", "system", "format", "failure", "why"})

#: The event field that holds a :class:`pico.log.records.Recordable`; the event's format names it alone.
RECORD: Final = "log_record"

#: Bytes of one line, without a traceback.
MAX_LINE: Final = 16_384


class Form(Protocol):
    """
    A way to write events.
    """

    def line(self, event: LogEvent, level: str, subsystem: str) -> str:
        """
        Write an event, without a line feed at the end.
        """


class TextForm:
    """
    Lines for people: time, level, subsystem, what happened.
    """

    def __init__(self, *, color: bool = False, journal: bool = False) -> None:
        """
        :param color: mark levels by colour, for terminals.
        :param journal: for systemd's journal, which keeps the time itself and takes the level from a prefix.
        """
        self._color = color
        self._journal = journal
        self._clock = _Stamps("%Y-%m-%d %H:%M:%S", time.localtime, "")
        # Levels and subsystems are written in the code, so there are only so many.
        self._labels: dict[tuple[str, str], str] = {}

    def line(self, event: LogEvent, level: str, subsystem: str) -> str:
        """
        Write an event.
        """
        label = self._labels.get((level, subsystem))
        if label is None:
            label = self._labels[level, subsystem] = self._label(level, subsystem)
        when = "" if self._journal else self._clock.stamp(_time_of(event))
        text = f"{when}{label} {cut(printable(message_of(event)), MAX_LINE)}"
        traceback = _traceback_of(event)
        if traceback:
            prefix = _PRIORITIES.get(level, "<6>") if self._journal else ""
            more = [f"\n{prefix}    {printable(line)}" for line in traceback.rstrip().split("\n")]
            text += "".join(more)
        return text

    def _label(self, level: str, subsystem: str) -> str:
        """
        What stands between time and message.
        """
        if self._journal:
            mark = _PRIORITIES.get(level, "<6>")
        elif self._color and level in _COLORS:
            mark = f" {_COLORS[level]}{level:5}{_RESET} "
        else:
            mark = f" {level:5} "
        return f"{mark}{subsystem + ':':{_WIDTH}}"


class JSONForm:
    """
    One object a line, for programs: ``time``, ``level``, ``subsystem``, ``message``, then the fields of the event.
    """

    def __init__(self) -> None:
        self._clock = _Stamps("%Y-%m-%dT%H:%M:%S", time.gmtime, "Z")

    def line(self, event: LogEvent, level: str, subsystem: str) -> str:
        """
        Write an event.
        """
        when = self._clock.stamp(_time_of(event))
        ended: Recordable | None = event.get(RECORD)
        if ended is not None:
            rest = _encoded(ended.record())
            return f'{{"time":"{when}","level":"{level}","subsystem":"{subsystem}","message":"request",{rest[1:]}'
        fields: dict[str, object] = {
            "time": when,
            "level": level,
            "subsystem": subsystem,
            "message": cut(message_of(event), MAX_LINE),
        }
        for name, value in event.items():
            if not name.startswith("log_") and name not in _INTERNAL and name not in fields and value is not None:
                fields[name] = value if isinstance(value, int | float) else cut(str(value), MAX_LINE)
        traceback = _traceback_of(event)
        if traceback:
            fields["traceback"] = traceback
        return _encoded(fields)


class _Stamps:
    """
    Moments as text; the second, and the millisecond, that was asked for last is not worked out again.
    """

    def __init__(self, form: str, split: Callable[[float], time.struct_time], suffix: str) -> None:
        """
        :param suffix: behind the milliseconds.
        """
        self._form = form
        self._split = split
        self._suffix = suffix
        self._second = -1
        self._millisecond = -1
        self._text = ""
        self._stamp = ""

    def stamp(self, moment: float) -> str:
        second = int(moment)
        millisecond = int((moment - second) * 1000)
        if second != self._second:
            self._second = second
            self._text = time.strftime(self._form, self._split(second))
        elif millisecond == self._millisecond:
            return self._stamp
        self._millisecond = millisecond
        self._stamp = f"{self._text}.{millisecond:03d}{self._suffix}"
        return self._stamp


def message_of(event: LogEvent) -> str:
    """
    What an event says, as one text that may hold anything.
    """
    record = event.get(RECORD)
    if record is not None:
        return str(record)
    template = event.get("log_format")
    if isinstance(template, str):
        try:
            # What nearly all formats need, in a tenth of the time.
            return template.format_map(event)
        except Exception:
            pass  # Twisted's own has more ("{call()}"), and says so when an event cannot be formatted
    return formatEvent(event)


def _time_of(event: LogEvent) -> float:
    moment = event.get("log_time")
    return moment if isinstance(moment, float) else time.time()


def _traceback_of(event: LogEvent) -> str:
    failure = event.get("log_failure")
    return "" if failure is None else str(failure.getTraceback())


def _encoded(value: AccessRecord | Mapping[str, object]) -> str:
    """
    Write JSON in which everything but plain ASCII is escaped.
    """
    try:
        data = msgspec.json.encode(value)
    except (UnicodeEncodeError, TypeError, OverflowError):
        data = b""
    if data and data.isascii() and b"\x7f" not in data:
        return data.decode("ascii")
    return json.dumps(msgspec.to_builtins(value), separators=(",", ":"), default=str).replace("\x7f", "\\u007f")
