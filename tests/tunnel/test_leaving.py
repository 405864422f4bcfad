"""
Tests for :mod:`pico.tunnel.leaving`.
"""

from __future__ import annotations

from math import inf

import attrs
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from pico.tunnel.leaving import CLOSING, LEAST_LINGER, LINGER, LOOK, Leaving


@attrs.define(eq=False)
class FakeSession:
    """
    A session that remembers what it was told.

    :ivar prompt: whether closing takes no time.
    """

    streams: int = 0
    rtt: float | None = None
    prompt: bool = False
    calls: list[str] = attrs.field(factory=list)
    leaving: Leaving | None = None

    def go_away(self) -> None:
        """
        Remember.
        """
        self.calls.append("go away")

    def close(self) -> None:
        """
        Remember.
        """
        self.calls.append("close")
        if self.prompt and self.leaving is not None:
            self.leaving.closed()

    def abort(self) -> None:
        """
        Remember.
        """
        self.calls.append("abort")


class LeavingTests(SynchronousTestCase):
    """
    From go-away to the end.
    """

    def setUp(self) -> None:
        """
        Time stands still.
        """
        self.clock = Clock()

    def leave(self, session: FakeSession, grace: float = 60.0) -> Leaving:
        """
        Begin.
        """
        leaving = session.leaving = Leaving(session, clock=self.clock, grace=grace)
        leaving.start()
        return leaving

    def pass_time(self, seconds: float) -> None:
        """
        Let time pass in small steps.
        """
        for _ in range(round(seconds / 0.05)):
            self.clock.advance(0.05)

    def test_go_away_comes_first(self) -> None:
        """
        Go-away is said at once, and closing waits for streams that were on their way.
        """
        session = FakeSession()
        self.leave(session)
        self.pass_time(LINGER - 0.1)
        self.assertEqual(["go away"], session.calls)
        self.pass_time(0.2 + LOOK)
        self.assertEqual(["go away", "close"], session.calls)

    def test_short_round_trip(self) -> None:
        """
        Where the node is near, no more than a moment is waited; never none.
        """
        for rtt, linger in ((0.0, LEAST_LINGER), (0.001, LEAST_LINGER), (0.05, 0.4), (10.0, LINGER)):
            session = FakeSession(rtt=rtt, prompt=True)
            self.leave(session)
            self.pass_time(linger - 0.1)
            self.assertEqual(["go away"], session.calls, rtt)
            self.pass_time(0.15 + LOOK)
            self.assertEqual(["go away", "close"], session.calls, rtt)

    def test_streams_end(self) -> None:
        """
        It closes soon after the last stream has ended.
        """
        session = FakeSession(streams=2)
        self.leave(session)
        self.pass_time(20)
        session.streams = 1
        self.pass_time(20)
        self.assertEqual(["go away"], session.calls)
        session.streams = 0
        self.pass_time(0.1 + LOOK)
        self.assertEqual(["go away", "close"], session.calls)

    def test_grace_ends(self) -> None:
        """
        At the end of the grace period it closes whatever still runs.
        """
        session = FakeSession(streams=1)
        self.leave(session, 10)
        self.pass_time(9.8)
        self.assertEqual(["go away"], session.calls)
        self.pass_time(0.4)
        self.assertEqual(["go away", "close"], session.calls)

    def test_no_grace(self) -> None:
        """
        Without a grace period it closes at once.
        """
        session = FakeSession(streams=1)
        self.leave(session, 0)
        self.assertEqual(["go away", "close"], session.calls)

    def test_without_limit(self) -> None:
        """
        Without a limit it waits as long as streams run.
        """
        session = FakeSession(streams=1)
        leaving = self.leave(session, inf)
        self.pass_time(600)
        self.assertEqual(["go away"], session.calls)
        leaving.closed()

    def test_later(self) -> None:
        """
        A departure may begin later; nothing is said before.
        """
        session = FakeSession(rtt=0.01)
        leaving = session.leaving = Leaving(session, clock=self.clock, grace=60)
        leaving.start(2)
        self.pass_time(1.9)
        self.assertEqual(session.calls, [])
        self.pass_time(0.2)
        self.assertEqual(session.calls, ["go away"])
        self.pass_time(LEAST_LINGER + 0.1)
        self.assertEqual(session.calls, ["go away", "close"])
        leaving.closed()
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_closed_before_it_begins(self) -> None:
        """
        A session that is gone before then is told nothing.
        """
        session = FakeSession()
        leaving = Leaving(session, clock=self.clock, grace=60)
        leaving.start(2)
        leaving.closed()
        leaving.hurry(1)
        self.pass_time(5)
        self.assertEqual(session.calls, [])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_hurried_before_it_begins(self) -> None:
        """
        Who has to hurry begins at once.
        """
        session = FakeSession(streams=1)
        leaving = session.leaving = Leaving(session, clock=self.clock, grace=60)
        leaving.start(2)
        leaving.hurry(1)
        self.assertEqual(session.calls, ["go away"])
        self.pass_time(1.1)
        self.assertEqual(session.calls, ["go away", "close"])
        leaving.closed()
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_hurry(self) -> None:
        """
        It can be given less time on the way.
        """
        session = FakeSession(streams=1)
        leaving = self.leave(session, inf)
        self.pass_time(5)
        leaving.hurry(1)
        self.pass_time(0.8)
        self.assertEqual(["go away"], session.calls)
        self.pass_time(0.4)
        self.assertEqual(["go away", "close"], session.calls)
        leaving.hurry(0)
        self.assertEqual(["go away", "close"], session.calls)
        self.pass_time(CLOSING)
        self.assertEqual(["go away", "close", "abort"], session.calls)

    def test_closing_takes_too_long(self) -> None:
        """
        A peer that does not let the connection end is dropped.
        """
        session = FakeSession(streams=1)
        self.leave(session, 0)
        self.pass_time(CLOSING + 0.1)
        self.assertEqual(["go away", "close", "abort"], session.calls)
        self.pass_time(100)
        self.assertEqual(3, len(session.calls))

    def test_closed(self) -> None:
        """
        When the session is gone, before or by closing, nothing is left behind.
        """
        session = FakeSession(streams=1)
        leaving = self.leave(session)
        leaving.closed()
        self.assertEqual([], self.clock.getDelayedCalls())
        leaving.hurry(0)
        self.assertEqual((["go away"], []), (session.calls, self.clock.getDelayedCalls()))
        session = FakeSession(prompt=True)
        self.leave(session, 0)
        self.assertEqual((["go away", "close"], []), (session.calls, self.clock.getDelayedCalls()))
