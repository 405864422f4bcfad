"""
Work at the end of the turn.
"""

from __future__ import annotations

from functools import partial

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from pico.net.turn import Turn


class TurnTests(SynchronousTestCase):
    """
    Calls are collected and run together.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.turn = Turn(self.clock)
        self.made: list[str] = []

    def test_at_end(self) -> None:
        """
        Calls run in order, at the end of the turn and not before, on one timed call.
        """
        for name in "abc":
            self.turn.at_end(partial(self.made.append, name))
        self.assertEqual(self.made, [])
        self.assertEqual(len(self.clock.getDelayedCalls()), 1)
        self.clock.advance(0)
        self.assertEqual(self.made, ["a", "b", "c"])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_next_turn(self) -> None:
        """
        What a call asks for waits for the next turn, so that a turn always ends.
        """
        scheduled: list[int] = []

        def first() -> None:
            self.made.append("first")
            self.turn.at_end(lambda: self.made.append("asked for by first"))

        def second() -> None:
            self.made.append("second")
            scheduled.append(len(self.clock.getDelayedCalls()))

        self.turn.at_end(first)
        self.turn.at_end(second)
        self.clock.advance(0)
        self.assertEqual(self.made, ["first", "second", "asked for by first"])
        self.assertEqual(scheduled, [1])

    def test_failing_call(self) -> None:
        """
        A call that raises is logged and the others run, in this turn and in later ones.
        """

        def fail() -> None:
            raise ZeroDivisionError

        self.turn.at_end(fail)
        self.turn.at_end(lambda: self.made.append("a"))
        self.clock.advance(0)
        self.turn.at_end(lambda: self.made.append("b"))
        self.clock.advance(0)
        self.assertEqual(self.made, ["a", "b"])
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
