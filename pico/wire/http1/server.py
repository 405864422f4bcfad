"""
The server's side of a connection: requests in, responses out, one after the other.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence
from typing import Final

from pico.errors import LocalProtocolError, RemoteProtocolError
from pico.wire.http1.body import ChunkedReader
from pico.wire.http1.events import END, Data, Event, Failed, Framing, RequestHead
from pico.wire.http1.head import REASONS, parse_request
from pico.wire.http1.headers import HeaderCache
from pico.wire.http1.incoming import HeadCollector
from pico.wire.http1.limits import DEFAULT_LIMITS, Limits


class Reading(enum.Enum):
    """
    What the connection reads next.
    """

    HEAD = "a request head"
    LENGTH = "a body with a length"
    CHUNKED = "a body in chunks"
    ENDED = "nothing, until next_request()"
    DEAD = "nothing any more"


class Writing(enum.Enum):
    """
    What the connection may write next.
    """

    HEAD = "a response head"
    LENGTH = "a body with a length"
    CHUNKED = "a body in chunks"
    EOF = "a body that is ended by closing"
    NOTHING = "the end of a response without body"
    ENDED = "nothing, until next_request()"
    SWITCHED = "nothing, it is another protocol's"


_NONE: Final[Framing] = Framing.NONE
_LENGTH: Final[Framing] = Framing.LENGTH
_CHUNKED: Final[Framing] = Framing.CHUNKED
_R_HEAD: Final[Reading] = Reading.HEAD
_R_LENGTH: Final[Reading] = Reading.LENGTH
_R_CHUNKED: Final[Reading] = Reading.CHUNKED
_R_ENDED: Final[Reading] = Reading.ENDED
_R_DEAD: Final[Reading] = Reading.DEAD
_W_HEAD: Final[Writing] = Writing.HEAD
_W_LENGTH: Final[Writing] = Writing.LENGTH
_W_CHUNKED: Final[Writing] = Writing.CHUNKED
_W_EOF: Final[Writing] = Writing.EOF
_W_NOTHING: Final[Writing] = Writing.NOTHING
_W_ENDED: Final[Writing] = Writing.ENDED

_STATUS_LINES: Final = {status: b"HTTP/1.1 %d %s" % (status, reason) for status, reason in REASONS.items()}


class ServerConnection:
    """
    Read requests and write their responses.

    One request at a time: what comes behind it is held until :meth:`next_request`. The caller stops reading while
    bytes are held, so what is held is bounded by one read.

    :ivar keep_alive: once a response's head was written: whether the connection goes on after it.
    """

    __slots__ = (
        "_cache",
        "_chunks",
        "_close_asked",
        "_collector",
        "_held",
        "_left",
        "_limits",
        "_reading",
        "_request",
        "_skipped_line",
        "_to_write",
        "_writing",
        "keep_alive",
    )

    def __init__(self, cache: HeaderCache, limits: Limits = DEFAULT_LIMITS) -> None:
        self._cache = cache
        self._limits = limits
        self._collector = HeadCollector(limits, of_requests=True)
        self._chunks: ChunkedReader | None = None
        self._close_asked = False
        self._held = b""
        self._left = 0
        self._reading = _R_HEAD
        self._request: RequestHead | None = None
        self._skipped_line = False
        self._to_write = 0
        self._writing = _W_HEAD
        self.keep_alive = True

    # What the shell may ask

    @property
    def held(self) -> int:
        """
        Bytes received that did not lead to an event yet: part of a head, or a further request.
        """
        return len(self._held) + len(self._collector.part)

    @property
    def request_ended(self) -> bool:
        """
        Whether the whole of a request has been read.
        """
        return self._reading is _R_ENDED

    @property
    def response_started(self) -> bool:
        """
        Whether the head of the current response has been written.
        """
        return self._writing is not _W_HEAD

    @property
    def body_allowed(self) -> bool:
        """
        Whether the response whose head was written has a body.
        """
        return self._writing is not _W_NOTHING

    @property
    def ends_by_close(self) -> bool:
        """
        Whether the body under way is ended by closing the connection only.
        """
        return self._writing is _W_EOF

    @property
    def closing(self) -> bool:
        """
        Whether the connection is to be closed, by :meth:`close_after_response` or :meth:`close_with_next_head`.
        """
        return self._close_asked

    # Input

    def receive_data(self, data: bytes) -> list[Event]:
        """
        Take bytes from the client, cut anywhere.
        """
        events: list[Event] = []
        try:
            if (
                self._reading is _R_HEAD
                and data.find(b"\r\n\r\n") + 4 == len(data) != 3
                and not self._collector.part
                and data[0] != 0x0D
                and len(data) <= self._limits.header_bytes
            ):
                # Nearly always: one whole head and nothing else.
                try:
                    request = self._request = parse_request(data[:-4], self._cache, self._limits)
                except RemoteProtocolError as error:
                    raise self._collector.fault(data) or error from None
                events.append(request)
                self._head_read(request, events)
            elif data:
                self._read(data, events)
        except RemoteProtocolError as error:
            self._reading = _R_DEAD
            self._held = b""
            self._collector.part = b""
            events.append(Failed(error))
        return events

    def receive_eof(self) -> list[Event]:
        """
        The client has ended its side: in the middle of a request that is a fault.
        """
        reading = self._reading
        if reading is _R_LENGTH or reading is _R_CHUNKED or self._collector.part:
            self._reading = _R_DEAD
            self._collector.part = b""
            return [Failed(RemoteProtocolError(400, "request ended early"))]
        return []

    def next_request(self) -> list[Event]:
        """
        Begin the next request, after both the last one and its response have ended, with what is held.
        """
        if self._reading is not _R_ENDED or self._writing is not _W_ENDED or not self.keep_alive:
            raise LocalProtocolError("the last exchange has not ended, or was the connection's last")
        self._reading = _R_HEAD
        self._writing = _W_HEAD
        self._request = None
        self._skipped_line = False
        held = self._held
        if not held:
            return []
        self._held = b""
        return self.receive_data(held)

    def take_leftover(self) -> bytes:
        """
        After a 101: what the client sent behind its request.
        """
        if self._writing is not Writing.SWITCHED:
            raise LocalProtocolError("the connection has not switched protocols")
        held, self._held = self._held, b""
        self._reading = _R_DEAD
        return held

    # Verbs

    def send_informational(self, status: int, reason: bytes, lines: Sequence[bytes]) -> bytes:
        """
        Make an interim response; nothing for a client of HTTP/1.0.

        :param lines: header lines without CRLF.
        """
        if self._writing is not _W_HEAD or not 100 <= status < 200 or status == 101:
            raise LocalProtocolError("no interim response may be sent now")
        if self._request is None or self._request.version == 10:
            return b""
        return b"\r\n".join([_status_line(status, reason), *lines, b"", b""])

    def send_head(
        self, status: int, reason: bytes, lines: Sequence[bytes], *, length: int | None, close: bool = False
    ) -> bytes:
        """
        Begin a response.

        :param reason: empty for the usual one.
        :param lines: header lines without CRLF, none of them about framing or the connection.
        :param length: of the body; ``None`` if it is not known. Of a response to HEAD or a 304: what a GET would get.
        :param close: make this the connection's last response.
        """
        if self._writing is not _W_HEAD:
            raise LocalProtocolError("a response has begun already")
        if status < 200 and status != 101:
            raise LocalProtocolError("an interim response is not the response's head")
        out = [_status_line(status, reason), *lines]
        request = self._request
        if status == 101:
            self._writing = Writing.SWITCHED
            self.keep_alive = False
            out += (b"", b"")
            return b"\r\n".join(out)
        if request is None:
            # The answer to something that is not a request.
            version, head_only, keep_alive = 11, False, False
        else:
            version = request.version
            head_only = request.method == b"HEAD"
            keep_alive = request.keep_alive and not close and not self._close_asked and self._reading is _R_ENDED
        if head_only or status == 304:
            if length is not None:
                out.append(b"Content-Length: %d" % length)
            self._writing = _W_NOTHING
        elif status == 204 or status < 200:
            self._writing = _W_NOTHING
        elif length is not None:
            out.append(b"Content-Length: %d" % length)
            self._to_write = length
            self._writing = _W_LENGTH
        elif version == 11:
            out.append(b"Transfer-Encoding: chunked")
            self._writing = _W_CHUNKED
        else:
            self._writing = _W_EOF
            keep_alive = False
        self.keep_alive = keep_alive
        if not keep_alive:
            out.append(b"Connection: close")
        elif version == 10:
            out.append(b"Connection: keep-alive")
        out += (b"", b"")
        return b"\r\n".join(out)

    def send_data(self, data: bytes) -> bytes:
        """
        Make a piece of the response's body ready to be sent.
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
        if writing is _W_EOF:
            return data
        if not data and writing is _W_NOTHING:
            return b""
        raise LocalProtocolError("no body may be sent now")

    def send_end(self, trailers: Sequence[bytes] = ()) -> bytes:
        """
        End the response.

        :param trailers: lines without CRLF; sent if the body is in chunks.
        """
        writing = self._writing
        if writing is _W_LENGTH:
            if self._to_write:
                raise LocalProtocolError("less body than the Content-Length says")
            self._writing = _W_ENDED
            return b""
        if writing is _W_CHUNKED:
            self._writing = _W_ENDED
            if trailers:
                return b"\r\n".join([b"0", *trailers, b"", b""])
            return b"0\r\n\r\n"
        if writing is _W_NOTHING or writing is _W_EOF:
            self._writing = _W_ENDED
            return b""
        raise LocalProtocolError("no response is under way")

    def close_with_next_head(self) -> None:
        """
        Make the first response the last whose head is still to be written: the client is told.
        """
        self._close_asked = True

    def close_after_response(self) -> None:
        """
        Make the current response the connection's last. If its head is written the client learns it by the close only.
        """
        self._close_asked = True
        if self._writing is not _W_HEAD:
            self.keep_alive = False

    # Inside

    def _read(self, data: bytes, events: list[Event]) -> None:
        reading = self._reading
        if reading is _R_HEAD:
            data = self._read_head(data, events)
            if not data:
                return
            reading = self._reading
        if reading is _R_LENGTH:
            size = len(data)
            left = self._left
            if size < left:
                self._left = left - size
                events.append(Data(data))
                return
            if size == left:
                events.append(Data(data))
                data = b""
            else:
                events.append(Data(data[:left]))
                data = data[left:]
            self._left = 0
            self._reading = _R_ENDED
            events.append(END)
        elif reading is _R_CHUNKED and self._chunks is not None:
            chunks = self._chunks
            if not chunks.read(data, events):
                return
            data = chunks.rest
            self._chunks = None
            self._reading = _R_ENDED
        elif reading is _R_DEAD:
            return
        if data:
            self._held = self._held + data if self._held else data

    def _read_head(self, data: bytes, events: list[Event]) -> bytes:
        """
        Read a head, or the part of one that is there.

        :return: what came behind the head.
        """
        collector = self._collector
        if not self._skipped_line:
            # RFC 9112 section 2.2: one empty line before a request is forgiven.
            start = collector.part + data if collector.part else data
            if start.startswith(b"\r\n"):
                self._skipped_line = True
                collector.part = b""
                data = start[2:]
                if not data:
                    return b""
            elif start == b"\r":
                collector.part = start
                return b""
            else:
                self._skipped_line = True
        taken = collector.take(data)
        if taken is None:
            return b""
        raw, rest = taken
        try:
            request = self._request = parse_request(raw, self._cache, self._limits)
        except RemoteProtocolError as error:
            raise collector.fault(raw + b"\r\n\r\n") or error from None
        events.append(request)
        self._head_read(request, events)
        if request.framing is _NONE:
            if rest:
                self._held = rest
            return b""
        return rest

    def _head_read(self, request: RequestHead, events: list[Event]) -> None:
        """
        Make ready for what follows a head.
        """
        framing = request.framing
        if framing is _NONE:
            self._reading = _R_ENDED
            events.append(END)
        elif framing is _LENGTH:
            self._left = request.content_length
            self._reading = _R_LENGTH
        else:
            self._chunks = ChunkedReader(self._cache, self._limits, 400)
            self._reading = _R_CHUNKED


def _status_line(status: int, reason: bytes) -> bytes:
    if not reason:
        line = _STATUS_LINES.get(status)
        return line if line is not None else b"HTTP/1.1 %d " % status
    usual = _STATUS_LINES.get(status)
    if usual is not None and usual.endswith(reason) and len(usual) == 13 + len(reason):
        return usual
    return b"HTTP/1.1 %d %b" % (status, reason)
