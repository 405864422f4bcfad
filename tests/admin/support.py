"""
Questions to a site in memory, and a node that the tests make up.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import cast

import attrs
from twisted.internet.protocol import Factory, ServerFactory
from twisted.web.server import Site
from zope.interface import implementer

from pico.interfaces import (
    GossipKey,
    GossipStatus,
    IGossipView,
    INodeView,
    ITunnels,
    NodeStatus,
    TunnelStatus,
)
from pico.names import DEFAULT_TENANT, EndpointKey, NodeId
from pico.net.ports import make_client_endpoint
from pico.testing import MemoryNetwork, RecordingProtocol
from pico.testing.network import MemoryHost


@attrs.frozen
class Answer:
    """
    What a site has answered.

    :ivar headers: by names in lower case.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> object:
        """
        The body, which must be JSON and say so.
        """
        if self.headers["content-type"] != "application/json":
            raise AssertionError(self)
        value: object = json.loads(self.body)
        return value


def ask(
    network: MemoryNetwork, path: str, method: str = "GET", *headers: str, host: str = "node", port: int = 8002
) -> Answer:
    """
    Send a request on a connection of its own.
    """
    asking = Asking(network, path, method, *headers, host=host, port=port)
    answer = asking.answer
    asking.leave()
    return answer


class Asking:
    """
    A request under way, on a connection of its own.
    """

    def __init__(
        self,
        network: MemoryNetwork,
        path: str,
        method: str = "GET",
        *headers: str,
        host: str = "node",
        port: int = 8002,
    ) -> None:
        self._network = network
        reactor: MemoryHost = network.host("operator")
        connecting = make_client_endpoint(reactor, host, port).connect(Factory.forProtocol(RecordingProtocol))
        network.pump()
        clients: list[RecordingProtocol] = []
        connecting.addCallback(lambda protocol: clients.append(cast(RecordingProtocol, protocol)))
        self._client = clients[0]
        assert self._client.transport is not None
        lines = [f"{method} {path} HTTP/1.1", "Host: admin", "Connection: close", *headers, "", ""]
        self._client.transport.write("\r\n".join(lines).encode())
        network.pump()

    @property
    def answered(self) -> bool:
        """
        Whether anything has come.
        """
        return bool(self._client.received)

    @property
    def answer(self) -> Answer:
        """
        What has come.
        """
        head, _, body = self._client.received.partition(b"\r\n\r\n")
        first, *rest = head.decode().split("\r\n")
        fields = (line.partition(": ") for line in rest)
        return Answer(int(first.split()[1]), {name.lower(): value for name, _, value in fields}, body)

    def leave(self) -> None:
        """
        Drop the connection.
        """
        assert self._client.transport is not None
        self._client.transport.loseConnection()
        self._network.pump()


def serve(network: MemoryNetwork, site: Site, host: str = "node") -> None:
    """
    Let a site listen where :func:`ask` asks.
    """
    # Twisted's factories are generic in their protocol, and a reactor takes any.
    network.host(host).listenTCP(8002, cast(ServerFactory, site))


def tunnel(number: int, endpoint: str = "e", **facts: object) -> TunnelStatus:
    """
    Make up a tunnel.
    """
    made = TunnelStatus(
        number=number,
        key=EndpointKey(DEFAULT_TENANT, endpoint),
        address=f"10.0.0.1:{number}",
        version="0.1.0",
        capabilities=("go-away",),
        leaving=False,
        age=90.0,
        streams=3,
        idle_streams=2,
        in_flight=1,
        requests=7,
        bytes_received=100,
        bytes_sent=200,
        rtt=0.0125,
    )
    return attrs.evolve(made, **facts)  # type: ignore[arg-type]  # whatever a test wants to be different


@implementer(INodeView, ITunnels, IGossipView)
class MadeUpNode:
    """
    A node that says what it is told to say.
    """

    def __init__(self) -> None:
        self.ready = True
        self.leaving = False
        self.known = [
            NodeStatus(NodeId("n1"), "active", "10.0.0.9:8000", "10.0.0.9:8002", {"e": 2, "f": 1}),
            NodeStatus(NodeId("n2"), "unreachable", "10.0.0.8:8000", "10.0.0.8:8002", {}),
        ]
        self.gossiping = [
            GossipStatus(NodeId("n3"), "10.0.0.7:8003", 1, "left", 9, 2, 1, 5.0, 5.0, 60.0),
            GossipStatus(NodeId("n1"), "10.0.0.9:8003", 1, "active", 7, 2, 1, None, None, None),
            GossipStatus(NodeId("n2"), "10.0.0.8:8003", 1, "unreachable", 9, 2, 1, 5.0, 5.0, 30.0),
        ]
        self.asked: list[tuple[str | None, int, int]] = []
        self.found = [tunnel(1), tunnel(2)]

    def nodes(self) -> Sequence[NodeStatus]:
        return self.known

    def statuses(self) -> Sequence[str]:
        return [node.status for node in self.known]

    @property
    def id(self) -> NodeId:
        return self.known[0].id

    def node(self, node: NodeId) -> NodeStatus | None:
        return next((each for each in self.known if each.id == node), None)

    def upstream_endpoints(self) -> Mapping[str, int]:
        return self.known[0].endpoints

    def proxy_endpoints(self) -> Mapping[str, Sequence[str]]:
        return {"e": ["10.0.0.1:1", "10.0.0.1:2"]}

    def tunnels(self, endpoint: str | None, after: int, limit: int) -> tuple[Sequence[TunnelStatus], int]:
        self.asked.append((endpoint, after, limit))
        return self.found[:limit], 12

    def members(self) -> Sequence[GossipStatus]:
        return self.gossiping

    def keys(self, node: NodeId) -> Sequence[GossipKey] | None:
        return [
            GossipKey("proxy_addr", "10.0.0.9:8000", 3, False),
            GossipKey("endpoint:e", None, 7, False),
        ]
