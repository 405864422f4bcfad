"""
The port that agents dial: it turns upgrade requests into registered tunnels.

A tunnel is registered in the same turn in which its 101 is written, and taken out of the registry in the turn in
which its agent's go-away arrives or its session ends. Capabilities are answered as they are offered: see
``docs/tunnel.md``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from urllib.parse import unquote_to_bytes

import attrs
from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.interfaces import IAddress, IProtocol, IProtocolFactory, IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from pico.errors import RemoteProtocolError
from pico.interfaces import IVerifier
from pico.metrics import Metrics, Number
from pico.names import EndpointKey, NodeId
from pico.net.deadlines import Deadlines
from pico.net.http.answers import Answer, error_answer
from pico.net.http.fields import reader_of, value_of
from pico.net.http.gateway import Exchanger
from pico.net.http.server import HTTPServerProtocol, ServerSettings
from pico.net.turn import Turn
from pico.net.websocket import WebSocketTransport
from pico.tunnel.session import TunnelSession, TunnelSettings
from pico.upstream.registry import Registry
from pico.upstream.tunnel import PoolSettings, TunnelUpstream
from pico.wire.http1.events import RequestHead
from pico.wire.http1.headers import HeaderCache
from pico.wire.websocket.handshake import check_request, refusal_lines, response_lines
from pico.wire.websocket.stream import ByteStream, Side
from pico.wire.yamux.session import Role

_log = Logger(namespace="upstream")


PREFIXES = (b"/pico/v1/upstream/", b"/piko/v1/upstream/")

#: What this node understands of what agents offer beyond Piko's bytes.
CAPABILITIES = frozenset({"go-away"})

#: The longest endpoint name, that of a DNS name.
MAX_ENDPOINT = 255


@attrs.frozen
class UpstreamPortSettings:
    """
    The limits of the port.

    :ivar max_tunnels: tunnels of this node; one more is refused with 503.
    :ivar max_connections: TCP connections of the port, tunnels included.
    """

    server: ServerSettings
    tunnel: TunnelSettings
    pool: PoolSettings
    max_tunnels: int = 20_000
    max_connections: int = 25_000


@implementer(IProtocolFactory)
class UpstreamPort:
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
    ) -> None:
        """
        :param cache: of headers of agents' requests, and of responses that come through their tunnels.
        """
        self._node_id = node_id
        self._registry = registry
        self._verifier = verifier
        self._settings = settings
        self._cache = cache
        self._clock = clock
        self._deadlines = deadlines
        self._turn = turn
        self._connections = 0
        self._draining = False
        self.proxy_port = 0
        self._upstreams: set[TunnelUpstream] = set()
        self._refusals = metrics.counters(
            "pico_upstreams_refused", "Tunnels that were refused, by HTTP status.", ["status"]
        )
        self._accepted = metrics.counter("pico_upstreams_accepted", "Tunnels that were accepted.")
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
        metrics.gauge(
            "pico_upstreams_streams",
            "Streams open in all tunnels.",
            lambda: sum(s.streams for s in self._sessions()),
        )
        self._ended_received = Number()
        self._ended_sent = Number()
        metrics.gauge(
            "pico_upstreams_bytes_received",
            "Bytes received through tunnels since the node started.",
            lambda: self._ended_received.value + sum(s.bytes_received for s in self._sessions()),
        )
        metrics.gauge(
            "pico_upstreams_bytes_sent",
            "Bytes sent through tunnels since the node started.",
            lambda: self._ended_sent.value + sum(s.bytes_sent for s in self._sessions()),
        )

    # IProtocolFactory

    def buildProtocol(self, addr: IAddress | None) -> IProtocol | None:
        """
        Make the connection's protocol, or refuse it when there are too many.
        """
        if self._connections >= self._settings.max_connections:
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

    def request_malformed(self, status: int, reason: str) -> Answer:
        """
        Answer bytes that are not a request.
        """
        self._count_refusal(status)
        return error_answer(status, reason)

    def request_received(self, server: HTTPServerProtocol, head: RequestHead) -> Exchanger | None:
        """
        Accept a tunnel, or say why not.
        """
        try:
            endpoint = _endpoint_of(head)
            identity = self._verifier.verify(reader_of(head.headers))
            if not identity.may_use(endpoint):
                raise RemoteProtocolError(401, "endpoint not permitted")
            key = check_request(head)
        except RemoteProtocolError as error:
            self._refuse(server, error_answer(error.code, error.reason, lines=refusal_lines(error.code)))
            return None
        if self._draining or len(self._upstreams) >= self._settings.max_tunnels:
            reason = "node is draining" if self._draining else "too many tunnels"
            self._refuse(server, error_answer(503, reason, "dial another node", lines=(b"Retry-After: 1",)))
            return None
        self._accept(server, head, EndpointKey(identity.tenant, endpoint), key)
        return None

    # Draining

    def drain(self) -> None:
        """
        Accept no more tunnels and ask every agent that understands it to dial another node.

        Agents that were told keep their tunnel until its streams have ended; requests are still routed to it.
        """
        self._draining = True
        for upstream in list(self._upstreams):
            if upstream.session is not None and not upstream.session.going_away:
                upstream.session.go_away()

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

    # Inside

    def _accept(self, server: HTTPServerProtocol, head: RequestHead, key: EndpointKey, ws_key: bytes) -> None:
        offered = _capabilities(head)
        upstream = TunnelUpstream(
            key,
            address=_peer_text(server.transport.getPeer()),
            version=value_of(head.headers, b"x-pico-version").decode("latin-1")[:64],
            cache=self._cache,
            clock=self._clock,
            deadlines=self._deadlines,
            settings=self._settings.pool,
        )
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
            accepted = sorted(offered & CAPABILITIES)
            lines.append(b"x-pico-capabilities: " + ", ".join(accepted).encode())
            lines.append(b"x-pico-node: " + self._node_id.encode())
            if self.proxy_port:
                lines.append(b"x-pico-proxy-port: %d" % self.proxy_port)
        server.send_head(101, b"", [b"Upgrade: websocket", b"Connection: Upgrade", *lines], length=None)
        self._upstreams.add(upstream)
        self._registry.add(upstream)
        self._accepted.value += 1
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
            self._registry.remove(upstream)
            upstream.leave()
            _log.info(
                "tunnel leaving: {endpoint} from {peer}",
                endpoint=upstream.key.endpoint,
                peer=upstream.address,
            )

        return leaving

    def _calls_closed(self, upstream: TunnelUpstream, server: HTTPServerProtocol) -> Callable[[Failure], None]:
        def closed(reason: Failure) -> None:
            session = upstream.session
            if session is not None:
                self._ended_received.value += session.bytes_received
                self._ended_sent.value += session.bytes_sent
            self._registry.remove(upstream)
            self._upstreams.discard(upstream)
            upstream.closed()
            server.gone()
            _log.info(
                "tunnel closed: {endpoint} from {peer}: {reason}",
                endpoint=upstream.key.endpoint,
                peer=upstream.address,
                reason=_reason_text(reason),
            )

        return closed

    def _refuse(self, server: HTTPServerProtocol, answer: Answer) -> None:
        self._count_refusal(answer.status)
        server.answer(attrs.evolve(answer, close=True))

    def _count_refusal(self, status: int) -> None:
        self._refusals[(str(status),)].value += 1

    def _sessions(self) -> Iterator[TunnelSession]:
        for upstream in self._upstreams:
            if upstream.session is not None:
                yield upstream.session


def _endpoint_of(head: RequestHead) -> str:
    """
    Read the endpoint from the request's path.

    :raises RemoteProtocolError: 404 for any other path; 400 for a name that is not UTF-8 or too long.
    """
    path = head.target.partition(b"?")[0]
    for prefix in PREFIXES:
        if path.startswith(prefix):
            name = path[len(prefix) :]
            break
    else:
        raise RemoteProtocolError(404, "not found")
    if not name or b"/" in name:
        raise RemoteProtocolError(404, "not found")
    try:
        endpoint = unquote_to_bytes(name).decode("utf-8")
    except UnicodeDecodeError:
        raise RemoteProtocolError(400, "endpoint id is not UTF-8") from None
    if len(endpoint) > MAX_ENDPOINT or not endpoint.isprintable():
        raise RemoteProtocolError(400, "invalid endpoint id")
    return endpoint


def _capabilities(head: RequestHead) -> frozenset[str] | None:
    """
    What a Pico agent offers; ``None`` for a program that offers nothing, which gets exactly Piko's bytes.
    """
    for header in head.headers:
        if header.name == b"x-pico-capabilities":
            return frozenset(word.strip() for word in header.value.decode("latin-1").split(","))
    return None


def _reason_text(reason: Failure) -> str:
    """
    Why a tunnel ended, in few words: Twisted's own for an ordinary end are long, and sound alarming.
    """
    if reason.check(ConnectionDone):
        return "the agent closed it"
    if type(reason.value) is ConnectionLost and not reason.value.args:
        return "connection lost"
    return reason.getErrorMessage()


def _peer_text(address: IAddress) -> str:
    if isinstance(address, IPv6Address):
        return f"[{address.host}]:{address.port}"
    if isinstance(address, IPv4Address):
        return f"{address.host}:{address.port}"
    return str(address)
