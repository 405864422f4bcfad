"""
Tests for :mod:`pico.bench.bodies`.
"""

from __future__ import annotations

import json

import attrs
from twisted.trial.unittest import SynchronousTestCase

from pico.bench.bodies import Order, Transfer, make_request, parse_order
from pico.bench.faults import BenchError

DOWN = Order(way="down", port=80, path="/body", endpoint="bench", size=10, at_once=1, repeat=2)
UP = attrs.evolve(DOWN, way="up", path="/sink")
BODY = b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n0123456789"
TAKEN = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


def send_all(transfer: Transfer, most: int) -> bytes:
    """
    Take what a transfer sends, so many bytes at a time.
    """
    taken = b""
    while transfer.sends:
        piece = transfer.next_piece()[:most].tobytes()
        transfer.sent(len(piece))
        taken += piece
    return taken


class RequestTests(SynchronousTestCase):
    def test_requests(self) -> None:
        """
        A download is a GET; an upload is a POST that tells its length.
        """
        common = b"Host: 127.0.0.1:80\r\nx-pico-endpoint: bench\r\n"
        self.assertEqual(make_request(DOWN), b"GET /body HTTP/1.1\r\n" + common + b"\r\n")
        self.assertEqual(make_request(UP), b"POST /sink HTTP/1.1\r\n" + common + b"Content-Length: 10\r\n\r\n")

    def test_order(self) -> None:
        """
        An order survives the command line.
        """
        self.assertEqual(parse_order([json.dumps(attrs.asdict(UP))]), UP)


class TransferTests(SynchronousTestCase):
    def make(self, order: Order) -> Transfer:
        return Transfer(order, memoryview(b"abcd"))

    def test_down(self) -> None:
        """
        The next body is asked for when the one before has come.
        """
        transfer = self.make(DOWN)
        for _ in range(2):
            self.assertFalse(transfer.done)
            self.assertEqual(send_all(transfer, 7), make_request(DOWN))
            transfer.received(memoryview(BODY[:-5]))
            self.assertFalse(transfer.sends)
            transfer.received(memoryview(BODY[-5:]))
        self.assertTrue(transfer.done)
        self.assertFalse(transfer.sends)

    def test_up(self) -> None:
        """
        The next body is sent when the one before was answered.
        """
        transfer = self.make(UP)
        for _ in range(2):
            self.assertFalse(transfer.done)
            self.assertEqual(send_all(transfer, 3), make_request(UP) + b"abcabcabca")
            transfer.received(memoryview(TAKEN))
        self.assertTrue(transfer.done)

    def test_faults(self) -> None:
        """
        Another status, another size, an answer before the body is up and an early end are errors.
        """
        early = self.make(UP)
        self.assertRaises(BenchError, early.received, memoryview(TAKEN))
        table = [
            (DOWN, b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 10\r\n\r\n0123456789"),
            (DOWN, TAKEN),
            (DOWN, b""),
            (UP, b"HTTP/1.1 500 Oh\r\nContent-Length: 0\r\n\r\n"),
        ]
        for order, answer in table:
            transfer = self.make(order)
            send_all(transfer, 100)
            self.assertRaises(BenchError, transfer.received, memoryview(answer))
