"""
Tests for :mod:`pico.wire.keepalive`.
"""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from pico.wire.keepalive import Action, KeepAlive


class KeepAliveTests(SynchronousTestCase):
    """
    When a peer is asked, and when it is given up.
    """

    def watch(self, now: float = 0.0) -> KeepAlive:
        """
        Watch with the usual times.
        """
        watch = KeepAlive(30, 10)
        watch.start(now)
        return watch

    def test_silence(self) -> None:
        """
        After 30 s without a byte the peer is asked, after 10 more it is dead.
        """
        watch = self.watch(100)
        self.assertEqual(130, watch.next_deadline())
        self.assertIs(Action.PING, watch.handle_timer(130))
        self.assertTrue(watch.ping_sent)
        self.assertEqual(140, watch.next_deadline())
        self.assertIs(Action.DEAD, watch.handle_timer(140))

    def test_early(self) -> None:
        """
        Asking too early does nothing, and moves nothing.
        """
        watch = self.watch()
        self.assertIs(Action.NONE, watch.handle_timer(29.9))
        watch.handle_timer(30)
        self.assertIs(Action.NONE, watch.handle_timer(30))
        self.assertIs(Action.NONE, watch.handle_timer(39.9))
        self.assertEqual(40, watch.next_deadline())

    def test_any_byte(self) -> None:
        """
        Any byte is a sign of life and moves the next question.
        """
        watch = self.watch()
        watch.received(20)
        self.assertEqual(50, watch.next_deadline())
        self.assertIs(Action.NONE, watch.handle_timer(30))
        self.assertIs(Action.PING, watch.handle_timer(50))

    def test_answer(self) -> None:
        """
        A byte after the question, even in the same moment, answers it.
        """
        for moment in (30, 39.9):
            watch = self.watch()
            watch.handle_timer(30)
            watch.received(moment)
            self.assertFalse(watch.ping_sent)
            self.assertEqual(moment + 30, watch.next_deadline())
            self.assertIs(Action.NONE, watch.handle_timer(40))

    def test_asked_early(self) -> None:
        """
        Whoever doubts the peer has it asked at once; that gives a peer that was asked already no more time.
        """
        watch = self.watch()
        self.assertIs(Action.PING, watch.ask(12))
        self.assertEqual(22, watch.next_deadline())
        self.assertIs(Action.NONE, watch.ask(20))
        self.assertIs(Action.DEAD, watch.handle_timer(22))

    def test_asked_while_off(self) -> None:
        """
        Also where silence alone is no reason. After the answer nothing is watched again.
        """
        watch = KeepAlive(0, 10)
        watch.start(0)
        self.assertIs(Action.PING, watch.ask(100))
        self.assertEqual(110, watch.next_deadline())
        watch.received(101)
        self.assertIsNone(watch.next_deadline())

    def test_off(self) -> None:
        """
        Without an interval nothing is watched.
        """
        watch = KeepAlive(0, 10)
        watch.start(0)
        self.assertIsNone(watch.next_deadline())
        self.assertIs(Action.NONE, watch.handle_timer(1e9))

    def test_we_slept(self) -> None:
        """
        A timer that fires far too late asks the peer once more instead of blaming it.
        """
        watch = self.watch()
        watch.handle_timer(30)
        self.assertIs(Action.PING, watch.handle_timer(3600))
        self.assertEqual(3610, watch.next_deadline())
        self.assertIs(Action.DEAD, watch.handle_timer(3610.2))

    def test_a_little_late(self) -> None:
        """
        A timer that is a little late is believed.
        """
        watch = self.watch()
        watch.handle_timer(30)
        self.assertIs(Action.DEAD, watch.handle_timer(49))

    @settings(derandomize=True, deadline=None, max_examples=100)
    @given(st.lists(st.floats(0.01, 60), max_size=30))
    def test_never_dead_while_heard(self, gaps: list[float]) -> None:
        """
        A peer that is heard within interval and timeout is never given up, and a silent one always is,
        within 40 s.
        """
        watch = self.watch()
        now = heard = 0.0
        for gap in gaps:
            arrival = now + gap
            while (deadline := watch.next_deadline()) is not None and deadline <= arrival:
                if watch.handle_timer(deadline) is Action.DEAD:
                    self.assertAlmostEqual(40, deadline - heard)
                    return
            watch.received(arrival)
            now = heard = arrival
            self.assertLess(gap, 40.01)
