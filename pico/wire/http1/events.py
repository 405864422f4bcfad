"""
What the connections report. Events are read-only; they are not frozen because making a frozen one costs more.
"""

from __future__ import annotations

import enum
from typing import Final

from pico.errors import RemoteProtocolError
from pico.wire.http1.headers import Fields, Header
from pico.wire.value import Value


class Framing(enum.Enum):
    """
    How the end of a body is found (RFC 9112 section 6.3).
    """

    NONE = "no body"
    LENGTH = "Content-Length"
    CHUNKED = "chunks"
    EOF = "end of connection"


class RequestHead(Value):
    """
    A request line with its headers.

    :ivar target: as it was received.
    :ivar path: the origin-form (or ``*``) that the request comes down to; for CONNECT the authority.
    :ivar version: 10 or 11; later minor versions count as 11.
    :ivar host: whom the request is for: the authority of an absolute target, else the Host header; ``None`` without.
    :ivar content_length: 0 unless ``framing`` is LENGTH.
    :ivar keep_alive: the client is willing to send another request.
    :ivar expect_continue: the client waits for a 100 before it sends the body.
    :ivar upgrade: the value of Upgrade, if Connection names it.
    :ivar connection_options: header names, in lower case, that Connection names besides the usual ones.
    :ivar fields: the header section, shared with other messages that have the same.
    """

    __match_args__ = (
        "method",
        "target",
        "path",
        "version",
        "headers",
        "framing",
        "content_length",
        "keep_alive",
        "expect_continue",
        "upgrade",
        "host",
        "connection_options",
        "fields",
    )
    __slots__ = __match_args__

    def __init__(
        self,
        method: bytes,
        target: bytes,
        path: bytes,
        version: int,
        headers: list[Header],
        framing: Framing,
        content_length: int,
        keep_alive: bool,
        expect_continue: bool,
        upgrade: bytes | None,
        host: bytes | None,
        connection_options: frozenset[bytes] | None,
        fields: Fields,
    ) -> None:
        self.method = method
        self.target = target
        self.path = path
        self.version = version
        self.headers = headers
        self.framing = framing
        self.content_length = content_length
        self.keep_alive = keep_alive
        self.expect_continue = expect_continue
        self.upgrade = upgrade
        self.host = host
        self.connection_options = connection_options
        self.fields = fields


class ResponseHead(Value):
    """
    A status line with its headers; interim responses (1xx but 101) come before the final one.

    :ivar upgrade: the protocol that a 101 switches to.
    """

    __match_args__ = (
        "status",
        "reason",
        "version",
        "headers",
        "framing",
        "content_length",
        "keep_alive",
        "upgrade",
        "connection_options",
        "fields",
    )
    __slots__ = __match_args__

    def __init__(
        self,
        status: int,
        reason: bytes,
        version: int,
        headers: list[Header],
        framing: Framing,
        content_length: int,
        keep_alive: bool,
        upgrade: bytes | None,
        connection_options: frozenset[bytes] | None,
        fields: Fields,
    ) -> None:
        self.status = status
        self.reason = reason
        self.version = version
        self.headers = headers
        self.framing = framing
        self.content_length = content_length
        self.keep_alive = keep_alive
        self.upgrade = upgrade
        self.connection_options = connection_options
        self.fields = fields

    @property
    def informational(self) -> bool:
        """
        Whether another head follows for the same request.
        """
        return self.status < 200 and self.status != 101


class Data(Value):
    """
    A piece of a body; where it was cut means nothing.
    """

    __match_args__ = ("data",)
    __slots__ = __match_args__

    def __init__(self, data: bytes) -> None:
        self.data = data


class EndOfMessage(Value):
    """
    The message is complete.
    """

    __match_args__ = ("trailers",)
    __slots__ = __match_args__

    def __init__(self, trailers: list[Header]) -> None:
        self.trailers = trailers


class Failed(Value):
    """
    The peer broke the protocol. The connection reads nothing any more.
    """

    __match_args__ = ("error",)
    __slots__ = __match_args__

    def __init__(self, error: RemoteProtocolError) -> None:
        self.error = error


#: The end of a message without trailers; one object for all of them.
END: Final = EndOfMessage([])

Event = RequestHead | ResponseHead | Data | EndOfMessage | Failed
