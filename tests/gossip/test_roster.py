"""
Tests for :mod:`pico.gossip.roster`.
"""

from __future__ import annotations

from itertools import pairwise

import attrs
from twisted.trial.unittest import SynchronousTestCase

from pico.gossip import codec
from pico.gossip.codec import ENTRY_SIZE
from pico.gossip.counters import Counters
from pico.gossip.events import BecameUnreachable, Event, Joined, Removed
from pico.gossip.limits import Limits
from pico.gossip.peer import Peer, Status
from pico.gossip.roster import BURIED_FOR, MAX_PAGES, Roster
from pico.gossip.sections import Digest, Intro, Life

FORGET = 60.0
ADDRESS = ("10.0.0.1", 8003)


def token(number: int) -> bytes:
    """
    A token.
    """
    return number.to_bytes(8, "big")


class Case(SynchronousTestCase):
    """
    A roster, and what it tells.
    """

    def setUp(self) -> None:
        """
        A roster with nobody but ourselves.
        """
        self.counters = Counters()
        self.events: list[Event] = []
        self.roster = self.make()

    def make(self, limits: Limits | None = None) -> Roster:
        """
        A roster.
        """
        return Roster(Life(token(100), "me", 5, ADDRESS), limits or Limits(), FORGET, self.counters)

    def meet(self, number: int, name: str, generation: int = 1, incarnation: int = 0, now: float = 0.0) -> Peer | None:
        """
        Hear of a life.
        """
        intro = Intro(generation, incarnation, name, ADDRESS)
        return self.roster.meet(token(number), intro, now, self.events)

    def told(self) -> list[str]:
        """
        The events since the last time.
        """
        told = []
        for event in self.events:
            assert isinstance(event, Joined | Removed | BecameUnreachable)
            told.append(f"{type(event).__name__} {event.peer.token[-1]}")
        self.events.clear()
        return told


