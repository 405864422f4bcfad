"""
Tests for :mod:`pico.demo.service`.
"""

from __future__ import annotations

import io
import json
from typing import cast

from twisted.trial.unittest import SynchronousTestCase

from pico.demo.service import SampleHandler, SampleService, make_event, make_page


class FakeSocket:
    """
    A connection whose client has sent everything already.

    :ivar sent: what the service has answered.
    """

    def __init__(self, received: bytes, *, room: float = float("inf")) -> None:
        """
        :param room: writes that succeed before the client is gone.
        """
        self._received = received
        self._room = room
        self.sent = b""

    def makefile(self, mode: str, buffering: int = -1) -> io.BufferedReader:
        return io.BufferedReader(io.BytesIO(self._received))

    def setsockopt(self, *arguments: object) -> None:
        pass

    def sendall(self, data: bytes) -> None:
        if self._room <= 0:
            raise BrokenPipeError
        self._room -= 1
        self.sent += bytes(data)


class FakeServer:
    """
    As much of the service as a connection asks for.
    """

    interval = 0.0
    server_port = 4000


def serve(*requests: bytes, room: float = float("inf")) -> bytes:
    """
    Let the handler serve one connection.
    """
    connection = FakeSocket(b"".join(requests), room=room)
    SampleHandler(connection, ("127.0.0.1", 5555), cast(SampleService, FakeServer()))  # type: ignore[arg-type]
    return connection.sent


def answers(sent: bytes) -> list[tuple[int, dict[str, str], bytes]]:
    """
    Take answers with a length apart.
    """
    found = []
    while sent:
        head, _, sent = sent.partition(b"\r\n\r\n")
        first, *lines = head.decode().split("\r\n")
        fields = dict(line.split(": ", 1) for line in lines)
        size = int(fields.get("Content-Length", "0"))
        found.append((int(first.split()[1]), fields, sent[:size]))
        sent = sent[size:]
    return found


class MakePageTests(SynchronousTestCase):
    def test_facts(self) -> None:
        """
        The page says who made it and what was seen of the request.
        """
        page = make_page("127.0.0.1:4000", [("Host", "my-endpoint.example.com")]).decode()
        self.assertIn("sample service at 127.0.0.1:4000", page)
        self.assertIn("<tr><th>Host</th><td>my-endpoint.example.com</td></tr>", page)

    def test_escaped(self) -> None:
        """
        What a client sends is text on the page, never markup.
        """
        page = make_page("s", [("User-Agent", "<script>$service&")]).decode()
        self.assertIn("<td>&lt;script&gt;$service&amp;</td>", page)


class MakeEventTests(SynchronousTestCase):
    def test_form(self) -> None:
        """
        An event has its number as id, JSON as data, and an empty line behind it.
        """
        first, second, *rest = make_event(7, 0.0).split(b"\n")
        self.assertEqual(first, b"id: 7")
        self.assertEqual(json.loads(second.removeprefix(b"data: "))["event"], 7)
        self.assertEqual(rest, [b"", b""])


