"""
The upgrade to a WebSocket (RFC 6455 section 4), as heads of :mod:`pico.wire.http1`.

No extension and no subprotocol is offered or accepted: Piko's programs know none.
"""

from __future__ import annotations

import binascii
import hashlib
import hmac
from base64 import b64decode, b64encode
from collections.abc import Sequence
from typing import Final

from pico.errors import RemoteProtocolError
from pico.wire.http1.events import Framing, RequestHead, ResponseHead
from pico.wire.http1.headers import Header

#: The value of Upgrade.
PROTOCOL: Final = b"websocket"

#: Bytes of a key before it is encoded.
KEY_SIZE: Final = 16

_GUID: Final = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_VERSION: Final = b"13"

#: What a refusal with this status must tell besides (RFC 6455 section 4.2.2, RFC 9110 section 15.5).
_REFUSALS: dict[int, list[bytes]] = {
    400: [b"Sec-WebSocket-Version: " + _VERSION],
    405: [b"Allow: GET"],
    426: [b"Upgrade: " + PROTOCOL, b"Sec-WebSocket-Version: " + _VERSION],
}


def make_key(random_bytes: bytes) -> bytes:
    """
    Make the client's Sec-WebSocket-Key.

    :param random_bytes: 16 unpredictable ones.
    """
    return b64encode(random_bytes)


def accept_key(key: bytes) -> bytes:
    """
    Make the server's Sec-WebSocket-Accept for a client's key.
    """
    return b64encode(hashlib.sha1(key + _GUID, usedforsecurity=False).digest())


def request_lines(key: bytes) -> list[bytes]:
    """
    The header lines of the client's request, without Connection and Upgrade.
    """
    return [b"Sec-WebSocket-Key: " + key, b"Sec-WebSocket-Version: " + _VERSION]


def response_lines(key: bytes) -> list[bytes]:
    """
    The header lines of the server's 101, without Connection and Upgrade.
    """
    return [b"Sec-WebSocket-Accept: " + accept_key(key)]


def refusal_lines(status: int) -> list[bytes]:
    """
    The header lines that belong to the answer to a request that :func:`check_request` refused.
    """
    return list(_REFUSALS.get(status, ()))


def check_request(head: RequestHead) -> bytes:
    """
    Check a client's request.

    :return: its key.
    :raises RemoteProtocolError: 405, 426, 403 or 400, with the text to answer; see :func:`refusal_lines`.
    """
    if head.method != b"GET":
        raise RemoteProtocolError(405, "a WebSocket begins with GET")
    if head.upgrade is None or PROTOCOL not in _words(head.upgrade):
        raise RemoteProtocolError(426, "this path is for WebSockets: Connection: Upgrade, Upgrade: websocket")
    if _values(head.headers, b"sec-websocket-version") != [_VERSION]:
        raise RemoteProtocolError(426, "WebSocket version 13 is needed")
    if head.framing is not Framing.NONE:
        # Its bytes would be read as frames.
        raise RemoteProtocolError(400, "a WebSocket's request has no body")
    keys = _values(head.headers, b"sec-websocket-key")
    if len(keys) != 1 or not _is_key(keys[0]):
        raise RemoteProtocolError(400, "malformed Sec-WebSocket-Key")
    host = (head.host or b"").lower()
    for origin in _values(head.headers, b"origin"):
        # A page of another site must not open a tunnel with its visitor's means.
        if not host or origin.partition(b"://")[2].lower() != host:
            raise RemoteProtocolError(403, "origin not allowed")
    return keys[0]


def check_response(head: ResponseHead, key: bytes) -> None:
    """
    Check a server's 101.

    :param key: that was sent.
    :raises RemoteProtocolError: 502, with what is wrong.
    """
    if head.status != 101 or head.upgrade is None or head.upgrade.lower() != PROTOCOL:
        raise RemoteProtocolError(502, "the server did not switch to a WebSocket")
    accepted = _values(head.headers, b"sec-websocket-accept")
    if len(accepted) != 1 or not hmac.compare_digest(accepted[0], accept_key(key)):
        raise RemoteProtocolError(502, "the server's Sec-WebSocket-Accept does not fit")
    if _values(head.headers, b"sec-websocket-extensions") or _values(head.headers, b"sec-websocket-protocol"):
        raise RemoteProtocolError(502, "the server chose an extension or subprotocol that was not offered")


def _values(headers: Sequence[Header], name: bytes) -> list[bytes]:
    return [header.value for header in headers if header.name == name]


def _words(value: bytes) -> list[bytes]:
    return [word.strip(b" \t") for word in value.lower().split(b",")]


def _is_key(value: bytes) -> bool:
    try:
        return len(b64decode(value, validate=True)) == KEY_SIZE
    except binascii.Error:
        return False
