"""
Work that nobody waits for.
"""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.defer import Deferred
from twisted.logger import ILogObserver, LogEvent, Logger
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from pico.net.background import background


@implementer(ILogObserver)
class Events:
    """
    Remembers what is logged.
    """

    def __init__(self) -> None:
        self.seen: list[LogEvent] = []

    def __call__(self, event: LogEvent) -> None:
        """
        Remember.
        """
        self.seen.append(event)


class BackgroundTests(SynchronousTestCase):
    """
    Its failures are not lost.
    """

    def test_failure(self) -> None:
        """
        A failure is logged, with the name of the work.
        """
        events = Events()
        d: Deferred[None] = Deferred()
        background(d, Logger(observer=events), "counting sheep")
        d.errback(ZeroDivisionError())
        self.assertEqual([event["what"] for event in events.seen], ["counting sheep"])
        self.assertTrue(events.seen[0]["log_failure"].check(ZeroDivisionError))

    def test_quiet(self) -> None:
        """
        Neither success nor being cancelled is worth a word.
        """
        events = Events()
        ends: list[Callable[[Deferred[str]], None]] = [lambda d: d.callback("done"), lambda d: d.cancel()]
        for end in ends:
            d: Deferred[str] = Deferred()
            background(d, Logger(observer=events))
            end(d)
        self.assertEqual(events.seen, [])
