"""
Tests for :mod:`pico.net.waiters`.
"""

from __future__ import annotations

from twisted.internet.defer import CancelledError, Deferred
from twisted.trial.unittest import SynchronousTestCase

from pico.net.waiters import Waiters


class WaitersTests(SynchronousTestCase):
    """
    Who hears what.
    """

    def setUp(self) -> None:
        """
        Nobody waits yet.
        """
        self.waiters: Waiters[str] = Waiters()
        self.heard: list[str] = []

    def wait(self, name: str) -> Deferred[str]:
        """
        Wait.
        """

        def told(what: str) -> str:
            self.heard.append(f"{name}: {what}")
            return what

        return self.waiters.wait().addCallback(told)

    def test_told(self) -> None:
        """
        Everybody who waits is told once, in order; who comes later waits for the next time.
        """
        self.waiters.tell("too early")
        self.wait("a")
        self.wait("b")
        self.assertEqual(len(self.waiters), 2)
        self.waiters.tell("now")
        self.assertEqual(len(self.waiters), 0)
        self.wait("c")
        self.waiters.tell("again")
        self.assertEqual(self.heard, ["a: now", "b: now", "c: again"])

    def test_given_up(self) -> None:
        """
        Who gives up is told nothing.
        """
        given_up = self.wait("a")
        self.wait("b")
        given_up.cancel()
        self.failureResultOf(given_up, CancelledError)
        self.assertEqual(len(self.waiters), 1)
        self.waiters.tell("now")
        self.assertEqual(self.heard, ["b: now"])

    def test_meanwhile(self) -> None:
        """
        What one is told may make another give up, who is told nothing then, and a third begin to wait, who is told the
        next time.
        """
        first = self.wait("a")
        second = self.wait("b")

        def told(what: str) -> str:
            second.cancel()
            self.wait("c")
            return what

        first.addCallback(told)
        self.waiters.tell("now")
        self.failureResultOf(second, CancelledError)
        self.assertEqual((self.heard, len(self.waiters)), (["a: now"], 1))
        self.waiters.tell("again")
        self.assertEqual(self.heard, ["a: now", "c: again"])
