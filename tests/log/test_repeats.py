"""
Tests for :mod:`pico.log.repeats`.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from pico.log.repeats import FAMILY, WINDOW, Folded, Repeats


class RepeatsTests(SynchronousTestCase):
    """
    Messages that come again and again.
    """

    def test_few(self) -> None:
        """
        As many as the limit says pass; the others are told of when the window is over, with the first of them.
        """
        repeats: Repeats[str] = Repeats(3)
        passed = [repeats.admit("f", "k", f"m{n}", 100.0 + n) for n in range(5)]
        self.assertEqual(passed, [True, True, True, False, False])
        self.assertEqual(repeats.next_deadline(), 100.0 + WINDOW)
        self.assertEqual(repeats.handle_timer(100.0 + WINDOW - 0.001), [])
        self.assertEqual(repeats.handle_timer(100.0 + WINDOW), [Folded("m3", 2)])
        self.assertIsNone(repeats.next_deadline())

    def test_again(self) -> None:
        """
        After the window it begins anew.
        """
        repeats: Repeats[str] = Repeats(1)
        for window in range(3):
            now = window * WINDOW
            repeats.handle_timer(now)
            self.assertEqual([repeats.admit("f", "k", "m", now) for _ in range(3)], [True, False, False])

    def test_nothing_held(self) -> None:
        """
        Where nothing was held back there is nothing to tell.
        """
        repeats: Repeats[str] = Repeats(2)
        repeats.admit("f", "k", "m", 0)
        self.assertEqual(repeats.handle_timer(WINDOW), [])

    def test_keys(self) -> None:
        """
        What is said of others, and other messages, are counted apart.
        """
        repeats: Repeats[str] = Repeats(1)
        for family, key in (("f", "k"), ("f", "l"), ("g", "k")):
            self.assertTrue(repeats.admit(family, key, "m", 0))
            self.assertFalse(repeats.admit(family, key, f"{family}{key}", 0))
        self.assertEqual([f.sample for f in repeats.handle_timer(WINDOW)], ["fk", "fl", "gk"])

    def test_family(self) -> None:
        """
        A name that is another one each time does not help.
        """
        repeats: Repeats[str] = Repeats(2)
        passed = [repeats.admit("f", f"k{n}", f"m{n}", 0) for n in range(1000)]
        self.assertEqual(passed.count(True), 2 * FAMILY)
        self.assertTrue(repeats.admit("g", "k0", "m", 0))
        self.assertEqual(repeats.handle_timer(WINDOW), [Folded(f"m{2 * FAMILY}", 1000 - 2 * FAMILY)])

    def test_bounded(self) -> None:
        """
        The table does not grow beyond its size, and what finds no room is bounded as well.
        """
        repeats: Repeats[str] = Repeats(1, size=10)
        passed = [repeats.admit(f"f{n}", f"k{n}", "m", 0) for n in range(1000)]
        self.assertEqual(len(repeats), 10 + 1)
        self.assertEqual(passed.count(True), 5 + FAMILY)
        self.assertEqual(sum(folded.count for folded in repeats.handle_timer(WINDOW)), 1000 - passed.count(True))
        self.assertEqual(len(repeats), 0)

    def test_overlapping_windows(self) -> None:
        """
        Each key has a window of its own.
        """
        repeats: Repeats[str] = Repeats(1)
        for key, now in (("k", 0.0), ("l", 4.0)):
            repeats.admit(key, key, "m", now)
            repeats.admit(key, key, key, now)
        self.assertEqual(repeats.handle_timer(WINDOW), [Folded("k", 1)])
        self.assertEqual(repeats.next_deadline(), 4.0 + WINDOW)
        self.assertEqual(repeats.handle_timer(4.0 + WINDOW), [Folded("l", 1)])
