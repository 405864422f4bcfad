"""
Tests of whole nodes that cannot serve what another one sends them.
"""

from __future__ import annotations

import random
from typing import Any

from pico.config.server import Upstream
from pico.names import DEFAULT_TENANT, EndpointKey
from tests.server.linked import OK, LinksTestCase
from tests.server.nodes import LINK
from tests.server.support import Service, request_bytes


class RefusalTests(LinksTestCase):
    """
    Streams that the other node does not take: nothing of the request was looked at, so that any may go elsewhere.
    """

    def refuse(self, why: str) -> None:
        """
        Let b not take anything; a believes that it does.
        """
        if why == "no endpoint":
            self.agent.stopService()
        elif why == "draining":
            self.world.nodes["b"].service.stopService()
        elif why == "overloaded":
            self.fill_the_tunnel()
        elif why == "another key":
            self.restart(keys=(b"another secret",))
        elif why == "no key":
            self.restart(keys=())
        elif why == "not there":
            self.world.kill("b")
        elif why == "another life":
            self.world.start_over("b")
            self.world.nodes["b"].generation = 1
        self.world.network.advance(0.5)

    def restart(self, **how: Any) -> None:
        """
        Let b be another node.
        """
        self.world.kill("b")
        self.world.start("b", **how)
        self.world.agent_at("b", self.service)

    def fill_the_tunnel(self) -> None:
        """
        Let the only tunnel at b carry as many streams as it may.
        """
        self.world.kill("b")
        self.world.start("b", upstream=Upstream(max_streams=1))
        self.agent.stopService()
        self.world.agent_at("b", Service(b""))
        self.world.get_at("b")

    def test_answer(self) -> None:
        """
        What a client is told when there is nowhere else to go.
        """
        for why, status, error, verdict in [
            ("no endpoint", 502, "no available upstreams", "no_endpoint"),
            ("draining", 502, "upstream unreachable", ""),
            ("overloaded", 503, "upstream overloaded", "overloaded"),
            ("another key", 502, "upstream unreachable", ""),
            ("no key", 502, "upstream unreachable", ""),
            ("not there", 502, "upstream unreachable", ""),
            ("another life", 502, "upstream unreachable", ""),
        ]:
            self.setUp()
            self.refuse(why)
            self.world.tell("a", "b")
            client = self.world.get_at("a")
            self.assertEqual((client.status, client.error), (status, error), why)
            if verdict:
                self.assertEqual((self.answers("a", verdict), self.answers("b", verdict, "in")), (1, 1), why)
            self.tearDown()

    def test_elsewhere(self) -> None:
        """
        A POST whose body is still held goes to another node. For a moment requests go there at once.
        """
        for why in (
            *("no endpoint", "draining", "overloaded"),
            *("another key", "no key", "not there", "another life"),
        ):
            self.setUp()
            self.refuse(why)
            elsewhere = Service(b"elsewhere")
            self.world.start("c")
            self.world.agent_at("c", elsewhere)
            key = EndpointKey(DEFAULT_TENANT, "e")
            self.world.nodes["a"].members.hold(key, self.world.holder("b"), self.world.holder("c", load=5))
            self.speak()
            elsewhere.answer = b""
            client = self.post("a", b"body")
            self.assertTrue(elsewhere.received.endswith(b"\r\n\r\nbody"), why)
            self.world.say(elsewhere.connections[0], OK)
            self.assertEqual((client.status, client.body), (200, b"hello"), why)
            self.assertEqual(self.world.number_at("a", "pico_proxy_retries_total"), 1, why)
            elsewhere.answer = OK
            self.assertEqual(self.world.get_at("a").body, b"hello")
            self.assertEqual(self.world.number_at("a", "pico_proxy_retries_total"), 1, why)
            self.assertEqual(self.service.requests, 0, why)
            self.tearDown()

    def test_rest_of_a_body(self) -> None:
        """
        A body of which only the beginning was read goes elsewhere as a whole.
        """
        self.refuse("no endpoint")
        elsewhere = Service(b"")
        self.world.start("c")
        self.world.agent_at("c", elsewhere)
        key = EndpointKey(DEFAULT_TENANT, "e")
        self.world.nodes["a"].members.hold(key, self.world.holder("b"), self.world.holder("c", load=5))
        body = random.Random(1).randbytes(1_000_000)
        client = self.world.client_of("a")
        client.transport.write(request_bytes("POST", "/", "x-pico-endpoint: e", body=body)[:1000])
        self.world.network.pump()
        self.world.say(client, request_bytes("POST", "/", "x-pico-endpoint: e", body=body)[1000:])
        self.assertTrue(elsewhere.connections[0].body == body)

    def test_too_much_to_hold(self) -> None:
        """
        A request is not sent anywhere else when its body is not held any more.
        """
        self.refuse("no endpoint")
        elsewhere = Service()
        self.world.start("c")
        self.world.agent_at("c", elsewhere)
        key = EndpointKey(DEFAULT_TENANT, "e")
        self.world.nodes["a"].members.hold(key, self.world.holder("b"), self.world.holder("c", load=5))
        client = self.post("a", bytes(100_000))
        self.assertEqual((client.status, client.error), (502, "no available upstreams"))
        self.assertEqual(elsewhere.requests, 0)

    def test_tunnel_here(self) -> None:
        """
        Elsewhere may be here.
        """
        self.refuse("no endpoint")
        here = Service(b"here")
        key = EndpointKey(DEFAULT_TENANT, "e")
        self.world.nodes["a"].members.hold(key, self.world.holder("b"))
        self.world.agent_at("a", None)
        self.world.agent_at("a", here)
        for _ in range(3):
            self.assertEqual(self.world.get_at("a").body, b"here")

    def test_never_answers(self) -> None:
        """
        A node that takes connections and says nothing keeps a request waiting for three seconds, no longer.
        """
        self.world.nodes["b"].host.ports[LINK].stopListening()
        silent = Service(b"")
        self.world.nodes["b"].host.listenTCP(LINK, silent)
        elsewhere = Service(b"elsewhere")
        self.world.start("c")
        self.world.agent_at("c", elsewhere)
        key = EndpointKey(DEFAULT_TENANT, "e")
        self.world.nodes["a"].members.hold(key, self.world.holder("b"), self.world.holder("c", load=5))
        client = self.world.get_at("a")
        self.world.network.advance(2.9)
        self.assertEqual(client.status, 0)
        self.world.network.advance(0.2)
        self.assertEqual(client.body, b"elsewhere")
        self.world.tell("a", "b")
        client = self.world.get_at("a")
        self.world.network.advance(3.1)
        self.assertEqual((client.status, client.error), (502, "upstream unreachable"))


