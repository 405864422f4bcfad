"""
Tests for :mod:`pico.client.slot`.
"""

from __future__ import annotations

import random
from collections.abc import Callable

import attrs
from automat import NoTransition
from twisted.internet.defer import Deferred, fail
from twisted.internet.error import ConnectionDone
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from pico.client.dialer import DialError, Tunnel, TunnelUser
from pico.client.slot import OVERLAP, Slot, _Link, _Second, _Setback
from pico.tunnel.leaving import LINGER
from pico.tunnel.stream import TunnelStream
from pico.wire.dialling import GO_AWAY_SPREAD, Backoff, Patience


@attrs.define(eq=False)
class FakeSession:
    """
    A session that remembers what it was told, and is gone as soon as it is closed.
    """

    user: TunnelUser
    streams: int = 0
    rtt: float | None = None
    calls: list[str] = attrs.field(factory=list)

    def go_away(self) -> None:
        """
        Remember.
        """
        self.calls.append("go away")

    def close(self) -> None:
        """
        End.
        """
        self.end("close")

    def abort(self) -> None:
        """
        End.
        """
        self.end("abort")

    def end(self, how: str) -> None:
        """
        The session is gone.
        """
        self.calls.append(how)
        self.user.tunnel_closed(Failure(ConnectionDone()))


@attrs.define(eq=False)
class Try:
    """
    One call of ``dial``.
    """

    at: float
    user: TunnelUser
    result: Deferred[Tunnel]
    given_up: bool = False

    def succeed(self, node: str = "node-1") -> FakeSession:
        """
        There is a tunnel.
        """
        session = FakeSession(self.user)
        self.result.callback(Tunnel(session, node, frozenset()))  # type: ignore[arg-type]
        return session

    def fail(self, status: int | None = None, retry_after: float = 0.0, reason: str = "no") -> None:
        """
        There is none.
        """
        self.result.errback(DialError(reason, status, retry_after))


class FakeDialer:
    """
    Does what tests tell it.

    :ivar tries: every call.
    :ivar at_once: if set, how calls end before they return.
    """

    def __init__(self, clock: Clock) -> None:
        self.tries: list[Try] = []
        self.at_once: Exception | None = None
        self._clock = clock

    def dial(self, endpoint: str, user: TunnelUser) -> Deferred[Tunnel]:
        """
        Begin.
        """
        if self.at_once is not None:
            self.tries.append(Try(self._clock.seconds(), user, Deferred()))
            return fail(self.at_once)
        made = Try(self._clock.seconds(), user, Deferred(lambda _: setattr(made, "given_up", True)))
        self.tries.append(made)
        return made.result

    @property
    def last(self) -> Try:
        """
        The latest.
        """
        return self.tries[-1]


class RecordingWatcher:
    """
    Remembers what it is told.
    """

    def __init__(self) -> None:
        self.told: list[tuple[object, ...]] = []
        self.and_then: Callable[[], object] | None = None

    def connected(self, tunnel: Tunnel) -> None:
        """
        Remember.
        """
        self.told.append(("connected", tunnel.node))
        if self.and_then is not None:
            self.and_then()

    def refused(self, reason: str) -> None:
        """
        Remember.
        """
        self.told.append(("refused", reason))

    def lost(self, reason: str, retry_in: float) -> None:
        """
        Remember.
        """
        self.told.append(("lost", reason, round(retry_in, 3)))


class FixedRandom(random.Random):
    """
    Always gives the same.
    """

    value = 0.5

    def random(self) -> float:
        """
        That.
        """
        return self.value


