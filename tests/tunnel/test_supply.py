"""
Tests for :mod:`pico.tunnel.supply`.
"""

from __future__ import annotations

from collections.abc import Sequence

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from pico.errors import TunnelBusy, TunnelError
from pico.net.deadlines import Deadlines
from pico.net.http.client import HTTPClientProtocol
from pico.net.http.gateway import FailureKind, Requester
from pico.tunnel.stream import TunnelStream
from pico.tunnel.supply import Origin, StreamSupply, SupplySettings
from pico.wire.http1.headers import Header, HeaderCache
from tests.net.http.requester import QuietRequester
from tests.tunnel.support import Alone, HalfCloser
from tests.upstream.support import Waiter
from tests.wire.yamux.support import ack, data


class Taker:
    """
    Who wants a bare stream, and notes what becomes of that.
    """

    def __init__(self) -> None:
        self.stream: TunnelStream | None = None
        self.refused: FailureKind | None = None
        self.told = 0

    def stream_opened(self, stream: TunnelStream) -> None:
        """
        A stream.
        """
        self.stream = stream
        stream.attach(HalfCloser())

    def stream_refused(self, kind: FailureKind) -> None:
        """
        None.
        """
        self.refused = kind

    def upstream_leaves(self) -> None:
        """
        The end is near.
        """
        self.told += 1


class FakeOrigin(Origin):
    """
    Opens streams of a session with nobody at its other end.

    :ivar error: raised instead.
    :ivar begun: for whom streams were attached.
    """

    def __init__(self) -> None:
        self.alone = Alone()
        self.begun: list[Requester] = []
        self.error: TunnelError | None = None
        self.opened = 0

    def open_stream(self) -> TunnelStream:
        """
        Open one, or not.
        """
        if self.error is not None:
            raise self.error
        self.opened += 1
        return self.alone.session.open_stream()

    def refusal(self) -> FailureKind:
        """
        Why not.
        """
        return FailureKind.CONNECT_TIMEOUT

    def attach(self, stream: TunnelStream, client: HTTPClientProtocol, exchange: Requester) -> None:
        """
        Attach it.
        """
        self.begun.append(exchange)
        stream.attach(client)

    # Backend, as exchanges know it

    def acquire(self, exchange: Requester, fresh: bool) -> None:
        """
        Not called here.
        """

    def cancel(self, exchange: Requester) -> None:
        """
        Not called here.
        """

    def release(self, client: HTTPClientProtocol) -> None:
        """
        Not called here.
        """

    def failed(self) -> None:
        """
        Not called here.
        """


class Receiver(QuietRequester):
    """
    Hears a response to its end.
    """

    def __init__(self) -> None:
        super().__init__()
        self.ended = 0

    def response_end(self, trailers: Sequence[Header]) -> None:
        """
        The end.
        """
        self.ended += 1

    def response_failed(self, kind: FailureKind, unprocessed: bool) -> None:
        """
        No end.
        """
        raise AssertionError(kind)


