"""
The layout of a yamux frame (yamux spec, "Framing").

::

     0        1        2                 4                                 8                                12
    +--------+--------+-----------------+---------------------------------+---------------------------------+
    | version| type   | flags           | stream id                       | length                          |
    +--------+--------+-----------------+---------------------------------+---------------------------------+

Big endian. ``length`` counts the payload that follows a DATA frame, is the credit in a WINDOW frame, an
opaque value in a PING and the code in a GOAWAY; only DATA frames have a payload.

The version is always 0, so version and type are read as one 16-bit number here: what is greater than
:data:`GO_AWAY` has another version or an unknown type.
"""

from __future__ import annotations

import enum
import struct
from typing import Final

#: Version and type, flags, stream id, length.
HEADER: Final = struct.Struct("!HHII")
HEADER_SIZE: Final = HEADER.size

DATA: Final = 0
WINDOW: Final = 1
PING: Final = 2
GO_AWAY: Final = 3

SYN: Final = 1
ACK: Final = 2
FIN: Final = 4
RST: Final = 8

#: What either side may send on a new stream before it has heard anything of it.
INITIAL_WINDOW: Final = 262_144


class GoAwayCode(enum.IntEnum):
    """
    Why a session takes no more streams.
    """

    NORMAL = 0
    PROTOCOL_ERROR = 1
    INTERNAL_ERROR = 2
