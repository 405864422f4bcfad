"""
What a gateway must know to carry a request: the seam between the exchange and those who use it.

The node's proxy port and the agent implement these; the exchange in :mod:`pico.net.http.exchange` does the rest.
All calls are synchronous and made in the reactor's thread.
"""

from __future__ import annotations

import enum
from abc import ABCMeta, abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from pico.native import mypyc_attr
from pico.net.http.answers import Answer
from pico.wire.http1.events import RequestHead, ResponseHead
from pico.wire.http1.headers import Header
from pico.wire.value import Value

if TYPE_CHECKING:
    from pico.net.http.client import HTTPClientProtocol
    from pico.net.http.exchange import Exchange
    from pico.net.http.server import HTTPServerProtocol


class FailureKind(enum.Enum):
    """
    Why a request got no whole answer from where it was sent.
    """

    #: Nothing takes requests for it (any more).
    NO_BACKEND = "no backend"
    #: The backend could not be reached: no request byte was processed.
    UNREACHABLE = "unreachable"
    #: The same, because another node that leads to it could not be reached or takes nothing new.
    NODE_UNREACHABLE = "node unreachable"
    #: Reaching the backend took too long.
    CONNECT_TIMEOUT = "connect timeout"
    #: The backend could be reached, but did not speak TLS with a certificate that is trusted.
    NO_TLS = "tls handshake"
    #: The connection ended before a response head.
    LOST = "lost"
    #: What came back was not HTTP.
    MALFORMED = "malformed response"
    #: The response head did not come in time.
    TIMEOUT = "response timeout"
    #: The backend has no room for another request.
    OVERLOADED = "overloaded"
    #: The backend said itself that what it stands for is down.
    DECLINED = "declined"
    #: The request itself was refused (malformed, too large, no such endpoint).
    REFUSED = "refused"
    #: The response broke off after its head had been sent on.
    BROKEN = "broken response"
    #: The client went away or stopped sending or reading.
    CLIENT_GONE = "client gone"


class RequestForm(Value):
    """
    A request as it goes to the backend.

    :ivar lines: header lines without framing and connection headers.
    """

    __match_args__ = ("target", "lines")
    __slots__ = __match_args__

    def __init__(self, target: bytes, lines: list[bytes]) -> None:
        self.target = target
        self.lines = lines


@mypyc_attr(allow_interpreted_subclasses=True)
class Requester(metaclass=ABCMeta):
    """
    Who has a request carried by a backend: an exchange.

    :ivar head: what is to be sent.
    :ivar peer_host: the address of whose request it is.
    :ivar request_id: by which the request is found in logs; empty if there is none.
    :ivar sends: which attempt this is, the first is 1.
    """

    __slots__ = ()

    head: RequestHead
    peer_host: str
    request_id: bytes
    sends: int

    @abstractmethod
    def connected(self, client: HTTPClientProtocol) -> None:
        """
        Here is the connection that was asked for.
        """

    @abstractmethod
    def unreachable(self, kind: FailureKind) -> None:
        """
        There is none.
        """

    @abstractmethod
    def response_head(self, head: ResponseHead) -> None:
        """
        A response begins, or an interim one has come.
        """

    @abstractmethod
    def response_data(self, data: bytes) -> None:
        """
        A piece of the response's body.
        """

    @abstractmethod
    def response_end(self, trailers: Sequence[Header]) -> None:
        """
        The response is complete.
        """

    @abstractmethod
    def response_failed(self, kind: FailureKind, unprocessed: bool) -> None:
        """
        The connection ended, or what it brought is not HTTP. It has been dropped.
        """

    @abstractmethod
    def flush_response(self) -> None:
        """
        The batch of the backend's bytes is worked through.
        """

    @abstractmethod
    def pause_request(self) -> None:
        """
        The connection takes no more for now.
        """

    @abstractmethod
    def resume_request(self) -> None:
        """
        It takes more.
        """


