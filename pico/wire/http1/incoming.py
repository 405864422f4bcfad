"""
The reading half that both connections share: collecting a head, and handing out a body.
"""

from __future__ import annotations

from pico.errors import RemoteProtocolError
from pico.wire.http1.head import fault_in_part


class HeadCollector:
    """
    Collect bytes until a whole head is there.

    :ivar part: what has come of the next head.
    """

    __slots__ = ("_max", "_scanned", "_status", "part")

    def __init__(self, max_bytes: int, status: int) -> None:
        """
        :param max_bytes: of a head with its empty line.
        :param status: the code of the error when a head grows larger.
        """
        self._max = max_bytes
        self._scanned = 0
        self._status = status
        self.part = b""

    def take(self, data: bytes) -> tuple[bytes, bytes] | None:
        """
        Add bytes.

        :return: a whole head without its empty line, and what came behind it, or ``None`` while it is not whole.
        :raises RemoteProtocolError: for a head that is too large, or a line that is not ended by CRLF.
        """
        if self.part:
            data = self.part + data
        found = data.find(b"\r\n\r\n", max(0, self._scanned - 3))
        if found >= 0 and found + 4 <= self._max:
            self.part = b""
            self._scanned = 0
            if found + 4 == len(data):
                return data[:found], b""
            return data[:found], data[found + 4 :]
        fault = fault_in_part(data if found < 0 else data[:found], self._scanned)
        if fault:
            raise RemoteProtocolError(400 if self._status == 431 else self._status, fault)
        if found >= 0 or len(data) >= self._max:
            raise RemoteProtocolError(self._status, "head too large")
        self.part = data
        self._scanned = max(0, len(data) - 1)
        return None

    def too_long_line(self, limit: int) -> bool:
        """
        Whether the first line alone is longer than allowed already.
        """
        return len(self.part) > limit and self.part.find(b"\r\n", 0, limit + 2) < 0
