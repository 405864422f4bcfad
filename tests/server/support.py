"""
A whole node in memory, with agents, their services and clients: nothing is faked but sockets and time.
"""

from __future__ import annotations

import json
import random
from typing import cast

from twisted.internet.interfaces import IAddress
from twisted.internet.protocol import Factory, ServerFactory
from twisted.internet.task import Clock

from pico.agent.events import AgentEvent
from pico.agent.service import AgentService, make_agent
from pico.config.agent import AgentConfig, Connect, ListenerConfig
from pico.config.server import ServerConfig
from pico.interfaces import IVerifier
from pico.net.ports import make_client_endpoint
from pico.server.node import make_server
from pico.server.service import NodeService
from pico.testing import MemoryNetwork, MemoryTransport, RecordingProtocol
from tests.scrape import value_of

PROXY, UPSTREAM, ADMIN, GOSSIP = 8000, 8001, 8002, 8003


class Peer(RecordingProtocol):
    """
    A client of one of the node's ports, or a connection to a service.
    """

    transport: MemoryTransport

    @property
    def status(self) -> int:
        """
        The status of the first answer; 0 when none came.
        """
        return int(self.received.split(b" ", 2)[1]) if self.received else 0

    @property
    def head(self) -> bytes:
        """
        The head of the first answer.
        """
        return self.received.partition(b"\r\n\r\n")[0]

    @property
    def body(self) -> bytes:
        """
        What stands behind that head.
        """
        return self.received.partition(b"\r\n\r\n")[2]

    @property
    def error(self) -> str:
        """
        What went wrong, by the first answer.
        """
        return str(json.loads(self.body)["error"])

    def take(self) -> bytes:
        """
        What was received since the last call.
        """
        received = self.received
        self.pieces.clear()
        return received


class _Serving(Peer):
    def __init__(self, service: Service) -> None:
        super().__init__()
        self._service = service

    def dataReceived(self, data: bytes) -> None:
        super().dataReceived(data)
        if self._service.answer and self.received.endswith(b"\r\n\r\n"):
            self.transport.write(self._service.answer)


class Service(ServerFactory):
    """
    A service behind an agent. It says the same to every request without a body, and goes on.

    :ivar answer: what it says; nothing at all when empty, for the test to speak itself.
    :ivar connections: all that there were.
    """

    noisy = False

    def __init__(self, body: bytes = b"hello") -> None:
        self.answer = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body) if body else b""
        self.connections: list[_Serving] = []

    def buildProtocol(self, addr: IAddress | None) -> _Serving:
        """
        Take a connection.
        """
        self.connections.append(_Serving(self))
        return self.connections[-1]

    @property
    def received(self) -> bytes:
        """
        All that ever came.
        """
        return b"".join(each.received for each in self.connections)

    @property
    def requests(self) -> int:
        """
        How many requests came.
        """
        return self.received.count(b" HTTP/1.1\r\n")


class World:
    """
    A network with a host "node", and one for each agent and each client.

    :ivar events: what all agents tell.
    :ivar target: the host that clients connect to.
    """

    def __init__(self) -> None:
        self.clock = Clock()
        self.network = MemoryNetwork(self.clock)
        self.host = self.network.host("node")
        self.events: list[AgentEvent] = []
        self.target = "node"
        self._agents = 0

    def make_node(self, config: ServerConfig | None = None, *, verifier: IVerifier | None = None) -> NodeService:
        """
        Make a node.
        """
        config = config or ServerConfig()
        return make_server(config, self.host, clock=self.host, verifier=verifier, chooser=random.Random(1))

    def node(self, config: ServerConfig | None = None, *, verifier: IVerifier | None = None) -> NodeService:
        """
        Make one and start it.
        """
        node = self.make_node(config, verifier=verifier)
        node.privilegedStartService()
        node.startService()
        self.network.pump()
        return node

    def agent(
        self, service: ServerFactory | None, endpoint: str = "e", *, tenant: str = "", node: str = "node"
    ) -> AgentService:
        """
        Start an agent on a host of its own, which its service shares.

        :param service: ``None`` for one that is down.
        :param node: the host that it dials.
        """
        self._agents += 1
        host = self.network.host(f"agent-{self._agents}")
        if service is not None:
            host.listenTCP(4000, service)
        agent = make_agent(
            AgentConfig(
                connect=Connect(url=(f"http://{node}:{UPSTREAM}",), tenant_id=tenant),
                listeners=(ListenerConfig(endpoint_id=endpoint, addr="4000"),),
            ),
            host,
            clock=host,
            on_event=self.events.append,
            chooser=random.Random(1),
        )
        agent.startService()
        self.network.pump()
        return agent

    def connect(self, port: int = PROXY) -> Peer | None:
        """
        Connect to the node; ``None`` when it does not listen there.
        """
        endpoint = make_client_endpoint(self.network.host("client"), self.target, port)
        made: list[Peer] = []
        endpoint.connect(Factory.forProtocol(Peer)).addCallbacks(made.append, lambda _: None)
        self.network.pump()
        return made[0] if made else None

    def client(self, port: int = PROXY) -> Peer:
        """
        Connect to the node, which must listen.
        """
        peer = self.connect(port)
        assert peer is not None, f"nothing listens on {port}"
        return peer

    def say(self, peer: Peer, data: bytes) -> None:
        """
        Let somebody send something, and everything that follows happen.
        """
        peer.transport.write(data)
        self.network.pump()

    def ask(self, request: bytes, port: int = PROXY) -> Peer:
        """
        Connect and say something.
        """
        peer = self.client(port)
        self.say(peer, request)
        return peer

    def get(self, path: str = "/", *lines: str, endpoint: str = "e") -> Peer:
        """
        Ask the node's service for something, on a new connection that stays open.
        """
        return self.ask(request_bytes("GET", path, f"x-pico-endpoint: {endpoint}", *lines))

    def look(self, path: str) -> Peer:
        """
        Ask the operators' port.
        """
        return self.ask(request_bytes("GET", path, "Connection: close"), ADMIN)

    def status(self, path: str) -> object:
        """
        What the operators' port says as JSON.
        """
        return json.loads(self.look(path).body)

    def node_status(self) -> dict[str, object]:
        """
        What the operators' port says of the node.
        """
        (status,) = cast("list[dict[str, object]]", self.status("/status/cluster/nodes"))
        return status

    def number(self, name: str) -> float:
        """
        One of the metrics, by its name with labels.
        """
        return value_of(self.look("/metrics").body.decode(), name)


def request_bytes(method: str, path: str, *lines: str, body: bytes = b"") -> bytes:
    """
    A request with a Host, and a length where there is a body.
    """
    head = [f"{method} {path} HTTP/1.1", "Host: h", *lines]
    if body:
        head.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*head, "", ""]).encode() + body
