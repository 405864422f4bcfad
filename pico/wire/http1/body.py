"""
Bodies in chunks (RFC 9112 section 7.1), taken apart.
"""

from __future__ import annotations

import enum
import re
from typing import Final

from pico.errors import RemoteProtocolError
from pico.wire.http1.events import END, Data, EndOfMessage, Event
from pico.wire.http1.head import fault_in_part, parse_trailers
from pico.wire.http1.headers import HeaderCache
from pico.wire.http1.limits import Limits

# chunk-size [ chunk-ext ]; of an extension only its characters are checked, for nobody reads it.
_CHUNK_LINE: Final = re.compile(rb"([0-9A-Fa-f]{1,15})(?:[ \t]*;[^\x00-\x08\x0a-\x1f\x7f]*)?")


class _Expect(enum.Enum):
    SIZE = "the line with a chunk's size"
    DATA = "a chunk's bytes"
    END = "the CRLF behind a chunk"
    TRAILERS = "the trailers"


_SIZE: Final = _Expect.SIZE
_DATA: Final = _Expect.DATA
_END: Final = _Expect.END


class ChunkedReader:
    """
    Read one body. What a caller passes to :meth:`read` and is not yet understood is kept here.

    :ivar rest: after the end of the body: what came behind it.
    """

    __slots__ = ("_cache", "_expect", "_left", "_limits", "_scanned", "_status", "rest")

    def __init__(self, cache: HeaderCache, limits: Limits, status: int) -> None:
        """
        :param status: the code of an error: 400 for a request's body, 502 for a response's.
        """
        self._cache = cache
        self._limits = limits
        self._status = status
        self._expect = _SIZE
        self._left = 0
        self._scanned = 0
        self.rest = b""

    @property
    def held(self) -> int:
        """
        Bytes that are kept because they are not understood yet.
        """
        return len(self.rest)

    def read(self, data: bytes, events: list[Event]) -> bool:
        """
        Take bytes, add events.

        :return: whether the body has ended.
        :raises RemoteProtocolError: for anything but chunks.
        """
        if self.rest:
            data = self.rest + data
            self.rest = b""
        position = 0
        end = len(data)
        while position < end:
            expect = self._expect
            if expect is _DATA:
                stop = position + self._left
                if stop > end:
                    events.append(Data(data[position:] if position else data))
                    self._left = stop - end
                    return False
                events.append(Data(data[position:stop]))
                position = stop
                self._expect = _END
            elif expect is _END:
                if end - position < 2:
                    if data[position] != 0x0D:
                        raise RemoteProtocolError(self._status, "chunk longer than its size")
                    self.rest = data[position:]
                    return False
                if data[position] != 0x0D or data[position + 1] != 0x0A:
                    raise RemoteProtocolError(self._status, "chunk longer than its size")
                position += 2
                self._expect = _SIZE
            elif expect is _SIZE:
                found = data.find(b"\r\n", position)
                if found < 0 or found - position > self._limits.chunk_line:
                    self._keep_line(data, position)
                    return False
                match = _CHUNK_LINE.fullmatch(data, position, found)
                if match is None:
                    fault = fault_in_part(data[position : found + 2], 0)
                    raise RemoteProtocolError(self._status, fault[1] if fault else "malformed chunk size")
                self._left = int(match.group(1), 16)
                position = found + 2
                self._scanned = 0
                self._expect = _DATA if self._left else _Expect.TRAILERS
            else:
                return self._read_trailers(data, position, events)
        return False

    def _keep_line(self, data: bytes, position: int) -> None:
        part = data[position:]
        fault = fault_in_part(part, self._scanned)
        if fault:
            raise RemoteProtocolError(self._status, fault[1])
        if len(part) > self._limits.chunk_line + 1:
            raise RemoteProtocolError(self._status, "chunk extension too long")
        self._scanned = max(0, len(part) - 1)
        self.rest = part

    def _read_trailers(self, data: bytes, position: int, events: list[Event]) -> bool:
        """
        Read the lines up to the empty one. They are few: what is there is looked at again as a whole.
        """
        if data.startswith(b"\r\n", position):
            self.rest = data[position + 2 :]
            events.append(END)
            return True
        limits = self._limits
        found = data.find(b"\r\n\r\n", position)
        if found < 0 or found - position > limits.trailer_bytes:
            part = data[position:]
            fault = fault_in_part(part, self._scanned)
            if fault:
                raise RemoteProtocolError(self._status, fault[1])
            if len(part) > limits.trailer_bytes + 3:
                raise RemoteProtocolError(self._too_large(), "trailers too large")
            self._scanned = max(0, len(part) - 1)
            self.rest = part
            return False
        lines = data[position:found].split(b"\r\n")
        if len(lines) > limits.trailers:
            raise RemoteProtocolError(self._too_large(), "too many trailers")
        try:
            trailers = parse_trailers(lines, self._cache, self._status)
        except RemoteProtocolError as error:
            fault = fault_in_part(data[position : found + 4], 0)
            raise RemoteProtocolError(self._status, fault[1]) if fault else error from None
        self.rest = data[found + 4 :]
        events.append(EndOfMessage(trailers))
        return True

    def _too_large(self) -> int:
        return 431 if self._status == 400 else self._status
