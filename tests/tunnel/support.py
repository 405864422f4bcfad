"""
What the tunnel's tests share: a carrier in memory, protocols that complain, two sessions joined.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from twisted.internet.address import IPv4Address
from twisted.internet.error import ConnectionAborted, ConnectionDone, ConnectionLost
from twisted.internet.interfaces import (
    IAddress,
    IHalfCloseableProtocol,
    IProducer,
    IProtocol,
    IPushProducer,
    ITransport,
)
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from zope.interface import implementer

from pico.net.turn import Turn
from pico.tunnel.carrier import ICarrier
from pico.tunnel.session import TunnelSession, TunnelSettings
from pico.tunnel.stream import TunnelStream
from pico.wire.yamux.session import Role


@implementer(ICarrier)
class Carrier:
    """
    One end of a connection in memory. What is written waits until the test carries it.

    :ivar written: every write as it came.
    :ivar capacity: bytes that wait before the producer is paused.
    :ivar state: ``open``, ``closing`` (behind what was written), ``aborted`` or ``lost``.
    """

    def __init__(self, clock: Clock, name: str, capacity: int = 1 << 30) -> None:
        self.capacity = capacity
        self.clock = clock
        self.name = name
        self.other: Carrier | None = None
        self.producer: IPushProducer | None = None
        self.producer_paused = False
        self.state = "open"
        self.upper: IProtocol | None = None
        self.waiting = b""
        self.written: list[bytes] = []

    def connect(self, upper: IProtocol) -> None:
        """
        Give the carrier its protocol.
        """
        self.upper = upper
        upper.makeConnection(self)

    def take(self) -> bytes:
        """
        Take all that was written, for tests without another end.
        """
        data = self.waiting
        self.carried(len(data))
        return data

    def carried(self, size: int) -> None:
        """
        So many bytes have left.
        """
        self.waiting = self.waiting[size:]
        if self.producer_paused and len(self.waiting) <= self.capacity and self.producer is not None:
            self.producer_paused = False
            self.producer.resumeProducing()

    def carry(self, size: int | None = None) -> bool:
        """
        Carry bytes, or the end behind them, to the other end.

        :return: whether anything moved.
        """
        other = self.other
        if other is None or self.state in ("lost", "aborted"):
            return False
        data = self.waiting if size is None else self.waiting[:size]
        if data:
            self.carried(len(data))
            if other.state == "open" and other.upper is not None:
                other.upper.dataReceived(data)
            return True
        if self.state == "closing":
            self.lose(ConnectionDone())
            other.lose(ConnectionDone())
            return True
        return False

    def lose(self, reason: Exception) -> None:
        """
        End.
        """
        if self.state != "lost" and self.upper is not None:
            self.state = "lost"
            if self.producer is not None:
                self.producer.stopProducing()
            self.upper.connectionLost(Failure(reason))

    def write(self, data: bytes) -> None:
        """
        Take bytes.
        """
        if self.state == "open":
            self.written.append(data)
            self.waiting += data
            if len(self.waiting) > self.capacity and self.producer is not None and not self.producer_paused:
                self.producer_paused = True
                self.producer.pauseProducing()

    def writeSequence(self, iovec: Iterable[bytes | memoryview]) -> None:
        """
        Take bytes in several pieces.
        """
        self.write(b"".join(iovec))

    def loseConnection(self) -> None:
        """
        End behind what was written.
        """
        if self.producer is not None:
            raise AssertionError("a producer is still registered")
        if self.state == "open":
            self.state = "closing"

    def abortConnection(self) -> None:
        """
        End now.
        """
        if self.state in ("open", "closing"):
            self.state = "aborted"
            self.clock.callLater(0, self.lose, ConnectionAborted())
            if self.other is not None:
                self.clock.callLater(0, self.other.lose, ConnectionLost())

    def getPeer(self) -> IAddress:
        """
        The other end's address.
        """
        return IPv4Address("TCP", "192.0.2.1", 1)

    def getHost(self) -> IAddress:
        """
        This end's address.
        """
        return IPv4Address("TCP", "192.0.2.2", 2)

    def registerProducer(self, producer: IProducer, streaming: bool) -> None:
        """
        Take the session as producer.
        """
        if not streaming or self.producer is not None:
            raise AssertionError("one push producer, once")
        self.producer = IPushProducer(producer)

    def unregisterProducer(self) -> None:
        """
        Forget it.
        """
        self.producer = None


@implementer(IProtocol)
class Recorder:
    """
    A protocol that writes down what it hears and complains about what it must not hear.

    :ivar log: what was heard, in order.
    :ivar on_data: called with each piece of data.
    """

    def __init__(self, on_data: Callable[[bytes], None] | None = None) -> None:
        self.log: list[str] = []
        self.on_data = on_data
        self.lost: Failure | None = None
        self.received = b""
        self.transport: TunnelStream | None = None

    @property
    def stream(self) -> TunnelStream:
        """
        The transport, which is there.
        """
        if self.transport is None:
            raise AssertionError("not connected")
        return self.transport

    def makeConnection(self, transport: ITransport) -> None:
        """
        Remember the transport.
        """
        if not isinstance(transport, TunnelStream):
            raise AssertionError("not a stream")
        self.transport = transport
        self.connectionMade()

    def connectionMade(self) -> None:
        """
        Write it down.
        """
        self.hear("made")

    def dataReceived(self, data: bytes) -> None:
        """
        Keep the bytes.
        """
        self.hear("data")
        self.received += data
        if self.on_data is not None:
            self.on_data(data)

    def connectionLost(self, reason: Failure) -> None:
        """
        Remember why.
        """
        self.hear("lost")
        self.lost = reason

    def hear(self, what: str) -> None:
        """
        Write down, if it may be heard.
        """
        if self.lost is not None:
            raise AssertionError(f"{what} after connectionLost")
        if what == "data" and self.log and self.log[-1] == "data":
            return
        self.log.append(what)


@implementer(IHalfCloseableProtocol)
class HalfCloser(Recorder):
    """
    A protocol that knows of half-closed connections.
    """

    def readConnectionLost(self) -> None:
        """
        Write it down.
        """
        self.hear("read lost")

    def writeConnectionLost(self) -> None:
        """
        Write it down.
        """
        self.hear("write lost")


@implementer(IPushProducer)
class Producer:
    """
    A producer that writes down what it is told.
    """

    def __init__(self, on_resume: Callable[[], None] | None = None) -> None:
        self.log: list[str] = []
        self.on_resume = on_resume

    def pauseProducing(self) -> None:
        """
        Write it down.
        """
        self.log.append("pause")

    def resumeProducing(self) -> None:
        """
        Write it down.
        """
        self.log.append("resume")
        if self.on_resume is not None:
            self.on_resume()

    def stopProducing(self) -> None:
        """
        Write it down.
        """
        self.log.append("stop")


class Side:
    """
    A session on a carrier, and what its owner hears.

    :ivar offered: streams of the peer, to be attached by the test unless ``serve`` makes their protocols.
    """

    def __init__(
        self,
        role: Role,
        clock: Clock,
        turn: Turn,
        settings: TunnelSettings,
        *,
        capacity: int = 1 << 30,
        serve: Callable[[], Recorder] | None = None,
        takes_streams: bool = True,
    ) -> None:
        self.carrier = Carrier(clock, role.name, capacity)
        self.closed: list[Failure] = []
        self.clock = clock
        self.leaving = 0
        self.offered: list[TunnelStream] = []
        self.room = 0
        self.serve = serve
        self.served: list[Recorder] = []
        self.session = TunnelSession(
            role,
            clock=clock,
            turn=turn,
            settings=settings,
            on_stream=self.take if takes_streams else None,
            on_going_away=self.goes,
            on_closed=self.closed.append,
            on_room=self.has_room,
        )

    def take(self, stream: TunnelStream) -> None:
        """
        A stream of the peer.
        """
        self.offered.append(stream)
        if self.serve is not None:
            protocol = self.serve()
            self.served.append(protocol)
            stream.attach(protocol)

    def goes(self) -> None:
        """
        The peer goes away.
        """
        self.leaving += 1

    def has_room(self) -> None:
        """
        There is room for a stream.
        """
        self.room += 1

    def open(self, protocol: Recorder | None = None) -> Recorder:
        """
        Open a stream for a protocol.
        """
        protocol = protocol or HalfCloser()
        self.session.open_stream().attach(protocol)
        return protocol


class Alone(Side):
    """
    A session whose peer is the test: bytes in by hand, bytes out as they are.
    """

    def __init__(
        self,
        role: Role = Role.SERVER,
        settings: TunnelSettings | None = None,
        *,
        capacity: int = 1 << 30,
        serve: Callable[[], Recorder] | None = None,
        takes_streams: bool = True,
    ) -> None:
        clock = Clock()
        super().__init__(
            role,
            clock,
            Turn(clock),
            settings or TunnelSettings(),
            capacity=capacity,
            serve=serve,
            takes_streams=takes_streams,
        )
        self.carrier.connect(self.session)

    def hear(self, data: bytes) -> None:
        """
        Bytes from the peer, and the end of the turn.
        """
        self.session.dataReceived(data)
        self.turn()

    def turn(self) -> None:
        """
        Let the turn end, and those that follow from it.
        """
        while any(call.getTime() <= self.clock.seconds() for call in self.clock.getDelayedCalls()):
            self.clock.advance(0)

    def said(self) -> bytes:
        """
        What was sent since the last time, the turn's end included.
        """
        self.turn()
        return self.carrier.take()

    def end(self) -> None:
        """
        End the carrier; nothing may be left waiting.
        """
        self.carrier.lose(ConnectionDone())
        self.turn()
        left = self.clock.getDelayedCalls()
        if left:
            raise AssertionError(f"left behind: {left}")


class Joined:
    """
    A node and an agent.
    """

    def __init__(
        self,
        *,
        capacity: int = 1 << 30,
        settings: TunnelSettings | None = None,
        serve: Callable[[], Recorder] | None = HalfCloser,
    ) -> None:
        self.clock = Clock()
        turn = Turn(self.clock)
        settings = settings or TunnelSettings()
        self.node = Side(Role.SERVER, self.clock, turn, settings, capacity=capacity)
        self.agent = Side(Role.CLIENT, self.clock, turn, settings, capacity=capacity, serve=serve)
        self.node.carrier.other = self.agent.carrier
        self.agent.carrier.other = self.node.carrier
        self.node.carrier.connect(self.node.session)
        self.agent.carrier.connect(self.agent.session)

    def step(self, size: int | None = None) -> bool:
        """
        One turn of the reactor.
        """
        moved = any(call.getTime() <= self.clock.seconds() for call in self.clock.getDelayedCalls())
        self.clock.advance(0)
        for side in (self.node, self.agent):
            moved = side.carrier.carry(size) or moved
        return moved

    def settle(self, size: int | None = None) -> None:
        """
        Turns until nothing moves.
        """
        for _ in range(100_000):
            if not self.step(size):
                return
        raise AssertionError("it never comes to rest")

    def open(self, protocol: Recorder | None = None) -> tuple[Recorder, Recorder]:
        """
        Open a stream from the node, and wait until the agent has taken it.
        """
        ours = self.node.open(protocol)
        self.settle()
        return ours, self.agent.served[-1]

    def end(self) -> None:
        """
        Close; nothing may be left waiting.
        """
        self.node.session.close()
        self.settle()
        left = self.clock.getDelayedCalls()
        if left:
            raise AssertionError(f"left behind: {left}")