class SlotCase(SynchronousTestCase):
    """
    A slot with fakes around it.
    """

    def setUp(self) -> None:
        """
        Make it.
        """
        self.clock = Clock()
        self.dialer = FakeDialer(self.clock)
        self.watcher = RecordingWatcher()
        self.chooser = FixedRandom()
        self.streams: list[object] = []
        self.others: set[str] = set()
        self.slot = Slot(
            "e",
            dialer=self.dialer,
            clock=self.clock,
            on_stream=self.streams.append,
            watcher=self.watcher,
            chooser=self.chooser,
            patience=Patience(Backoff()),
            others=lambda: self.others,
        )

    @property
    def connected(self) -> bool:
        """
        Whether a tunnel serves.
        """
        return self.slot.tunnel is not None

    def pass_time(self, seconds: float) -> None:
        """
        Let time pass in small steps.
        """
        for _ in range(round(seconds / 0.05)):
            self.clock.advance(0.05)

    def serve(self) -> FakeSession:
        """
        Get to a tunnel.
        """
        self.slot.start()
        return self.dialer.last.succeed()

    def relieve(self, session: FakeSession) -> None:
        """
        Let the node say go-away, and wait for the next try.
        """
        tries = len(self.dialer.tries)
        session.user.node_leaves()
        self.pass_time(GO_AWAY_SPREAD)
        self.assertEqual(tries + 1, len(self.dialer.tries))


