"""
Tests for :mod:`pico.bench.load.echo`.
"""

from __future__ import annotations

from typing import cast

from twisted.internet.interfaces import IProtocol
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from pico.bench.load.echo import EchoService
from pico.testing import MemoryPipe, RecordingProtocol
from pico.tunnel.stream import TunnelStream


class Stream:
    """
    As much of a tunnel's stream as a service needs: a place for its protocol.
    """

    def __init__(self) -> None:
        self.protocol: IProtocol | None = None

    def attach(self, protocol: IProtocol) -> None:
        """
        Keep the protocol.
        """
        self.protocol = protocol


class EchoTests(SynchronousTestCase):
    """
    A service that sends bodies back.
    """

    def setUp(self) -> None:
        """
        Connect to it.
        """
        stream = Stream()
        EchoService(Clock()).serve(cast(TunnelStream, stream))
        assert stream.protocol is not None
        self.pipe = MemoryPipe()
        self.client = RecordingProtocol()
        self.pipe.connect(self.client, stream.protocol)

    def test_bodies(self) -> None:
        """
        Each request gets its body, whichever way it is framed, one after the other.
        """
        for request, body in (
            (b"GET / HTTP/1.1\r\nHost: e\r\n\r\n", b"Content-Length: 0\r\n\r\n"),
            (b"PUT / HTTP/1.1\r\nHost: e\r\nContent-Length: 5\r\n\r\nhello", b"Content-Length: 5\r\n\r\nhello"),
            (
                b"PUT / HTTP/1.1\r\nHost: e\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n",
                b"Transfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n",
            ),
        ):
            self.client.pieces.clear()
            self.pipe.left.write(request)
            self.pipe.pump()
            self.assertTrue(self.client.received.startswith(b"HTTP/1.1 200 OK\r\n"), self.client.received)
            self.assertTrue(self.client.received.endswith(body), self.client.received)

    def test_malformed(self) -> None:
        """
        What is no request is refused.
        """
        self.pipe.left.write(b"nonsense\r\n\r\n")
        self.pipe.pump()
        self.assertTrue(self.client.received.startswith(b"HTTP/1.1 400 "), self.client.received)

    def test_back_pressure(self) -> None:
        """
        It reads no further than its client does.
        """
        size = 4_000_000
        self.pipe.left.pauseProducing()
        self.pipe.left.write(b"PUT / HTTP/1.1\r\nHost: e\r\nContent-Length: %d\r\n\r\n" % size + bytes(size))
        self.pipe.pump()
        self.assertLess(self.pipe.right.queued, 200_000)
        self.pipe.left.resumeProducing()
        self.pipe.pump()
        self.assertEqual(len(self.client.received.partition(b"\r\n\r\n")[2]), size)