class RosterTests(Case):
    """
    Who is known, and who was.
    """

    def test_meet(self) -> None:
        """
        A life is known as soon as it is heard of, and joins once.
        """
        peer = self.meet(1, "one")
        assert peer is not None
        self.assertIs(peer, self.meet(1, "one"))
        self.assertEqual(["Joined 1"], self.told())
        self.assertIs(peer, self.roster.get(token(1)))
        self.assertIs(peer, self.roster.find("one"))
        self.assertEqual([peer], list(self.roster.others()))
        self.assertEqual([peer], list(self.roster.up.values()))
        self.assertEqual(2, len(self.roster))

    def test_newer_life(self) -> None:
        """
        A newer life of an id replaces the former one, which does not come back.
        """
        self.meet(1, "one", generation=1)
        self.assertIsNotNone(self.meet(2, "one", generation=2))
        self.assertEqual(["Joined 1", "Removed 1", "Joined 2"], self.told())
        self.assertIsNone(self.meet(1, "one", generation=1))
        self.assertTrue(self.roster.is_buried(token(1)))
        self.assertEqual(2, self.roster.replaced_by(token(1)))
        self.assertEqual([], self.told())

    def test_older_life(self) -> None:
        """
        An older life of an id that is known is buried before it was known.
        """
        self.meet(2, "one", generation=2)
        self.assertIsNone(self.meet(1, "one", generation=1))
        self.assertEqual(["Joined 2"], self.told())
        self.assertTrue(self.roster.is_buried(token(1)))
        self.assertEqual(2, self.roster.replaced_by(token(1)))

    def test_our_id(self) -> None:
        """
        Another life of our own id is never a peer; a newer one is our rival.
        """
        for number, generation, rival in ((1, 4, False), (2, 6, True), (3, 5, False), (101, 5, True), (100, 6, False)):
            intro = Intro(generation, 0, "me", ADDRESS)
            self.assertEqual(rival, self.roster.rival(intro, token(number)), number)
            if number != 100:
                self.assertIsNone(self.meet(number, "me", generation=generation))
        self.assertEqual(1, len(self.roster))
        self.assertEqual([], self.told())
        self.assertFalse(self.roster.is_buried(token(2)))

    def test_limit(self) -> None:
        """
        One too many is not known; a newer life of somebody known is.
        """
        self.roster = self.make(Limits(max_members=2))
        self.meet(1, "one")
        self.assertIsNone(self.meet(2, "two"))
        self.assertEqual(1, self.counters.refused_members)
        self.assertIsNotNone(self.meet(3, "one", generation=2))

    def test_forgotten(self) -> None:
        """
        Who is unreachable, or has left, is removed after a while; who lives, and we ourselves, are not.
        """
        for number, status in enumerate((Status.ALIVE, Status.SUSPECT, Status.UNREACHABLE, Status.LEFT), 1):
            peer = self.meet(number, f"{number}")
            assert peer is not None
            self.roster.set_status(peer, status, 10.0)
        self.roster.set_status(self.roster.me, Status.LEFT, 10.0)
        self.told()
        self.roster.expire(69.9, self.events)
        self.assertEqual([], self.told())
        self.roster.expire(70.0, self.events)
        self.assertEqual(["Removed 3", "Removed 4"], self.told())

    def test_buried(self) -> None:
        """
        Who was unreachable comes back unreachable, unless he says more than was known; who left does not come back.
        """
        for number, name, status in ((1, "one", Status.UNREACHABLE), (2, "two", Status.LEFT)):
            peer = self.meet(number, name, incarnation=3)
            assert peer is not None
            self.roster.set_status(peer, status, 0.0)
        self.roster.expire(60.0, self.events)
        self.told()
        self.assertIsNone(self.meet(2, "two", incarnation=9))
        peer = self.meet(1, "one", incarnation=3)
        assert peer is not None
        self.assertIs(Status.UNREACHABLE, peer.status)
        self.assertEqual(["Joined 1", "BecameUnreachable 1"], self.told())
        self.roster.expire(200.0, self.events)
        peer = self.meet(1, "one", incarnation=4)
        assert peer is not None
        self.assertIs(Status.ALIVE, peer.status)

    def test_graves_are_forgotten(self) -> None:
        """
        After ten times as long nothing is remembered, and never more than the limit.
        """
        self.meet(2, "one", generation=2)
        self.meet(1, "one", generation=1)
        self.roster.expire(BURIED_FOR * FORGET - 1, self.events)
        self.assertTrue(self.roster.is_buried(token(1)))
        self.roster.expire(BURIED_FOR * FORGET, self.events)
        self.assertFalse(self.roster.is_buried(token(1)))
        self.roster = self.make(Limits(max_buried=3))
        self.meet(2, "one", generation=2)
        for number in range(10, 15):
            self.meet(number, "one", generation=1)
        self.assertEqual([False, False, True, True, True], [self.roster.is_buried(token(n)) for n in range(10, 15)])

    def test_accusers(self) -> None:
        """
        What somebody said of others ends with him.
        """
        one, two = self.meet(1, "one"), self.meet(2, "two")
        assert one is not None
        assert two is not None
        one.accusers[two.token] = 0
        self.assertEqual(1, one.accused)
        self.roster.remove(two, 0.0, self.events)
        self.assertEqual(0, one.accused)

    def test_accused(self) -> None:
        """
        Only accusations of the present incarnation count.
        """
        one = self.meet(1, "one", incarnation=3)
        assert one is not None
        one.accusers.update({token(7): 2, token(8): 3, token(9): 4})
        self.assertEqual(2, one.accused)

    def test_begin_again(self) -> None:
        """
        In a new life we are somebody else, and our former life is over.
        """
        self.meet(1, "one")
        me = self.roster.me
        self.roster.begin_again(attrs.evolve(me.life, token=token(7), generation=9), 0.0)
        self.assertIsNot(me, self.roster.me)
        self.assertIs(self.roster.me, self.roster.find("me"))
        self.assertIsNone(self.roster.get(token(100)))
        self.assertTrue(self.roster.is_buried(token(100)))
        self.assertEqual(2, len(self.roster))


