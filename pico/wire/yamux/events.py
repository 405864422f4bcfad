"""
What a session reports. Events are read-only.

``receive_data`` and ``receive_eof`` return the first group, ``take_sent`` the second.
"""

from __future__ import annotations

import enum

import attrs

from pico.errors import RemoteProtocolError
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


@attrs.define
class StreamOpened:
    """
    The peer has opened a stream: accept or reset it.
    """

    stream: Stream


@attrs.define
class DataReceived:
    """
    Bytes have come; call ``consumed`` for them when they have been used.
    """

    stream: Stream
    data: bytes


@attrs.define
class StreamFinished:
    """
    The peer will send no more. If our side has ended before, the stream's state is ``CLOSED``.
    """

    stream: Stream


@attrs.define
class StreamReset:
    """
    Both directions of a stream are dead; nothing more comes of it, and verbs on it do nothing.
    """

    stream: Stream
    cause: ResetCause

    @property
    def refused(self) -> bool:
        """
        Whether the peer never took the stream, so that whatever it was for may safely be tried elsewhere.
        """
        return self.cause is ResetCause.REFUSED


@attrs.define
class PongReceived:
    """
    Our last ping was answered.

    :ivar rtt: seconds that it took.
    """

    rtt: float


@attrs.define
class GoAwayReceived:
    """
    The peer takes no new streams; those that exist go on. Reported once.
    """

    code: int


@attrs.define
class SessionClosed:
    """
    The peer has ended the connection. No stream lives any more.
    """


@attrs.define
class Failed:
    """
    The session is over: the peer broke the protocol (go-away 1 is queued for it), or said that we did.

    No stream lives any more.

    :ivar error: with the go-away code.
    """

    error: RemoteProtocolError


Event = (
    DataReceived | StreamOpened | StreamFinished | StreamReset | PongReceived | GoAwayReceived | SessionClosed | Failed
)


@attrs.define
class FinishSent:
    """
    Our FIN has left. If the peer's has come before, the stream's state is ``CLOSED``.
    """

    stream: Stream


@attrs.define
class QueueDrained:
    """
    A stream's queue has shrunk to the size that ``notify`` was called with.
    """

    stream: Stream


SentEvent = FinishSent | QueueDrained
