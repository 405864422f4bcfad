"""
Tests for :mod:`pico.cluster.publish`.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from pico.cluster.publish import LEAST_LOAD, MAX_ENDPOINTS, MAX_LOOKED, MAX_TOLD, Publication, coarse
from pico.cluster.schema import Fact
from pico.gossip.limits import DEFAULT_LIMITS
from pico.names import DEFAULT_TENANT, EndpointKey, TenantId


def key_of(endpoint: str) -> EndpointKey:
    """
    A key of the default tenant.
    """
    return EndpointKey(DEFAULT_TENANT, endpoint)


E = key_of("e")


class CoarseTests(SynchronousTestCase):
    """
    Loads as they are told.
    """

    def test_rounded(self) -> None:
        """
        A load is told as a power of two below it; a small one is none.
        """
        for load, told in [(0, 0), (3, 0), (4, 4), (7, 4), (8, 8), (1000, 512), (1024, 1024)]:
            self.assertEqual(coarse(load, 0), told)

    def test_steady(self) -> None:
        """
        A load that goes back and forth around a border does not change.
        """
        for load, told, after in [(16, 16, 16), (15, 16, 16), (12, 16, 16), (11, 16, 8), (3, 4, 4), (2, 4, 0)]:
            self.assertEqual(coarse(load, told), after, (load, told))


class PublicationTests(SynchronousTestCase):
    """
    What is published.
    """

    def setUp(self) -> None:
        """
        Nothing yet.
        """
        self.publication = Publication(max_endpoints=3)
        self.loads: dict[EndpointKey, int] = {}
        self.looked: list[EndpointKey] = []

    def look(self) -> None:
        """
        Sample the loads.
        """
        self.publication.look(self.load_of)

    def load_of(self, key: EndpointKey) -> int:
        """
        How busy an endpoint is.
        """
        self.looked.append(key)
        return self.loads.get(key, 0)

    def taken(self) -> dict[bytes, bytes | None]:
        """
        What there is to publish.
        """
        return dict(self.publication.take())

    def test_facts(self) -> None:
        """
        What the node says of itself, the last word only.
        """
        self.publication.say(Fact.PROXY_ADDR, "h:1")
        self.publication.say(Fact.PROXY_ADDR, "h:2")
        self.assertEqual(self.taken(), {b"proxy_addr": b"h:2"})
        self.assertEqual(self.taken(), {})

    def test_tunnels(self) -> None:
        """
        Each change of an endpoint's tunnels is told; what comes and goes between two looks is not.
        """
        for steps, told in [
            ([1], b"1 0"),
            ([2, 3], b"3 0"),
            ([2, 0], None),
            ([1, 0, 4], b"4 0"),
            ([0], None),
        ]:
            for upstreams in steps:
                self.publication.serves(E, upstreams)
            self.assertEqual(self.taken(), {b"/\0e": told})
        self.publication.serves(E, 0)
        self.assertEqual(self.taken(), {})

    def test_load(self) -> None:
        """
        Load is told coarsely, at a look and not before, and goes with the number of tunnels from then on.
        """
        self.publication.serves(E, 1)
        self.taken()
        self.loads[E] = 9
        self.assertEqual(self.taken(), {})
        self.look()
        self.assertEqual(self.taken(), {b"/\0e": b"1 8"})
        self.loads[E] = 15
        self.look()
        self.assertEqual(self.taken(), {})
        self.publication.serves(E, 2)
        self.assertEqual(self.taken(), {b"/\0e": b"2 8"})
        self.loads[E] = LEAST_LOAD - 2
        self.look()
        self.assertEqual(self.taken(), {b"/\0e": b"2 0"})

    def test_gone_before_a_look(self) -> None:
        """
        An endpoint that is gone is not looked at.
        """
        for name in ("e", "f"):
            self.publication.serves(key_of(name), 1)
        self.publication.serves(E, 0)
        self.look()
        self.assertEqual(self.looked, [key_of("f")])

    def test_too_many(self) -> None:
        """
        What there is no room for is told when there is some.
        """
        for name in "abcd":
            self.publication.serves(key_of(name), 1)
        self.assertEqual(sorted(self.taken()), [b"/\0a", b"/\0b", b"/\0c"])
        self.publication.serves(key_of("d"), 2)
        self.look()
        self.assertEqual((self.taken(), self.publication.left_out), ({}, 1))
        self.publication.serves(key_of("a"), 0)
        self.assertEqual(self.taken(), {b"/\0a": None})
        self.look()
        self.assertEqual((self.taken(), self.publication.left_out), ({b"/\0d": b"2 0"}, 0))

    def test_too_long(self) -> None:
        """
        A name that gossip could not carry is left out.
        """
        self.publication.serves(EndpointKey(TenantId("t" * 256), "e"), 1)
        self.look()
        self.assertEqual((self.taken(), self.publication.left_out), ({}, 1))

    def test_all_in_turn(self) -> None:
        """
        However many endpoints there are, a look takes in only so many, and all have their turn.
        """
        publication = self.publication = Publication()
        keys = [key_of(str(number)) for number in range(MAX_LOOKED + 10)]
        for key in keys:
            publication.serves(key, 1)
        self.look()
        self.assertEqual(len(self.looked), MAX_LOOKED)
        self.look()
        self.assertEqual(sorted(self.looked, key=str), sorted(keys, key=str))

    def test_told_is_bounded(self) -> None:
        """
        However much changes, a look tells only so many loads; the others follow.
        """
        publication = self.publication = Publication()
        keys = [key_of(str(number)) for number in range(MAX_TOLD + 10)]
        for key in keys:
            publication.serves(key, 1)
            self.loads[key] = 8
        self.taken()
        for expected in (MAX_TOLD, 10, 0):
            self.look()
            self.assertEqual(len(self.taken()), expected)

    def test_fits_gossip(self) -> None:
        """
        All that is published is no more than gossip takes.
        """
        self.assertLess(MAX_ENDPOINTS + len(Fact), DEFAULT_LIMITS.max_keys)
