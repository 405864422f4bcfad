"""
Tests for :mod:`pico.admin.port`, with questions as bytes.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from pico.admin.port import MAX_KEYS, MAX_TUNNELS, USUAL_TUNNELS, make_admin_site
from pico.interfaces import IGossipView, INodeView, ITunnels
from pico.metrics import Metrics
from pico.testing import MemoryNetwork
from tests.admin.support import Answer, MadeUpNode, ask, serve, tunnel

ROUTES = (
    "/health",
    "/ready",
    "/metrics",
    "/status/cluster/nodes",
    "/status/cluster/nodes/local",
    "/status/cluster/nodes/n2",
    "/status/gossip/nodes",
    "/status/gossip/nodes/n1",
    "/status/upstream/endpoints",
    "/status/upstream/tunnels",
    "/status/proxy/endpoints",
)


class AdminPortTests(SynchronousTestCase):
    """
    The port of a made up node.
    """

    def setUp(self) -> None:
        self.network = MemoryNetwork()
        self.node = MadeUpNode()
        self.metrics = Metrics()
        self.metrics.counter("pico_a", "A.").value += 1
        site = make_admin_site(
            self.node, self.node, self.node, self.metrics, clock=self.network.clock, time_of_day=lambda: 1_000_000_000.0
        )
        serve(self.network, site)

    def ask(self, path: str, method: str = "GET", *headers: str) -> Answer:
        """
        Ask it.
        """
        return ask(self.network, path, method, *headers)

    def test_made_up(self) -> None:
        """
        The made up node is like a real one.
        """
        verifyObject(INodeView, self.node)
        verifyObject(ITunnels, self.node)
        verifyObject(IGossipView, self.node)

    def test_health(self) -> None:
        """
        Healthy while it answers; ready when the node says so.
        """
        self.assertEqual((self.ask("/health").status, self.ask("/ready").status), (200, 200))
        self.node.ready = False
        self.assertEqual((self.ask("/health").status, self.ask("/ready").status), (200, 503))

    def test_nodes(self) -> None:
        """
        All nodes, each with its numbers.
        """
        answer = self.ask("/status/cluster/nodes")
        self.assertEqual(
            answer.body,
            b'[{"id":"n1","status":"active","proxy_addr":"10.0.0.9:8000","admin_addr":"10.0.0.9:8002",'
            b'"endpoints":2,"upstreams":3},'
            b'{"id":"n2","status":"unreachable","proxy_addr":"10.0.0.8:8000","admin_addr":"10.0.0.8:8002",'
            b'"endpoints":0,"upstreams":0}]\n',
        )

    def test_node(self) -> None:
        """
        One node by its id, and this one by the name "local".
        """
        local = (
            b'{"id":"n1","status":"active","proxy_addr":"10.0.0.9:8000","admin_addr":"10.0.0.9:8002",'
            b'"endpoints":{"e":2,"f":1}}\n'
        )
        self.assertEqual(self.ask("/status/cluster/nodes/local").body, local)
        self.assertEqual(self.ask("/status/cluster/nodes/n1").body, local)
        other = self.ask("/status/cluster/nodes/n2").json
        self.assertEqual(other["id"] if isinstance(other, dict) else other, "n2")

    def test_unknown_node(self) -> None:
        """
        A node that is not known is a 404 that says where to look, however long its name.
        """
        answer = self.ask("/status/cluster/nodes/n3")
        detail = "no node n3 is known here; /status/cluster/nodes lists them"
        self.assertEqual((answer.status, answer.json), (404, {"error": "not found", "detail": detail}))
        long = self.ask("/status/cluster/nodes/" + "x" * 5000)
        self.assertEqual(long.status, 404)
        self.assertLess(len(long.body), 300)

    def test_gossip_nodes(self) -> None:
        """
        What gossip knows, by id, with when who is not there is forgotten.
        """
        self.assertEqual(
            self.ask("/status/gossip/nodes").body,
            b'[{"id":"n1","addr":"10.0.0.9:8003","version":7,"left":false,"unreachable":false,'
            b'"expiry":"0001-01-01T00:00:00Z"},'
            b'{"id":"n2","addr":"10.0.0.8:8003","version":9,"left":false,"unreachable":true,'
            b'"expiry":"2001-09-09T01:47:10Z"},'
            b'{"id":"n3","addr":"10.0.0.7:8003","version":9,"left":true,"unreachable":false,'
            b'"expiry":"2001-09-09T01:47:40Z"}]\n',
        )

    def test_gossip_node(self) -> None:
        """
        One by its id, and this one by the name "local", with its keys.
        """
        local = (
            b'{"id":"n1","addr":"10.0.0.9:8003","version":7,"left":false,"unreachable":false,'
            b'"expiry":"0001-01-01T00:00:00Z","Entries":['
            b'{"key":"proxy_addr","value":"10.0.0.9:8000","version":3,"internal":false,"deleted":false},'
            b'{"key":"endpoint:e","value":"","version":7,"internal":false,"deleted":true}]}\n'
        )
        for name in ("local", "n1"):
            self.assertEqual(self.ask(f"/status/gossip/nodes/{name}").body, local)
        unknown = self.ask("/status/gossip/nodes/n4")
        detail = "no node n4 is known here; /status/gossip/nodes lists them"
        self.assertEqual((unknown.status, unknown.json), (404, {"error": "not found", "detail": detail}))

    def test_some_keys(self) -> None:
        """
        How many keys there are is told only where some are missing.
        """
        for query, versions, total in (
            ("limit=1", [3], 2),
            ("after=2", [3, 7], None),
            ("after=3", [7], 2),
            ("after=3&limit=1", [7], 2),
            ("after=7", [], 2),
        ):
            found = self.ask(f"/status/gossip/nodes/n2?{query}").json
            assert isinstance(found, dict)
            self.assertEqual(([each["version"] for each in found["Entries"]], found.get("Total")), (versions, total))
        for query in ("limit=x", "limit=0", f"limit={MAX_KEYS + 1}", "after=-1"):
            self.assertEqual(self.ask(f"/status/gossip/nodes/n2?{query}").status, 400)

    def test_endpoints(self) -> None:
        """
        Endpoints, with numbers and with addresses.
        """
        self.assertEqual(self.ask("/status/upstream/endpoints").body, b'{"e":2,"f":1}\n')
        self.assertEqual(self.ask("/status/proxy/endpoints").body, b'{"e":["10.0.0.1:1","10.0.0.1:2"]}\n')

    def test_tunnels(self) -> None:
        """
        Tunnels, with how many there are in all.
        """
        told = self.ask("/status/upstream/tunnels").json
        assert isinstance(told, dict)
        self.assertEqual((told["total"], [each["id"] for each in told["tunnels"]]), (12, [1, 2]))
        self.assertEqual(told["tunnels"][0]["since"], "2001-09-09T01:45:10Z")
        self.ask("/status/upstream/tunnels?endpoint=my%20e&limit=2&after=17")
        self.assertEqual(self.node.asked, [(None, 0, USUAL_TUNNELS), ("my e", 17, 2)])

    def test_wrong_arguments(self) -> None:
        """
        What is no number, or too large a one, is a 400 that says what would be right.
        """
        limit = f"limit must be a number from 1 to {MAX_TUNNELS}"
        for query, detail in [
            ("limit=0", limit),
            (f"limit={MAX_TUNNELS + 1}", limit),
            ("limit=-1", limit),
            ("limit=x", limit),
            ("limit=", limit),
            ("limit=%D9%A1", limit),
            ("limit=" + "9" * 5000, limit),
            ("after=-1", f"after must be a number from 0 to {2**63}"),
        ]:
            answer = self.ask(f"/status/upstream/tunnels?{query}")
            self.assertEqual((answer.status, answer.json), (400, {"error": "invalid argument", "detail": detail}))
        self.assertEqual(self.node.asked, [])

    def test_bound(self) -> None:
        """
        The longest answer is no burden.
        """
        self.node.found = [tunnel(number, "e" * 255) for number in range(MAX_TUNNELS)]
        answer = self.ask(f"/status/upstream/tunnels?limit={MAX_TUNNELS}", "GET", "Accept-Encoding: gzip")
        self.assertEqual((answer.status, answer.headers["content-encoding"]), (200, "gzip"))
        self.assertLess(len(answer.body), 300_000)

    def test_metrics(self) -> None:
        """
        Both formats, each with its type.
        """
        answer = self.ask("/metrics")
        self.assertEqual(answer.headers["content-type"], "text/plain; version=0.0.4; charset=utf-8")
        self.assertIn(b"pico_a_total 1.0\n", answer.body)
        answer = self.ask("/metrics", "GET", "Accept: application/openmetrics-text; version=1.0.0")
        self.assertEqual(answer.headers["content-type"], "application/openmetrics-text; version=1.0.0; charset=utf-8")
        self.assertTrue(answer.body.endswith(b"pico_a_total 1.0\n# EOF\n"))

    def test_head(self) -> None:
        """
        Every route answers HEAD as it would GET.
        """
        for path in ROUTES:
            asked, headed = self.ask(path), self.ask(path, "HEAD")
            self.assertEqual((headed.status, headed.body), (200, b""), path)
            self.assertEqual(headed.headers["content-length"], str(len(asked.body)), path)
            self.assertEqual(headed.headers["content-type"], asked.headers["content-type"], path)

    def test_read_only(self) -> None:
        """
        No route takes anything else.
        """
        for path in ROUTES:
            answer = self.ask(path, "POST")
            self.assertEqual((answer.status, answer.headers["allow"]), (405, "GET, HEAD"), path)

    def test_unknown(self) -> None:
        """
        A path that does not exist is a 404 with a hint.
        """
        answer = self.ask("/status/upstream/tunnel")
        self.assertEqual(
            (answer.status, answer.json),
            (404, {"error": "not found", "detail": "did you mean /status/upstream/tunnels?"}),
        )
