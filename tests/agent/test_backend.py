"""
Tests for :mod:`pico.agent.backend`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import ConnectError
from twisted.internet.error import TimeoutError as ConnectTimeout
from twisted.internet.interfaces import IProtocol, IProtocolFactory, IStreamClientEndpoint
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from pico.agent.backend import FRESH, ServiceBackend
from pico.agent.headers import fate_of
from pico.net.deadlines import Deadlines
from pico.net.http.client import HTTPClientProtocol
from pico.net.http.gateway import FailureKind
from pico.net.ports import make_client_endpoint
from pico.testing import MemoryNetwork, MemoryPipe
from pico.wire.http1.events import RequestHead
from pico.wire.http1.headers import Header, HeaderCache
from pico.wire.http1.limits import Limits
from tests.agent.support import OK, SERVICE_PORT, Service
from tests.heads import request_head
from tests.net.http.requester import PLAIN, QuietRequester
from tests.net.http.support import Peer

UPGRADE = request_head(b"GET / HTTP/1.1\r\nHost: e\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n")


class Caller(QuietRequester):
    """
    An exchange as a backend and a connection see it: it notes what it gets, and sends one GET.

    :ivar sends: how many times a backend was asked.
    """

    def __init__(self, backend: ServiceBackend, head: RequestHead = PLAIN, sends: int = 1) -> None:
        super().__init__(head)
        self.backend = backend
        self.sends = sends
        self.failures: list[FailureKind] = []
        self.ended = False

    def connected(self, client: HTTPClientProtocol) -> None:
        """
        There is a connection.
        """
        if self.client is not None:
            raise AssertionError("connected twice")
        self.client = client
        client.send_request(self, b"GET", b"/", [b"Host: e"], length=0)
        client.send_end()
        client.flush()

    def unreachable(self, kind: FailureKind) -> None:
        """
        There is none.
        """
        self.failures.append(kind)

    def response_end(self, trailers: Sequence[Header]) -> None:
        """
        Give the connection back.
        """
        self.ended = True
        self.give_back()

    def response_failed(self, kind: FailureKind, unprocessed: bool) -> None:
        """
        Give it back, useless as it is.
        """
        self.failures.append(kind)
        self.give_back()

    def give_back(self) -> None:
        """
        Have done with the connection.
        """
        assert self.client is not None
        self.backend.release(self.client)


@implementer(IStreamClientEndpoint)
class FakeEndpoint:
    """
    Connects when, and if, the test says so.

    :ivar factory: of the protocol that was asked for last.
    :ivar connecting: what was answered last.
    """

    factory: IProtocolFactory

    def __init__(self, canceller: Callable[[Deferred[IProtocol]], None] | None = None) -> None:
        self._canceller = canceller
        self.connecting: Deferred[IProtocol] = Deferred()

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[IProtocol]:  # noqa: N803 - Twisted's name
        """
        Begin.
        """
        self.factory = protocolFactory
        self.connecting = Deferred(self._canceller)
        return self.connecting


class BackendCase(SynchronousTestCase):
    """
    A backend on a network, and its service.
    """

    max_idle = 3
    idle_timeout = 90.0
    connect_timeout = 10.0

    def setUp(self) -> None:
        """
        Make them.
        """
        self.clock = Clock()
        self.network = MemoryNetwork(self.clock)
        self.service = Service(self.network.host("service"))
        agent = self.network.host("agent")
        self.backend = self.make_backend(
            make_client_endpoint(agent, "service", SERVICE_PORT, self.connect_timeout),
        )

    def make_backend(self, endpoint: IStreamClientEndpoint) -> ServiceBackend:
        """
        Make one for an endpoint.
        """
        return ServiceBackend(
            endpoint,
            max_idle=self.max_idle,
            idle_timeout=self.idle_timeout,
            cache=HeaderCache(fate_of),
            limits=Limits(),
            clock=self.clock,
            deadlines=Deadlines(self.clock),
        )

    def acquire(self, *, fresh: bool = False, head: RequestHead = PLAIN, sends: int = 1) -> Caller:
        """
        Ask for a connection; what comes of it comes with the next pump, if not at once.
        """
        exchange = Caller(self.backend, head, sends)
        self.backend.acquire(exchange, fresh)
        return exchange

    def answer(self, connection: int = -1, answer: bytes = OK) -> None:
        """
        Let the service answer on a connection.
        """
        self.service.peers[connection].transport.write(answer)
        self.network.pump()

    def use(self, count: int = 1) -> None:
        """
        Have requests carried at the same time, by connections that are idle afterwards.
        """
        exchanges = [self.acquire() for _ in range(count)]
        self.network.pump()
        for connection in range(-count, 0):
            self.answer(connection)
        self.assertTrue(all(exchange.ended for exchange in exchanges))
        self.assertEqual(0, self.backend.in_flight)

    def assert_kept(self, exchange: Caller, connections: int) -> None:
        """
        A request was given a kept connection, at once, and so many were made altogether.
        """
        self.assertIsNotNone(exchange.client)
        self.network.pump()
        self.assertEqual(connections, len(self.service.peers))

    def assert_new(self, exchange: Caller, connections: int) -> None:
        """
        A request had to wait for a new connection, and so many were made altogether.
        """
        self.assertIsNone(exchange.client)
        self.network.pump()
        self.assertIsNotNone(exchange.client)
        self.assertEqual(connections, len(self.service.peers))

    def end(self) -> None:
        """
        Stop; nothing may be left waiting.
        """
        self.backend.stop()
        self.network.advance(1)
        self.assertEqual([], self.service.open)
        self.assertEqual([], self.clock.getDelayedCalls())


class KeptConnectionTests(BackendCase):
    """
    Which requests are carried by connections that were used before.
    """

    def test_first(self) -> None:
        """
        The first request waits for a connection, and is sent on it.
        """
        self.assert_new(self.acquire(), 1)
        self.assertEqual(1, self.backend.in_flight)
        self.assertEqual(b"GET / HTTP/1.1\r\nHost: e\r\n\r\n", self.service.last.take())
        self.answer()
        self.assertEqual(0, self.backend.in_flight)
        self.end()

    def test_kept(self) -> None:
        """
        The next one is carried by the same connection, without waiting.
        """
        self.use()
        self.network.advance(60)
        self.assert_kept(self.acquire(), 1)
        self.answer()
        self.end()

    def test_busy(self) -> None:
        """
        A connection carries one request at a time.
        """
        self.use()
        self.assert_kept(self.acquire(), 1)
        self.assert_new(self.acquire(), 2)
        self.answer(0)
        self.answer(1)
        self.end()

    def test_fresh(self) -> None:
        """
        A request that must not be sent twice takes a connection that was in use a moment ago.
        """
        for idle in (0.0, FRESH / 2, FRESH):
            self.setUp()
            self.use()
            self.clock.advance(idle)
            self.assert_kept(self.acquire(fresh=True), 1)

    def test_not_fresh(self) -> None:
        """
        It takes a new one when the kept ones have been idle for longer; they stay for others.
        """
        self.use()
        self.clock.advance(FRESH + 0.01)
        self.assert_new(self.acquire(fresh=True), 2)
        self.assert_kept(self.acquire(), 2)
        self.answer(0)
        self.answer(1)
        self.end()

    def test_upgrade(self) -> None:
        """
        An upgrade gets a connection of its own, however fresh another one is.
        """
        self.use()
        self.assert_new(self.acquire(head=UPGRADE), 2)

    def test_sent_again(self) -> None:
        """
        A request that is sent again does not trust another kept connection.
        """
        self.use()
        self.assert_new(self.acquire(sends=2), 2)

    def test_last_used_first(self) -> None:
        """
        The connection that was used last is taken first, so that spare ones age.
        """
        self.use(2)
        exchange = self.acquire()
        assert exchange.client is not None
        self.network.pump()
        self.assertEqual([1, 2], sorted(len(peer.take().split(b"GET")) - 1 for peer in self.service.peers))
        self.answer(1)
        again = self.acquire()
        self.assertIs(exchange.client, again.client)

    def test_max_idle(self) -> None:
        """
        No more idle connections are kept than the setting says.
        """
        self.use(5)
        self.assertEqual(5, len(self.service.peers))
        self.assertEqual(3, len(self.service.open))
        self.end()

    def test_idle_timeout(self) -> None:
        """
        A connection that nobody used for the idle timeout is closed.
        """
        self.use(2)
        self.network.advance(60)
        self.use()
        self.network.advance(31)
        self.assertEqual(1, len(self.service.open))
        self.network.advance(61)
        self.assertEqual([], self.service.open)
        self.assert_new(self.acquire(), 3)

    def test_closed_by_the_service(self) -> None:
        """
        A connection that the service closes while it is idle is not taken any more.
        """
        for end in ("loseConnection", "abortConnection"):
            self.setUp()
            self.use()
            getattr(self.service.last.transport, end)()
            self.network.pump()
            self.assert_new(self.acquire(fresh=True), 2)
            self.assertEqual(1, self.backend.in_flight)

    def test_unasked(self) -> None:
        """
        A connection on which the service speaks unasked is dropped: it might be taken for the next answer.
        """
        self.use()
        self.answer()
        self.assertEqual([], self.service.open)
        self.assert_new(self.acquire(), 2)

    def test_service_keeps_none(self) -> None:
        """
        A connection that the service wants closed is closed behind its answer.
        """
        self.acquire()
        self.network.pump()
        self.answer(answer=b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        self.assertEqual(([], 0), (self.service.open, self.backend.in_flight))
        self.assert_new(self.acquire(), 2)

    def test_lost(self) -> None:
        """
        A connection that ends before its answer is given back as what it is.
        """
        exchange = self.acquire()
        self.network.pump()
        self.service.last.transport.abortConnection()
        self.network.pump()
        self.assertEqual(([FailureKind.LOST], 0), (exchange.failures, self.backend.in_flight))
        self.assert_new(self.acquire(), 2)


class UnreachableTests(BackendCase):
    """
    Services that cannot be reached.
    """

    def test_refused(self) -> None:
        """
        Nothing listens there.
        """
        self.service.stop_listening()
        exchange = self.acquire()
        self.network.pump()
        self.assertEqual([FailureKind.UNREACHABLE], exchange.failures)
        self.assertEqual(0, self.backend.in_flight)
        self.end()

    def test_unknown_name(self) -> None:
        """
        There is no such host.
        """
        host = self.network.host("agent")
        self.backend = self.make_backend(make_client_endpoint(host, "nowhere", SERVICE_PORT, 10))
        exchange = self.acquire()
        self.network.pump()
        self.assertEqual([FailureKind.UNREACHABLE], exchange.failures)
        self.assertEqual(0, self.backend.in_flight)
        self.end()

    def test_silence(self) -> None:
        """
        No answer comes: that is told apart, when the time for connecting is over and not before.
        """
        self.network.cut(self.network.host("agent"), self.network.host("service"))
        exchange = self.acquire()
        self.network.advance(self.connect_timeout - 0.01)
        self.assertEqual(([], 1), (exchange.failures, self.backend.in_flight))
        self.network.advance(0.01)
        self.assertEqual(([FailureKind.CONNECT_TIMEOUT], 0), (exchange.failures, self.backend.in_flight))
        self.end()

    def test_each_for_itself(self) -> None:
        """
        A failure is told to the request that it befell.
        """
        here, there = self.network.host("agent"), self.network.host("service")
        self.network.cut(here, there)
        first = self.acquire()
        self.network.advance(4)
        self.network.heal(here, there)
        second = self.acquire()
        self.network.advance(6)
        self.assertEqual([FailureKind.CONNECT_TIMEOUT], first.failures)
        self.assertEqual([], second.failures)
        self.assertIsNotNone(second.client)
        self.assertEqual(1, self.backend.in_flight)

    def test_whatever_the_reason(self) -> None:
        """
        Only a timeout is one; every other failure to connect means that the service cannot be reached.
        """
        for error, kind in (
            (ConnectTimeout(), FailureKind.CONNECT_TIMEOUT),
            (ConnectError(), FailureKind.UNREACHABLE),
            (OSError(24, "Too many open files"), FailureKind.UNREACHABLE),
        ):
            endpoint = FakeEndpoint()
            self.backend = self.make_backend(endpoint)
            exchange = self.acquire()
            endpoint.connecting.errback(Failure(error))
            self.assertEqual(([kind], 0), (exchange.failures, self.backend.in_flight))


class CancelTests(BackendCase):
    """
    Requests that do not wait for their connection.
    """

    def test_connecting(self) -> None:
        """
        Connecting is given up: the service hears nothing, and the request neither.
        """
        exchange = self.acquire()
        self.backend.cancel(exchange)
        self.assertEqual(0, self.backend.in_flight)
        self.network.advance(self.connect_timeout + 1)
        self.assertEqual((None, []), (exchange.client, exchange.failures))
        self.assertEqual([], self.service.peers)
        self.end()

    def test_silence(self) -> None:
        """
        Also when no answer would have come.
        """
        self.network.cut(self.network.host("agent"), self.network.host("service"))
        exchange = self.acquire()
        self.network.advance(3)
        self.backend.cancel(exchange)
        self.assertEqual([], self.clock.getDelayedCalls())
        self.assertEqual(([], 0), (exchange.failures, self.backend.in_flight))
        self.end()

    def test_others_wait_on(self) -> None:
        """
        Other requests are not touched.
        """
        first, second = self.acquire(), self.acquire()
        self.backend.cancel(first)
        self.network.pump()
        self.assertIsNone(first.client)
        self.assertIsNotNone(second.client)
        self.assertEqual(1, self.backend.in_flight)

    def test_too_late(self) -> None:
        """
        What does not wait, or not any more, cannot be cancelled.
        """
        exchange = self.acquire()
        self.network.pump()
        for _ in range(2):
            self.backend.cancel(exchange)
        self.assertEqual(1, self.backend.in_flight)
        self.answer()
        self.assertEqual((True, 0), (exchange.ended, self.backend.in_flight))

    def test_connected_all_the_same(self) -> None:
        """
        A connection that stands in the moment in which it is given up is closed.
        """

        peer = Peer()
        pipe = MemoryPipe()

        def connect(connecting: Deferred[IProtocol]) -> None:
            client = endpoint.factory.buildProtocol(pipe.right.getHost())
            assert client is not None
            pipe.connect(client, peer)
            connecting.callback(client)

        endpoint = FakeEndpoint(connect)
        self.backend = self.make_backend(endpoint)
        exchange = self.acquire()
        self.backend.cancel(exchange)
        pipe.pump()
        self.assertTrue(peer.over)
        self.assertEqual((None, 0), (exchange.client, self.backend.in_flight))

    def test_nothing_is_logged(self) -> None:
        """
        However connecting ends that was given up, nobody is bothered with it.
        """

        def failing_with(error: Exception) -> Callable[[Deferred[IProtocol]], None]:
            return lambda connecting: connecting.errback(Failure(error))

        for error in (CancelledError(), ConnectError(), ConnectTimeout()):
            endpoint = FakeEndpoint(failing_with(error))
            self.backend = self.make_backend(endpoint)
            exchange = self.acquire()
            self.backend.cancel(exchange)
            self.assertEqual(([], 0), (exchange.failures, self.backend.in_flight))
            # A failure that nobody handles is logged when its Deferred goes.
            endpoint.connecting = Deferred()
        self.assertEqual([], self.flushLoggedErrors())


class StopTests(BackendCase):
    """
    The end.
    """

    def test_idle(self) -> None:
        """
        Idle connections are closed, and no time is watched any more.
        """
        self.use(2)
        self.assertEqual(2, len(self.service.open))
        self.backend.stop()
        self.network.pump()
        self.assertEqual([], self.service.open)
        self.assertEqual([], self.clock.getDelayedCalls())

    def test_busy(self) -> None:
        """
        A request under way goes on; its connection is closed when it has ended, and kept for nobody.
        """
        exchange = self.acquire()
        self.network.pump()
        self.backend.stop()
        self.network.pump()
        self.assertEqual(1, len(self.service.open))
        self.answer()
        self.assertTrue(exchange.ended)
        self.assertEqual([], self.service.open)
        self.assertEqual([], self.clock.getDelayedCalls())

    def test_connecting(self) -> None:
        """
        So does one that waits for its connection.
        """
        exchange = self.acquire()
        self.backend.stop()
        self.network.pump()
        self.answer()
        self.assertTrue(exchange.ended)
        self.assertEqual([], self.service.open)

    def test_twice(self) -> None:
        """
        Stopping again changes nothing.
        """
        self.use()
        self.backend.stop()
        self.backend.stop()
        self.end()
