"""
Header fields that end at a gateway (RFC 9110 section 7.6.1).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Final

from pico.wire.http1.headers import Header

_WEIGHT_OF_NOTHING: Final = re.compile(rb"q=0(\.0{0,3})?")

#: Fields that speak of one connection, and those that the cores write themselves.
HOP_BY_HOP: Final = frozenset(
    {
        b"connection",
        b"content-length",
        b"http2-settings",
        b"keep-alive",
        b"proxy-authenticate",
        b"proxy-authorization",
        b"proxy-connection",
        b"transfer-encoding",
        b"upgrade",
    }
)


def value_of(headers: Sequence[Header], name: bytes) -> bytes:
    """
    The value of the first header of a name given in lower case; nothing when there is none.
    """
    for header in headers:
        if header.name == name:
            return header.value
    return b""


def reader_of(headers: Sequence[Header]) -> Callable[[bytes], bytes]:
    """
    A function that looks headers up by name, for those who need not know what a header is made of.
    """
    return lambda name: value_of(headers, name)


def wants_page(headers: Sequence[Header]) -> bool:
    """
    Whether the client is a browser that shows what it gets: its Accept names text/html, and not to exclude it with a
    weight of nothing (RFC 9110 section 12.4.2).
    """
    for accepted in value_of(headers, b"accept").lower().split(b","):
        media_type, *parameters = accepted.split(b";")
        if media_type.strip() == b"text/html":
            return not any(_WEIGHT_OF_NOTHING.fullmatch(parameter.strip()) for parameter in parameters)
    return False
