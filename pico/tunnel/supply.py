"""
Streams of one session for those who ask: kept ones, new ones, and a line for when the other end must accept some first.

What differs between a tunnel and a link to another node stands behind :class:`Origin`; everything here is the same for
both.

Who owns what: the session owns the streams' transport, the pool the connections that carry nothing, the exchange the
one that it was given, and a taker its bare stream, from :meth:`StreamTaker.stream_opened` to
:meth:`StreamSupply.done`.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import Protocol

import attrs
from twisted.internet.interfaces import IReactorTime

from pico.errors import TunnelBusy, TunnelError
from pico.native import mypyc_attr
from pico.net.deadlines import Deadlines
from pico.net.http.client import HTTPClientProtocol
from pico.net.http.gateway import Backend, FailureKind, Requester
from pico.net.http.pool import Pool
from pico.tunnel.stream import TunnelStream
from pico.wire.http1.headers import HeaderCache
from pico.wire.http1.limits import DEFAULT_LIMITS, Limits


@attrs.frozen
class SupplySettings:
    """
    How streams are kept.

    :ivar idle_streams: how many that carry nothing.
    :ivar idle_timeout: seconds after which one of those is closed.
    :ivar max_waiting: who may wait for a stream that cannot be opened yet.
    """

    idle_streams: int = 256
    idle_timeout: float = 60.0
    max_waiting: int = 1024
    limits: Limits = DEFAULT_LIMITS


class StreamTaker(Protocol):
    """
    Who wants a bare stream.
    """

    def stream_opened(self, stream: TunnelStream) -> None:
        """
        Here it is; attach a protocol.
        """

    def stream_refused(self, kind: FailureKind) -> None:
        """
        There is none.
        """

    def upstream_leaves(self) -> None:
        """
        Nothing new should go over the stream, if that can be helped.
        """


class _Waiter(Protocol):
    """
    Who takes a stream when it is there.
    """

    def stream_opened(self, stream: TunnelStream) -> None: ...
    def stream_refused(self, kind: FailureKind) -> None: ...


@mypyc_attr(allow_interpreted_subclasses=True)
class Origin(Backend):
    """
    Where streams come from.
    """

    __slots__ = ()

    @abstractmethod
    def open_stream(self) -> TunnelStream:
        """
        Open one.

        :raises TunnelBusy: not now; :meth:`StreamSupply.room` follows.
        :raises TunnelError: not now and not soon.
        """

    @abstractmethod
    def refusal(self) -> FailureKind:
        """
        Why the last one could not be opened.
        """

    @abstractmethod
    def attach(self, stream: TunnelStream, client: HTTPClientProtocol, exchange: Requester) -> None:
        """
        Connect a new stream with the protocol that is to use it first for ``exchange``.
        """


class StreamSupply:
    """
    Give streams to requests and to others.

    :ivar available: false from the moment on when nothing new may go over the session.
    :ivar in_flight: requests and bare streams under way.
    :ivar pool_hits: requests that went over a stream that was there already.
    :ivar requests: all of them.
    :ivar streams_opened: new streams, bare ones included.
    """

    __slots__ = (
        "__weakref__",
        "_cache",
        "_origin",
        "_pool",
        "_settings",
        "_taken",
        "_waiting",
        "available",
        "in_flight",
        "pool_hits",
        "requests",
        "streams_opened",
    )

    def __init__(
        self,
        origin: Origin,
        *,
        cache: HeaderCache,
        clock: IReactorTime,
        deadlines: Deadlines,
        settings: SupplySettings,
    ) -> None:
        self._cache = cache
        self._origin = origin
        self._pool = Pool(
            size=settings.idle_streams, idle_timeout=settings.idle_timeout, clock=clock, deadlines=deadlines
        )
        self._settings = settings
        #: Bare streams, and whether each counts as under way.
        self._taken: dict[StreamTaker, bool] = {}
        #: Who waits: an exchange or a taker, and who takes the stream for it.
        self._waiting: dict[object, _Waiter] = {}
        self.available = True
        self.in_flight = 0
        self.pool_hits = 0
        self.requests = 0
        self.streams_opened = 0

    @property
    def idle(self) -> int:
        """
        Streams that are kept for a next request.
        """
        return len(self._pool)

    @property
    def taken(self) -> int:
        """
        Bare streams, under way or not.
        """
        return len(self._taken)

    # Requests

    def acquire(self, exchange: Requester, fresh: bool) -> None:
        """
        Give the exchange a stream: an idle one, or a new one, at once unless there is something to wait for.
        """
        self.in_flight += 1
        self.requests += 1
        if not fresh:
            client = self._pool.take()
            if client is not None:
                self.pool_hits += 1
                exchange.connected(client)
                return
        self._ask(exchange, _ForExchange(self, exchange))

    def cancel(self, exchange: Requester) -> None:
        """
        An exchange that waited for a stream does not want it any more.
        """
        if self._waiting.pop(exchange, None) is not None:
            self.in_flight -= 1

    def release(self, client: HTTPClientProtocol) -> None:
        """
        Take a stream back.
        """
        self.in_flight -= 1
        if client.reusable and self.available:
            self._pool.put(client)
        else:
            client.close()

    def idle_lost(self, client: HTTPClientProtocol) -> None:
        """
        The other end has ended an idle stream.
        """
        self._pool.discard(client)

    def drop_oldest(self) -> bool:
        """
        Close the stream that has been idle for the longest time.

        :return: whether there was one.
        """
        return self._pool.drop_oldest()

    # Bare streams

    def open(self, taker: StreamTaker) -> None:
        """
        Give a taker a new stream, perhaps before returning. :meth:`done` must follow, unless it was refused.
        """
        self.in_flight += 1
        self._ask(taker, _ForTaker(self, taker))

    def mark(self, taker: StreamTaker, busy: bool) -> None:
        """
        A bare stream counts as under way, or does not for the time being.
        """
        if self._taken[taker] is not busy:
            self._taken[taker] = busy
            self.in_flight += 1 if busy else -1

    def done(self, taker: StreamTaker) -> None:
        """
        A bare stream is gone, or is not wanted any more.
        """
        if self._waiting.pop(taker, None) is not None or self._taken.pop(taker, False):
            self.in_flight -= 1

    # The session's news

    def room(self) -> None:
        """
        Streams can be opened again: go on with those who wait, the first one first.
        """
        while self._waiting:
            want, waiter = next(iter(self._waiting.items()))
            try:
                stream = self._origin.open_stream()
            except TunnelBusy:
                return
            except TunnelError:
                del self._waiting[want]
                waiter.stream_refused(self._origin.refusal())
            else:
                del self._waiting[want]
                self.streams_opened += 1
                waiter.stream_opened(stream)

    def turn_away(self, kind: FailureKind) -> None:
        """
        Send those who wait for a stream elsewhere. What one is told may make another wait no more.
        """
        for want in list(self._waiting):
            waiter = self._waiting.pop(want, None)
            if waiter is not None:
                waiter.stream_refused(kind)

    def leave(self) -> None:
        """
        Nothing new comes here any more: close the idle streams, so that only those at work keep the other end waiting.
        """
        self.available = False
        self._pool.clear()
        self.turn_away(FailureKind.UNREACHABLE)
        for taker in list(self._taken):
            taker.upstream_leaves()

    def stop(self) -> None:
        """
        The session is gone, and its streams with it.
        """
        self.available = False
        self._pool.stop()
        self.turn_away(FailureKind.UNREACHABLE)

    # Inside

    def _ask(self, want: object, waiter: _Waiter) -> None:
        origin = self._origin
        try:
            stream = origin.open_stream()
        except TunnelBusy:
            # Too many streams are offered and not yet accepted, or the session is just being made.
            if len(self._waiting) < self._settings.max_waiting:
                self._waiting[want] = waiter
            else:
                waiter.stream_refused(FailureKind.OVERLOADED)
        except TunnelError:
            waiter.stream_refused(origin.refusal())
        else:
            self.streams_opened += 1
            waiter.stream_opened(stream)

    def _begin(self, exchange: Requester, stream: TunnelStream) -> None:
        client = HTTPClientProtocol(self._origin, self, cache=self._cache, limits=self._settings.limits)
        self._origin.attach(stream, client, exchange)
        exchange.connected(client)


class _ForExchange:
    """
    Takes a stream for a request.
    """

    __slots__ = ("_exchange", "_supply")

    def __init__(self, supply: StreamSupply, exchange: Requester) -> None:
        self._exchange = exchange
        self._supply = supply

    def stream_opened(self, stream: TunnelStream) -> None:
        self._supply._begin(self._exchange, stream)

    def stream_refused(self, kind: FailureKind) -> None:
        self._supply.in_flight -= 1
        self._exchange.unreachable(kind)


class _ForTaker:
    """
    Takes a stream for whoever wants it bare, and enters it in the books.
    """

    __slots__ = ("_supply", "_taker")

    def __init__(self, supply: StreamSupply, taker: StreamTaker) -> None:
        self._supply = supply
        self._taker = taker

    def stream_opened(self, stream: TunnelStream) -> None:
        self._supply._taken[self._taker] = True
        self._taker.stream_opened(stream)

    def stream_refused(self, kind: FailureKind) -> None:
        self._supply.in_flight -= 1
        self._taker.stream_refused(kind)
