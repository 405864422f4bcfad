"""
What a byte stream over a WebSocket reports.
"""

from __future__ import annotations

import attrs

from pico.errors import RemoteProtocolError


@attrs.define
class Bytes:
    """
    Bytes of the stream; where messages began and ended means nothing.
    """

    data: bytes


@attrs.define
class Closed:
    """
    The peer has ended the stream.

    :ivar code: of its Close frame (RFC 6455 section 7.4), 1005 for one without; 1006 when the connection just
        ended, as Piko's does.
    """

    code: int


@attrs.define
class Failed:
    """
    The peer broke the protocol; ``error.code`` is the close code that it is sent.
    """

    error: RemoteProtocolError


Event = Bytes | Closed | Failed
