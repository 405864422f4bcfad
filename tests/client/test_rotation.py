"""
Tests for :mod:`pico.client.rotation`.
"""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from pico.client.rotation import Rotation
from tests.client.support import RecordingUser
from tests.client.test_slot import FakeDialer


class RotationTests(SynchronousTestCase):
    """
    Three URLs.
    """

    def turns(self, first: int, count: int) -> list[int]:
        """
        Whose turn it was.
        """
        dialers = [FakeDialer(Clock()) for _ in range(3)]
        rotation = Rotation(dialers, first)
        found = []
        for _ in range(count):
            before = [len(dialer.tries) for dialer in dialers]
            rotation.dial("e", RecordingUser())
            found += [n for n, dialer in enumerate(dialers) if len(dialer.tries) > before[n]]
        return found

    def test_in_turn(self) -> None:
        """
        Each try goes to the next, and after the last to the first.
        """
        self.assertEqual(self.turns(0, 7), [0, 1, 2, 0, 1, 2, 0])

    def test_first(self) -> None:
        """
        Any of them can be the first.
        """
        self.assertEqual(self.turns(2, 3), [2, 0, 1])
        self.assertEqual(self.turns(7, 3), [1, 2, 0])
