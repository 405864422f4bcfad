"""
Tests for :mod:`pico.bench.counting`.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from pico.bench.counting import MessageCounter
from pico.bench.faults import BenchError

STREAM = (
    b"HTTP/1.1 200 OK\r\nA: b\r\nContent-Length: 10\r\n\r\n0123456789"
    b"HTTP/1.1 204 Nothing\r\ncontent-length:0\r\n\r\n"
    b"HTTP/1.1 200 Last\r\nCONTENT-LENGTH:  3 \r\nB: c\r\n\r\nabc"
)


def count(*pieces: bytes) -> MessageCounter:
    counter = MessageCounter()
    for piece in pieces:
        counter.feed(memoryview(piece))
    return counter


class MessageCounterTests(SynchronousTestCase):
    def check(self, counter: MessageCounter) -> None:
        self.assertEqual((counter.messages, counter.body_bytes, counter.start_line), (3, 13, b"HTTP/1.1 200 Last"))

    def test_whole(self) -> None:
        """
        Messages that come at once are counted one by one.
        """
        self.check(count(STREAM))

    def test_cut(self) -> None:
        """
        Messages are counted the same wherever they are cut.
        """
        for position in range(len(STREAM) + 1):
            self.check(count(STREAM[:position], STREAM[position:]))

    def test_bytes(self) -> None:
        """
        Messages are counted the same byte by byte.
        """
        self.check(count(*(bytes([byte]) for byte in STREAM)))

    def test_incomplete(self) -> None:
        """
        A message counts when its last byte has come.
        """
        self.assertEqual(count(STREAM[:-1]).messages, 2)

    def test_request(self) -> None:
        """
        A request without a length has no body.
        """
        counter = count(b"GET / HTTP/1.1\r\nHost: a\r\n\r\nPOST / HTTP/1.1\r\nContent-Length: 1\r\n\r\nx")
        self.assertEqual((counter.messages, counter.body_bytes), (2, 1))

    def test_no_length(self) -> None:
        """
        Bodies of unknown length are refused, as is a head that does not end.
        """
        table = [
            b"HTTP/1.1 200 OK\r\nServer: a\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
            b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n",
            b"x" * 100_000,
        ]
        for stream in table:
            self.assertRaises(BenchError, count, stream)
