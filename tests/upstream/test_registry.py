"""
Tests for :mod:`pico.upstream.registry`.
"""

from __future__ import annotations

import random

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from pico.interfaces import ILocalTunnels, ISelector
from pico.names import DEFAULT_TENANT, EndpointKey, TenantId
from pico.upstream.registry import Registry
from pico.upstream.tunnel import TunnelUpstream
from tests.upstream.support import load, make_upstream

KEY = EndpointKey(DEFAULT_TENANT, "e")
OURS, THEIRS = TenantId("ours"), TenantId("theirs")


class RegistryTests(SynchronousTestCase):
    """
    What is where.
    """

    def setUp(self) -> None:
        """
        An empty one.
        """
        self.clock = Clock()
        self.registry = Registry(self.clock)

    def add(self, *upstreams: TunnelUpstream) -> None:
        """
        Let requests go to them.
        """
        for upstream in upstreams:
            self.registry.add(upstream)

    def test_seams(self) -> None:
        """
        It is what the proxy chooses with and what operators look at.
        """
        verifyObject(ISelector, self.registry)
        verifyObject(ILocalTunnels, self.registry)

    def test_empty(self) -> None:
        """
        Where nothing is nothing is chosen, shown or removed.
        """
        self.assertIsNone(self.registry.choose(KEY, ()))
        self.assertFalse(self.registry.remove(make_upstream()))
        self.assertEqual((len(self.registry), list(self.registry)), (0, []))
        self.assertEqual((self.registry.endpoints(), self.registry.addresses()), ({}, {}))

    def test_added_and_removed(self) -> None:
        """
        A tunnel can be chosen from its arrival to its removal, which may be asked for twice.
        """
        only = make_upstream()
        self.add(only)
        self.assertIs(self.registry.choose(KEY, ()), only)
        self.assertIsNone(self.registry.choose(EndpointKey(DEFAULT_TENANT, "E"), ()))
        self.assertTrue(self.registry.remove(only))
        self.assertFalse(self.registry.remove(only))
        self.assertIsNone(self.registry.choose(KEY, ()))
        self.assertEqual((len(self.registry), self.registry.endpoints()), (0, {}))

    def test_stranger_removed(self) -> None:
        """
        The removal of a tunnel that is not here leaves another one of its endpoint alone.
        """
        only = make_upstream()
        self.add(only)
        self.assertFalse(self.registry.remove(make_upstream()))
        self.assertEqual(list(self.registry), [only])

    def test_tried(self) -> None:
        """
        What failed a request is not chosen for it again, be there one tunnel or several.
        """
        one, two = make_upstream(), make_upstream()
        self.add(one)
        self.assertIsNone(self.registry.choose(KEY, (one,)))
        self.add(two)
        self.assertIs(self.registry.choose(KEY, (one,)), two)
        self.assertIsNone(self.registry.choose(KEY, (one, two)))

    def test_turns(self) -> None:
        """
        Equals take turns.
        """
        upstreams = [make_upstream() for _ in range(3)]
        self.add(*upstreams)
        self.assertEqual([self.registry.choose(KEY, ()) for _ in range(7)], [*upstreams, *upstreams, upstreams[0]])

    def test_turns_go_on(self) -> None:
        """
        Whichever tunnel goes, and whoever's turn it is, the others go on in their order.
        """
        for chosen in range(4):
            for gone in range(4):
                self.registry = Registry(self.clock)
                upstreams = [make_upstream() for _ in range(4)]
                self.add(*upstreams)
                for _ in range(chosen):
                    self.registry.choose(KEY, ())
                following = [upstreams[(chosen + step) % 4] for step in range(4)]
                self.registry.remove(upstreams[gone])
                following.remove(upstreams[gone])
                self.assertEqual([self.registry.choose(KEY, ()) for _ in range(3)], following, (chosen, gone))

    def test_turns_of_endpoints(self) -> None:
        """
        Requests for one endpoint do not move the turns of another.
        """
        ours = [make_upstream(tenant=OURS) for _ in range(2)]
        theirs = [make_upstream(tenant=THEIRS) for _ in range(2)]
        self.add(*ours, *theirs)
        for _ in range(2):
            self.assertIs(self.registry.choose(EndpointKey(OURS, "e"), ()), ours[0])
            self.assertIs(self.registry.choose(EndpointKey(THEIRS, "e"), ()), theirs[0])
            self.assertIs(self.registry.choose(EndpointKey(OURS, "e"), ()), ours[1])
            self.assertIs(self.registry.choose(EndpointKey(THEIRS, "e"), ()), theirs[1])

    def test_least_busy(self) -> None:
        """
        The tunnel with the least to do is chosen, whoever's turn it is.
        """
        busy, idle = make_upstream(), make_upstream()
        load(busy, 2)
        load(idle, 1)
        self.add(busy, idle)
        self.assertEqual([self.registry.choose(KEY, ()) for _ in range(3)], [idle] * 3)

    def test_avoided(self) -> None:
        """
        A tunnel that has just failed is avoided until its time is over.
        """
        bad, good = make_upstream(), make_upstream()
        load(good, 5)
        self.add(bad, good)
        bad.avoid_until = 1.0
        self.assertIs(self.registry.choose(KEY, ()), good)
        self.assertIs(self.registry.choose(KEY, (good,)), bad)
        self.clock.advance(1)
        self.assertIs(self.registry.choose(KEY, ()), bad)

    def test_tenants(self) -> None:
        """
        The same endpoint of two tenants is two endpoints.
        """
        ours, theirs = make_upstream(tenant=OURS), make_upstream(tenant=THEIRS)
        self.add(ours, theirs)
        self.assertIs(self.registry.choose(EndpointKey(OURS, "e"), ()), ours)
        self.assertIs(self.registry.choose(EndpointKey(THEIRS, "e"), ()), theirs)
        self.assertIsNone(self.registry.choose(KEY, ()))
        self.assertIsNone(self.registry.choose(EndpointKey(OURS, "e"), (ours,)))
        self.registry.remove(ours)
        self.assertIsNone(self.registry.choose(EndpointKey(OURS, "e"), ()))
        self.assertIs(self.registry.choose(EndpointKey(THEIRS, "e"), ()), theirs)

    def test_shown(self) -> None:
        """
        Counts and addresses are told by tenant and endpoint.
        """
        self.add(
            make_upstream(address="192.0.2.1:1"),
            make_upstream(address="192.0.2.2:2"),
            make_upstream(endpoint="f", address="192.0.2.1:3"),
            make_upstream(tenant=OURS, address="192.0.2.3:4"),
        )
        others = EndpointKey(DEFAULT_TENANT, "f"), EndpointKey(OURS, "e")
        self.assertEqual(self.registry.endpoints(), {KEY: 2, others[0]: 1, others[1]: 1})
        self.assertEqual(
            self.registry.addresses(),
            {KEY: ["192.0.2.1:1", "192.0.2.2:2"], others[0]: ["192.0.2.1:3"], others[1]: ["192.0.2.3:4"]},
        )
        self.assertEqual(len(self.registry), 4)

    def test_any_order(self) -> None:
        """
        After any coming and going what is counted, shown and chosen is what is there.
        """
        chooser = random.Random(1)
        here: list[TunnelUpstream] = []
        for _ in range(300):
            if here and chooser.random() < 0.5:
                gone = here.pop(chooser.randrange(len(here)))
                self.assertTrue(self.registry.remove(gone))
            else:
                here.append(make_upstream(endpoint=chooser.choice("ab"), tenant=chooser.choice((OURS, THEIRS))))
                self.registry.add(here[-1])
            counts = self.registry.endpoints()
            self.assertEqual((len(self.registry), sum(counts.values())), (len(here), len(here)))
            self.assertCountEqual(list(self.registry), here)
            for key in counts:
                mine = [each for each in here if each.key == key]
                self.assertCountEqual([self.registry.choose(key, ()) for _ in mine], mine)
