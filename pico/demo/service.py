"""
The sample web service: what the demo exposes. Started as ``python -m pico.demo.service PORT``.

========== ==============================================================
``/``       a page that says where it came from, and shows the events
``/events`` server-sent events, one a second, for as long as one listens
``/echo``   answers a POST with its own body, while it is still coming in
========== ==============================================================

It is an ordinary HTTP/1.1 server of the standard library, with a thread for each connection, and knows
nothing of Pico. It listens on the loopback interface only.
"""

from __future__ import annotations

import html
import json
import signal
import socketserver
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.resources import files
from itertools import count
from string import Template
from types import FrameType

#: Where the sample service listens.
HOST = "127.0.0.1"

_PIECE = 65_536

_Writer = Callable[[bytes], None]


def make_page(service: str, facts: list[tuple[str, str]]) -> bytes:
    """
    Make the page.

    :param service: where the service is, as ``host:port``.
    :param facts: what the service saw of the request, as names and values; neither is trusted.
    """
    rows = "\n".join(f"<tr><th>{html.escape(name)}</th><td>{html.escape(value)}</td></tr>" for name, value in facts)
    page = Template(files("pico.demo").joinpath("page.html").read_text("utf-8"))
    return page.substitute(service=html.escape(service), rows=rows).encode()


def make_event(number: int, seconds: float) -> bytes:
    """
    Make one server-sent event.

    :param seconds: the time, since the epoch.
    """
    data = json.dumps({"event": number, "time": time.strftime("%H:%M:%S", time.localtime(seconds))})
    return b"id: %d\ndata: %b\n\n" % (number, data.encode())


class SampleService(ThreadingHTTPServer):
    """
    The service.

    :ivar interval: seconds between two events.
    """

    request_queue_size = 128
    interval = 1.0

    def __init__(self, port: int) -> None:
        super().__init__((HOST, port), SampleHandler)

    def server_bind(self) -> None:
        """
        Bind, without asking the resolver for our own name as the stock server does: that can take seconds.
        """
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = HOST, self.server_address[1]


class SampleHandler(BaseHTTPRequestHandler):
    """
    One connection to the service.
    """

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    server: SampleService

    def do_GET(self) -> None:
        """
        Answer a GET.
        """
        path = self.path.partition("?")[0]
        if path == "/":
            self._answer(HTTPStatus.OK, "text/html; charset=utf-8", self._page())
        elif path == "/events":
            self._events()
        elif path == "/echo":
            self._answer(HTTPStatus.METHOD_NOT_ALLOWED, "text/plain", b"send a POST\n", allow="POST")
        else:
            self._answer(HTTPStatus.NOT_FOUND, "text/plain", b"there are /, /events and /echo\n")

    def do_HEAD(self) -> None:
        """
        Answer a HEAD as the GET, without the body.
        """
        self.do_GET()

    def do_POST(self) -> None:
        """
        Answer a POST.
        """
        if self.path.partition("?")[0] == "/echo":
            self._echo()
        else:
            # The body was not read, so nothing can follow it on this connection.
            self.close_connection = True
            self._answer(HTTPStatus.NOT_FOUND, "text/plain", b"POST to /echo\n")

    def version_string(self) -> str:
        """
        What the Server header says.
        """
        return "pico-sample-service"

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """
        Write nothing: the agent reports each request.
        """

    # Inside

    def _page(self) -> bytes:
        names = ("Host", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "User-Agent")
        facts = [("Request", self.requestline)]
        facts += [(name, self.headers[name]) for name in names if name in self.headers]
        facts.append(("Connected from", f"{self.client_address[0]}:{self.client_address[1]}, the agent"))
        facts.append(("Answered at", time.strftime("%H:%M:%S")))
        return make_page(f"{HOST}:{self.server.server_port}", facts)

    def _answer(self, status: HTTPStatus, content_type: str, body: bytes, *, allow: str = "") -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        if allow:
            self.send_header("Allow", allow)
        self._end_head()
        if self.command != "HEAD":
            self.wfile.write(body)

    def _events(self) -> None:
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Cache-Control", "no-store")
        write = self._start_body(None)
        if self.command == "HEAD":
            return
        try:
            for number in count(1):
                write(make_event(number, time.time()))
                time.sleep(self.server.interval)
        except OSError:
            # Whoever listened has gone; that is how such a stream ends.
            self.close_connection = True

    def _echo(self) -> None:
        chunked = self.headers.get("Transfer-Encoding", "").lower() == "chunked"
        length = None if chunked else int(self.headers.get("Content-Length", "0"))
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", self.headers.get("Content-Type", "application/octet-stream"))
        write = self._start_body(length)
        try:
            for piece in self._chunks() if length is None else self._pieces(length):
                write(piece)
        except OSError:
            self.close_connection = True
            return
        if length is None:
            write(b"")

    def _start_body(self, length: int | None) -> _Writer:
        """
        End the head of an answer whose body is written piece by piece.

        :param length: of the body; ``None`` if nobody knows, in which case an empty piece ends it.
        """
        chunked = length is None and self.request_version != "HTTP/1.0"
        if chunked:
            self.send_header("Transfer-Encoding", "chunked")
        elif length is not None:
            self.send_header("Content-Length", str(length))
        else:
            self.close_connection = True
        self._end_head()
        return self._write_chunk if chunked else self._write

    def _end_head(self) -> None:
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()

    def _write(self, piece: bytes) -> None:
        self.wfile.write(piece)

    def _write_chunk(self, piece: bytes) -> None:
        self.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece))

    def _pieces(self, length: int) -> Iterator[bytes]:
        """
        The next ``length`` bytes, as they come.
        """
        while length:
            piece = self.rfile.read1(min(length, _PIECE))
            if not piece:
                raise ConnectionError("the body ended early")
            length -= len(piece)
            yield piece

    def _chunks(self) -> Iterator[bytes]:
        """
        A body in chunks, without its framing.
        """
        while True:
            line = self.rfile.readline(1024)
            try:
                size = int(line.partition(b";")[0], 16)
            except ValueError:
                raise ConnectionError("malformed chunk") from None
            if not size:
                while self.rfile.readline(_PIECE).strip():
                    pass  # trailers
                return
            yield from self._pieces(size)
            self.rfile.readline(2)


def main(arguments: Sequence[str]) -> None:
    """
    Serve until SIGTERM or SIGINT.

    :param arguments: the port, and nothing else.
    """
    if len(arguments) != 1 or not arguments[0].isdecimal():
        raise SystemExit("usage: python -m pico.demo.service PORT")
    signal.signal(signal.SIGTERM, _leave)
    signal.signal(signal.SIGINT, _leave)
    with SampleService(int(arguments[0])) as service:
        service.serve_forever()


def _leave(number: int, frame: FrameType | None) -> None:
    # The threads of connections are daemons: they end with the process.
    raise SystemExit(0)


if __name__ == "__main__":
    main(sys.argv[1:])
