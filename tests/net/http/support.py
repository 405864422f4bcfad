"""
A gateway between two pipes: a client that writes raw bytes on one side, services that write raw bytes on the other.
"""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IHalfCloseableProtocol, IProtocol
from twisted.internet.protocol import Protocol
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from zope.interface import implementer

from pico.net.deadlines import Deadlines
from pico.net.http.answers import Answer, error_answer
from pico.net.http.client import HTTPClientProtocol
from pico.net.http.exchange import Exchange
from pico.net.http.gateway import Backend, Exchanger, FailureKind, Gateway, Requester, RequestForm
from pico.net.http.pool import Pool
from pico.net.http.server import HTTPServerProtocol, ServerSettings
from pico.testing import MemoryPipe, MemoryTransport
from pico.testing.pipe import pump
from pico.wire.http1.events import RequestHead, ResponseHead
from pico.wire.http1.headers import HeaderCache
from pico.wire.http1.limits import Limits


@implementer(IHalfCloseableProtocol)
class Peer(Protocol):
    """
    A program at the far end of a pipe that notes what it gets.
    """

    transport: MemoryTransport

    def __init__(self) -> None:
        self.received = b""
        self.ended = False
        self.lost: Failure | None = None

    def dataReceived(self, data: bytes) -> None:
        self.received += data

    def readConnectionLost(self) -> None:
        self.ended = True

    def writeConnectionLost(self) -> None:
        pass

    def connectionLost(self, reason: Failure = Failure(ConnectionDone())) -> None:  # noqa: B008
        self.lost = reason

    @property
    def over(self) -> bool:
        """
        Whether nothing more can come.
        """
        return self.ended or self.lost is not None

    def take(self) -> bytes:
        """
        What was received since the last call.
        """
        received, self.received = self.received, b""
        return received


class Service(Backend):
    """
    A backend whose connections are pipes to :class:`Peer` objects that the test plays.

    :ivar down: connecting fails.
    :ivar slow: connecting is up to the test, which calls ``connect``.
    """

    def __init__(self, world: World, name: str) -> None:
        self.world = world
        self.name = name
        self.down: FailureKind | None = None
        self.slow = False
        self.waiting: list[Exchange] = []
        self.peers: list[Peer] = []
        self.acquired = 0
        self.released = 0
        self.pool = Pool(size=4, idle_timeout=60, clock=world.clock, deadlines=world.deadlines)

    def acquire(self, exchange: Requester, fresh: bool) -> None:
        if self.down is not None:
            exchange.unreachable(self.down)
            return
        self.acquired += 1
        client = None if fresh else self.pool.take()
        if client is not None:
            exchange.connected(client)
        elif self.slow:
            assert isinstance(exchange, Exchange)
            self.waiting.append(exchange)
        else:
            self._connect(exchange)

    def connect(self) -> None:
        """
        Let the exchange that has waited longest have its connection.
        """
        self._connect(self.waiting.pop(0))

    def _connect(self, exchange: Requester) -> None:
        client = HTTPClientProtocol(self, self, cache=self.world.cache, limits=Limits())
        peer = Peer()
        self.peers.append(peer)
        self.world.connect(client, peer)
        exchange.connected(client)

    def cancel(self, exchange: Requester) -> None:
        assert isinstance(exchange, Exchange)
        self.waiting.remove(exchange)
        self.released += 1

    def release(self, client: HTTPClientProtocol) -> None:
        self.released += 1
        if client.reusable:
            self.pool.put(client)
        else:
            client.close()

    def failed(self) -> None:
        pass

    def idle_lost(self, client: HTTPClientProtocol) -> None:
        self.pool.discard(client)


class World(Gateway):
    """
    One gateway, its clients and its services, on one clock. It is the application and the gateway itself.
    """

    def __init__(self, services: int = 1, settings: ServerSettings | None = None) -> None:
        self.response_timeout = 30.0
        self.read_timeout = 0.0
        self.write_timeout = 0.0
        self.retry_buffer = 100
        self.attempts = 3
        self.max_body = 0
        self.clock = Clock()
        self.deadlines = Deadlines(self.clock, 0.1)
        self.cache = HeaderCache()
        self.pipes: list[MemoryPipe] = []
        self.settings = settings if settings is not None else ServerSettings()
        self.services = [Service(self, f"service {n}") for n in range(services)]
        self.finished_exchanges: list[Exchange] = []
        self.servers: list[HTTPServerProtocol] = []
        self.connections = 0

    def client(self) -> Peer:
        """
        Connect a client.
        """
        peer = Peer()
        server = HTTPServerProtocol(self, cache=self.cache, settings=self.settings, deadlines=self.deadlines)
        self.servers.append(server)
        self.connect(peer, server)
        return peer

    def connect(self, left: IProtocol, right: IProtocol) -> None:
        """
        Connect two protocols.
        """
        pipe = MemoryPipe()
        self.pipes.append(pipe)
        pipe.connect(left, right)

    def pump(self) -> None:
        """
        Let everything that is on its way arrive.
        """
        pump(self.pipes)

    def say(self, peer: Peer, data: bytes) -> None:
        """
        Let a peer send something, and everything that follows happen.
        """
        peer.transport.write(data)
        self.pump()

    def advance(self, seconds: float) -> None:
        """
        Let time pass in steps finer than any deadline.
        """
        for _ in range(int(seconds * 5)):
            self.clock.advance(0.2)
            self.pump()

    # Application

    def connection_made(self, server: object) -> None:
        self.connections += 1

    def connection_lost(self, server: object) -> None:
        self.connections -= 1

    def request_received(self, server: HTTPServerProtocol, head: RequestHead) -> Exchanger | None:
        return Exchange(self, server, head, self.clock.seconds()).start()

    def request_malformed(self, server: HTTPServerProtocol, status: int, reason: str) -> Answer:
        return error_answer(status, reason)

    # Gateway

    def route(self, exchange: Exchange) -> Backend | Answer:
        if exchange.head.path == b"/local":
            return error_answer(404, "not found")
        return self.services[0]

    def reroute(self, exchange: Exchange, failed: Backend, kind: FailureKind, unprocessed: bool) -> Backend | None:
        for service in self.services:
            if service not in exchange.tried:
                return service
        return None

    def request_form(self, exchange: Exchange) -> RequestForm:
        return RequestForm(exchange.head.path, [b"Host: h"])

    def response_lines(self, exchange: Exchange, head: ResponseHead) -> list[bytes] | None:
        lines = [h.line for h in head.headers if not h.role]
        return None if b"X-Down: 1" in lines else lines

    def failure(self, exchange: Exchange, kind: FailureKind) -> Answer:
        return error_answer(504 if kind is FailureKind.TIMEOUT else 502, kind.value)

    def refusal(self, exchange: Exchange, status: int, reason: str) -> Answer:
        return error_answer(status, reason, close=True)

    def finished(self, exchange: Exchange) -> None:
        self.finished_exchanges.append(exchange)


def request(*lines: bytes, body: bytes = b"") -> bytes:
    """
    A request with a Host.
    """
    return b"\r\n".join([lines[0], b"Host: h", *lines[1:], b"", body])


Check = Callable[[World], None]