@mypyc_attr(allow_interpreted_subclasses=True)
class Backend(metaclass=ABCMeta):
    """
    One place that a request can be sent to: an agent's tunnel, a local service.
    """

    __slots__ = ()

    @abstractmethod
    def acquire(self, exchange: Requester, fresh: bool) -> None:
        """
        Find a connection for ``exchange``; then call its ``connected`` or ``unreachable``, perhaps before returning.

        Each call is followed by exactly one :meth:`release`, or by ``unreachable`` from here.

        :param fresh: only a connection that has carried nothing yet will do.
        """

    @abstractmethod
    def cancel(self, exchange: Requester) -> None:
        """
        The exchange that waits for a connection no longer wants it; it is not called back.
        """

    @abstractmethod
    def release(self, client: HTTPClientProtocol) -> None:
        """
        The exchange has done with ``client``, which is either reusable or already being closed.
        """

    @abstractmethod
    def failed(self) -> None:
        """
        It could not serve a request that is now sent elsewhere: prefer others for a moment.
        """


@mypyc_attr(allow_interpreted_subclasses=True)
class Application(metaclass=ABCMeta):
    """
    What an HTTP server connection asks of the program behind it.
    """

    __slots__ = ()

    @abstractmethod
    def request_received(self, server: HTTPServerProtocol, head: RequestHead) -> Exchanger | None:
        """
        A request head has come. The returned object gets its body; ``None`` if it was answered on the spot.
        """

    @abstractmethod
    def connection_made(self, server: HTTPServerProtocol) -> None:
        """
        A client has connected.
        """

    @abstractmethod
    def connection_lost(self, server: HTTPServerProtocol) -> None:
        """
        A client's connection is gone.
        """

    @abstractmethod
    def request_malformed(self, server: HTTPServerProtocol, status: int, reason: str) -> Answer:
        """
        Word the answer to bytes that are not a request; the connection closes after it.
        """


@mypyc_attr(allow_interpreted_subclasses=True)
class Gateway(Application):
    """
    The decisions that make a gateway: where to, with which headers, and what to say when it fails.
    """

    __slots__ = ()

    #: Seconds to wait for a response head once the request has been sent; 0 waits for ever.
    response_timeout: float
    #: Seconds between two reads of a request body; 0 waits for ever.
    read_timeout: float
    #: Seconds that a client may leave a response body unread; 0 waits for ever.
    write_timeout: float
    #: Bytes of a request body that are kept so that the request can be sent again.
    retry_buffer: int
    #: How many backends a request may be sent to.
    attempts: int
    #: Bytes of a request body; 0 for any size.
    max_body: int

    @abstractmethod
    def route(self, exchange: Exchange) -> Backend | Answer:
        """
        Decide where a new request goes, or answer it.
        """

    @abstractmethod
    def reroute(self, exchange: Exchange, failed: Backend, kind: FailureKind, unprocessed: bool) -> Backend | None:
        """
        Name another backend after ``failed`` (all that failed are in ``exchange.tried``), or none.

        :param unprocessed: whether it has certainly looked at nothing of the request.
        """

    @abstractmethod
    def request_form(self, exchange: Exchange) -> RequestForm:
        """
        Rewrite the request head. Called once a request, however often it is sent.
        """

    @abstractmethod
    def response_lines(self, exchange: Exchange, head: ResponseHead) -> list[bytes] | None:
        """
        Rewrite the response head; ``None`` when the head says that the backend could not serve the request
        (:attr:`FailureKind.DECLINED`) and nothing of it must reach the client.
        """

    @abstractmethod
    def failure(self, exchange: Exchange, kind: FailureKind) -> Answer:
        """
        Word the answer to a request that failed before anything of a response was sent.
        """

    @abstractmethod
    def refusal(self, exchange: Exchange, status: int, reason: str) -> Answer:
        """
        Word the answer to a request whose body was malformed, too large or too slow. It must close the connection.
        """

    @abstractmethod
    def finished(self, exchange: Exchange) -> None:
        """
        The exchange has ended; the one place for its record and its metrics.
        """


class Exchanger(Protocol):
    """
    What a server connection tells the exchange that it carries.
    """

    def body_received(self, data: bytes) -> None: ...
    def body_ended(self, trailers: Sequence[Header]) -> None: ...
    def flush_request(self) -> None: ...
    def client_failed(self, status: int, reason: str) -> None: ...
    def client_lost(self) -> None: ...
    def client_half_closed(self) -> None: ...
    def pause_response(self) -> None: ...
    def resume_response(self) -> None: ...
    def timed_out(self) -> None: ...
