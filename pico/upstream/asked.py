"""
What an agent asks for, and what it says of itself, in its upgrade request. Pure.
"""

from __future__ import annotations

from urllib.parse import unquote_to_bytes

from pico.errors import RemoteProtocolError
from pico.names import CAPABILITIES_HEADER, MAX_NAME
from pico.net.http.fields import value_of
from pico.wire.http1.events import RequestHead

PREFIXES = (b"/pico/v1/upstream/", b"/piko/v1/upstream/")

#: How much is kept of what an agent says that it is.
MAX_VERSION = 64


def endpoint_of(head: RequestHead) -> str:
    """
    Read the endpoint from the request's path.

    :raises RemoteProtocolError: 404 for any other path; 400 for a name that is not UTF-8, too long, not printable or
        with a slash in it, which stands between tenant and endpoint where both are shown. Other nodes are told of it,
        so its length in UTF-8 counts.
    """
    path = head.path.partition(b"?")[0]
    for prefix in PREFIXES:
        if path.startswith(prefix):
            name = path[len(prefix) :]
            break
    else:
        raise RemoteProtocolError(404, "not found")
    if not name or b"/" in name:
        raise RemoteProtocolError(404, "not found")
    try:
        endpoint = unquote_to_bytes(name).decode("utf-8")
    except UnicodeDecodeError:
        raise RemoteProtocolError(400, "endpoint id is not UTF-8") from None
    if len(endpoint.encode()) > MAX_NAME:
        raise RemoteProtocolError(400, f"endpoint id is longer than {MAX_NAME} bytes")
    if not endpoint.isprintable() or "/" in endpoint:
        raise RemoteProtocolError(400, "invalid endpoint id")
    return endpoint


def offered_by(head: RequestHead) -> frozenset[str] | None:
    """
    What a Pico agent offers; ``None`` for a program that offers nothing, which gets exactly Piko's bytes.
    """
    offers = [header.value.decode("latin-1") for header in head.headers if header.name == CAPABILITIES_HEADER]
    if not offers:
        return None
    return frozenset(word.strip() for offer in offers for word in offer.split(","))


def version_of(head: RequestHead) -> str:
    """
    What an agent says of itself, as it may go to a terminal.
    """
    value = value_of(head.headers, b"x-pico-version")[:MAX_VERSION].decode("latin-1")
    return "".join(char for char in value if char.isprintable())
