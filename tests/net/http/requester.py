"""
Who has requests carried, in tests that look at what carries them.
"""

from __future__ import annotations

from collections.abc import Sequence

from pico.net.http.client import HTTPClientProtocol
from pico.net.http.gateway import FailureKind, Requester
from pico.wire.http1.events import RequestHead, ResponseHead
from pico.wire.http1.headers import Header
from tests.heads import request_head

#: What it asks for if nobody says otherwise.
PLAIN = request_head(b"GET / HTTP/1.1\r\nHost: e\r\n\r\n")


class QuietRequester(Requester):
    """
    Hears everything and does nothing; tests add what they look at.

    :ivar client: the connection that it has got.
    """

    def __init__(self, head: RequestHead = PLAIN, *, peer_host: str = "192.0.2.9", request_id: bytes = b"") -> None:
        self.client: HTTPClientProtocol | None = None
        self.head = head
        self.peer_host = peer_host
        self.request_id = request_id
        self.sends = 1

    def connected(self, client: HTTPClientProtocol) -> None:
        """
        Keep the connection.
        """
        self.client = client

    def unreachable(self, kind: FailureKind) -> None:
        """
        Nothing to do.
        """

    def response_head(self, head: ResponseHead) -> None:
        """
        Nothing to do.
        """

    def response_data(self, data: bytes) -> None:
        """
        Nothing to do.
        """

    def response_end(self, trailers: Sequence[Header]) -> None:
        """
        Nothing to do.
        """

    def response_failed(self, kind: FailureKind, unprocessed: bool) -> None:
        """
        Nothing to do.
        """

    def flush_response(self) -> None:
        """
        Nothing to do.
        """

    def pause_request(self) -> None:
        """
        Nothing to do.
        """

    def resume_request(self) -> None:
        """
        Nothing to do.
        """
