"""
The id of a request, by which its traces are found in the logs of everybody that it passes.

It travels in the header ``X-Request-Id``. A client, or a proxy in front, may have given one; it is kept if nothing
can be done with it but to compare it. Else one is made up: 128 random bits, from a generator that is fast and whose
numbers can be foreseen, for an id is no secret.
"""

from __future__ import annotations

import random
import re

from pico.wire.http1.events import RequestHead

#: The header's name in lower case.
REQUEST_ID = b"x-request-id"

#: How its line begins. It is the first line of a section that goes on, so that the rest can be recognised; see
#: :class:`pico.wire.http1.headers.HeaderCache`.
REQUEST_ID_LINE = b"X-Request-Id: "

_SANE = re.compile(rb"[0-9A-Za-z._~:+/=@-]{1,128}")


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
    return found if found is not None and _SANE.fullmatch(found) is not None else b""


def make_id(chooser: random.Random) -> bytes:
    """
    Make an id up.
    """
    return b"%032x" % chooser.getrandbits(128)
