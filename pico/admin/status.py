"""
What the operators' port says of a node, as values for JSON.

Names and forms are those of Piko where Piko has them.
"""

from __future__ import annotations

from collections.abc import Sequence

from pico.interfaces import GossipKey, GossipStatus, NodeStatus, TunnelStatus
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


def member_summary(member: GossipStatus, now: float) -> dict[str, object]:
    """
    A node as gossip knows it.

    :param now: the time of day.
    """
    return {
        "id": member.id,
        "addr": member.addr,
        "version": member.version,
        "left": member.status == "left",
        "unreachable": member.status == "unreachable",
        "expiry": _NEVER if member.forgotten_in is None else timestamp(now + member.forgotten_in),
    }


def member_details(member: GossipStatus, keys: Sequence[GossipKey], total: int, now: float) -> dict[str, object]:
    """
    A node as gossip knows it, with what it publishes.

    :param keys: some of them.
    :param total: how many there are; told only where these are not all.
    :param now: the time of day.
    """
    return {
        **member_summary(member, now),
        "Entries": [
            {
                "key": key.key,
                "value": key.value or "",
                "version": key.version,
                "internal": key.internal,
                "deleted": key.value is None,
            }
            for key in keys
        ],
        **({"Total": total} if total > len(keys) else {}),
    }
