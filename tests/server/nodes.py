"""
Several nodes in memory that know of each other what a test says.
"""

from __future__ import annotations

import json
import random

import attrs
import msgspec
from twisted.internet.interfaces import IAddress
from twisted.internet.protocol import Factory, ServerFactory

from pico.agent.service import AgentService
from pico.cluster.accept import AcceptSettings
from pico.cluster.link import LinkSettings
from pico.cluster.members import Holder
from pico.config.server import Cluster, Proxy, ServerConfig, Upstream
from pico.interfaces import IVerifier
from pico.names import DEFAULT_TENANT, EndpointKey, NodeId, TenantId
from pico.net.ports import make_client_endpoint
from pico.server.node import Neighbours, make_server
from pico.server.service import NodeService
from pico.testing import HalfCloseRecordingProtocol, MemoryHost, StaticMembers
from pico.wire.link_auth import Peer
from tests.scrape import value_of
from tests.server.support import ADMIN, PROXY, World, request_bytes
from tests.server.support import Peer as Client

LINK = 8003

KEY = b"the cluster's secret, long and random"


class HalfClosingPeer(Client, HalfCloseRecordingProtocol):
    """
    A client, or a connection to a service, that knows of half-closed connections.
    """


class HalfClosingService(ServerFactory):
    """
    A service that says nothing by itself.

    :ivar connections: all that there were.
    """

    noisy = False

    def __init__(self) -> None:
        self.connections: list[HalfClosingPeer] = []

    def buildProtocol(self, addr: IAddress | None) -> HalfClosingPeer:
        """
        Take a connection.
        """
        self.connections.append(HalfClosingPeer())
        return self.connections[-1]


class Places(World):
    """
    A network in which nodes are told apart by their hosts' names.
    """

    def __init__(self) -> None:
        super().__init__()
        self.agents: list[AgentService] = []

    def agent_at(
        self, node: str, service: ServerFactory | None, endpoint: str = "e", *, tenant: str = ""
    ) -> AgentService:
        """
        Start an agent that dials one node.
        """
        agent = self.agent(service, endpoint, tenant=tenant, node=node)
        self.agents.append(agent)
        return agent

    def connect_half_closing(self, node: str, port: int = PROXY) -> HalfClosingPeer:
        """
        Connect to a node, as a client that knows of half-closed connections.
        """
        made: list[HalfClosingPeer] = []
        endpoint = make_client_endpoint(self.network.host("client"), node, port)
        endpoint.connect(Factory.forProtocol(HalfClosingPeer)).addCallbacks(made.append, lambda _: None)
        self.network.pump()
        return made[0]

    def client_of(self, node: str, port: int = PROXY) -> Client:
        """
        Connect to a node.
        """
        before, self.target = self.target, node
        try:
            return self.client(port)
        finally:
            self.target = before

    def ask_at(self, node: str, request: bytes, port: int = PROXY) -> Client:
        """
        Connect to a node and say something.
        """
        peer = self.client_of(node, port)
        self.say(peer, request)
        return peer

    def get_at(self, node: str, path: str = "/", *lines: str, endpoint: str = "e") -> Client:
        """
        Ask a node's proxy port for something, on a new connection that stays open.
        """
        return self.ask_at(node, request_bytes("GET", path, f"x-pico-endpoint: {endpoint}", *lines))

    def number_at(self, node: str, name: str) -> float:
        """
        One of a node's metrics, by its name with labels.
        """
        page = self.ask_at(node, request_bytes("GET", "/metrics", "Connection: close"), ADMIN)
        return value_of(page.body.decode(), name)

    def ask_status(self, node: str, path: str) -> object:
        """
        What a node's port for operators says as JSON.
        """
        return json.loads(self.ask_at(node, request_bytes("GET", path, "Connection: close"), ADMIN).body)

    def kill(self, name: str) -> None:
        """
        Let a node vanish as a process does: its connections are reset, its ports closed.
        """
        host = self.network.host(name)
        for port in [*host.ports.values(), *host.datagram_ports.values()]:
            port.stopListening()
        for pipe in list(self.network.pipes):
            for end in (pipe.left, pipe.right):
                if end.getHost().host == host.address:
                    end.abortConnection()
        self.network.pump()


