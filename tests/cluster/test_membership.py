"""
Tests for :mod:`pico.cluster.membership` and :mod:`pico.cluster.gossip_view`. How nodes find each other is tested with
whole nodes, in ``tests/server/test_cluster.py``.
"""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from twisted.internet.address import IPv4Address
from twisted.logger import capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from pico.cluster.gossip_view import GossipView
from pico.cluster.greeting import Identification, NodeDialer
from pico.cluster.membership import Membership, MembershipSettings
from pico.cluster.publish import LOOK, Publication
from pico.cluster.schema import Fact
from pico.cluster.table import MemberTable
from pico.errors import ConfigError
from pico.gossip.limits import Limits
from pico.interfaces import IGossipView
from pico.names import DEFAULT_TENANT, EndpointKey, NodeId, TenantId
from pico.net.turn import Turn
from pico.testing import MemoryHost, MemoryNetwork
from pico.wire.link_auth import Peer

PORT = 8003


class MembershipTestCase(SynchronousTestCase):
    """
    Memberships on hosts in memory.
    """

    def setUp(self) -> None:
        """
        A network.
        """
        self.network = MemoryNetwork()
        self.over: list[tuple[str, int]] = []
        self.silent: list[tuple[str, int]] = []
        self.loads: dict[EndpointKey, int] = {}

    def make(
        self,
        name: str = "a",
        *,
        seeds: Sequence[str] = (),
        advertise: tuple[str, int] | None = None,
        limits: Limits | None = None,
        found: str = "",
        generation: int = 1,
    ) -> Membership:
        """
        Make one.

        :param found: the address of the machine.
        """
        host = self.network.host(name)
        identification = Identification(Peer(NodeId(name), generation))
        return Membership(
            identification,
            settings=MembershipSettings(seeds=seeds, advertise=advertise, limits=limits or Limits()),
            table=MemberTable(),
            publication=Publication(),
            load_of=lambda key: self.loads.get(key, 0),
            dialer=NodeDialer(identification, reactor=host, clock=host, timeout=3),
            reactor=host,
            clock=host,
            turn=Turn(host),
            random=Random(f"{name} {generation}"),
            on_end_of_life=lambda node, before: self.over.append((node, before)),
            on_unreachable=lambda node, generation: self.silent.append((node, generation)),
            find_host=lambda bound: found,
        )

    def open(self, membership: Membership, host: str = "") -> list[str]:
        """
        Bind it.

        :return: the warnings.
        """
        with capturedLogs() as events:
            membership.open(host, IPv4Address("TCP", host or "0.0.0.0", PORT))
        return [formatEvent(event) for event in events if event["log_level"].name == "warn"]

    def address(self, membership: Membership) -> tuple[str, int]:
        """
        What others are told to dial.
        """
        return membership.gossip.member.me.life.address

    def host_of(self, name: str) -> MemoryHost:
        """
        A host.
        """
        return self.network.host(name)


class AddressTests(MembershipTestCase):
    """
    What others are told to dial.
    """

    def test_bound(self) -> None:
        """
        The address of the port, if it has one.
        """
        membership = self.make(found="10.9.9.9")
        self.open(membership, "10.0.0.1")
        self.assertEqual(self.address(membership), ("10.0.0.1", PORT))

    def test_found(self) -> None:
        """
        Else the machine's own.
        """
        membership = self.make(found="10.9.9.9")
        self.open(membership)
        self.assertEqual(self.address(membership), ("10.9.9.9", PORT))

    def test_said(self) -> None:
        """
        What was said goes before both.
        """
        membership = self.make(advertise=("node.example", 9), found="10.9.9.9")
        self.open(membership, "10.0.0.1")
        self.assertEqual(self.address(membership), ("node.example", 9))

    def test_none(self) -> None:
        """
        Who wants to join others needs one; it says which setting is missing, and binds nothing.
        """
        membership = self.make(seeds=["b"])
        error = self.assertRaises(ConfigError, self.open, membership)
        self.assertRegex(str(error), "^cluster.gossip.advertise_addr: .*no route to others.*such as 10.0.0.1:8003$")
        self.assertEqual(self.host_of("a").datagram_ports, {})

    def test_none_needed(self) -> None:
        """
        Who is alone starts without one, and says that nobody can join it.
        """
        membership = self.make()
        self.assertIn("cluster.gossip.advertise_addr", "".join(self.open(membership)))
        self.assertEqual(self.address(membership), ("127.0.0.1", PORT))

    def test_loopback(self) -> None:
        """
        Without a secret a port of the loopback interface is no reason to warn.
        """
        self.assertEqual(self.open(self.make(), "127.0.0.1"), [])
        self.assertIn("secret_keys is not set", "".join(self.open(self.make("b"), "10.0.0.2")))

    def test_long_id(self) -> None:
        """
        An id that gossip does not carry is refused.
        """
        error = self.assertRaises(ConfigError, self.make, "x" * 129)
        self.assertRegex(str(error), "^cluster.node_id: .* is too long; with its prefix it may have 128 characters$")


