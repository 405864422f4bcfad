"""
Tests for :mod:`pico.gossip.member`: what can only be seen datagram by datagram. What groups do stands in
``test_group``.
"""

from __future__ import annotations

from random import Random

from twisted.trial.unittest import SynchronousTestCase

from pico.gossip import codec
from pico.gossip.events import Event, FarBehind
from pico.gossip.limits import Limits
from pico.gossip.member import Member
from pico.gossip.peer import Status
from pico.gossip.seal import NOBODY, Keys, Sealer, read_envelope
from pico.gossip.sections import (
    Accuse,
    Ack,
    Address,
    Block,
    Cookie,
    Digest,
    Echo,
    Intro,
    Life,
    Nack,
    Ping,
    Section,
    Stale,
)
from pico.testing import DatagramNetwork, DatagramSocket, MemoryGroup

KEYS = Keys()
HERE = ("10.0.0.1", 8003)
THERE = ("10.0.0.2", 8003)


def make(name: str = "here", address: Address = HERE, generation: int = 5, limits: Limits | None = None) -> Member:
    """
    A member.
    """
    return Member(
        id=name,
        generation=generation,
        address=address,
        keys=KEYS,
        random=Random(name),
        now=0.0,
        limits=limits or Limits(),
    )


class Other:
    """
    Somebody who speaks with a member section by section.
    """

    def __init__(self, member: Member, name: str = "there", number: int = 1, generation: int = 1) -> None:
        self.member = member
        self.address: Address = ("10.0.1.1", number)
        self.life = Life(b"other %02d" % number, name, generation, self.address)
        self.events: list[Event] = []
        self._sealer: Sealer = KEYS.sealer(self.life.token)

    def say(self, *sections: bytes, now: float = 0.0, to: bytes | None = None) -> list[Section]:
        """
        Send sections.

        :return: those of the answer.
        """
        data = self._sealer.seal(self.member.me.token if to is None else to, b"".join(sections))
        self.events += self.member.receive_datagram(data, self.address, now)
        return self.hear()

    def hear(self) -> list[Section]:
        """
        What the member sends to this one.
        """
        found: list[Section] = []
        for data, address in self.member.datagrams_to_send():
            if address == self.address:
                found += codec.read(data[23:])
        return found

    def join(self, now: float = 0.0, version: int = 0) -> list[Section]:
        """
        Become known.

        :return: the answer to the echo.
        """
        intro = codec.write_intro(self.life, 0)
        first = self.say(codec.write_cookie(b"whatever"), intro, to=NOBODY, now=now)
        cookie = next(section.cookie for section in first if isinstance(section, Cookie))
        return self.say(codec.write_echo(cookie), intro, now=now)


def kinds(sections: list[Section]) -> list[type]:
    """
    The types of sections.
    """
    return [type(section) for section in sections]


class ConstructionTests(SynchronousTestCase):
    """
    Who can be a member.
    """

    def test_wrong(self) -> None:
        """
        Ids and addresses that nobody could write down are refused.
        """
        for name in ("", "x" * 129, "a\nb"):
            self.assertRaises(ValueError, make, name)
        for address in (("", 1), ("x" * 129, 1), ("host", 0), ("host", 65536)):
            self.assertRaises(ValueError, make, "here", address)


