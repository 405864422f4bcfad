"""
One request on its way from a client to a backend, and its response back.

The exchange sits between a :class:`~pico.net.http.server.HTTPServerProtocol` and, once there is a connection for it,
a :class:`~pico.net.http.client.HTTPClientProtocol`. It owns neither transport. What keeps it honest:

- Nothing is buffered whole: a piece of a body goes out as it came in. The one exception is a copy of the request's
  body up to ``retry_buffer`` bytes, kept until the response begins, so that the request can be sent again.
- Whoever cannot take more pauses whoever reads: a full transport pauses the other side's reading, nothing else.
- A request is sent again only if no byte of a response came, all of its body is still here, and either its method is
  idempotent (RFC 9110 section 9.2.2) or the backend certainly did not process it.
- A response that breaks off is never made to look complete.
- The exchange ends exactly once, in :meth:`Exchange._end`, whatever happens; ``Gateway.finished`` is called there.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from pico.net.http.answers import Answer
from pico.net.http.gateway import Backend, FailureKind, Gateway, Requester, RequestForm
from pico.net.http.server import HTTPServerProtocol, Pause
from pico.net.splice import Splice
from pico.wire.http1.events import Framing, RequestHead, ResponseHead
from pico.wire.http1.headers import Header, Role

if TYPE_CHECKING:
    from pico.net.http.client import HTTPClientProtocol

IDEMPOTENT: Final = frozenset({b"GET", b"HEAD", b"OPTIONS", b"TRACE", b"PUT", b"DELETE"})

#: Seconds that a response may pause when its client has half-closed: a client that is gone altogether looks the same.
HALF_CLOSED_IDLE: Final = 30.0

#: What the access record says of a request whose client did not wait for the answer.
STATUS_CLIENT_GONE: Final = 499


class Stage(enum.Enum):
    """
    How far an exchange has come.
    """

    CONNECTING = "no connection to a backend yet"
    WAITING = "sent or being sent, no response yet"
    RESPONDING = "response under way"
    SWITCHED = "not HTTP any more"
    ENDED = "over"


_NONE: Final[Framing] = Framing.NONE
_LENGTH: Final[Framing] = Framing.LENGTH
_CONNECTING: Final[Stage] = Stage.CONNECTING
_WAITING: Final[Stage] = Stage.WAITING
_RESPONDING: Final[Stage] = Stage.RESPONDING
_ENDED: Final[Stage] = Stage.ENDED


class Exchange(Requester):
    """
    Carry one request.

    :ivar head: the request as it was received.
    :ivar backend: where it was sent last; ``None`` before routing.
    :ivar tried: the backends that failed.
    :ivar status: of the response sent to the client; 0 before there is one, 499 when the client was gone first.
    :ivar failure: why there was no whole answer from a backend, if there was none.
    :ivar peer_host: the client's address.
    :ivar declined: the status with which a backend said that it could not serve the request.
    :ivar bytes_in: bytes of request body received from the client.
    :ivar bytes_out: bytes of response body sent to the client.
    :ivar started: seconds on the gateway's clock when the head was complete.
    :ivar request_id: by which the request is found in logs; the gateway sets it. Empty if there is none.
    :ivar responded: seconds on the gateway's clock when the response's head came; the gateway sets it if it wants to.
    :ivar response: the head of the backend's response, when it began.
    :ivar sends: how many times a backend was asked for a connection.
    :ivar note: for the gateway's own use.
    """

    __slots__ = (
        "_acquiring",
        "_client",
        "_form",
        "_gateway",
        "_held",
        "_held_size",
        "_idle_limit",
        "_request_ended",
        "_request_paused",
        "_trailers",
        "backend",
        "bytes_in",
        "bytes_out",
        "declined",
        "failure",
        "head",
        "note",
        "peer_host",
        "request_id",
        "responded",
        "response",
        "sends",
        "server",
        "stage",
        "started",
        "status",
        "tried",
    )

    def __init__(self, gateway: Gateway, server: HTTPServerProtocol, head: RequestHead, now: float) -> None:
        self._acquiring = False
        self._client: HTTPClientProtocol | None = None
        self._form: RequestForm | None = None
        self._gateway = gateway
        self._held: list[bytes] | None = []
        self._held_size = 0
        self._idle_limit = 0.0
        self._request_ended = False
        self._request_paused = False
        self._trailers: Sequence[bytes] = ()
        self.backend: Backend | None = None
        self.bytes_in = 0
        self.bytes_out = 0
        self.declined = 0
        self.failure: FailureKind | None = None
        self.head = head
        self.note: object = None
        self.peer_host = server.peer_host
        self.request_id = b""
        self.responded = 0.0
        self.response: ResponseHead | None = None
        self.sends = 0
        self.server = server
        self.stage = Stage.CONNECTING
        self.started = now
        self.status = 0
        self.tried: list[Backend] = []

    def start(self) -> Exchange | None:
        """
        Route the request and send it on.

        :return: the exchange, or ``None`` if it is over already.
        """
        limit = self._gateway.max_body
        head = self.head
        if limit and head.framing is _LENGTH and head.content_length > limit:
            self.failure = FailureKind.REFUSED
            self.client_failed(413, f"request body larger than {limit} bytes")
            return None
        destination = self._gateway.route(self)
        if isinstance(destination, Answer):
            if self.failure is None:
                self.failure = FailureKind.REFUSED
            self._answer(destination)
            return None
        self._send_to(destination, head.upgrade is not None or head.method not in IDEMPOTENT)
        return None if self.stage is _ENDED else self

    # The server connection's calls

    def body_received(self, data: bytes) -> None:
        """
        A piece of the request's body.
        """
        self.bytes_in += len(data)
        gateway = self._gateway
        if gateway.max_body and self.bytes_in > gateway.max_body:
            self.client_failed(413, f"request body larger than {gateway.max_body} bytes")
            return
        client = self._client
        if self._held is not None:
            self._held.append(data)
            self._held_size += len(data)
            if self._held_size > gateway.retry_buffer:
                if client is None:
                    self.server.pause_reading(Pause.EXCHANGE)
                else:
                    self._held = None
        if client is not None:
            client.send_data(data)
            if gateway.read_timeout:
                self.server.set_deadline(gateway.read_timeout)

    def body_ended(self, trailers: Sequence[Header]) -> None:
        """
        The request is complete.
        """
        self._request_ended = True
        if trailers:
            # What the gateway keeps from travelling in a head does not travel behind a body either.
            self._trailers = [header.line for header in trailers if not header.tag]
        if self._client is not None:
            self._client.send_end(self._trailers)
            if self.stage is _WAITING:
                self.server.set_deadline(self._gateway.response_timeout)

    def flush_request(self) -> None:
        """
        The batch of client bytes is worked through.
        """
        if self._client is not None:
            self._client.flush()

    def client_failed(self, status: int, reason: str) -> None:
        """
        The client's body is malformed, too large or too slow.
        """
        self.failure = FailureKind.REFUSED
        self._drop_backend()
        if self.stage is _RESPONDING:
            self._end()
            self.server.abort()
        else:
            self._answer(self._gateway.refusal(self, status, reason))

    def client_lost(self) -> None:
        """
        The client's connection is gone.
        """
        if self.stage is _ENDED or self.stage is Stage.SWITCHED:
            return
        self.failure = FailureKind.CLIENT_GONE
        if not self.status:
            self.status = STATUS_CLIENT_GONE
        self._drop_backend()
        self._end()

    def client_half_closed(self) -> None:
        """
        The client has sent all that it will ever send, and may still read.
        """
        self._idle_limit = HALF_CLOSED_IDLE
        if self.stage is _RESPONDING:
            self.server.set_deadline(HALF_CLOSED_IDLE)

    def pause_response(self) -> None:
        """
        The client does not read as fast as the response comes.
        """
        if self._client is not None:
            self._client.pause_reading()
            if self._gateway.write_timeout:
                self.server.set_deadline(self._gateway.write_timeout)

    def resume_response(self) -> None:
        """
        The client has read what there was.
        """
        if self._client is not None:
            self._client.resume_reading()
            if self._gateway.write_timeout:
                self.server.set_deadline(self._idle_limit)

    def timed_out(self) -> None:
        """
        The server connection's deadline, set by this exchange, has passed.
        """
        if self.stage is _RESPONDING:
            self.failure = FailureKind.CLIENT_GONE
            self._drop_backend()
            self._end()
            self.server.abort()
        elif self._request_ended or self._request_paused:
            self._drop_backend()
            self._fail(FailureKind.TIMEOUT)
        else:
            self.client_failed(408, "request body not received in time")

    # The backend's calls

    def connected(self, client: HTTPClientProtocol) -> None:
        """
        There is a connection: send the request.
        """
        self._client = client
        self.stage = _WAITING
        form = self._form
        if form is None:
            form = self._form = self._gateway.request_form(self)
        head = self.head
        framing = head.framing
        if framing is _NONE:
            length: int | None = 0
        elif framing is _LENGTH:
            length = head.content_length
        else:
            length = None
        client.send_request(self, head.method, form.target, form.lines, length=length, upgrade=head.upgrade)
        if self._held:
            for piece in self._held:
                client.send_data(piece)
            if self._held_size > self._gateway.retry_buffer:
                self._held = None
        if self._request_ended:
            client.send_end(self._trailers)
            self.server.set_deadline(self._gateway.response_timeout)
        elif framing is not _NONE:
            self.server.set_deadline(self._gateway.read_timeout)
        if not self._acquiring:
            self._go_on(client)

    def unreachable(self, kind: FailureKind) -> None:
        """
        There is no connection to be had: the backend has seen nothing of the request.
        """
        self._attempt_failed(kind, unprocessed=True, stale=False)

    # The calls of what stands in for a backend until there is one

    def go_to(self, backend: Backend) -> None:
        """
        Here it is.
        """
        self._send_to(backend, True)
        if self._client is not None:
            self._go_on(self._client)

    def give_up(self, kind: FailureKind) -> None:
        """
        None has come.
        """
        self._fail(kind)

    # The client connection's calls

    def response_head(self, head: ResponseHead) -> None:
        """
        A response begins, or an interim one has come.
        """
        if head.informational:
            lines = self._gateway.response_lines(self, head)
            if lines is not None:
                self._held = None if head.status != 100 else self._held
                self.server.send_informational(head.status, head.reason, lines)
            return
        lines = self._gateway.response_lines(self, head)
        if lines is None:
            self.declined = head.status
            self._drop_backend()
            self._attempt_failed(FailureKind.DECLINED, unprocessed=True, stale=False)
            return
        self._held = None
        self.response = head
        self.stage = _RESPONDING
        self.status = head.status
        if head.status == 101:
            self._switch(head, lines)
            return
        server = self.server
        server.set_deadline(self._idle_limit)
        framing = head.framing
        if framing is _LENGTH:
            length: int | None = head.content_length
        elif framing is _NONE:
            length = _declared_length(head)
        else:
            length = None
        server.send_head(head.status, head.reason, lines, length=length)

    def response_data(self, data: bytes) -> None:
        """
        A piece of the response's body.
        """
        self.bytes_out += len(data)
        self.server.send_data(data)
        if self._idle_limit:
            self.server.set_deadline(self._idle_limit)

    def response_end(self, trailers: Sequence[Header]) -> None:
        """
        The response is complete.
        """
        client, self._client = self._client, None
        if client is not None:
            if not self._request_ended:
                # The service has answered without hearing the client out; the connection to it is of no more use.
                client.abort()
            client.backend.release(client)
        self._end()
        self.server.send_end([header.line for header in trailers if not header.tag] if trailers else ())

    def response_failed(self, kind: FailureKind, unprocessed: bool) -> None:
        """
        The connection to the backend ended, or what it sent is not HTTP. The connection has been dropped.
        """
        client, self._client = self._client, None
        stale = False
        if client is not None:
            stale = client.carried > 1 and kind is FailureKind.LOST
            client.backend.release(client)
        if self.stage is _RESPONDING:
            self.failure = FailureKind.BROKEN
            self._end()
            self.server.break_off()
        else:
            self._attempt_failed(kind, unprocessed=unprocessed, stale=stale)

    def flush_response(self) -> None:
        """
        The batch of backend bytes is worked through.
        """
        self.server.flush()

    def pause_request(self) -> None:
        """
        The backend does not take the request as fast as it comes; from here on it is the backend that is waited for.
        """
        self._request_paused = True
        if not self._request_ended:
            self.server.pause_reading(Pause.EXCHANGE)
            if self.stage is _WAITING:
                self.server.set_deadline(self._gateway.response_timeout)

    def resume_request(self) -> None:
        """
        The backend takes more of the request.
        """
        self._request_paused = False
        if not self._request_ended:
            if self.stage is _WAITING:
                self.server.set_deadline(self._gateway.read_timeout)
            self.server.resume_reading(Pause.EXCHANGE)

    # Inside

    def _send_to(self, backend: Backend, fresh: bool) -> None:
        self.backend = backend
        self.stage = _CONNECTING
        self.sends += 1
        self._acquiring = True
        backend.acquire(self, fresh)
        self._acquiring = False
        if self.stage is _CONNECTING:
            # The backend has its own limit for this; what the connection waited for before is over.
            self.server.set_deadline(0)

    def _go_on(self, client: HTTPClientProtocol) -> None:
        """
        After a connection came outside a batch of the client's bytes: read on, and write what waits for it.
        """
        self.server.resume_reading(Pause.EXCHANGE)
        client.flush()

    def _attempt_failed(self, kind: FailureKind, *, unprocessed: bool, stale: bool) -> None:
        """
        Send the request again where that is allowed and there is somewhere to send it, else answer.

        :param stale: the connection had carried requests before. That it is gone says that its peer tired of it, and
            nothing of the backend, which is tried once more on a new connection.
        """
        failed = self.backend
        allowed = (
            self._held is not None
            and (unprocessed or self.head.method in IDEMPOTENT)
            and kind is not FailureKind.MALFORMED
        )
        if not allowed or failed is None:
            self._fail(kind)
            return
        target: Backend | None = None
        if stale:
            target = failed
        else:
            self.tried.append(failed)
            if len(self.tried) < self._gateway.attempts:
                target = self._gateway.reroute(self, failed, kind, unprocessed)
        if target is None:
            self._fail(kind)
            return
        self._send_to(target, True)
        if self._client is not None:
            self._go_on(self._client)

    def _fail(self, kind: FailureKind) -> None:
        self.failure = kind
        self._answer(self._gateway.failure(self, kind))

    def _answer(self, answer: Answer) -> None:
        self.status = answer.status
        self.bytes_out = len(answer.body)
        self._end()
        self.server.answer(answer)

    def _switch(self, head: ResponseHead, lines: list[bytes]) -> None:
        """
        Join the two transports: from here on the bytes are not ours to understand (RFC 9110 section 7.8).
        """
        client = self._client
        if client is None:
            return
        server = self.server
        self.stage = Stage.SWITCHED
        if head.upgrade:
            lines = [*lines, b"Connection: Upgrade", b"Upgrade: " + head.upgrade]
        server.send_head(101, head.reason, lines, length=None)
        splice = Splice(self._splice_ended)
        from_client = server.switch(splice.left)
        from_backend = client.switch(splice.right)
        if from_client:
            splice.left.dataReceived(from_client)
        if from_backend:
            splice.right.dataReceived(from_backend)

    def _splice_ended(self, from_client: int, from_backend: int) -> None:
        self.bytes_in += from_client
        self.bytes_out += from_backend
        client, self._client = self._client, None
        if client is not None:
            client.backend.release(client)
        self._end()
        self.server.gone()

    def _drop_backend(self) -> None:
        """
        Leave the backend, whether it has been reached or not.
        """
        client, self._client = self._client, None
        if client is not None:
            client.abort()
            client.backend.release(client)
        elif self.stage is _CONNECTING and self.backend is not None and not self._acquiring:
            self.backend.cancel(self)

    def _end(self) -> None:
        if self.stage is not _ENDED:
            self.stage = _ENDED
            self._held = None
            self._gateway.finished(self)


def _declared_length(head: ResponseHead) -> int | None:
    """
    The Content-Length of a response that has no body: it speaks of what a GET would bring (RFC 9110 section 8.6).
    """
    for header in head.headers:
        if header.role == Role.CONTENT_LENGTH:
            return int(header.value)
    return None
