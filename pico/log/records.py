"""
What the access log says of one request.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import msgspec

from pico.log.escape import printable


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
        text = (
            f"{self.method} {self.path} {self.status} {self.endpoint or '-'} {self.client or '-'}"
            f" {self.seconds * 1000:.1f}ms {self.response_bytes}B"
        )
        if self.retries:
            text += f" retries={self.retries}"
        if self.ended != COMPLETE:
            text += f" ({self.ended})"
        if self.request_id:
            text += f" id={self.request_id}"
        if self.request_headers:
            text += _headers_text("<", self.request_headers)
        if self.response_headers:
            text += _headers_text(">", self.response_headers)
        # Twisted's own observers, such as twistd's, write it as it is.
        return printable(text)


#: How a request ended of which there is nothing else to say.
COMPLETE = "complete"


def _headers_text(sign: str, headers: Mapping[str, list[str]]) -> str:
    return "".join(f" {sign}{name}: {value}" for name, values in headers.items() for value in values)


class Recordable(Protocol):
    """
    What an event of the access log holds: a request of which a record can be made. As text it is that record's.
    """

    def record(self) -> AccessRecord: ...
