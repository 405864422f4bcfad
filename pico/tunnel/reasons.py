"""
Why a stream lost its connection, beside Twisted's own reasons.

``ConnectionDone``: both sides have ended. ``ConnectionAborted``: we called ``abortConnection``.
``ConnectionLost``: the tunnel is gone. All others are here; the first line of their docstrings is what they
say.
"""

from __future__ import annotations

from twisted.internet.error import ConnectionLost


class StreamReset(ConnectionLost):
    """
    The stream was reset.
    """

    #: Whether the peer is known to have looked at nothing of what was sent, so that it may be sent elsewhere.
    never_processed = False


class StreamRefused(StreamReset):
    """
    The other end of the tunnel refused the stream.
    """

    never_processed = True


class StreamOverflowed(StreamReset):
    """
    More was received on the tunnel than may be held, and this stream held most.
    """


class StreamTimedOut(ConnectionLost):
    """
    The other end of the tunnel did not accept or did not end the stream in time.
    """