class MeetingTests(SynchronousTestCase):
    """
    The first datagrams between two.
    """

    def test_transcript(self) -> None:
        """
        Four datagrams: a greeting, a cookie, the echo, and everything.
        """
        here, there = make(), make("there", THERE)
        there.join([HERE], 0.0)
        there.handle_timer(0.0)
        seen = []
        members, addresses = {HERE: here, THERE: there}, {HERE: THERE, THERE: HERE}
        outgoing = there.datagrams_to_send()
        while outgoing:
            data, to = outgoing.pop(0)
            envelope = read_envelope(data)
            assert envelope is not None
            seen.append((envelope.receiver == NOBODY, kinds(codec.read(data[23:]))))
            members[to].receive_datagram(data, addresses[to], 0.0)
            outgoing += members[to].datagrams_to_send()
        self.assertEqual(
            [
                (True, [Cookie, Intro]),
                (False, [Echo, Cookie]),
                (False, [Cookie, Echo, Intro]),
                (False, [Echo, Intro, Digest]),
            ],
            seen[:4],
        )
        self.assertEqual([], seen[4:])
        self.assertIs(Status.ALIVE, here.roster.find("there").status)  # type: ignore[union-attr]

    def test_not_introduced(self) -> None:
        """
        Who does not say his name is asked for it, not too often, and is nobody until then.
        """
        other = Other(make())
        # An answer is never longer than what it answers.
        self.assertEqual([], other.say(codec.write_cookie(b"whatever"), codec.write_ping(1), to=NOBODY))
        _, cookie = other.say(codec.write_cookie(b"whatever"), codec.write_ping(1), codec.write_ping(2), to=NOBODY)
        assert isinstance(cookie, Cookie)
        answer = other.say(codec.write_echo(cookie.cookie), codec.write_ping(1))
        self.assertEqual([Cookie], kinds(answer))
        self.assertEqual([], other.say(codec.write_ping(2)))
        self.assertEqual([Cookie], kinds(other.say(codec.write_ping(2), now=0.1)))
        self.assertEqual(1, len(other.member.roster))

    def test_answers_from_elsewhere(self) -> None:
        """
        Somebody who answers from another address than the one that was written to, as hosts with several addresses
        do, is met all the same.
        """
        network = DatagramNetwork()
        here, there = make(), make("there", THERE)
        elsewhere = ("10.9.9.9", 8003)
        sockets: dict[Member, DatagramSocket] = {}

        def carry(member: Member, data: bytes, source: Address) -> None:
            member.receive_datagram(data, source, network.now)
            for answer, to in member.datagrams_to_send():
                sockets[member].send(answer, to)

        sockets[here] = network.open(elsewhere, lambda data, source: carry(here, data, source))
        sockets[there] = network.open(THERE, lambda data, source: carry(there, data, source))
        there.join([HERE], 0.0)
        there.handle_timer(0.0)
        for data, to in there.datagrams_to_send():
            self.assertEqual(HERE, to)
            # It is written to one address of the host, which answers from the other.
            network.send(THERE, data, elsewhere)
        network.deliver(0.1)
        self.assertIsNotNone(here.roster.find("there"))
        self.assertIsNotNone(there.roster.find("here"))

    def test_former_life(self) -> None:
        """
        A former life of somebody known is told so, whether it had a session or not.
        """
        member = make()
        former, later = Other(member, number=1), Other(member, number=2, generation=2)
        former.join()
        later.join()
        (stale,) = former.say(codec.write_ping(1))
        assert isinstance(stale, Stale)
        self.assertEqual(2, stale.generation)
        stranger = Other(member, number=3, generation=1)
        intro = codec.write_intro(stranger.life, 0)
        echo, stale = stranger.say(codec.write_cookie(b"whatever"), intro, to=NOBODY)
        assert isinstance(echo, Echo)
        assert isinstance(stale, Stale)
        self.assertEqual((b"whatever", 2), (echo.cookie, stale.generation))
        self.assertEqual(2, member.counters.former)

    def test_stale_of_a_stranger(self) -> None:
        """
        Only somebody who has shown that he is there can tell a member that it is replaced.
        """
        other = Other(make())
        other.say(codec.write_stale(9))
        self.assertFalse(other.member.is_out)
        self.assertEqual(5, other.member.me.life.generation)
        other.join()
        other.say(codec.write_stale(9))
        self.assertEqual(10, other.member.me.life.generation)

    def test_stale_and_old(self) -> None:
        """
        A member that has lived for a while believes it; an older generation means nothing.
        """
        other = Other(make())
        other.join(now=100.0)
        other.say(codec.write_stale(4), now=100.0)
        self.assertFalse(other.member.is_out)
        other.say(codec.write_stale(9), now=100.0)
        self.assertTrue(other.member.is_out)
        self.assertEqual([], other.say(codec.write_ping(1), now=100.0))
        self.assertEqual([], other.member.handle_timer(200.0))


