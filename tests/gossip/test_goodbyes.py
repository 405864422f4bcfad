"""
Tests for :mod:`pico.gossip.goodbyes`.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from pico.gossip.goodbyes import Goodbyes
from tests.cluster.members import life


class GoodbyesTests(SynchronousTestCase):
    """
    Who is told, and how often.
    """

    def setUp(self) -> None:
        """
        Two are to be told, until they know or for a second.
        """
        self.a, self.b = life("a"), life("b")
        self.goodbyes = Goodbyes(0.4)
        self.assertTrue(self.goodbyes.is_over(0.0))
        self.goodbyes.begin({1: self.a, 2: self.b}, 10.0, 11.0)

    def test_told_again(self) -> None:
        """
        Who has not answered is told again after a while.
        """
        self.assertEqual(self.goodbyes.due(10.0), [(1, self.a), (2, self.b)])
        self.assertEqual(self.goodbyes.due(10.3), [])
        self.assertTrue(self.goodbyes.heard(1, self.a))
        self.assertEqual(self.goodbyes.due(10.4), [(2, self.b)])

    def test_heard(self) -> None:
        """
        Only the answer of whom it was said to counts, and once.
        """
        for number, peer, counts in ((1, self.b, False), (3, self.a, False), (1, self.a, True), (1, self.a, False)):
            self.assertEqual(self.goodbyes.heard(number, peer), counts)
        self.assertEqual(self.goodbyes.told, 1)
        self.assertEqual((list(self.goodbyes.numbers_of(self.a)), list(self.goodbyes.numbers_of(self.b))), ([], [2]))

    def test_over(self) -> None:
        """
        It is over when all know, or there is no time left.
        """
        self.assertFalse(self.goodbyes.is_over(10.9))
        self.assertTrue(self.goodbyes.is_over(11.0))
        self.goodbyes.heard(1, self.a)
        self.goodbyes.heard(2, self.b)
        self.assertTrue(self.goodbyes.is_over(10.0))
