"""
What the WebSocket tests share: frames by hand, ways to cut, events as plain values.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from pico.wire.websocket.events import Bytes, Closed, Event
from pico.wire.websocket.stream import ByteStream, Side

CONT, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10

#: The mask of every frame made here.
MASK = bytes([0x37, 0xFA, 0x21, 0x3D])

#: An event as a value: "bytes", "closed" or "failed", and what it says.
Plain = tuple[str, object]


def frame(opcode: int, payload: bytes = b"", *, fin: bool = True, to: Side = Side.CLIENT) -> bytes:
    """
    A frame as the peer of ``to`` sends it (RFC 6455 section 5.2).
    """
    masked = to is Side.SERVER
    size = len(payload)
    if size < 126:
        head = bytes([fin << 7 | opcode, masked << 7 | size])
    elif size < 65_536:
        head = bytes([fin << 7 | opcode, masked << 7 | 126]) + size.to_bytes(2, "big")
    else:
        head = bytes([fin << 7 | opcode, masked << 7 | 127]) + size.to_bytes(8, "big")
    return head + MASK + mask(payload) if masked else head + payload


def mask(payload: bytes, key: bytes = MASK) -> bytes:
    """
    Mask, or unmask.
    """
    return bytes(byte ^ key[index & 3] for index, byte in enumerate(payload))


def close(code: int, reason: bytes = b"") -> bytes:
    """
    The payload of a Close frame.
    """
    return code.to_bytes(2, "big") + reason


def frames(data: bytes) -> list[tuple[int, bool, bytes]]:
    """
    Take frames apart: opcode, whether it is the last of its message, payload.
    """
    found = []
    pos = 0
    while pos < len(data):
        opcode, fin = data[pos] & 15, data[pos] >= 128
        masked, size = data[pos + 1] >= 128, data[pos + 1] & 127
        pos += 2
        if size > 125:
            width = 2 if size == 126 else 8
            size = int.from_bytes(data[pos : pos + width], "big")
            pos += width
        key = data[pos : pos + 4] if masked else bytes(4)
        pos += 4 if masked else 0
        payload = data[pos : pos + size]
        if len(payload) != size:
            raise AssertionError("a frame is cut off")
        found.append((opcode, fin, mask(payload, key)))
        pos += size
    return found


def plain(events: Iterable[Event]) -> list[Plain]:
    """
    Turn events into values.
    """
    out: list[Plain] = []
    for event in events:
        if isinstance(event, Bytes):
            out.append(("bytes", event.data))
        elif isinstance(event, Closed):
            out.append(("closed", event.code))
        else:
            out.append(("failed", event.error.code))
    return out


def cut_anywhere(data: bytes) -> Iterator[list[bytes]]:
    """
    Bytes whole, one by one, and in two at every place.
    """
    yield [data]
    yield [data[i : i + 1] for i in range(len(data))]
    for cut in range(1, len(data)):
        yield [data[:cut], data[cut:]]


def feed(stream: ByteStream, pieces: Iterable[bytes]) -> tuple[list[Plain], list[tuple[int, bool, bytes]]]:
    """
    Let a stream receive pieces.

    :return: what it reported, bytes that follow each other as one, and the frames that it replied with.
    """
    events: list[Plain] = []
    replies = b""
    for piece in pieces:
        events += plain(stream.receive_data(piece))
        replies += stream.data_to_send()
    return joined(events), frames(replies)


def joined(events: Iterable[Plain]) -> list[Plain]:
    """
    Events with bytes that follow each other as one, since it means nothing how they were cut.
    """
    out: list[Plain] = []
    for kind, what in events:
        if kind == "bytes" and out and out[-1][0] == "bytes":
            before = out[-1][1]
            assert isinstance(before, bytes) and isinstance(what, bytes)
            out[-1] = (kind, before + what)
        else:
            out.append((kind, what))
    return out
