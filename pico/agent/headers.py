"""
Which headers travel between a tunnel's streams and the local service.

What the node said of the client (``X-Forwarded-*``) is passed on as it is; what is Pico's own ends here.
"""

from __future__ import annotations

import enum
from typing import Final

from pico.names import OWN_HEADERS
from pico.net.http.fields import HOP_BY_HOP
from pico.wire.http1.events import RequestHead, ResponseHead
from pico.wire.http1.headers import Fields


class Fate(enum.IntEnum):
    """
    What happens to a header on its way.
    """

    PASS = 0
    DROP = 1
    HOST = 2
    TE = 3


_HOST: Final[Fate] = Fate.HOST
_TE: Final[Fate] = Fate.TE


class _Known:
    """
    What was worked out for a header section that comes again; a cache serves one listener, so ``host`` is the same.
    """

    __slots__ = ("client_host", "lines")

    def __init__(self, client_host: bytes | None, lines: list[bytes]) -> None:
        self.client_host = client_host
        self.lines = lines


def fate_of(name: bytes) -> int:
    """
    The fate of a header by its name in lower case; for :class:`pico.wire.http1.headers.HeaderCache`.
    """
    if name == b"host":
        return Fate.HOST
    if name == b"te":
        return Fate.TE
    if name in HOP_BY_HOP or name.startswith(OWN_HEADERS):
        return Fate.DROP
    return Fate.PASS


def request_lines(head: RequestHead, host: bytes | None) -> list[bytes]:
    """
    The header lines with which a request goes to the service.

    :param host: the Host that the service shall see; ``None`` to leave the client's.
    """
    fields = head.fields
    rest = fields.rest
    if rest is None:
        return _lines(head, fields, host)
    first = fields.headers[0]
    lines = _lines(head, rest, host)
    if head.connection_options and first.name in head.connection_options:
        return lines
    return [first.line, *lines]


def _lines(head: RequestHead, fields: Fields, host: bytes | None) -> list[bytes]:
    known = fields.note
    if isinstance(known, _Known) and known.client_host == head.host:
        return known.lines
    lines: list[bytes] = []
    named = head.connection_options
    for header in fields.headers:
        tag = header.tag
        if named and header.name in named:
            continue
        if not tag:
            lines.append(header.line)
        elif tag == _TE and b"trailers" in header.value.lower():
            lines.append(b"TE: trailers")
    if host is None:
        host = head.host
    if host is not None:
        lines.append(b"Host: " + host)
    fields.note = _Known(head.host, lines)
    return lines


def response_lines(head: ResponseHead) -> list[bytes]:
    """
    The header lines with which a response goes to the node.
    """
    known = head.fields.note
    if isinstance(known, list):
        return known
    named = head.connection_options or ()
    # Host decides about requests alone; here it is a header like any other.
    lines = [h.line for h in head.headers if (not h.tag or h.tag == _HOST) and h.name not in named]
    head.fields.note = lines
    return lines
