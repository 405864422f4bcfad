"""
The line of a request in the access log, for people.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from pico.log.escape import printable

#: How a request ended of which there is nothing else to say.
COMPLETE: Final = "complete"


def request_text(
    method: str,
    path: str,
    status: int,
    endpoint: str,
    client: str,
    seconds: float,
    response_bytes: int,
    retries: int,
    ended: str,
    request_id: str,
    request_headers: Mapping[str, list[str]] | None,
    response_headers: Mapping[str, list[str]] | None,
) -> str:
    """
    Write the line, all of it printable; the arguments are those of :class:`pico.log.records.AccessRecord`.
    """
    text = f"{method} {path} {status} {endpoint or '-'} {client or '-'} {tenths(seconds * 1000)}ms {response_bytes}B"
    if retries:
        text += f" retries={retries}"
    if ended != COMPLETE:
        text += f" ({ended})"
    if request_id:
        text += f" id={request_id}"
    if request_headers:
        text += _headers_text("<", request_headers)
    if response_headers:
        text += _headers_text(">", response_headers)
    # Twisted's own observers, such as twistd's, write it as it is.
    return printable(text)


def tenths(value: float) -> str:
    """
    Write a number that is not negative with one digit behind the point.
    """
    whole = int(value * 10 + 0.5)
    return f"{whole // 10}.{whole % 10}"


def _headers_text(sign: str, headers: Mapping[str, list[str]]) -> str:
    return "".join(f" {sign}{name}: {value}" for name, values in headers.items() for value in values)
