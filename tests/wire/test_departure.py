"""
Tests for :mod:`pico.wire.departure`.
"""

from __future__ import annotations

from math import inf

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from pico.wire.departure import Action, Departure, State


class DepartureTests(SynchronousTestCase):
    """
    How a tunnel leaves.
    """

    def leaving(self, streams: int, grace: float = 60, linger: float = 1) -> Departure:
        """
        A departure that began at 100 s.
        """
        departure = Departure(grace, linger=linger)
        departure.streams(streams, 90)
        departure.begin(100)
        return departure

    def test_serving(self) -> None:
        """
        Before it begins nothing is due, however many streams come and go.
        """
        departure = Departure(60)
        for count in (0, 3, 0):
            self.assertIs(Action.NONE, departure.streams(count, 10))
        self.assertIsNone(departure.next_deadline())
        self.assertIs(Action.NONE, departure.handle_timer(1e9))
        self.assertIs(State.SERVING, departure.state)

    def test_streams_end(self) -> None:
        """
        It is over when the last stream has ended.
        """
        departure = self.leaving(2)
        self.assertIs(State.LEAVING, departure.state)
        self.assertIs(Action.NONE, departure.streams(1, 110))
        self.assertIs(Action.CLOSE, departure.streams(0, 120))
        self.assertIs(State.GONE, departure.state)

    def test_grace_ends(self) -> None:
        """
        What still runs when the grace period ends is cut.
        """
        departure = self.leaving(2)
        self.assertEqual(160, departure.next_deadline())
        self.assertIs(Action.NONE, departure.handle_timer(159.9))
        self.assertIs(Action.CUT, departure.handle_timer(160))
        self.assertIs(State.GONE, departure.state)

    def test_linger(self) -> None:
        """
        Without streams it stays for a moment, for those that are still on their way.
        """
        departure = self.leaving(0)
        self.assertEqual(101, departure.next_deadline())
        self.assertIs(Action.NONE, departure.handle_timer(100.9))
        self.assertIs(Action.CLOSE, departure.handle_timer(101))

    def test_streams_end_within_linger(self) -> None:
        """
        The moment is kept also when the last stream ends early.
        """
        departure = self.leaving(1)
        self.assertIs(Action.NONE, departure.streams(0, 100.2))
        self.assertEqual(101, departure.next_deadline())
        self.assertIs(Action.CLOSE, departure.handle_timer(101))

    def test_stream_comes_late(self) -> None:
        """
        A stream that came before the go-away was heard is served.
        """
        departure = self.leaving(0)
        self.assertIs(Action.NONE, departure.streams(1, 100.5))
        self.assertIs(Action.NONE, departure.handle_timer(101))
        self.assertIs(Action.CLOSE, departure.streams(0, 130))

    def test_no_linger(self) -> None:
        """
        Without a moment to stay it is over at once.
        """
        departure = Departure(60)
        self.assertIs(Action.CLOSE, departure.begin(100))

    def test_no_grace(self) -> None:
        """
        Without a grace period everything ends at once, and the moment does not outlast it.
        """
        departure = Departure(0, linger=1)
        departure.streams(1, 90)
        self.assertIs(Action.CUT, departure.begin(100))
        self.assertIs(Action.CLOSE, Departure(-5, linger=1).begin(100))

    def test_begins_once(self) -> None:
        """
        Beginning again gives no more time.
        """
        departure = self.leaving(1)
        self.assertIs(Action.NONE, departure.begin(150))
        self.assertEqual(160, departure.next_deadline())

    def test_hurry(self) -> None:
        """
        Less time can be given on the way, more cannot.
        """
        departure = self.leaving(1)
        self.assertIs(Action.NONE, departure.hurry(10, 105))
        self.assertEqual(115, departure.next_deadline())
        departure.hurry(100, 106)
        self.assertEqual(115, departure.next_deadline())
        self.assertIs(Action.CUT, departure.handle_timer(115))
        self.assertIs(Action.CUT, self.leaving(1).hurry(0, 105))
        self.assertIs(Action.CLOSE, self.leaving(0).hurry(0, 100.1))

    def test_hurry_before(self) -> None:
        """
        What is given before it begins counts from then.
        """
        departure = Departure(60)
        departure.streams(1, 90)
        self.assertIs(Action.NONE, departure.hurry(5, 90))
        departure.begin(100)
        self.assertEqual(105, departure.next_deadline())

    def test_without_end(self) -> None:
        """
        Without a limit streams may take all the time in the world.
        """
        departure = self.leaving(1, grace=inf)
        self.assertIs(Action.NONE, departure.handle_timer(1e9))
        self.assertIs(Action.CLOSE, departure.streams(0, 1e9))

    def test_over_once(self) -> None:
        """
        That it is over is said once.
        """
        departure = self.leaving(0)
        departure.handle_timer(101)
        self.assertIsNone(departure.next_deadline())
        for action in (departure.handle_timer(200), departure.streams(0, 200), departure.begin(200)):
            self.assertIs(Action.NONE, action)

    @settings(derandomize=True, deadline=None, max_examples=100)
    @given(
        st.floats(0, 60),
        st.floats(0, 5),
        st.lists(st.tuples(st.floats(0.01, 10), st.integers(0, 3)), max_size=20),
    )
    def test_always_ends(self, grace: float, linger: float, changes: list[tuple[float, int]]) -> None:
        """
        Whatever streams do it is over exactly once, not before the moment and not after the grace period.
        """
        departure = Departure(grace, linger=linger)
        now = 0.0
        over = [] if departure.begin(now) is Action.NONE else [now]
        for gap, count in changes:
            while (deadline := departure.next_deadline()) is not None and deadline <= now + gap:
                if departure.handle_timer(deadline) is not Action.NONE:
                    over.append(deadline)
            now += gap
            if departure.streams(count, now) is not Action.NONE:
                over.append(now)
        while (deadline := departure.next_deadline()) is not None:
            if departure.handle_timer(deadline) is not Action.NONE:
                over.append(deadline)
        self.assertEqual(1, len(over))
        self.assertTrue(min(linger, grace) <= over[0] <= grace + 1e-9, over)
