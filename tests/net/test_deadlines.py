"""
Many deadlines on one timer.
"""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable
from functools import partial

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.interfaces import IDelayedCall
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from pico.net.deadlines import Deadline, Deadlines

RESOLUTION = 0.5


class StrictClock(Clock):
    """
    Refuses, like a reactor, to call anything in the past.
    """

    def callLater(
        self,
        delay: float,
        callable: Callable[..., object],  # noqa: A002 - Twisted's name
        *args: object,
        **kwargs: object,
    ) -> IDelayedCall:
        """
        Call later, indeed.
        """
        assert delay >= 0
        return super().callLater(delay, callable, *args, **kwargs)


class DeadlinesTests(SynchronousTestCase):
    """
    Deadlines are met, moved, cleared and cancelled.
    """

    def setUp(self) -> None:
        self.clock = StrictClock()
        self.clock.advance(1000.3)
        self.deadlines = Deadlines(self.clock, RESOLUTION)
        self.missed: list[str] = []

    def watch(self, name: str = "x") -> Deadline:
        """
        Make a deadline that notes its name.
        """
        return self.deadlines.watch(lambda: self.missed.append(name))

    def assert_due_in(self, seconds: float, *names: str) -> None:
        """
        What is due then is not called before, and no more than a resolution after.
        """
        before = list(self.missed)
        self.clock.pump([seconds / 10] * 9)
        self.clock.advance(seconds / 10 - 0.001)
        self.assertEqual(self.missed, before)
        self.clock.advance(RESOLUTION + 0.002)
        self.assertEqual(sorted(self.missed), sorted([*before, *names]))

    def test_missed(self) -> None:
        """
        A deadline that nobody moves is missed once.
        """
        self.watch().set(10)
        self.assert_due_in(10, "x")
        self.clock.advance(100)
        self.assertEqual(self.missed, ["x"])

    def test_not_set(self) -> None:
        """
        A deadline that was never set costs no timer.
        """
        deadline = self.watch()
        self.assertEqual(self.clock.getDelayedCalls(), [])
        deadline.cancel()

    def test_again(self) -> None:
        """
        A deadline can be used again after it was missed.
        """
        deadline = self.watch()
        for _ in range(3):
            deadline.set(2)
            self.assert_due_in(2, "x")

    def test_many(self) -> None:
        """
        Any number of deadlines use one timer.
        """
        for seconds in range(1, 200):
            self.watch(str(seconds)).set(seconds)
        self.assertEqual(len(self.clock.getDelayedCalls()), 1)
        self.clock.pump([1.0] * 201)
        self.assertEqual(self.missed, [str(seconds) for seconds in range(1, 200)])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_later(self) -> None:
        """
        A deadline that is moved on again and again is missed only after it was moved last.
        """
        deadline = self.watch()
        deadline.set(3)
        for _ in range(50):
            self.clock.advance(1)
            deadline.set(3)
        self.assert_due_in(3, "x")

    def test_earlier(self) -> None:
        """
        A deadline that is moved to an earlier moment is missed then, and not again at the old one.
        """
        deadline = self.watch()
        deadline.set(100)
        deadline.set(5)
        self.assert_due_in(5, "x")
        self.clock.advance(200)
        self.assertEqual(self.missed, ["x"])

    def test_earlier_leaves_nothing(self) -> None:
        """
        No timer remains for the old moment of a deadline that was moved to an earlier one.
        """
        deadline = self.watch()
        deadline.set(100)
        deadline.set(5)
        self.assert_due_in(5, "x")
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_back_and_forth(self) -> None:
        """
        Only the last setting counts.
        """
        deadline = self.watch()
        for seconds in (100, 5, 50, 1, 200, 20):
            deadline.set(seconds)
        self.assert_due_in(20, "x")

    def test_clear(self) -> None:
        """
        A cleared deadline is not missed, and can be set again.
        """
        deadline = self.watch()
        for off in (deadline.clear, lambda: deadline.set(0), lambda: deadline.set(-1)):
            deadline.set(2)
            off()
            self.clock.advance(10)
            self.assertEqual(self.missed, [])
        self.assertEqual(self.clock.getDelayedCalls(), [])
        deadline.set(2)
        self.assert_due_in(2, "x")

    def test_cancel(self) -> None:
        """
        A cancelled deadline is never missed, whatever is done with it later, and leaves no timer.
        """
        deadline, other = self.watch(), self.watch("other")
        deadline.set(5)
        other.set(8)
        deadline.cancel()
        deadline.set(1)
        deadline.cancel()
        self.clock.advance(6)
        self.assertEqual(self.missed, [])
        other.cancel()
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.clock.advance(10)
        self.assertEqual(self.missed, [])

    def test_cancel_after_missed(self) -> None:
        """
        Also after some were missed, cancelling what is left leaves no timer.
        """
        for seconds in (1, 1, 2):
            self.watch().set(seconds)
        self.clock.advance(10)
        deadlines = [self.watch() for _ in range(3)]
        for seconds, deadline in enumerate(deadlines, 5):
            deadline.set(seconds)
        for deadline in deadlines:
            self.assertEqual(len(self.clock.getDelayedCalls()), 1)
            deadline.cancel()
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_set_after_cancel(self) -> None:
        """
        Setting a cancelled deadline does not bring a timer back.
        """
        deadline = self.watch()
        deadline.cancel()
        deadline.set(1)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_cancelled_is_forgotten(self) -> None:
        """
        What a cancelled deadline would have called is let go of at once.
        """

        class Owner:
            def missed(self) -> None:
                """
                Never happens.
                """

        owner = Owner()
        deadline = self.deadlines.watch(owner.missed)
        deadline.set(300)
        other = self.watch()
        other.set(300)
        gone = weakref.ref(owner)
        deadline.cancel()
        del owner
        gc.collect()
        self.assertIsNone(gone())
        other.cancel()

    def test_within_call(self) -> None:
        """
        A call may set, clear and cancel any deadline, its own too, also those that are due with it.
        """
        late = self.watch("late")

        def first() -> None:
            self.missed.append("first")
            if len(self.missed) == 1:
                own.set(4)
                dropped.cancel()
                cleared.clear()
                moved.set(4)
                late.set(4)

        own = self.deadlines.watch(first)
        dropped, cleared, moved = self.watch("dropped"), self.watch("cleared"), self.watch("moved")
        for deadline in (own, dropped, cleared, moved):
            deadline.set(1)
        self.assert_due_in(1, "first")
        self.clock.advance(4 + RESOLUTION)
        self.assertEqual(sorted(self.missed), ["first", "first", "late", "moved"])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_cancel_all_within_call(self) -> None:
        """
        A call may cancel everything that is left.
        """
        other = self.watch("other")

        def first() -> None:
            own.cancel()
            other.cancel()

        own = self.deadlines.watch(first)
        own.set(1)
        other.set(50)
        self.clock.advance(2)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_failing_call(self) -> None:
        """
        A call that raises is logged and keeps no other from being made.
        """

        def fail() -> None:
            raise ZeroDivisionError

        for _ in range(2):
            self.deadlines.watch(fail).set(1)
            self.watch().set(1)
        self.clock.advance(2)
        self.assertEqual(self.missed, ["x", "x"])
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 2)

    def test_late_timer(self) -> None:
        """
        When the program was stuck for a while, everything that came due meanwhile is called at once.
        """
        for seconds in (1, 2, 30):
            self.watch(str(seconds)).set(seconds)
        moved = self.watch("moved")
        moved.set(1)
        moved.set(40)
        self.clock.advance(35)
        self.assertEqual(self.missed, ["1", "2", "30"])
        self.clock.advance(6)
        self.assertEqual(self.missed, ["1", "2", "30", "moved"])

    @settings(derandomize=True, deadline=None, max_examples=100)
    @given(
        st.lists(
            st.tuples(
                st.integers(0, 3),
                st.one_of(st.floats(0, 20), st.sampled_from(["clear", "cancel", "wait", "wait long"])),
            )
        )
    )
    def test_any_order(self, steps: list[tuple[int, float | str]]) -> None:
        """
        Whatever is done, a deadline is missed when it was due by its last setting, and only then.
        """
        clock = StrictClock()
        clock.advance(1.7)
        deadlines = Deadlines(clock, RESOLUTION)
        due: dict[int, float] = {}
        cancelled: set[int] = set()

        def missed(number: int) -> None:
            late = clock.seconds() - due.pop(number)
            # The clock of this test moves in steps of a quarter of a second.
            self.assertTrue(-1e-9 <= late <= RESOLUTION + 0.25 + 1e-9)

        watched = [deadlines.watch(partial(missed, number)) for number in range(4)]
        for number, step in steps:
            if step == "wait":
                clock.advance(0.25)
            elif step == "wait long":
                clock.pump([0.25] * 20)
            elif step == "clear":
                watched[number].clear()
                due.pop(number, None)
            elif step == "cancel":
                watched[number].cancel()
                due.pop(number, None)
                cancelled.add(number)
            else:
                assert isinstance(step, float)
                watched[number].set(step)
                due.pop(number, None)
                if step > 0 and number not in cancelled:
                    due[number] = clock.seconds() + step
            self.assertLessEqual(len(clock.getDelayedCalls()), 1)
            for moment in due.values():
                self.assertGreater(moment + RESOLUTION + 0.25 + 1e-9, clock.seconds())
        clock.pump([0.25] * 100)
        self.assertEqual(due, {})
        self.assertEqual(clock.getDelayedCalls(), [])
