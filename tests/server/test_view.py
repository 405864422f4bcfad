"""
Tests for :mod:`pico.server.view`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import attrs
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer
from zope.interface.verify import verifyObject

from pico.cluster.table import MemberTable
from pico.gossip.events import BecameUnreachable
from pico.interfaces import ILocalTunnels, INodeView
from pico.names import DEFAULT_TENANT, EndpointKey, NodeId, TenantId
from pico.server.view import NodeView
from tests.cluster.members import joined, life, serves


@implementer(ILocalTunnels)
@attrs.define
class Tunnels:
    """
    Tunnels that are only looked at.
    """

    found: dict[EndpointKey, list[str]] = attrs.field(factory=dict)

    def endpoints(self) -> Mapping[EndpointKey, int]:
        """
        How many.
        """
        return {key: len(addresses) for key, addresses in self.found.items()}

    def addresses(self) -> Mapping[EndpointKey, Sequence[str]]:
        """
        From where.
        """
        return self.found


class NodeViewTests(SynchronousTestCase):
    """
    One node as it is shown.
    """

    def setUp(self) -> None:
        """
        A node without tunnels.
        """
        self.tunnels = Tunnels()
        self.view = NodeView(NodeId("n"), self.tunnels)

    def test_interfaces(self) -> None:
        """
        It is what the operators' port shows, of what a registry tells.
        """
        verifyObject(INodeView, self.view)
        verifyObject(ILocalTunnels, self.tunnels)

    def test_new(self) -> None:
        """
        A new node is not ready, and has nothing to show but itself.
        """
        self.assertIs(self.view.ready, False)
        (node,) = self.view.nodes()
        self.assertEqual((node.id, node.status, node.proxy_addr, node.admin_addr), ("n", "active", "", ""))
        self.assertEqual((node.endpoints, node.upstreams), ({}, 0))
        self.assertEqual((self.view.upstream_endpoints(), self.view.proxy_endpoints()), ({}, {}))

    def test_addresses(self) -> None:
        """
        Where it is reached is shown once it is known.
        """
        self.view.proxy_addr, self.view.admin_addr = "192.0.2.1:8000", "192.0.2.1:8002"
        (node,) = self.view.nodes()
        self.assertEqual((node.proxy_addr, node.admin_addr), ("192.0.2.1:8000", "192.0.2.1:8002"))

    def test_endpoints(self) -> None:
        """
        Endpoints have their tenants in front, where there are tenants; none is added to another's.
        """
        self.tunnels.found = {
            EndpointKey(DEFAULT_TENANT, "e"): ["a:1", "b:2"],
            EndpointKey(TenantId("ours"), "e"): ["c:3"],
            EndpointKey(TenantId("theirs"), "e"): ["d:4", "e:5", "f:6"],
        }
        self.assertEqual(self.view.upstream_endpoints(), {"e": 2, "ours/e": 1, "theirs/e": 3})
        self.assertEqual(
            self.view.proxy_endpoints(),
            {"e": ["a:1", "b:2"], "ours/e": ["c:3"], "theirs/e": ["d:4", "e:5", "f:6"]},
        )
        (node,) = self.view.nodes()
        self.assertEqual((node.endpoints, node.upstreams), ({"e": 2, "ours/e": 1, "theirs/e": 3}, 6))

    def test_as_it_is_now(self) -> None:
        """
        What changes is seen at the next look, and what was shown before stays as it was.
        """
        key = EndpointKey(DEFAULT_TENANT, "e")
        self.tunnels.found[key] = ["a:1"]
        before = self.view.proxy_endpoints()
        self.tunnels.found[key].append("b:2")
        self.assertEqual(self.view.proxy_endpoints(), {"e": ["a:1", "b:2"]})
        self.assertEqual(before, {"e": ["a:1"]})


class OthersTests(SynchronousTestCase):
    """
    Other nodes as they are shown.
    """

    def test_others(self) -> None:
        """
        This node comes first, the others by their ids, each with what it has told.
        """
        table = MemberTable()
        b, a = life("b"), life("a")
        table.take(
            [
                *joined(b, proxy_addr=b"10.0.0.2:8000", admin_addr=b"10.0.0.2:8002"),
                serves(b, "e", value=b"2 0"),
                serves(b, "e", tenant="ours", value=b"3 0"),
                *joined(a, status=b"leaving"),
            ]
        )
        view = NodeView(NodeId("n"), Tunnels(), table)
        own, first, second = view.nodes()
        self.assertEqual((own.id, own.status), ("n", "active"))
        self.assertEqual((first.id, first.status, first.proxy_addr, first.upstreams), ("a", "leaving", "", 0))
        self.assertEqual((second.id, second.status), ("b", "active"))
        self.assertEqual((second.proxy_addr, second.admin_addr), ("10.0.0.2:8000", "10.0.0.2:8002"))
        self.assertEqual(second.endpoints, {"e": 2, "ours/e": 3})
        self.assertEqual(sorted(view.statuses()), ["active", "active", "leaving"])

    def test_active_others(self) -> None:
        """
        Another node takes traffic unless it leaves, has left or cannot be reached; this node is no other one.
        """
        self.assertFalse(NodeView(NodeId("n"), Tunnels()).has_active_others)
        table = MemberTable()
        view = NodeView(NodeId("n"), Tunnels(), table)
        self.assertFalse(view.has_active_others)
        a, b = life("a"), life("b")
        table.take(joined(a, status=b"leaving"))
        self.assertFalse(view.has_active_others)
        table.take(joined(b))
        view.leaving = True
        self.assertTrue(view.has_active_others)
        table.take([BecameUnreachable(b)])
        self.assertFalse(view.has_active_others)

    def test_leaving(self) -> None:
        """
        So is this node's own departure.
        """
        view = NodeView(NodeId("n"), Tunnels())
        view.leaving = True
        self.assertEqual([node.status for node in view.nodes()], ["leaving"])
        self.assertEqual(view.statuses(), ["leaving"])
