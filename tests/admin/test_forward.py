"""
Tests for :mod:`pico.admin.forward`: three operators' ports on a network in memory.
"""

from __future__ import annotations

from typing import cast

from twisted.internet.protocol import Factory, Protocol, ServerFactory
from twisted.trial.unittest import SynchronousTestCase

from pico.admin.forward import MAX_AT_ONCE, Forwarder
from pico.admin.port import make_admin_site
from pico.interfaces import NodeStatus
from pico.metrics import Metrics
from pico.names import NodeId
from pico.testing import MemoryNetwork
from tests.admin.support import Answer, Asking, MadeUpNode, ask, serve


class ForwardTests(SynchronousTestCase):
    """
    Nodes "n1", "n2" and "n3", each of which knows all; "n1" is asked.
    """

    def setUp(self) -> None:
        self.network = MemoryNetwork()
        self.nodes = {name: MadeUpNode() for name in ("n1", "n2", "n3")}
        self.forwarders = {}
        for name, node in self.nodes.items():
            others = [other for other in self.nodes if other != name]
            node.known = [self.status(each) for each in (name, *others)]
            host = self.network.host(name)
            self.forwarders[name] = Forwarder(node, host, host, max_answer=2000)
            metrics = Metrics()
            metrics.gauge(f"pico_{name}", "Its own.")
            site = make_admin_site(node, node, node, metrics, clock=host, forward=self.forwarders[name])
            serve(self.network, site, name)

    def status(self, name: str, admin_addr: str = "") -> NodeStatus:
        """
        What is said of a node.
        """
        return NodeStatus(NodeId(name), "active", f"{name}:8000", admin_addr or f"{name}:8002", {f"of-{name}": 1})

    def lead(self, name: str, admin_addr: str) -> None:
        """
        Let "n1" believe that a node's admin port is elsewhere.
        """
        known = self.nodes["n1"].known
        self.nodes["n1"].known = [self.status(name, admin_addr) if each.id == name else each for each in known]

    def ask(self, path: str, method: str = "GET", *headers: str) -> Answer:
        """
        Ask "n1".
        """
        return ask(self.network, path, method, *headers, host="n1")

    def begin(self, path: str) -> Asking:
        """
        Ask "n1" without waiting.
        """
        return Asking(self.network, path, host="n1")

    def test_every_route(self) -> None:
        """
        Any route can be another node's, with what it depends on.
        """
        self.assertEqual(self.ask("/status/upstream/endpoints?forward=n2").json, {"of-n2": 1})
        local = self.ask("/status/cluster/nodes/local?forward=n3").json
        assert isinstance(local, dict)
        self.assertEqual(local["id"], "n3")
        self.nodes["n2"].ready = False
        self.assertEqual(self.ask("/ready?forward=n2").status, 503)
        self.assertEqual(self.ask("/health?forward=n2").status, 200)
        self.assertIn(b"pico_n2 0.0\n", self.ask("/metrics?forward=n2").body)
        open_metrics = self.ask("/metrics?forward=n2", "GET", "Accept: application/openmetrics-text")
        self.assertTrue(open_metrics.headers["content-type"].startswith("application/openmetrics-text"))
        self.assertEqual(self.ask("/nonsense?forward=n2").status, 404)
        self.ask("/status/upstream/tunnels?forward=n2&limit=1&endpoint=a%20b")
        self.assertEqual(self.nodes["n2"].asked, [("a b", 0, 1)])

    def test_here(self) -> None:
        """
        Nothing, this node's own id, and "local" are this node.
        """
        for name in ("", "n1", "local"):
            self.assertEqual(self.ask(f"/status/upstream/endpoints?forward={name}").json, {"of-n1": 1})
        self.assertEqual(self.forwarders["n1"].under_way, 0)

    def test_head(self) -> None:
        """
        HEAD has the length of what GET would bring; no other method is passed on.
        """
        body = self.ask("/status/upstream/endpoints?forward=n2").body
        head = self.ask("/status/upstream/endpoints?forward=n2", "HEAD")
        self.assertEqual((head.status, head.headers["content-length"], head.body), (200, str(len(body)), b""))
        for method in ("POST", "PUT", "DELETE"):
            self.assertEqual(self.ask("/status/upstream/endpoints?forward=n2", method).status, 405)

    def test_unknown(self) -> None:
        """
        A node that is not known is a 404, however long its name.
        """
        answer = self.ask("/health?forward=n4")
        detail = "no node n4 is known here; /status/cluster/nodes lists them"
        self.assertEqual((answer.status, answer.json), (404, {"error": "not found", "detail": detail}))
        self.assertLess(len(self.ask("/health?forward=" + "x" * 5000).body), 300)

    def test_unreachable(self) -> None:
        """
        Nobody answers there: 502, at once or within the time for connecting.
        """
        self.lead("n2", "n2:1")
        answer = self.ask("/health?forward=n2")
        self.assertEqual(answer.status, 502)
        self.assertTrue(answer.body.startswith(b'{"error":"upstream unreachable","detail":"node n2 at n2:1: '))
        self.network.cut(self.network.host("n1"), self.network.host("n3"))
        asking = self.begin("/health?forward=n3")
        self.network.advance(2.9)
        self.assertFalse(asking.answered)
        self.network.advance(0.2)
        self.assertEqual(asking.answer.status, 502)
        self.assertEqual(self.forwarders["n1"].under_way, 0)

    def test_no_address(self) -> None:
        """
        A node that has not told where its admin port is cannot be asked.
        """
        self.nodes["n1"].known[1] = NodeStatus(NodeId("n2"), "active", "", "", {})
        answer = self.ask("/health?forward=n2")
        self.assertEqual(answer.status, 502)
        self.assertIn(b"node n2: it has not said where", answer.body)

    def silent(self, name: str) -> None:
        """
        Let a node's admin port take connections and say nothing.
        """
        self.network.host(name).listenTCP(9, cast(ServerFactory, Factory.forProtocol(Protocol)))
        self.lead(name, f"{name}:9")

    def test_no_answer(self) -> None:
        """
        A node that stands still is given up after a while: 504.
        """
        self.silent("n2")
        asking = self.begin("/health?forward=n2")
        self.network.advance(9.9)
        self.assertFalse(asking.answered)
        self.network.advance(0.2)
        answer = asking.answer
        self.assertEqual(answer.status, 504)
        self.assertEqual(answer.json, {"error": "upstream timeout", "detail": "node n2 at n2:9: no answer within 10s"})

    def test_one_hop(self) -> None:
        """
        An address that leads to another node, or back here, is found out; nothing is passed on twice.
        """
        for address, found in (("n3:8002", "n3"), ("n1:8002", "n1")):
            self.lead("n2", address)
            answer = self.ask("/health?forward=n2")
            self.assertEqual(answer.status, 502)
            detail = f"this is node {found}; the address that n2 has published as its admin port leads here"
            self.assertEqual(answer.json, {"error": "wrong node", "detail": detail})
        # A mark from outside keeps a question here, and does nothing else.
        self.assertEqual(self.ask("/health?forward=n2", "GET", "x-pico-forwarded: 1").status, 502)
        self.assertEqual(self.ask("/health?forward=n1", "GET", "x-pico-forwarded: 1").status, 200)

    def test_large_answer(self) -> None:
        """
        An answer that is too large is not taken into memory.
        """
        self.nodes["n2"].known[0] = NodeStatus(NodeId("n2"), "active", "", "", {f"e{n}": 1 for n in range(1000)})
        answer = self.ask("/status/upstream/endpoints?forward=n2")
        self.assertEqual(answer.status, 502)
        self.assertIn(b"larger than 2000 bytes", answer.body)

    def test_bound(self) -> None:
        """
        Only so many wait for others; who goes away makes room.
        """
        self.silent("n2")
        asking = [self.begin("/health?forward=n2") for _ in range(MAX_AT_ONCE)]
        answer = self.ask("/health?forward=n3")
        self.assertEqual(answer.status, 503)
        self.assertEqual(self.ask("/health").status, 200)
        asking[0].leave()
        self.assertEqual(self.forwarders["n1"].under_way, MAX_AT_ONCE - 1)
        self.assertEqual(self.ask("/health?forward=n3").status, 200)

    def test_compressed(self) -> None:
        """
        What comes from elsewhere is compressed for those who take that.
        """
        self.nodes["n2"].known[0] = NodeStatus(NodeId("n2"), "active", "", "", {f"e{n}": 1 for n in range(180)})
        answer = self.ask("/status/upstream/endpoints?forward=n2", "GET", "Accept-Encoding: gzip")
        self.assertEqual((answer.status, answer.headers["content-encoding"]), (200, "gzip"))
