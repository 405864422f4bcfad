"""
Tests for :mod:`pico.wire.dialling`.
"""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from pico.wire.dialling import GO_AWAY_SPREAD, MAX_RETRY_AFTER, Backoff, Patience, Verdict, retry_after, verdict

#: The largest jitter that ``random.random()`` gives, almost.
MOST = 1 - 2**-53


class VerdictTests(SynchronousTestCase):
    """
    What an answer means.
    """

    def test_table(self) -> None:
        """
        What may pass by itself is retried, everything else is final.
        """
        retried: list[int | None] = [None, 408, 425, 429, 500, 502, 503, 504]
        self.assertEqual(retried, [status for status in [None, *range(100, 600)] if verdict(status) is Verdict.RETRY])
        for status in (200, 301, 400, 401, 403, 404, 405, 426, 501):
            self.assertIs(Verdict.FINAL, verdict(status))


class RetryAfterTests(SynchronousTestCase):
    """
    When a refusal asks to be left alone.
    """

    def test_seconds(self) -> None:
        """
        Only 429 and 503 may ask, in seconds.
        """
        self.assertEqual(7.0, retry_after(503, b"7"))
        self.assertEqual(7.0, retry_after(429, b"7"))
        for status in (401, 404, 500, 502):
            self.assertEqual(0.0, retry_after(status, b"7"))

    def test_nonsense(self) -> None:
        """
        What is not a number of seconds asks for nothing.
        """
        for value in (b"", b"-1", b"1.5", b"soon", b" 7", b"Wed, 21 Oct 2026 07:28:00 GMT"):
            self.assertEqual(0.0, retry_after(503, value))

    def test_cap(self) -> None:
        """
        Nobody is kept away for longer than five minutes.
        """
        self.assertEqual(300.0, MAX_RETRY_AFTER)
        for value in (b"301", b"86400", b"9" * 500):
            self.assertEqual(300.0, retry_after(503, value))


class BackoffTests(SynchronousTestCase):
    """
    How waits grow.
    """

    def test_bounds(self) -> None:
        """
        The bound doubles up to the maximum and stays there.
        """
        backoff = Backoff()
        bounds = [round(backoff.next_delay(MOST), 6) for _ in range(10)]
        self.assertEqual([0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8, 15.0, 15.0, 15.0], bounds)

    def test_least(self) -> None:
        """
        No wait is shorter than the minimum, nor than a quarter of the bound.
        """
        backoff = Backoff()
        least = [round(backoff.next_delay(0.0), 6) for _ in range(9)]
        self.assertEqual([0.1, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 3.75, 3.75], least)

    def test_first_wait_is_spread(self) -> None:
        """
        Many who lost the same node at once come back at different moments.
        """
        waits = [Backoff().next_delay(index / 100) for index in range(100)]
        self.assertEqual(100, len(set(waits)))
        self.assertGreater(max(waits) - min(waits), 0.09)

    def test_reset(self) -> None:
        """
        After a success the waits are short again.
        """
        backoff = Backoff()
        for _ in range(9):
            backoff.next_delay(0.5)
        backoff.reset()
        self.assertAlmostEqual(0.2, backoff.next_delay(MOST))

    def test_reset_half_way(self) -> None:
        """
        After half a success they go on where they are told, but never below the minimum.
        """
        backoff = Backoff()
        for bound, following in ((0.0, 0.2), (0.4, 0.8), (0.01, 0.2), (15.0, 15.0)):
            backoff.reset(bound)
            self.assertAlmostEqual(following, backoff.next_delay(MOST))
            self.assertAlmostEqual(following, backoff.bound)

    @settings(derandomize=True, deadline=None, max_examples=100)
    @given(
        st.floats(0.01, 1),
        st.floats(1, 100),
        st.lists(st.floats(0, 1, exclude_max=True), min_size=1, max_size=20),
    )
    def test_limits(self, minimum: float, maximum: float, jitters: list[float]) -> None:
        """
        No wait is shorter than the minimum or longer than the maximum.
        """
        backoff = Backoff(minimum, maximum)
        for jitter in jitters:
            delay = backoff.next_delay(jitter)
            self.assertTrue(minimum <= delay <= maximum, delay)