class TellingTests(Case):
    """
    What is told of those who are known.
    """

    def test_fingerprint(self) -> None:
        """
        It is the same for who knows the same of the living, and another one after every change.
        """
        seen = [self.roster.fingerprint()]
        one, two = self.meet(1, "one"), self.meet(2, "two")
        assert one is not None
        assert two is not None
        seen.append(self.roster.fingerprint())
        one.ledger.put(b"key", b"value")
        self.roster.changed(one, 0.0)
        seen.append(self.roster.fingerprint())
        self.roster.set_status(one, Status.UNREACHABLE, 0.0)
        seen.append(self.roster.fingerprint())
        self.roster.remove(two, 0.0, self.events)
        seen.append(self.roster.fingerprint())
        # Whom nobody is told of does not count.
        self.assertEqual(seen[0], seen.pop())
        self.assertEqual(4, len(set(seen)))
        # The order in which they came does not either.
        self.roster = self.make()
        self.assertEqual(seen[0], self.roster.fingerprint())
        self.meet(2, "two")
        self.meet(1, "one")
        self.assertEqual(seen[1], self.roster.fingerprint())

    def test_suspects_are_told(self) -> None:
        """
        Who is only suspected counts like the living.
        """
        one = self.meet(1, "one")
        assert one is not None
        before = self.roster.fingerprint()
        self.roster.set_status(one, Status.SUSPECT, 0.0)
        self.assertEqual(before, self.roster.fingerprint())

    def read(self, digests: list[bytes]) -> list[Digest]:
        """
        Digests as others read them.
        """
        found = []
        for data in digests:
            (section,) = codec.read(data)
            assert isinstance(section, Digest)
            found.append(section)
        return found

    def test_one_digest(self) -> None:
        """
        A digest has everybody, with versions, and says who is not alive.
        """
        self.meet(1, "one")
        two = self.meet(2, "two")
        assert two is not None
        two.ledger.put(b"key", b"value")
        self.roster.changed(two, 0.0)
        self.roster.set_status(two, Status.UNREACHABLE, 0.0)
        (digest,) = self.read(self.roster.digests(1000))
        self.assertEqual((bytes(8), b"\xff" * 8), (digest.first, digest.last))
        entries = [(each, *codec.join_version(high, low)) for each, high, low in codec.read_entries(digest.entries)]
        self.assertEqual([(token(1), 0, True), (token(2), 1, False), (token(100), 0, True)], entries)

    def test_many_digests(self) -> None:
        """
        When not all fit into one, the ranges leave no gap and do not overlap; of very many, some follow each time.
        """
        for number in range(1, 50):
            self.meet(number, f"{number}")
        size = codec.DIGEST_SIZE + 5 * ENTRY_SIZE + 3
        digests = sorted(self.read(self.roster.digests(size, pages=100)), key=lambda digest: digest.first)
        self.assertEqual(10, len(digests))
        self.assertEqual((bytes(8), b"\xff" * 8), (digests[0].first, digests[-1].last))
        for one, next_one in pairwise(digests):
            self.assertEqual(int.from_bytes(one.last, "big") + 1, int.from_bytes(next_one.first, "big"))
        listed = [each for digest in digests for each, _, _ in codec.read_entries(digest.entries)]
        self.assertEqual(sorted(peer.token for peer in self.roster), listed)
        for digest in digests:
            for each, _, _ in codec.read_entries(digest.entries):
                self.assertTrue(digest.first <= each <= digest.last)
        some = [digest.first for _ in range(3) for digest in self.read(self.roster.digests(size))]
        self.assertEqual(3 * MAX_PAGES, len(some))
        self.assertEqual(10, len(set(some)))

    def test_between(self) -> None:
        """
        A range has both its ends.
        """
        for number in (1, 2, 3, 4):
            self.meet(number, f"{number}")
        found = [peer.id for peer in self.roster.between(token(2), token(3))]
        self.assertEqual(["2", "3"], found)
        self.assertEqual(5, len(list(self.roster.between(bytes(8), b"\xff" * 8))))
