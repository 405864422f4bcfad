"""
Connections to the local service.
"""

from __future__ import annotations

from typing import Final

from twisted.internet import error
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import ConnectError, ConnectingCancelledError
from twisted.internet.interfaces import (
    IAddress,
    IProtocol,
    IProtocolFactory,
    IReactorTime,
    IStreamClientEndpoint,
)
from twisted.python.failure import Failure
from zope.interface import implementer

from pico.net.deadlines import Deadlines
from pico.net.http.client import HTTPClientProtocol
from pico.net.http.gateway import Backend, FailureKind, Requester
from pico.net.http.pool import Pool
from pico.net.tls_endpoint import TLSFailed
from pico.wire.http1.headers import HeaderCache
from pico.wire.http1.limits import Limits

#: A request that must not be sent twice takes a kept connection only if it was in use so many seconds ago: services
#: close idle connections after a second or more, and closing races with the request.
FRESH: Final = 0.5


class ServiceBackend(Backend):
    """
    One local service as a place to send requests to.

    It owns connections that are idle or being made; an exchange owns the one that carries it.

    :ivar dials: connections that it began to make.
    :ivar pool_hits: requests that took one that was there already.
    """

    def __init__(
        self,
        endpoint: IStreamClientEndpoint,
        *,
        max_idle: int,
        idle_timeout: float,
        cache: HeaderCache,
        limits: Limits,
        clock: IReactorTime,
        deadlines: Deadlines,
    ) -> None:
        """
        :param endpoint: connects within its own limit of time, or fails.
        """
        self._endpoint = endpoint
        self._cache = cache
        self._limits = limits
        self._pool = Pool(size=max_idle, idle_timeout=idle_timeout, clock=clock, deadlines=deadlines)
        self._connecting: dict[Requester, Deferred[IProtocol]] = {}
        self._factory = _ClientFactory(self)
        self.dials = 0
        self.in_flight = 0
        self.pool_hits = 0

    @property
    def idle(self) -> int:
        """
        Connections that are kept for a next request.
        """
        return len(self._pool)

    def acquire(self, exchange: Requester, fresh: bool) -> None:
        """
        Give the exchange a kept connection at once, or a new one when it stands.
        """
        self.in_flight += 1
        if exchange.head.upgrade is None and exchange.sends == 1:
            client = self._pool.take(FRESH if fresh else None)
            if client is not None:
                self.pool_hits += 1
                exchange.connected(client)
                return
        self.dials += 1
        connecting = self._endpoint.connect(self._factory)
        self._connecting[exchange] = connecting
        connecting.addCallbacks(self._connected, self._failed, (exchange,), {}, (exchange,), {})

    def cancel(self, exchange: Requester) -> None:
        """
        Give up connecting.
        """
        connecting = self._connecting.pop(exchange, None)
        if connecting is not None:
            self.in_flight -= 1
            connecting.cancel()

    def release(self, client: HTTPClientProtocol) -> None:
        """
        Take a connection back.
        """
        self.in_flight -= 1
        if client.reusable:
            self._pool.put(client)
        else:
            client.close()

    def failed(self) -> None:
        """
        There is no other to prefer.
        """

    def idle_lost(self, client: HTTPClientProtocol) -> None:
        """
        The service has closed an idle connection.
        """
        self._pool.discard(client)

    def stop(self) -> None:
        """
        Close idle connections for good.
        """
        self._pool.stop()

    def make_client(self) -> HTTPClientProtocol:
        """
        Make the protocol of a new connection.
        """
        return HTTPClientProtocol(self, self, cache=self._cache, limits=self._limits)

    def _connected(self, protocol: IProtocol, exchange: Requester) -> None:
        client = protocol
        if not isinstance(client, HTTPClientProtocol):
            return
        if self._connecting.pop(exchange, None) is None:
            client.close()
            return
        exchange.connected(client)

    def _failed(self, reason: Failure, exchange: Requester) -> None:
        if self._connecting.pop(exchange, None) is None:
            reason.trap(CancelledError, ConnectingCancelledError, ConnectError)
            return
        self.in_flight -= 1
        exchange.unreachable(_kind_of(reason))


def _kind_of(reason: Failure) -> FailureKind:
    if reason.check(error.TimeoutError):
        return FailureKind.CONNECT_TIMEOUT
    return FailureKind.NO_TLS if reason.check(TLSFailed) else FailureKind.UNREACHABLE


@implementer(IProtocolFactory)
class _ClientFactory:
    def __init__(self, backend: ServiceBackend) -> None:
        self._backend = backend

    def buildProtocol(self, addr: IAddress | None) -> IProtocol | None:
        return self._backend.make_client()

    def doStart(self) -> None:
        pass

    def doStop(self) -> None:
        pass
