"""
What the node that was dialled tells the one that dialled, beside the streams of a link.

The accepting node opens one stream of the session for it, the only one that it opens, and sends records of one
length::

    0      1 2 3 4
    type   stream
"""

from __future__ import annotations

import enum
import struct

import attrs

_RECORD = struct.Struct("!BI")
RECORD_SIZE = _RECORD.size


class NoticeType(enum.IntEnum):
    """
    What a record says.
    """

    #: The tunnel that the stream is joined to is leaving: send no further request over the stream.
    RETIRE = 1
    #: The tunnel did not take the stream that it was joined to: nothing of what was sent has been looked at.
    UNPROCESSED = 2


@attrs.frozen
class Notice:
    """
    One record.

    :ivar stream: the number of the stream that it speaks of.
    """

    type: NoticeType
    stream: int


_TYPES = {kind.value: kind for kind in NoticeType}


def encode_notice(notice: Notice) -> bytes:
    """
    The bytes of a notice.
    """
    return _RECORD.pack(notice.type, notice.stream)


class NoticeReader:
    """
    Reads notices from bytes that are cut anywhere. Types that a later version knows are skipped.
    """

    __slots__ = ("_rest",)

    def __init__(self) -> None:
        self._rest = b""

    def receive_data(self, data: bytes) -> list[Notice]:
        """
        Take bytes.
        """
        data = self._rest + data
        end = len(data) - len(data) % RECORD_SIZE
        self._rest = data[end:]
        notices = []
        for number, stream in _RECORD.iter_unpack(data[:end]):
            kind = _TYPES.get(number)
            if kind is not None:
                notices.append(Notice(kind, stream))
        return notices
