"""
Tests of nodes that find each other: whole nodes, agents and services in memory.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tests.server.clusters import Clusters
from tests.server.support import Service


class ClusterTestCase(SynchronousTestCase):
    """
    A network without nodes.
    """

    def setUp(self) -> None:
        """
        Make it.
        """
        self.world = Clusters()

    def advance(self, seconds: float) -> None:
        """
        Let time pass.
        """
        self.world.network.advance(seconds)


class JoinTests(ClusterTestCase):
    """
    How nodes come together.
    """

    def test_three(self) -> None:
        """
        Nodes that are told of one of them know all of them.
        """
        self.world.start_all("a", "b", "c")
        for name in "abc":
            self.assertEqual(self.world.known(name), dict.fromkeys("abc", "active"))


class ServeTests(ClusterTestCase):
    """
    Requests reach their agent from every node.
    """

    def setUp(self) -> None:
        """
        Three nodes, and an agent at the last one.
        """
        super().setUp()
        self.world.start_all("a", "b", "c")
        self.service = Service()
        self.agent = self.world.agent_at("c", self.service)
        self.advance(1)

    def test_any_node(self) -> None:
        """
        Any node serves the endpoint.
        """
        for name in "abc":
            client = self.world.get_at(name)
            self.assertEqual((client.status, client.body), (200, b"hello"))
