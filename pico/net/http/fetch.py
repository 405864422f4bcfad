"""
One request without a body, with its whole answer in memory: for what programs of the same kind ask each other now
and then.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import attrs
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import TimeoutError as ConnectTimeout
from twisted.internet.interfaces import (
    IReactorTime,
    IStreamClientEndpoint,
    ITCPTransport,
)
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure

from pico.errors import PicoError
from pico.net.once import Once
from pico.net.reasons import why
from pico.wire.http1.client import ClientConnection
from pico.wire.http1.events import Data, EndOfMessage, Event, Failed, ResponseHead
from pico.wire.http1.headers import HeaderCache


class FetchError(PicoError):
    """
    There is no answer.
    """


class Unreachable(FetchError):
    """
    There is no connection.
    """


class TookTooLong(FetchError):
    """
    The answer has not come in time.
    """


@attrs.frozen
class Fetched:
    """
    An answer.

    :ivar content_type: empty if it has none.
    """

    status: int
    content_type: bytes
    body: bytes


async def fetch(
    endpoint: IStreamClientEndpoint,
    target: bytes,
    lines: Sequence[bytes],
    *,
    clock: IReactorTime,
    timeout: float,
    max_body: int,
    method: bytes = b"GET",
) -> Fetched:
    """
    Ask, on a connection of its own.

    :param endpoint: connects within its own limit of time.
    :param target: of the request.
    :param lines: its header lines, Host among them.
    :param timeout: seconds for the answer, once it is connected.
    :param max_body: bytes.
    :raises FetchError: with the reason. Being cancelled drops the connection.
    """
    asking = _Asking(method, target, lines, max_body)
    try:
        await endpoint.connect(Once(asking))
    except CancelledError:
        raise
    except ConnectTimeout:
        raise Unreachable("it takes no connection in time") from None
    except Exception as error:
        raise Unreachable(why(error)) from error

    def timed_out(_: object, seconds: float) -> Failure:
        return Failure(TookTooLong(f"no answer within {seconds:g}s"))

    answered = asking.answered.addTimeout(timeout, clock, timed_out)
    return await answered


class _Asking(Protocol):
    """
    The connection.

    :ivar answered: fires once; cancelling it drops the connection.
    """

    def __init__(self, method: bytes, target: bytes, lines: Sequence[bytes], max_body: int) -> None:
        self.answered: Deferred[Fetched] = Deferred(lambda _: self._transport().abortConnection())
        self._core = ClientConnection(HeaderCache(size=0))
        self._request = self._core.send_request(method, target, [*lines, b"Connection: close"]) + self._core.send_end()
        self._max_body = max_body
        self._head: ResponseHead | None = None
        self._body: list[bytes] = []
        self._size = 0
        self._heard = False

    def connectionMade(self) -> None:
        """
        Ask.
        """
        self._transport().write(self._request)

    def dataReceived(self, data: bytes) -> None:
        """
        Take a part of the answer.
        """
        self._heard = True
        if not self.answered.called:
            self._take(self._core.receive_data(data))

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """
        That was all.
        """
        if not self.answered.called and self._heard:
            self._take(self._core.receive_eof())
        if not self.answered.called:
            self._fail("it closed the connection without an answer")

    def _take(self, events: list[Event]) -> None:
        for event in events:
            if isinstance(event, ResponseHead):
                if not event.informational:
                    self._head = event
            elif isinstance(event, Data):
                self._size += len(event.data)
                if self._size > self._max_body:
                    self._fail(f"its answer is larger than {self._max_body} bytes")
                    return
                self._body.append(event.data)
            elif isinstance(event, EndOfMessage) and self._head is not None:
                self._succeed(self._head)
                return
            elif isinstance(event, Failed):
                what = "does not speak HTTP" if self._head is None else "broke off its answer"
                self._fail(f"it {what}: {event.error.reason}")
                return

    def _succeed(self, head: ResponseHead) -> None:
        content_type = next((header.value for header in head.headers if header.name == b"content-type"), b"")
        self._transport().loseConnection()
        self.answered.callback(Fetched(head.status, content_type, b"".join(self._body)))

    def _fail(self, reason: str) -> None:
        self._transport().abortConnection()
        self.answered.errback(FetchError(reason))

    def _transport(self) -> ITCPTransport:
        return cast(ITCPTransport, self.transport)
