"""
The proxy port: who is asked for what, and what is said when it fails.

One :class:`ProxyPort` is the factory of the port's connections, the application behind them and the gateway of their
exchanges; it holds no state of a request.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Final, cast

import attrs
from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IAddress, IProtocol, IProtocolFactory, IReactorTime
from twisted.logger import Logger
from zope.interface import classImplements

from pico.errors import RemoteProtocolError
from pico.interfaces import ISelector, IVerifier
from pico.names import SERVICE_HEADER, EndpointKey, NodeId, TenantId
from pico.net.deadlines import Deadlines
from pico.net.http.access_log import AccessLog, Parties
from pico.net.http.answers import Answer, error_answer
from pico.net.http.exchange import Exchange
from pico.net.http.fields import reader_of, wants_page
from pico.net.http.gateway import Backend, Exchanger, FailureKind, Gateway, RequestForm
from pico.net.http.request_ids import REQUEST_ID_LINE, RequestIds, received_id
from pico.net.http.server import HTTPServerProtocol, ServerSettings, host_of
from pico.net.waiters import Waiters
from pico.proxy.headers import Fate, request_lines
from pico.proxy.record import Recorder
from pico.proxy.routing import endpoint_of
from pico.proxy.trust import TrustedProxies
from pico.proxy.waiting import WaitingRoom
from pico.wire.http1.events import RequestHead, ResponseHead
from pico.wire.http1.headers import HeaderCache

_log: Final = Logger(namespace="proxy")

#: Paths that belong to Pico; they never reach a service.
_RESERVED: Final = (b"/_pico/", b"/_piko/")


@attrs.frozen
class ProxySettings:
    """
    The limits of the port. Times are seconds, 0 is none.

    :ivar response_timeout: until the response's head.
    :ivar max_connections: clients connected at a time; more are closed at once.
    """

    server: ServerSettings
    response_timeout: float = 30.0
    read_timeout: float = 0.0
    write_timeout: float = 0.0
    retry_buffer: int = 65_536
    attempts: int = 3
    max_body: int = 0
    max_connections: int = 10_000


#: What programs and people are told, by what went wrong (the fixed words are those of Piko).
_FAILURES: Final[dict[FailureKind, tuple[int, str, str]]] = {
    FailureKind.NO_BACKEND: (
        502,
        "no available upstreams",
        "no agent serves this endpoint now; start one, or check its name",
    ),
    FailureKind.UNREACHABLE: (
        502,
        "upstream unreachable",
        "the agent's tunnel closed before the request was sent",
    ),
    FailureKind.NODE_UNREACHABLE: (
        502,
        "upstream unreachable",
        "the node that holds the agent's tunnel cannot be reached; see this node's log",
    ),
    FailureKind.CONNECT_TIMEOUT: (504, "upstream timeout", "the service did not accept a connection in time"),
    FailureKind.LOST: (502, "upstream unreachable", "the connection ended before the response began"),
    FailureKind.MALFORMED: (502, "upstream unreachable", "the service's response is not valid HTTP/1.1"),
    FailureKind.TIMEOUT: (504, "upstream timeout", "no response began in time (proxy.timeout)"),
    FailureKind.OVERLOADED: (503, "upstream overloaded", "the tunnel carries as many streams as it may"),
    FailureKind.DECLINED: (502, "upstream unreachable", "the agent could not reach its service"),
}


#: Why a body was refused, by the status that says so.
_BODY_REFUSALS: Final = {408: "body slow", 413: "body too large"}

#: Failures that somebody should look at. That there is no agent for an endpoint is not one: anybody may ask for any.
_TROUBLE: Final[dict[FailureKind, str]] = {
    FailureKind.UNREACHABLE: "the tunnel closed before a request was sent",
    FailureKind.CONNECT_TIMEOUT: "the service did not accept a connection in time",
    FailureKind.LOST: "the stream ended before a response began",
    FailureKind.MALFORMED: "the response is not valid HTTP/1.1",
    FailureKind.TIMEOUT: "no response began in time (proxy.timeout)",
    FailureKind.OVERLOADED: "the tunnel carries as many streams as it may",
    FailureKind.DECLINED: "the agent could not reach its service",
    FailureKind.BROKEN: "the response broke off",
}


class ProxyPort(Gateway):
    """
    Route requests to upstreams.
    """

    def __init__(
        self,
        *,
        selector: ISelector,
        verifier: IVerifier,
        settings: ProxySettings,
        trusted: TrustedProxies,
        cache: HeaderCache,
        clock: IReactorTime,
        deadlines: Deadlines,
        recorder: Recorder,
        access_log: AccessLog,
        node_id: NodeId,
        ids: RequestIds,
        room: WaitingRoom,
        secure: bool = False,
    ) -> None:
        """
        :param cache: of headers of requests and responses, tagged by :func:`pico.proxy.headers.fate_of`.
        :param node_id: for the access log.
        :param ids: of requests that came without one.
        :param room: where requests wait whose endpoint has just lost its last upstream.
        :param secure: whether clients of this port speak TLS.
        """
        self._selector = selector
        self._verifier = verifier
        self._settings = settings
        self._trusted = trusted
        self._cache = cache
        self._clock = clock
        self._deadlines = deadlines
        self._recorder = recorder
        self._access_log = access_log
        self._node_id = node_id
        self._ids = ids
        self._room = room
        self._secure = secure
        self._servers: set[HTTPServerProtocol] = set()
        self._emptiness = Waiters[None]()
        self._parting = False
        self.response_timeout = settings.response_timeout
        self.read_timeout = settings.read_timeout
        self.write_timeout = settings.write_timeout
        self.retry_buffer = settings.retry_buffer
        self.attempts = settings.attempts
        self.max_body = settings.max_body

    # IProtocolFactory

    def buildProtocol(self, addr: IAddress | None) -> IProtocol | None:
        """
        Make the connection's protocol, or refuse it when there are too many.
        """
        if len(self._servers) >= self._settings.max_connections:
            self._recorder.connections_refused.value += 1
            return None
        return HTTPServerProtocol(
            self,
            cache=self._cache,
            settings=self._settings.server,
            deadlines=self._deadlines,
            peer_host=host_of(addr) if addr is not None else "",
        )

    def doStart(self) -> None:
        """
        The port listens.
        """

    def doStop(self) -> None:
        """
        The port does not listen any more; connections live on.
        """

    # Application

    def connection_made(self, server: HTTPServerProtocol) -> None:
        """
        Remember a connection.
        """
        self._servers.add(server)
        if self._parting:
            server.close_with_next_answer()

    def connection_lost(self, server: HTTPServerProtocol) -> None:
        """
        Forget it.
        """
        self._servers.discard(server)
        if not self._servers:
            self._emptiness.tell(None)

    def request_received(self, server: HTTPServerProtocol, head: RequestHead) -> Exchanger | None:
        """
        Begin an exchange.
        """
        self._recorder.tally.in_flight += 1
        exchange = Exchange(self, server, head, self._clock.seconds())
        # What is known has no id; a section with one is never known.
        known = head.fields.note is not None
        exchange.request_id = (not known and received_id(head)) or self._ids.make()
        return exchange.start()

    def request_malformed(self, server: HTTPServerProtocol, status: int, reason: str) -> Answer:
        """
        Answer bytes that are not a request.
        """
        self._recorder.malformed(status)
        if self._access_log.wants(status):
            self._access_log.write_refused(Parties(server.peer_host, node=self._node_id), status, reason)
        return error_answer(status, "malformed request" if status == 400 else reason, reason if status == 400 else "")

    # Gateway

    def route(self, exchange: Exchange) -> Backend | Answer:
        """
        Find the endpoint, check who asks, and choose an upstream.
        """
        head = exchange.head
        if head.method == b"CONNECT":
            return self._error(
                exchange, 405, "method not allowed", "this port forwards requests, not CONNECT tunnels", reason="method"
            )
        if head.path.startswith(_RESERVED):
            return self._error(
                exchange, 404, "not found", "paths below /_pico/ and /_piko/ are reserved", reason="path"
            )
        fields = head.fields
        known = (fields.rest or fields).note
        try:
            endpoint = (known.endpoint if isinstance(known, _Known) else "") or endpoint_of(head)
        except RemoteProtocolError as error:
            detail = (
                "send an x-pico-endpoint header, or a Host whose first label is the endpoint"
                if error.reason == "missing endpoint id"
                else ""
            )
            # What could mean two things is not answered and forgotten: whoever sent it may mean a third one next.
            answer = self._error(exchange, error.code, error.reason, detail, reason="endpoint")
            return attrs.evolve(answer, close=not detail)
        try:
            identity = self._verifier.verify(reader_of(head.headers))
        except RemoteProtocolError as error:
            return self._error(exchange, error.code, error.reason, reason="authorization")
        if not identity.may_use(endpoint):
            return self._error(exchange, 401, "endpoint not permitted", reason="authorization")
        key = _key(identity.tenant, endpoint)
        exchange.note = key
        upstream = self._choose(key, ())
        if upstream is None:
            place = self._room.place(exchange, key)
            if place is not None:
                return place
            exchange.failure = FailureKind.NO_BACKEND
            return self.failure(exchange, FailureKind.NO_BACKEND)
        return upstream

    def reroute(self, exchange: Exchange, failed: Backend, kind: FailureKind, unprocessed: bool) -> Backend | None:
        """
        Choose another upstream for the same endpoint, or have the request wait for one.
        """
        key = exchange.note
        if not isinstance(key, EndpointKey):
            return None
        failed.failed()
        upstream = self._choose(key, exchange.tried)
        if upstream is not None:
            self._recorder.retries.value += 1
            return upstream
        return self._room.place_again(exchange, key, kind) if unprocessed else None

    def request_form(self, exchange: Exchange) -> RequestForm:
        """
        Rewrite the head for the service.
        """
        head = exchange.head
        peer = exchange.server.peer_host
        fields = head.fields.rest or head.fields
        identity = REQUEST_ID_LINE + exchange.request_id
        known = fields.note
        if isinstance(known, _Known) and known.peer == peer and known.host == head.host:
            return RequestForm(head.path, [identity, *known.lines])
        key = exchange.note
        lines = request_lines(
            head,
            peer=peer,
            secure=self._secure,
            trusted=peer in self._trusted,
            endpoint=key.endpoint if isinstance(key, EndpointKey) else "",
        )
        named = isinstance(key, EndpointKey) and head.host == fields.host
        fields.note = _Known(peer, head.host, key.endpoint if named and isinstance(key, EndpointKey) else "", lines)
        return RequestForm(head.path, [identity, *lines])

    def response_lines(self, exchange: Exchange, head: ResponseHead) -> list[bytes] | None:
        """
        Rewrite the head for the client.
        """
        if self._access_log.on:
            exchange.responded = self._clock.seconds()
        known = head.fields.note
        if isinstance(known, list):
            return known
        lines: list[bytes] = []
        named = head.connection_options
        for header in head.headers:
            tag = header.tag
            # What is rewritten in requests is nothing special here.
            if not tag or tag == Fate.FORWARDED or tag == Fate.HOST:
                if not named or header.name not in named:
                    lines.append(header.line)
            elif header.name == SERVICE_HEADER:
                return None
            elif tag == Fate.REQUEST_ID:
                lines.append(header.line)
        head.fields.note = lines
        return lines

    def failure(self, exchange: Exchange, kind: FailureKind) -> Answer:
        """
        Word the answer to a request that failed.
        """
        status, error, detail = _FAILURES[kind]
        if kind is FailureKind.DECLINED and exchange.declined == 504:
            status, error, detail = _FAILURES[FailureKind.CONNECT_TIMEOUT]
        lines = (b"Retry-After: 1",) if status == 503 else ()
        return error_answer(
            status,
            error,
            detail,
            as_page=wants_page(exchange.head.headers),
            lines=lines,
            request_id=exchange.request_id,
        )

    def refusal(self, exchange: Exchange, status: int, reason: str) -> Answer:
        """
        Word the answer to a body that is malformed, too large or too slow.
        """
        self._recorder.refused(_BODY_REFUSALS.get(status, "body malformed"))
        return error_answer(
            status,
            reason,
            as_page=wants_page(exchange.head.headers),
            close=True,
            request_id=exchange.request_id,
        )

    def finished(self, exchange: Exchange) -> None:
        """
        Count and record the exchange.
        """
        now = self._clock.seconds()
        self._recorder.finished(exchange, now)
        if self._access_log.wants(exchange.status):
            self._access_log.write(exchange, now, self._parties)
        if exchange.failure is not None and exchange.failure in _TROUBLE:
            parties = self._parties(exchange)
            _log.warn(
                "{endpoint}: {trouble} (tunnel from {peer})",
                endpoint=parties.endpoint,
                trouble=_TROUBLE[exchange.failure],
                peer=parties.tunnel,
            )

    def _parties(self, exchange: Exchange) -> Parties:
        key = exchange.note
        return Parties(
            client=self._trusted.client_of(exchange.server.peer_host, exchange.head.headers),
            endpoint=key.endpoint if isinstance(key, EndpointKey) else "",
            # Every upstream has one; see _choose.
            tunnel=getattr(exchange.backend, "address", ""),
            node=self._node_id,
        )

    # Draining

    def part(self) -> None:
        """
        Have each connection end with its next answer, which says so; those that are idle stay.
        """
        self._parting = True
        for server in self._servers:
            server.close_with_next_answer()

    def resume(self) -> None:
        """
        Keep connections alive again, those that are made from now on.
        """
        self._parting = False

    def drain(self) -> None:
        """
        Close idle connections, and the others with their next answer.
        """
        for server in list(self._servers):
            server.close_when_idle()

    def abort(self) -> None:
        """
        Drop every connection now.
        """
        for server in list(self._servers):
            server.abort()

    def when_empty(self) -> Deferred[None]:
        """
        Wait until no client is connected any more.
        """
        return self._emptiness.wait() if self._servers else succeed(None)

    @property
    def connections(self) -> int:
        """
        Clients that are connected.
        """
        return len(self._servers)

    def _choose(self, key: EndpointKey, tried: Sequence[Backend]) -> Backend | None:
        # Every upstream is a Backend; the interface, which stands below net, cannot say so.
        return cast("Backend | None", self._selector.choose(key, tried))

    def _error(self, exchange: Exchange, status: int, error: str, detail: str = "", *, reason: str) -> Answer:
        self._recorder.refused(reason)
        return error_answer(
            status, error, detail, as_page=wants_page(exchange.head.headers), request_id=exchange.request_id
        )


class _Known:
    """
    What was worked out for a header section that comes again.

    :ivar peer: whose request it was; another client's goes on with other lines.
    :ivar host: the host that the request came down to.
    :ivar endpoint: what the section names; empty when the request's target took part in that.
    """

    __slots__ = ("endpoint", "host", "lines", "peer")

    def __init__(self, peer: str, host: bytes | None, endpoint: str, lines: list[bytes]) -> None:
        self.peer = peer
        self.host = host
        self.endpoint = endpoint
        self.lines = lines


@lru_cache(maxsize=4096)
def _key(tenant: TenantId, endpoint: str) -> EndpointKey:
    return EndpointKey(tenant, endpoint)


classImplements(ProxyPort, IProtocolFactory)
