"""
Tests for :mod:`pico.upstream.tunnel`.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from pico.net.http.gateway import FailureKind
from pico.tunnel.session import TunnelSettings
from pico.wire.yamux.limits import Limits
from tests.tunnel.support import Joined
from tests.upstream.support import Waiter, make_upstream


class TunnelUpstreamTests(SynchronousTestCase):
    """
    Streams for requests.
    """

    def _join(self, limits: Limits) -> None:
        self.joined = Joined(settings=TunnelSettings(limits=limits))
        self.upstream = make_upstream(self.joined.node.session)

    def _acquire(self) -> Waiter:
        waiter = Waiter()
        self.upstream.acquire(waiter, True)
        return waiter

    def _fill(self) -> None:
        """
        Offer the agent as many streams as it may leave unaccepted.
        """
        self._join(Limits(max_unacked=2))
        for _ in range(2):
            self.assertIsNotNone(self._acquire().client)

    def test_waiting(self) -> None:
        """
        While too many streams wait to be accepted requests wait in order, up to a limit, and go on when there is room.
        """
        self._fill()
        first, second, third = (self._acquire() for _ in range(3))
        self.assertIs(third.failure, FailureKind.OVERLOADED)
        self.upstream.room()
        self.assertIsNone(first.client)
        self.joined.settle()
        self.assertEqual(self.joined.node.room, 1)
        self.upstream.room()
        self.assertTrue(first.client and second.client)
        self.assertEqual(self.upstream.in_flight, 4)

    def test_order(self) -> None:
        """
        Who has waited longest goes on first, as far as there is room.
        """
        self._join(Limits(max_unacked=1))
        self._acquire()
        first, second = self._acquire(), self._acquire()
        self.joined.settle()
        self.upstream.room()
        self.assertIsNotNone(first.client)
        self.assertIsNone(second.client)

    def test_waiting_cancelled(self) -> None:
        """
        A request whose client has gone waits no more.
        """
        self._fill()
        waiter = self._acquire()
        self.upstream.cancel(waiter)
        self.assertEqual(self.upstream.in_flight, 2)
        self.joined.settle()
        self.upstream.room()
        self.assertIsNone(waiter.client)

    def test_leaving(self) -> None:
        """
        When the agent leaves, those that wait go elsewhere.
        """
        self._fill()
        waiter = self._acquire()
        self.upstream.leave()
        self.assertIs(waiter.failure, FailureKind.UNREACHABLE)
        self.assertEqual(self.upstream.in_flight, 2)

    def test_retired(self) -> None:
        """
        A tunnel that is about to use up its ids asks for another one, serves on, and ends when it can serve no more.
        """
        self._join(Limits(last_stream_id=5))
        session = self.joined.node.session
        first = self._acquire()
        self.assertTrue(session.going_away)
        second = self._acquire()
        self.assertIs(self._acquire().failure, FailureKind.OVERLOADED)
        self.joined.settle()
        for number, waiter in enumerate((first, second)):
            assert waiter.client is not None
            self.assertEqual(self.joined.node.closed, [])
            waiter.client.close()
            self.upstream.release(waiter.client)
            self.assertEqual(self.upstream.in_flight, 1 - number)
            self.joined.settle()
        self.assertEqual(len(self.joined.node.closed), 1)
