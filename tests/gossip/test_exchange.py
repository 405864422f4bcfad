"""
Tests for :mod:`pico.gossip.exchange`.
"""

from __future__ import annotations

from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from pico.gossip import codec
from pico.gossip.events import Changed, Event, Joined
from pico.gossip.exchange import MAX_FRAME, Exchange
from pico.gossip.ledger import live
from pico.gossip.member import Member
from pico.gossip.seal import Keys
from pico.gossip.sections import Life
from pico.testing import MemoryGroup


def member(name: str, seed: int = 0) -> Member:
    """
    A member that knows nobody.
    """
    return Member(
        id=name,
        generation=1,
        address=(f"{name}.example", 8003),
        keys=Keys(),
        random=Random(f"{name} {seed}"),
        now=0.0,
    )


def talk(one: Exchange, other: Exchange, cut: int = 1 << 30, rounds: int = 10_000) -> list[Event]:
    """
    Carry bytes in both directions, in pieces, until nobody has anything to say.

    :return: the events of ``other``.
    """
    events = []
    for _ in range(rounds):
        there, back = one.data_to_send(), other.data_to_send()
        if not there and not back:
            break
        for start in range(0, len(there), cut):
            events += other.receive_data(there[start : start + cut], 1.0)
        for start in range(0, len(back), cut):
            one.receive_data(back[start : start + cut], 1.0)
    return events


def knowledge(member: Member) -> dict[str, dict[bytes, bytes]]:
    """
    All that a member knows.
    """
    return {peer.id: dict(live(peer.ledger)) for peer in member.roster}


def frame(*sections: bytes) -> bytes:
    """
    A frame.
    """
    payload = b"".join(sections)
    return len(payload).to_bytes(4, "big") + payload


class ExchangeTests(SynchronousTestCase):
    """
    Two members tell each other everything.
    """

    def fill(self, member: Member, count: int, size: int = 10) -> Member:
        """
        Give a member keys.
        """
        for number in range(count):
            member.put(b"%s %d" % (member.me.id.encode(), number), bytes(size), 0.0)
        return member

    def test_both_ways(self) -> None:
        """
        Afterwards both know the same, and both are done.
        """
        one, other = self.fill(member("one"), 3000), self.fill(member("other"), 7)
        here, there = Exchange(one), Exchange(other)
        events = talk(here, there)
        self.assertTrue(here.done and there.done)
        self.assertEqual(knowledge(one), knowledge(other))
        self.assertEqual(3000, len(knowledge(other)["one"]))
        self.assertIsInstance(events[0], Joined)
        changed = sum(len(event.changes) for event in events if isinstance(event, Changed))
        self.assertEqual(3000, changed)

    def test_one_byte_at_a_time(self) -> None:
        """
        However the stream is cut.
        """
        one, other = self.fill(member("one"), 30), self.fill(member("other"), 7)
        here, there = Exchange(one), Exchange(other)
        talk(here, there, cut=1)
        self.assertTrue(here.done and there.done)
        self.assertEqual(knowledge(one), knowledge(other))

    def test_third_parties(self) -> None:
        """
        A newcomer learns of all others, too, and what was deleted.
        """
        group = MemoryGroup()
        members = group.start_many(5)
        for each in members:
            for number in range(400):
                each.put(f"{number}", "value")
            for number in range(0, 400, 2):
                each.delete(f"{number}")
        group.advance(3)
        newcomer = member("new")
        here, there = Exchange(members[2].core), Exchange(newcomer)
        talk(here, there)
        self.assertTrue(here.done and there.done)
        self.assertEqual(knowledge(members[2].core), knowledge(newcomer))
        self.assertEqual(200, len(knowledge(newcomer)["m4"]))

    def test_broken_off(self) -> None:
        """
        What has arrived when the stream breaks off counts, and the next exchange goes on from there.
        """
        one, other = self.fill(member("one"), 5000), member("other")
        here, there = Exchange(one), Exchange(other)
        talk(here, there, rounds=2)
        there.receive_eof()
        assert there.error is not None
        self.assertIn("ended before", str(there.error))
        known = len(knowledge(other)["one"])
        self.assertTrue(0 < known < 5000, known)
        here, there = Exchange(one), Exchange(other)
        events = talk(here, there)
        changed = sum(len(event.changes) for event in events if isinstance(event, Changed))
        self.assertEqual(5000 - known, changed)
        self.assertEqual(knowledge(one), knowledge(other))

    def test_changes_meanwhile(self) -> None:
        """
        What changes during an exchange does not disturb it.
        """
        one, other = self.fill(member("one"), 5000), member("other")
        here, there = Exchange(one), Exchange(other)
        for number in range(0, 5000, 3):
            talk(here, there, rounds=1)
            one.put(b"one %d" % number, b"new", 0.0)
            one.delete(b"one %d" % (number + 1), 0.0)
        talk(here, there)
        self.assertTrue(here.done and there.done)
        talk(Exchange(one), Exchange(other))
        self.assertEqual(knowledge(one), knowledge(other))

    def test_pieces(self) -> None:
        """
        What is to be sent is made piece by piece, as there is room for it.
        """
        one = self.fill(member("one"), 5000, size=100)
        here = Exchange(one)
        here.receive_data(frame(codec.write_digest(bytes(8), b"\xff" * 8, [])) + frame(), 1.0)
        sizes = []
        while data := here.data_to_send(10_000):
            sizes.append(len(data))
        self.assertGreater(len(sizes), 10)
        self.assertLess(max(sizes), MAX_FRAME)
        self.assertFalse(here.done)

    def test_nothing_new(self) -> None:
        """
        Two that know the same say little.
        """
        one, other = self.fill(member("one"), 1000), member("other")
        talk(Exchange(one), Exchange(other))
        here = Exchange(one)
        self.assertLess(len(here.data_to_send()), 100)

    def test_wrong(self) -> None:
        """
        What does not belong there ends the exchange, with a reason, and changes nothing.
        """
        life = Life(b"12345678", "x", 1, ("x", 1))
        block = codec.write_block(life, incarnation=0, floor=0, after=0, upto=0, complete=True, records=[], count=0)
        digest = codec.write_digest(bytes(8), b"\xff" * 8, [])
        for data, reason in [
            (frame(b"\x00"), "no section"),
            (frame(codec.write_ping(1)), "Ping was not to be expected"),
            (frame(block), "Block was not to be expected"),
            (frame() + frame(digest), "Digest was not to be expected"),
            (frame() + frame() + frame(block), "Block was not to be expected"),
            ((MAX_FRAME + 1).to_bytes(4, "big"), "too long"),
            (frame(*[digest] * 100) * 2000, "too many digests"),
        ]:
            one = member("one")
            if reason == "too many digests":
                talk(Exchange(member("other")), Exchange(one))
            here = Exchange(one)
            known = len(one.roster)
            here.receive_data(data, 1.0)
            assert here.error is not None, reason
            self.assertIn(reason, str(here.error))
            self.assertEqual([], here.receive_data(frame(block), 1.0))
            self.assertEqual(b"", here.data_to_send())
            self.assertEqual(known, len(one.roster))

    @settings(derandomize=True, deadline=None, max_examples=60)
    @given(st.lists(st.binary(max_size=40), max_size=5), st.booleans())
    def test_any_bytes(self, pieces: list[bytes], framed: bool) -> None:
        """
        Whatever comes, nothing but an error in the exchange comes of it.
        """
        here = Exchange(member("one"))
        for piece in pieces:
            here.receive_data(frame(piece) if framed else piece, 1.0)
            here.data_to_send()
        here.receive_eof()
