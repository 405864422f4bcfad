"""
The id of a request, by which its traces are found in the logs of everybody that it passes.

It travels in the header ``X-Request-Id``. A client, or a proxy in front, may have given one; it is kept if nothing
can be done with it but to compare it. Else one is made up: 64 random bits that tell processes apart, then a number.
Ids can be foreseen, for an id is no secret.
"""

from __future__ import annotations

import random
import re
from typing import Final

from pico.wire.http1.events import RequestHead

#: The header's name in lower case.
REQUEST_ID: Final = b"x-request-id"

#: How its line begins. It is the first line of a section that goes on, so that the rest can be recognised; see
#: :class:`pico.wire.http1.headers.HeaderCache`.
REQUEST_ID_LINE: Final = b"X-Request-Id: "

#: Bytes of an id that came with a request, at most.
_MAX_ID: Final = 128

_SANE: Final = re.compile(rb"[0-9A-Za-z._~:+/=@-]{1,128}")

#: How ids end: two digits, so that the rest is written down once for 256 of them.
_LAST: Final = [b"%02x" % number for number in range(256)]


def received_id(head: RequestHead) -> bytes:
    """
    The id that a request came with; nothing if it has none, has several, or one that is too long or made of more than
    ASCII letters, digits and ``._~:+/=@-``.
    """
    found: bytes | None = None
    for header in head.headers:
        if header.name == REQUEST_ID:
            if found is not None:
                return b""
            found = header.value
    if found is None:
        return b""
    if found.isalnum() and len(found) <= _MAX_ID:
        return found
    return found if _SANE.fullmatch(found) is not None else b""


class RequestIds:
    """
    Makes up ids: 32 digits of base 16.
    """

    __slots__ = ("_begin", "_beginning", "_number")

    def __init__(self, chooser: random.Random) -> None:
        """
        :param chooser: gives what tells this process from all others; is asked once.
        """
        self._begin = b"%016x" % chooser.getrandbits(64)
        self._number = 0
        self._beginning = b""

    def make(self) -> bytes:
        """
        Make an id that nobody has had.
        """
        number = self._number
        self._number = number + 1
        last = number & 255
        if not last:
            self._beginning = b"%b%014x" % (self._begin, number >> 8)
        return self._beginning + _LAST[last]