class ActingTests(SynchronousTestCase):
    """
    What a member does with sections.
    """

    def setUp(self) -> None:
        """
        A member that knows two others.
        """
        self.member = make()
        self.one, self.two = Other(self.member, "one", 1), Other(self.member, "two", 2)
        self.one.join()
        self.two.join()

    def test_ping(self) -> None:
        """
        A ping is answered with its number.
        """
        (ack,) = self.one.say(codec.write_ping(7))
        assert isinstance(ack, Ack)
        self.assertEqual((7, 0), (ack.number, ack.incarnation))

    def test_offer(self) -> None:
        """
        The same fingerprint says nothing, another one brings a digest.
        """
        self.assertEqual([], self.one.say(codec.write_offer(self.member.roster.fingerprint())))
        self.assertEqual([Digest], kinds(self.one.say(codec.write_offer(b"12345678"))))

    def test_relay(self) -> None:
        """
        Whoever is to be pinged for somebody is, and his answer passed on, with the number of who asked.
        """
        self.assertEqual([], self.one.say(codec.write_relay(7, self.two.life.token)))
        (ping,) = self.pings(self.one.say(codec.write_relay(8, self.two.life.token)), self.two)
        member = self.member
        data = self.two._sealer.seal(member.me.token, codec.write_ack(ping.number, 3))
        member.receive_datagram(data, self.two.address, 0.1)
        (ack,) = self.one.hear()
        assert isinstance(ack, Ack)
        self.assertEqual((8, 3), (ack.number, ack.incarnation))

    def pings(self, ignored: list[Section], of: Other) -> list[Ping]:
        """
        Ask once more, and see what goes to somebody else.
        """
        data = self.one._sealer.seal(self.member.me.token, codec.write_relay(8, of.life.token))
        self.member.receive_datagram(data, self.one.address, 0.0)
        return [section for section in of.hear() if isinstance(section, Ping)]

    def test_nack(self) -> None:
        """
        Whoever asked hears of it when there is no answer, and at once when the target is not known or there is too
        much to do.
        """
        (nack,) = self.one.say(codec.write_relay(7, b"nobody.."))
        assert isinstance(nack, Nack)
        self.one.say(codec.write_relay(8, self.two.life.token))
        self.member.handle_timer(0.2)
        self.member.datagrams_to_send()
        self.member.handle_timer(0.31)
        nacks = [section for section in self.one.hear() if isinstance(section, Nack)]
        self.assertEqual([8], [nack.number for nack in nacks])
        member = make(limits=Limits(max_relays=2))
        one, two = Other(member, "one", 1), Other(member, "two", 2)
        one.join()
        two.join()
        answers = [one.say(codec.write_relay(number, two.life.token)) for number in (1, 2, 3)]
        self.assertEqual([[], [], [Nack]], [kinds(answer) for answer in answers])

    def test_accuse(self) -> None:
        """
        Who is held for dead says otherwise, once for each incarnation in which he is.
        """
        for accused, after in ((0, 1), (0, 1), (1, 2), (7, 8)):
            (ack,) = self.one.say(codec.write_accuse(accused))
            assert isinstance(ack, Ack)
            self.assertEqual((0, after), (ack.number, ack.incarnation))
        self.assertEqual(3, self.member.counters.refutations)
        self.one.say(codec.write_accuse(codec.MAX_INCARNATION))
        self.assertEqual(8, self.member.me.incarnation)

    def test_suspect_is_told(self) -> None:
        """
        A suspect that is heard is told that it is one, and believed when it denies it.
        """
        peer = self.member.roster.find("two")
        assert peer is not None
        accusation = codec.write_block(
            self.one.life,
            incarnation=None,
            floor=0,
            after=0,
            upto=1,
            complete=True,
            records=[codec.write_record((b"\0s" + self.two.life.token, 1, bytes(4)))],
            count=1,
        )
        self.one.say(accusation, now=1.0)
        self.assertIs(Status.SUSPECT, peer.status)
        _, accuse = self.two.say(codec.write_ping(1), now=1.0)
        assert isinstance(accuse, Accuse)
        self.assertEqual(0, accuse.incarnation)
        self.assertEqual([Ack], kinds(self.two.say(codec.write_ping(1), now=1.001)))
        self.two.say(codec.write_ack(0, 1), now=1.1)
        self.assertIs(Status.ALIVE, peer.status)

    def test_suspect_is_pinged(self) -> None:
        """
        A suspect is told that it is one before it is pinged, so that its answer says otherwise.
        """
        peer = self.member.roster.find("two")
        assert peer is not None
        now = 10.0
        while peer.status is not Status.SUSPECT:
            # The pings of the rounds are not answered.
            now += 0.02
            self.member.handle_timer(now)
            found = self.two.hear()
            self.assertLess(now, 12.0)
        # This happened in the same call.
        self.assertEqual([Accuse, Ping], kinds(found)[:2])

    def test_far_behind(self) -> None:
        """
        Who lacks very much is told once in a while, and with whom to exchange states.
        """
        entry = codec.write_entry(b"nobody..", 6000)
        for now in (1.0, 2.0, 7.0):
            self.one.say(codec.write_digest(bytes(8), b"\xff" * 8, [entry]), now=now)
        found = [event for event in self.one.events if isinstance(event, FarBehind)]
        self.assertEqual([("one", 6000)] * 2, [(event.peer.id, event.lacking) for event in found])
        self.one.say(codec.write_digest(bytes(8), b"\xff" * 8, [codec.write_entry(b"nobody..", 10)]), now=20.0)
        self.assertEqual(2, len([event for event in self.one.events if isinstance(event, FarBehind)]))

    def test_turns(self) -> None:
        """
        When not everything fits into an answer, everybody's keys have their turn sooner or later.
        """
        member = make(limits=Limits(max_datagrams=1))
        others = [Other(member, f"other {number}", number) for number in range(10, 20)]
        for other in others:
            other.join()
            peer = member.roster.find(other.life.id)
            assert peer is not None
            for number in range(30):
                peer.ledger.put(b"%d" % number, bytes(40))
        given = set()
        for _ in range(100):
            for section in self.blocks_of(others[0].say(codec.write_digest(bytes(8), b"\xff" * 8, []))):
                given.add(section.token)
        self.assertEqual(11, len(given))

    def blocks_of(self, sections: list[Section]) -> list[Block]:
        """
        The blocks among sections.
        """
        return [section for section in sections if isinstance(section, Block)]

    def test_timer(self) -> None:
        """
        A timer that fires early does nothing.
        """
        self.member.handle_timer(1.0)
        self.member.datagrams_to_send()
        deadline = self.member.next_deadline()
        assert deadline is not None
        self.assertGreater(deadline, 1.0)
        self.member.handle_timer(deadline - 0.0001)
        self.assertEqual([], self.member.datagrams_to_send())
        self.assertEqual(deadline, self.member.next_deadline())


