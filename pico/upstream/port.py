"""
The port that agents dial: it turns upgrade requests into registered tunnels.

A tunnel is registered in the same turn in which its 101 is written, and taken out of the registry in the turn in
which its agent's go-away arrives or its session ends. Capabilities are answered as they are offered: see
``docs/tunnel.md``.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Sequence

import attrs
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IAddress, IProtocol, IProtocolFactory, IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from pico.errors import RemoteProtocolError
from pico.interfaces import ITunnels, IVerifier, TunnelStatus
from pico.metrics import Metrics
from pico.names import CAPABILITIES_HEADER, GO_AWAY, MAX_NAME, EndpointKey, NodeId
from pico.net.addresses import text_of
from pico.net.deadlines import Deadlines
from pico.net.http.answers import Answer, error_answer
from pico.net.http.fields import reader_of
from pico.net.http.gateway import Application, Exchanger
from pico.net.http.server import HTTPServerProtocol, ServerSettings
from pico.net.turn import Turn
from pico.net.waiters import Waiters
from pico.net.websocket import WebSocketTransport
from pico.tunnel.endings import why_ended
from pico.tunnel.session import TunnelSession, TunnelSettings
from pico.tunnel.supply import SupplySettings
from pico.upstream.asked import endpoint_of, offered_by, version_of
from pico.upstream.closing import Closing
from pico.upstream.registry import Registry
from pico.upstream.shedding import Shedding
from pico.upstream.traffic import Traffic, TrafficSettings
from pico.upstream.tunnel import TunnelUpstream
from pico.wire.http1.events import RequestHead
from pico.wire.http1.headers import HeaderCache
from pico.wire.websocket.handshake import check_request, refusal_lines, response_lines
from pico.wire.websocket.stream import ByteStream, Side
from pico.wire.yamux.session import Role

_log = Logger(namespace="upstream")

#: What this node understands of what agents offer beyond Piko's bytes.
CAPABILITIES = frozenset({GO_AWAY})


@attrs.frozen
class UpstreamPortSettings:
    """
    The limits of the port.

    :ivar max_tunnels: tunnels of this node; one more is refused with 503.
    :ivar max_connections: TCP connections of the port, tunnels included.
    """

    server: ServerSettings
    tunnel: TunnelSettings
    pool: SupplySettings
    max_tunnels: int = 20_000
    max_connections: int = 25_000
    traffic: TrafficSettings = attrs.field(factory=TrafficSettings)


class _Stage(enum.Enum):
    """
    Whether tunnels are accepted.
    """

    STARTING = "starting"
    OPEN = "open"
    DRAINING = "draining"


@implementer(IProtocolFactory, ITunnels)
class UpstreamPort(Application):
    """
    Accept tunnels: the factory of the port's connections and the application behind them.

    :ivar proxy_port: where this node takes requests, for agents to show; 0 while it is not bound.
    """

    def __init__(
        self,
        *,
        node_id: NodeId,
        registry: Registry,
        verifier: IVerifier,
        settings: UpstreamPortSettings,
        cache: HeaderCache,
        clock: IReactorTime,
        deadlines: Deadlines,
        turn: Turn,
        metrics: Metrics,
        shedding: Shedding | None = None,
    ) -> None:
        """
        :param cache: of headers of agents' requests, and of responses that come through their tunnels.
        :param shedding: is told of tunnels that come and go, and of those that a drain has told to go.
        """
        self._node_id = node_id
        self._registry = registry
        self._verifier = verifier
        self._settings = settings
        self._cache = cache
        self._clock = clock
        self._deadlines = deadlines
        self._turn = turn
        self._shedding = shedding
        self._connections = 0
        self._stage = _Stage.OPEN
        #: Tunnels that are still to leave, while somebody waits for that.
        self._staying: set[TunnelUpstream] = set()
        self._awaiting_moved: Waiters[None] = Waiters()
        self.proxy_port = 0
        # In the order in which they came; a set that is one.
        self._upstreams: dict[TunnelUpstream, None] = {}
        self._next_number = 1
        self._refusals = metrics.counters(
            "pico_upstreams_refused",
            "Tunnels that were refused, by HTTP status and reason: malformed, path, authorization, endpoint (not "
            "permitted), upgrade, starting, draining, full.",
            ["status", "reason"],
        )
        self._connections_refused = metrics.counter(
            "pico_upstreams_connections_refused", "Connections to the upstream port over its limit."
        )
        metrics.gauge(
            "pico_upstreams_connected_upstreams",
            "Tunnels connected to this node.",
            lambda: len(self._upstreams),
        )
        metrics.gauge(
            "pico_upstreams_registered_endpoints",
            "Endpoints that have a tunnel on this node.",
            lambda: len(registry.endpoints()),
        )
        self._traffic = Traffic(metrics, self._upstreams.keys(), clock, settings.traffic)

    # IProtocolFactory

    def buildProtocol(self, addr: IAddress | None) -> IProtocol | None:
        """
        Make the connection's protocol, or refuse it when there are too many.
        """
        if self._connections >= self._settings.max_connections:
            self._connections_refused.value += 1
            return None
        return HTTPServerProtocol(self, cache=self._cache, settings=self._settings.server, deadlines=self._deadlines)

    def doStart(self) -> None:
        """
        The port listens.
        """

    def doStop(self) -> None:
        """
        The port does not listen any more; tunnels live on.
        """

    # Application

    def connection_made(self, server: HTTPServerProtocol) -> None:
        """
        Count a connection.
        """
        self._connections += 1

    def connection_lost(self, server: HTTPServerProtocol) -> None:
        """
        Count it no more.
        """
        self._connections -= 1

    def request_malformed(self, server: HTTPServerProtocol, status: int, reason: str) -> Answer:
        """
        Answer bytes that are not a request.
        """
        self._count_refusal(status, "malformed")
        return error_answer(status, reason)

    def request_received(self, server: HTTPServerProtocol, head: RequestHead) -> Exchanger | None:
        """
        Accept a tunnel, or say why not.
        """
        step = "path"
        try:
            endpoint = endpoint_of(head)
            step = "authorization"
            identity = self._verifier.verify(reader_of(head.headers))
            if len(identity.tenant.encode()) > MAX_NAME:
                raise RemoteProtocolError(400, f"tenant id is longer than {MAX_NAME} bytes")
            step = "endpoint"
            if not identity.may_use(endpoint):
                raise RemoteProtocolError(401, "endpoint not permitted")
            step = "upgrade"
            key = check_request(head)
        except RemoteProtocolError as error:
            self._refuse(server, error_answer(error.code, error.reason, lines=refusal_lines(error.code)), step)
            return None
        stage = self._stage
        if stage is not _Stage.OPEN or len(self._upstreams) >= self._settings.max_tunnels:
            reason = (
                "node is starting"
                if stage is _Stage.STARTING
                else "node is draining"
                if stage is _Stage.DRAINING
                else "too many tunnels"
            )
            answer = error_answer(503, reason, "dial another node", lines=(b"Retry-After: 1",))
            self._refuse(server, answer, "full" if stage is _Stage.OPEN else stage.value)
            return None
        self._accept(server, head, EndpointKey(identity.tenant, endpoint), key)
        return None

    # Starting and draining

    def hold(self) -> None:
        """
        Accept no tunnels before :meth:`resume`: the node could not tell others of them yet.
        """
        self._stage = _Stage.STARTING

    def drain(self) -> None:
        """
        Accept no more tunnels and ask every agent that understands it to dial another node.

        Agents that were told keep their tunnel until another one stands; requests are still routed to it. To the other
        agents nothing is said.
        """
        self._stage = _Stage.DRAINING
        for upstream in self._movable():
            if upstream.session is not None and not upstream.session.going_away:
                upstream.session.go_away()
                if self._shedding is not None:
                    self._shedding.told(upstream)

    def resume(self) -> None:
        """
        Accept tunnels again. Agents that were told to go will do so when they find another node, or this one.
        """
        self._stage = _Stage.OPEN

    def when_moved(self) -> Deferred[None]:
        """
        Wait until all agents have left that understand what :meth:`drain` asks of them, but for what is under way.
        """
        moved = self._awaiting_moved.wait()
        self._staying = set(self._movable())
        self._tell_moved()
        return moved

    def end(self, patience: float) -> Deferred[None]:
        """
        Close the tunnels that are left, each when nothing is under way on it.

        :param patience: seconds for which those at work may go on to take requests.
        :return: fires when there are none; see :meth:`pico.upstream.closing.Closing.run`.
        """
        return Closing(self._upstreams.keys(), self._withdraw, self._clock).run(patience)

    def close(self) -> None:
        """
        Close every tunnel now.
        """
        for upstream in list(self._upstreams):
            if upstream.session is not None:
                upstream.session.close()

    @property
    def in_flight(self) -> int:
        """
        Requests and spliced connections in all tunnels.
        """
        return sum(upstream.in_flight for upstream in self._upstreams)

    @property
    def upstreams(self) -> int:
        """
        All tunnels, those that are leaving included.
        """
        return len(self._upstreams)

    # ITunnels

    def tunnels(self, endpoint: str | None, after: int, limit: int) -> tuple[Sequence[TunnelStatus], int]:
        """
        List tunnels, the oldest first.
        """
        found: list[TunnelStatus] = []
        total = 0
        now = self._clock.seconds()
        for upstream in self._upstreams:
            if endpoint is not None and upstream.key.endpoint != endpoint:
                continue
            total += 1
            if upstream.number > after and len(found) < limit:
                found.append(_status_of(upstream, now))
        return found, total

    # Inside

    def _accept(self, server: HTTPServerProtocol, head: RequestHead, key: EndpointKey, ws_key: bytes) -> None:
        offered = offered_by(head)
        accepted = sorted(offered & CAPABILITIES) if offered is not None else []
        upstream = TunnelUpstream(
            key,
            address=text_of(server.transport.getPeer()),
            version=version_of(head),
            cache=self._cache,
            clock=self._clock,
            deadlines=self._deadlines,
            settings=self._settings.pool,
            number=self._next_number,
            capabilities=tuple(accepted),
        )
        self._next_number += 1
        session = TunnelSession(
            Role.SERVER,
            clock=self._clock,
            turn=self._turn,
            settings=self._settings.tunnel,
            on_stream=None,
            on_going_away=self._calls_leaving(upstream),
            on_closed=self._calls_closed(upstream, server),
            on_room=upstream.room,
        )
        upstream.session = session
        lines = [*response_lines(ws_key)]
        if offered is not None:
            lines.append(CAPABILITIES_HEADER + b": " + ", ".join(accepted).encode())
            lines.append(b"x-pico-node: " + self._node_id.encode())
            if self.proxy_port:
                lines.append(b"x-pico-proxy-port: %d" % self.proxy_port)
        server.send_head(101, b"", [b"Upgrade: websocket", b"Connection: Upgrade", *lines], length=None)
        self._upstreams[upstream] = None
        self._registry.add(upstream)
        self._traffic.opened(upstream)
        if self._shedding is not None:
            self._shedding.came(upstream)
        carrier = WebSocketTransport(session, ByteStream(Side.SERVER))
        leftover = server.switch(carrier)
        if leftover:
            carrier.dataReceived(leftover)
        _log.info(
            "tunnel connected: {endpoint} from {peer}",
            endpoint=key.endpoint,
            tenant=key.tenant,
            peer=upstream.address,
        )

    def _calls_leaving(self, upstream: TunnelUpstream) -> Callable[[], None]:
        def leaving() -> None:
            self._withdraw(upstream)
            _log.info(
                "tunnel leaving: {endpoint} from {peer}",
                endpoint=upstream.key.endpoint,
                peer=upstream.address,
            )
            self._left(upstream)

        return leaving

    def _calls_closed(self, upstream: TunnelUpstream, server: HTTPServerProtocol) -> Callable[[Failure], None]:
        def closed(reason: Failure) -> None:
            self._traffic.closed(upstream, reason)
            self._unregister(upstream)
            self._upstreams.pop(upstream, None)
            upstream.closed()
            server.gone()
            _log.info(
                "tunnel closed: {endpoint} from {peer}: {reason}",
                endpoint=upstream.key.endpoint,
                peer=upstream.address,
                reason=why_ended(reason, "the agent closed it"),
            )
            self._left(upstream)

        return closed

    def _withdraw(self, upstream: TunnelUpstream) -> None:
        self._unregister(upstream)
        upstream.leave()

    def _unregister(self, upstream: TunnelUpstream) -> None:
        self._registry.remove(upstream)
        if self._shedding is not None:
            self._shedding.went(upstream)

    def _movable(self) -> Sequence[TunnelUpstream]:
        """
        The tunnels of agents that are to leave when they are told to, and have not said yet that they do.
        """
        return [upstream for upstream in self._upstreams if upstream.available and GO_AWAY in upstream.capabilities]

    def _left(self, upstream: TunnelUpstream) -> None:
        if upstream in self._staying:
            self._staying.remove(upstream)
            self._tell_moved()

    def _tell_moved(self) -> None:
        if not self._staying:
            self._awaiting_moved.tell(None)

    def _refuse(self, server: HTTPServerProtocol, answer: Answer, reason: str) -> None:
        self._count_refusal(answer.status, reason)
        server.answer(attrs.evolve(answer, close=True))

    def _count_refusal(self, status: int, reason: str) -> None:
        self._refusals[(str(status), reason)].value += 1


def _status_of(upstream: TunnelUpstream, now: float) -> TunnelStatus:
    session = upstream.session
    return TunnelStatus(
        number=upstream.number,
        key=upstream.key,
        address=upstream.address,
        version=upstream.version,
        capabilities=upstream.capabilities,
        leaving=not upstream.available or (session is not None and session.going_away),
        age=now - session.opened_at if session is not None else 0.0,
        streams=upstream.streams,
        idle_streams=upstream.idle,
        in_flight=upstream.in_flight,
        requests=upstream.requests,
        bytes_received=upstream.bytes_received,
        bytes_sent=upstream.bytes_sent,
        rtt=session.rtt if session is not None else None,
    )
