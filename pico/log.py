"""
What becomes of log events: lines for people or for programs.

Twisted's logger carries the events; here are the observers. Values come in, not configuration, so that everybody may
use this.
"""

from __future__ import annotations

import json
import time
from collections.abc import Collection
from typing import TextIO

from twisted.logger import (
    ILogObserver,
    LogEvent,
    LogLevel,
    formatEvent,
    globalLogBeginner,
)
from zope.interface import implementer

_LEVELS = {"debug": 0, "info": 1, "warn": 2, "error": 3, "critical": 4}
_COLORS = {"debug": "\x1b[2m", "warn": "\x1b[33m", "error": "\x1b[31m", "critical": "\x1b[31m"}
_RESET = "\x1b[0m"

#: Fields of an event that are Twisted's bookkeeping.
_INTERNAL = ("log_", "isError", "message", "time", "system", "format")


@implementer(ILogObserver)
class Lines:
    """
    Write each event that is loud enough as one line.

    Nothing raises from here: an event that cannot be written is written as the fact that it could not be.
    """

    def __init__(
        self,
        stream: TextIO,
        *,
        level: str = "info",
        subsystems: Collection[str] = (),
        as_json: bool = False,
        color: bool = False,
    ) -> None:
        """
        :param level: the lowest that is written.
        :param subsystems: namespaces of which everything is written.
        :param color: mark levels by colour; never with ``as_json``.
        """
        self._stream = stream
        self._lowest = _LEVELS[level]
        self._subsystems = frozenset(subsystems)
        self._as_json = as_json
        self._color = color

    def __call__(self, event: LogEvent) -> None:
        """
        Write an event.
        """
        level = event.get("log_level", LogLevel.info).name
        subsystem = str(event.get("log_namespace", "-"))
        foreign = subsystem.startswith("twisted") or subsystem in ("-", "log_legacy")
        if _LEVELS.get(level, 1) < (2 if foreign else self._lowest) and subsystem not in self._subsystems:
            return
        try:
            line = self._json(event, level, subsystem) if self._as_json else self._text(event, level, subsystem)
        except Exception as error:
            line = f"unloggable event of {subsystem}: {error!r}"
        try:
            self._stream.write(line + "\n")
            self._stream.flush()
        except (OSError, ValueError):
            pass  # the log is gone; the work is more important

    def _text(self, event: LogEvent, level: str, subsystem: str) -> str:
        when = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(event.get("log_time", time.time())))
        mark = f"{level:5}"
        if self._color and level in _COLORS:
            mark = f"{_COLORS[level]}{mark}{_RESET}"
        text = formatEvent(event).replace("\n", " ")
        line = f"{when} {mark} {subsystem}: {text}"
        failure = event.get("log_failure")
        if failure is not None:
            line += "\n" + failure.getTraceback().rstrip()
        return line

    def _json(self, event: LogEvent, level: str, subsystem: str) -> str:
        moment = event.get("log_time", time.time())
        record: dict[str, object] = {
            "level": level,
            "ts": time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(moment)) + f".{int(moment % 1 * 1000):03d}Z",
            "subsystem": subsystem,
            "msg": formatEvent(event),
        }
        for name, value in event.items():
            if not name.startswith(_INTERNAL) and value is not None:
                record[name] = value if isinstance(value, str | int | float | bool) else str(value)
        failure = event.get("log_failure")
        if failure is not None:
            record["traceback"] = failure.getTraceback()
        return json.dumps(record, ensure_ascii=False)


def start_logging(stream: TextIO, *, level: str, subsystems: Collection[str], as_json: bool, color: bool) -> None:
    """
    Send all log events of this process to a stream.
    """
    observer = Lines(stream, level=level, subsystems=subsystems, as_json=as_json, color=color)
    globalLogBeginner.beginLoggingTo([observer], redirectStandardIO=False, discardBuffer=True)
