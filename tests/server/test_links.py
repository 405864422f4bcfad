"""
Tests of requests that nodes carry to each other: whole nodes, agents and services in memory.
"""

from __future__ import annotations

from tests.server.linked import LinksTestCase
from tests.server.nodes import KEY
from tests.server.support import Service, request_bytes
from tests.server.test_tenants import ByHeader


class RequestTests(LinksTestCase):
    """
    Requests that go over a link.
    """

    def test_get(self) -> None:
        """
        A request to one node reaches the agent of another.
        """
        client = self.world.get_at("a")
        self.assertEqual((client.status, client.body), (200, b"hello"))
        self.assertEqual(self.world.number_at("a", 'pico_cluster_links{direction="out"}'), 1)
        self.assertEqual(self.world.number_at("b", 'pico_cluster_links{direction="in"}'), 1)

    def test_same_bytes(self) -> None:
        """
        Service and client see no difference between a request that went over a link and one that did not.
        """
        seen = []
        for node in ("b", "a"):
            self.service.connections.clear()
            client = self.post(node, b"body", "X-Request-Id: one", "Accept: */*")
            seen.append((self.service.received, client.received))
        self.assertEqual(seen[0], seen[1])
        self.assertIn(b"\r\n\r\nbody", seen[0][0])

    def test_kept(self) -> None:
        """
        A stream over a link is kept for the next request, of whichever client.
        """
        client = self.world.get_at("a")
        self.world.say(client, request_bytes("GET", "/", "x-pico-endpoint: e"))
        self.world.get_at("a")
        self.assertEqual((client.received.count(b"hello"), self.service.requests), (2, 3))
        self.assertEqual(self.answers("a", "accepted"), 1)
        self.assertEqual(self.world.number_at("b", 'pico_cluster_link_streams{direction="in"}'), 1)

    def test_many(self) -> None:
        """
        Many requests at once share the one link, also while it is being made.
        """
        clients = [self.world.client_of("a") for _ in range(50)]
        for client in clients:
            client.transport.write(request_bytes("GET", "/", "x-pico-endpoint: e"))
        self.world.network.pump()
        self.assertEqual([client.body for client in clients], [b"hello"] * 50)
        self.assertEqual(self.world.number_at("a", 'pico_cluster_links{direction="out"}'), 1)
        self.assertEqual(self.world.number_at("a", 'pico_upstreams_remote_requests_total{node_id="b"}'), 50)

    def test_nobody_knows(self) -> None:
        """
        A node that nobody has told where an endpoint is looks nowhere.
        """
        self.world.tell("a", None)
        for endpoint in ("e", "other"):
            client = self.world.get_at("a", endpoint=endpoint)
            self.assertEqual((client.status, client.error), (502, "no available upstreams"))
        self.assertEqual(self.world.number_at("a", 'pico_cluster_links{direction="out"}'), 0)

    def test_both_ways(self) -> None:
        """
        Each node may dial the other one; the links are two.
        """
        self.world.agent_at("a", Service(b"other"), "f")
        self.world.tell("b", "a", "f")
        self.assertEqual(self.world.get_at("a").body, b"hello")
        self.assertEqual(self.world.get_at("b", endpoint="f").body, b"other")
        for node in "ab":
            self.assertEqual(self.world.number_at(node, "pico_cluster_links"), 2)

    def test_tenants(self) -> None:
        """
        Two tenants with one endpoint name never mix over a link.
        """
        services = {tenant: Service(tenant.encode()) for tenant in ("ours", "theirs")}
        for name in "cd":
            self.world.start(name, verifier=ByHeader())
        for tenant, service in services.items():
            self.world.agent_at("d", service, tenant=tenant)
            self.world.tell("c", "d", tenant=tenant)
        self.world.tell("c", "d", tenant="others")
        for tenant in ("ours", "theirs", "theirs", "ours"):
            client = self.world.get_at("c", "/", f"x-piko-tenant-id: {tenant}")
            self.assertEqual(client.body, tenant.encode())
        client = self.world.get_at("c", "/", "x-piko-tenant-id: others")
        self.assertEqual((client.status, client.error), (502, "no available upstreams"))
        self.assertEqual([service.requests for service in services.values()], [2, 2])


class TrustTests(LinksTestCase):
    """
    Who believes whom.
    """

    def test_keys_change(self) -> None:
        """
        Nodes that are in different steps of a change of keys reach each other.
        """
        new = b"the new one"
        for name, keys, endpoint in [("c", (KEY, new), "f"), ("d", (new, KEY), "g")]:
            self.world.start(name, keys=keys)
            self.world.agent_at(name, Service(name.encode()), endpoint)
        for one, other, endpoint in [("c", "d", "g"), ("d", "c", "f")]:
            self.world.tell(one, other, endpoint)
            self.assertEqual(self.world.get_at(one, endpoint=endpoint).body, other.encode())

    def test_one_hop(self) -> None:
        """
        Two nodes that each believe that the other one has the tunnels do not send a request around, whatever it says.
        """
        self.agent.stopService()
        self.world.network.advance(1)
        self.world.tell("b", "a")
        for line in ("Accept: */*", "x-piko-forward: true", "x-pico-forward: false", "x-pico-hops: -1"):
            client = self.world.get_at("a", "/", line)
            self.assertEqual((client.status, client.error), (502, "no available upstreams"))
            self.world.network.advance(2)
        self.assertEqual(self.world.number_at("b", 'pico_cluster_links{direction="out"}'), 0)

    def test_no_header_counts(self) -> None:
        """
        A request that says that it comes from a node is treated as any other.
        """
        self.agent.stopService()
        self.world.network.advance(1)
        for line in ("x-piko-forward: true", "x-pico-forward: true", "x-pico-node: b"):
            self.world.agent_at("b", self.service)
            self.assertEqual(self.world.get_at("a", "/", line).body, b"hello", line)
            self.assertNotIn(line.encode(), self.service.received)
