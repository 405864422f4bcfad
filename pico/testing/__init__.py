"""
Doubles for tests of anything that speaks over a Twisted transport: no sockets, no real time, no luck.

Unlike the stock doubles these show back-pressure, half-close and broken connections as TCP does. They
import ``pico.net`` at most, those for gossip ``pico.gossip``, and everything that is public is here.
"""

from pico.testing.datagrams import DatagramNetwork, DatagramSocket
from pico.testing.gossip import MemoryGroup, MemoryMember
from pico.testing.members import StaticMembers
from pico.testing.network import MemoryConnector, MemoryDatagramPort, MemoryHost, MemoryNetwork, MemoryPort
from pico.testing.pipe import MemoryPipe, MemoryTransport, pump
from pico.testing.protocols import HalfCloseRecordingProtocol, RecordingProducer, RecordingProtocol
from pico.testing.spread import Spread, SpreadReport

__all__ = [
    "DatagramNetwork",
    "DatagramSocket",
    "HalfCloseRecordingProtocol",
    "MemoryConnector",
    "MemoryDatagramPort",
    "MemoryGroup",
    "MemoryHost",
    "MemoryMember",
    "MemoryNetwork",
    "MemoryPipe",
    "MemoryPort",
    "MemoryTransport",
    "RecordingProducer",
    "RecordingProtocol",
    "Spread",
    "SpreadReport",
    "StaticMembers",
    "pump",
]
