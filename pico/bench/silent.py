"""
The agent's end of a tunnel that carries nothing: upgrade, then silence, but pings are answered.

So small that thousands of them fit into a program that shares the machine with the node. Pure.
"""

from __future__ import annotations

import struct

from pico.bench.faults import BenchError

_HEADER = struct.Struct("!BBHII")
_DATA, _PING = 0, 2
_SYN, _ACK = 1, 2

#: A key and what a server makes of it (RFC 6455 section 1.3).
_KEY = b"dGhlIHNhbXBsZSBub25jZQ=="
_ACCEPT = b"s3pplmbitxaq9kygzzhzrbk+xoo="

#: A binary message of one yamux header; a masking key of zeros leaves it as it is (RFC 6455 section 5.3).
_REPLY_PREFIX = b"\x82\x8c\0\0\0\0"

_MAX_HEAD = 16_384


def make_upgrade(endpoint: str, port: int) -> bytes:
    """
    Word the request that asks for a tunnel, as an agent of this version does.
    """
    return (
        b"GET /pico/v1/upstream/%b HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n"
        b"Connection: Upgrade\r\nUpgrade: websocket\r\n"
        b"Sec-WebSocket-Key: %b\r\nSec-WebSocket-Version: 13\r\nx-pico-capabilities: go-away\r\n\r\n"
    ) % (endpoint.encode("ascii"), port, _KEY)


class SilentTunnel:
    """
    One tunnel.

    :ivar accepted: whether the node has upgraded the connection.
    """

    __slots__ = ("_messages", "_session", "accepted")

    def __init__(self) -> None:
        self.accepted = False
        self._messages = b""
        self._session = b""

    def receive(self, data: bytes) -> bytes:
        """
        Take bytes, cut anywhere.

        :return: what to send.
        :raises BenchError: if the node refuses.
        """
        self._messages += data
        if not self.accepted and not self._read_head():
            return b""
        self._session += self._read_messages()
        return self._read_session()

    def _read_head(self) -> bool:
        head, end, rest = self._messages.partition(b"\r\n\r\n")
        if not end:
            if len(head) > _MAX_HEAD:
                raise BenchError("the node's answer has no end")
            return False
        if not head.startswith(b"HTTP/1.1 101 ") or _ACCEPT not in head.lower():
            raise BenchError(f"the node refused: {head.decode('latin-1')}")
        self.accepted = True
        self._messages = rest
        return True

    def _read_messages(self) -> bytes:
        """
        Take whole frames out of the WebSocket: the payloads of binary ones.
        """
        data, position, payloads = self._messages, 0, []
        while (frame := _find_frame(data, position)) is not None:
            start, end = frame
            if data[position] & 0x0F <= 2:
                payloads.append(data[start:end])
            position = end
        self._messages = data[position:]
        return b"".join(payloads)

    def _read_session(self) -> bytes:
        """
        Take whole frames out of the yamux session, and answer pings.
        """
        data, position, replies = self._session, 0, []
        while len(data) - position >= _HEADER.size:
            _, kind, flags, stream, length = _HEADER.unpack_from(data, position)
            end = position + _HEADER.size + (length if kind == _DATA else 0)
            if end > len(data):
                break
            if kind == _PING and flags & _SYN:
                replies.append(_REPLY_PREFIX + _HEADER.pack(0, _PING, _ACK, stream, length))
            position = end
        self._session = data[position:]
        return b"".join(replies)


def _find_frame(data: bytes, position: int) -> tuple[int, int] | None:
    """
    Find a server's frame (RFC 6455 section 5.2): unmasked.

    :return: where its payload begins and ends; nothing while it is not complete.
    """
    if len(data) < position + 2:
        return None
    start = position + 2
    length = data[position + 1] & 0x7F
    if length >= 126:
        size = 2 if length == 126 else 8
        if len(data) < start + size:
            return None
        length = int.from_bytes(data[start : start + size], "big")
        start += size
    return (start, start + length) if start + length <= len(data) else None
