"""
A tunnel as a place to send requests to.
"""

from __future__ import annotations

from twisted.internet.interfaces import IReactorTime
from zope.interface import classImplements

from pico.cluster.link import RETIRE
from pico.cluster.remote import AVOID
from pico.errors import TunnelError
from pico.interfaces import IUpstream
from pico.names import EndpointKey
from pico.net.deadlines import Deadlines
from pico.net.http.client import HTTPClientProtocol
from pico.net.http.gateway import FailureKind, Requester
from pico.tunnel.session import TunnelSession
from pico.tunnel.stream import TunnelStream
from pico.tunnel.supply import Origin, StreamSupply, StreamTaker, SupplySettings
from pico.wire.http1.headers import HeaderCache


class TunnelUpstream(Origin):
    """
    One agent's tunnel for one endpoint.

    Streams are opened for requests and kept for later ones when both sides allow it; others may have bare streams.

    :ivar number: by which operators know it.
    :ivar address: ``host:port`` of the agent as this node sees it.
    :ivar version: what the agent says that it is; empty for a Piko agent.
    :ivar capabilities: what was agreed beyond Piko's bytes.
    """

    __slots__ = (
        "__weakref__",
        "_clock",
        "_supply",
        "address",
        "avoid_until",
        "capabilities",
        "key",
        "number",
        "session",
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
        settings: SupplySettings,
        number: int = 0,
        capabilities: tuple[str, ...] = (),
    ) -> None:
        self._clock = clock
        self._supply = StreamSupply(self, cache=cache, clock=clock, deadlines=deadlines, settings=settings)
        self.address = address
        self.avoid_until = 0.0
        self.capabilities = capabilities
        self.key = key
        self.number = number
        self.session: TunnelSession | None = None
        self.version = version

    @property
    def available(self) -> bool:
        """
        False from the moment on when nothing new may go to it.
        """
        return self._supply.available

    @property
    def in_flight(self) -> int:
        """
        Requests and other streams that it carries now.
        """
        return self._supply.in_flight

    @property
    def requests(self) -> int:
        """
        Each time that one was sent through it by this node.
        """
        return self._supply.requests

    @property
    def pool_hits(self) -> int:
        """
        Requests that went over a stream that was there already.
        """
        return self._supply.pool_hits

    @property
    def streams_opened(self) -> int:
        """
        All streams that were opened.
        """
        return self._supply.streams_opened

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
        return self._supply.idle

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

    # Requests

    def acquire(self, exchange: Requester, fresh: bool) -> None:
        """
        Give the exchange a stream: an idle one, or a new one, at once unless too many are waiting to be accepted.
        """
        self._supply.acquire(exchange, fresh)

    def cancel(self, exchange: Requester) -> None:
        """
        An exchange that waited for a stream does not want it any more.
        """
        self._supply.cancel(exchange)

    def release(self, client: HTTPClientProtocol) -> None:
        """
        Take a stream back.
        """
        self._supply.release(client)
        self._end_if_used_up()

    def failed(self) -> None:
        """
        The tunnel could not serve a request: prefer others for a moment.
        """
        self.avoid_until = self._clock.seconds() + AVOID

    # Bare streams

    def open(self, taker: StreamTaker) -> None:
        """
        Give a taker a stream of its own; see :meth:`pico.tunnel.supply.StreamSupply.open`.
        """
        self._supply.open(taker)

    def mark(self, taker: StreamTaker, busy: bool) -> None:
        """
        Count a taker's stream as under way, or not.
        """
        self._supply.mark(taker, busy)

    def done(self, taker: StreamTaker) -> None:
        """
        A taker's stream is gone, or is not wanted any more.
        """
        self._supply.done(taker)
        self._end_if_used_up()

    # Origin

    def open_stream(self) -> TunnelStream:
        """
        Open a stream, and ask for another tunnel when ids run out.
        """
        session = self.session
        if session is None:
            raise TunnelError("the tunnel is gone")
        stream = session.open_stream()
        if session.ids_left < RETIRE and not session.going_away:
            # An agent of Pico's dials another tunnel now and lets this one go when that stands.
            session.go_away()
        return stream

    def refusal(self) -> FailureKind:
        """
        Why there was no stream.
        """
        available = self.session is not None and self._supply.available
        return FailureKind.OVERLOADED if available else FailureKind.UNREACHABLE

    def attach(self, stream: TunnelStream, client: HTTPClientProtocol, exchange: Requester) -> None:
        """
        Connect a stream: nothing goes before the first request.
        """
        stream.attach(client)

    # The session's news

    def room(self) -> None:
        """
        The agent has accepted some of the streams that it was offered: go on with those who wait.
        """
        self._supply.room()

    def leave(self) -> None:
        """
        Nothing new comes here any more: close the idle streams, so that only those at work keep the agent waiting.
        """
        self._supply.leave()

    def closed(self) -> None:
        """
        The session is gone, and its streams with it.
        """
        self.session = None
        self._supply.stop()

    # Inside

    def _end_if_used_up(self) -> None:
        session = self.session
        if session is None or not session.going_away or session.ids_left:
            return
        if not self._supply.in_flight:
            # Nothing can ever be opened here again; an agent that does not know better dials anew when it ends.
            session.close()


classImplements(TunnelUpstream, IUpstream)
