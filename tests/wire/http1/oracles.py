"""
Two other parsers beside ours, h11 and httptools (llhttp), made to tell the same things in the same form.
"""

from __future__ import annotations

from collections.abc import Iterable

import attrs
import h11
import httptools

from pico.wire.http1.client import ClientConnection
from pico.wire.http1.events import Data, EndOfMessage, Event, Failed, RequestHead, ResponseHead
from pico.wire.http1.headers import HeaderCache
from pico.wire.http1.server import ServerConnection

Lines = list[tuple[bytes, bytes]]


class Refused(Exception):
    """
    A parser does not take the bytes, or waits for more of them.
    """


@attrs.define
class Message:
    """
    A message as all three can tell it.

    :ivar start: method and target, or status and reason.
    :ivar headers: names in lower case, with their values.
    """

    start: tuple[object, bytes]
    headers: Lines
    body: bytes = b""
    trailers: Lines = attrs.Factory(list)


def _lines(lines: Iterable[tuple[bytes, bytes]]) -> Lines:
    """
    Header lines alike: httptools keeps white space behind a value, h11 writes the name of a coding small.
    """
    told = []
    for name, value in lines:
        name, value = bytes(name).lower(), bytes(value).rstrip(b" \t")
        told.append((name, value.lower() if name == b"transfer-encoding" else value))
    return told


def _told(events: Iterable[Event]) -> list[Message]:
    messages: list[Message] = []
    for event in events:
        match event:
            case RequestHead():
                headers = _lines((header.name, header.value) for header in event.headers)
                messages.append(Message((event.method, event.target), headers))
            case ResponseHead():
                headers = _lines((header.name, header.value) for header in event.headers)
                messages.append(Message((event.status, event.reason), headers))
            case Data():
                messages[-1].body += event.data
            case EndOfMessage():
                messages[-1].trailers = _lines((header.name, header.value) for header in event.trailers)
            case Failed():
                raise Refused(event.error.reason)
    return messages


def failure(events: Iterable[Event]) -> int:
    """
    The status of a fault, 0 without.
    """
    return next((event.error.code for event in events if isinstance(event, Failed)), 0)


def serve(pieces: Iterable[bytes], connection: ServerConnection | None = None) -> list[Event]:
    """
    Read requests with ours, answering each as soon as it has ended.
    """
    connection = connection or ServerConnection(HeaderCache())
    events: list[Event] = []
    for piece in pieces:
        events += connection.receive_data(piece)
        while connection.request_ended and not connection.response_started:
            connection.send_head(400, b"", [], length=0)
            connection.send_end()
            if connection.keep_alive:
                events += connection.next_request()
    return events


def requests(data: bytes) -> list[Message]:
    """
    Read requests with ours.

    :raises Refused: also for bytes that end within a request.
    """
    connection = ServerConnection(HeaderCache())
    events = serve([data], connection)
    messages = _told(events)
    if not events or not isinstance(events[-1], EndOfMessage) or (connection.keep_alive and connection.held):
        raise Refused("incomplete")
    return messages


def requests_h11(data: bytes) -> list[Message]:
    """
    Read requests with h11.

    :raises Refused: also for bytes that end within a request.
    """
    connection = h11.Connection(h11.SERVER)
    messages: list[Message] = []
    try:
        connection.receive_data(data)
        while True:
            head = connection.next_event()
            if not isinstance(head, h11.Request):
                if messages and not connection.trailing_data[0]:
                    return messages
                raise Refused("incomplete")
            message = Message((head.method, head.target), _lines(head.headers))
            messages.append(message)
            while isinstance(event := connection.next_event(), h11.Data):
                message.body += bytes(event.data)
            if not isinstance(event, h11.EndOfMessage):
                raise Refused("incomplete")
            message.trailers = _lines(event.headers)
            connection.send(h11.Response(status_code=400, headers=[("Content-Length", "0")]))
            connection.send(h11.EndOfMessage())
            if connection.our_state is not h11.DONE or connection.their_state is not h11.DONE:
                return messages
            connection.start_next_cycle()
    except h11.RemoteProtocolError as error:
        raise Refused(str(error)) from error


