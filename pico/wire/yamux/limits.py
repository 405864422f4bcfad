"""
What a session allows, to its peer and to us.
"""

from __future__ import annotations

from typing import Final

import attrs


@attrs.frozen
class Limits:
    """
    The caps of a session. A peer that passes one of the last two breaks the protocol; the others cost a
    stream.

    :ivar max_window: how far one stream's receive window may grow, in bytes; at or below 262144 windows never
        grow.
    :ivar max_streams: live streams, opened by either side.
    :ivar max_unaccepted: streams of the peer that nobody has accepted yet; a further one is reset.
    :ivar max_unacked: streams of ours that the peer has not accepted yet; a further one is not opened.
    :ivar max_buffered: bytes received and not yet consumed, over all streams; when it is passed, the stream
        that holds most is reset.
    :ivar max_frame: payload bytes of one DATA frame that we send: the grain in which streams take turns.
    :ivar last_stream_id: opening fails once the next id has reached it.
    :ivar max_pings_per_second: pings of the peer in one second.
    :ivar max_control: frames that are queued in answer to the peer (pongs, resets, credit) while it reads
        nothing.
    """

    max_window: int = 4 * 1024 * 1024
    max_streams: int = 100_000
    max_unaccepted: int = 256
    max_unacked: int = 256
    max_buffered: int = 256 * 1024 * 1024
    max_frame: int = 65_536
    last_stream_id: int = 2**32 - 2
    max_pings_per_second: int = 100
    max_control: int = 65_536


#: What is safe for a node with thousands of tunnels.
DEFAULT_LIMITS: Final = Limits()