class PublishTests(MembershipTestCase):
    """
    What is published, and when.
    """

    def setUp(self) -> None:
        """
        A member.
        """
        super().setUp()
        self.membership = self.make()
        self.open(self.membership, "10.0.0.1")
        self.network.pump()

    def published(self) -> dict[bytes, bytes]:
        """
        All that it publishes.
        """
        return {
            key: value
            for key, _, value in self.membership.gossip.member.me.ledger
            if value is not None and not key.startswith(b"\0")
        }

    def test_once_a_turn(self) -> None:
        """
        What changes back and forth within a turn is published once.
        """
        key = EndpointKey(DEFAULT_TENANT, "e")
        before = self.membership.gossip.member.me.ledger.version
        for upstreams in (1, 2, 3):
            self.membership.serves(key, upstreams)
        self.membership.say(Fact.VERSION, "1")
        self.network.pump()
        self.assertEqual(self.published(), {b"/\0e": b"3 0", b"version": b"1"})
        self.assertEqual(self.membership.gossip.member.me.ledger.version - before, 2)
        self.membership.serves(key, 0)
        self.network.pump()
        self.assertEqual(self.published(), {b"version": b"1"})

    def test_before_it_is_bound(self) -> None:
        """
        What was said before there was a port is published then.
        """
        membership = self.make("b")
        membership.say(Fact.VERSION, "1")
        self.open(membership, "10.0.0.2")
        self.network.pump()
        ledger = membership.gossip.member.me.ledger
        self.assertEqual(ledger.get(b"version"), b"1")

    def test_load(self) -> None:
        """
        Load is looked at once a second.
        """
        key = EndpointKey(DEFAULT_TENANT, "e")
        self.membership.serves(key, 1)
        self.loads[key] = 64
        self.network.advance(LOOK * 0.9)
        self.assertEqual(self.published(), {b"/\0e": b"1 0"})
        self.network.advance(LOOK * 0.2)
        self.assertEqual(self.published(), {b"/\0e": b"1 64"})

    def test_closed(self) -> None:
        """
        Nothing goes on after its end, and what is said then is harmless.
        """
        self.successResultOf(self.membership.close())
        self.membership.serves(EndpointKey(DEFAULT_TENANT, "e"), 1)
        self.assertIsNone(self.membership.accept(Peer(NodeId("x"), 1)))
        self.successResultOf(self.membership.leave())
        self.successResultOf(self.membership.close())
        self.network.pump()
        self.assertEqual(self.network.clock.getDelayedCalls(), [])


class SilentTests(MembershipTestCase):
    """
    Members that do not answer any more.
    """

    def test_told(self) -> None:
        """
        Who cannot be reached is told of once, with the generation of that life.
        """
        one, other = self.make("a", generation=7), self.make("b", seeds=["a"])
        self.open(one, "10.0.0.1")
        self.open(other, "10.0.0.2")
        self.network.advance(2)
        self.assertEqual(self.silent, [])
        one.close()
        self.network.advance(5)
        self.assertEqual(self.silent, [("a", 7)])


class ViewTests(MembershipTestCase):
    """
    What is shown.
    """

    def setUp(self) -> None:
        """
        Two members that know each other.
        """
        super().setUp()
        self.one, self.other = self.make("a", generation=7), self.make("b", seeds=["a"])
        self.open(self.one, "10.0.0.1")
        self.open(self.other, "10.0.0.2")
        self.one.say(Fact.VERSION, "1")
        self.one.serves(EndpointKey(DEFAULT_TENANT, "e"), 1)
        self.network.advance(2)
        self.one.serves(EndpointKey(DEFAULT_TENANT, "e"), 0)
        self.network.advance(2)
        self.view = GossipView(self.other, clock=self.host_of("b"), forget=60.0)

    def test_interface(self) -> None:
        """
        It is what it says.
        """
        self.assertTrue(verifyObject(IGossipView, self.view))

    def test_members(self) -> None:
        """
        Each with its life, and what is held of it.
        """
        own, a = self.view.members()
        self.assertEqual((own.id, own.addr, own.status), ("b", "10.0.0.2:8003", "active"))
        self.assertEqual((own.since, own.forgotten_in), (None, None))
        self.assertEqual((a.id, a.addr, a.generation, a.status, a.deleted), ("a", "10.0.0.1:8003", 7, "active", 1))
        self.assertEqual(a.keys, 1)
        assert a.changed is not None and a.since is not None
        self.assertLess(abs(a.changed - 2.0), 0.5)
        self.assertLess(abs(a.since - 4.0), 0.5)
        self.assertIsNone(a.forgotten_in)

    def test_gone(self) -> None:
        """
        Of who is gone it says when he is forgotten.
        """
        self.one.close()
        self.network.advance(10)
        _, a = self.view.members()
        self.assertEqual(a.status, "unreachable")
        assert a.forgotten_in is not None and a.since is not None
        self.assertAlmostEqual(a.forgotten_in + a.since, 60.0)

    def test_keys(self) -> None:
        """
        What a node publishes and has taken back.
        """
        keys = self.view.keys(NodeId("a"))
        assert keys is not None
        shown = {key.key: (key.value, key.internal) for key in keys}
        self.assertEqual(shown["version"], ("1", False))
        self.assertEqual(shown["endpoint:e"], (None, False))
        self.one.serves(EndpointKey(TenantId("t"), "e"), 2)
        self.one.gossip.put(b"new\xff", b"\xff")
        self.network.advance(2)
        shown = {key.key: (key.value, key.internal) for key in self.view.keys(NodeId("a")) or ()}
        self.assertEqual(shown["endpoint:t/e"], ("2 0", False))
        self.assertEqual(shown["new\\xff"], ("\\xff", False))
        self.assertIsNone(self.view.keys(NodeId("x")))

    def test_not_bound(self) -> None:
        """
        Before it is bound there is nothing to show.
        """
        view = GossipView(self.make("c"), clock=self.host_of("c"), forget=60.0)
        self.assertEqual(view.members(), [])
        self.assertIsNone(view.keys(NodeId("c")))

    def test_lives(self) -> None:
        """
        Whoever holds links is told which lives are over.
        """
        self.over.clear()
        self.one.close()
        again = self.make("a", generation=9)
        self.open(again, "10.0.0.1")
        self.network.advance(10)
        self.assertEqual([each for each in self.over if each[0] == "a"], [("a", 8), ("a", 9)])
