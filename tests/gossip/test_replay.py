"""
Tests for :mod:`pico.gossip.replay`.
"""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from pico.gossip.replay import WINDOW, ReplayWindow


class ReplayWindowTests(SynchronousTestCase):
    """
    Nothing is taken twice.
    """

    def test_in_order(self) -> None:
        """
        Datagrams are taken once, in any order within the window.
        """
        window = ReplayWindow(10)
        taken = [window.take(counter) for counter in (11, 12, 12, 15, 14, 13, 13, 11, 16)]
        self.assertEqual([True, True, False, True, True, True, False, False, True], taken)

    def test_before_the_first(self) -> None:
        """
        What was sent before the life was known to be real is never taken.
        """
        window = ReplayWindow(10)
        self.assertEqual([False] * 11, [window.take(counter) for counter in range(11)])
        window.take(20)
        self.assertFalse(window.take(10))
        self.assertTrue(window.take(11))

    def test_too_late(self) -> None:
        """
        What was overtaken by a whole window counts as seen.
        """
        window = ReplayWindow(0)
        window.take(WINDOW + 5)
        self.assertFalse(window.take(5))
        self.assertTrue(window.take(6))

    def test_far_ahead(self) -> None:
        """
        A jump forgets what lies behind the window, and takes what lies within.
        """
        window = ReplayWindow(0)
        for jump in (WINDOW - 1, WINDOW, WINDOW + 1, 2**40):
            window = ReplayWindow(0)
            self.assertTrue(window.take(1))
            self.assertTrue(window.take(1 + jump))
            self.assertFalse(window.take(1 + jump))
            self.assertFalse(window.take(1))
            self.assertTrue(window.take(jump))

    @settings(derandomize=True, deadline=None, max_examples=60)
    @given(st.lists(st.integers(0, 3000), max_size=60))
    def test_never_twice(self, counters: list[int]) -> None:
        """
        Whatever comes, each is taken once at most, and always when it is not too old.
        """
        window = ReplayWindow(500)
        taken: set[int] = set()
        highest = 500
        for counter in counters:
            new = counter > 500 and counter not in taken and counter > highest - WINDOW
            self.assertEqual(new, window.take(counter), counter)
            if new:
                taken.add(counter)
                highest = max(highest, counter)
