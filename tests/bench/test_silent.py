"""
Tests for :mod:`pico.bench.silent`.
"""

from __future__ import annotations

import struct

from twisted.trial.unittest import SynchronousTestCase

from pico.bench.faults import BenchError
from pico.bench.silent import SilentTunnel, make_upgrade
from pico.wire.http1.events import RequestHead
from pico.wire.http1.headers import HeaderCache
from pico.wire.http1.server import ServerConnection
from pico.wire.websocket.events import Bytes
from pico.wire.websocket.handshake import accept_key, check_request
from pico.wire.websocket.stream import ByteStream, Side
from pico.wire.yamux.events import PongReceived
from pico.wire.yamux.session import Role, Session

KEY = b"dGhlIHNhbXBsZSBub25jZQ=="


def answer(key: bytes = accept_key(KEY), status: bytes = b"101 Switching Protocols") -> bytes:
    return (
        b"HTTP/1.1 " + status + b"\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: " + key + b"\r\n\r\n"
    )


def message(payload: bytes, opcode: int = 2) -> bytes:
    """
    Frame a server's message, in each of the three ways of writing a length.
    """
    size = len(payload)
    if size < 126:
        return bytes([0x80 | opcode, size]) + payload
    if size < 65_536:
        return bytes([0x80 | opcode, 126]) + struct.pack("!H", size) + payload
    return bytes([0x80 | opcode, 127]) + struct.pack("!Q", size) + payload


def frame(kind: int, flags: int, stream: int, length: int) -> bytes:
    return struct.pack("!BBHII", 0, kind, flags, stream, length)


PING = frame(2, 1, 0, 77)
#: What a client's message of one pong is: a zero mask changes nothing.
PONG = b"\x82\x8c\0\0\0\0" + frame(2, 2, 0, 77)


class UpgradeTests(SynchronousTestCase):
    def test_request(self) -> None:
        """
        A node's reader takes the request for the upgrade of a tunnel.
        """
        head = ServerConnection(HeaderCache()).receive_data(make_upgrade("silent-7", 8001))[0]
        assert isinstance(head, RequestHead)
        self.assertEqual(head.target, b"/pico/v1/upstream/silent-7")
        self.assertEqual(check_request(head), KEY)

    def test_accepted(self) -> None:
        """
        The tunnel stands once the whole answer has come.
        """
        for position in range(len(answer())):
            tunnel = SilentTunnel()
            tunnel.receive(answer()[:position])
            self.assertFalse(tunnel.accepted)
            self.assertEqual(tunnel.receive(answer()[position:]), b"")
            self.assertTrue(tunnel.accepted)

    def test_refused(self) -> None:
        """
        Another status, a wrong acceptance and an endless head are errors.
        """
        table = [
            answer(status=b"503 Service Unavailable"),
            answer(key=accept_key(b"another")),
            b"HTTP/1.1 101 a\r\n" + b"x" * 20_000,
        ]
        for data in table:
            self.assertRaises(BenchError, SilentTunnel().receive, data)


class PingTests(SynchronousTestCase):
    #: What follows the answer, and what is sent back.
    TABLE = (
        (message(PING), PONG),
        (message(PING[:5]) + message(b"") + message(PING[5:]), PONG),
        (message(PING + PING), PONG + PONG),
        (message(frame(2, 2, 0, 5)), b""),
        (message(frame(0, 1, 2, 300) + b"\x00\x02" * 150 + PING), PONG),
        (message(frame(0, 1, 2, 70_000) + bytes(70_000) + PING), PONG),
        (message(frame(1, 1, 2, 4_000_000) + frame(3, 0, 0, 0) + PING), PONG),
        (message(b"going", opcode=9) + message(PING), PONG),
    )

    def test_pings(self) -> None:
        """
        Pings are answered, all else is ignored, however it is carried.
        """
        for data, reply in self.TABLE:
            self.assertEqual(SilentTunnel().receive(answer() + data), reply)

    def test_cut(self) -> None:
        """
        It does not matter where the bytes are cut.
        """
        for data, reply in self.TABLE[:5]:
            whole = answer() + data
            for position in range(len(answer()), len(whole)):
                tunnel = SilentTunnel()
                replies = tunnel.receive(whole[:position]) + tunnel.receive(whole[position:])
                self.assertEqual(replies, reply)

    def test_node_understands(self) -> None:
        """
        A node's session takes the reply for the answer to its ping.
        """
        session, carrier = Session(Role.SERVER), ByteStream(Side.SERVER)
        session.ping(1.0)
        tunnel = SilentTunnel()
        reply = tunnel.receive(answer() + carrier.send(session.data_to_send()))
        received = b"".join(event.data for event in carrier.receive_data(reply) if isinstance(event, Bytes))
        events = session.receive_data(received, 1.5)
        self.assertEqual([type(event) for event in events], [PongReceived])
