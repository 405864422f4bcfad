"""
Tests for :mod:`pico.wire.yamux.pings`.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from pico.wire.yamux.pings import Pings


class PingsTests(SynchronousTestCase):
    """
    Round trips and the peer's rate.
    """

    def test_one_at_a_time(self) -> None:
        """
        While a ping is unanswered there is no second; each next one has another value.
        """
        pings = Pings(10)
        self.assertEqual(0, pings.request(1.0))
        self.assertIsNone(pings.request(2.0))
        self.assertEqual(2.0, pings.answered(0, 3.0))
        self.assertEqual(1, pings.request(4.0))

    def test_answers_to_nothing(self) -> None:
        """
        An answer that was not asked for, has another value or comes twice is none.
        """
        pings = Pings(10)
        self.assertIsNone(pings.answered(0, 1.0))
        pings.request(1.0)
        self.assertIsNone(pings.answered(7, 2.0))
        self.assertIsNone(pings.rtt)
        self.assertEqual(3.0, pings.answered(0, 4.0))
        self.assertIsNone(pings.answered(0, 5.0))

    def test_falls_at_once_and_rises_slowly(self) -> None:
        """
        The round-trip time is the shortest seen lately; one long one moves it by an eighth of the difference.
        """
        pings = Pings(10)
        for sample, expected in [(0.8, 0.8), (0.1, 0.1), (0.9, 0.2), (0.1, 0.1)]:
            value = pings.request(10.0)
            self.assertIsNotNone(value)
            pings.answered(value or 0, 10.0 + sample)
            self.assertAlmostEqual(expected, pings.rtt or 0.0)

    def test_rate(self) -> None:
        """
        So many pings in a second and no more; in the next second there are as many again.
        """
        pings = Pings(3)
        self.assertEqual([True, True, True, False], [pings.tolerable(5.0 + i / 10) for i in range(4)])
        self.assertEqual([True, True, True, False], [pings.tolerable(6.0) for _ in range(4)])
