"""
Answers that a gateway makes itself.
"""

from __future__ import annotations

import html
import json
from collections.abc import Sequence
from typing import Final

import attrs

from pico.net.http.request_ids import REQUEST_ID_LINE
from pico.wire.http1.head import REASONS

_JSON: Final = (b"Content-Type: application/json", b"X-Content-Type-Options: nosniff")
_HTML: Final = (
    b"Content-Type: text/html; charset=utf-8",
    b"X-Content-Type-Options: nosniff",
    b"Content-Security-Policy: default-src 'none'; style-src 'unsafe-inline'",
)

_PAGE: Final = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{status} {reason}</title>
<style>body{{font:16px/1.5 system-ui,sans-serif;max-width:36rem;margin:15vh auto;padding:0 1rem;color:#222}}
h1{{font-size:1.4rem}}p{{color:#555}}@media(prefers-color-scheme:dark){{body{{background:#181818;color:#eee}}p{{color:#aaa}}}}
</style></head>
<body><h1>{status} {reason}</h1><p>{error}</p>{detail}{request}</body></html>
"""


@attrs.frozen
class Answer:
    """
    A complete response with its body in memory.

    :ivar lines: header lines without framing and connection headers, each without its CRLF.
    :ivar close: the connection must not be used for another request.
    """

    status: int
    body: bytes = b""
    lines: Sequence[bytes] = ()
    close: bool = False


def error_answer(
    status: int,
    error: str,
    detail: str = "",
    *,
    as_page: bool = False,
    lines: Sequence[bytes] = (),
    close: bool = False,
    request_id: bytes = b"",
) -> Answer:
    """
    Make the one form in which Pico reports an error.

    :param error: what is wrong, in the fixed words that programs may compare.
    :param detail: what to do about it, for people; left out when empty.
    :param as_page: a small readable page for a browser instead of JSON, with the same status.
    :param request_id: plain ASCII, for whoever asks the operators what went wrong; left out when empty.
    """
    named = request_id.decode("ascii")
    if named:
        lines = (REQUEST_ID_LINE + request_id, *lines)
    if as_page:
        body = _PAGE.format(
            status=status,
            reason=html.escape(reason_of(status)),
            error=html.escape(error),
            detail=f"<p>{html.escape(detail)}</p>" if detail else "",
            request=f"<p><small>Request id: {html.escape(named)}</small></p>" if named else "",
        ).encode()
        return Answer(status, body, (*_HTML, *lines), close)
    fields = {"error": error}
    if detail:
        fields["detail"] = detail
    if named:
        fields["request_id"] = named
    body = json.dumps(fields, separators=(",", ":")).encode() + b"\n"
    return Answer(status, body, (*_JSON, *lines), close)


def reason_of(status: int) -> str:
    """
    The reason phrase that belongs to a status (RFC 9110 section 15).
    """
    return REASONS.get(status, b"Unknown").decode()