class _Heard:
    """
    What httptools calls back.
    """

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self.ended = False
        self._start: bytes = b""
        self._headers: Lines = []
        self._lines: Lines = []

    def start(self) -> object:
        """
        The first half of a message's start; what httptools does not call back about.
        """
        raise NotImplementedError

    def on_message_begin(self) -> None:
        self.ended = False
        self._start = b""
        self._lines = []

    def on_url(self, url: bytes) -> None:
        self._start += url

    def on_status(self, status: bytes) -> None:
        self._start += status

    def on_header(self, name: bytes, value: bytes) -> None:
        self._lines.append((name, value))

    def on_headers_complete(self) -> None:
        self.messages.append(Message((self.start(), self._start), _lines(self._lines)))
        self._lines = []

    def on_body(self, body: bytes) -> None:
        self.messages[-1].body += body

    def on_message_complete(self) -> None:
        self.messages[-1].trailers = _lines(self._lines)
        self.ended = True


class _HeardRequests(_Heard):
    def __init__(self) -> None:
        super().__init__()
        self.parser = httptools.HttpRequestParser(self)

    def start(self) -> object:
        return self.parser.get_method()


class _HeardResponses(_Heard):
    def __init__(self) -> None:
        super().__init__()
        self.parser = httptools.HttpResponseParser(self)

    def start(self) -> object:
        return self.parser.get_status_code()


def _feed(heard: _HeardRequests | _HeardResponses, data: bytes) -> None:
    try:
        heard.parser.feed_data(data)
    except httptools.HttpParserUpgrade:
        pass  # what follows belongs to another protocol
    except httptools.HttpParserError as error:
        raise Refused(str(error)) from error


def requests_httptools(data: bytes) -> list[Message]:
    """
    Read requests with httptools.

    :raises Refused: also for bytes that end within a request.
    """
    heard = _HeardRequests()
    _feed(heard, data)
    if not heard.ended:
        raise Refused("incomplete")
    return heard.messages


def fetch(pieces: Iterable[bytes], method: bytes, *, ended: bool = False) -> list[Event]:
    """
    Read a response with ours. A GET asks for an upgrade.

    :param ended: whether the server then ends the connection.
    """
    connection = ClientConnection(HeaderCache())
    upgrade = b"x" if method == b"GET" else None
    connection.send_request(method, b"/", [b"Host: a"], upgrade=upgrade)
    connection.send_end()
    events = [event for piece in pieces for event in connection.receive_data(piece)]
    if ended:
        events += connection.receive_eof()
    return events


def responses(data: bytes, method: bytes, *, ended: bool = False) -> list[Message]:
    """
    Read a response, with the interim ones before it, with ours.

    :raises Refused: also for bytes that end within a response.
    """
    events = fetch([data], method, ended=ended)
    messages = _told(events)
    if not messages or not (isinstance(events[-1], EndOfMessage) or messages[-1].start[0] == 101):
        raise Refused("incomplete")
    return messages


def responses_h11(data: bytes, method: bytes, *, ended: bool = False) -> list[Message]:
    """
    Read a response with h11.

    :raises Refused: also for bytes that end within a response.
    """
    connection = h11.Connection(h11.CLIENT)
    asked = [("Host", "a"), *([("Connection", "upgrade"), ("Upgrade", "x")] if method == b"GET" else [])]
    connection.send(h11.Request(method=method, target="/", headers=asked))
    connection.send(h11.EndOfMessage())
    messages: list[Message] = []
    try:
        connection.receive_data(data)
        if ended:
            connection.receive_data(b"")
        while True:
            event = connection.next_event()
            if isinstance(event, (h11.InformationalResponse, h11.Response)):
                messages.append(Message((event.status_code, bytes(event.reason)), _lines(event.headers)))
            elif isinstance(event, h11.Data):
                messages[-1].body += bytes(event.data)
            elif isinstance(event, h11.EndOfMessage):
                messages[-1].trailers = _lines(event.headers)
                if connection.trailing_data[0]:
                    raise Refused("bytes behind the response")
                return messages
            elif event is h11.PAUSED:
                return messages
            else:
                raise Refused("incomplete")
    except h11.RemoteProtocolError as error:
        raise Refused(str(error)) from error


def responses_httptools(data: bytes, method: bytes, *, ended: bool = False) -> list[Message]:
    """
    Read a response with httptools, which is not told the request's method, nor where the connection ends.

    :raises Refused: also for bytes that end within a response.
    """
    heard = _HeardResponses()
    _feed(heard, data)
    if not heard.ended and not (ended and heard.messages):
        raise Refused("incomplete")
    return heard.messages