class DiallingTests(SlotCase):
    """
    When it dials, and what it tells.
    """

    def test_first_try_at_once(self) -> None:
        """
        The first try waits for nothing.
        """
        self.assertEqual([], self.dialer.tries)
        self.slot.start()
        self.assertEqual([0.0], [each.at for each in self.dialer.tries])

    def test_connected(self) -> None:
        """
        A tunnel is told of, and nothing is left to wait for.
        """
        self.serve()
        self.assertTrue(self.connected)
        self.assertEqual([("connected", "node-1")], self.watcher.told)
        self.assertEqual([], self.clock.getDelayedCalls())

    def test_streams(self) -> None:
        """
        Streams go to whoever serves them.
        """
        session = self.serve()
        stream = object()
        session.user.stream_opened(stream)  # type: ignore[arg-type]
        self.assertEqual([stream], self.streams)

    def test_schedule(self) -> None:
        """
        Tries that fail come with waits that double up to 15 s, for ever.
        """
        self.chooser.value = 1 - 2**-53
        self.slot.start()
        waits = []
        for _ in range(12):
            before = self.clock.seconds()
            self.dialer.last.fail()
            tries = len(self.dialer.tries)
            while len(self.dialer.tries) == tries:
                self.clock.advance(0.05)
            waits.append(round(self.clock.seconds() - before, 1))
        told = [each[2] for each in self.watcher.told]
        expected = [0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8, 15.0, 15.0, 15.0, 15.0, 15.0]
        self.assertEqual(expected, told)
        for wait, least in zip(waits, expected, strict=True):
            self.assertTrue(least <= wait <= least + 0.11, (wait, least))

    def test_spread(self) -> None:
        """
        The luck of the draw moves the wait.
        """
        told = set()
        for value in (0.0, 0.25, 0.5, 0.75):
            self.setUp()
            self.chooser.value = value
            self.serve().end("lost")
            told.add(self.watcher.told[-1][2])
        self.assertEqual({0.1, 0.125, 0.15, 0.175}, told)

    def test_lost(self) -> None:
        """
        A tunnel that ends, also cleanly, is dialled again after a short wait; the short waits begin anew
        when it had stood.
        """
        self.slot.start()
        for _ in range(6):
            self.dialer.last.fail()
            self.pass_time(16)
        session = self.dialer.last.succeed()
        self.pass_time(10)
        session.end("lost")
        self.assertFalse(self.connected)
        self.assertEqual(("lost", "the node closed the tunnel", 0.15), self.watcher.told[-1])
        tries = len(self.dialer.tries)
        self.pass_time(0.2)
        self.assertEqual(tries + 1, len(self.dialer.tries))

    def test_flapping(self) -> None:
        """
        A node that takes tunnels and drops them at once is not dialled in a circle.
        """
        self.slot.start()
        waits = []
        for _ in range(6):
            self.dialer.last.succeed().end("lost")
            waits.append(self.watcher.told[-1][2])
            self.pass_time(16)
        self.assertEqual([0.15, 0.25, 0.5, 1.0, 2.0, 4.0], waits)

    def test_final_refusal(self) -> None:
        """
        A refusal that will stay is told as what it is, and retried slowly.
        """
        self.chooser.value = 0.0
        self.slot.start()
        for _ in range(5):
            self.dialer.last.fail(401, reason="401: invalid token")
            self.pass_time(60.05)
        self.assertEqual([("refused", "401: invalid token")] * 5, self.watcher.told)
        starts = [each.at for each in self.dialer.tries]
        self.assertEqual(6, len(starts))
        for index, start in enumerate(starts):
            self.assertTrue(60 * index <= start <= 60 * index + 1, starts)

    def test_another_final_refusal(self) -> None:
        """
        Another reason is news; the same one is again once a tunnel stood in between.
        """
        self.slot.start()
        session = None
        for reason in ("401: invalid token", "401: expired token", "", "401: expired token"):
            if reason:
                self.dialer.last.fail(401, reason=reason)
                self.pass_time(80)
            else:
                session = self.dialer.last.succeed()
                session.end("lost")
                self.pass_time(1)
        told = [each[:2] for each in self.watcher.told if each[0] == "refused"]
        expected = ["401: invalid token", "401: expired token", "401: expired token"]
        self.assertEqual([("refused", reason) for reason in expected], told)

    def test_retry_after(self) -> None:
        """
        A node that asks for time gets it, and a little more.
        """
        self.slot.start()
        self.dialer.last.fail(503, 4.0, "503: node is draining")
        self.assertEqual(("lost", "503: node is draining", 4.5), self.watcher.told[-1])

    def test_failing_at_once(self) -> None:
        """
        A try may fail before ``dial`` returns.
        """
        self.dialer.at_once = DialError("no")
        self.slot.start()
        self.assertEqual([("lost", "no", 0.15)], self.watcher.told)
        self.pass_time(10)
        self.assertGreater(len(self.dialer.tries), 4)

    def test_bug_while_dialling(self) -> None:
        """
        A failure that nobody thought of is logged, and the slot goes on.
        """
        self.slot.start()
        self.dialer.last.result.errback(ZeroDivisionError())
        self.assertEqual([("lost", "internal error", 0.15)], self.watcher.told)
        self.assertEqual(1, len(self.flushLoggedErrors(ZeroDivisionError)))
        self.pass_time(0.2)
        self.assertEqual(2, len(self.dialer.tries))

    def test_bug_of_the_watcher(self) -> None:
        """
        A watcher that fails does not keep the slot from its work.
        """
        self.watcher.and_then = lambda: 1 // 0
        session = self.serve()
        self.assertEqual(1, len(self.flushLoggedErrors(ZeroDivisionError)))
        session.end("lost")
        self.pass_time(0.2)
        self.assertEqual(2, len(self.dialer.tries))

    def test_bug_of_the_server(self) -> None:
        """
        A stream that cannot be served is aborted, and the tunnel lives.
        """

        class Stream:
            aborted = False

            def abortConnection(self) -> None:
                self.aborted = True

        session = self.serve()
        stream = Stream()

        def break_down(stream: TunnelStream) -> None:
            raise ZeroDivisionError

        self.slot._core.on_stream = break_down
        session.user.stream_opened(stream)  # type: ignore[arg-type]
        self.assertTrue(stream.aborted)
        self.assertEqual(1, len(self.flushLoggedErrors(ZeroDivisionError)))
        self.assertTrue(self.connected)


