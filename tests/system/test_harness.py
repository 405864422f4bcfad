"""
The tools of these tests, tried on each other without Pico in between.
"""

from __future__ import annotations

import hashlib

from tests.system.case import SharedSceneTestCase
from tests.system.http_client import (
    Broken,
    Client,
    Malformed,
    NoResponse,
    fetch,
    request_bytes,
)
from tests.system.pattern import PERIOD, PatternCheck, pattern
from tests.system.processes import eventually
from tests.system.services import HTTPService, RecordingService
from tests.system.tunnel_peer import http_response


class ClientReadingTests(SharedSceneTestCase):
    """
    The client forgives nothing.
    """

    @classmethod
    def set_scene(cls, scene: object) -> None:
        """
        Nothing is needed.
        """

    def test_whole(self) -> None:
        """
        Whole responses of every framing are read.
        """
        for data, body in (
            (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nab", b"ab"),
            (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n1\r\nb\r\n0\r\n\r\n", b"ab"),
            (b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nab", b"ab"),
            (b"HTTP/1.1 103 Hints\r\nA: b\r\n\r\nHTTP/1.1 204 No\r\n\r\n", b""),
        ):
            self.assertEqual(http_response(data).body, body)

    def test_cut(self) -> None:
        """
        A response with a length or in chunks that is cut anywhere is broken.
        """
        for data in (
            b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nab",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n1\r\nb\r\n0\r\nx: y\r\n\r\n",
        ):
            for length in range(len(data)):
                self.assertRaises(Broken, http_response, data[:length])

    def test_malformed(self) -> None:
        """
        What is not HTTP/1.1 is not accepted.
        """
        for data in (
            b"HTTP/1.1 200 OK\nContent-Length: 0\n\n",
            b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nContent-Length: 0\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n",
            b"HTTP/1.1 200 OK\r\n\r\nno length and not closed",
            b"HTTP/1.1 200 OK\r\n folded\r\n\r\n",
            b"SSH-2.0\r\n",
        ):
            self.assertRaises(Malformed, http_response, data)

    def test_pattern(self) -> None:
        """
        The pattern can be cut anywhere, and a wrong byte is found.
        """
        whole = pattern(0, 3 * PERIOD)
        self.assertEqual(whole[5:PERIOD], pattern(5, PERIOD - 5))
        self.assertEqual(whole[PERIOD - 5 : PERIOD + 5], pattern(PERIOD - 5, 10))
        check = PatternCheck()
        check(whole[:100])
        check(whole[100:5000])
        self.assertRaises(AssertionError, check, b"\0" * 10)


class ServiceTests(SharedSceneTestCase):
    """
    The services do what their tables say.
    """

    service: HTTPService
    recording: RecordingService

    @classmethod
    def set_scene(cls, scene) -> None:  # type: ignore[no-untyped-def]
        """
        One service of each kind.
        """
        cls.service = scene.run(HTTPService("one"))
        cls.recording = scene.run(RecordingService())

    def test_echo(self) -> None:
        """
        Bodies come back, on one connection.
        """
        with Client(self.service.port) as client:
            for chunked in (False, True):
                body = pattern(0, 100_000)
                client.send(request_bytes("POST", "/echo", body=body, chunked=chunked))
                response = client.response("POST")
                self.assertEqual(response.body, body)
                self.assertEqual(response.header("x-service"), "one")

    def test_bytes(self) -> None:
        """
        The pattern comes in every framing.
        """
        for framing in ("length", "chunked", "close"):
            check = PatternCheck()
            with Client(self.service.port) as client:
                client.send(request_bytes("GET", f"/bytes?n=1000000&framing={framing}"))
                response = client.response(sink=check)
            self.assertEqual((response.framing, check.size), (framing, 1_000_000))

    def test_sink(self) -> None:
        """
        An upload is hashed, and can be looked at while it comes.
        """
        body = pattern(0, 300_000)
        request = request_bytes("POST", "/sink?id=a", body=body)
        with Client(self.service.port) as client:
            client.send(request[:-1])
            upload = self.service.uploads["a"]
            eventually(lambda: upload.received == 299_999, "all but one byte")
            self.assertFalse(upload.complete)
            client.send(request[-1:])
            self.assertEqual(client.response("POST").json(), {"size": 300_000, "digest": upload.digest})
        self.assertEqual(upload.digest, hashlib.sha256(body).hexdigest())

    def test_die(self) -> None:
        """
        A response that dies is broken, however it dies; at the end of the connection only a reset tells.
        """
        for framing, how in (
            ("length", "close"),
            ("length", "reset"),
            ("chunked", "close"),
            ("close", "reset"),
        ):
            self.assertRaises(Broken, fetch, self.service.port, f"/die?framing={framing}&how={how}&n=200000")
        self.assertRaises(NoResponse, fetch, self.service.port, "/hang-up")

    def test_gate(self) -> None:
        """
        A request waits for its gate.
        """
        with Client(self.service.port) as client:
            client.send(request_bytes("GET", "/gate/one"))
            eventually(lambda: self.service.waiting["/gate/one"], "the request at the gate")
            self.service.open_gate("one")
            self.assertEqual(client.response().body, b"opened")

    def test_rest(self) -> None:
        """
        The other routes answer as they should.
        """
        port = self.service.port
        self.assertEqual(fetch(port, "/trailers").trailers, [("x-digest", "abc"), ("x-got", "")])
        self.assertEqual(fetch(port, "/hints").interim[0][0], 103)
        self.assertEqual(fetch(port, "/status/204").status, 204)
        self.assertEqual(fetch(port, "/status/304").header("content-length"), "1234")
        self.assertEqual(fetch(port, "/bytes?n=10", "HEAD").header("content-length"), "10")
        self.assertEqual(fetch(port, "/refuse", "POST", body=b"x" * 10).status, 413)
        self.assertEqual(fetch(port, "/any?x=1").body, b"one: GET /any?x=1\n")
        self.assertRaises(Malformed, fetch, port, "/raw?bytes=hello%0D%0A")

    def test_event_stream(self) -> None:
        """
        Events come when they are pushed.
        """
        with Client(self.service.port) as client:
            client.send(request_bytes("GET", "/sse/s?framing=close"))
            eventually(lambda: self.service.waiting["/sse/s"], "the reader")
            client.receive()
            for event in ("1", "2"):
                self.service.push("s", event)
                self.assertEqual(client.receive(), f"data: {event}\n\n".encode())
            self.service.push("s", "")
            self.assertEqual(client.receive(), b"")

    def test_recording(self) -> None:
        """
        The recorder answers each request that it can make out, smuggled ones too, and keeps every byte.
        """
        data = (
            b"GET /a HTTP/1.1\r\n\r\nPOST /b HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc"
            b"POST /c HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\nGET /d HTTP/1.1\n\n"
        )
        with Client(self.recording.port) as client:
            for byte in data:
                client.send(bytes([byte]))
            bodies = [client.response().body for _ in range(4)]
        self.assertEqual(
            bodies,
            [b"recorded: %b HTTP/1.1" % each for each in (b"GET /a", b"POST /b", b"POST /c", b"GET /d")],
        )
        self.assertEqual(bytes(self.recording.connections[-1].data), data)