@attrs.define
class Node:
    """
    A node on a host of its own name.

    :ivar members: what it knows of others.
    """

    name: str
    host: MemoryHost
    members: StaticMembers
    service: NodeService
    generation: int


class Nodes(Places):
    """
    A network with hosts "a", "b", ... that are nodes.

    :ivar nodes: by name.
    """

    def __init__(self) -> None:
        super().__init__()
        self.nodes: dict[str, Node] = {}
        #: Nodes that are another life's now.
        self._former: list[Node] = []

    def start(
        self,
        name: str,
        *,
        config: ServerConfig | None = None,
        upstream: Upstream | None = None,
        generation: int = 1,
        keys: tuple[bytes, ...] = (KEY,),
        verifier: IVerifier | None = None,
        links: LinkSettings | None = None,
        accept: AcceptSettings | None = None,
        preference: float = 2.0,
    ) -> Node:
        """
        Start a node, or another life of it.
        """
        host = self.network.host(name)
        secrets = tuple(key.decode() for key in keys)
        config = config or ServerConfig(
            cluster=Cluster(node_id=name),
            # Nobody but the test says what is served: nothing comes by itself that could be waited for.
            proxy=Proxy(wait_for_upstream=0),
            upstream=upstream or Upstream(),
        )
        cluster = msgspec.structs.replace(config.cluster, secret_keys=secrets, local_preference=preference)
        config = msgspec.structs.replace(config, cluster=cluster)
        members = StaticMembers()
        service = make_server(
            config,
            host,
            clock=host,
            verifier=verifier,
            chooser=random.Random(1),
            neighbours=Neighbours(
                members,
                generation=generation,
                links=links,
                accept=accept,
            ),
        )
        service.privilegedStartService()
        service.startService()
        self.network.pump()
        if name in self.nodes:
            self._former.append(self.nodes[name])
        node = self.nodes[name] = Node(name, host, members, service, generation)
        return node

    def tell(
        self,
        who: str,
        of: str | None,
        endpoint: str = "e",
        *,
        tenant: str = "",
        upstreams: int = 1,
        load: int = 0,
        leaving: bool = False,
    ) -> None:
        """
        Let a node know that another one, and no further one, has tunnels of an endpoint; or that none has.
        """
        key = EndpointKey(TenantId(tenant) if tenant else DEFAULT_TENANT, endpoint)
        holders = [self.holder(of, upstreams=upstreams, load=load, leaving=leaving)] if of is not None else []
        self.nodes[who].members.hold(key, *holders)

    def holder(self, name: str, *, upstreams: int = 1, load: int = 0, leaving: bool = False) -> Holder:
        """
        What a node is to others.
        """
        node = self.nodes[name]
        return Holder(Peer(NodeId(name), node.generation), name, LINK, upstreams, load, leaving)

    def start_over(self, name: str) -> Node:
        """
        Let a node vanish and be back at once, as another life.
        """
        generation = self.nodes[name].generation
        self.kill(name)
        return self.start(name, generation=generation + 1)

    def host_of(self, node: str) -> MemoryHost:
        """
        Where a node is.
        """
        return self.nodes[node].host

    def end(self) -> None:
        """
        Stop everything there is, without patience: connections break, agents and nodes are told twice.
        """
        for pipe in self.network.pipes:
            for end in (pipe.left, pipe.right):
                if end.getHost().host == self.network.host("client").address:
                    end.abortConnection()
        self.network.pump()
        services = [*self.agents, *(node.service for node in (*self.nodes.values(), *self._former))]
        for _ in range(2):
            for service in services:
                service.stopService()
            self.network.pump()
        self.network.advance(5)