class SupplyTestCase(SynchronousTestCase):
    """
    A supply with room for two who wait.
    """

    def setUp(self) -> None:
        """
        Make it.
        """
        self.clock = Clock()
        self.origin = FakeOrigin()
        self.supply = StreamSupply(
            self.origin,
            cache=HeaderCache(),
            clock=self.clock,
            deadlines=Deadlines(self.clock),
            settings=SupplySettings(idle_streams=3, idle_timeout=10, max_waiting=2),
        )

    def request(self, fresh: bool = False) -> Waiter:
        """
        A request that asks for a stream.
        """
        waiter = Waiter()
        self.supply.acquire(waiter, fresh)
        return waiter

    def serve(self, waiter: Waiter) -> HTTPClientProtocol:
        """
        Let a request be answered, and its stream be given back.
        """
        client, receiver = self.send(waiter)
        self.answer(client, receiver)
        return client

    def send(self, waiter: Waiter) -> tuple[HTTPClientProtocol, Receiver]:
        """
        Let a request be sent.
        """
        client = waiter.client
        assert client is not None
        receiver = Receiver()
        client.send_request(receiver, b"GET", b"/", [b"Host: e"], length=0)
        client.send_end()
        client.flush()
        self.origin.alone.said()
        return client, receiver

    def answer(self, client: HTTPClientProtocol, receiver: Receiver) -> None:
        """
        Let it be answered, and its stream be given back.
        """
        stream = client.transport
        assert isinstance(stream, TunnelStream)
        self.origin.alone.hear(ack(stream.id) + data(stream.id, b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"))
        self.assertEqual(receiver.ended, 1)
        self.supply.release(client)


class RequestTests(SupplyTestCase):
    """
    Streams for requests.
    """

    def test_kept(self) -> None:
        """
        A stream that was given back is taken by the next request, unless that wants a new one.
        """
        client = self.serve(self.request())
        again = self.request()
        self.assertIs(again.client, client)
        self.assertEqual((self.supply.in_flight, self.supply.idle), (1, 0))
        self.serve(again)
        self.assertIsNot(self.request(fresh=True).client, client)
        self.assertEqual(
            (self.supply.requests, self.supply.pool_hits, self.supply.streams_opened, self.origin.opened),
            (3, 1, 2, 2),
        )

    def test_used_last_taken_first(self) -> None:
        """
        The stream that was used last is taken first, and the oldest is dropped first.
        """
        waiters = [self.request() for _ in range(3)]
        clients = [self.serve(waiter) for waiter in waiters]
        self.assertTrue(self.supply.drop_oldest())
        self.assertFalse(clients[0].reusable)
        self.assertEqual([self.request().client for _ in range(2)], [clients[2], clients[1]])
        self.assertFalse(self.supply.drop_oldest())

    def test_not_for_ever(self) -> None:
        """
        An idle stream is closed when its time is over.
        """
        client = self.serve(self.request())
        self.clock.advance(11)
        self.assertEqual((self.supply.idle, client.reusable), (0, False))

    def test_retired(self) -> None:
        """
        A stream that is retired while it is idle is gone; one that is at work is not kept after that.
        """
        client = self.serve(self.request())
        client.retire()
        self.assertEqual((self.supply.idle, client.reusable), (0, False))
        busy, receiver = self.send(self.request())
        busy.retire()
        self.assertEqual(self.origin.alone.said(), b"")
        self.answer(busy, receiver)
        self.assertEqual((self.supply.idle, self.supply.in_flight), (0, 0))

    def test_refused(self) -> None:
        """
        Where there is no stream, the origin says why.
        """
        self.origin.error = TunnelError()
        self.assertIs(self.request().failure, FailureKind.CONNECT_TIMEOUT)
        self.assertEqual((self.supply.in_flight, self.supply.streams_opened), (0, 0))

    def test_waiting(self) -> None:
        """
        While there is none yet requests wait, up to a limit, and get theirs in the order in which they came.
        """
        self.origin.error = TunnelBusy()
        first, second, third = (self.request() for _ in range(3))
        self.assertEqual((first.failure, second.failure, third.failure), (None, None, FailureKind.OVERLOADED))
        self.assertEqual(self.supply.in_flight, 2)
        self.supply.room()
        self.assertIsNone(first.client)
        self.origin.error = None
        self.supply.room()
        self.assertEqual(self.origin.begun, [first, second])
        self.assertTrue(first.client and second.client)

    def test_keeps_its_place(self) -> None:
        """
        Who is first in the line stays it when there is room for somebody else only for a moment.
        """
        self.origin.error = TunnelBusy()
        first, second = self.request(), self.request()
        self.supply.room()
        self.origin.error = None
        self.origin.alone.session.close()
        self.origin.alone.turn()
        self.supply.room()
        self.assertEqual((first.failure, second.failure), (FailureKind.CONNECT_TIMEOUT,) * 2)

    def test_cancelled(self) -> None:
        """
        A request that has gone waits no more.
        """
        self.origin.error = TunnelBusy()
        waiter = self.request()
        self.supply.cancel(waiter)
        self.supply.cancel(waiter)
        self.origin.error = None
        self.supply.room()
        self.assertEqual((waiter.client, self.supply.in_flight, self.origin.opened), (None, 0, 0))

    def test_cancelled_by_another(self) -> None:
        """
        One that is refused may take back what another has asked for: that hears nothing more.
        """

        class Canceller(Waiter):
            def unreachable(self, kind: FailureKind) -> None:
                super().unreachable(kind)
                supply.cancel(second)

        supply = self.supply
        self.origin.error = TunnelBusy()
        first = Canceller()
        supply.acquire(first, False)
        second = self.request()
        supply.turn_away(FailureKind.NODE_UNREACHABLE)
        self.assertEqual((first.failure, second.failure), (FailureKind.NODE_UNREACHABLE, None))
        self.assertEqual(supply.in_flight, 0)


class TakerTests(SupplyTestCase):
    """
    Bare streams.
    """

    def take(self) -> Taker:
        """
        Ask for one.
        """
        taker = Taker()
        self.supply.open(taker)
        return taker

    def test_in_the_books(self) -> None:
        """
        A bare stream counts from the question to the end, unless its taker says that it rests.
        """
        taker = self.take()
        self.assertIsNotNone(taker.stream)
        self.assertEqual((self.supply.in_flight, self.supply.taken), (1, 1))
        for busy, expected in ((True, 1), (False, 0), (False, 0), (True, 1)):
            self.supply.mark(taker, busy)
            self.assertEqual(self.supply.in_flight, expected)
        self.supply.done(taker)
        self.supply.done(taker)
        self.assertEqual((self.supply.in_flight, self.supply.taken), (0, 0))

    def test_done_while_it_rests(self) -> None:
        """
        One that rests is not taken out twice.
        """
        taker = self.take()
        self.supply.mark(taker, False)
        self.supply.done(taker)
        self.assertEqual(self.supply.in_flight, 0)

    def test_refused(self) -> None:
        """
        A taker learns why there is none.
        """
        self.origin.error = TunnelError()
        taker = self.take()
        self.assertIs(taker.refused, FailureKind.CONNECT_TIMEOUT)
        self.assertEqual((self.supply.in_flight, self.supply.taken), (0, 0))

    def test_waits_with_the_others(self) -> None:
        """
        Takers and requests wait in one line, and who does not want to wait any more leaves it.
        """
        self.origin.error = TunnelBusy()
        gone, waiter = self.take(), self.request()
        self.supply.done(gone)
        taker = self.take()
        self.origin.error = None
        self.supply.room()
        self.assertIsNone(gone.stream)
        self.assertTrue(waiter.client and taker.stream)
        self.assertEqual(self.supply.in_flight, 2)

    def test_leaving(self) -> None:
        """
        When the session leaves idle streams are closed, those who wait are sent away and takers are told.
        """
        client = self.serve(self.request())
        taker = self.take()
        self.origin.error = TunnelBusy()
        waiter, late = self.request(fresh=True), self.take()
        self.supply.leave()
        self.assertEqual((client.reusable, taker.told, late.told), (False, 1, 0))
        self.assertEqual((waiter.failure, late.refused), (FailureKind.UNREACHABLE,) * 2)
        self.assertEqual((self.supply.available, self.supply.in_flight), (False, 1))

    def test_stopped(self) -> None:
        """
        When it is gone nothing is kept and nobody waits.
        """
        self.origin.error = TunnelBusy()
        waiter = self.request()
        self.supply.stop()
        self.assertIs(waiter.failure, FailureKind.UNREACHABLE)
        self.assertEqual(self.clock.getDelayedCalls(), [])
