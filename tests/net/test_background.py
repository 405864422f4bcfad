"""
Work that nobody waits for.
"""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.trial.unittest import SynchronousTestCase

from pico.net.background import background


class BackgroundTests(SynchronousTestCase):
    """
    Its failures are not lost.
    """

    def test_failure(self) -> None:
        """
        A failure is logged, with the name of the work.
        """
        events: list[dict[str, object]] = []
        d: Deferred[None] = Deferred()
        background(d, Logger(observer=events.append), "counting sheep")
        d.errback(ZeroDivisionError())
        self.assertEqual([event["what"] for event in events], ["counting sheep"])
        self.assertTrue(events[0]["log_failure"].check(ZeroDivisionError))

    def test_quiet(self) -> None:
        """
        Neither success nor being cancelled is worth a word.
        """
        events: list[dict[str, object]] = []
        for end in (lambda d: d.callback("done"), lambda d: d.cancel()):
            d: Deferred[str] = Deferred()
            background(d, Logger(observer=events.append))
            end(d)
        self.assertEqual(events, [])
