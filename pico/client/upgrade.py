"""
The upgrade request and what the node makes of it, in bytes. Pure, for either kind of event loop.
"""

from __future__ import annotations

import attrs

from pico.client.capabilities import agreed
from pico.client.said import error_in, shown
from pico.errors import RemoteProtocolError
from pico.names import CAPABILITIES_HEADER
from pico.wire.dialling import retry_after
from pico.wire.http1.client import ClientConnection
from pico.wire.http1.events import Data, EndOfMessage, Event, Failed, ResponseHead
from pico.wire.http1.headers import Header, HeaderCache
from pico.wire.http1.limits import Limits
from pico.wire.websocket.handshake import PROTOCOL, check_response, request_lines

#: With this header of its 101 a Pico node says which one it is.
NODE = b"x-pico-node"
#: ... and with this one at which port it takes requests.
PROXY_PORT = b"x-pico-proxy-port"

#: Bytes of a refusal's body that are looked at.
MAX_REFUSAL = 1024

_LIMITS = Limits(header_bytes=65_536, headers=100)


@attrs.frozen
class Accepted:
    """
    The connection is a WebSocket now.

    :ivar node: the node's id; empty when it does not say, as a Piko server.
    :ivar capabilities: what both sides understand beyond Piko's bytes.
    :ivar proxy_port: where it takes requests; 0 when it does not say.
    """

    node: str
    capabilities: frozenset[str]
    proxy_port: int = 0


@attrs.frozen
class Refused:
    """
    There will be no tunnel on this connection.

    :ivar status: of the answer; ``None`` when there was none that could be read.
    :ivar retry_after: seconds that the node asks to wait; 0 if it does not.
    """

    reason: str
    status: int | None = None
    retry_after: float = 0.0


class Upgrade:
    """
    One upgrade: send :attr:`request`, then feed what comes until there is an outcome, which is the last.
    """

    def __init__(self, target: bytes, lines: list[bytes], key: bytes, cache: HeaderCache) -> None:
        """
        :param lines: the header lines beside those of the WebSocket, Host among them.
        :param key: see :func:`pico.wire.websocket.handshake.make_key`.
        """
        self._key = key
        self._core = ClientConnection(cache, _LIMITS)
        self._head: ResponseHead | None = None
        self._body = b""
        head = self._core.send_request(b"GET", target, [*lines, *request_lines(key)], upgrade=PROTOCOL)
        self.request = head + self._core.send_end()

    def receive_data(self, data: bytes) -> Accepted | Refused | None:
        """
        Take bytes from the node, cut anywhere.
        """
        return self._judge(self._core.receive_data(data))

    def receive_eof(self) -> Refused:
        """
        The node has ended the connection.
        """
        outcome = self._judge(self._core.receive_eof()) if self._head is not None else None
        return outcome if isinstance(outcome, Refused) else Refused("it closed the connection without an answer")

    def give_up(self) -> Refused:
        """
        Nothing more is waited for.
        """
        if self._head is not None:
            return self._refused(self._head)
        return Refused("it did not answer in time")

    def take_leftover(self) -> bytes:
        """
        Once accepted: what came behind the answer, the first bytes of the WebSocket.
        """
        return self._core.take_leftover()

    def _judge(self, events: list[Event]) -> Accepted | Refused | None:
        for event in events:
            if isinstance(event, ResponseHead):
                if event.status == 101:
                    return self._accepted(event)
                if not event.informational:
                    self._head = event
            elif isinstance(event, Data):
                self._body += event.data[: MAX_REFUSAL - len(self._body)]
            elif isinstance(event, Failed) and self._head is None:
                return Refused(f"it does not speak HTTP: {event.error.reason}")
            if self._head is not None and (isinstance(event, EndOfMessage | Failed) or len(self._body) == MAX_REFUSAL):
                return self._refused(self._head)
        return None

    def _accepted(self, head: ResponseHead) -> Accepted | Refused:
        try:
            check_response(head, self._key)
        except RemoteProtocolError as error:
            return Refused(error.reason)
        node = shown(_value(head.headers, NODE).decode("latin-1"))
        return Accepted(
            node, agreed(_value(head.headers, CAPABILITIES_HEADER)), _port(_value(head.headers, PROXY_PORT))
        )

    def _refused(self, head: ResponseHead) -> Refused:
        message = ""
        if _value(head.headers, b"content-type").lower().startswith(b"application/json"):
            message = error_in(self._body)
        message = message or shown(head.reason.decode("latin-1")) or "refused"
        wait = retry_after(head.status, _value(head.headers, b"retry-after"))
        return Refused(f"{head.status}: {message}", head.status, wait)


def _port(text: bytes) -> int:
    """
    A port's number; 0 for anything else.
    """
    number = int(text) if len(text) <= 5 and text.isdigit() else 0
    return number if number < 65_536 else 0


def _value(headers: list[Header], name: bytes) -> bytes:
    for header in headers:
        if header.name == name:
            return header.value
    return b""
