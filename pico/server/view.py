"""
What the operators' port shows of this node.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from zope.interface import implementer

from pico.interfaces import ILocalTunnels, INodeView, NodeStatus
from pico.names import DEFAULT_TENANT, EndpointKey, NodeId


def _name(key: EndpointKey) -> str:
    return key.endpoint if key.tenant == DEFAULT_TENANT else f"{key.tenant}/{key.endpoint}"


@implementer(INodeView)
class NodeView:
    """
    One node that knows no others.

    :ivar ready: set by the node's service.
    :ivar proxy_addr: where clients reach it, known once its ports are bound.
    :ivar admin_addr: where operators reach it.
    """

    def __init__(self, node_id: NodeId, tunnels: ILocalTunnels) -> None:
        self._node_id = node_id
        self._tunnels = tunnels
        self.ready = False
        self.proxy_addr = ""
        self.admin_addr = ""

    def nodes(self) -> Sequence[NodeStatus]:
        """
        This node.
        """
        return [NodeStatus(self._node_id, "active", self.proxy_addr, self.admin_addr, self.upstream_endpoints())]

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
