"""
What real Piko programs sent each other (``tests/captures``), read by our cores of HTTP and WebSocket in
both roles.

The bytes of the tunnel that come out are compared with those that wsproto and a few lines of plain Python
find. What they say is the business of ``tests/wire/yamux/test_captures.py``.
"""

from __future__ import annotations

import gzip
import json
import random
from collections.abc import Iterable, Iterator
from functools import cache
from os import urandom
from pathlib import Path

import attrs
from twisted.trial.unittest import SynchronousTestCase
from wsproto.connection import Connection, ConnectionType
from wsproto.events import BytesMessage

from pico.wire.http1.client import ClientConnection
from pico.wire.http1.events import Data, EndOfMessage, RequestHead, ResponseHead
from pico.wire.http1.headers import HeaderCache
from pico.wire.http1.server import ServerConnection
from pico.wire.websocket.events import Bytes, Closed
from pico.wire.websocket.handshake import check_request, check_response, response_lines
from pico.wire.websocket.stream import ByteStream, Side

CAPTURES = Path(__file__).parent.parent / "captures"
NAMES = sorted(path.name.partition(".")[0] for path in CAPTURES.glob("*.jsonl.gz"))

#: Directions of more bytes than these are cut at random places only.
SMALL = 5_000


@attrs.frozen
class Recording:
    """
    One connection.

    :ivar to_node: what the agent or forwarder sent, as TCP delivered it.
    :ivar to_agent: what came back.
    :ivar agent_ended: whether the agent's end of TCP was recorded.
    """

    name: str
    to_node: tuple[bytes, ...]
    to_agent: tuple[bytes, ...]
    agent_ended: bool
    node_ended: bool

    @property
    def key(self) -> bytes:
        """
        The key of the upgrade, found without a parser.
        """
        return self.to_node[0].partition(b"Sec-WebSocket-Key: ")[2].partition(b"\r\n")[0]


@cache
def recordings() -> tuple[Recording, ...]:
    """
    Every connection of every recording.
    """
    found = []
    for name in NAMES:
        connections: dict[int, dict[str, list[bytes]]] = {}
        ended: set[tuple[int, str]] = set()
        with gzip.open(CAPTURES / f"{name}.jsonl.gz", "rt") as lines:
            for line in lines:
                entry = json.loads(line)
                ways = connections.setdefault(entry["conn"], {"a>n": [], "n>a": []})
                if entry.get("eof"):
                    ended.add((entry["conn"], entry["dir"]))
                else:
                    ways[entry["dir"]].append(bytes.fromhex(entry["hex"]))
        for number, ways in connections.items():
            ends = ((number, way) in ended for way in ("a>n", "n>a"))
            found.append(Recording(f"{name}/{number}", tuple(ways["a>n"]), tuple(ways["n>a"]), *ends))
    return tuple(found)


@attrs.define
class Heard:
    """
    What one role made of what it received.

    :ivar target: of the request.
    :ivar status: of the response.
    :ivar content: the bytes in the WebSocket, or the body of a refusal.
    :ivar replies: what the WebSocket wanted to say by itself.
    """

    target: bytes = b""
    status: int = 0
    content: bytes = b""
    closed: int = 0
    replies: bytes = b""

    def take(self, stream: ByteStream, pieces: Iterable[bytes], ended: bool) -> None:
        """
        Let a stream receive pieces, and the end.
        """
        content = []
        for piece in pieces:
            for event in stream.receive_data(piece):
                if not isinstance(event, Bytes):
                    raise AssertionError(event)
                content.append(event.data)
            self.replies += stream.data_to_send()
        self.content = b"".join(content)
        if ended:
            (end,) = stream.receive_eof()
            if not isinstance(end, Closed):
                raise AssertionError(end)
            self.closed = end.code


def as_node(pieces: Iterable[bytes], ended: bool) -> Heard:
    """
    Play the node: take the agent's bytes.
    """
    heard = Heard()
    arriving = iter(pieces)
    server = ServerConnection(HeaderCache())
    for piece in arriving:
        events = server.receive_data(piece)
        if events:
            break
    head, end = events
    if not isinstance(head, RequestHead) or end != EndOfMessage([]):
        raise AssertionError(events)
    heard.target = head.target
    server.send_head(101, b"", response_lines(check_request(head)), length=None)
    heard.take(ByteStream(Side.SERVER), with_leftover(server.take_leftover(), arriving), ended)
    return heard


