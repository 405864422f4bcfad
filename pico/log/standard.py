"""
What others say through Python's own ``logging`` and ``warnings``.

Without this it would be printed as it is, past everything that a line of the log has gone through.
"""

from __future__ import annotations

import logging

from twisted.logger import ILogObserver, LogEvent, LogLevel
from twisted.python.failure import Failure

_LEVELS = {
    logging.DEBUG: LogLevel.debug,
    logging.INFO: LogLevel.info,
    logging.WARNING: LogLevel.warn,
    logging.ERROR: LogLevel.error,
    logging.CRITICAL: LogLevel.critical,
}


class StandardHandler(logging.Handler):
    """
    Make events of records.
    """

    def __init__(self, publish: ILogObserver) -> None:
        super().__init__(logging.WARNING)
        self._publish = publish

    def emit(self, record: logging.LogRecord) -> None:
        """
        Pass a record on.
        """
        try:
            said = record.getMessage()
        except Exception:
            said = f"a message that cannot be formatted: {record.msg!r}"
        event: LogEvent = {
            "log_level": _LEVELS.get(record.levelno, LogLevel.warn),
            "log_namespace": record.name,
            "log_time": record.created,
            "log_format": said.replace("{", "{{").replace("}", "}}"),
        }
        if record.exc_info is not None and record.exc_info[1] is not None:
            event["log_failure"] = Failure(record.exc_info[1], record.exc_info[0], record.exc_info[2])
        self._publish(event)


def publish_standard_logging(publish: ILogObserver) -> None:
    """
    Have all warnings and errors of ``logging``, and all of ``warnings``, published as events.
    """
    logging.getLogger().addHandler(StandardHandler(publish))
    logging.captureWarnings(True)
