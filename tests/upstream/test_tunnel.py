"""
Tests for :mod:`pico.upstream.tunnel`.
"""

from __future__ import annotations

from typing import cast

from twisted.trial.unittest import SynchronousTestCase

from pico.net.http.exchange import Exchange
from pico.net.http.gateway import FailureKind
from pico.upstream.tunnel import TunnelUpstream
from tests.upstream.support import FakeExchange, FakeSession, make_upstream


class TunnelUpstreamTests(SynchronousTestCase):
    """
    Streams for requests.
    """

    def _acquire(self, upstream: TunnelUpstream) -> FakeExchange:
        exchange = FakeExchange()
        upstream.acquire(cast(Exchange, exchange), True)
        return exchange

    def test_waiting(self) -> None:
        """
        While too many streams wait to be accepted requests wait in order, up to a limit, and go on when there is room.
        """
        session = FakeSession()
        session.busy = True
        upstream = make_upstream(session)
        first, second, third = (self._acquire(upstream) for _ in range(3))
        self.assertIs(third.failure, FailureKind.OVERLOADED)
        session.busy = False
        upstream.room()
        self.assertTrue(first.client and second.client)
        self.assertEqual(upstream.in_flight, 2)

    def test_waiting_cancelled(self) -> None:
        """
        A request whose client has gone waits no more.
        """
        session = FakeSession()
        session.busy = True
        upstream = make_upstream(session)
        exchange = self._acquire(upstream)
        upstream.cancel(cast(Exchange, exchange))
        self.assertEqual(upstream.in_flight, 0)
        session.busy = False
        upstream.room()
        self.assertIsNone(exchange.client)

    def test_leaving(self) -> None:
        """
        When the agent leaves, those that wait go elsewhere.
        """
        session = FakeSession()
        session.busy = True
        upstream = make_upstream(session)
        exchange = self._acquire(upstream)
        upstream.leave()
        self.assertIs(exchange.failure, FailureKind.UNREACHABLE)
        self.assertEqual(upstream.in_flight, 0)

    def test_retired(self) -> None:
        """
        A tunnel that is about to use up its ids asks for another one, serves on, and ends when it can serve no more.
        """
        session = FakeSession(ids_left=2)
        upstream = make_upstream(session)
        exchange = self._acquire(upstream)
        self.assertTrue(session.going_away)
        self.assertIsNotNone(exchange.client)
        self._acquire(upstream)
        self.assertFalse(session.closed)
        self.assertIs(self._acquire(upstream).failure, FailureKind.OVERLOADED)
