"""
A tunnel as a place to send requests to.
"""

from __future__ import annotations

from typing import Final

import attrs
from twisted.internet.interfaces import IReactorTime
from zope.interface import classImplements

from pico.errors import TunnelBusy, TunnelError
from pico.interfaces import IUpstream
from pico.names import EndpointKey
from pico.net.deadlines import Deadlines
from pico.net.http.client import HTTPClientProtocol
from pico.net.http.gateway import Acquirer, FailureKind
from pico.net.http.pool import Pool
from pico.tunnel.session import TunnelSession
from pico.wire.http1.headers import HeaderCache
from pico.wire.http1.limits import DEFAULT_LIMITS, Limits

#: Stream ids left at which a tunnel is to be replaced.
RETIRE: Final = 65_536

#: Seconds for which other tunnels are preferred after one could not serve a request.
AVOID: Final = 1.0


@attrs.frozen
class PoolSettings:
    """
    How a tunnel's idle streams are kept.

    :ivar idle_streams: how many of them.
    :ivar idle_timeout: seconds after which one is closed.
    :ivar max_waiting: requests that may wait until the agent has accepted streams that were opened before.
    """

    idle_streams: int = 256
    idle_timeout: float = 60.0
    max_waiting: int = 1024
    limits: Limits = DEFAULT_LIMITS


class TunnelUpstream:
    """
    One agent's tunnel for one endpoint.

    Streams are opened for requests and kept for later ones when both sides allow it. The session owns the streams'
    transport; this object owns the idle ones in its pool.

    :ivar number: by which operators know it.
    :ivar address: ``host:port`` of the agent as this node sees it.
    :ivar version: what the agent says that it is; empty for a Piko agent.
    :ivar capabilities: what was agreed beyond Piko's bytes.
    :ivar pool_hits: requests that went over a stream that was there already.
    :ivar streams_opened: those that were not.
    """

    __slots__ = (
        "__weakref__",
        "_cache",
        "_clock",
        "_pool",
        "_settings",
        "_waiting",
        "address",
        "available",
        "avoid_until",
        "capabilities",
        "in_flight",
        "key",
        "number",
        "pool_hits",
        "requests",
        "session",
        "streams_opened",
        "version",
    )

    def __init__(
        self,
        key: EndpointKey,
        *,
        address: str,
        version: str,
        cache: HeaderCache,
        clock: IReactorTime,
        deadlines: Deadlines,
        settings: PoolSettings,
        number: int = 0,
        capabilities: tuple[str, ...] = (),
    ) -> None:
        self._cache = cache
        self._clock = clock
        self._pool = Pool(
            size=settings.idle_streams, idle_timeout=settings.idle_timeout, clock=clock, deadlines=deadlines
        )
        self._settings = settings
        self._waiting: dict[Acquirer, None] = {}
        self.address = address
        self.available = True
        self.avoid_until = 0.0
        self.capabilities = capabilities
        self.in_flight = 0
        self.key = key
        self.number = number
        self.pool_hits = 0
        self.requests = 0
        self.session: TunnelSession | None = None
        self.streams_opened = 0
        self.version = version

    @property
    def streams(self) -> int:
        """
        Streams that are open, idle ones included.
        """
        return self.session.streams if self.session is not None else 0

    @property
    def idle(self) -> int:
        """
        Streams that are kept for a next request.
        """
        return len(self._pool)

    @property
    def bytes_received(self) -> int:
        """
        Bytes from the agent; nothing once the tunnel is gone.
        """
        return self.session.bytes_received if self.session is not None else 0

    @property
    def bytes_sent(self) -> int:
        """
        Bytes to the agent; nothing once the tunnel is gone.
        """
        return self.session.bytes_sent if self.session is not None else 0

    def acquire(self, exchange: Acquirer, fresh: bool) -> None:
        """
        Give the exchange a stream: an idle one, or a new one, at once unless too many are waiting to be accepted.
        """
        self.in_flight += 1
        self.requests += 1
        if not fresh:
            client = self._pool.take()
            if client is not None:
                self.pool_hits += 1
                exchange.connected(client)
                return
        self._open(exchange)

    def cancel(self, exchange: Acquirer) -> None:
        """
        An exchange that waited for a stream does not want it any more.
        """
        if self._waiting.pop(exchange, self) is None:
            self.in_flight -= 1

    def room(self) -> None:
        """
        The agent has accepted some of the streams that it was offered: go on with the exchanges that wait.
        """
        for exchange in list(self._waiting):
            del self._waiting[exchange]
            self._open(exchange)
            if exchange in self._waiting:
                break

    def _open(self, exchange: Acquirer) -> None:
        session = self.session
        try:
            if session is None:
                raise TunnelError("the tunnel is gone")
            stream = session.open_stream()
        except TunnelBusy:
            # Too many streams are offered and not yet accepted, which is a matter of a round trip.
            if len(self._waiting) < self._settings.max_waiting:
                self._waiting[exchange] = None
                return
            self.in_flight -= 1
            exchange.unreachable(FailureKind.OVERLOADED)
            return
        except TunnelError:
            self.in_flight -= 1
            exchange.unreachable(FailureKind.OVERLOADED if self.available else FailureKind.UNREACHABLE)
            return
        if session.ids_left < RETIRE and not session.going_away:
            # An agent of Pico's dials another tunnel now and lets this one go when that stands.
            session.go_away()
        self.streams_opened += 1
        client = HTTPClientProtocol(self, self, cache=self._cache, limits=self._settings.limits)
        stream.attach(client)
        exchange.connected(client)

    def _turn_away(self) -> None:
        """
        Send the exchanges that wait for a stream elsewhere.
        """
        waiting, self._waiting = self._waiting, {}
        for exchange in waiting:
            self.in_flight -= 1
            exchange.unreachable(FailureKind.UNREACHABLE)

    def release(self, client: HTTPClientProtocol) -> None:
        """
        Take a stream back.
        """
        self.in_flight -= 1
        if client.reusable and self.available:
            self._pool.put(client)
        else:
            client.close()
        session = self.session
        if not self.in_flight and session is not None and session.going_away and not session.ids_left:
            # Nothing can ever be opened here again; an agent that does not know better dials anew when it ends.
            session.close()

    def idle_lost(self, client: HTTPClientProtocol) -> None:
        """
        The agent has ended an idle stream.
        """
        self._pool.discard(client)

    def failed(self) -> None:
        """
        The tunnel could not serve a request: prefer others for a moment.
        """
        self.avoid_until = self._clock.seconds() + AVOID

    def leave(self) -> None:
        """
        Nothing new comes here any more: close the idle streams, so that only those at work keep the agent waiting.
        """
        self.available = False
        self._pool.clear()
        self._turn_away()

    def closed(self) -> None:
        """
        The session is gone, and its streams with it.
        """
        self.available = False
        self._pool.stop()
        self.session = None
        self._turn_away()


classImplements(TunnelUpstream, IUpstream)
