"""
One endpoint of the agent: requests from its tunnel's streams to its local service.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Protocol

import attrs
from twisted.internet.interfaces import IAddress, IProtocol, IReactorTime
from twisted.logger import Logger

from pico.agent.events import RequestServed
from pico.agent.headers import request_lines, response_lines
from pico.log.escape import cut, text_of
from pico.names import SERVICE_HEADER
from pico.net.addresses import text_of_pair
from pico.net.deadlines import Deadlines
from pico.net.http.access_log import MAX_VALUE, AccessLog, Parties
from pico.net.http.answers import Answer, error_answer
from pico.net.http.exchange import Exchange
from pico.net.http.fields import value_of, wants_page
from pico.net.http.gateway import Backend, Exchanger, FailureKind, Gateway, RequestForm
from pico.net.http.request_ids import received_id
from pico.net.http.server import HTTPServerProtocol, ServerSettings, host_of
from pico.net.http.tally import Tally
from pico.wire.http1.events import RequestHead, ResponseHead
from pico.wire.http1.headers import HeaderCache

_log: Final = Logger(namespace="proxy.http")

#: The answers to failures.
_FAILURES: Final = {
    FailureKind.UNREACHABLE: (502, "upstream unreachable"),
    FailureKind.CONNECT_TIMEOUT: (504, "upstream timeout"),
    FailureKind.NO_TLS: (502, "upstream unreachable"),
    FailureKind.LOST: (502, "upstream unreachable"),
    FailureKind.MALFORMED: (502, "upstream unreachable"),
}

#: What is wrong with the service, as clients and the log are told.
_TROUBLE: Final[dict[FailureKind, str]] = {
    FailureKind.UNREACHABLE: "does not accept connections",
    FailureKind.CONNECT_TIMEOUT: "did not accept a connection in time",
    FailureKind.NO_TLS: "did not speak TLS that the agent trusts; pico doctor says why",
    FailureKind.LOST: "closed the connection without an answer",
    FailureKind.MALFORMED: "sent something that is not HTTP/1.1",
    FailureKind.BROKEN: "broke off within a response",
}

#: Failures after which the service has certainly seen nothing of the request.
_UNSEEN: Final = {
    FailureKind.UNREACHABLE: b"unreachable",
    FailureKind.CONNECT_TIMEOUT: b"timeout",
    FailureKind.NO_TLS: b"unreachable",
}


class Incoming(Protocol):
    """
    What a node has opened: a stream that waits for its protocol.
    """

    def getPeer(self) -> IAddress:
        """
        Where it comes from: the other end of the tunnel.
        """

    def attach(self, protocol: IProtocol) -> None:
        """
        Accept it, and connect the protocol.
        """


@attrs.frozen
class ListenerSettings:
    """
    How an endpoint is served.

    :ivar service: the service's address for messages.
    :ivar base_path: put before every request's path; without a slash at its end.
    :ivar host: the Host that the service sees; ``None`` for the client's own.
    """

    endpoint: str
    service: str
    server: ServerSettings
    base_path: bytes = b""
    host: bytes | None = None
    retry_buffer: int = 65_536


class AgentListener(Gateway):
    """
    Serve an endpoint's streams: the application behind their HTTP connections and the gateway of their exchanges.
    """

    def __init__(
        self,
        settings: ListenerSettings,
        *,
        backend: Backend,
        access_log: AccessLog,
        cache: HeaderCache,
        clock: IReactorTime,
        deadlines: Deadlines,
        on_served: Callable[[RequestServed], None] | None,
        tally: Tally | None = None,
    ) -> None:
        """
        :param tally: counts the exchanges, if somebody wants to know.
        """
        self._settings = settings
        self._backend = backend
        self._access_log = access_log
        self._cache = cache
        self._clock = clock
        self._deadlines = deadlines
        self._on_served = on_served
        self._tally = tally
        # The node waits for the response and says how long; here only connecting has a limit, the endpoint's own.
        self.response_timeout = 0.0
        self.read_timeout = 0.0
        self.write_timeout = 0.0
        self.attempts = 1
        self.max_body = 0
        self.retry_buffer = settings.retry_buffer

    def serve(self, stream: Incoming) -> None:
        """
        Take a stream that the node has opened.
        """
        stream.attach(
            HTTPServerProtocol(
                self,
                cache=self._cache,
                settings=self._settings.server,
                deadlines=self._deadlines,
                peer_host=_authority(stream.getPeer()),
            )
        )

    # Application

    def connection_made(self, server: HTTPServerProtocol) -> None:
        """
        Nothing is kept of streams here.
        """

    def connection_lost(self, server: HTTPServerProtocol) -> None:
        """
        Nothing was kept.
        """

    def request_received(self, server: HTTPServerProtocol, head: RequestHead) -> Exchanger | None:
        """
        Begin an exchange.
        """
        if self._tally is not None:
            self._tally.in_flight += 1
        exchange = Exchange(self, server, head, self._clock.seconds())
        exchange.request_id = received_id(head)
        return exchange.start()

    def request_malformed(self, server: HTTPServerProtocol, status: int, reason: str) -> Answer:
        """
        Answer bytes that are not a request.
        """
        if self._access_log.wants(status):
            tunnel = server.peer_host
            parties = Parties("", self._settings.endpoint, tunnel, self._settings.service)
            self._access_log.write_refused(parties, status, reason)
        return error_answer(status, reason)

    # Gateway

    def route(self, exchange: Exchange) -> Backend | Answer:
        """
        Everything goes to the one service.
        """
        return self._backend

    def reroute(self, exchange: Exchange, failed: Backend, kind: FailureKind, unprocessed: bool) -> Backend | None:
        """
        There is no other.
        """
        return None

    def request_form(self, exchange: Exchange) -> RequestForm:
        """
        Rewrite the head for the service.
        """
        settings = self._settings
        head = exchange.head
        target = head.path
        if settings.base_path and target != b"*":
            target = settings.base_path + target
        return RequestForm(target, request_lines(head, settings.host))

    def response_lines(self, exchange: Exchange, head: ResponseHead) -> list[bytes] | None:
        """
        Rewrite the head for the node.
        """
        if self._access_log.on:
            exchange.responded = self._clock.seconds()
        return response_lines(head)

    def failure(self, exchange: Exchange, kind: FailureKind) -> Answer:
        """
        Word the answer to a request that the service did not answer.
        """
        status, error = _FAILURES.get(kind, (502, "upstream unreachable"))
        unseen = _UNSEEN.get(kind)
        lines = (SERVICE_HEADER + b": " + unseen,) if unseen is not None else ()
        return error_answer(
            status,
            error,
            f"{self._settings.service} {_TROUBLE.get(kind, '')}".rstrip(),
            as_page=wants_page(exchange.head.headers),
            lines=lines,
            request_id=exchange.request_id,
        )

    def refusal(self, exchange: Exchange, status: int, reason: str) -> Answer:
        """
        Word the answer to a body that is malformed.
        """
        return error_answer(status, reason, close=True, request_id=exchange.request_id)

    def finished(self, exchange: Exchange) -> None:
        """
        Count, report and log the exchange.
        """
        now = self._clock.seconds()
        settings = self._settings
        if self._tally is not None:
            self._tally.finished(
                exchange.status,
                exchange.head.method,
                now - exchange.started,
                exchange.bytes_in,
                exchange.bytes_out,
                exchange.failure,
            )
        if self._on_served is not None:
            self._on_served(
                RequestServed(
                    endpoint=settings.endpoint,
                    method=exchange.head.method.decode("latin-1"),
                    target=exchange.head.path.partition(b"?")[0].decode("latin-1"),
                    status=exchange.status,
                    duration=now - exchange.started,
                    bytes_out=exchange.bytes_out,
                    failure=exchange.failure.value if exchange.failure is not None else "",
                )
            )
        if self._access_log.wants(exchange.status):
            self._access_log.write(exchange, now, self._parties)
        if exchange.failure is not None and exchange.failure in _TROUBLE:
            _log.warn(
                "{endpoint}: {service} {failure}",
                endpoint=settings.endpoint,
                service=settings.service,
                failure=_TROUBLE[exchange.failure],
            )

    def _parties(self, exchange: Exchange) -> Parties:
        return Parties(
            client=cut(text_of(value_of(exchange.head.headers, b"x-forwarded-for")), MAX_VALUE),
            endpoint=self._settings.endpoint,
            tunnel=exchange.server.peer_host,
            service=self._settings.service,
        )


def _authority(address: IAddress) -> str:
    host = host_of(address)
    port = getattr(address, "port", None)
    if port is None:
        return host
    return text_of_pair((host, port))