def as_agent(pieces: Iterable[bytes], key: bytes, ended: bool) -> Heard:
    """
    Play the agent: take the node's bytes.
    """
    heard = Heard()
    arriving = iter(pieces)
    client = ClientConnection(HeaderCache())
    client.send_request(b"GET", b"/", [b"Host: node"], upgrade=b"websocket")
    client.send_end()
    for piece in arriving:
        for event in client.receive_data(piece):
            if isinstance(event, ResponseHead):
                heard.status = event.status
                if event.status == 101:
                    check_response(event, key)
            elif isinstance(event, Data):
                heard.content += event.data
            elif not isinstance(event, EndOfMessage):
                raise AssertionError(event)
        if client.switched:
            heard.take(ByteStream(Side.CLIENT, masks=urandom), with_leftover(client.take_leftover(), arriving), ended)
    if not client.switched and client.receive_eof():
        raise AssertionError("the answer was cut off")
    return heard


def with_leftover(leftover: bytes, rest: Iterable[bytes]) -> Iterator[bytes]:
    """
    What came with the head, then the rest.
    """
    if leftover:
        yield leftover
    yield from rest


def expected(pieces: Iterable[bytes], side: ConnectionType) -> bytes:
    """
    The bytes in the WebSocket, by wsproto.
    """
    content = []
    connection = Connection(side)
    connection.receive_data(b"".join(pieces).partition(b"\r\n\r\n")[2])
    for event in connection.events():
        if not isinstance(event, BytesMessage):
            raise AssertionError(event)
        content.append(bytes(event.data))
    return b"".join(content)


def by_hand(pieces: Iterable[bytes]) -> bytes:
    """
    The bytes in the WebSocket, by the drawing in RFC 6455 section 5.2.
    """
    data = b"".join(pieces).partition(b"\r\n\r\n")[2]
    content = []
    at = 0
    while at < len(data):
        masked, size = data[at + 1] >> 7, data[at + 1] & 127
        at += 2
        width = {126: 2, 127: 8}.get(size, 0)
        size = int.from_bytes(data[at : at + width], "big") if width else size
        at += width + 4 * masked
        mask = int.from_bytes((data[at - 4 : at] * (size // 4 + 1))[:size], "big") if masked else 0
        content.append((int.from_bytes(data[at : at + size], "big") ^ mask).to_bytes(size, "big"))
        at += size
    return b"".join(content)


def cuts(data: bytes) -> Iterator[list[bytes]]:
    """
    Whole, byte by byte and in two at every place, or at many random places if there is too much for that.
    """
    yield [data]
    if len(data) <= SMALL:
        yield [data[i : i + 1] for i in range(len(data))]
        for place in range(1, len(data)):
            yield [data[:place], data[place:]]
        return
    for seed in range(3):
        source = random.Random(seed)
        places = sorted(source.sample(range(1, len(data)), 400))
        yield [data[a:b] for a, b in zip([0, *places], [*places, len(data)], strict=True)]


class CaptureTests(SynchronousTestCase):
    """
    Every recording, in both roles.
    """

    def test_all_are_there(self) -> None:
        """
        The recordings are the ten that were made, with eleven connections.
        """
        self.assertEqual(10, len(NAMES))
        self.assertEqual(11, len(recordings()))

    def test_as_node(self) -> None:
        """
        We read every byte that agents and forwarders sent, however it is cut.
        """
        for recording in recordings():
            content = by_hand(recording.to_node)
            self.assertEqual(expected(recording.to_node, ConnectionType.SERVER), content)
            target = recording.to_node[0].split(b" ")[1]
            closed = 1006 if recording.agent_ended else 0
            for pieces in [recording.to_node, *cuts(b"".join(recording.to_node))]:
                heard = as_node(pieces, recording.agent_ended)
                self.assertEqual(Heard(target, 0, content, closed), heard, recording.name)

    def test_as_agent(self) -> None:
        """
        We read every byte that nodes sent, however it is cut.
        """
        for recording in recordings():
            status = int(recording.to_agent[0].split(b" ")[1])
            if status != 101:
                continue
            content = by_hand(recording.to_agent)
            self.assertEqual(expected(recording.to_agent, ConnectionType.CLIENT), content)
            closed = 1006 if recording.node_ended else 0
            for pieces in [recording.to_agent, *cuts(b"".join(recording.to_agent))]:
                heard = as_agent(pieces, recording.key, recording.node_ended)
                self.assertEqual(Heard(b"", 101, content, closed), heard, recording.name)

    def test_refused(self) -> None:
        """
        We read why a forwarder was refused, however it is cut.
        """
        refused = [each for each in recordings() if not each.to_agent[0].startswith(b"HTTP/1.1 101")]
        self.assertEqual(["forward-tcp/1"], [recording.name for recording in refused])
        for pieces in cuts(b"".join(refused[0].to_agent)):
            heard = as_agent(pieces, refused[0].key, True)
            self.assertEqual(Heard(b"", 502, b'{"error":"no available upstreams"}\n'), heard)
