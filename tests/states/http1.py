"""
The HTTP/1 connections.
"""

from __future__ import annotations

from collections.abc import Callable

from pico.wire.http1 import client, server
from pico.wire.http1.client import ClientConnection
from pico.wire.http1.events import Event, Failed
from pico.wire.http1.headers import HeaderCache
from pico.wire.http1.server import ServerConnection
from tests.states.explore import Axis, Input, Machine, NotNow

_R = server.Reading
_W = server.Writing
_CR = client.Reading


def _head(*lines: bytes) -> bytes:
    return b"\r\n".join([*lines, b"", b""])


def _answer(result: object) -> str:
    """
    Only faults are told; the bytes that verbs make are in the tests.
    """
    if isinstance(result, list) and any(isinstance(event, Failed) for event in result):
        return "**Failed**"
    return ""


def _request(data: bytes) -> Callable[[ServerConnection], list[Event]]:
    """
    A head where one is read, or behind a request while nothing is held.
    """

    def way(connection: ServerConnection) -> list[Event]:
        if connection._reading is not _R.HEAD and (connection._reading is not _R.ENDED or connection.held):
            raise NotNow
        return connection.receive_data(data)

    return way


def _rest_of_request(connection: ServerConnection) -> list[Event]:
    match connection._reading:
        case _R.LENGTH:
            return connection.receive_data(b"ab")
        case _R.CHUNKED:
            return connection.receive_data(b"2\r\nab\r\n0\r\n\r\n")
    raise NotNow


def _bad_request(connection: ServerConnection) -> list[Event]:
    match connection._reading:
        case _R.HEAD:
            return connection.receive_data(_head(b"\x16\x03\x01"))
        case _R.CHUNKED:
            return connection.receive_data(b"x\r\n")
    raise NotNow


def _server_hidden(connection: ServerConnection) -> object:
    request = connection._request
    return (
        connection.keep_alive,
        connection._close_asked,
        connection._to_write if connection._writing is _W.LENGTH else 0,
        bool(connection.held),
        request and (request.method == b"HEAD", request.version, request.keep_alive),
    )


SERVER: Machine[ServerConnection] = Machine(
    "http1-server",
    "HTTP/1, server",
    "Reads requests and writes responses: `ServerConnection` in `pico/wire/http1/server.py`. "
    "What is read and what may be written move side by side.",
    (
        Axis("What it reads", {state.name: state.value for state in _R}),
        Axis("What it may write", {state.name: state.value for state in _W}),
    ),
    (lambda: ServerConnection(HeaderCache()),),
    lambda connection: (connection._reading.name, connection._writing.name),
    _server_hidden,
    (
        Input(
            "request",
            "a head without a body: GET, HEAD, of HTTP/1.1 and 1.0, the client's last or not",
            (
                _request(_head(b"GET / HTTP/1.1", b"Host: a")),
                _request(_head(b"GET / HTTP/1.1", b"Host: a", b"Connection: close")),
                _request(_head(b"HEAD / HTTP/1.1", b"Host: a")),
                _request(_head(b"GET / HTTP/1.0")),
                _request(_head(b"GET / HTTP/1.0", b"Connection: keep-alive")),
            ),
        ),
        Input(
            "request, length",
            "a head whose body has a length",
            (
                _request(_head(b"PUT / HTTP/1.1", b"Host: a", b"Content-Length: 2")),
                _request(_head(b"PUT / HTTP/1.0", b"Content-Length: 2")),
            ),
        ),
        Input(
            "request, chunks",
            "a head whose body is in chunks",
            (_request(_head(b"PUT / HTTP/1.1", b"Host: a", b"Transfer-Encoding: chunked")),),
        ),
        Input("rest of the body", "what the body needs, up to its end", (_rest_of_request,)),
        Input("a fault", "bytes that are no request, or no chunk", (_bad_request,)),
        Input("eof", "`receive_eof()`", (lambda connection: connection.receive_eof(),)),
        Input(
            "informational",
            "`send_informational(103)`",
            (lambda connection: connection.send_informational(103, b"", []),),
        ),
        Input(
            "head, length",
            "`send_head(200, length=1)`",
            (lambda connection: connection.send_head(200, b"", [], length=1),),
        ),
        Input(
            "head, no length",
            "`send_head(200, length=None)`",
            (lambda connection: connection.send_head(200, b"", [], length=None),),
        ),
        Input("head, 204", "`send_head(204)`", (lambda connection: connection.send_head(204, b"", [], length=None),)),
        Input("head, 101", "`send_head(101)`", (lambda connection: connection.send_head(101, b"", [], length=None),)),
        Input("data", '`send_data(b"a")`', (lambda connection: connection.send_data(b"a"),)),
        Input("end", "`send_end()`", (lambda connection: connection.send_end(),)),
        Input("close after", "`close_after_response()`", (lambda connection: connection.close_after_response(),)),
        Input("next", "`next_request()`", (lambda connection: connection.next_request(),)),
        Input("leftover", "`take_leftover()`", (lambda connection: connection.take_leftover(),)),
    ),
    _answer,
)


