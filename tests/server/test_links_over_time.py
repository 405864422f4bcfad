"""
Tests of links between whole nodes over time, and of what they may carry.
"""

from __future__ import annotations

import attrs

from pico.cluster.accept import AcceptSettings
from pico.cluster.link import LinkSettings
from pico.names import DEFAULT_TENANT, EndpointKey
from tests.server.linked import OK, LinksTestCase
from tests.server.nodes import LINK
from tests.server.support import Service, request_bytes


class LifeTests(LinksTestCase):
    """
    Links over time.
    """

    def test_unused(self) -> None:
        """
        A link that nobody uses is closed, on both sides, and made anew when somebody does.
        """
        self.world.get_at("a")
        self.world.network.advance(60 + 600 + 1)
        for name in "ab":
            self.assertEqual(self.world.number_at(name, "pico_cluster_links"), 0)
        self.assertEqual(self.world.get_at("a").body, b"hello")

    def test_used(self) -> None:
        """
        One that is used now and then stays, whatever of the other node changes but its life.
        """
        for number in range(400):
            self.world.tell("a", "b", load=number % 7, upstreams=1 + number % 3, leaving=number % 2 == 1)
            self.assertEqual(self.world.get_at("a").body, b"hello")
            self.world.network.advance(2)
        self.assertEqual(self.answers("a", "accepted"), 1)

    def test_moved(self) -> None:
        """
        Another address of the same life is dialled the next time; the link that stands is kept.
        """
        client = self.world.get_at("a")
        holder = self.world.holder("b")
        key = EndpointKey(DEFAULT_TENANT, "e")
        for host in ("nowhere", self.world.host_of("b").address):
            self.world.nodes["a"].members.hold(key, attrs.evolve(holder, host=host))
            self.world.say(client, request_bytes("GET", "/", "x-pico-endpoint: e"))
        self.assertEqual((client.received.count(b"hello"), self.answers("a", "accepted")), (3, 1))
        for pipe in self.world.network.pipes:
            if pipe.right.getHost().port == LINK:
                pipe.left.abortConnection()
        self.world.network.advance(1)
        self.assertEqual(self.world.get_at("a").body, b"hello")

    def test_new_life(self) -> None:
        """
        A node that is back under its name is reached at once, and nothing goes over links to its former life.
        """
        self.speak()
        waiting, _ = self.world.get_at("a"), self.world.get_at("a")
        self.world.say(self.connection, OK)
        self.world.start_over("b")
        self.world.agent_at("b", Service(b"new"))
        self.world.tell("a", "b")
        client = self.world.get_at("a")
        self.assertEqual(client.body, b"new")
        self.assertEqual((waiting.status, waiting.lost), (502, None))
        self.world.network.advance(20)
        self.assertEqual(self.world.number_at("a", 'pico_cluster_links{direction="out"}'), 1)
        self.assertEqual(self.world.get_at("a").body, b"new")


class BoundTests(LinksTestCase):
    """
    What a link may carry.
    """

    def test_streams(self) -> None:
        """
        With as many streams as a link may have, an idle one is closed for another endpoint's; when all are at work a
        request is told so.
        """
        self.world.start("c", links=LinkSettings(max_streams=2))
        busy = Service(b"")
        self.world.agent_at("b", busy, "f")
        for endpoint in "ef":
            self.world.tell("c", "b", endpoint)
        self.assertEqual(self.world.get_at("c").body, b"hello")
        for _ in range(2):
            self.world.get_at("c", endpoint="f")
            self.assertEqual(self.world.number_at("c", 'pico_cluster_link_streams{direction="out"}'), 2)
        client = self.world.get_at("c")
        self.assertEqual((client.status, client.error), (503, "upstream overloaded"))
        self.world.say(busy.connections[0], OK)
        self.assertEqual(self.world.get_at("c").body, b"hello")

    def test_links(self) -> None:
        """
        A node takes so many links, and refuses one more until one is gone.
        """
        self.world.start("d", accept=AcceptSettings(max_links=1))
        self.world.agent_at("d", self.service, "f")
        for name in "ab":
            self.world.tell(name, "d", "f")
        self.assertEqual(self.world.get_at("a", endpoint="f").body, b"hello")
        self.assertEqual(self.world.get_at("b", endpoint="f").status, 502)
        self.world.kill("a")
        self.world.network.advance(3)
        self.assertEqual(self.world.get_at("b", endpoint="f").body, b"hello")
