"""
Beside h11 and httptools: what all three read means the same, and where one of them refuses, the reason is written down.

"section" without more is one of RFC 9112.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import attrs
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from tests.wire.http1.oracles import (
    Message,
    Refused,
    failure,
    fetch,
    requests,
    requests_h11,
    requests_httptools,
    responses,
    responses_h11,
    responses_httptools,
    serve,
)

GET = b"GET / HTTP/1.1"
POST = b"POST / HTTP/1.1"
HOST = b"Host: a"
CHUNKED = b"Transfer-Encoding: chunked"
OK = b"HTTP/1.1 200 OK"
TWO = b"Content-Length: 2"


def head(*lines: bytes) -> bytes:
    """
    Lines with what ends them, and the empty one.
    """
    return b"\r\n".join([*lines, b"", b""])


def chunks(body: bytes) -> bytes:
    """
    A request whose body is in chunks, these.
    """
    return head(POST, HOST, CHUNKED) + body


def ways_to_cut(data: bytes) -> Iterator[list[bytes]]:
    """
    Bytes whole, one by one, and in two at every place.
    """
    yield [data]
    yield [data[n : n + 1] for n in range(len(data))]
    for cut in range(1, len(data)):
        yield [data[:cut], data[cut:]]


def read(parse: Callable[[], list[Message]]) -> list[Message] | None:
    """
    What a parser reads, or nothing if it refuses.
    """
    try:
        return parse()
    except Refused:
        return None


@attrs.frozen
class Differs:
    """
    Bytes that not all take.

    :ivar status: ours; 0 if we take them.
    :ivar h11: whether h11 takes them.
    :ivar httptools: whether httptools does.
    :ivar reason: for what we do.
    """

    data: bytes
    status: int
    h11: bool
    httptools: bool
    reason: str


#: All three take these, and read the same.
REQUESTS: list[bytes] = [
    head(GET, HOST),
    head(b"M-SEARCH / HTTP/1.1", HOST),
    head(b"QUERY /a/b;c=d?e=f&g HTTP/1.1", HOST),
    head(b'GET /"<>\\^`{|} HTTP/1.1', HOST),
    head(b"GET http://b/x?y HTTP/1.1", HOST),
    head(b"GET http://b HTTP/1.1", HOST),
    head(b"GET HTTPS://b?y HTTP/1.1", HOST),
    head(b"OPTIONS * HTTP/1.1", HOST),
    head(b"CONNECT a:80 HTTP/1.1", HOST),
    head(b"GET / HTTP/1.0"),
    head(b"GET / HTTP/1.0", HOST),
    head(GET, b"Host:"),
    head(GET, b"Host: [::1]:80"),
    head(GET, b"hOST:a"),
    head(GET, HOST, b"A: b", b"a: c", b"A:", b"A:\t d \t", b"B: c\td  e"),
    head(GET, HOST, b"A: \x80\xe9\xff", b"!#$%&'*+-.^_`|~: x"),
    head(GET, HOST, b"Connection: close, x"),
    head(GET, HOST, b"Connection: keep-alive, close"),
    head(GET, HOST, b"Connection:"),
    head(GET, HOST, b"Connection: ,,"),
    head(GET, HOST, b"Upgrade: websocket"),
    head(GET, HOST, b"Connection: Upgrade", b"Upgrade: websocket"),
    head(POST, HOST, b"Content-Length: 3") + b"abc",
    head(POST, HOST, b"Content-Length: 003") + b"abc",
    head(POST, HOST, b"Content-Length: 3 ") + b"\r\n\0",
    head(POST, HOST, b"Content-Length: 0"),
    head(POST, HOST),
    head(POST, HOST, b"Transfer_Encoding: chunked", b"Content_Length: 3"),
    head(POST, HOST, b"Expect: 100-continue", TWO) + b"ab",
    head(GET, HOST, TWO) + b"ab",
    head(b"GET / HTTP/1.1", HOST, CHUNKED) + b"0\r\n\r\n",
    head(POST, HOST, b"transfer-encoding:CHUNKED") + b"0\r\n\r\n",
    chunks(b"5\r\nhello\r\n1\r\n!\r\n0\r\n\r\n"),
    chunks(b"5;a=b\r\nhello\r\n0;c\r\n\r\n"),
    chunks(b'5;a="b;c"\r\nhello\r\n0\r\n\r\n'),
    chunks(b"0005\r\nhello\r\n000\r\n\r\n"),
    chunks(b"A\r\n0123456789\r\na\r\n0123456789\r\n0\r\n\r\n"),
    chunks(b"0\r\nX: y\r\nZ:  w \r\n\r\n"),
    chunks(b"2\r\n\r\n\r\n0\r\n\r\n"),
    head(GET, HOST) + head(b"GET /2 HTTP/1.1", HOST),
    head(POST, HOST, TWO) + b"ab" + chunks(b"1\r\nc\r\n0\r\n\r\n") + head(GET, HOST),
]

REQUEST_DIFFERENCES: list[Differs] = [
    # Where one message ends and the next begins.
    Differs(head(POST, HOST, TWO, TWO) + b"ab", 400, True, False, "section 6.3: two lengths, though equal"),
    Differs(head(POST, HOST, b"Content-Length: 2, 2") + b"ab", 400, True, False, "section 6.3: two lengths in one"),
    Differs(
        head(POST, HOST, b"Content-Length: " + b"0" * 19 + b"2") + b"ab",
        400,
        True,
        True,
        "a length has up to 19 digits",
    ),
    Differs(
        head(POST, HOST, b"Content-Length: 5", CHUNKED) + b"0\r\n\r\n", 400, True, False, "section 6.1: both framings"
    ),
    Differs(
        head(POST, HOST, CHUNKED, b"Content-Length: 5") + b"0\r\n\r\n", 400, True, False, "section 6.1: both framings"
    ),
    Differs(head(b"POST / HTTP/1.0", CHUNKED) + b"0\r\n\r\n", 400, True, True, "section 6.1: 1.0 knows no chunks"),
    Differs(
        head(POST, HOST, b"Transfer-Encoding: gzip, chunked") + b"0\r\n\r\n",
        400,
        False,
        True,
        "section 6.1: nobody would undo the gzip",
    ),
    Differs(
        head(POST, HOST, b"Transfer-Encoding: identity, chunked") + b"0\r\n\r\n",
        400,
        False,
        True,
        "section 7: identity is no coding any more",
    ),
    Differs(chunks(b"5 \r\nhello\r\n0\r\n\r\n"), 400, True, False, "section 7.1.1: white space before an extension"),
    Differs(chunks(b"5\t;a\r\nhello\r\n0\r\n\r\n"), 0, False, False, "section 7.1.1: white space before an extension"),
    Differs(chunks(b"5 ; a = b\r\nhello\r\n0\r\n\r\n"), 0, False, False, "section 7.1.1: white space in an extension"),
    Differs(chunks(b'5;a="\xe9"\r\nhello\r\n0\r\n\r\n'), 0, True, True, "section 7.1.1: obs-text in a quoted string"),
    Differs(chunks(b"5;\xe9\r\nhello\r\n0\r\n\r\n"), 0, True, False, "nobody reads extensions"),
    Differs(chunks(b"5;\x01\r\nhello\r\n0\r\n\r\n"), 400, True, False, "section 7.1.1: a control character"),
    Differs(chunks(b"5;a\rb\r\nhello\r\n0\r\n\r\n"), 400, True, False, "section 2.2: a bare CR"),
    Differs(chunks(b"0" * 15 + b"5\r\nhello\r\n0\r\n\r\n"), 400, True, True, "a chunk's size has up to 15 digits"),
    Differs(chunks(b"5\r\nhello\r\n0\r\n\n"), 400, True, False, "section 7.1: the end is CRLF"),
    Differs(chunks(b"0\r\nX: y\nZ: w\r\n\r\n"), 400, True, False, "section 7.1.2: a bare LF in the trailers"),
    Differs(chunks(b"0\r\nX: y\r\n z\r\n\r\n"), 400, True, False, "section 5.2: a folded trailer"),
    Differs(chunks(b"0\r\nContent-Length: 5\r\n\r\n"), 400, True, False, "RFC 9110 section 6.5.1: framing in trailers"),
    Differs(chunks(b"0\r\nHost: b\r\n\r\n"), 400, True, True, "RFC 9110 section 6.5.1: routing in trailers"),
    Differs(
        chunks(b"0\r\nAuthorization: x\r\n\r\n"), 400, True, True, "RFC 9110 section 6.5.1: credentials in trailers"
    ),
    # Ends of lines.
    Differs(b"\r\n" + head(GET, HOST), 0, False, True, "section 2.2: one empty line is forgiven"),
    Differs(head(GET, HOST) + b"\r\n" + head(GET, HOST), 0, False, True, "section 2.2: one empty line is forgiven"),
    Differs(b"\r\n\r\n" + head(GET, HOST), 400, False, True, "section 2.2: at least one, we say at most"),
    Differs(b"\n" + head(GET, HOST), 400, False, True, "section 2.2: an empty line is CRLF"),
    Differs(b"GET / HTTP/1.1\nHost: a\n\n", 400, True, False, "section 2.2: a bare LF need not be taken"),
    Differs(b"GET / HTTP/1.1\r\nHost: a\n\r\n", 400, True, False, "section 2.2: a bare LF need not be taken"),
    Differs(b"GET / HTTP/1.1\r\nHost: a\r\n\n", 400, True, False, "section 2.2: a bare LF need not be taken"),
    Differs(head(GET, HOST, b"A: b\nC: d"), 400, True, False, "section 2.2: a bare LF need not be taken"),
    # The request line.
    Differs(head(b"GET  / HTTP/1.1", HOST), 400, False, True, "section 3: one space"),
    Differs(head(b"GET /  HTTP/1.1", HOST), 400, False, True, "section 3: one space"),
    Differs(head(b"GET /"), 400, False, True, "appendix C.2.1: HTTP/0.9 is past"),
    Differs(head(b"GET / HTTP/0.9", HOST), 505, True, True, "RFC 9110 section 15.6.6: another major version"),
    Differs(head(b"GET / HTTP/2.0", HOST), 505, True, True, "RFC 9110 section 15.6.6: another major version"),
    Differs(head(b"PRI * HTTP/2.0"), 505, True, False, "RFC 9113 section 3.4: this is how HTTP/2 begins"),
    Differs(head(b"GET / HTTP/1.2", HOST), 0, True, False, "RFC 9110 section 2.5: a later minor version is understood"),
    Differs(head(b"BREW / HTTP/1.1", HOST), 0, True, False, "RFC 9110 section 9.1: any token is a method"),
    Differs(head(b"get / HTTP/1.1", HOST), 0, True, False, "RFC 9110 section 9.1: methods have a case"),
    Differs(head(b"GET a HTTP/1.1", HOST), 400, True, False, "section 3.2: a target has four forms"),
    Differs(head(b"GET * HTTP/1.1", HOST), 400, True, True, "section 3.2.4: the asterisk is for OPTIONS"),
    Differs(head(b"GET /#f HTTP/1.1", HOST), 400, True, True, "section 3.2.1: a fragment is never sent"),
    Differs(head(b"GET http:///x HTTP/1.1", HOST), 400, True, True, "RFC 9110 section 4.2.1: no empty host"),
    Differs(head(b"GET http://u@a/x HTTP/1.1", HOST), 400, True, True, "RFC 9110 section 4.2.4: user information"),
    Differs(head(b"GET ftp://a/x HTTP/1.1", HOST), 400, True, True, "RFC 9110 section 7.4: a scheme that is not ours"),
    Differs(head(b"CONNECT a HTTP/1.1", HOST), 400, True, True, "section 3.2.3: CONNECT names a port"),
    # Header lines.
    Differs(head(GET), 400, False, True, "section 3.2: no Host"),
    Differs(head(GET, HOST, HOST), 400, False, True, "section 3.2: two Hosts"),
    Differs(head(GET, HOST, b"host: b"), 400, False, True, "section 3.2: two Hosts"),
    Differs(head(b"GET / HTTP/1.0", HOST, HOST), 400, False, True, "section 3.2: two Hosts"),
    Differs(head(GET, b"Host: a/b"), 400, True, True, "section 3.2: an invalid Host"),
    Differs(head(GET, b"Host: a b"), 400, True, True, "section 3.2: an invalid Host"),
    Differs(head(GET, b"Host: u@a"), 400, True, True, "section 3.2: an invalid Host"),
    Differs(head(GET, HOST, b"A: b", b" c"), 400, True, False, "section 5.2: folding is past"),
    Differs(head(GET, HOST, b"A: \x07"), 400, True, False, "RFC 9110 section 5.5: control characters"),
    Differs(head(GET, HOST, b"A: \x7f"), 400, True, False, "RFC 9110 section 5.5: control characters"),
    Differs(head(GET, HOST, b"Connection: a b"), 400, True, True, "RFC 9110 section 7.6.1: words are tokens"),
    Differs(head(POST, HOST, b"Expect: tea", TWO) + b"ab", 417, True, True, "RFC 9110 section 10.1.1"),
    Differs(
        head(GET, HOST, b"Connection: close") + head(GET, HOST), 0, True, False, "section 9.6: what follows is not read"
    ),
]

#: Nobody takes these.
REQUESTS_REFUSED: list[tuple[bytes, int]] = [
    (head(b""), 400),
    (head(b"G\0T / HTTP/1.1", HOST), 400),
    (head(b"\x16\x03\x01\x02"), 400),
    (head(b"G(T / HTTP/1.1", HOST), 400),
    (head(b" GET / HTTP/1.1", HOST), 400),
    (head(b"GET\t/ HTTP/1.1", HOST), 400),
    (head(b"GET / HTTP/1.1 ", HOST), 400),
    (head(b"GET /a b HTTP/1.1", HOST), 400),
    (head(b"GET /\xe9 HTTP/1.1", HOST), 400),
    (head(b"GET /\x01 HTTP/1.1", HOST), 400),
    (head(b"GET /\x7f HTTP/1.1", HOST), 400),
    (head(b"GET / http/1.1", HOST), 400),
    (head(b"GET / HTTP/1", HOST), 400),
    (head(b"GET / HTTP/1.10", HOST), 400),
    (head(b"GET / HTTP/11", HOST), 400),
    (head(b"GET / HTTQ/1.1", HOST), 400),
    (head(GET, b" A: b", HOST), 400),
    (head(GET, HOST, b"A"), 400),
    (head(GET, HOST, b"A : b"), 400),
    (head(GET, HOST, b": b"), 400),
    (head(GET, HOST, b"A(: b"), 400),
    (head(GET, HOST, b"A\xe9: b"), 400),
    (head(GET, HOST, b"A: \0"), 400),
    (head(GET, HOST, b"A: b\rc"), 400),
    (head(GET, b"Host: a\r\rX: y"), 400),
    (head(POST, HOST, b"Content-Length: 1", b"Content-Length: 2") + b"ab", 400),
    (head(POST, HOST, b"Content-Length:"), 400),
    (head(POST, HOST, b"Content-Length: +1") + b"a", 400),
    (head(POST, HOST, b"Content-Length: -1"), 400),
    (head(POST, HOST, b"Content-Length: 0x1") + b"a", 400),
    (head(POST, HOST, b"Content-Length: 1 1") + b"a", 400),
    (head(POST, HOST, b"Content-Length: 1_0") + b"a" * 10, 400),
    (head(POST, HOST, b"Content-Length: 18446744073709551618") + b"ab", 400),
    (head(POST, HOST, CHUNKED, CHUNKED) + b"0\r\n\r\n", 400),
    (head(POST, HOST, CHUNKED, b"Content-Length: x") + b"0\r\n\r\n", 400),
    (head(POST, HOST, b"Transfer-Encoding: chunked, chunked") + b"0\r\n\r\n", 400),
    (head(POST, HOST, b"Transfer-Encoding: chunked, gzip") + b"0\r\n\r\n", 400),
    (head(POST, HOST, b"Transfer-Encoding: chunked,") + b"0\r\n\r\n", 400),
    (head(POST, HOST, b"Transfer-Encoding: chunked;q=1") + b"0\r\n\r\n", 400),
    (head(POST, HOST, b'Transfer-Encoding: "chunked"') + b"0\r\n\r\n", 400),
    (head(POST, HOST, b"Transfer-Encoding: \x0bchunked") + b"0\r\n\r\n", 400),
    (head(POST, HOST, b"Transfer-Encoding : chunked") + b"0\r\n\r\n", 400),
    (head(POST, HOST, b"Transfer-Encoding:"), 400),
    (head(POST, HOST, b"Transfer-Encoding: identity"), 400),
    (head(POST, HOST, b"Transfer-Encoding: gzip"), 501),
    (head(POST, HOST, b"Transfer-Encoding: xchunked") + b"0\r\n\r\n", 501),
    (chunks(b" 5\r\nhello\r\n0\r\n\r\n"), 400),
    (chunks(b"0x5\r\nhello\r\n0\r\n\r\n"), 400),
    (chunks(b"+5\r\nhello\r\n0\r\n\r\n"), 400),
    (chunks(b"-5\r\nhello\r\n0\r\n\r\n"), 400),
    (chunks(b"5_0\r\n"), 400),
    (chunks(b"g\r\n"), 400),
    (chunks(b";a\r\nhello\r\n0\r\n\r\n"), 400),
    (chunks(b"5 5\r\nhello\r\n0\r\n\r\n"), 400),
    (chunks(b"5,a\r\nhello\r\n0\r\n\r\n"), 400),
    (chunks(b"5\nhello\r\n0\r\n\r\n"), 400),
    (chunks(b"5;a\nb\r\nhello\r\n0\r\n\r\n"), 400),
    (chunks(b"5\r\nhello\n0\r\n\r\n"), 400),
    (chunks(b"5\r\nhello0\r\n\r\n"), 400),
    (chunks(b"5\r\nhell\r\n0\r\n\r\n"), 400),
    (chunks(b"5\r\nhello!\r\n0\r\n\r\n"), 400),
    (chunks(b"\r\n5\r\nhello\r\n0\r\n\r\n"), 400),
    (chunks(b"5\r\nhello\r\n\r\n0\r\n\r\n"), 400),
    (chunks(b"5\r\nhello\r\n0\n\r\n"), 400),
    (chunks(b"10000000000000005\r\nhello\r\n0\r\n\r\n"), 400),
    (chunks(b"0\r\nX\r\n\r\n"), 400),
    (chunks(b"0\r\nX : y\r\n\r\n"), 400),
    (chunks(b"0\r\nX: \0\r\n\r\n"), 400),
    (chunks(b"0\r\nTransfer-Encoding: x\r\n\r\n"), 400),
]

UPGRADE = (b"Connection: upgrade", b"Upgrade: x")

#: All three take these answers to a GET (which asks for an upgrade), and read the same; with whether the server then
#: ends the connection.
RESPONSES: list[tuple[bytes, bool]] = [
    (head(OK, TWO) + b"ok", False),
    (head(OK, CHUNKED) + b"2\r\nok\r\n0\r\n\r\n", False),
    (head(OK, CHUNKED) + b"2;x=y\r\nok\r\n0\r\nX: y\r\n\r\n", False),
    (head(OK) + b"ok", True),
    (head(OK), True),
    (head(OK, b"Content-Length: 0"), False),
    (head(b"HTTP/1.0 200 OK") + b"ok", True),
    (head(b"HTTP/1.0 200 OK", TWO) + b"ok", False),
    (head(b"HTTP/1.0 200 OK", b"Connection: keep-alive", TWO) + b"ok", False),
    (head(OK, b"Connection: close", TWO) + b"ok", False),
    (head(b"HTTP/1.1 204 No Content"), False),
    (head(b"HTTP/1.1 204 No Content", TWO), False),
    (head(b"HTTP/1.1 304 Not Modified", TWO), False),
    (head(b"HTTP/1.1 304 Not Modified", CHUNKED), False),
    (head(b"HTTP/1.1 100 Continue") + head(OK, TWO) + b"ok", False),
    (head(b"HTTP/1.1 103 Early Hints", b"Link: x") + head(b"HTTP/1.1 102 P") + head(OK, TWO) + b"ok", False),
    (head(b"HTTP/1.1 101 S", *UPGRADE) + b"of the other protocol", False),
    (head(OK, b"Upgrade: h2c", b"Connection: Upgrade", TWO) + b"ok", False),
    (head(b"HTTP/1.1 200", TWO) + b"ok", False),
    (head(b"HTTP/1.1 200 ", TWO) + b"ok", False),
    (head(b"HTTP/1.1 200 \xe9\tx y", TWO) + b"ok", False),
    (head(b"HTTP/1.1 999 X", TWO) + b"ok", False),
    (head(OK, b"Set-Cookie: a", b"Set-Cookie: b", TWO) + b"ok", False),
    (head(OK, b"Expect: tea", TWO) + b"ok", False),
    (head(OK, b"Host: a", b"Host: b", TWO) + b"ok", False),
    (head(OK, b"Host: http://u@a/b c", TWO) + b"ok", False),
]

#: Answers that not all take; with whether the server then ends the connection.
RESPONSE_DIFFERENCES: list[tuple[Differs, bool]] = [
    (Differs(head(OK, TWO, TWO) + b"ok", 502, True, False, "section 6.3: two lengths, though equal"), False),
    (Differs(head(OK, b"Content-Length: 2, 2") + b"ok", 502, True, False, "section 6.3: two lengths in one"), False),
    (Differs(head(OK, b"Content-Length: 5", CHUNKED) + b"0\r\n\r\n", 502, True, False, "section 6.1"), False),
    (
        Differs(head(b"HTTP/1.0 200 OK", CHUNKED) + b"0\r\n\r\n", 502, True, True, "section 6.1: no chunks in 1.0"),
        False,
    ),
    (
        Differs(head(OK, b"Transfer-Encoding: gzip") + b"ok", 502, False, True, "section 6.1: nobody would undo it"),
        True,
    ),
    (
        Differs(
            head(OK, b"Transfer-Encoding: gzip, chunked") + b"0\r\n\r\n", 502, False, True, "section 6.1: as above"
        ),
        False,
    ),
    (Differs(head(OK, b"Transfer-Encoding: identity") + b"ok", 502, False, True, "section 7: past"), True),
    (
        Differs(head(b"HTTP/1.1 100 C", CHUNKED) + head(OK, TWO) + b"ok", 502, True, True, "section 6.1: nor in 1xx"),
        False,
    ),
    (Differs(head(b"HTTP/1.1 101 S"), 502, True, False, "RFC 9110 section 15.2.2: 101 says to what"), False),
    (
        Differs(head(b"HTTP/1.1 101 S", b"Upgrade: x"), 502, True, False, "RFC 9110 section 7.8: Connection names it"),
        False,
    ),
    (Differs(head(b"HTTP/1.1 099 X", TWO) + b"ok", 502, False, True, "RFC 9110 section 15: 100 to 999"), False),
    (Differs(head(b"HTTP/1.1 200 \x01", TWO) + b"ok", 502, True, True, "section 4: control characters"), False),
    (Differs(head(b"HTTP/0.9 200 OK", TWO) + b"ok", 502, True, True, "RFC 9110 section 2.5: another version"), False),
    (Differs(head(b"HTTP/2.0 200 OK", TWO) + b"ok", 502, True, True, "RFC 9110 section 2.5: another version"), False),
    (Differs(head(b"HTTP/1.2 200 OK", TWO) + b"ok", 0, True, False, "RFC 9110 section 2.5: a later minor one"), False),
    (Differs(b"\r\n" + head(OK, TWO) + b"ok", 502, False, True, "section 2.2: only before requests"), False),
    (Differs(b"HTTP/1.1 200 OK\nContent-Length: 2\n\nok", 502, True, False, "section 2.2: a bare LF"), False),
    (Differs(head(OK, b"A: b", b" c", TWO) + b"ok", 502, True, False, "section 5.2: folding is past"), False),
    (Differs(head(OK, b"Connection: a b", TWO) + b"ok", 502, True, True, "RFC 9110 section 7.6.1"), False),
    (
        Differs(head(OK, CHUNKED) + b"0\r\nContent-Length: 2\r\n\r\n", 502, True, False, "RFC 9110 section 6.5.1"),
        False,
    ),
    (Differs(head(OK, CHUNKED) + b"0\r\nSet-Cookie: a\r\n\r\n", 502, True, True, "RFC 9110 section 6.5.1"), False),
    (Differs(head(OK, TWO) + b"o", 502, False, True, "section 8: httptools is not told of the end"), True),
    (
        Differs(head(OK, CHUNKED) + b"2\r\nok\r\n", 502, False, True, "section 8: httptools is not told of the end"),
        True,
    ),
]

#: Answers that nobody takes; with whether the server then ends the connection.
RESPONSES_REFUSED: list[tuple[bytes, bool]] = [
    (head(b"HTTP/1.1  200 OK", TWO) + b"ok", False),
    (head(b"HTTP/1.1 20 OK", TWO) + b"ok", False),
    (head(b"HTTP/1.1 2000 OK", TWO) + b"ok", False),
    (head(b"HTTP/1.1 200OK", TWO) + b"ok", False),
    (head(b"http/1.1 200 OK", TWO) + b"ok", False),
    (head(b"ICY 200 OK", TWO) + b"ok", False),
    (head(b"SSH-2.0-x"), False),
    (head(OK, b"A", TWO) + b"ok", False),
    (head(OK, b"A : b", TWO) + b"ok", False),
    (head(OK, b"A: \0", TWO) + b"ok", False),
    (head(OK, b"Content-Length: -1"), False),
    (head(OK, b"Content-Length: x"), False),
    (head(OK, CHUNKED) + b"x\r\n", False),
    (head(OK, CHUNKED) + b"2\r\nokay\r\n", False),
    (head(OK, TWO) + b"okX", False),
    (head(b"HTTP/1.1 204 X", CHUNKED) + b"0\r\n\r\n", False),
    (b"HTTP/1.1 20", True),
    (head(b"HTTP/1.1 103 X"), True),
]


class RequestTests(SynchronousTestCase):
    """
    Requests.
    """

    def test_alike(self) -> None:
        """
        Method, target, headers, body and trailers are the same to all three.
        """
        for data in REQUESTS:
            ours = requests(data)
            self.assertEqual(ours, requests_h11(data), data)
            self.assertEqual(ours, requests_httptools(data), data)

    def test_differences(self) -> None:
        """
        Where one of three refuses, it is known which and why; who takes the bytes reads what we would.
        """
        for row in REQUEST_DIFFERENCES:
            ours = read(lambda: requests(row.data))  # noqa: B023 - called at once
            for oracle, takes in ((requests_h11, row.h11), (requests_httptools, row.httptools)):
                theirs = read(lambda: oracle(row.data))  # noqa: B023 - called at once
                self.assertEqual(theirs is not None, takes, (oracle, row))
                if ours and theirs:
                    self.assertEqual(ours[: len(theirs)], theirs, row)
            self.assertEqual(ours is None, row.status != 0, row)

    def test_refused_by_all(self) -> None:
        """
        What we refuse and no reason is written down for, nobody takes.
        """
        for data, _ in REQUESTS_REFUSED:
            self.assertIsNone(read(lambda: requests_h11(data)), data)  # noqa: B023 - called at once
            self.assertIsNone(read(lambda: requests_httptools(data)), data)  # noqa: B023 - called at once

    def test_status(self) -> None:
        """
        What is refused has its status, wherever it is cut, and nothing is read behind the fault.
        """
        refused = REQUESTS_REFUSED + [(row.data, row.status) for row in REQUEST_DIFFERENCES if row.status]
        for data, status in refused:
            for pieces in ways_to_cut(data):
                events = serve(pieces)
                self.assertEqual(failure(events), status, pieces)
                self.assertEqual(failure(events[-1:]), status, pieces)

    def test_upgrade_with_a_body(self) -> None:
        """
        A request that asks for an upgrade may have a body (RFC 9110 section 7.8); httptools takes it for the other
        protocol's.
        """
        data = head(POST, HOST, b"Connection: upgrade", b"Upgrade: x", TWO) + b"ab"
        self.assertEqual(requests(data), requests_h11(data))
        self.assertEqual((requests(data)[0].body, requests_httptools(data)[0].body), (b"ab", b""))

    def test_kept_in_1_0(self) -> None:
        """
        HTTP/1.0 can be kept alive (appendix C.2.2); h11 never does.
        """
        data = head(b"GET / HTTP/1.0", b"Connection: keep-alive") + head(b"GET /2 HTTP/1.0")
        self.assertEqual(requests(data), requests_httptools(data))
        self.assertEqual((len(requests(data)), len(requests_h11(data))), (2, 1))


class ResponseTests(SynchronousTestCase):
    """
    Responses.
    """

    def test_alike(self) -> None:
        """
        Status, reason, headers, body and trailers are the same to all three.
        """
        for data, ended in RESPONSES:
            ours = responses(data, b"GET", ended=ended)
            self.assertEqual(ours, responses_h11(data, b"GET", ended=ended), data)
            self.assertEqual(ours, responses_httptools(data, b"GET", ended=ended), data)

    def test_differences(self) -> None:
        """
        Where one of three refuses, it is known which and why; who takes the bytes reads what we would.
        """
        for row, ended in RESPONSE_DIFFERENCES:
            ours = read(lambda: responses(row.data, b"GET", ended=ended))  # noqa: B023 - called at once
            for oracle, takes in ((responses_h11, row.h11), (responses_httptools, row.httptools)):
                theirs = read(lambda: oracle(row.data, b"GET", ended=ended))  # noqa: B023 - called at once
                self.assertEqual(theirs is not None, takes, (oracle, row))
                if ours and theirs:
                    self.assertEqual(ours, theirs, row)
            self.assertEqual(ours is None, row.status != 0, row)

    def test_refused_by_all(self) -> None:
        """
        What we refuse and no reason is written down for, nobody takes.
        """
        for data, ended in RESPONSES_REFUSED:
            self.assertIsNone(read(lambda: responses_h11(data, b"GET", ended=ended)), data)  # noqa: B023
            # It tells the heads that it has read, and not that the end was a fault.
            if not ended:
                self.assertIsNone(read(lambda: responses_httptools(data, b"GET")), data)  # noqa: B023

    def test_status(self) -> None:
        """
        What is refused is 502, wherever it is cut, and nothing is read behind the fault.
        """
        refused = RESPONSES_REFUSED + [(row.data, ended) for row, ended in RESPONSE_DIFFERENCES if row.status]
        for data, ended in refused:
            for pieces in ways_to_cut(data):
                events = fetch(pieces, b"GET", ended=ended)
                self.assertEqual(failure(events), 502, pieces)
                self.assertEqual(failure(events[-1:]), 502, pieces)

    def test_head(self) -> None:
        """
        The answer to HEAD has no body whatever it says (section 6.3). httptools does not know what was asked.
        """
        for said in (TWO, CHUNKED, b"A: b"):
            data = head(OK, said)
            self.assertEqual(responses(data, b"HEAD"), responses_h11(data, b"HEAD"), said)
            self.assertIsNone(read(lambda: responses(data + b"ok", b"HEAD")), said)  # noqa: B023 - called at once
            self.assertIsNone(read(lambda: responses_h11(data + b"ok", b"HEAD")), said)  # noqa: B023 - called at once

    def test_unasked_switch(self) -> None:
        """
        101 is refused where nobody asked for an upgrade.
        """
        data = head(b"HTTP/1.1 101 S", *UPGRADE)
        self.assertIsNone(read(lambda: responses(data, b"POST")))
        self.assertIsNone(read(lambda: responses_h11(data, b"POST")))


# Messages at random. Names begin so that none of them means anything to anybody.

_TOKEN = st.text("!#$%&'*+-.^_`|~0123456789abcXYZ", min_size=1, max_size=8).map(str.encode)
_VISIBLE = bytes([*range(0x21, 0x7F), *range(0x80, 0x100)])
_VALUE = st.lists(
    st.lists(st.sampled_from(_VISIBLE), min_size=1, max_size=6).map(bytes), max_size=3
).map(b" ".join)  # fmt: skip
_SPACE = st.sampled_from([b"", b" ", b"\t", b"  "])
_LINE = st.builds(lambda name, a, value, b: b"X-" + name + b":" + a + value + b, _TOKEN, _SPACE, _VALUE, _SPACE)
_LINES = st.lists(_LINE, max_size=4)
_BODY = st.lists(st.binary(min_size=1, max_size=20), max_size=4)
_TARGET = st.text("abcXYZ019/%-._~!$&'()*+,;=:@?", max_size=12).map(lambda text: b"/" + text.encode())
_METHOD = st.sampled_from([b"GET", b"HEAD", b"POST", b"PUT", b"PATCH", b"DELETE", b"OPTIONS", b"PROPFIND", b"M-SEARCH"])
_EXTENSION = st.sampled_from([b"", b";a", b";a=b", b';a="b c"', b";a;b=1"])


@st.composite
def framed(draw: st.DrawFn, start: bytes, first: list[bytes]) -> bytes:
    """
    A message with a body in either framing.
    """
    lines = draw(_LINES)
    pieces = draw(_BODY)
    if draw(st.booleans()):
        extensions = [draw(_EXTENSION) for _ in pieces]
        body = b"".join(
            b"%x%b\r\n%b\r\n" % (len(piece), extension, piece)
            for piece, extension in zip(pieces, extensions, strict=True)
        )
        body += head(b"0", *draw(_LINES))
        lines.insert(draw(st.integers(0, len(lines))), CHUNKED)
    else:
        body = b"".join(pieces)
        lines.insert(draw(st.integers(0, len(lines))), b"Content-Length: %d" % len(body))
    return head(start, *first, *lines) + body


@st.composite
def some_requests(draw: st.DrawFn) -> bytes:
    """
    One request, or some behind each other.
    """
    data = b""
    for _ in range(draw(st.integers(1, 3))):
        start = b"%b %b HTTP/1.1" % (draw(_METHOD), draw(_TARGET))
        if draw(st.booleans()):
            data += draw(framed(start, [HOST]))
        else:
            data += head(start, *draw(_LINES), HOST)
    return data


@st.composite
def some_response(draw: st.DrawFn) -> bytes:
    """
    A response, and interim ones before it.
    """
    data = b""
    for _ in range(draw(st.integers(0, 2))):
        data += head(b"HTTP/1.1 %d X" % draw(st.sampled_from([100, 102, 103])), *draw(_LINES))
    status = draw(st.integers(200, 599).filter(lambda status: status not in (204, 304)))
    return data + draw(framed(b"HTTP/1.1 %d %b" % (status, draw(_VALUE)), []))


#: What is written over bytes, or between them.
_SPLINTERS = st.sampled_from(
    [b"", b"\r", b"\n", b"\r\n", b" ", b"\t", b"\0", b":", b",", b";", b"0", b"1", b"a", b"\x7f", b"\xff", b"\r\n\r\n"]
)


@st.composite
def broken(draw: st.DrawFn, whole: st.SearchStrategy[bytes]) -> bytes:
    """
    Something that was a message before one to three bytes of it changed.
    """
    data = draw(whole)
    for _ in range(draw(st.integers(1, 3))):
        place = draw(st.integers(0, len(data)))
        data = data[:place] + draw(_SPLINTERS) + data[place + draw(st.integers(0, 2)) :]
    return data


#: What we take and both others may refuse, as the table has it: an empty line before a request whose method httptools
#: does not know, white space before a chunk's extension.
_TAKEN_ALONE = re.compile(rb"(?:\A|\r\n\r\n)\r\n|[ \t];")


class RandomTests(SynchronousTestCase):
    """
    Messages at random.
    """

    @settings(derandomize=True, deadline=None, max_examples=60)
    @given(some_requests())
    def test_requests(self, data: bytes) -> None:
        """
        Requests are the same to all three.
        """
        ours = requests(data)
        self.assertEqual(ours, requests_h11(data))
        self.assertEqual(ours, requests_httptools(data))

    @settings(derandomize=True, deadline=None, max_examples=60)
    @given(some_response())
    def test_responses(self, data: bytes) -> None:
        """
        Responses are the same to all three.
        """
        ours = responses(data, b"GET")
        self.assertEqual(ours, responses_h11(data, b"GET"))
        self.assertEqual(ours, responses_httptools(data, b"GET"))

    @settings(derandomize=True, deadline=None, max_examples=120)
    @given(broken(some_requests()), st.integers(1, 9))
    def test_broken_requests(self, data: bytes, step: int) -> None:
        """
        What we take of broken requests an oracle takes too, and who does reads the same. The status does not depend on
        the cuts.
        """
        cut = serve([data[place : place + step] for place in range(0, len(data), step)])
        self.assertEqual(failure(cut), failure(serve([data])))
        ours = read(lambda: requests(data))
        if ours is not None:
            theirs = [read(lambda: requests_h11(data)), read(lambda: requests_httptools(data))]
            if _TAKEN_ALONE.search(data) is None:
                self.assertNotEqual(theirs, [None, None])
            for messages in theirs:
                if messages is not None:
                    self.assertEqual(ours, messages)

    @settings(derandomize=True, deadline=None, max_examples=120)
    @given(broken(some_response()), st.integers(1, 9))
    def test_broken_responses(self, data: bytes, step: int) -> None:
        """
        The same of responses.
        """
        cut = fetch([data[place : place + step] for place in range(0, len(data), step)], b"GET")
        self.assertEqual(failure(cut), failure(fetch([data], b"GET")))
        ours = read(lambda: responses(data, b"GET"))
        if ours is not None:
            theirs = [read(lambda: responses_h11(data, b"GET")), read(lambda: responses_httptools(data, b"GET"))]
            if _TAKEN_ALONE.search(data) is None:
                self.assertNotEqual(theirs, [None, None])
            for messages in theirs:
                if messages is not None:
                    self.assertEqual(ours, messages)