class ReplacingTests(SlotCase):
    """
    Make before break.
    """

    def test_replaced(self) -> None:
        """
        On the node's go-away another tunnel is dialled; only when that stands and every node has had time to hear
        of it the old one is let go, and closed when its streams have ended.
        """
        old = self.serve()
        old.streams = 1
        self.relieve(old)
        self.assertTrue(self.connected)
        self.assertEqual([], old.calls)
        new = self.dialer.last.succeed()
        self.pass_time(OVERLAP - 0.1)
        self.assertEqual(([], []), (old.calls, new.calls))
        self.pass_time(0.2)
        self.assertEqual((["go away"], []), (old.calls, new.calls))
        self.pass_time(100)
        self.assertEqual(["go away"], old.calls)
        old.streams = 0
        self.pass_time(0.2)
        self.assertEqual((["go away", "close"], []), (old.calls, new.calls))
        self.assertEqual([("connected", "node-1")] * 2, self.watcher.told)
        self.assertEqual([], self.clock.getDelayedCalls())

    def test_spread(self) -> None:
        """
        Those whom a node asks to go away do not dial in the same moment.
        """
        starts = set()
        for value in (0.0, 0.3, 0.6, 0.9):
            self.setUp()
            self.chooser.value = value
            self.relieve(self.serve())
            starts.add(round(self.dialer.last.at, 1))
        self.assertEqual(4, len(starts))
        self.assertLessEqual(max(starts), GO_AWAY_SPREAD)

    def test_no_other_node(self) -> None:
        """
        If there is no other tunnel, the old one is kept, and looking for another goes on quietly.
        """
        old = self.serve()
        self.relieve(old)
        for _ in range(4):
            self.dialer.last.fail(503)
            self.pass_time(16)
        self.assertEqual(6, len(self.dialer.tries))
        self.assertEqual([], old.calls)
        self.assertTrue(self.connected)
        self.assertEqual([("connected", "node-1")], self.watcher.told)

    def test_refused_elsewhere(self) -> None:
        """
        A final refusal is told also while the old tunnel still serves.
        """
        old = self.serve()
        self.relieve(old)
        self.dialer.last.fail(401, reason="401: expired token")
        self.assertEqual(("refused", "401: expired token"), self.watcher.told[-1])
        self.assertTrue(self.connected)

    def test_old_one_ends_while_dialling(self) -> None:
        """
        When the old tunnel ends before the new one stands, the try goes on.
        """
        old = self.serve()
        self.relieve(old)
        old.end("lost")
        self.assertEqual("lost", self.watcher.told[-1][0])
        self.assertEqual(0.0, self.watcher.told[-1][2])
        self.assertFalse(self.connected)
        self.assertEqual((2, False), (len(self.dialer.tries), self.dialer.last.given_up))
        self.dialer.last.succeed()
        self.assertTrue(self.connected)
        self.assertEqual([], self.clock.getDelayedCalls())

    def test_old_one_ends_while_waiting(self) -> None:
        """
        When it ends during a long wait, the next try comes soon: the node may be back.
        """
        old = self.serve()
        self.pass_time(10)
        self.relieve(old)
        for _ in range(7):
            self.dialer.last.fail(503)
            self.pass_time(16)
        self.dialer.last.fail(503)
        old.end("lost")
        self.assertEqual(("lost", "the node closed the tunnel", 0.15), self.watcher.told[-1])
        tries = len(self.dialer.tries)
        self.pass_time(0.2)
        self.assertEqual(tries + 1, len(self.dialer.tries))
        self.pass_time(20)
        self.assertEqual(tries + 1, len(self.dialer.tries))

    def test_old_one_ends_after(self) -> None:
        """
        When the old tunnel ends by itself behind the new one, that is the end of it.
        """
        old = self.serve()
        old.streams = 1
        self.relieve(old)
        self.dialer.last.succeed()
        old.end("lost")
        self.assertTrue(self.connected)
        self.assertEqual([("connected", "node-1")] * 2, self.watcher.told)
        self.assertEqual([], self.clock.getDelayedCalls())

    def test_restarts_in_quick_succession(self) -> None:
        """
        A node that restarts again and again, and says go-away each time, finds the slot back at once.
        """
        self.chooser.value = 0.5
        session = self.serve()
        for _ in range(6):
            self.pass_time(1)
            self.relieve(session)
            for _ in range(2):
                self.dialer.last.fail(503, 1.0)
                self.pass_time(1.5)
            self.dialer.last.fail(503, 1.0)
            session.end("lost")
            self.assertEqual(("lost", "the node closed the tunnel", 0.15), self.watcher.told[-1])
            self.pass_time(0.25)
            self.dialer.last.fail(reason="connection refused")
            self.assertEqual(("lost", "connection refused", 0.25), self.watcher.told[-1])
            self.pass_time(0.45)
            session = self.dialer.last.succeed()

    def test_old_one_ends_in_the_overlap(self) -> None:
        """
        A node that cuts the old tunnel once another stands changes nothing.
        """
        old = self.serve()
        self.relieve(old)
        new = self.dialer.last.succeed()
        old.end("cut")
        self.pass_time(OVERLAP + 1)
        self.assertEqual((["cut"], []), (old.calls, new.calls))
        self.assertEqual(2, len(self.dialer.tries))
        self.assertEqual([], self.clock.getDelayedCalls())

    def test_stopped_in_the_overlap(self) -> None:
        """
        Who stops says so on both, at once.
        """
        old = self.serve()
        self.relieve(old)
        new = self.dialer.last.succeed()
        stopped = self.slot.stop(10)
        self.assertEqual((["go away"], ["go away"]), (old.calls, new.calls))
        self.pass_time(2)
        self.successResultOf(stopped)
        self.assertEqual([], self.clock.getDelayedCalls())

    def test_streams_in_the_overlap(self) -> None:
        """
        Until then the old tunnel takes streams like the new one.
        """
        old = self.serve()
        self.relieve(old)
        self.dialer.last.succeed()
        self.pass_time(OVERLAP / 2)
        stream = object()
        old.user.stream_opened(stream)  # type: ignore[arg-type]  # passed on as it is
        self.assertEqual([stream], self.streams)

    def test_go_away_of_one_that_leaves(self) -> None:
        """
        What a tunnel says that was let go changes nothing.
        """
        old = self.serve()
        old.streams = 1
        self.relieve(old)
        self.dialer.last.succeed()
        old.user.node_leaves()
        self.pass_time(1)
        self.assertEqual(2, len(self.dialer.tries))


