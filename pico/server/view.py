"""
What the operators' port shows of this node, and of the others that it knows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from zope.interface import implementer

from pico.cluster.schema import Fact
from pico.cluster.table import Entry, MemberTable, Status
from pico.interfaces import ILocalTunnels, INodeView, NodeStatus
from pico.names import DEFAULT_TENANT, EndpointKey, NodeId


def _name(key: EndpointKey) -> str:
    return key.endpoint if key.tenant == DEFAULT_TENANT else f"{key.tenant}/{key.endpoint}"


@implementer(INodeView)
class NodeView:
    """
    A node and those that it knows.

    :ivar id: of this node.
    :ivar open: set by the node's service while clients are taken.
    :ivar leaving: set by it when the node is about to stop, or nothing new is to come to it.
    :ivar proxy_addr: where clients reach it, known once its ports are bound.
    :ivar admin_addr: where operators reach it.
    """

    def __init__(self, node_id: NodeId, tunnels: ILocalTunnels, others: MemberTable | None = None) -> None:
        """
        :param others: the other nodes.
        """
        self.id = node_id
        self._tunnels = tunnels
        self._others = others
        self.open = False
        self.leaving = False
        self.proxy_addr = ""
        self.admin_addr = ""

    @property
    def ready(self) -> bool:
        """
        Whether the node takes traffic.
        """
        return self.open and not self.leaving

    def nodes(self) -> Sequence[NodeStatus]:
        """
        This node, and all others by their ids.
        """
        others = self._others.entries if self._others is not None else ()
        return [self._own(), *sorted(map(_status_of, others), key=lambda node: node.id)]

    def node(self, node: NodeId) -> NodeStatus | None:
        """
        One of them.
        """
        if node == self.id:
            return self._own()
        entry = self._others.find(node) if self._others is not None else None
        return _status_of(entry) if entry is not None else None

    def statuses(self) -> Sequence[str]:
        """
        The status of each of them, in no order.
        """
        others = self._others.entries if self._others is not None else ()
        return [self._status, *(entry.status.value for entry in others)]

    @property
    def has_active_others(self) -> bool:
        """
        Whether another node takes traffic, for all that is known.
        """
        others = self._others.entries if self._others is not None else ()
        return any(entry.status is Status.ACTIVE for entry in others)

    def upstream_endpoints(self) -> Mapping[str, int]:
        """
        How many tunnels each endpoint has; with its tenant in front where there are tenants.
        """
        return {_name(key): count for key, count in self._tunnels.endpoints().items()}

    def proxy_endpoints(self) -> Mapping[str, Sequence[str]]:
        """
        Where each endpoint's tunnels come from.
        """
        return {_name(key): list(addresses) for key, addresses in self._tunnels.addresses().items()}

    def _own(self) -> NodeStatus:
        return NodeStatus(self.id, self._status, self.proxy_addr, self.admin_addr, self.upstream_endpoints())

    @property
    def _status(self) -> str:
        return "leaving" if self.leaving else "active"


def _status_of(entry: Entry) -> NodeStatus:
    return NodeStatus(
        entry.peer.id,
        entry.status.value,
        entry.facts.get(Fact.PROXY_ADDR, ""),
        entry.facts.get(Fact.ADMIN_ADDR, ""),
        {_name(key): served.upstreams for key, served in entry.served.items()},
    )