class ServiceDownTests(LinksTestCase):
    """
    The service behind one of several tunnels is down.
    """

    def test_other_tunnel(self) -> None:
        """
        Wherever another tunnel is, no client notices, of a GET or of a POST; for a second the dead one is avoided.
        """
        for where in "bac":
            self.setUp()
            self.agent.stopService()
            self.world.network.advance(1)
            self.world.agent_at("b", None)
            if where == "c":
                self.world.start("c")
            self.world.agent_at(where, self.service)
            key = EndpointKey(DEFAULT_TENANT, "e")
            holders = [self.world.holder("b", upstreams=2 if where == "b" else 1)]
            if where == "c":
                holders.append(self.world.holder("c", load=2))
            self.world.nodes["a"].members.hold(key, *holders)
            for _ in range(4):
                self.assertEqual(self.world.get_at("a").body, b"hello", where)
            self.service.answer = b""
            client = self.post("a", b"body")
            self.world.say(self.connection, OK)
            self.assertEqual(client.body, b"hello", where)
            self.assertLessEqual(self.world.number_at("a", "pico_proxy_retries_total"), 1, where)
            self.tearDown()

    def test_none(self) -> None:
        """
        With no other tunnel clients are told, each time after asking anew.
        """
        self.agent.stopService()
        self.world.network.advance(1)
        self.world.agent_at("b", None)
        for _ in range(2):
            client = self.world.get_at("a")
            self.assertEqual((client.status, client.error), (502, "upstream unreachable"))
        self.world.agent_at("b", self.service)
        self.world.tell("a", "b", upstreams=2)
        self.assertEqual(self.world.get_at("a").body, b"hello")

    def test_two_dead_of_three(self) -> None:
        """
        The node that holds the tunnels is told of each that has failed, until it finds the one that works.
        """
        self.agent.stopService()
        self.world.network.advance(1)
        for service in (None, None, self.service):
            self.world.agent_at("b", service)
        self.world.tell("a", "b", upstreams=3)
        for _ in range(3):
            self.assertEqual(self.world.get_at("a").body, b"hello")
