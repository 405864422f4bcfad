"""
Heads of messages: from lines to what they mean.

Everything here is a pure function of a complete head; RFC 9112 sections 2 to 7 and 9.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from pico.errors import RemoteProtocolError
from pico.wire.http1.events import Framing, RequestHead, ResponseHead
from pico.wire.http1.headers import Header, HeaderCache, is_authority
from pico.wire.http1.limits import Limits

_REQUEST_LINE: Final = re.compile(rb"([!#$%&'*+\-.^_`|~0-9A-Za-z]+) ([\x21\x22\x24-\x7e]+) HTTP/(\d)\.(\d)")
_STATUS_LINE: Final = re.compile(rb"HTTP/(\d)\.(\d) ([1-9]\d\d)(?: ([^\x00-\x08\x0a-\x1f\x7f]*))?")
_ABSOLUTE: Final = re.compile(rb"https?://([^/?]+)(.*)", re.IGNORECASE)
#: Digits of a Content-Length at most.
_MAX_DIGITS: Final = 19
_TOKEN: Final = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")

#: The methods of nearly all requests, and what a target is made of.
_METHODS: Final = frozenset({b"GET", b"HEAD", b"POST", b"PUT", b"DELETE", b"OPTIONS", b"PATCH"})
_TARGET_BYTES: Final = bytes({*range(0x21, 0x7F)} - {0x23})

#: What a request can begin with (RFC 9110 section 5.6.2).
METHOD_BYTES: Final = frozenset(b"!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")

#: Words of Connection that are not names of headers to take away.
_USUAL: Final = frozenset({b"close", b"keep-alive", b"upgrade", b"te"})

_NONE: Final[Framing] = Framing.NONE
_LENGTH: Final[Framing] = Framing.LENGTH
_CHUNKED: Final[Framing] = Framing.CHUNKED
_EOF: Final[Framing] = Framing.EOF

REASONS: dict[int, bytes] = {
    100: b"Continue",
    101: b"Switching Protocols",
    103: b"Early Hints",
    200: b"OK",
    201: b"Created",
    202: b"Accepted",
    204: b"No Content",
    206: b"Partial Content",
    301: b"Moved Permanently",
    302: b"Found",
    303: b"See Other",
    304: b"Not Modified",
    307: b"Temporary Redirect",
    308: b"Permanent Redirect",
    400: b"Bad Request",
    401: b"Unauthorized",
    403: b"Forbidden",
    404: b"Not Found",
    405: b"Method Not Allowed",
    408: b"Request Timeout",
    411: b"Length Required",
    413: b"Content Too Large",
    414: b"URI Too Long",
    417: b"Expectation Failed",
    426: b"Upgrade Required",
    429: b"Too Many Requests",
    431: b"Request Header Fields Too Large",
    500: b"Internal Server Error",
    501: b"Not Implemented",
    502: b"Bad Gateway",
    503: b"Service Unavailable",
    504: b"Gateway Timeout",
    505: b"HTTP Version Not Supported",
}


def parse_request(head: bytes, cache: HeaderCache, limits: Limits) -> RequestHead:
    """
    Read a request's head.

    :param head: the request line and the header lines, with CRLF between them.
    :raises RemoteProtocolError: with the status to answer.
    """
    line, _, section = head.partition(b"\r\n")
    if len(line) > limits.start_line:
        raise RemoteProtocolError(414, "request line too long")
    method, target, version = _request_line(line)
    if len(section) >= 2 * limits.headers and section.count(b"\r\n") >= limits.headers:
        raise RemoteProtocolError(431, "too many headers")
    fields = cache.fields(section)
    host = fields.host
    if host is None:
        if fields.host_fault:
            raise RemoteProtocolError(400, fields.host_fault)
        if version == 11:
            raise RemoteProtocolError(400, "missing Host header")
    path = target
    if target[0] != 0x2F:
        path, host = _other_form(method, target, host)
    framing = _NONE
    content_length = 0
    if fields.coding is not None:
        _check_coding(fields.coding, fields.length, version, 400)
        framing = _CHUNKED
    elif fields.length is not None:
        content_length = fields.length_read
        if content_length < 0:
            content_length = fields.length_read = _content_length(fields.length, 400)
        if content_length:
            framing = _LENGTH
    keep_alive = version == 11
    upgrade: bytes | None = None
    options: frozenset[bytes] | None = None
    words = fields.words
    if words is not None:
        keep_alive = b"close" not in words and (version == 11 or b"keep-alive" in words)
        if version == 11 and b"upgrade" in words:
            upgrade = fields.upgrade
        options = words - _USUAL or None
    expect_continue = False
    if fields.expect is not None:
        if fields.expect.lower() != b"100-continue":
            raise RemoteProtocolError(417, "unknown expectation")
        expect_continue = version == 11 and framing is not _NONE
    return RequestHead(
        method,
        target,
        path,
        version,
        fields.headers,
        framing,
        content_length,
        keep_alive,
        expect_continue,
        upgrade,
        host,
        options,
        fields,
    )


def _request_line(line: bytes) -> tuple[bytes, bytes, int]:
    """
    Read a request line.

    :return: method, target and version.
    """
    # What nearly all lines are is seen without looking at each byte by itself.
    words = line.split(b" ")
    if len(words) == 3 and words[2] == b"HTTP/1.1" and words[0] in _METHODS:
        target = words[1]
        if target and not target.translate(None, _TARGET_BYTES):
            return words[0], target, 11
    match = _REQUEST_LINE.fullmatch(line)
    if match is None:
        raise RemoteProtocolError(400, "malformed request line")
    method, target, major, minor = match.groups()
    if major != b"1":
        raise RemoteProtocolError(505, "HTTP version not supported")
    return method, target, 10 if minor == b"0" else 11


def _other_form(method: bytes, target: bytes, host: bytes | None) -> tuple[bytes, bytes | None]:
    """
    Read a target that is not a path (RFC 9112 section 3.2).

    :return: what it comes down to, and the host.
    """
    if method == b"CONNECT":
        if b":" not in target or not is_authority(target):
            raise RemoteProtocolError(400, "malformed target of CONNECT")
        return target, host
    if target == b"*":
        if method != b"OPTIONS":
            raise RemoteProtocolError(400, "malformed request target")
        return target, host
    match = _ABSOLUTE.fullmatch(target)
    if match is None:
        raise RemoteProtocolError(400, "malformed request target")
    authority, path = match.groups()
    if not is_authority(authority) or authority.startswith(b":"):
        raise RemoteProtocolError(400, "malformed request target")
    if not path:
        path = b"*" if method == b"OPTIONS" else b"/"
    elif path[0] == 0x3F:
        path = b"/" + path
    # RFC 9112 section 3.2.2: the target's authority replaces the Host header.
    return path, authority


def parse_response(head: bytes, cache: HeaderCache, limits: Limits, method: bytes, upgrade_asked: bool) -> ResponseHead:
    """
    Read a response's head.

    :param head: the status line and the header lines, with CRLF between them.
    :param method: of the request that it answers, which decides whether there is a body.
    :param upgrade_asked: whether a 101 may come.
    :raises RemoteProtocolError: with what is wrong; the code means nothing here.
    """
    line, _, section = head.partition(b"\r\n")
    version, status, reason = _USUAL_STATUS.get(line) or _status(line, limits)
    if len(section) >= 2 * limits.headers and section.count(b"\r\n") >= limits.headers:
        raise RemoteProtocolError(502, "too many headers")
    fields = cache.fields(section)
    content_length = 0
    if fields.coding is not None:
        _check_coding(fields.coding, fields.length, version, 502)
    elif fields.length is not None:
        content_length = fields.length_read
        if content_length < 0:
            content_length = fields.length_read = _content_length(fields.length, 502)
    if status < 200 or status == 204 or status == 304 or method == b"HEAD":
        if fields.coding is not None and (status < 200 or status == 204):
            raise RemoteProtocolError(502, "Transfer-Encoding in a response that has no body")
        framing = _NONE
        content_length = 0
    elif fields.coding is not None:
        framing = _CHUNKED
    elif fields.length is not None:
        framing = _LENGTH
    else:
        framing = _EOF
    keep_alive = version == 11
    upgrade: bytes | None = None
    options: frozenset[bytes] | None = None
    words = fields.words
    if words is not None:
        keep_alive = b"close" not in words and (version == 11 or b"keep-alive" in words)
        if status == 101 and b"upgrade" in words:
            upgrade = fields.upgrade
        options = words - _USUAL or None
    if status == 101 and (not upgrade_asked or upgrade is None):
        raise RemoteProtocolError(502, "101 without an upgrade that was asked for")
    if framing is _EOF:
        keep_alive = False
    return ResponseHead(
        status, reason, version, fields.headers, framing, content_length, keep_alive, upgrade, options, fields
    )


def _status(line: bytes, limits: Limits) -> tuple[int, int, bytes]:
    """
    Read a status line.

    :return: version, status and reason.
    """
    match = _STATUS_LINE.fullmatch(line) if len(line) <= limits.start_line else None
    if match is None:
        raise RemoteProtocolError(502, "malformed status line")
    major, minor, code, reason = match.groups()
    if major != b"1":
        raise RemoteProtocolError(502, "HTTP version not supported")
    return (10 if minor == b"0" else 11), int(code), reason or b""


#: The status lines of nearly all responses, read already.
_USUAL_STATUS: Final = {
    b"HTTP/1.1 %d %b" % (status, reason): (11, status, reason) for status, reason in REASONS.items()
}


def parse_trailers(lines: Sequence[bytes], cache: HeaderCache, status: int) -> list[Header]:
    """
    Read the trailers behind a chunked body.

    :raises RemoteProtocolError: ``status``, also for a field that must not stand there (RFC 9110 section 6.5.1).
    """
    trailers = []
    for line in lines:
        try:
            header = cache.header(line)
        except RemoteProtocolError as error:
            raise RemoteProtocolError(status, error.reason) from None
        if header.role or header.name in _NO_TRAILER:
            raise RemoteProtocolError(status, f"{header.name.decode()} is not allowed as a trailer")
        trailers.append(header)
    return trailers


_NO_TRAILER: Final = frozenset(
    {
        b"authorization",
        b"cache-control",
        b"content-encoding",
        b"content-range",
        b"content-type",
        b"cookie",
        b"keep-alive",
        b"max-forwards",
        b"proxy-authorization",
        b"set-cookie",
        b"te",
        b"trailer",
    }
)


def _content_length(value: bytes, status: int) -> int:
    if not value.isdigit() or len(value) > _MAX_DIGITS:
        raise RemoteProtocolError(status, "malformed Content-Length")
    return int(value)


def _check_coding(coding: bytes, length: bytes | None, version: int, status: int) -> None:
    """
    Allow chunked alone (RFC 9112 sections 6.1 and 11.2).
    """
    if length is not None:
        raise RemoteProtocolError(status, "Transfer-Encoding beside Content-Length")
    if version == 10:
        raise RemoteProtocolError(status, "Transfer-Encoding in HTTP/1.0")
    name = coding.lower()
    if name == b"chunked":
        return
    if status == 400 and _TOKEN.fullmatch(name) is not None and name != b"identity":
        raise RemoteProtocolError(501, "unknown transfer coding")
    raise RemoteProtocolError(status, "malformed Transfer-Encoding")


def fault_in_part(data: bytes, start: int) -> tuple[int, str] | None:
    """
    Look for the first line ending that is not CRLF.

    :param start: where to begin; what is before it has been looked at.
    :return: the byte that shows it, and what is wrong; or nothing.
    """
    bare_lf = data.find(b"\n", start)
    while bare_lf > 0 and data[bare_lf - 1] == 0x0D:
        bare_lf = data.find(b"\n", bare_lf + 1)
    position = data.find(b"\r", max(0, start - 1), None if bare_lf < 0 else bare_lf)
    while 0 <= position < len(data) - 1:
        if data[position + 1] != 0x0A:
            return position + 1, "CR without LF"
        position = data.find(b"\r", position + 1, None if bare_lf < 0 else bare_lf)
    return None if bare_lf < 0 else (bare_lf, "line not ended by CRLF")
