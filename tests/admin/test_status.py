"""
Tests for :mod:`pico.admin.status`.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from pico.admin.status import node_details, node_summary, tunnel_details
from pico.interfaces import NodeStatus
from pico.names import EndpointKey, NodeId, TenantId
from tests.admin.support import tunnel


class NodeTests(SynchronousTestCase):
    """
    Nodes, in the form that programs for Piko expect.
    """

    node = NodeStatus(NodeId("n"), "active", "10.0.0.9:8000", "10.0.0.9:8002", {"e": 2, "f": 1})

    def test_summary(self) -> None:
        """
        One of several is told with its numbers, in this order.
        """
        self.assertEqual(
            list(node_summary(self.node).items()),
            [
                ("id", "n"),
                ("status", "active"),
                ("proxy_addr", "10.0.0.9:8000"),
                ("admin_addr", "10.0.0.9:8002"),
                ("endpoints", 2),
                ("upstreams", 3),
            ],
        )

    def test_details(self) -> None:
        """
        One by itself is told with its endpoints.
        """
        self.assertEqual(
            list(node_details(self.node).items()),
            [
                ("id", "n"),
                ("status", "active"),
                ("proxy_addr", "10.0.0.9:8000"),
                ("admin_addr", "10.0.0.9:8002"),
                ("endpoints", {"e": 2, "f": 1}),
            ],
        )


class TunnelTests(SynchronousTestCase):
    """
    Tunnels.
    """

    def test_details(self) -> None:
        """
        Who, since when, and how much.
        """
        self.assertEqual(
            list(tunnel_details(tunnel(4), 1_000_000_000.9).items()),
            [
                ("id", 4),
                ("endpoint", "e"),
                ("status", "active"),
                ("agent_addr", "10.0.0.1:4"),
                ("agent_version", "0.1.0"),
                ("capabilities", ["go-away"]),
                ("since", "2001-09-09T01:45:10Z"),
                ("rtt_ms", 12.5),
                ("streams", 3),
                ("idle_streams", 2),
                ("in_flight", 1),
                ("requests", 7),
                ("bytes_received", 100),
                ("bytes_sent", 200),
            ],
        )

    def test_variants(self) -> None:
        """
        A tenant is told where there is one; one that leaves is said to; what was not measured is not made up.
        """
        told = tunnel_details(tunnel(4, key=EndpointKey(TenantId("t"), "e"), leaving=True, rtt=None), 0.0)
        self.assertEqual((told["tenant"], told["status"], told["rtt_ms"]), ("t", "leaving", None))
