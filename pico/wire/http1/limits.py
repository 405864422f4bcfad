"""
What a message head, a chunk and a trailer section may be.
"""

from __future__ import annotations

from typing import Final

from pico.wire.value import Value


class Limits(Value):
    """
    Caps on what is read, in bytes or counts.

    :ivar start_line: the request line or status line (414 where it is a request's target that is too long).
    :ivar header_bytes: a whole head, from the start line to the empty line (431).
    :ivar headers: header lines in a head (431).
    :ivar chunk_line: a chunk's size with its extensions.
    :ivar trailer_bytes: all trailers together.
    :ivar trailers: trailer lines.
    :ivar interim: 1xx responses before the final one.
    """

    __match_args__ = (
        "start_line",
        "header_bytes",
        "headers",
        "chunk_line",
        "trailer_bytes",
        "trailers",
        "interim",
    )
    __slots__ = __match_args__

    def __init__(
        self,
        start_line: int = 16_384,
        header_bytes: int = 1_048_576,
        headers: int = 256,
        chunk_line: int = 1_024,
        trailer_bytes: int = 16_384,
        trailers: int = 64,
        interim: int = 16,
    ) -> None:
        self.start_line = start_line
        self.header_bytes = header_bytes
        self.headers = headers
        self.chunk_line = chunk_line
        self.trailer_bytes = trailer_bytes
        self.trailers = trailers
        self.interim = interim


#: What is safe for a port that everybody can reach.
DEFAULT_LIMITS: Final = Limits()
