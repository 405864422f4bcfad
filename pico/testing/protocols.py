"""
Protocols and producers that remember what happened to them.
"""

from __future__ import annotations

from twisted.internet.interfaces import IHalfCloseableProtocol, IPushProducer
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer


class RecordingProtocol(Protocol):
    """
    Remembers what it received and how its connection ended. It knows nothing of half-closed connections.

    :ivar pieces: what was received, as it was cut.
    :ivar reasons: of every ``connectionLost``; a sound transport makes one.
    """

    def __init__(self) -> None:
        self.pieces: list[bytes] = []
        self.reasons: list[Failure] = []

    @property
    def received(self) -> bytes:
        """
        Everything received.
        """
        return b"".join(self.pieces)

    @property
    def lost(self) -> type[BaseException] | None:
        """
        The type of error with which the connection ended; nothing while it lives.
        """
        return self.reasons[-1].type if self.reasons else None

    def dataReceived(self, data: bytes) -> None:
        """
        Remember the data.
        """
        self.pieces.append(data)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """
        Remember the reason.
        """
        self.reasons.append(reason)


@implementer(IHalfCloseableProtocol)
class HalfCloseRecordingProtocol(RecordingProtocol):
    """
    Remembers also when either direction ended alone.

    :ivar read_ends: how often it was told that its peer had sent everything.
    :ivar write_ends: how often it was told that its own end was sent.
    """

    def __init__(self) -> None:
        super().__init__()
        self.read_ends = 0
        self.write_ends = 0

    def readConnectionLost(self) -> None:
        """
        Count.
        """
        self.read_ends += 1

    def writeConnectionLost(self) -> None:
        """
        Count.
        """
        self.write_ends += 1


@implementer(IPushProducer)
class RecordingProducer:
    """
    A producer that produces nothing and remembers what it was asked for.

    :ivar calls: "pause", "resume" and "stop" in order.
    """

    def __init__(self) -> None:
        self.calls: list[str] = []

    def pauseProducing(self) -> None:
        """
        Remember.
        """
        self.calls.append("pause")

    def resumeProducing(self) -> None:
        """
        Remember.
        """
        self.calls.append("resume")

    def stopProducing(self) -> None:
        """
        Remember.
        """
        self.calls.append("stop")
