"""
Tests for :mod:`pico.wire.websocket.handshake`.
"""

from __future__ import annotations

from collections.abc import Sequence

from twisted.trial.unittest import SynchronousTestCase
from websockets.datastructures import Headers
from websockets.http11 import Request, Response
from websockets.server import ServerProtocol

from pico.errors import RemoteProtocolError
from pico.wire.http1.client import ClientConnection
from pico.wire.http1.events import RequestHead, ResponseHead
from pico.wire.http1.headers import HeaderCache
from pico.wire.http1.server import ServerConnection
from pico.wire.websocket.handshake import (
    KEY_SIZE,
    accept_key,
    check_request,
    check_response,
    make_key,
    refusal_lines,
    request_lines,
    response_lines,
)

#: The key and its answer in RFC 6455 section 1.3.
KEY = b"dGhlIHNhbXBsZSBub25jZQ=="
ACCEPT = b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo="

GOOD = (
    b"Host: node:8001",
    b"Connection: Upgrade",
    b"Upgrade: websocket",
    b"Sec-WebSocket-Version: 13",
    b"Sec-WebSocket-Key: " + KEY,
)


def request(lines: Sequence[bytes], line: bytes = b"GET /t HTTP/1.1") -> RequestHead:
    """
    A request's head as the server reads it.
    """
    head = ServerConnection(HeaderCache()).receive_data(b"\r\n".join([line, *lines, b"", b""]))[0]
    if not isinstance(head, RequestHead):
        raise AssertionError(head)
    return head


def response(lines: Sequence[bytes], line: bytes = b"HTTP/1.1 101 Switching Protocols") -> ResponseHead:
    """
    A response's head as the client reads it.
    """
    client = ClientConnection(HeaderCache())
    client.send_request(b"GET", b"/t", [], upgrade=b"websocket")
    client.send_end()
    head = client.receive_data(b"\r\n".join([line, *lines, b"", b""]))[0]
    if not isinstance(head, ResponseHead):
        raise AssertionError(head)
    return head


def without(*names: bytes) -> list[bytes]:
    """
    The good request's lines without some.
    """
    return [line for line in GOOD if line.partition(b":")[0].lower() not in names]


class KeyTests(SynchronousTestCase):
    """
    The key and its answer.
    """

    def test_the_standards_example(self) -> None:
        """
        The answer to the key of RFC 6455 is the one that stands there.
        """
        self.assertEqual(ACCEPT, accept_key(KEY))

    def test_key(self) -> None:
        """
        A key is 16 bytes in base64.
        """
        self.assertEqual(KEY, make_key(b"the sample nonce"))
        self.assertEqual(16, KEY_SIZE)