class RepeatabilityTests(SynchronousTestCase):
    """
    Nothing is left to chance but what is given.
    """

    def test_same_seed(self) -> None:
        """
        The same seed gives the same run, to the byte.
        """
        runs = []
        for seed in (1, 1, 2):
            group = MemoryGroup(seed=seed, loss=0.1)
            members = group.start_many(5)
            members[0].put("key", "value")
            members[4].kill()
            group.advance(5)
            runs.append([(member.socket.sent, member.socket.received, member.kinds()) for member in members])
        self.assertEqual(runs[0], runs[1])
        self.assertNotEqual(runs[0], runs[2])

    def test_same_id_at_once(self) -> None:
        """
        Of two with the same id, started at the same moment, one is left in the end.
        """
        group = MemoryGroup()
        members = group.start_many(3)
        twins = [
            group.start("twin", seeds=[members[number]], host=f"10.9.9.{number + 1}", generation=7) for number in (0, 1)
        ]
        group.advance(3)
        self.assertEqual([False, True], sorted(twin.core.is_out for twin in twins))
        (left,) = [twin for twin in twins if not twin.core.is_out]
        for member in members:
            peer = member.core.roster.find("twin")
            assert peer is not None
            self.assertEqual(left.address, peer.life.address)
        sent = group.network.delivered
        group.advance(5)
        self.assertLess(group.network.delivered - sent, 5 * 4 * 30)
