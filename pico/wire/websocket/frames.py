"""
The layout of a WebSocket frame (RFC 6455 section 5.2), and what stands in a Close frame (section 5.5.1).

::

     byte 0            byte 1            then                           then
    +-+-+-+-+-------+ +-+-------------+ +----------------------------+ +-------------------+ +---------+
    |F|R|R|R| opcode| |M|  length     | | length in 16 bits for 126, | | mask, if M is set | | payload |
    |I|S|S|S|  (4)  | |A|  (7)        | | in 64 bits for 127, else   | | (4 bytes)         | |         |
    |N|V|V|V|       | |S|             | | nothing                    | |                   | |         |
    | |1|2|3|       | |K|             | |                            | |                   | |         |
    +-+-+-+-+-------+ +-+-------------+ +----------------------------+ +-------------------+ +---------+

Big endian. A client masks every frame, a server none.
"""

from __future__ import annotations

import struct
from typing import Final

CONT: Final = 0
TEXT: Final = 1
BINARY: Final = 2
#: From here on they are control frames: in one piece, and short.
CLOSE: Final = 8
PING: Final = 9
PONG: Final = 10

#: Bits of the first byte.
FIN: Final = 0x80
RESERVED: Final = 0x70
OPCODE: Final = 0x0F

#: Bits of the second byte.
MASKED: Final = 0x80
LENGTH: Final = 0x7F

#: What the second byte says of a length that follows; a control frame has none that does.
IN_16_BITS: Final = 126
IN_64_BITS: Final = 127

#: The first bytes of a header, by how the length is written.
_SHORT: Final = struct.Struct("!BB")
_MIDDLE: Final = struct.Struct("!BBH")
_LONG: Final = struct.Struct("!BBQ")

# Close codes, section 7.4.1.
NORMAL: Final = 1000
PROTOCOL_ERROR: Final = 1002
UNSUPPORTED: Final = 1003
NO_STATUS: Final = 1005
ABNORMAL: Final = 1006
INVALID_DATA: Final = 1007
TOO_BIG: Final = 1009

#: Those below 3000 that may stand in a Close frame: of the section, and of the registry that it founded.
_CODES: Final = frozenset({1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014})


def make_header(first: int, length: int, masked: int) -> bytes:
    """
    Make a header, without the mask.

    :param first: the first byte.
    :param masked: :data:`MASKED`, or 0.
    """
    if length < IN_16_BITS:
        return _SHORT.pack(first, masked | length)
    if length < 65_536:
        return _MIDDLE.pack(first, masked | IN_16_BITS, length)
    return _LONG.pack(first, masked | IN_64_BITS, length)


def close_code(payload: bytes) -> int:
    """
    Read the payload of a Close frame.

    :raises ValueError: it must not stand there; the text says why.
    :raises UnicodeDecodeError: the reason is not UTF-8.
    """
    if not payload:
        return NO_STATUS
    if len(payload) < 2:
        raise ValueError("close frame too short")
    payload[2:].decode("utf-8")
    code = int.from_bytes(payload[:2], "big")
    if code not in _CODES and not 3000 <= code < 5000:
        raise ValueError("invalid status code")
    return code
