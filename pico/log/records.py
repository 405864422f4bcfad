"""
What the access log says of one request.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import msgspec

from pico.log.text import request_text


class AccessRecord(msgspec.Struct, omit_defaults=True, gc=False, kw_only=True):
    """
    A request that is over. As JSON it has these names, without those that have nothing to say; as text it is a line.

    Nothing in it is a secret any more: whoever makes it has taken those out.

    :ivar client: who asked, as far as that is known.
    :ivar path: with its query; at an agent as the node sent it on.
    :ivar tunnel: the address that the tunnel's agent dialled from.
    :ivar service: where an agent sent it.
    :ivar node: the node that was asked.
    :ivar request_bytes: of the body, as are ``response_bytes``.
    :ivar head_seconds: from the request's head to the response's.
    :ivar seconds: from the request's head to the end.
    :ivar retries: how many upstreams it was sent to besides the first.
    :ivar ended: ``complete``, or why there was no whole answer.
    """

    client: str
    method: str
    path: str
    status: int
    endpoint: str = ""
    tunnel: str = ""
    service: str = ""
    node: str = ""
    request_bytes: int
    response_bytes: int
    head_seconds: float | None = None
    seconds: float
    retries: int
    ended: str
    request_id: str = ""
    request_headers: Mapping[str, list[str]] | None = None
    response_headers: Mapping[str, list[str]] | None = None

    def __str__(self) -> str:
        return request_text(
            self.method,
            self.path,
            self.status,
            self.endpoint,
            self.client,
            self.seconds,
            self.response_bytes,
            self.retries,
            self.ended,
            self.request_id,
            self.request_headers,
            self.response_headers,
        )


class Recordable(Protocol):
    """
    What an event of the access log holds: a request of which a record can be made. As text it is what that record
    would be.
    """

    def record(self) -> AccessRecord: ...
