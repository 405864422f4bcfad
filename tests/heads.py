"""
Parsed heads for tests, made by the real parser.
"""

from __future__ import annotations

from collections.abc import Callable

from pico.wire.http1.client import ClientConnection
from pico.wire.http1.events import RequestHead, ResponseHead
from pico.wire.http1.headers import HeaderCache
from pico.wire.http1.server import ServerConnection


def request_head(data: bytes, tag_of: Callable[[bytes], int] | None = None) -> RequestHead:
    """
    Parse a request's head.
    """
    cache = HeaderCache(tag_of) if tag_of is not None else HeaderCache()
    event = ServerConnection(cache).receive_data(data)[0]
    assert isinstance(event, RequestHead), event
    return event


def response_head(data: bytes, tag_of: Callable[[bytes], int] | None = None) -> ResponseHead:
    """
    Parse a response's head, as the answer to a GET.
    """
    cache = HeaderCache(tag_of) if tag_of is not None else HeaderCache()
    connection = ClientConnection(cache)
    connection.send_request(b"GET", b"/", [b"Host: a"])
    connection.send_end()
    event = connection.receive_data(data)[0]
    assert isinstance(event, ResponseHead), event
    return event
