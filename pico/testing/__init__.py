"""
Doubles for tests of anything that speaks over a Twisted transport: no sockets, no real time, no luck.

Unlike the stock doubles these show back-pressure, half-close and broken connections as TCP does.
Everything that is public is here.
"""

from pico.testing.members import StaticMembers
from pico.testing.network import MemoryConnector, MemoryHost, MemoryNetwork, MemoryPort
from pico.testing.pipe import MemoryPipe, MemoryTransport, pump
from pico.testing.protocols import HalfCloseRecordingProtocol, RecordingProducer, RecordingProtocol

__all__ = [
    "HalfCloseRecordingProtocol",
    "MemoryConnector",
    "MemoryHost",
    "MemoryNetwork",
    "MemoryPipe",
    "MemoryPort",
    "MemoryTransport",
    "RecordingProducer",
    "RecordingProtocol",
    "StaticMembers",
    "pump",
]
