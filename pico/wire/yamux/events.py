"""
What a session reports. Events are read-only.

``receive_data`` and ``receive_eof`` return the first group, ``take_sent`` the second.
"""

from __future__ import annotations

import enum

from pico.errors import RemoteProtocolError
from pico.wire.value import Value
from pico.wire.yamux.stream import Stream


class ResetCause(enum.Enum):
    """
    Why a stream was cut off without our asking.
    """

    PEER = "reset by the peer"
    #: By the peer, before it took the stream: it has looked at nothing of what was sent.
    REFUSED = "refused by the peer"
    #: By this session, because more was received than may be held; the peer has been told.
    OVERFLOW = "too much received and not read"


class StreamOpened(Value):
    """
    The peer has opened a stream: accept or reset it.
    """

    __match_args__ = ("stream",)
    __slots__ = __match_args__

    def __init__(self, stream: Stream) -> None:
        self.stream = stream


class DataReceived(Value):
    """
    Bytes have come; call ``consumed`` for them when they have been used.
    """

    __match_args__ = ("stream", "data")
    __slots__ = __match_args__

    def __init__(self, stream: Stream, data: bytes) -> None:
        self.stream = stream
        self.data = data


class StreamFinished(Value):
    """
    The peer will send no more. If our side has ended before, the stream's state is ``CLOSED``.
    """

    __match_args__ = ("stream",)
    __slots__ = __match_args__

    def __init__(self, stream: Stream) -> None:
        self.stream = stream


class StreamReset(Value):
    """
    Both directions of a stream are dead; nothing more comes of it, and verbs on it do nothing.
    """

    __match_args__ = ("stream", "cause")
    __slots__ = __match_args__

    def __init__(self, stream: Stream, cause: ResetCause) -> None:
        self.stream = stream
        self.cause = cause

    @property
    def refused(self) -> bool:
        """
        Whether the peer never took the stream, so that whatever it was for may safely be tried elsewhere.
        """
        return self.cause is ResetCause.REFUSED


class PongReceived(Value):
    """
    Our last ping was answered.

    :ivar rtt: seconds that it took.
    """

    __match_args__ = ("rtt",)
    __slots__ = __match_args__

    def __init__(self, rtt: float) -> None:
        self.rtt = rtt


class GoAwayReceived(Value):
    """
    The peer takes no new streams; those that exist go on. Reported once.
    """

    __match_args__ = ("code",)
    __slots__ = __match_args__

    def __init__(self, code: int) -> None:
        self.code = code


class SessionClosed(Value):
    """
    The peer has ended the connection. No stream lives any more.
    """

    __slots__ = ()


class Failed(Value):
    """
    The session is over: the peer broke the protocol (go-away 1 is queued for it), or said that we did.

    No stream lives any more.

    :ivar error: with the go-away code.
    """

    __match_args__ = ("error",)
    __slots__ = __match_args__

    def __init__(self, error: RemoteProtocolError) -> None:
        self.error = error


Event = (
    DataReceived | StreamOpened | StreamFinished | StreamReset | PongReceived | GoAwayReceived | SessionClosed | Failed
)


class FinishSent(Value):
    """
    Our FIN has left. If the peer's has come before, the stream's state is ``CLOSED``.
    """

    __match_args__ = ("stream",)
    __slots__ = __match_args__

    def __init__(self, stream: Stream) -> None:
        self.stream = stream


class QueueDrained(Value):
    """
    A stream's queue has shrunk to the size that ``notify`` was called with.
    """

    __match_args__ = ("stream",)
    __slots__ = __match_args__

    def __init__(self, stream: Stream) -> None:
        self.stream = stream


SentEvent = FinishSent | QueueDrained