class SpreadingTests(SlotCase):
    """
    An endpoint with other tunnels.
    """

    def second(self) -> FakeSession:
        """
        Get to a tunnel at a node that has another.
        """
        self.others = {"node-1"}
        return self.serve()

    def look(self) -> Try:
        """
        Wait for the next try.
        """
        tries = len(self.dialer.tries)
        for _ in range(20 * 61):
            self.clock.advance(0.05)
            if len(self.dialer.tries) > tries:
                return self.dialer.last
        raise AssertionError("there was no further try")

    def test_apart(self) -> None:
        """
        A tunnel at a node of its own is not looked beyond.
        """
        self.others = {"node-2", "node-3"}
        self.serve()
        self.assertEqual([], self.clock.getDelayedCalls())

    def test_no_ids(self) -> None:
        """
        Nodes that do not say who they are may be any: nothing more is dialled.
        """
        self.others = {""}
        self.slot.start()
        self.dialer.last.succeed("")
        self.assertEqual([], self.clock.getDelayedCalls())

    def test_second(self) -> None:
        """
        A second tunnel at a node serves, until one at another node stands; then it is let go.
        """
        second = self.second()
        self.assertTrue(self.connected)
        self.assertEqual([("connected", "node-1")], self.watcher.told)
        self.pass_time(0.2)
        self.assertEqual(2, len(self.dialer.tries))
        self.assertEqual([], second.calls)
        found = self.dialer.last.succeed("node-2")
        self.pass_time(OVERLAP + 0.1)
        self.assertEqual((["go away"], []), (second.calls, found.calls))
        self.assertEqual([("connected", "node-1"), ("connected", "node-2")], self.watcher.told)
        self.pass_time(2)
        self.assertEqual(["go away", "close"], second.calls)
        self.assertEqual([], self.clock.getDelayedCalls())

    def test_balancer_that_always_gives_the_same(self) -> None:
        """
        What brings nothing new is let go in order, and the looks become rare; there always is a tunnel.
        """
        second = self.second()
        began = self.clock.seconds()
        sessions = []
        for _ in range(14):
            sessions.append(self.look().succeed())
            self.assertEqual(["go away"], sessions[-1].calls)
            self.assertTrue(self.connected)
        waits = [round(b.at - a.at, 1) for a, b in zip(self.dialer.tries, self.dialer.tries[1:], strict=False)]
        self.assertLess(sum(waits[:5]), 5, waits)
        self.assertEqual(waits, sorted(waits))
        self.assertGreater(min(waits[-3:]), 30)
        self.assertGreater(self.clock.seconds(), began)
        self.assertEqual([], second.calls)
        self.assertEqual([("connected", "node-1")], self.watcher.told)
        self.pass_time(2)
        self.assertEqual([["go away", "close"]] * 14, [session.calls for session in sessions])

    def test_streams_of_a_useless_one(self) -> None:
        """
        What the node opens on a tunnel before it hears that it is not wanted is served.
        """
        self.second()
        useless = self.look().succeed()
        stream = object()
        useless.user.stream_opened(stream)  # type: ignore[arg-type]
        self.assertEqual([stream], self.streams)

    def test_looks_that_fail(self) -> None:
        """
        A try that fails while there is a tunnel takes nothing away and is not told; the looks become rare, too.
        """
        second = self.second()
        for _ in range(14):
            self.look().fail()
        starts = [made.at for made in self.dialer.tries]
        self.assertGreater(starts[-1] - starts[-2], 30)
        self.assertEqual(([], True), (second.calls, self.connected))
        self.assertEqual([("connected", "node-1")], self.watcher.told)

    def test_other_moves(self) -> None:
        """
        When the other tunnel at the node is gone there is nothing left to look for.
        """
        second = self.second()
        self.others = {"node-2"}
        self.pass_time(1)
        self.assertEqual(1, len(self.dialer.tries))
        self.assertEqual(([], True), (second.calls, self.connected))
        self.assertEqual([], self.clock.getDelayedCalls())
        second.end("lost")
        self.assertEqual("lost", self.watcher.told[-1][0])

    def test_second_ends(self) -> None:
        """
        A second tunnel that ends is dialled again like any other.
        """
        self.second().end("lost")
        self.assertEqual("lost", self.watcher.told[-1][0])
        self.look().succeed("node-2")
        self.assertEqual([], self.clock.getDelayedCalls())

    def test_node_leaves_while_waiting(self) -> None:
        """
        When the node of both leaves, the next look does not wait; then a second one at another node is better than
        one that leaves.
        """
        second = self.second()
        for _ in range(12):
            self.look().succeed()
        second.user.node_leaves()
        self.others = {"node-2"}
        self.pass_time(GO_AWAY_SPREAD)
        new = self.dialer.last.succeed("node-2")
        self.assertTrue(self.connected)
        self.look().succeed("node-3")
        self.pass_time(OVERLAP + 0.1)
        self.assertEqual((["go away"], ["go away"]), (second.calls[:1], new.calls[:1]))

    def test_node_leaves_while_dialling(self) -> None:
        """
        So when a look is under way already.
        """
        second = self.second()
        attempt = self.look()
        second.user.node_leaves()
        self.others = {"node-2"}
        new = attempt.succeed("node-2")
        self.pass_time(OVERLAP)
        self.assertEqual((["go away"], []), (second.calls[:1], new.calls))

    def test_stopped(self) -> None:
        """
        A stop from within, and one during a look, leave nothing.
        """
        stopped: list[Deferred[None]] = []
        self.watcher.and_then = lambda: stopped.append(self.slot.stop(0))
        self.second()
        self.successResultOf(stopped[0])
        self.assertEqual([], self.clock.getDelayedCalls())


