"""
HTTP messages, counted rather than read.

Client and sink of the large bodies shall not be what is measured: a body costs them one call a read. They
know what their peers send, so they know no more of HTTP than a head with a Content-Length. Pure.
"""

from __future__ import annotations

import re

from pico.bench.faults import BenchError

_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*(\d+)[ \t]*\r\n", re.IGNORECASE)

_MAX_HEAD = 65_536


class MessageCounter:
    """
    Count the messages in a stream of bytes.

    :ivar start_line: of the latest message whose head is complete.
    :ivar messages: complete ones.
    :ivar body_bytes: of all bodies so far.
    """

    __slots__ = ("_head", "_left", "body_bytes", "messages", "start_line")

    def __init__(self) -> None:
        self.start_line = b""
        self.messages = 0
        self.body_bytes = 0
        self._head = b""
        self._left = 0

    def feed(self, data: memoryview) -> None:
        """
        Count some bytes, cut anywhere.

        :raises BenchError: for a body without a Content-Length.
        """
        while data:
            data = self._count(data) if self._left else self._collect(data)

    def _count(self, data: memoryview) -> memoryview:
        size = min(len(data), self._left)
        self._left -= size
        self.body_bytes += size
        if not self._left:
            self.messages += 1
        return data[size:]

    def _collect(self, data: memoryview) -> memoryview:
        before = len(self._head)
        head = self._head + data[:_MAX_HEAD].tobytes()
        end = head.find(b"\r\n\r\n")
        if end < 0:
            if len(head) > _MAX_HEAD:
                raise BenchError("a head without an end")
            self._head = head
            return data[_MAX_HEAD:]
        self._head = b""
        self._begin(head[: end + 2])
        return data[end + 4 - before :]

    def _begin(self, head: bytes) -> None:
        self.start_line = head.partition(b"\r\n")[0]
        length = _LENGTH.search(head)
        if length is None and (head.startswith(b"HTTP/") or b"\r\ntransfer-encoding:" in head.lower()):
            raise BenchError(f"a message without Content-Length: {head.decode('latin-1')}")
        self._left = int(length[1]) if length else 0
        if not self._left:
            self.messages += 1
