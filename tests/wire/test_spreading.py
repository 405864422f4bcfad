"""
Tests for :mod:`pico.wire.spreading`.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from pico.wire.dialling import Backoff
from pico.wire.spreading import MAX_LOOK, Spreading, Worth

#: The largest jitter that ``random.random()`` gives, almost.
MOST = 1 - 2**-53


class SpreadingTests(SynchronousTestCase):
    """
    Tunnels of one endpoint, and their nodes.
    """

    def test_worth(self) -> None:
        """
        A node of its own is what a tunnel is to have; a second one at a node is better than none, and than one whose
        node leaves, but no better than another that serves.
        """
        for node, others, serves, worth in (
            ("a", [], False, Worth.APART),
            ("a", [], True, Worth.APART),
            ("a", ["b", "c"], False, Worth.APART),
            ("a", ["b", "c"], True, Worth.APART),
            ("b", ["b", "c"], False, Worth.SECOND),
            ("b", ["b", "c"], True, Worth.USELESS),
            ("", [""], False, Worth.APART),
            ("", [""], True, Worth.APART),
        ):
            self.assertIs(Spreading().judge(node, others, serves=serves), worth, (node, others, serves))

    def test_looks(self) -> None:
        """
        The first looks come soon, later ones once a minute at the most; useless tunnels do not change that.
        """
        spreading = Spreading()
        waits = []
        for _ in range(12):
            spreading.judge("a", ["a"], serves=True)
            waits.append(round(spreading.next_look(MOST), 6))
        self.assertEqual(waits, [0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8, 25.6, 51.2, 60.0, 60.0, 60.0])
        self.assertEqual(MAX_LOOK, 60.0)

    def test_anew(self) -> None:
        """
        After a tunnel that was taken, the looks begin anew.
        """
        for node, serves in (("b", True), ("b", False), ("a", False)):
            spreading = Spreading(Backoff())
            for _ in range(8):
                spreading.next_look(MOST)
            spreading.judge(node, ["a"], serves=serves)
            self.assertAlmostEqual(0.2, spreading.next_look(MOST))
