"""
The seams between rooms.

The rooms on either side of a seam know only what stands here; ``pico.server`` introduces the objects to each other.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import attrs
from zope.interface import Attribute, Interface

from pico.names import EndpointKey, NodeId, TenantId


@attrs.frozen
class Identity:
    """
    Who a verified request or tunnel belongs to, and what it may use.

    :ivar endpoints: the endpoint names that it may use; ``None`` for all of its tenant's.
    """

    tenant: TenantId
    endpoints: frozenset[str] | None = None

    def may_use(self, endpoint: str) -> bool:
        """
        Whether the endpoint is among those that were granted.
        """
        return self.endpoints is None or endpoint in self.endpoints


class IVerifier(Interface):
    """
    Decides who sends a request, before anything is done with it.
    """

    def verify(header: Callable[[bytes], bytes]) -> Identity:
        """
        Identify the sender by the request's headers.

        :param header: gives a header's value by its name in lower case, nothing when it is not there.
        :raises pico.errors.RemoteProtocolError: with the status to answer, normally 401.
        """


class IUpstream(Interface):
    """
    Something that can open a stream for an endpoint: a tunnel of this node, or another node that holds one.

    An upstream is also a :class:`pico.net.http.gateway.Backend`.
    """

    key = Attribute("The EndpointKey that it serves.")
    address = Attribute("Where it leads, as host:port, for people.")
    in_flight = Attribute("Requests and other streams that it carries now.")
    available = Attribute("False from the moment on when nothing new may go to it.")
    avoid_until = Attribute("Until when (seconds on the node's clock) others are preferred, because it just failed.")


class ISelector(Interface):
    """
    Chooses where a request goes.
    """

    def choose(key: EndpointKey, tried: Sequence[object]) -> object | None:
        """
        Choose an upstream for an endpoint.

        :param tried: upstreams that failed this very request and are not named again.
        :return: an :class:`IUpstream`, or ``None`` when nothing (else) serves the endpoint.
        """


class ILocalTunnels(Interface):
    """
    The tunnels that end at this node.
    """

    def endpoints() -> Mapping[EndpointKey, int]:
        """
        How many tunnels each endpoint has here.
        """

    def addresses() -> Mapping[EndpointKey, Sequence[str]]:
        """
        Where each endpoint's tunnels come from, as ``host:port`` of their agents.
        """


@attrs.frozen
class TunnelStatus:
    """
    What a node knows of a tunnel.

    :ivar number: by which operators know it; the node's next tunnel has a higher one.
    :ivar address: ``host:port`` of the agent.
    :ivar version: of the agent; empty when it does not say.
    :ivar capabilities: what was agreed beyond Piko's bytes.
    :ivar leaving: whether it is on its way out.
    :ivar age: seconds since it was connected.
    :ivar streams: those that are open, idle ones included.
    :ivar requests: each time that one was sent through it.
    :ivar rtt: seconds for a round trip; ``None`` if that was not measured yet.
    """

    number: int
    key: EndpointKey
    address: str
    version: str
    capabilities: Sequence[str]
    leaving: bool
    age: float
    streams: int
    idle_streams: int
    in_flight: int
    requests: int
    bytes_received: int
    bytes_sent: int
    rtt: float | None


class ITunnels(Interface):
    """
    The tunnels that end at this node, one by one.
    """

    def tunnels(endpoint: str | None, after: int, limit: int) -> tuple[Sequence[TunnelStatus], int]:
        """
        List tunnels, the oldest first.

        :param endpoint: only those that serve it, of any tenant.
        :param after: only those with a higher number.
        :param limit: at most so many.
        :return: those, and how many there are of that endpoint in all.
        """


@attrs.frozen
class NodeStatus:
    """
    What a node says of itself.
    """

    id: NodeId
    status: str
    proxy_addr: str
    admin_addr: str
    endpoints: Mapping[str, int]

    @property
    def upstreams(self) -> int:
        """
        All its tunnels.
        """
        return sum(self.endpoints.values())


class INodeView(Interface):
    """
    What the operators' port shows of a node.
    """

    id = Attribute("The NodeId of this node.")
    ready = Attribute("Whether the node takes traffic: false while it starts and from the moment that it drains.")
    leaving = Attribute("Whether it drains: it is about to stop, or was ordered to.")

    def nodes() -> Sequence[NodeStatus]:
        """
        Every known node, this one first. It takes time where nodes serve very many endpoints.
        """

    def node(node: NodeId) -> NodeStatus | None:
        """
        One of them; ``None`` for a stranger.
        """

    def statuses() -> Sequence[str]:
        """
        The status of every known node, this one included, in no order.
        """

    def upstream_endpoints() -> Mapping[str, int]:
        """
        How many tunnels each endpoint has here.
        """

    def proxy_endpoints() -> Mapping[str, Sequence[str]]:
        """
        Where each endpoint's tunnels come from.
        """


@attrs.frozen
class GossipStatus:
    """
    A node as gossip knows it.

    :ivar addr: ``host:port`` where it takes gossip and links.
    :ivar generation: of its life; a later start has a higher one.
    :ivar status: ``active``, ``suspect``, ``unreachable`` or ``left``.
    :ivar version: of the last change that is known of it.
    :ivar keys: that it publishes, those of gossip itself included.
    :ivar deleted: keys that it has taken back and that are remembered.
    :ivar since: seconds for which it has had its status; ``None`` for the node that is asked.
    :ivar changed: seconds since its newest change arrived here; ``None`` for the node that is asked.
    :ivar forgotten_in: seconds until it is forgotten, if it stays what it is; ``None`` while it is there.
    """

    id: NodeId
    addr: str
    generation: int
    status: str
    version: int
    keys: int
    deleted: int
    since: float | None
    changed: float | None
    forgotten_in: float | None


@attrs.frozen
class GossipKey:
    """
    A key that a node publishes, or has taken back.

    :ivar key: in words.
    :ivar value: nothing if it was taken back.
    :ivar internal: whether it is gossip's own business.
    """

    key: str
    value: str | None
    version: int
    internal: bool


class IGossipView(Interface):
    """
    What a node knows of others by gossip, for those who look for errors.
    """

    def members() -> Sequence[GossipStatus]:
        """
        Every node that is known, the one that is asked first.
        """

    def keys(node: NodeId) -> Sequence[GossipKey] | None:
        """
        What a node publishes, the oldest change first; ``None`` if it is not known.
        """