def _response(data: bytes) -> Callable[[ClientConnection], list[Event]]:
    """
    A response's head, where one is waited for.
    """

    def way(connection: ClientConnection) -> list[Event]:
        if connection._reading is not _CR.HEAD:
            raise NotNow
        return connection.receive_data(data)

    return way


def _rest_of_response(connection: ClientConnection) -> list[Event]:
    match connection._reading:
        case _CR.LENGTH:
            return connection.receive_data(b"ab")
        case _CR.CHUNKED:
            return connection.receive_data(b"2\r\nab\r\n0\r\n\r\n")
    raise NotNow


def _bad_response(connection: ClientConnection) -> list[Event]:
    match connection._reading:
        case _CR.HEAD:
            return connection.receive_data(_head(b"SSH-2.0-x"))
        case _CR.CHUNKED:
            return connection.receive_data(b"x\r\n")
        case _CR.IDLE:
            return connection.receive_data(b"H")
    raise NotNow


def _client_hidden(connection: ClientConnection) -> object:
    return (
        connection.keep_alive,
        connection._to_write if connection._writing is client.Writing.LENGTH else 0,
        connection._upgrade,
    )


CLIENT: Machine[ClientConnection] = Machine(
    "http1-client",
    "HTTP/1, client",
    "Writes requests and reads responses: `ClientConnection` in `pico/wire/http1/client.py`. "
    "What is read and what may be written move side by side.",
    (
        Axis("What it reads", {state.name: state.value for state in _CR}),
        Axis("What it may write", {state.name: state.value for state in client.Writing}),
    ),
    (lambda: ClientConnection(HeaderCache()),),
    lambda connection: (connection._reading.name, connection._writing.name),
    _client_hidden,
    (
        Input(
            "request, length",
            "`send_request(length=1)`, the last or not",
            (
                lambda connection: connection.send_request(b"PUT", b"/", [], length=1),
                lambda connection: connection.send_request(b"PUT", b"/", [], length=1, close=True),
            ),
        ),
        Input(
            "request, chunks",
            "`send_request(length=None)`, with or without an upgrade",
            (
                lambda connection: connection.send_request(b"PUT", b"/", [], length=None),
                lambda connection: connection.send_request(b"PUT", b"/", [], length=None, upgrade=b"x"),
            ),
        ),
        Input("data", '`send_data(b"a")`', (lambda connection: connection.send_data(b"a"),)),
        Input("end", "`send_end()`", (lambda connection: connection.send_end(),)),
        Input("leftover", "`take_leftover()`", (lambda connection: connection.take_leftover(),)),
        Input("1xx", "an interim response", (_response(_head(b"HTTP/1.1 103 E")),)),
        Input(
            "response",
            "a head without a body, the server's last or not",
            (_response(_head(b"HTTP/1.1 204 N")), _response(_head(b"HTTP/1.1 204 N", b"Connection: close"))),
        ),
        Input(
            "response, length",
            "a head whose body has a length",
            (_response(_head(b"HTTP/1.1 200 OK", b"Content-Length: 2")),),
        ),
        Input(
            "response, chunks",
            "a head whose body is in chunks",
            (_response(_head(b"HTTP/1.1 200 OK", b"Transfer-Encoding: chunked")),),
        ),
        Input("response, to the end", "a head that says neither", (_response(_head(b"HTTP/1.1 200 OK")),)),
        Input(
            "101",
            "another protocol, asked for or not",
            (_response(_head(b"HTTP/1.1 101 S", b"Connection: upgrade", b"Upgrade: x")),),
        ),
        Input("rest of the body", "what the body needs, up to its end", (_rest_of_response,)),
        Input("a fault", "bytes that are no response, no chunk, or that nobody asked for", (_bad_response,)),
        Input("eof", "`receive_eof()`", (lambda connection: connection.receive_eof(),)),
    ),
    _answer,
)
