"""
The client's side of a connection: requests out, responses in, one after the other.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence
from typing import Final

from pico.errors import LocalProtocolError, RemoteProtocolError
from pico.wire.http1.body import ChunkedReader
from pico.wire.http1.events import END, Data, Event, Failed, Framing
from pico.wire.http1.head import parse_response
from pico.wire.http1.headers import HeaderCache
from pico.wire.http1.incoming import HeadCollector
from pico.wire.http1.limits import DEFAULT_LIMITS, Limits


class Reading(enum.Enum):
    """
    What the connection reads next.
    """

    IDLE = "nothing: no request is outstanding"
    HEAD = "a response head"
    LENGTH = "a body with a length"
    CHUNKED = "a body in chunks"
    EOF = "a body up to the end of the connection"
    SWITCHED = "nothing, it is another protocol's"
    DEAD = "nothing any more"


class Writing(enum.Enum):
    """
    What the connection may write next.
    """

    HEAD = "a request head"
    LENGTH = "a body with a length"
    CHUNKED = "a body in chunks"


_NONE: Final[Framing] = Framing.NONE
_LENGTH: Final[Framing] = Framing.LENGTH
_CHUNKED: Final[Framing] = Framing.CHUNKED
_R_IDLE: Final[Reading] = Reading.IDLE
_R_HEAD: Final[Reading] = Reading.HEAD
_R_LENGTH: Final[Reading] = Reading.LENGTH
_R_CHUNKED: Final[Reading] = Reading.CHUNKED
_R_EOF: Final[Reading] = Reading.EOF
_R_DEAD: Final[Reading] = Reading.DEAD
_W_HEAD: Final[Writing] = Writing.HEAD
_W_LENGTH: Final[Writing] = Writing.LENGTH
_W_CHUNKED: Final[Writing] = Writing.CHUNKED

#: Methods whose requests carry a Content-Length even without a body (RFC 9110 section 8.6).
_WITH_LENGTH: Final = frozenset({b"POST", b"PUT", b"PATCH"})


class ClientConnection:
    """
    Write requests and read their responses.

    :ivar keep_alive: whether the exchange so far leaves the connection usable; see :attr:`reusable`.
    """

    __slots__ = (
        "_cache",
        "_chunks",
        "_collector",
        "_interim",
        "_left",
        "_leftover",
        "_limits",
        "_method",
        "_reading",
        "_to_write",
        "_upgrade",
        "_writing",
        "keep_alive",
    )

    def __init__(self, cache: HeaderCache, limits: Limits = DEFAULT_LIMITS) -> None:
        self._cache = cache
        self._limits = limits
        self._collector = HeadCollector(limits, of_requests=False)
        self._chunks: ChunkedReader | None = None
        self._interim = 0
        self._left = 0
        self._leftover = b""
        self._method = b""
        self._reading = _R_IDLE
        self._to_write = 0
        self._upgrade = False
        self._writing = _W_HEAD
        self.keep_alive = True

    # What the shell may ask

    @property
    def reusable(self) -> bool:
        """
        Whether another request may be sent: everything before has ended and both sides keep the connection alive.
        """
        return self.keep_alive and self._reading is _R_IDLE and self._writing is _W_HEAD

    @property
    def switched(self) -> bool:
        """
        Whether a 101 was read.
        """
        return self._reading is Reading.SWITCHED

    # Verbs

    def send_request(
        self,
        method: bytes,
        target: bytes,
        lines: Sequence[bytes],
        *,
        length: int | None = 0,
        close: bool = False,
        upgrade: bytes | None = None,
    ) -> bytes:
        """
        Begin a request; :meth:`send_end` ends it, also when it has no body.

        :param lines: header lines without CRLF, none of them about framing or the connection.
        :param length: of the body; ``None`` if it is not known.
        :param close: ask for the connection to be closed behind the response.
        :param upgrade: ask for another protocol.
        """
        if not self.reusable:
            raise LocalProtocolError("another exchange is under way, or was the connection's last")
        out = [b"%b %b HTTP/1.1" % (method, target), *lines]
        if length is None:
            out.append(b"Transfer-Encoding: chunked")
            self._writing = _W_CHUNKED
        else:
            if length or method in _WITH_LENGTH:
                out.append(b"Content-Length: %d" % length)
            self._writing = _W_LENGTH
            self._to_write = length
        if upgrade is not None:
            out.append(b"Connection: Upgrade")
            out.append(b"Upgrade: " + upgrade)
        elif close:
            out.append(b"Connection: close")
            self.keep_alive = False
        self._method = method
        self._upgrade = upgrade is not None
        self._interim = 0
        self._reading = _R_HEAD
        out += (b"", b"")
        return b"\r\n".join(out)

    def send_data(self, data: bytes) -> bytes:
        """
        Make a piece of the request's body ready to be sent.
        """
        writing = self._writing
        if writing is _W_LENGTH:
            self._to_write -= len(data)
            if self._to_write < 0:
                raise LocalProtocolError("more body than the Content-Length says")
            return data
        if writing is _W_CHUNKED:
            if not data:
                return b""
            return b"%x\r\n%b\r\n" % (len(data), data)
        raise LocalProtocolError("no request is under way")

    def send_end(self, trailers: Sequence[bytes] = ()) -> bytes:
        """
        End the request.

        :param trailers: lines without CRLF; sent if the body is in chunks.
        """
        writing = self._writing
        if writing is _W_LENGTH:
            if self._to_write:
                raise LocalProtocolError("less body than the Content-Length says")
            self._writing = _W_HEAD
            return b""
        if writing is _W_CHUNKED:
            self._writing = _W_HEAD
            if trailers:
                return b"\r\n".join([b"0", *trailers, b"", b""])
            return b"0\r\n\r\n"
        raise LocalProtocolError("no request is under way")

    def take_leftover(self) -> bytes:
        """
        After a 101: what came behind it.
        """
        if self._reading is not Reading.SWITCHED:
            raise LocalProtocolError("the connection has not switched protocols")
        leftover, self._leftover = self._leftover, b""
        return leftover

    # Input

    def receive_data(self, data: bytes) -> list[Event]:
        """
        Take bytes from the server, cut anywhere.
        """
        events: list[Event] = []
        try:
            if self._reading is _R_HEAD and not self._collector.part:
                found = data.find(b"\r\n\r\n")
                if 0 <= found <= self._limits.header_bytes - 4:
                    # Nearly always: the head is there as a whole.
                    data = self._head_read(data[:found], data[found + 4 :], events)
            if data:
                self._read(data, events)
        except RemoteProtocolError as error:
            self._dead()
            events.append(Failed(RemoteProtocolError(502, error.reason)))
        return events

    def receive_eof(self) -> list[Event]:
        """
        The server has ended its side: the end of some bodies, a fault within others, and nothing between responses.
        """
        reading = self._reading
        if reading is _R_DEAD or reading is Reading.SWITCHED:
            return []
        self._dead()
        if reading is _R_EOF:
            return [END]
        if reading is _R_IDLE:
            return []
        return [Failed(RemoteProtocolError(502, "response ended early"))]

    # Inside

    def _dead(self) -> None:
        self._reading = _R_DEAD
        self._collector.part = b""
        self.keep_alive = False

    def _ended(self) -> None:
        self._reading = _R_IDLE

    def _read(self, data: bytes, events: list[Event]) -> None:
        while data:
            reading = self._reading
            if reading is _R_HEAD:
                data = self._read_head(data, events)
            elif reading is _R_LENGTH:
                size = len(data)
                left = self._left
                if size < left:
                    self._left = left - size
                    events.append(Data(data))
                    return
                events.append(Data(data if size == left else data[:left]))
                data = data[left:]
                self._ended()
                events.append(END)
            elif reading is _R_CHUNKED and self._chunks is not None:
                chunks = self._chunks
                if not chunks.read(data, events):
                    return
                data = chunks.rest
                self._chunks = None
                self._ended()
            elif reading is _R_EOF:
                events.append(Data(data))
                return
            elif reading is _R_IDLE:
                raise RemoteProtocolError(502, "bytes that answer no request")
            elif reading is Reading.SWITCHED:
                self._leftover += data
                return
            else:
                return

    def _read_head(self, data: bytes, events: list[Event]) -> bytes:
        """
        Read a head, or the part of one that is there.

        :return: what came behind the head.
        """
        taken = self._collector.take(data)
        if taken is None:
            return b""
        return self._head_read(taken[0], taken[1], events)

    def _head_read(self, raw: bytes, rest: bytes, events: list[Event]) -> bytes:
        """
        Read a whole head.

        :param rest: what came behind it.
        :return: what of that is not read.
        """
        try:
            head = parse_response(raw, self._cache, self._limits, self._method, self._upgrade)
        except RemoteProtocolError as error:
            raise self._collector.fault(raw + b"\r\n\r\n") or error from None
        if head.informational:
            self._interim += 1
            if self._interim > self._limits.interim:
                raise RemoteProtocolError(502, "too many interim responses")
            events.append(head)
            return rest
        events.append(head)
        if not head.keep_alive:
            self.keep_alive = False
        framing = head.framing
        if head.status == 101:
            self._reading = Reading.SWITCHED
            self.keep_alive = False
        elif framing is _NONE or (framing is _LENGTH and not head.content_length):
            self._ended()
            events.append(END)
        elif framing is _LENGTH:
            if len(rest) == head.content_length:
                self._reading = _R_IDLE
                events.append(Data(rest))
                events.append(END)
                return b""
            self._left = head.content_length
            self._reading = _R_LENGTH
        elif framing is _CHUNKED:
            self._chunks = ChunkedReader(self._cache, self._limits, 502)
            self._reading = _R_CHUNKED
        else:
            self._reading = _R_EOF
        return rest
