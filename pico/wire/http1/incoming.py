"""
The reading half that both connections share: collecting a head, and handing out a body.
"""

from __future__ import annotations

from operator import itemgetter
from typing import Final

from pico.errors import RemoteProtocolError
from pico.wire.http1.head import METHOD_BYTES, fault_in_part
from pico.wire.http1.limits import Limits


class HeadCollector:
    """
    Collect bytes until a whole head is there.

    :ivar part: what has come of the next head.
    """

    __slots__ = ("_max", "_max_line", "_of_requests", "_scanned", "part")

    def __init__(self, limits: Limits, of_requests: bool) -> None:
        """
        :param of_requests: whether these are requests' heads.
        """
        self._max = limits.header_bytes
        self._max_line = limits.start_line
        self._of_requests = of_requests
        self._scanned = 0
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
        fault = self.fault(data, self._scanned)
        if fault is not None:
            raise fault
        self.part = data
        self._scanned = max(0, len(data) - 1)
        return None

    def fault(self, data: bytes, start: int = 0) -> RemoteProtocolError | None:
        """
        What is wrong with a head, or the part of one, before it is understood: whatever comes first, so that it does
        not matter how the head was cut.

        :param start: where to begin; what is before it has been looked at.
        """
        requests = self._of_requests
        faults: list[tuple[int, int, str]] = []
        ending = fault_in_part(data, start)
        if ending is not None:
            faults.append((ending[0], 400, ending[1]))
        if len(data) >= self._max and not 0 <= data.find(b"\r\n\r\n") <= self._max - 4:
            faults.append((self._max - 1, 431, "head too large"))
        if requests and data and data[0] not in METHOD_BYTES:
            # No request begins like this; a TLS hello does, and its sender should not wait for an answer.
            faults.append((0, 400, "malformed request line"))
        line = self._max_line
        if len(data) > line + 1 and data.find(b"\r\n", 0, line + 2) < 0:
            faults.append((line + 1, 414, "request line too long" if requests else "status line too long"))
        if not faults:
            return None
        _, status, reason = min(faults, key=_place)
        return RemoteProtocolError(status if requests else 502, reason)


_place: Final = itemgetter(0)