class StoppingTests(SlotCase):
    """
    How it ends.
    """

    def test_streams_are_served(self) -> None:
        """
        Go-away first; the streams are served to their end; then the tunnel is closed.
        """
        session = self.serve()
        session.streams = 2
        stopped = self.slot.stop(60)
        self.assertEqual(["go away"], session.calls)
        self.assertFalse(self.connected)
        self.pass_time(30)
        self.assertNoResult(stopped)
        session.streams = 0
        self.pass_time(0.2)
        self.assertEqual(["go away", "close"], session.calls)
        self.successResultOf(stopped)
        self.pass_time(100)
        self.assertEqual(1, len(self.dialer.tries))
        self.assertEqual([], self.clock.getDelayedCalls())

    def test_grace_ends(self) -> None:
        """
        At the end of the grace period what is left is cut.
        """
        session = self.serve()
        session.streams = 2
        stopped = self.slot.stop(5)
        self.pass_time(4.9)
        self.assertNoResult(stopped)
        self.pass_time(0.2)
        self.assertEqual(["go away", "close"], session.calls)
        self.successResultOf(stopped)

    def test_idle_tunnel(self) -> None:
        """
        Without streams it takes a moment, so that what was on its way is refused properly.
        """
        self.serve()
        stopped = self.slot.stop(60)
        self.assertNoResult(stopped)
        self.pass_time(LINGER + 0.2)
        self.successResultOf(stopped)

    def test_hurry(self) -> None:
        """
        Stopping again gives less time; everybody who asked hears of the end.
        """
        session = self.serve()
        session.streams = 1
        first = self.slot.stop(60)
        self.pass_time(1)
        second = self.slot.stop(0)
        self.assertEqual(["go away", "close"], session.calls)
        self.successResultOf(first)
        self.successResultOf(second)

    def test_those_that_leave_already(self) -> None:
        """
        The grace period is also for tunnels that were let go before.
        """
        old = self.serve()
        old.streams = 1
        self.relieve(old)
        new = self.dialer.last.succeed()
        stopped = self.slot.stop(5)
        self.pass_time(4.8)
        self.assertEqual((["go away"], ["go away", "close"]), (old.calls, new.calls))
        self.assertNoResult(stopped)
        self.pass_time(0.4)
        self.assertEqual(["go away", "close"], old.calls)
        self.successResultOf(stopped)

    def test_from_within(self) -> None:
        """
        It can be stopped by what it tells.
        """
        stopped: list[Deferred[None]] = []
        self.watcher.and_then = lambda: stopped.append(self.slot.stop(0))
        session = self.serve()
        self.assertEqual(["go away", "close"], session.calls)
        self.successResultOf(stopped[0])

    def test_restarted(self) -> None:
        """
        A stopped slot can be started again.
        """
        self.serve()
        self.slot.stop(0)
        self.serve()
        self.assertTrue(self.connected)

    def test_tunnel_ends_while_leaving(self) -> None:
        """
        A tunnel that breaks while it leaves is gone, too.
        """
        session = self.serve()
        session.streams = 1
        stopped = self.slot.stop(60)
        session.end("lost")
        self.successResultOf(stopped)
        self.assertEqual([], self.clock.getDelayedCalls())
        self.assertEqual([("connected", "node-1")], self.watcher.told)


