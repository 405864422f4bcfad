"""
Tests for :mod:`pico.admin.orders`: orders to operators' ports on a network in memory.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from pico.admin.forward import Forwarder
from pico.admin.orders import Orders
from pico.admin.port import make_admin_site
from pico.errors import ConfigError, PicoError
from pico.interfaces import NodeStatus
from pico.metrics import Metrics
from pico.names import NodeId
from pico.testing import MemoryNetwork
from tests.admin.support import Answer, MadeUpNode, ask, serve


class OrdersTests(SynchronousTestCase):
    """
    Nodes "n1" and "n2", which know each other.
    """

    def setUp(self) -> None:
        self.network = MemoryNetwork()
        self.given: list[str] = []
        self.too_late = False
        self.operator = self.network.host("operator").address
        self.start("n1", self.operator)
        self.start("n2", self.network.host("n1").address)

    def start(self, name: str, *control_from: str) -> None:
        """
        Start one.
        """
        node = MadeUpNode()
        other = "n2" if name == "n1" else "n1"
        node.known = [NodeStatus(NodeId(each), "active", "", f"{each}:8002", {"e": 3}) for each in (name, other)]

        def order(what: str) -> bool:
            if self.too_late:
                raise PicoError("it cannot be taken back")
            self.given.append(f"{name} {what}")
            return self.given.count(f"{name} {what}") == 1

        orders = Orders(control_from, view=node, drain=lambda: order("drain"), undrain=lambda: order("undrain"))
        host = self.network.host(name)
        forward = Forwarder(node, host, host, refusal=orders.refusal)
        serve(
            self.network, make_admin_site(node, node, node, Metrics(), clock=host, forward=forward, orders=orders), name
        )

    def ask(self, path: str, method: str = "POST", *headers: str, host: str = "n1") -> Answer:
        """
        Ask a node.
        """
        return ask(self.network, path, method, *headers, host=host)

    def assert_refused(self, answer: Answer, *words: str) -> None:
        """
        An order was not taken, and that says why.
        """
        self.assertEqual((answer.status, self.given), (403, []))
        for word in words:
            self.assertIn(word, answer.body.decode())

    def test_orders(self) -> None:
        """
        Both are obeyed, the second time as well, and say what came of them.
        """
        for name in ("drain", "undrain"):
            for changed in (True, False):
                answer = self.ask(f"/{name}")
                self.assertEqual(answer.status, 200)
                self.assertEqual(answer.json, {"id": "n1", "status": "active", "changed": changed, "upstreams": 3})
        self.assertEqual(self.given, ["n1 drain"] * 2 + ["n1 undrain"] * 2)

    def test_read(self) -> None:
        """
        Reading changes nothing.
        """
        for method in ("GET", "HEAD", "PUT"):
            answer = self.ask("/drain", method)
            self.assertEqual((answer.status, answer.headers["allow"], self.given), (405, "POST", []))

    def test_stranger(self) -> None:
        """
        Who is not named is refused, and told what to do.
        """
        self.assert_refused(self.ask("/drain", host="n2"), "node n2", "admin.control_from", self.operator)

    def test_browser(self) -> None:
        """
        So is a page in a browser, wherever it runs, and who comes through a proxy.
        """
        self.assert_refused(self.ask("/drain", "POST", "Origin: http://localhost:8002"), "browser")
        self.assert_refused(self.ask("/undrain", "POST", "X-Forwarded-For: 127.0.0.1"), "proxy")
        self.assert_refused(self.ask("/undrain", "POST", "Forwarded: for=127.0.0.1"), "proxy")

    def test_too_late(self) -> None:
        """
        What cannot be done is said.
        """
        self.too_late = True
        answer = self.ask("/undrain")
        self.assertEqual(
            (answer.status, answer.json), (409, {"error": "too late", "detail": "it cannot be taken back"})
        )

    def test_passed_on(self) -> None:
        """
        An order for another node is passed on for who may give orders here, and obeyed there if this node may.
        """
        answer = self.ask("/drain?forward=n2")
        self.assertEqual((answer.status, self.given), (200, ["n2 drain"]))
        self.given.clear()
        self.assert_refused(self.ask("/drain?forward=n1", host="n2"), "node n2", "admin.control_from")
        self.assert_refused(self.ask("/drain?forward=n2", "POST", "Origin: http://n1"), "browser")

    def test_networks(self) -> None:
        """
        Networks of both families are meant; what is none is found at the start.
        """
        node = MadeUpNode()
        orders = Orders(["10.0.0.0/8", "::1/128"], view=node, drain=bool, undrain=bool)
        for peer, known in [
            ("10.1.2.3", True),
            ("11.1.2.3", False),
            ("::1", True),
            ("fe80::1%eth0", False),
            ("", False),
            ("unix", False),
        ]:
            self.assertEqual(orders._knows(peer), known, peer)
        with self.assertRaisesRegex(ConfigError, "admin.control_from: "):
            Orders(["nobody"], view=node, drain=bool, undrain=bool)
