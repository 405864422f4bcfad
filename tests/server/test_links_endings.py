"""
Tests of whole nodes, agents and clients that go away while something is on a link.
"""

from __future__ import annotations

from pico.names import DEFAULT_TENANT, EndpointKey
from tests.server.linked import OK, LinksTestCase
from tests.server.nodes import LINK
from tests.server.support import UPSTREAM, Service, request_bytes


class EndingTests(LinksTestCase):
    """
    Something goes away while a request is under way.
    """

    def setUp(self) -> None:
        """
        Nothing is said but by the test. There is a third node, of which a does not know yet.
        """
        super().setUp()
        self.speak()
        self.elsewhere = Service(b"elsewhere")
        self.world.start("c")
        self.world.agent_at("c", self.elsewhere)

    def tell_of_both(self) -> None:
        """
        Let a know of c as well, which is busier than b.
        """
        key = EndpointKey(DEFAULT_TENANT, "e")
        self.world.nodes["a"].members.hold(key, self.world.holder("b"), self.world.holder("c", load=5))

    def test_node_dies_within_a_response(self) -> None:
        """
        A response that broke off is never made to look complete.
        """
        for head in (b"Transfer-Encoding: chunked\r\n\r\n4\r\npart\r\n", b"Content-Length: 10\r\n\r\npart"):
            self.tell_of_both()
            client = self.world.get_at("a")
            self.world.say(self.connection, b"HTTP/1.1 200 OK\r\n" + head)
            self.assertIn(b"part", client.received)
            self.world.kill("b")
            self.assertIsNotNone(client.lost)
            self.assertTrue(client.body.rstrip().endswith(b"part"))
            self.assertEqual(self.world.number_at("a", "pico_proxy_requests_in_flight"), 0)
            self.tearDown()
            self.setUp()

    def test_agent_dies_within_a_response(self) -> None:
        """
        The same if only the tunnel breaks; the link does not.
        """
        client = self.world.get_at("a")
        self.world.say(self.connection, b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\npart\r\n")
        for pipe in self.world.network.pipes:
            if pipe.right.getHost().port == UPSTREAM and pipe.right.getHost().host == self.world.host_of("b").address:
                pipe.left.abortConnection()
        self.world.network.pump()
        self.assertIsNotNone(client.lost)
        self.assertNotIn(b"0\r\n\r\n", client.received)
        self.assertEqual(self.world.number_at("a", 'pico_cluster_links{direction="out"}'), 1)

    def test_node_dies_before_a_response(self) -> None:
        """
        A request that may be sent twice goes elsewhere, another one does not.
        """
        self.tell_of_both()
        get, post = self.world.get_at("a"), self.post("a", b"body")
        self.assertEqual(self.service.requests, 2)
        self.world.kill("b")
        self.assertEqual(get.body, b"elsewhere")
        self.assertEqual((post.status, post.error), (502, "upstream unreachable"))
        self.assertEqual(self.elsewhere.requests, 1)

    def test_client_dies(self) -> None:
        """
        When a client goes the service is told at once.
        """
        client = self.world.get_at("a")
        self.assertIsNone(self.connection.lost)
        client.transport.abortConnection()
        self.world.network.pump()
        self.assertIsNotNone(self.connection.lost)
        self.assertEqual(self.world.number_at("b", 'pico_cluster_link_streams{direction="in"}'), 0)

    def test_silence(self) -> None:
        """
        A node that vanished without a word is found by keep-alive, and what was on the link goes elsewhere.
        """
        client = self.world.get_at("a")
        self.world.network.cut(*(self.world.host_of(name) for name in "ab"))
        self.tell_of_both()
        self.world.network.advance(14.8)
        self.assertEqual(client.status, 0)
        self.world.network.advance(0.5)
        self.assertEqual(client.body, b"elsewhere")
        for name in "ab":
            self.assertEqual(self.world.number_at(name, "pico_cluster_links"), 0 if name == "b" else 1)

    def test_drain(self) -> None:
        """
        A node that stops serves what is under way on its links to the end; what is new goes elsewhere.
        """
        self.tell_of_both()
        client = self.world.get_at("a")
        stopped = self.world.nodes["b"].service.stopService()
        assert stopped is not None
        self.world.network.advance(5)
        # Its agent still has its tunnel there: it knows no other node.
        during = self.world.get_at("a")
        self.assertEqual(self.service.requests, 2)
        for connection in self.service.connections[-2:]:
            self.world.say(connection, OK)
        self.assertEqual((client.body, during.body), (b"hello", b"hello"))
        self.assertNoResult(stopped)
        self.world.network.advance(5)
        self.successResultOf(stopped)
        self.assertEqual(self.world.get_at("a").body, b"elsewhere")
        self.assertEqual(self.service.requests, 2)

    def test_drain_of_a_long_response(self) -> None:
        """
        Where something goes on for long, what is new goes elsewhere when the agent has left, and the node ends with
        what goes on.
        """
        client = self.world.get_at("a")
        self.world.say(self.connection, b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        stopped = self.world.nodes["b"].service.stopService()
        assert stopped is not None
        self.world.network.advance(10)
        # Nothing has passed for a while, so the node has said go-away; but the stream is not cut.
        self.tell_of_both()
        self.assertEqual(self.world.get_at("a").body, b"elsewhere")
        self.world.say(self.connection, b"4\r\nlast\r\n0\r\n\r\n")
        self.assertTrue(client.received.endswith(b"4\r\nlast\r\n0\r\n\r\n"))
        self.assertNoResult(stopped)
        self.world.network.advance(2)
        self.successResultOf(stopped)

    def test_drain_with_a_grace_period(self) -> None:
        """
        What does not end within the grace period is cut.
        """
        client = self.world.get_at("a")
        self.world.say(self.connection, b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        stopped = self.world.nodes["b"].service.stopService()
        assert stopped is not None
        self.world.network.advance(59)
        self.assertIsNone(client.lost)
        self.assertNoResult(stopped)
        self.world.network.advance(2)
        self.successResultOf(stopped)
        self.assertIsNotNone(client.lost)

    def test_drain_in_a_hurry(self) -> None:
        """
        Who asks twice waits for nothing on links, whether that is under way or only about to begin.
        """
        client, pending = self.world.get_at("a"), self.world.client_of("b", LINK)
        service = self.world.nodes["b"].service
        stopped = service.stopService()
        assert stopped is not None
        self.world.network.advance(5)
        self.assertNoResult(stopped)
        service.stopService()
        self.world.network.pump()
        self.successResultOf(stopped)
        self.assertIsNotNone(pending.lost)
        self.assertEqual((client.status, client.error), (502, "upstream unreachable"))

    def test_drain_and_who_has_just_connected(self) -> None:
        """
        At the end of a drain nobody is left who has connected for a link.
        """
        pending = self.world.client_of("b", LINK)
        stopped = self.world.nodes["b"].service.stopService()
        assert stopped is not None
        self.successResultOf(stopped)
        self.world.network.pump()
        self.assertIsNotNone(pending.lost)

    def test_agent_leaves(self) -> None:
        """
        When an agent leaves, its requests end, and the next ones over the kept streams go to no tunnel that leaves.
        """
        waiting, kept = self.world.get_at("a"), self.world.get_at("a")
        self.world.say(self.connection, OK)
        first = self.service.connections[0]
        self.agent.stopService()
        self.world.network.pump()
        other = Service(b"other")
        self.world.agent_at("b", other)
        self.world.say(kept, request_bytes("GET", "/", "x-pico-endpoint: e"))
        self.assertTrue(kept.received.endswith(b"other"))
        self.world.say(first, OK)
        self.assertEqual(waiting.body, b"hello")
        self.world.say(waiting, request_bytes("GET", "/", "x-pico-endpoint: e"))
        self.assertTrue(waiting.received.endswith(b"other"))
        self.assertEqual(self.service.requests, 2)
