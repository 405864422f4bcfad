"""
Tests for :mod:`pico.gossip.sync`.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from pico.gossip import codec, sync
from pico.gossip.counters import Counters
from pico.gossip.events import Event
from pico.gossip.limits import Limits
from pico.gossip.parcels import Parcel
from pico.gossip.peer import Peer, Status
from pico.gossip.roster import Roster
from pico.gossip.sections import Block, Digest, Intro, Life, Want

FIRST = bytes(8)
LAST = b"\xff" * 8


def token(number: int) -> bytes:
    """
    A token.
    """
    return number.to_bytes(8, "big")


class Case(SynchronousTestCase):
    """
    A roster.
    """

    def setUp(self) -> None:
        """
        Ourselves, with the token 50, at version 2.
        """
        self.counters = Counters()
        self.events: list[Event] = []
        self.roster = Roster(Life(token(50), "me", 5, ("10.0.0.1", 8003)), Limits(), 60.0, self.counters)
        self.fill(self.roster.me, 2)

    def peer(self, number: int, version: int = 0, status: Status = Status.ALIVE) -> Peer:
        """
        Somebody known.
        """
        intro = Intro(1, 3, f"peer {number}", ("10.0.0.1", 8003))
        peer = self.roster.meet(token(number), intro, 0.0, self.events)
        assert peer is not None
        self.roster.set_status(peer, status, 0.0)
        self.fill(peer, version)
        return peer

    def fill(self, peer: Peer, version: int) -> None:
        """
        Let somebody have that version.
        """
        for number in range(version):
            peer.ledger.put(b"%d" % number, b"value")

    def compare(self, *entries: bytes, first: bytes = FIRST, last: bytes = LAST) -> sync.Difference:
        """
        Hold a digest against the roster.
        """
        return sync.compare(self.roster, Digest(first, last, b"".join(entries)))


class CompareTests(Case):
    """
    What follows from a digest.
    """

    def gifts(self, difference: sync.Difference) -> list[tuple[str, int, bool]]:
        """
        What the sender lacks.
        """
        return [(gift.peer.id, gift.after, gift.known) for gift in difference.gifts]

    def wants(self, difference: sync.Difference) -> list[tuple[int, int]]:
        """
        What we lack.
        """
        entries = codec.read_entries(b"".join(difference.wants))
        return [(int.from_bytes(each, "big"), codec.join_version(high, low)[0]) for each, high, low in entries]

    def test_same(self) -> None:
        """
        Who knows the same lacks nothing.
        """
        self.peer(1, 4)
        difference = self.compare(codec.write_entry(token(1), 4), codec.write_entry(token(50), 2))
        self.assertEqual(([], [], 0), (difference.gifts, difference.wants, difference.lacking))

    def test_versions(self) -> None:
        """
        Of each life the one who knows more gives it.
        """
        self.peer(1, 4)
        self.peer(2, 4)
        difference = self.compare(
            codec.write_entry(token(1), 3), codec.write_entry(token(2), 9), codec.write_entry(token(50), 1)
        )
        self.assertEqual([("peer 1", 3, True), ("me", 1, True)], self.gifts(difference))
        self.assertEqual([(2, 4)], self.wants(difference))
        self.assertEqual(5, difference.lacking)

    def test_unknown(self) -> None:
        """
        Who is not listed is given whole, who is not known is wanted whole.
        """
        self.peer(1, 4)
        difference = self.compare(codec.write_entry(token(9), 7))
        self.assertEqual([("peer 1", 0, False), ("me", 0, False)], self.gifts(difference))
        self.assertEqual([(9, 0)], self.wants(difference))
        self.assertEqual(7, difference.lacking)

    def test_range(self) -> None:
        """
        A digest says nothing of those outside of its range.
        """
        self.peer(1)
        self.peer(60)
        self.assertEqual([], self.compare(first=token(2), last=token(49)).gifts)
        self.assertEqual(
            ["peer 1", "me"], [gift.peer.id for gift in self.compare(first=token(1), last=token(50)).gifts]
        )

    def test_not_alive(self) -> None:
        """
        Nobody who does not know them learns of those who are not alive, from neither side; who knows them is told what
        they said last.
        """
        self.peer(1, 4, Status.UNREACHABLE)
        self.peer(2, 4, Status.LEFT)
        self.peer(3, 4, Status.SUSPECT)
        difference = self.compare(codec.write_entry(token(50), 2), codec.write_entry(token(9), 7, spread=False))
        self.assertEqual([("peer 3", 0, False)], self.gifts(difference))
        self.assertEqual([], self.wants(difference))
        difference = self.compare(
            codec.write_entry(token(1), 3, spread=False),
            codec.write_entry(token(2), 5, spread=False),
            codec.write_entry(token(3), 4),
            codec.write_entry(token(50), 2),
        )
        self.assertEqual([("peer 1", 3, True)], self.gifts(difference))
        self.assertEqual([(2, 4)], self.wants(difference))

    def test_buried(self) -> None:
        """
        A life that is over for good is not wanted.
        """
        self.peer(1)
        self.roster.meet(token(2), Intro(2, 0, "peer 1", ("10.0.0.1", 1)), 0.0, self.events)
        self.assertEqual([], self.compare(codec.write_entry(token(1), 9), codec.write_entry(token(2), 0)).wants)

    def test_about_us(self) -> None:
        """
        Nobody knows more of us than we do, whatever he says.
        """
        self.assertEqual([], self.compare(codec.write_entry(token(50), 99)).wants)

    def test_requested(self) -> None:
        """
        What somebody wants he gets, as far as it is known; what he does not know at all, with an introduction.
        """
        self.peer(1, 4)
        want = Want(codec.write_entry(token(1), 0) + codec.write_entry(token(9), 0) + codec.write_entry(token(50), 1))
        gifts = sync.requested(self.roster, want)
        self.assertEqual(
            [("peer 1", 0, False), ("me", 1, True)], [(gift.peer.id, gift.after, gift.known) for gift in gifts]
        )


class BlockTests(Case):
    """
    How blocks are cut.
    """

    def blocks(self, parcel: Parcel) -> list[Block]:
        """
        The blocks in a parcel.
        """
        found = []
        for payload in parcel.take():
            for section in codec.read(payload):
                assert isinstance(section, Block)
                found.append(section)
        return found

    def test_one(self) -> None:
        """
        What fits goes into one block, which says that it is all.
        """
        peer = self.peer(1, 5)
        parcel = Parcel(b"", ("", 0), 1000)
        self.assertTrue(sync.write_blocks(parcel, [sync.Gift(peer, 2, True)], 8, self.counters))
        (block,) = self.blocks(parcel)
        self.assertEqual((2, 5, True, None), (block.after, block.upto, block.complete, block.intro))
        self.assertEqual([3, 4, 5], [version for _, version, _ in block.records])
        self.assertEqual(3, self.counters.records_out)

    def test_introduced(self) -> None:
        """
        Who does not know the life is introduced to it, in the first block of several.
        """
        peer = self.peer(1, 20)
        parcel = Parcel(b"", ("", 0), 150)
        gift = sync.Gift(peer, 0, False)
        self.assertTrue(sync.write_blocks(parcel, [gift], 8, self.counters))
        first, *others = self.blocks(parcel)
        assert first.intro is not None
        self.assertEqual(("peer 1", 3), (first.intro.id, first.intro.incarnation))
        self.assertGreater(len(others), 1)
        before = first
        for block in others:
            self.assertIsNone(block.intro)
            self.assertEqual(before.upto, block.after)
            self.assertFalse(before.complete)
            before = block
        self.assertTrue(before.complete)
        self.assertEqual((20, True), (gift.after, gift.known))

    def test_datagrams(self) -> None:
        """
        There are never more datagrams than are allowed, each is full, and the gift knows how far it came.
        """
        peer = self.peer(1, 100)
        for room in (80, 150, 1400):
            for count in (1, 2, 3):
                parcel = Parcel(b"", ("", 0), room)
                parcel.add(bytes(20))
                gift = sync.Gift(peer, 0, True)
                done = sync.write_blocks(parcel, [gift], count, self.counters)
                sizes = [len(payload) for payload in parcel.take()]
                self.assertLessEqual(len(sizes), count)
                self.assertLessEqual(max(sizes), room)
                self.assertEqual(gift.after == 100, done)
                if not done:
                    self.assertGreater(min(sizes), room - 16)

    def test_no_room(self) -> None:
        """
        When not even the first record fits, nothing is written.
        """
        peer = self.peer(1, 100)
        parcel = Parcel(b"", ("", 0), 1000)
        parcel.add(bytes(970))
        gift = sync.Gift(peer, 0, True)
        self.assertFalse(sync.write_blocks(parcel, [gift], 1, self.counters))
        self.assertEqual(([970], 0), ([len(payload) for payload in parcel.take()], gift.after))

    def test_floor(self) -> None:
        """
        Who is behind the floor is given what is above it.
        """
        peer = self.peer(1, 3)
        for number in range(500):
            peer.ledger.put(b"passing", b"%d" % number)
            peer.ledger.put(b"passing %d" % number, b"")
            peer.ledger.remove(b"passing %d" % number)
        floor = peer.ledger.floor
        self.assertGreater(floor, 0)
        parcel = Parcel(b"", ("", 0), 60_000)
        sync.write_blocks(parcel, [sync.Gift(peer, 1, True)], 1, self.counters)
        (block,) = self.blocks(parcel)
        self.assertEqual((floor, floor), (block.floor, block.after))

    def test_empty(self) -> None:
        """
        A life without keys can be introduced.
        """
        peer = self.peer(1)
        parcel = Parcel(b"", ("", 0), 1000)
        sync.write_blocks(parcel, [sync.Gift(peer, 0, False)], 1, self.counters)
        (block,) = self.blocks(parcel)
        self.assertEqual((0, 0, True, []), (block.after, block.upto, block.complete, block.records))
        self.assertIsNotNone(block.intro)

    def test_longest(self) -> None:
        """
        The longest record of a life with the longest name fits into an empty datagram of the least size.
        """
        limits = Limits(max_packet_size=1371)
        name = "x" * limits.max_id
        peer = self.roster.meet(token(1), Intro(1, 0, name, (name, 1)), 0.0, self.events)
        assert peer is not None
        peer.ledger.put(bytes([1]) * limits.max_key, bytes(limits.max_value))
        parcel = Parcel(b"", ("", 0), limits.max_packet_size - 39)
        self.assertTrue(sync.write_blocks(parcel, [sync.Gift(peer, 0, False)], 1, self.counters))
        self.assertEqual([limits.max_packet_size - 39], [len(payload) for payload in parcel.take()])
        self.assertRaises(ValueError, Limits, max_packet_size=1370)

    def test_wants(self) -> None:
        """
        Of what is lacking as much is asked for as fits into one datagram.
        """
        parcel = Parcel(b"", ("", 0), 100)
        sync.write_wants(parcel, [])
        self.assertEqual([], parcel.take())
        sync.write_wants(parcel, [codec.write_entry(token(number), 1) for number in range(50)])
        (payload,) = parcel.take()
        (want,) = codec.read(payload)
        assert isinstance(want, Want)
        self.assertEqual(7, len(list(codec.read_entries(want.entries))))
