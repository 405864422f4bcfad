"""
Log events, kept to be looked at.
"""

from __future__ import annotations

from twisted.logger import ILogObserver, LogEvent, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from pico.log.lines import RECORD, message_of
from pico.log.records import AccessRecord


@implementer(ILogObserver)
class LogEvents:
    """
    Keep every event.
    """

    def __init__(self) -> None:
        self.events: list[LogEvent] = []

    def __call__(self, event: LogEvent) -> None:
        self.events.append(event)

    def records(self) -> list[AccessRecord]:
        """
        What the access log was told.
        """
        return [event[RECORD].record() for event in self.events if RECORD in event]

    def said(self, subsystem: str) -> list[str]:
        """
        What a subsystem said, with the level.
        """
        return [
            f"{event['log_level'].name}: {message_of(event)}"
            for event in self.events
            if event["log_namespace"] == subsystem
        ]


def keep_log_events(test: SynchronousTestCase) -> LogEvents:
    """
    Keep all events of a test.
    """
    events = LogEvents()
    globalLogPublisher.addObserver(events)
    test.addCleanup(globalLogPublisher.removeObserver, events)
    return events
