"""
Tests of nodes that even out their tunnels: whole nodes, agents and services in memory.
"""

from __future__ import annotations

import random
from collections.abc import Sequence

from twisted.trial.unittest import SynchronousTestCase

from pico.agent.service import make_agent
from pico.config.agent import AgentConfig, Connect, ListenerConfig
from pico.config.server import Rebalance, Upstream
from tests.server.clusters import Clusters
from tests.server.support import UPSTREAM, Peer, Service

#: All that is too much, within a second.
AT_ONCE = Upstream(rebalance=Rebalance(threshold=0.1, shed_rate=1, min_conns=2))

AGENTS = 4


class RebalanceTests(SynchronousTestCase):
    """
    Node "a" has all tunnels when node "b" comes.
    """

    def setUp(self) -> None:
        """
        Start "a", and agents that may dial both.
        """
        self.world = Clusters()
        self.service = Service()

    def start(self, upstream: Upstream) -> None:
        """
        Start them with these settings.
        """
        world = self.world
        world.start("a", upstream=upstream)
        for number in range(AGENTS):
            host = world.network.host(f"agent-{number}")
            host.listenTCP(4000, self.service)
            agent = make_agent(
                AgentConfig(
                    connect=Connect(url=(f"http://a:{UPSTREAM}", f"http://b:{UPSTREAM}")),
                    listeners=(ListenerConfig(endpoint_id=f"e{number}", addr="4000"),),
                ),
                host,
                clock=host,
                on_event=world.events.append,
                chooser=random.Random(number),
            )
            agent.startService()
        world.network.advance(3)
        self.assertEqual(self.tunnels("a"), AGENTS)
        world.start("b", "a", upstream=upstream)

    def tunnels(self, node: str) -> float:
        """
        How many tunnels a node has.
        """
        return self.world.number_at(node, "pico_upstreams_connected_upstreams")

    def ask_all(self) -> Sequence[Peer]:
        """
        Ask both nodes for every endpoint.
        """
        return [
            self.world.get_at(node, endpoint=f"e{number}")
            for node in self.world.nodes
            for number in range(AGENTS)
            if self.world.nodes[node].ready
        ]

    def test_moves(self) -> None:
        """
        Each comes to have half of them, at no time is an endpoint without a tunnel, and what was begun is ended.
        """
        self.start(AT_ONCE)
        self.service.answer = b""
        before = [self.world.get_at("a", endpoint=f"e{number}") for number in range(AGENTS)]
        self.service.answer = Service().answer
        for _ in range(20):
            self.world.network.advance(0.2)
            self.assertEqual({client.status for client in self.ask_all()}, {200})
        self.assertEqual([node["upstreams"] for node in self.nodes()], [2, 2])
        # Those that went still carry what was begun before.
        self.assertEqual(self.tunnels("a"), AGENTS)
        self.assertEqual(self.world.number_at("a", "pico_upstreams_shed_total"), 2)
        self.assertEqual(self.world.number_at("a", "pico_upstreams_shed_returned_total"), 0)
        self.assertEqual(self.world.number_at("b", "pico_upstreams_shed_total"), 0)
        self.assertEqual([client.status for client in before], [0] * AGENTS)
        for connection in self.service.connections[:AGENTS]:
            connection.transport.write(Service().answer)
        self.world.network.advance(2)
        self.assertEqual([client.status for client in before], [200] * AGENTS)
        self.assertEqual((self.tunnels("a"), self.tunnels("b")), (2, 2))

    def test_stays(self) -> None:
        """
        Nothing moves when nobody has asked for it.
        """
        self.start(Upstream())
        self.world.network.advance(3)
        self.assertEqual((self.tunnels("a"), self.tunnels("b")), (AGENTS, 0))

    def nodes(self) -> list[dict[str, int]]:
        """
        What "b" knows of both.
        """
        found = self.world.ask_status("b", "/status/cluster/nodes")
        assert isinstance(found, list)
        return sorted(found, key=lambda node: str(node["id"]))
