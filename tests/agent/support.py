"""
An agent on a network in memory, the node that it dials, and services that tests play.
"""

from __future__ import annotations

import random
from collections.abc import Callable

from twisted.internet.interfaces import IAddress, IReactorTime
from twisted.internet.protocol import Protocol, ServerFactory
from twisted.internet.task import Clock

from pico.agent.events import AgentConnected, AgentEvent, AgentLost, AgentRefused, RequestServed
from pico.agent.service import AgentService, make_agent
from pico.config.agent import AgentConfig, Connect, ListenerConfig
from pico.testing import HalfCloseRecordingProtocol, MemoryHost, MemoryNetwork
from pico.tunnel.stream import TunnelStream
from tests.client.support import PORT, Answer, Node
from tests.net.http.support import Peer

URL = f"http://node:{PORT}"

#: Where services listen, on the host "service".
SERVICE_PORT = 4000

LISTENER = ListenerConfig(endpoint_id="e", addr=f"service:{SERVICE_PORT}")

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class Service(ServerFactory):
    """
    A local service whose every connection is a :class:`Peer` that the test plays.

    :ivar peers: all connections that there were.
    :ivar answer: sent at once for whatever comes; nothing leaves it to the test.
    """

    noisy = False

    def __init__(
        self,
        host: MemoryHost,
        port: int = SERVICE_PORT,
        answer: bytes = b"",
        *,
        secured: Callable[[ServerFactory, str, IReactorTime], ServerFactory] | None = None,
    ) -> None:
        """
        :param secured: puts TLS between the port and this.
        """
        self.answer = answer
        self.peers: list[Peer] = []
        factory = secured(self, host.name, host) if secured is not None else self
        self._port = host.listenTCP(port, factory)

    def buildProtocol(self, addr: IAddress | None) -> Protocol:
        """
        Take a connection.
        """
        peer = _Answering(self.answer) if self.answer else Peer()
        self.peers.append(peer)
        return peer

    @property
    def last(self) -> Peer:
        """
        The latest connection.
        """
        return self.peers[-1]

    @property
    def open(self) -> list[Peer]:
        """
        The connections that have not ended.
        """
        return [peer for peer in self.peers if not peer.over]

    def stop_listening(self) -> None:
        """
        Take no more connections.
        """
        self._port.stopListening()


class _Answering(Peer):
    """
    Answers whatever comes.
    """

    def __init__(self, answer: bytes) -> None:
        super().__init__()
        self._answer = answer

    def dataReceived(self, data: bytes) -> None:
        super().dataReceived(data)
        self.transport.write(self._answer)


class Client(HalfCloseRecordingProtocol):
    """
    The node's end of a stream: whoever asks.
    """

    transport: TunnelStream

    def take(self) -> bytes:
        """
        What was received since the last call.
        """
        received = self.received
        self.pieces.clear()
        return received


class World:
    """
    An agent, and what is around it.

    :ivar node: what it dials, while there is one.
    :ivar events: what the agent told.
    """

    def __init__(
        self,
        *listeners: ListenerConfig,
        connect: Connect | None = None,
        grace_period: float = 60.0,
        requests: bool = True,
        seed: int = 1,
        connections: int = 1,
    ) -> None:
        self.clock = Clock()
        self.network = MemoryNetwork(self.clock)
        self.agent_host = self.network.host("agent")
        self.node_host = self.network.host("node")
        self.service_host = self.network.host("service")
        self.events: list[AgentEvent] = []
        self.agent: AgentService = make_agent(
            AgentConfig(
                connect=connect or Connect(url=(URL,)),
                listeners=listeners or (LISTENER,),
                grace_period=grace_period,
                connections=connections,
            ),
            self.agent_host,
            clock=self.agent_host,
            on_event=self.events.append,
            requests=requests,
            chooser=random.Random(seed),
        )

    def start_node(self, *answers: Answer) -> Node:
        """
        Let there be a node.

        :param answers: to its first requests; see :class:`tests.client.support.Node`.
        """
        self.node = Node(self.node_host, self.clock, *answers)
        return self.node

    def start(self) -> None:
        """
        Start the agent.
        """
        self.agent.startService()
        self.network.pump()

    def service(self, port: int = SERVICE_PORT, answer: bytes = b"") -> Service:
        """
        Let there be a service.
        """
        return Service(self.service_host, port, answer)

    def open(self, tunnel: int = -1) -> Client:
        """
        Open a stream, as the node does for a request.
        """
        client = Client()
        self.node.tunnels[tunnel].session.open_stream().attach(client)
        return client

    def say(self, to: Client | Peer, data: bytes) -> None:
        """
        Let one end send something, and everything happen that follows at once.
        """
        to.transport.write(data)
        self.network.pump()

    def ask(self, data: bytes, tunnel: int = -1) -> Client:
        """
        Send a request on a new stream.
        """
        client = self.open(tunnel)
        self.say(client, data)
        return client

    def fetch(self, data: bytes, tunnel: int = -1) -> bytes:
        """
        What comes back for a request on a stream of its own, which is closed afterwards.
        """
        client = self.ask(data, tunnel)
        answer = client.take()
        client.transport.loseConnection()
        self.network.pump()
        return answer

    def end(self) -> None:
        """
        Stop the agent, without grace for what is left; nothing may wait for anything afterwards.
        """
        stopped = self.agent.stopService()
        for tunnel in self.node.live:
            tunnel.session.close()
        self.network.advance(3)
        if not stopped.called:
            raise AssertionError("the agent has not stopped")
        left = self.clock.getDelayedCalls()
        if left:
            raise AssertionError(f"left behind: {left}")

    # What was told

    @property
    def connected(self) -> list[AgentConnected]:
        """
        Of tunnels that stood.
        """
        return [event for event in self.events if isinstance(event, AgentConnected)]

    @property
    def lost(self) -> list[AgentLost]:
        """
        Of tunnels that ended, or could not be had.
        """
        return [event for event in self.events if isinstance(event, AgentLost)]

    @property
    def refused(self) -> list[AgentRefused]:
        """
        Of nodes that said no.
        """
        return [event for event in self.events if isinstance(event, AgentRefused)]

    @property
    def served(self) -> list[RequestServed]:
        """
        Of requests.
        """
        return [event for event in self.events if isinstance(event, RequestServed)]


def request(line: bytes, *lines: bytes, body: bytes = b"", host: bytes = b"e.test") -> bytes:
    """
    A request as nodes send it.
    """
    return b"\r\n".join([line + b" HTTP/1.1", *lines, b"Host: " + host, b"", body])