class PatienceTests(SynchronousTestCase):
    """
    When to dial again.
    """

    def patience(self) -> Patience:
        """
        The usual one.
        """
        return Patience(Backoff())

    def test_retried_refusal(self) -> None:
        """
        A refusal that may pass is retried with growing waits.
        """
        patience = self.patience()
        waits = [patience.refused(status, 0.0, MOST) for status in (None, 503, 502)]
        self.assertEqual([0.2, 0.4, 0.8], [round(wait, 6) for wait in waits])

    def test_node_asks(self) -> None:
        """
        When the node asks for a longer wait it gets one, spread; a shorter one changes nothing.
        """
        patience = self.patience()
        self.assertEqual(10.0, patience.refused(503, 10.0, 0.0))
        self.assertAlmostEqual(12.5, patience.refused(503, 10.0, MOST))
        for _ in range(8):
            patience.refused(503, 0.0, MOST)
        self.assertAlmostEqual(15.0, patience.refused(503, 1.0, MOST))

    def test_final_refusal(self) -> None:
        """
        A final refusal is retried slowly, and makes later waits no longer.
        """
        patience = self.patience()
        for status in (401, 403, 404):
            self.assertEqual(60.0, patience.refused(status, 0.0, 0.0))
            self.assertAlmostEqual(75.0, patience.refused(status, 0.0, MOST))
        self.assertAlmostEqual(0.2, patience.refused(503, 0.0, MOST))

    def test_lost(self) -> None:
        """
        A tunnel that stood for a while is dialled again soon, whatever went before.
        """
        patience = self.patience()
        for _ in range(8):
            patience.refused(None, 0.0, MOST)
        self.assertAlmostEqual(0.2, patience.lost(5.0, MOST))

    def test_flapping(self) -> None:
        """
        A node that takes tunnels and drops them at once is left alone for longer and longer.
        """
        patience = self.patience()
        waits = [round(patience.lost(0.01, MOST), 6) for _ in range(9)]
        self.assertEqual([0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8, 15.0, 15.0], waits)

    def test_fallen_after_refusals(self) -> None:
        """
        A tunnel that was had does not pay for the refusals before it, only for tunnels that fell like it.
        """
        patience = self.patience()
        waits = []
        for _ in range(4):
            for _ in range(8):
                patience.refused(None, 0.0, MOST)
            waits.append(round(patience.lost(0.01, MOST), 6))
        self.assertEqual([0.2, 0.4, 0.8, 1.6], waits)

    def test_crash_loop(self) -> None:
        """
        A node that falls at once after each start is left alone for longer and longer also while it is down.
        """
        patience = self.patience()
        for _ in range(8):
            patience.lost(0.01, MOST)
        self.assertAlmostEqual(15.0, patience.refused(None, 0.0, MOST))

    def test_go_away(self) -> None:
        """
        After a go-away the agent is back at once, whatever went before and however short the tunnel stood.
        """
        patience = self.patience()
        for _ in range(8):
            patience.lost(0.01, MOST)
        for _ in range(5):
            self.assertAlmostEqual(GO_AWAY_SPREAD, patience.relieved(MOST))
            self.assertAlmostEqual(0.2, patience.refused(503, 0.0, MOST))
            for _ in range(5):
                patience.refused(503, 1.0, MOST)
            self.assertAlmostEqual(0.2, patience.lost(1.0, MOST))
            self.assertAlmostEqual(0.4, patience.refused(None, 0.0, MOST))

    def test_go_away_is_spread(self) -> None:
        """
        Those whom a node asks to go away come back at different moments, with and without another node.
        """
        spread = [index / 100 for index in range(100)]
        self.assertEqual(100, len({self.patience().relieved(jitter) for jitter in spread}))
        waits = set()
        for jitter in spread:
            patience = self.patience()
            patience.relieved(jitter)
            waits.add(patience.lost(0.01, jitter))
        self.assertEqual((100, 0.1), (len(waits), min(waits)))
        self.assertGreater(max(waits), 0.19)
