"""
Tests for :mod:`pico.cluster.gossip_view`, as the admin port shows it: nodes in memory that gossip.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tests.server.clusters import Clusters
from tests.server.support import GOSSIP, Service


class GossipViewTests(SynchronousTestCase):
    """
    Nodes "a", "b" and "c", of which "c" has an agent.
    """

    def setUp(self) -> None:
        """
        Start them.
        """
        self.world = Clusters()
        self.world.start_all("a", "b", "c")
        self.world.agent_at("c", Service())
        self.world.network.advance(1)

    def ask(self, path: str, at: str = "a") -> object:
        """
        Ask a node's admin port.
        """
        return self.world.ask_status(at, path)

    def members(self) -> dict[str, dict[str, object]]:
        """
        What "a" has to say.
        """
        found = self.ask("/status/gossip/nodes")
        assert isinstance(found, list)
        self.assertEqual([member["id"] for member in found], ["a", "b", "c"])
        return {member["id"]: member for member in found}

    def test_members(self) -> None:
        """
        All members, this one too, and where they are.
        """
        for name, member in self.members().items():
            self.assertEqual(member["addr"], f"{self.world.nodes[name].host.address}:{GOSSIP}")
            self.assertEqual((member["left"], member["unreachable"]), (False, False))
            self.assertEqual(member["expiry"], "0001-01-01T00:00:00Z")

    def test_entries(self) -> None:
        """
        What a member publishes, in words, the same at every node, by version.
        """
        found = self.ask("/status/gossip/nodes/c")
        assert isinstance(found, dict)
        entries = {entry["key"]: entry for entry in found["Entries"]}
        self.assertEqual(entries["proxy_addr"]["value"], f"{self.world.nodes['c'].host.address}:8000")
        (endpoint,) = (entry for key, entry in entries.items() if key.startswith("endpoint:"))
        self.assertEqual((endpoint["value"], endpoint["deleted"], endpoint["internal"]), ("1 0", False, False))
        versions = [entry["version"] for entry in found["Entries"]]
        self.assertEqual(versions, sorted(versions))
        self.assertEqual(versions[-1], found["version"])
        own = self.ask("/status/gossip/nodes/local", "c")
        assert isinstance(own, dict)
        self.assertEqual(own["Entries"], found["Entries"])
        part = self.ask(f"/status/gossip/nodes/c?limit=1&after={versions[0]}")
        assert isinstance(part, dict)
        self.assertEqual((part["Entries"], part["Total"]), (found["Entries"][1:2], len(versions)))

    def test_unreachable(self) -> None:
        """
        Of a member that is not there it is told when it is forgotten; then it is.
        """
        lost = self.world.nodes["c"].host
        for name in "ab":
            self.world.network.cut(self.world.nodes[name].host, lost)
        self.world.network.advance(5)
        member = self.members()["c"]
        self.assertTrue(member["unreachable"])
        self.assertRegex(str(member["expiry"]), r"^1970-01-01T00:00:5\dZ$")
        self.world.network.advance(62)
        found = self.ask("/status/gossip/nodes")
        assert isinstance(found, list)
        self.assertEqual([each["id"] for each in found], ["a", "b"])

    def test_forward(self) -> None:
        """
        Any node can be asked through any other; one that cannot be reached is told so.
        """
        found = self.ask("/status/cluster/nodes/local?forward=c")
        assert isinstance(found, dict)
        self.assertEqual((found["id"], len(found["endpoints"])), ("c", 1))
        self.assertEqual(self.ask("/status/upstream/endpoints"), {})