class MachineTests(SlotCase):
    """
    Every state and every input.
    """

    def reach(self, name: str) -> None:
        """
        Bring a fresh slot into a state.
        """
        self.setUp()
        if name in ("Dialling", "Waiting"):
            self.slot.start()
        if name == "Waiting":
            self.dialer.last.fail()
        if name in ("Serving", "Lingering", "Replacing"):
            session = self.serve()
            if name != "Serving":
                session.user.node_leaves()
            if name == "Replacing":
                self.pass_time(GO_AWAY_SPREAD)
        if name == "Stopped":
            self.slot.stop(0)
        self.assertEqual(name, self.state())

    def state(self) -> str:
        """
        The name of the state.
        """
        transitioner = self.slot._machine.__automat_transitioner__  # type: ignore[attr-defined]
        name: str = transitioner._state.name
        return name

    #: What an input does in a state; what is not here cannot happen, and is an error.
    TABLE = {
        ("Idle", "start"): "Dialling",
        ("Idle", "stop"): "Stopped",
        ("Dialling", "start"): "Dialling",
        ("Dialling", "stop"): "Stopped",
        ("Dialling", "dialled"): "Serving",
        ("Dialling", "doubled"): "Lingering",
        ("Dialling", "failed"): "Waiting",
        ("Waiting", "start"): "Waiting",
        ("Waiting", "stop"): "Stopped",
        ("Waiting", "due"): "Dialling",
        ("Serving", "start"): "Serving",
        ("Serving", "stop"): "Stopped",
        ("Serving", "relieved"): "Lingering",
        ("Serving", "lost"): "Waiting",
        ("Lingering", "start"): "Lingering",
        ("Lingering", "stop"): "Stopped",
        ("Lingering", "due"): "Replacing",
        ("Lingering", "apart"): "Serving",
        ("Lingering", "relieved"): "Lingering",
        ("Lingering", "lost"): "Waiting",
        ("Replacing", "start"): "Replacing",
        ("Replacing", "stop"): "Stopped",
        ("Replacing", "dialled"): "Serving",
        ("Replacing", "doubled"): "Lingering",
        ("Replacing", "failed"): "Lingering",
        ("Replacing", "relieved"): "Replacing",
        ("Replacing", "lost"): "Dialling",
        ("Stopped", "start"): "Dialling",
        ("Stopped", "stop"): "Stopped",
    }

    def give(self, name: str) -> None:
        """
        Give the machine an input.
        """
        core, machine = self.slot._core, self.slot._machine
        setback = _Setback("no", 1.0)
        link = _Link(core, machine)
        link.tunnel = Tunnel(FakeSession(link), "node-2", frozenset())  # type: ignore[arg-type]
        inputs: dict[str, Callable[[], None]] = {
            "start": machine.start,
            "stop": lambda: machine.stop(0),
            "dialled": lambda: machine._dialled(link),
            "doubled": lambda: machine._doubled(_Second("no", 1.0, link=link)),
            "failed": lambda: machine._failed(setback),
            "due": machine._due,
            "apart": machine._apart,
            "relieved": lambda: machine._relieved(setback),
            "lost": lambda: machine._lost(setback),
        }
        inputs[name]()

    def test_table(self) -> None:
        """
        Every pair is in the table, or refused.
        """
        states = ("Idle", "Dialling", "Waiting", "Serving", "Lingering", "Replacing", "Stopped")
        for state in states:
            for name in ("start", "stop", "dialled", "doubled", "failed", "due", "apart", "relieved", "lost"):
                self.reach(state)
                expected = self.TABLE.get((state, name))
                if expected is None:
                    self.assertRaises(NoTransition, self.give, name)
                    self.assertEqual(state, self.state())
                else:
                    self.give(name)
                    self.assertEqual(expected, self.state(), (state, name))

    def test_stop_leaves_nothing(self) -> None:
        """
        Stopping in any state ends waits and tries, and is over at once when there is no tunnel.
        """
        for state in ("Idle", "Dialling", "Waiting", "Serving", "Lingering", "Replacing", "Stopped"):
            self.reach(state)
            stopped = self.slot.stop(0)
            self.successResultOf(stopped)
            self.assertEqual([], self.clock.getDelayedCalls(), state)
            self.assertFalse(self.connected)
            if state in ("Dialling", "Replacing"):
                self.assertTrue(self.dialer.last.given_up)
            told = len(self.watcher.told)
            self.pass_time(100)
            self.assertEqual(told, len(self.watcher.told))
