"""
What a byte stream over a WebSocket reports.
"""

from __future__ import annotations

from pico.errors import RemoteProtocolError
from pico.wire.value import Value


class Bytes(Value):
    """
    Bytes of the stream; where messages began and ended means nothing.
    """

    __match_args__ = ("data",)
    __slots__ = __match_args__

    def __init__(self, data: bytes) -> None:
        self.data = data


class Closed(Value):
    """
    The peer has ended the stream.

    :ivar code: of its Close frame (RFC 6455 section 7.4), 1005 for one without; 1006 when the connection just
        ended, as Piko's does.
    """

    __match_args__ = ("code",)
    __slots__ = __match_args__

    def __init__(self, code: int) -> None:
        self.code = code


class Failed(Value):
    """
    The peer broke the protocol; ``error.code`` is the close code that it is sent.
    """

    __match_args__ = ("error",)
    __slots__ = __match_args__

    def __init__(self, error: RemoteProtocolError) -> None:
        self.error = error


Event = Bytes | Closed | Failed