class RequestTests(SynchronousTestCase):
    """
    Requests, as a server judges them.
    """

    def assert_refused(self, status: int, head: RequestHead) -> None:
        """
        The request is refused with this status.
        """
        error = self.assertRaises(RemoteProtocolError, check_request, head)
        self.assertEqual(status, error.code)

    def test_ours(self) -> None:
        """
        What the client's side sends is accepted, and gives the key.
        """
        client = ClientConnection(HeaderCache())
        lines = [b"Host: node", *request_lines(KEY)]
        sent = client.send_request(b"GET", b"/t", lines, upgrade=b"websocket") + client.send_end()
        head = ServerConnection(HeaderCache()).receive_data(sent)[0]
        assert isinstance(head, RequestHead)
        self.assertEqual(KEY, check_request(head))

    def test_gorillas(self) -> None:
        """
        A request as Piko's Go agents write it is accepted.
        """
        lines = [
            b"Host: 127.0.0.1:8001",
            b"User-Agent: Go-http-client/1.1",
            b"Connection: Upgrade",
            b"Sec-WebSocket-Key: " + KEY,
            b"Sec-WebSocket-Version: 13",
            b"Upgrade: websocket",
        ]
        self.assertEqual(KEY, check_request(request(lines)))

    def test_other_spellings(self) -> None:
        """
        Upgrade may be in capitals, and one of several.
        """
        for value in (b"WebSocket", b"h2c, websocket", b"websocket ,other"):
            self.assertEqual(KEY, check_request(request([*without(b"upgrade"), b"Upgrade: " + value])))

    def test_method(self) -> None:
        """
        Only GET begins a WebSocket.
        """
        self.assert_refused(405, request(GOOD, b"POST /t HTTP/1.1"))
        self.assert_refused(405, request(GOOD, b"HEAD /t HTTP/1.1"))

    def test_no_upgrade(self) -> None:
        """
        A request that asks for no WebSocket is told that there is nothing else here.
        """
        for lines in (
            without(b"upgrade"),
            without(b"connection"),
            [*without(b"upgrade"), b"Upgrade: h2c"],
            [*without(b"upgrade"), b"Upgrade: websockets"],
            [*without(b"connection"), b"Connection: keep-alive"],
        ):
            self.assert_refused(426, request(lines))
        self.assert_refused(426, request(GOOD, b"GET /t HTTP/1.0"))

    def test_version(self) -> None:
        """
        The version is 13, said once.
        """
        rest = without(b"sec-websocket-version")
        for lines in (
            rest,
            [*rest, b"Sec-WebSocket-Version: 8"],
            [*rest, b"Sec-WebSocket-Version: 13, 8"],
            [*GOOD, b"Sec-WebSocket-Version: 13"],
        ):
            self.assert_refused(426, request(lines))

    def test_key(self) -> None:
        """
        There is one key, of 16 bytes in base64.
        """
        rest = without(b"sec-websocket-key")
        short = (b"", b"x", KEY[:-1], KEY[:-4])
        for key in (*short, KEY + b"=", b"!" * 24, b"A" * 24, KEY[:12] + b" " + KEY[12:]):
            self.assert_refused(400, request([*rest, b"Sec-WebSocket-Key: " + key]))
        self.assert_refused(400, request(rest))
        self.assert_refused(400, request([*GOOD, b"Sec-WebSocket-Key: " + KEY]))

    def test_body(self) -> None:
        """
        A body is refused: its bytes would be taken for frames.
        """
        self.assert_refused(400, request([*GOOD, b"Content-Length: 3"]))
        self.assert_refused(400, request([*GOOD, b"Transfer-Encoding: chunked"]))
        self.assertEqual(KEY, check_request(request([*GOOD, b"Content-Length: 0"])))

    def test_origin(self) -> None:
        """
        A page of this very host may connect, no other.
        """
        for origin in (b"http://node:8001", b"https://NODE:8001"):
            self.assertEqual(KEY, check_request(request([*GOOD, b"Origin: " + origin])))
        others = (b"http://node", b"http://other:8001", b"http://node:8001.evil")
        for origin in (*others, b"null", b"", b"node:8001"):
            self.assert_refused(403, request([*GOOD, b"Origin: " + origin]))
        both = [b"Origin: http://node:8001", b"Origin: http://evil"]
        self.assert_refused(403, request([*GOOD, *both]))

    def test_origin_without_host(self) -> None:
        """
        An empty Host fits no origin.
        """
        lines = [*without(b"host"), b"Host:"]
        self.assert_refused(403, request([*lines, b"Origin: null"]))
        self.assertEqual(KEY, check_request(request(lines)))

    def test_refusal_lines(self) -> None:
        """
        The answer to a refused request says what would be right.
        """
        self.assertEqual([b"Allow: GET"], refusal_lines(405))
        self.assertIn(b"Sec-WebSocket-Version: 13", refusal_lines(400))
        self.assertEqual([b"Upgrade: websocket", b"Sec-WebSocket-Version: 13"], refusal_lines(426))
        self.assertEqual([], refusal_lines(403))
        refusal_lines(405).append(b"mine")
        self.assertEqual([b"Allow: GET"], refusal_lines(405))

    def test_the_library_agrees(self) -> None:
        """
        The websockets library, asked about the same requests, accepts what we accept, and refuses what we
        refuse but for what stands here.
        """
        cases: list[tuple[list[bytes], bool, bool]] = [
            (list(GOOD), True, True),
            (without(b"upgrade"), False, False),
            (without(b"connection"), False, False),
            (without(b"sec-websocket-key"), False, False),
            (without(b"sec-websocket-version"), False, False),
            ([*without(b"sec-websocket-key"), b"Sec-WebSocket-Key: x"], False, False),
            ([*GOOD, b"Sec-WebSocket-Key: " + KEY], False, False),
            # It wants Upgrade to name nothing else; the standard asks that it include the word.
            ([*without(b"upgrade"), b"Upgrade: h2c, websocket"], True, False),
        ]
        for lines, ours, theirs in cases:
            head = request(lines)
            try:
                check_request(head)
                self.assertTrue(ours, lines)
            except RemoteProtocolError:
                self.assertFalse(ours, lines)
            headers = Headers()
            for name, value in (line.decode().split(":", 1) for line in lines):
                headers[name.strip()] = value.strip()
            answer: Response = ServerProtocol().accept(Request("/t", headers))
            self.assertEqual(theirs, answer.status_code == 101, lines)


class ResponseTests(SynchronousTestCase):
    """
    Responses, as a client judges them.
    """

    good = (b"Upgrade: websocket", b"Connection: Upgrade", b"Sec-WebSocket-Accept: " + ACCEPT)

    def assert_refused(self, head: ResponseHead) -> None:
        """
        The response makes no WebSocket.
        """
        error = self.assertRaises(RemoteProtocolError, check_response, head, KEY)
        self.assertEqual(502, error.code)

    def test_ours(self) -> None:
        """
        What the server's side answers is accepted.
        """
        lines = [b"Upgrade: websocket", b"Connection: Upgrade", *response_lines(KEY)]
        check_response(response(lines), KEY)

    def test_spelling(self) -> None:
        """
        The names are spelled as the server likes.
        """
        check_response(response([b"upgrade: WebSocket", b"connection: upgrade", *self.good[2:]]), KEY)

    def test_not_switched(self) -> None:
        """
        Only 101 switches, and only to what was asked for.
        """
        self.assert_refused(response(self.good, b"HTTP/1.1 200 OK"))
        self.assert_refused(response([b"Upgrade: h2c", *self.good[1:]]))

    def test_accept(self) -> None:
        """
        The answer to the key must fit, and come once.
        """
        rest = self.good[:2]
        for lines in (
            rest,
            [*rest, b"Sec-WebSocket-Accept: " + KEY],
            [*rest, b"Sec-WebSocket-Accept: " + ACCEPT.lower()],
            [*rest, b"Sec-WebSocket-Accept:"],
            [*self.good, self.good[2]],
        ):
            self.assert_refused(response(lines))

    def test_nothing_unasked(self) -> None:
        """
        An extension or subprotocol that was not offered is refused.
        """
        self.assert_refused(response([*self.good, b"Sec-WebSocket-Extensions: permessage-deflate"]))
        self.assert_refused(response([*self.good, b"Sec-WebSocket-Protocol: chat"]))
