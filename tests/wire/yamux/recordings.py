"""
The yamux layer of what real Piko programs sent each other (``tests/captures``).
"""

from __future__ import annotations

import gzip
import json
from functools import cache
from pathlib import Path

from websockets.frames import Frame, Opcode
from websockets.protocol import Protocol, Side, State

CAPTURES = Path(__file__).parents[2] / "captures"

#: From agent to node and back, as the recordings name them.
TO_NODE = "a>n"
TO_AGENT = "n>a"

NAMES = (
    "agent-sigterm",
    "http-big-download",
    "http-big-upload",
    "http-concurrent",
    "http-small",
    "idle-70s",
    "server-sigterm",
    "service-down",
    "two-endpoints-tcp",
)

#: Recordings of more bytes than can be cut at every place.
BIG = frozenset({"http-big-download", "http-big-upload", "two-endpoints-tcp"})


@cache
def recording(name: str) -> list[tuple[float, str, bytes | None]]:
    """
    Read a recording as (seconds, direction, bytes of the session), in order; ``None`` is the end of TCP.
    """
    heads = {TO_NODE: b"", TO_AGENT: b""}
    readers = {
        TO_NODE: Protocol(Side.SERVER, state=State.OPEN, max_size=None),
        TO_AGENT: Protocol(Side.CLIENT, state=State.OPEN, max_size=None),
    }
    upgraded = set()
    entries: list[tuple[float, str, bytes | None]] = []
    with gzip.open(CAPTURES / f"{name}.jsonl.gz", "rt") as lines:
        for line in lines:
            entry = json.loads(line)
            way = entry["dir"]
            if entry.get("eof"):
                entries.append((entry["t"], way, None))
                continue
            received = bytes.fromhex(entry["hex"])
            if way not in upgraded:
                heads[way] += received
                _, end, received = heads[way].partition(b"\r\n\r\n")
                if not end:
                    continue
                upgraded.add(way)
            readers[way].receive_data(received)
            content = b""
            for event in readers[way].events_received():
                if not isinstance(event, Frame) or event.opcode not in (Opcode.BINARY, Opcode.CONT):
                    raise AssertionError(f"{name}: unexpected {event}")
                content += event.data
            if content:
                entries.append((entry["t"], way, content))
    return entries
