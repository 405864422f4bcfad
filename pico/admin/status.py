"""
What the operators' port says of a node, as values for JSON.

Names and forms are those of Piko where Piko has them.
"""

from __future__ import annotations

from collections.abc import Sequence

from pico.interfaces import GossipEntry, GossipNode, NodeStatus, TunnelStatus
from pico.names import DEFAULT_TENANT
from pico.net.site import timestamp

#: What stands for no time at all, as in Piko.
_NEVER = "0001-01-01T00:00:00Z"


def node_summary(node: NodeStatus) -> dict[str, object]:
    """
    A node as one of several.
    """
    return {
        "id": node.id,
        "status": node.status,
        "proxy_addr": node.proxy_addr,
        "admin_addr": node.admin_addr,
        "endpoints": len(node.endpoints),
        "upstreams": node.upstreams,
    }


def node_details(node: NodeStatus) -> dict[str, object]:
    """
    A node by itself, with its endpoints and how many tunnels each has.
    """
    return {
        "id": node.id,
        "status": node.status,
        "proxy_addr": node.proxy_addr,
        "admin_addr": node.admin_addr,
        "endpoints": dict(node.endpoints),
    }


def tunnel_details(tunnel: TunnelStatus, now: float) -> dict[str, object]:
    """
    A tunnel; its tenant only where there are tenants.

    :param now: the time of day.
    """
    tenant = {} if tunnel.key.tenant == DEFAULT_TENANT else {"tenant": tunnel.key.tenant}
    return {
        "id": tunnel.number,
        "endpoint": tunnel.key.endpoint,
        **tenant,
        "status": "leaving" if tunnel.leaving else "active",
        "agent_addr": tunnel.address,
        "agent_version": tunnel.version,
        "capabilities": list(tunnel.capabilities),
        "since": timestamp(now - tunnel.age),
        "rtt_ms": None if tunnel.rtt is None else round(tunnel.rtt * 1000, 3),
        "streams": tunnel.streams,
        "idle_streams": tunnel.idle_streams,
        "in_flight": tunnel.in_flight,
        "requests": tunnel.requests,
        "bytes_received": tunnel.bytes_received,
        "bytes_sent": tunnel.bytes_sent,
    }


def member_summary(member: GossipNode) -> dict[str, object]:
    """
    A member of the gossip group as one of several.
    """
    return {
        "id": member.id,
        "addr": member.addr,
        "version": member.version,
        "left": member.left,
        "unreachable": member.unreachable,
        "expiry": _NEVER if member.expiry is None else timestamp(member.expiry),
    }


def member_details(member: GossipNode, entries: Sequence[GossipEntry], total: int) -> dict[str, object]:
    """
    A member by itself, with what it publishes.

    :param total: how many entries it has; told only where these are not all.
    """
    return {
        **member_summary(member),
        "Entries": [
            {
                "key": entry.key,
                "value": entry.value,
                "version": entry.version,
                "internal": entry.internal,
                "deleted": entry.deleted,
            }
            for entry in entries
        ],
        **({"Total": total} if total > len(entries) else {}),
    }
