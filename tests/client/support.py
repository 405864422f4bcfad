"""
A node in memory: our own cores of HTTP, WebSocket and yamux on a port of a host, and nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import attrs
from twisted.internet.interfaces import IAddress, IProtocol
from twisted.internet.protocol import Protocol, ServerFactory
from twisted.internet.task import Clock
from twisted.protocols.tls import TLSMemoryBIOProtocol
from twisted.python.failure import Failure

from pico.client.dialer import Dialer, DialSettings, Tunnel
from pico.client.urls import parse_node_url
from pico.net.turn import Turn
from pico.net.websocket import WebSocketTransport
from pico.testing import MemoryHost, MemoryNetwork, MemoryTransport, RecordingProtocol
from pico.tunnel.session import TunnelSession, TunnelSettings
from pico.tunnel.stream import TunnelStream
from pico.wire.http1.events import RequestHead
from pico.wire.http1.headers import HeaderCache
from pico.wire.http1.server import ServerConnection
from pico.wire.websocket.handshake import check_request, response_lines
from pico.wire.websocket.stream import ByteStream, Side
from pico.wire.yamux.session import Role

PORT = 8001

#: What a node answers: bytes, as they are or made for the request, or a 101 with these header lines more
#: and a tunnel; ``None`` for nothing at all.
Answer = bytes | Callable[[RequestHead], bytes] | list[bytes] | None


def refusal(status: bytes, error: bytes = b"", *lines: bytes) -> bytes:
    """
    A refusal as nodes make it.
    """
    body = b'{"error":"%b"}\n' % error if error else b""
    head = [b"HTTP/1.1 " + status, b"Content-Type: application/json", b"Content-Length: %d" % len(body)]
    return b"\r\n".join([*head, *lines, b"", b""]) + body


@attrs.define(eq=False)
class NodeTunnel:
    """
    A tunnel as its node sees it.
    """

    session: TunnelSession
    request: RequestHead
    went_away: bool = False
    closed: bool = False


class Node:
    """
    A node on a host of a network.

    :ivar answers: how the next requests are answered, one after the other; then all with 101.
    :ivar requests: every request.
    :ivar tunnels: every tunnel that there was.
    """

    def __init__(
        self,
        host: MemoryHost,
        clock: Clock,
        *answers: Answer,
        usual: Sequence[bytes] = (),
        wrap: Callable[[ServerFactory], ServerFactory] = lambda factory: factory,
    ) -> None:
        """
        :param usual: the header lines of its 101 when there are no answers left.
        :param wrap: puts something between the port and the node, such as TLS.
        """
        self.answers: list[Answer] = list(answers)
        self.requests: list[RequestHead] = []
        self.tunnels: list[NodeTunnel] = []
        self.usual = list(usual)
        self._clock = clock
        self._turn = Turn(clock)
        self._port = host.listenTCP(PORT, wrap(_Port(self)))

    @property
    def live(self) -> list[NodeTunnel]:
        """
        The tunnels that stand.
        """
        return [tunnel for tunnel in self.tunnels if not tunnel.closed]

    def stop_listening(self) -> None:
        """
        Take no more connections.
        """
        self._port.stopListening()

    def answer_for(self, head: RequestHead) -> Answer:
        """
        Decide what to answer.
        """
        self.requests.append(head)
        return self.answers.pop(0) if self.answers else self.usual

    def begin(self, head: RequestHead) -> WebSocketTransport:
        """
        Make the tunnel of a request.
        """

        def going_away() -> None:
            tunnel.went_away = True

        def closed(reason: Failure) -> None:
            tunnel.closed = True

        session = TunnelSession(
            Role.SERVER,
            clock=self._clock,
            turn=self._turn,
            settings=TunnelSettings(keepalive_interval=0),
            on_stream=None,
            on_going_away=going_away,
            on_closed=closed,
        )
        tunnel = NodeTunnel(session, head)
        self.tunnels.append(tunnel)
        return WebSocketTransport(session, ByteStream(Side.SERVER))


class _Port(ServerFactory):
    noisy = False

    def __init__(self, node: Node) -> None:
        self.node = node

    def buildProtocol(self, addr: IAddress | None) -> Protocol:
        return _Connection(self.node)


class Balancer(ServerFactory):
    """
    One address in front of several nodes.

    :ivar nodes: each connection goes to the first, which then stands behind the others.
    """

    noisy = False

    def __init__(self, host: MemoryHost, *nodes: Node) -> None:
        self.nodes = list(nodes)
        host.listenTCP(PORT, self)

    def buildProtocol(self, addr: IAddress | None) -> Protocol | None:
        """
        Hand a connection on; refuse it when there is no node.
        """
        if not self.nodes:
            return None
        self.nodes.append(self.nodes.pop(0))
        return _Connection(self.nodes[-1])


class _Connection(Protocol):
    transport: MemoryTransport | TLSMemoryBIOProtocol

    def __init__(self, node: Node) -> None:
        self._node = node
        self._core = ServerConnection(HeaderCache())

    def dataReceived(self, data: bytes) -> None:
        for event in self._core.receive_data(data):
            if isinstance(event, RequestHead):
                self._answer(event)
                return

    def _answer(self, head: RequestHead) -> None:
        answer = self._node.answer_for(head)
        if answer is None:
            return
        if not isinstance(answer, list):
            self.transport.write(answer if isinstance(answer, bytes) else answer(head))
            return
        lines = [b"Upgrade: websocket", b"Connection: Upgrade", *response_lines(check_request(head)), *answer]
        self.transport.write(self._core.send_head(101, b"", lines, length=None))
        carrier = self._node.begin(head)
        if isinstance(self.transport, TLSMemoryBIOProtocol):
            self.transport.wrappedProtocol = carrier
        else:
            self.transport.protocol = carrier
        carrier.makeConnection(self.transport)


def make_dialer(network: MemoryNetwork, url: str = f"http://node:{PORT}", **settings: object) -> tuple[Dialer, Turn]:
    """
    A dialer on the host "agent".
    """
    host = network.host("agent")
    turn = Turn(host)
    settings.setdefault("tunnel", TunnelSettings(keepalive_interval=0))
    dial_settings = DialSettings(url=parse_node_url(url), **settings)  # type: ignore[arg-type]
    return Dialer(dial_settings, reactor=host, clock=host, turn=turn), turn


class Speaker(RecordingProtocol):
    """
    One end of a stream of a tunnel.
    """

    transport: TunnelStream


class Echo(Protocol):
    """
    Sends everything back.
    """

    transport: TunnelStream

    def dataReceived(self, data: bytes) -> None:
        """
        Send it back.
        """
        self.transport.write(data)


@attrs.define(eq=False)
class RecordingUser:
    """
    A tunnel's user that remembers what it is told.

    :ivar protocol: makes the protocol of every stream.
    """

    protocol: Callable[[], IProtocol] = Echo
    streams: list[TunnelStream] = attrs.field(factory=list)
    told: list[str] = attrs.field(factory=list)

    def stream_opened(self, stream: TunnelStream) -> None:
        """
        Attach a protocol.
        """
        self.told.append("stream")
        self.streams.append(stream)
        stream.attach(self.protocol())

    def node_leaves(self) -> None:
        """
        Remember.
        """
        self.told.append("leaves")

    def tunnel_closed(self, reason: Failure) -> None:
        """
        Remember.
        """
        self.told.append("closed")


class RecordingWatcher:
    """
    Remembers what it is told.
    """

    def __init__(self) -> None:
        self.told: list[str] = []

    def connected(self, endpoint: str, tunnel: Tunnel) -> None:
        """
        Remember.
        """
        self.told.append(f"{endpoint} connected to {tunnel.node}")

    def refused(self, endpoint: str, reason: str) -> None:
        """
        Remember.
        """
        self.told.append(f"{endpoint} refused: {reason}")

    def lost(self, endpoint: str, reason: str, retry_in: float) -> None:
        """
        Remember.
        """
        self.told.append(f"{endpoint} lost")