class SampleHandlerTests(SynchronousTestCase):
    def test_page(self) -> None:
        """
        The page shows the request line and the headers that a proxy sets.
        """
        ((status, fields, body),) = answers(
            serve(b"GET /?a=b HTTP/1.1\r\nHost: x.example.com\r\nX-Forwarded-For: 10.1.2.3\r\n\r\n")
        )
        self.assertEqual(status, 200)
        self.assertEqual(fields["Content-Type"], "text/html; charset=utf-8")
        for text in (b"GET /?a=b HTTP/1.1", b"x.example.com", b"10.1.2.3", b"127.0.0.1:5555"):
            self.assertIn(text, body)

    def test_head(self) -> None:
        """
        HEAD gets the head of the page alone.
        """
        sent = serve(b"HEAD / HTTP/1.1\r\nHost: x\r\n\r\n")
        self.assertTrue(sent.startswith(b"HTTP/1.1 200 "))
        self.assertTrue(sent.endswith(b"\r\n\r\n"))
        self.assertNotIn(b"<html", sent)

    def test_head_of_events(self) -> None:
        """
        HEAD of the events ends.
        """
        sent = serve(b"HEAD /events HTTP/1.1\r\nHost: x\r\n\r\n")
        self.assertIn(b"Content-Type: text/event-stream", sent)
        self.assertTrue(sent.endswith(b"\r\n\r\n"))

    def test_events(self) -> None:
        """
        Events come one by one, each in a chunk of its own, until the client is gone.
        """
        sent = serve(b"GET /events HTTP/1.1\r\nHost: x\r\n\r\n", room=4)
        head, _, body = sent.partition(b"\r\n\r\n")
        self.assertIn(b"Transfer-Encoding: chunked", head)
        numbers = []
        while body:
            size, _, body = body.partition(b"\r\n")
            chunk, end, body = body[: int(size, 16)], body[int(size, 16) :][:2], body[int(size, 16) + 2 :]
            self.assertEqual(end, b"\r\n")
            numbers.append(chunk.split(b"\n")[0])
        self.assertEqual(numbers, [b"id: 1", b"id: 2", b"id: 3"])

    def test_events_old_client(self) -> None:
        """
        A client of HTTP/1.0 gets them without chunks.
        """
        sent = serve(b"GET /events HTTP/1.0\r\n\r\n", room=2)
        head, _, body = sent.partition(b"\r\n\r\n")
        self.assertNotIn(b"chunked", head)
        self.assertIn(b"Connection: close", head)
        self.assertTrue(body.startswith(b"id: 1\ndata: "))

    def test_echo(self) -> None:
        """
        A body with a length comes back with that length and its type, and the connection goes on.
        """
        request = b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Type: text/x\r\nContent-Length: 5\r\n\r\nhello"
        first, second = answers(serve(request, request))
        self.assertEqual((first[0], first[1]["Content-Type"], first[2]), (200, "text/x", b"hello"))
        self.assertEqual(second[2], b"hello")

    def test_echo_chunks(self) -> None:
        """
        A body in chunks comes back in chunks.
        """
        sent = serve(
            b"POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
            b"5;a=b\r\nhello\r\n1\r\n!\r\n0\r\nX-Trailer: 1\r\n\r\n",
            b"HEAD / HTTP/1.1\r\nHost: x\r\n\r\n",
        )
        _, _, body = sent.partition(b"\r\n\r\n")
        self.assertTrue(body.startswith(b"5\r\nhello\r\n1\r\n!\r\n0\r\n\r\nHTTP/1.1 200 "), body)

    def test_echo_short(self) -> None:
        """
        A body that breaks off is not answered as if it were complete, and nothing follows it.
        """
        for request in (
            b"Content-Length: 5\r\n\r\nhel",
            b"Transfer-Encoding: chunked\r\n\r\n5\r\nhel",
            b"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
        ):
            sent = serve(b"POST /echo HTTP/1.1\r\nHost: x\r\n" + request)
            self.assertEqual(sent.count(b"HTTP/1.1 200"), 1)
            self.assertFalse(sent.endswith(b"0\r\n\r\n"), request)
            self.assertFalse(sent.endswith(b"hello"), request)

    def test_elsewhere(self) -> None:
        """
        Other paths are not found, and the echo takes nothing but a POST.
        """
        statuses = [
            answers(serve(request + b" HTTP/1.1\r\nHost: x\r\n\r\n"))[0][0]
            for request in (b"GET /nothing", b"POST /nothing", b"GET /echo", b"GET /events2")
        ]
        self.assertEqual(statuses, [404, 404, 405, 404])

    def test_unread_body(self) -> None:
        """
        A body that nobody reads is not taken for a request.
        """
        ((status, fields, _),) = answers(
            serve(b"POST /nothing HTTP/1.1\r\nHost: x\r\nContent-Length: 18\r\n\r\nGET / HTTP/1.1\r\n\r\n")
        )
        self.assertEqual((status, fields["Connection"]), (404, "close"))
