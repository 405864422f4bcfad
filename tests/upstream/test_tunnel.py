"""
Tests for :mod:`pico.upstream.tunnel`.
"""

from __future__ import annotations

from typing import cast

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from pico.errors import TunnelBusy, TunnelError
from pico.names import DEFAULT_TENANT, EndpointKey, TenantId
from pico.net.deadlines import Deadlines
from pico.net.http.client import HTTPClientProtocol
from pico.net.http.exchange import Exchange
from pico.net.http.gateway import FailureKind
from pico.proxy.headers import fate_of
from pico.tunnel.session import TunnelSession
from pico.upstream.registry import Registry
from pico.upstream.tunnel import PoolSettings, TunnelUpstream
from pico.wire.http1.headers import HeaderCache


class FakeStream:
    """
    A stream that is only attached to.
    """

    def attach(self, protocol: HTTPClientProtocol) -> None:
        """
        Remember nothing.
        """


class FakeSession:
    """
    A session that opens as many streams as it is told to.
    """

    def __init__(self, ids_left: int = 1_000_000) -> None:
        self.ids_left = ids_left
        self.busy = False
        self.going_away = False
        self.closed = False

    def open_stream(self) -> FakeStream:
        """
        Open one, or refuse.
        """
        if self.busy:
            raise TunnelBusy("busy")
        if not self.ids_left:
            raise TunnelError("used up")
        self.ids_left -= 1
        return FakeStream()

    def go_away(self) -> None:
        """
        Note it.
        """
        self.going_away = True

    def close(self) -> None:
        """
        Note it.
        """
        self.closed = True


class FakeExchange:
    """
    An exchange that notes what it gets.
    """

    def __init__(self) -> None:
        self.client: HTTPClientProtocol | None = None
        self.failure: FailureKind | None = None

    def connected(self, client: HTTPClientProtocol) -> None:
        """
        A stream.
        """
        self.client = client

    def unreachable(self, kind: FailureKind) -> None:
        """
        None.
        """
        self.failure = kind


def _upstream(session: FakeSession, tenant: TenantId = DEFAULT_TENANT, max_waiting: int = 2) -> TunnelUpstream:
    clock = Clock()
    upstream = TunnelUpstream(
        EndpointKey(tenant, "e"),
        address="192.0.2.1:1",
        version="",
        cache=HeaderCache(fate_of),
        clock=clock,
        deadlines=Deadlines(clock),
        settings=PoolSettings(max_waiting=max_waiting),
    )
    upstream.session = cast(TunnelSession, session)
    return upstream


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
        upstream = _upstream(session)
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
        upstream = _upstream(session)
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
        upstream = _upstream(session)
        exchange = self._acquire(upstream)
        upstream.leave()
        self.assertIs(exchange.failure, FailureKind.UNREACHABLE)
        self.assertEqual(upstream.in_flight, 0)

    def test_retired(self) -> None:
        """
        A tunnel that is about to use up its ids asks for another one, serves on, and ends when it can serve no more.
        """
        session = FakeSession(ids_left=2)
        upstream = _upstream(session)
        exchange = self._acquire(upstream)
        self.assertTrue(session.going_away)
        self.assertIsNotNone(exchange.client)
        self._acquire(upstream)
        self.assertFalse(session.closed)
        self.assertIs(self._acquire(upstream).failure, FailureKind.OVERLOADED)


class RegistryTests(SynchronousTestCase):
    """
    What is where.
    """

    def test_tenants(self) -> None:
        """
        The same endpoint of two tenants is two endpoints.
        """
        registry = Registry(Clock())
        ours, theirs = (_upstream(FakeSession(), TenantId(name)) for name in ("ours", "theirs"))
        registry.add(ours)
        registry.add(theirs)
        self.assertIs(registry.choose(EndpointKey(TenantId("ours"), "e"), ()), ours)
        self.assertIs(registry.choose(EndpointKey(TenantId("theirs"), "e"), ()), theirs)
        self.assertIsNone(registry.choose(EndpointKey(DEFAULT_TENANT, "e"), ()))

    def test_turns(self) -> None:
        """
        Equals take turns, also when one of them goes; what failed is not chosen again.
        """
        registry = Registry(Clock())
        key = EndpointKey(DEFAULT_TENANT, "e")
        one, two, three = (_upstream(FakeSession()) for _ in range(3))
        for upstream in (one, two, three):
            registry.add(upstream)
        self.assertEqual([registry.choose(key, ()) for _ in range(4)], [one, two, three, one])
        self.assertTrue(registry.remove(one))
        self.assertFalse(registry.remove(one))
        self.assertEqual([registry.choose(key, ()) for _ in range(3)], [two, three, two])
        self.assertIs(registry.choose(key, (two,)), three)
        self.assertIsNone(registry.choose(key, (two, three)))
        self.assertEqual((len(registry), registry.endpoints()), (2, {key: 2}))
