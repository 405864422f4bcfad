"""
Tests for :mod:`pico.gossip.errands`.
"""

from __future__ import annotations

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from twisted.trial.unittest import SynchronousTestCase

from pico.gossip.admission import Session
from pico.gossip.errands import Errand, Errands
from pico.gossip.replay import ReplayWindow
from pico.gossip.seal import Opener

SESSION = Session(b"asked us", Opener(AESGCM(bytes(16)), 0), ReplayWindow(0), ("10.0.0.1", 1), 0.0)


class ErrandsTests(SynchronousTestCase):
    """
    Pings for others.
    """

    def setUp(self) -> None:
        """
        Two of them, and room for no more.
        """
        self.errands = Errands(2)
        self.one, self.other = (Errand(token, SESSION, 7, until) for token, until in ((b"a", 1.0), (b"b", 2.0)))
        self.errands.begin(1, self.one)
        self.assertFalse(self.errands.full)
        self.errands.begin(2, self.other)
        self.assertTrue(self.errands.full)

    def test_answered(self) -> None:
        """
        One is done when whom it was about has answered it, and only then.
        """
        for number, token, done in ((1, b"b", None), (3, b"a", None), (1, b"a", self.one), (1, b"a", None)):
            self.assertIs(self.errands.answered(number, token), done)
        self.assertEqual(len(self.errands), 1)

    def test_overdue(self) -> None:
        """
        Those that have had their time are given up, once.
        """
        for now, over in ((0.9, []), (1.0, [self.one]), (1.0, []), (5.0, [self.other])):
            self.assertEqual(self.errands.overdue(now), over)
        self.assertFalse(self.errands)
