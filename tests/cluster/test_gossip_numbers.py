"""
Tests for :mod:`pico.cluster.gossip_numbers`, of nodes in memory that gossip.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from pico.cluster.gossip_numbers import MAX_NODES, watch_gossip
from pico.cluster.publish import Publication
from pico.cluster.table import MemberTable
from pico.gossip.codec import TOKEN_SIZE
from pico.gossip.sections import Intro
from pico.metrics import Metrics
from pico.testing import MemoryNetwork
from tests.gossip.test_udp import Running
from tests.scrape import value_of
from tests.server.clusters import Clusters
from tests.server.support import Service


class GossipNumbersTests(SynchronousTestCase):
    """
    Nodes "a", "b" and "c", of which "c" has an agent.
    """

    def setUp(self) -> None:
        """
        Start them.
        """
        self.world = Clusters()
        self.world.start_all("a", "b", "c")
        self.agent = self.world.agent_at("c", Service())
        self.world.network.advance(2)

    def number(self, name: str, at: str = "a") -> float:
        """
        One of a node's numbers.
        """
        return self.world.number_at(at, name)

    def test_state_exchanges(self) -> None:
        """
        Who comes asks another one for everything, which both count, with its bytes.
        """
        self.assertEqual(self.number("pico_gossip_connections_inbound_total"), 2)
        self.assertEqual(self.number("pico_gossip_connections_outbound_total"), 0)
        outbound = sum(self.number("pico_gossip_connections_outbound_total", at) for at in "bc")
        self.assertEqual(outbound, 2)
        for there, here in (("inbound", "outbound"), ("outbound", "inbound")):
            there_bytes = self.number(f"pico_gossip_stream_bytes_{there}_total")
            here_bytes = sum(self.number(f"pico_gossip_stream_bytes_{here}_total", at) for at in "bc")
            self.assertEqual((there_bytes > 0, there_bytes), (True, here_bytes))

    def test_datagrams(self) -> None:
        """
        Datagrams, and what is in them, grow both ways; none is dropped.
        """
        names = [
            f"pico_gossip_{name}_{way}_total"
            for name in ("packets", "packet_bytes", "digest_entries", "delta_entries")
            for way in ("inbound", "outbound")
        ]
        for name in names:
            self.assertGreater(self.number(name), 0, name)
        before = self.number("pico_gossip_packets_inbound_total")
        self.world.network.advance(1)
        self.assertGreater(self.number("pico_gossip_packets_inbound_total"), before)
        self.assertGreater(self.number("pico_gossip_probes_total"), 0)
        self.assertEqual(self.number("pico_gossip_packets_dropped_total"), 0)

    def test_dropped(self) -> None:
        """
        Datagrams of other secrets are counted.
        """
        self.world.start("d", "a", keys=[b"another secret of other nodes"])
        self.world.network.advance(1)
        self.assertGreater(self.number('pico_gossip_packets_dropped_total{reason="unverified"}'), 0)

    def test_convergence(self) -> None:
        """
        All nodes have the same version of each; of one that says nothing new the newest change grows older.
        """
        for node in "abc":
            versions = {self.number(f'pico_gossip_version{{node_id="{node}"}}', at) for at in "abc"}
            self.assertEqual((len(versions), versions > {0.0}), (1, False))
        age = 'pico_gossip_newest_change_age_seconds{node_id="c"}'
        before = self.number(age)
        self.assertLess(before, 5)
        self.world.network.advance(10)
        self.assertAlmostEqual(self.number(age) - before, 10, delta=1.5)
        self.world.agent_at("c", Service(), endpoint="other")
        self.world.network.advance(1)
        self.assertLess(self.number(age), 1.5)

    def test_entries(self) -> None:
        """
        Keys by node; those that were taken back are told apart.
        """
        live = 'pico_gossip_entries{node_id="c",deleted="false",internal="false"}'
        gone = 'pico_gossip_entries{node_id="c",deleted="true"}'
        before = self.number(live)
        self.assertEqual((before >= 4, self.number(gone)), (True, 0))
        self.agent.stopService()
        self.world.network.advance(5)
        self.assertEqual((self.number(live), self.number(gone)), (before - 1, 1))

    def test_deaths(self) -> None:
        """
        A death is counted, and seen among the nodes.
        """
        self.world.kill("c")
        self.world.network.advance(4)
        self.assertEqual(self.number("pico_gossip_deaths_total"), 1)
        self.assertEqual(self.number('pico_cluster_nodes{status="unreachable"}'), 1)
        self.assertEqual(self.number('pico_cluster_nodes{status="active"}'), 2)


class BoundTests(SynchronousTestCase):
    """
    A member without a port, and one with very many others.
    """

    def test_series(self) -> None:
        """
        Only so many nodes have series of their own.
        """
        network = MemoryNetwork()
        running = Running(network.host("m"))
        roster = running.gossip.member.roster
        for number in range(MAX_NODES + 10):
            token = number.to_bytes(TOKEN_SIZE, "big")
            roster.meet(token, Intro(1, 0, f"n{number:04}", ("10.9.9.9", 8003)), 0.0, [])
        metrics = Metrics()
        watch_gossip(metrics, running.gossip, MemberTable(), Publication(), network.host("m"))
        text = metrics.render(False)[0].decode()
        self.assertEqual(text.count("pico_gossip_version{"), MAX_NODES)
        self.assertIn('pico_gossip_version{node_id="m"} ', text)
        self.assertIn('pico_gossip_version{node_id="n0000"} ', text)
        running.port.stopListening()

    def test_before_the_port(self) -> None:
        """
        Before its port is bound there is nothing to count, and nothing fails.
        """
        network = MemoryNetwork()
        running = Running(network.host("m"))
        running.gossip._member = None
        metrics = Metrics()
        watch_gossip(metrics, running.gossip, MemberTable(), Publication(), network.host("m"))
        text = metrics.render(False)[0].decode()
        self.assertEqual(value_of(text, "pico_gossip_probes_total"), 0)
        self.assertNotIn("pico_gossip_version{", text)
