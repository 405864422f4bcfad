"""
Tests for :mod:`pico.gossip.standing`.
"""

from __future__ import annotations

import attrs
from twisted.trial.unittest import SynchronousTestCase

from pico.gossip.codec import MAX_INCARNATION
from pico.gossip.counters import Counters
from pico.gossip.events import BecameReachable, BecameUnreachable, Event, Left
from pico.gossip.ledger import Change
from pico.gossip.limits import Limits, Timing
from pico.gossip.peer import Peer, Status
from pico.gossip.roster import Roster
from pico.gossip.sections import Intro, Life
from pico.gossip.standing import Standing

ADDRESS = ("10.0.0.1", 8003)


def accusation(peer: Peer, incarnation: int = 0) -> Change:
    """
    Somebody holds a peer for dead.
    """
    return b"\0s" + peer.token, incarnation.to_bytes(4, "big")


def incarnation(number: int) -> Change:
    """
    Somebody is in that incarnation.
    """
    return b"\0i", number.to_bytes(4, "big")


class StandingTests(SynchronousTestCase):
    """
    Who is suspected, dead, back, or gone.
    """

    def setUp(self) -> None:
        """
        Ourselves and five others.
        """
        self.counters = Counters()
        self.woken: list[float] = []
        self.greeted: list[bytes] = []
        self.events: list[Event] = []
        self.roster = Roster(Life(b"token me", "me", 1, ADDRESS), Limits(), 60.0, self.counters)
        self.standing = Standing(self.roster, Timing(), self.counters, self.woken.append, self.greeted.append)
        self.one, self.two, self.three, self.four, self.five = (self.meet(number) for number in range(1, 6))
        self.events.clear()

    def meet(self, number: int) -> Peer:
        """
        Know one more.
        """
        token = b"token %02d" % number
        peer = self.roster.meet(token, Intro(1, 0, f"{number}", ADDRESS), 0.0, self.events)
        assert peer is not None
        self.standing.meet(peer, 0.0)
        return peer

    def take(self, peer: Peer, change: Change, now: float = 0.0) -> None:
        """
        A peer says something, which is remembered as its other keys are.
        """
        key, value = change
        if value is None:
            peer.ledger.remove(key)
        else:
            peer.ledger.mark(key, value)
        self.standing.take(peer, change, now, self.events)

    def kinds(self) -> list[type]:
        """
        The types of all events.
        """
        return [type(event) for event in self.events]

    def ours(self) -> list[tuple[bytes, bytes]]:
        """
        What we publish.
        """
        return [(key, value) for key, _, value in self.roster.me.ledger if value is not None]

    def test_met(self) -> None:
        """
        Who is new takes part in the probes, and is suspected if others have said so before.
        """
        token = b"token 09"
        self.assertIn(self.one.token, self.greeted)
        self.take(self.one, (b"\0s" + token, bytes(4)))
        late = self.meet(9)
        self.assertIs(Status.SUSPECT, late.status)
        self.assertFalse(self.standing.is_quiet)

    def test_accused(self) -> None:
        """
        An accusation makes a suspect; a higher incarnation ends it, from whomever it is heard.
        """
        self.take(self.one, accusation(self.two))
        self.assertIs(Status.SUSPECT, self.two.status)
        self.take(self.two, incarnation(1))
        self.assertIs(Status.ALIVE, self.two.status)
        self.assertTrue(self.standing.is_quiet)
        self.assertEqual([], self.events)

    def test_outdated(self) -> None:
        """
        What is said of a former incarnation means nothing, nor what is said of nobody, or in other words.
        """
        self.two.incarnation = 5
        self.take(self.one, accusation(self.two, 4))
        for change in ((b"\0snobody..", bytes(4)), (b"\0s" + self.two.token, b"x"), (b"\0i", b"x"), (b"\0?", b"x")):
            self.take(self.one, change)
        self.assertEqual([Status.ALIVE] * 5, [peer.status for peer in self.roster.others()])

    def test_dead(self) -> None:
        """
        Who does not refute it in two seconds is dead; in one, if three others say the same. Nobody is dead because
        somebody else says so.
        """
        for accusers, seconds in (([self.one], 2.0), ([self.one, self.three, self.four, self.five], 1.0)):
            for accuser in accusers:
                self.take(accuser, accusation(self.two), 10.0)
            self.standing.pursue(10.0 + seconds - 0.01, self.events)
            self.assertEqual([], self.events)
            self.standing.pursue(10.0 + seconds, self.events)
            self.assertEqual([BecameUnreachable], self.kinds())
            self.assertIs(Status.UNREACHABLE, self.two.status)
            self.assertTrue(self.standing.is_quiet)
            self.setUp()

    def test_pings(self) -> None:
        """
        Suspects are pinged: ours at once and every interval, those of others after a while.
        """
        self.standing.accuse(self.one, 10.0)
        self.take(self.three, accusation(self.two), 10.0)
        pinged = [(now, peer.id) for now in (10.0, 10.05, 10.1, 10.4) for peer in self.standing.pursue(now, [])]
        self.assertEqual([(10.0, "1"), (10.1, "1"), (10.4, "1"), (10.4, "2")], pinged)

    def test_back(self) -> None:
        """
        Who was dead is back with a higher incarnation, takes part again, and nothing more is said of him.
        """
        self.standing.accuse(self.one, 10.0)
        self.assertEqual([accusation(self.one)], self.ours())
        self.standing.pursue(20.0, self.events)
        self.greeted.clear()
        self.standing.hear_incarnation(self.one, 0, 21.0, self.events)
        self.assertIs(Status.UNREACHABLE, self.one.status)
        self.standing.hear_incarnation(self.one, 1, 21.0, self.events)
        self.assertEqual([BecameUnreachable, BecameReachable], self.kinds())
        self.assertEqual(([], [self.one.token]), (self.ours(), self.greeted))

    def test_still_accused(self) -> None:
        """
        A new incarnation that somebody has accused already refutes nothing.
        """
        self.take(self.three, accusation(self.one, 7))
        self.standing.hear_incarnation(self.one, 7, 21.0, self.events)
        self.assertIs(Status.SUSPECT, self.one.status)
        self.standing.hear_incarnation(self.one, 8, 21.0, self.events)
        self.assertIs(Status.ALIVE, self.one.status)

    def test_many_accusers(self) -> None:
        """
        Whom enough others accuse nobody else needs to.
        """
        for accuser in (self.two, self.three, self.four):
            self.take(accuser, accusation(self.one))
        self.standing.accuse(self.one, 10.0)
        self.assertEqual(1, len(self.ours()))
        self.standing.tidy(10.0)
        self.setUp()
        for accuser in (self.two, self.three, self.four, self.five):
            self.take(accuser, accusation(self.one))
        self.standing.accuse(self.one, 10.0)
        self.assertEqual([], self.ours())

    def test_taken_back(self) -> None:
        """
        An accusation that is taken back counts no more.
        """
        self.take(self.two, accusation(self.one))
        self.take(self.three, accusation(self.one))
        self.take(self.two, (b"\0s" + self.one.token, None))
        self.assertEqual(1, self.one.accused)

    def test_left(self) -> None:
        """
        Who has left is not suspected any more, whatever is said of him, and is not dead; nor does he come back.
        """
        self.standing.accuse(self.one, 10.0)
        self.take(self.one, (b"\0l", b""), 10.1)
        self.assertEqual(([Left], []), (self.kinds(), self.ours()))
        self.take(self.one, (b"\0l", b""), 10.1)
        self.take(self.two, accusation(self.one), 10.2)
        self.standing.pursue(20.0, self.events)
        self.take(self.one, incarnation(9), 10.3)
        self.assertEqual([Left], self.kinds())
        self.assertIs(Status.LEFT, self.one.status)

    def test_refuted(self) -> None:
        """
        When somebody accuses us in our present incarnation, we publish the next one, and others are woken.
        """
        me = self.roster.me
        self.take(self.one, accusation(me, 0), 10.0)
        self.assertEqual((1, [incarnation(1)], [10.0]), (me.incarnation, self.ours(), self.woken))
        self.take(self.two, accusation(me, 0), 10.0)
        self.assertEqual(1, me.incarnation)
        self.take(self.two, accusation(me, 5), 10.0)
        self.assertEqual(6, me.incarnation)
        self.standing.refute(MAX_INCARNATION, 10.0)
        self.assertEqual((6, 2), (me.incarnation, self.counters.refutations))

    def test_leaving(self) -> None:
        """
        Who leaves says so, and refutes nothing any more.
        """
        self.standing.leave(10.0)
        self.standing.refute(0, 10.0)
        self.assertEqual([(b"\0l", b"")], self.ours())
        self.assertEqual(0, self.roster.me.incarnation)

    def test_tidy(self) -> None:
        """
        Of who was removed nothing is left.
        """
        self.standing.accuse(self.one, 10.0)
        self.take(self.three, accusation(self.two))
        for peer in (self.one, self.two):
            self.roster.remove(peer, 10.0, [])
        self.standing.tidy(10.0)
        self.assertEqual([], self.ours())
        self.assertTrue(self.standing.is_quiet)

    def test_removed_meanwhile(self) -> None:
        """
        A suspect that was removed is not pursued.
        """
        self.standing.accuse(self.one, 10.0)
        self.roster.remove(self.one, 10.0, [])
        self.assertEqual([], self.standing.pursue(20.0, self.events))
        self.assertEqual([], self.events)

    def test_new_life(self) -> None:
        """
        In a new life of ours we say the same of others.
        """
        self.standing.accuse(self.one, 10.0)
        self.roster.begin_again(attrs.evolve(self.roster.me.life, token=b"new life", generation=2), 10.0)
        self.assertEqual(0, self.one.accused)
        self.standing.begin_again()
        self.assertEqual(1, self.one.accused)
