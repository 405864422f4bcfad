"""
Which headers travel from a client to a service and back.

Every header name has one fate, found once and kept with the cached header line (``Header.tag``). Sources: RFC 9110
section 7.6.1 (hop by hop), RFC 7239 and the de facto ``X-Forwarded-*`` headers.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence
from typing import Final

from pico.names import OWN_HEADERS
from pico.net.http.fields import HOP_BY_HOP
from pico.net.http.request_ids import REQUEST_ID
from pico.wire.http1.events import RequestHead
from pico.wire.http1.headers import Header


class Fate(enum.IntEnum):
    """
    What happens to a header on its way.
    """

    #: Travels as it is.
    PASS = 0
    #: Belongs to one connection, or to Pico, and ends here.
    DROP = 1
    #: Names the endpoint, and ends here.
    ENDPOINT = 2
    #: Says where a request comes from; travels only from a trusted proxy.
    FORWARDED = 3
    #: Replaced when the request line names the host.
    HOST = 4
    #: Only ``trailers`` travels.
    TE = 5
    #: Of a request: replaced by the id that the request has here.
    REQUEST_ID = 6


_FORWARDED: Final[Fate] = Fate.FORWARDED
_TE: Final[Fate] = Fate.TE

_FATES: Final = {
    **dict.fromkeys(HOP_BY_HOP, Fate.DROP),
    b"te": Fate.TE,
    b"host": Fate.HOST,
    b"x-pico-endpoint": Fate.ENDPOINT,
    b"x-piko-endpoint": Fate.ENDPOINT,
    b"forwarded": Fate.FORWARDED,
    b"x-forwarded-for": Fate.FORWARDED,
    b"x-forwarded-host": Fate.FORWARDED,
    b"x-forwarded-proto": Fate.FORWARDED,
    b"x-forwarded-port": Fate.FORWARDED,
    b"x-real-ip": Fate.FORWARDED,
    REQUEST_ID: Fate.REQUEST_ID,
}


def fate_of(name: bytes) -> int:
    """
    The fate of a header by its name in lower case; for :class:`pico.wire.http1.headers.HeaderCache`.
    """
    fate = _FATES.get(name)
    if fate is not None:
        return fate
    if name.startswith(OWN_HEADERS):
        return Fate.DROP
    return Fate.PASS


def request_lines(head: RequestHead, *, peer: str, secure: bool, trusted: bool, endpoint: str = "") -> list[bytes]:
    """
    The header lines with which a client's request goes on, without its id.

    :param peer: the client's address.
    :param secure: whether the client speaks TLS with this port.
    :param endpoint: stands in for the host where a client of HTTP/1.0 names none, for every service needs one.
    :param trusted: whether what the client says of whom it speaks for is believed.
    """
    lines: list[bytes] = []
    forwarded: list[Header] | None = None
    named = head.connection_options
    for header in head.headers:
        tag = header.tag
        if named and header.name in named:
            continue
        if not tag:
            lines.append(header.line)
        elif tag == _FORWARDED:
            if trusted:
                if forwarded is None:
                    forwarded = []
                forwarded.append(header)
        elif tag == _TE and b"trailers" in header.value.lower():
            lines.append(b"TE: trailers")
    host = head.host or endpoint.encode("ascii", "ignore")
    if host:
        lines.append(b"Host: " + host)
    address = peer.encode("ascii", "replace")
    if forwarded is None:
        lines.append(b"X-Forwarded-For: " + address)
        if host:
            lines.append(b"X-Forwarded-Host: " + host)
        lines.append(b"X-Forwarded-Proto: https" if secure else b"X-Forwarded-Proto: http")
        return lines
    return _with_forwarded(lines, forwarded, address, host, secure)


def _with_forwarded(
    lines: list[bytes], forwarded: Sequence[Header], address: bytes, host: bytes, secure: bool
) -> list[bytes]:
    """
    Add to what a trusted proxy said; say what it did not.
    """
    chain = b", ".join([*(h.value for h in forwarded if h.name == b"x-forwarded-for"), address])
    lines.append(b"X-Forwarded-For: " + chain)
    seen = set()
    for header in forwarded:
        if header.name != b"x-forwarded-for":
            seen.add(header.name)
            lines.append(header.line)
    if b"x-forwarded-host" not in seen and host:
        lines.append(b"X-Forwarded-Host: " + host)
    if b"x-forwarded-proto" not in seen:
        lines.append(b"X-Forwarded-Proto: https" if secure else b"X-Forwarded-Proto: http")
    return lines
