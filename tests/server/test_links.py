"""
Tests of nodes that carry each other's traffic: whole nodes, agents and services in memory.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tests.server.nodes import Nodes
from tests.server.support import Service


class LinksTestCase(SynchronousTestCase):
    """
    Two nodes; an agent has dialled b, and a knows of it.
    """

    def setUp(self) -> None:
        """
        Start them.
        """
        self.world = Nodes()
        self.service = Service()
        for name in "ab":
            self.world.start(name)
        self.agent = self.world.agent_at("b", self.service)
        self.world.tell("a", "b")


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
