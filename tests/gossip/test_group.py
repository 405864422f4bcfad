"""
What a group of members does: simulations on a network in memory.
"""

from __future__ import annotations

from functools import partial
from itertools import product

import attrs
from twisted.trial.unittest import SynchronousTestCase

from pico.gossip.codec import read
from pico.gossip.events import (
    BecameReachable,
    BecameUnreachable,
    BeganAgain,
    Changed,
    Departed,
    Event,
    Joined,
    Removed,
    Superseded,
)
from pico.gossip.ledger import KEPT_DELETED, LedgerFull
from pico.gossip.limits import DEFAULT_LIMITS, DEFAULT_TIMING
from pico.gossip.peer import Status
from pico.gossip.sections import Address, Digest, Offer
from pico.testing import MemoryGroup, MemoryMember

#: Where a test waits until somebody is forgotten, that takes ten seconds instead of a minute.
FORGETFUL = attrs.evolve(DEFAULT_TIMING, forget=10)

OLD = b"an old secret of the group"
NEW = b"a new secret of the group"


def everybody_knows(members: list[MemoryMember]) -> bool:
    """
    Whether all hold each other for alive.
    """
    return all(one.status(other) is Status.ALIVE for one, other in product(members, members) if one is not other)


def everybody_agrees(members: list[MemoryMember]) -> bool:
    """
    Whether all know everybody's keys.
    """
    return all(one.view(other) == other.view(other) for one, other in product(members, members))


def all_hold(members: list[MemoryMember], of: MemoryMember, status: Status) -> bool:
    """
    Whether all hold the same of one.
    """
    return all(member.status(of) is status for member in members)


class JoiningTests(SynchronousTestCase):
    """
    Members find each other.
    """

    def test_one_seed(self) -> None:
        """
        All find each other through one seed, within half a second.
        """
        for count in (2, 3, 10):
            group = MemoryGroup()
            members = group.start_many(count, warm_up=0)
            group.until(partial(everybody_knows, members), within=0.5)

    def test_ourselves(self) -> None:
        """
        All may have the same seeds, each itself among them.
        """
        group = MemoryGroup()
        seeds = [(f"10.0.0.{number}", 8003) for number in (1, 2, 3)]
        members = [group.start(f"m{number}", seeds=seeds) for number in range(3)]
        group.until(lambda: everybody_knows(members), within=1.5)
        self.assertEqual(["Joined m1", "Joined m2"], sorted(members[0].kinds()))

    def test_seed_comes_later(self) -> None:
        """
        A seed that is not there yet is tried until it is.
        """
        group = MemoryGroup()
        first = group.start("m0", seeds=[("10.0.0.2", 8003)])
        group.advance(100)
        second = group.start("m1")
        group.until(lambda: everybody_knows([first, second]), within=1)

    def test_newcomer(self) -> None:
        """
        A newcomer learns everything, also of those who do not change any more.
        """
        group = MemoryGroup()
        members = group.start_many(5)
        for number, member in enumerate(members):
            for key in range(100):
                member.put(f"key {key}", f"{number} {key}")
        group.until(lambda: everybody_agrees(members), within=2)
        group.advance(20)
        newcomer = group.start("new", seeds=members[:1])
        group.until(lambda: everybody_agrees([*members, newcomer]), within=2)

    def test_lossy(self) -> None:
        """
        They find each other even when every third datagram is lost, others come twice, and all overtake each other.
        """
        group = MemoryGroup(loss=0.33)
        group.network.repeat = 0.2
        group.network.jitter = 0.1
        members = group.start_many(8, warm_up=0)
        group.until(lambda: everybody_knows(members), within=10)
        members[0].put("key", "value")
        group.until(lambda: everybody_agrees(members), within=5)
        self.assertEqual(["Joined"] * 7, [type(event).__name__ for _, event in members[0].events])


class SpreadingTests(SynchronousTestCase):
    """
    What one publishes all learn.
    """

    def test_many_keys(self) -> None:
        """
        Twenty members with 250 keys each agree within a second and a half.
        """
        group = MemoryGroup()
        members = group.start_many(20)
        for member in members:
            for key in range(250):
                member.put(f"some key of {member.id} {key}", "1")
        group.until(lambda: everybody_agrees(members), within=1.5, step=0.25)

    def test_quick(self) -> None:
        """
        A change at rest is known by all of twenty members within half a second.
        """
        group = MemoryGroup()
        members = group.start_many(20)
        group.advance(5)
        members[7].put("key", "value")
        group.until(lambda: everybody_agrees(members), within=0.5)
        members[7].delete("key")
        group.until(lambda: everybody_agrees(members), within=0.5)
        self.assertEqual({}, members[3].view("m7"))

    def test_events(self) -> None:
        """
        Each change is told once, in order, together with others that came with it.
        """
        group = MemoryGroup()
        one, other = group.start_many(2)
        seen: list[tuple[bytes, bytes | None]] = []

        def watch(event: Event) -> None:
            if isinstance(event, Changed):
                self.assertEqual("m0", event.peer.id)
                seen.extend(event.changes)

        other.watch = watch
        one.put("a", "1")
        one.put("b", "1")
        group.advance(1)
        one.put("a", "2")
        one.put("c", "1")
        one.delete("c")
        one.delete("b")
        group.advance(1)
        self.assertEqual([(b"a", b"1"), (b"b", b"1"), (b"a", b"2"), (b"b", None)], seen)

    def test_fanout(self) -> None:
        """
        For a second after a change each member begins three exchanges an interval, at rest one.
        """
        group = MemoryGroup(secrets=[])
        members = group.start_many(5)
        group.advance(2)
        begun = {"digests": 0, "offers": 0}

        def watch(source: Address, data: bytes, to: Address) -> None:
            sections = read(data[23:])
            begun["digests"] += any(isinstance(section, Digest) for section in sections)
            begun["offers"] += any(isinstance(section, Offer) for section in sections)

        group.network.watch = watch
        group.advance(5)
        self.assertEqual(0, begun["digests"])
        self.assertTrue(5 * 5 * 9 < begun["offers"] < 5 * 5 * 11, begun)
        members[0].put("key", "value")
        group.advance(0.5)
        begun["digests"] = 0
        group.advance(0.5)
        self.assertTrue(5 * 0.5 * 24 < begun["digests"] < 5 * 0.5 * 36, begun)

    def test_quiet(self) -> None:
        """
        At rest little is said: about a ping and its answer for each interval and member.
        """
        group = MemoryGroup()
        members = group.start_many(10)
        for member in members:
            for key in range(50):
                member.put(f"{key}", "value")
        group.advance(5)
        before = sum(member.socket.sent for member in members)
        group.advance(10)
        self.assertLess(sum(member.socket.sent for member in members) - before, 10 * 10 * 1200)

    def test_long_behind(self) -> None:
        """
        Who was away while many keys were deleted, more than anybody remembers, does not bring one back.
        """
        group = MemoryGroup()
        one, two, three = members = group.start_many(3)
        for key in range(200):
            one.put(f"{key}", "old")
        group.until(lambda: everybody_agrees(members), within=2)
        group.network.partition([one.host, two.host], [three.host])
        for key in range(1, 199):
            one.delete(f"{key}")
        for key in range(3 * KEPT_DELETED):
            one.put(f"passing {key}", "new")
            one.delete(f"passing {key}")
        one.put("200", "new")
        group.advance(30)
        self.assertEqual(200, len(three.view(one)))
        group.network.heal()
        group.until(lambda: everybody_agrees(members), within=5)
        self.assertEqual({"0": "old", "199": "old", "200": "new"}, three.view(one))
        group.advance(10)
        self.assertTrue(everybody_agrees(members))


class DeathTests(SynchronousTestCase):
    """
    Who is dead is noticed, and nobody else.
    """

    def test_killed(self) -> None:
        """
        A death is noticed by all within three seconds, in groups of any size.
        """
        for count in (2, 3, 5, 12):
            group = MemoryGroup()
            *members, victim = group.start_many(count)
            group.advance(1)
            victim.kill()
            group.until(partial(all_hold, members, victim, Status.UNREACHABLE), within=3)
            self.assertTrue(everybody_knows(members))

    def test_many_killed(self) -> None:
        """
        When half of all die at once, or all but one of five, that is noticed within three and a half seconds.
        """
        for count, dead in ((5, 4), (10, 5)):
            group = MemoryGroup()
            members = group.start_many(count)
            victims = [members.pop() for _ in range(dead)]
            for victim in victims:
                victim.kill()
            for victim in victims:
                group.until(partial(all_hold, members, victim, Status.UNREACHABLE), within=3.5)
            self.assertLess(group.now, 3 + 3.5)
            self.assertTrue(everybody_knows(members))

    def test_lossy(self) -> None:
        """
        When every fifth datagram is lost for five minutes, nobody is held for dead who is not, and who is dead is
        still noticed in time.
        """
        group = MemoryGroup(loss=0.2)
        members = group.start_many(4)
        group.advance(300)
        self.assertEqual(
            [], [event for member in members for _, event in member.events if not isinstance(event, Joined)]
        )
        victim = members.pop()
        victim.kill()
        group.until(partial(all_hold, members, victim, Status.UNREACHABLE), within=3)

    def test_very_lossy(self) -> None:
        """
        Suspicions that nobody could avoid are refuted.
        """
        group = MemoryGroup(loss=0.4)
        members = group.start_many(8, warm_up=10)
        group.advance(30)
        self.assertGreater(sum(member.core.counters.refutations for member in members), 5)
        self.assertEqual(0, sum(member.core.counters.deaths for member in members))

    def test_stopped(self) -> None:
        """
        A process that was stopped for a while is held for dead, comes back when it goes on, and blames nobody.
        """
        group = MemoryGroup()
        members = group.start_many(5)
        sleeper = members[2]
        sleeper.stop()
        group.advance(10)
        self.assertIs(Status.UNREACHABLE, members[0].status(sleeper))
        sleeper.go_on()
        group.until(lambda: everybody_knows(members), within=2)
        self.assertEqual(0, sleeper.core.counters.deaths)
        kinds = [kind for kind in members[0].kinds() if kind.endswith("m2")]
        self.assertEqual(["Joined m2", "BecameUnreachable m2", "BecameReachable m2"], kinds)

    def test_stopped_with_suspicions(self) -> None:
        """
        A process that was stopped while it waited for answers, or held somebody for suspect, asks once more when it
        goes on.
        """
        for pause in (0.15, 1.2):
            group = MemoryGroup()
            members = group.start_many(5)
            sleeper = members[2]
            group.network.partition([sleeper.host], [each.host for each in members if each is not sleeper])
            group.advance(pause)
            sleeper.stop()
            group.network.heal()
            failed = sleeper.core.counters.failed_probes
            self.assertEqual(pause > 1, failed > 0)
            group.advance(20)
            sleeper.go_on()
            group.until(partial(everybody_knows, members), within=2)
            self.assertEqual(0, sleeper.core.counters.deaths)
            self.assertEqual(failed, sleeper.core.counters.failed_probes)

    def test_full(self) -> None:
        """
        A member that publishes as much as it may still refutes that it is dead, accuses others, and leaves.
        """
        group = MemoryGroup(limits=attrs.evolve(DEFAULT_LIMITS, max_keys=5))
        members = group.start_many(4)
        for member in members:
            for key in range(5):
                member.put(f"{key}", "")
        sleeper = members[3]
        sleeper.stop()
        group.until(partial(all_hold, members[:3], sleeper, Status.UNREACHABLE), within=3)
        sleeper.go_on()
        group.until(partial(everybody_knows, members), within=2)
        sleeper.leave()
        group.until(partial(all_hold, members[:3], sleeper, Status.LEFT), within=1)

    def test_forgotten(self) -> None:
        """
        Who is dead is forgotten after a while, by all, and nobody brings him back.
        """
        group = MemoryGroup(timing=FORGETFUL)
        *members, victim = group.start_many(6)
        victim.kill()
        group.advance(15)
        for member in members:
            self.assertIsNone(member.status(victim))
            kinds = [kind for kind in member.kinds() if kind.endswith("m5")]
            self.assertEqual(["Joined m5", "BecameUnreachable m5", "Removed m5"], kinds)
            # Nor is anything left of the accusations.
            self.assertEqual([], [key for key, _, value in member.core.me.ledger if value is not None])

    def test_late_news(self) -> None:
        """
        Who did not hear of a death, and comes back when the others have forgotten it, does not make them believe that
        the dead live.
        """
        group = MemoryGroup(timing=FORGETFUL)
        *members, victim, sleeper = group.start_many(5)
        sleeper.stop()
        group.advance(0.2)
        victim.kill()
        group.advance(8)
        # Just before it is forgotten itself.
        sleeper.go_on()
        group.advance(10)
        for member in members:
            self.assertNotIn("Joined m3", member.kinds()[4:])
            self.assertIs(Status.ALIVE, member.status(sleeper))
        self.assertIsNot(Status.ALIVE, sleeper.status(victim))


class PartitionTests(SynchronousTestCase):
    """
    The network falls apart, and heals.
    """

    def part(self, group: MemoryGroup, members: list[MemoryMember], seconds: float) -> None:
        """
        Cut a group in two halves for a while, in which all change something.
        """
        half = len(members) // 2
        one, other = members[:half], members[half:]
        group.network.partition([each.host for each in one], [each.host for each in other])
        group.advance(4)
        for each, far in product(one, other):
            self.assertIs(Status.UNREACHABLE, each.status(far))
            self.assertIs(Status.UNREACHABLE, far.status(each))
        for each in members:
            each.put("key", "new")
        group.advance(seconds - 4)
        self.assertTrue(everybody_agrees(one) and everybody_agrees(other))
        group.network.heal()

    def test_heals(self) -> None:
        """
        After half a minute both sides find together within two seconds.
        """
        group = MemoryGroup()
        members = group.start_many(8)
        for member in members:
            member.put("key", "old")
        group.advance(1)
        self.part(group, members, 30)
        group.until(lambda: everybody_knows(members) and everybody_agrees(members), within=2)

    def test_heals_after_long(self) -> None:
        """
        When both sides have forgotten each other they find together through the seeds.
        """
        group = MemoryGroup(timing=FORGETFUL)
        seeds = [("10.0.0.1", 8003), ("10.0.0.8", 8003)]
        members = [group.start(f"m{number}", seeds=seeds) for number in range(8)]
        group.advance(5)
        self.part(group, members, 20)
        self.assertIsNone(members[0].status("m7"))
        group.until(lambda: everybody_knows(members) and everybody_agrees(members), within=10)
        kinds = [kind for kind in members[0].kinds() if kind.endswith("m7")]
        self.assertEqual(["Joined m7", "BecameUnreachable m7", "Removed m7"], kinds[:3])
        self.assertEqual("Joined m7", kinds[3])

    def test_one_way(self) -> None:
        """
        Who reaches some of the others only is not even suspected, because those ask for the rest.
        """
        group = MemoryGroup()
        members = group.start_many(6)
        hosts = [member.host for member in members]
        group.network.partition([hosts[0]], [hosts[1]])
        group.advance(30)
        self.assertTrue(everybody_knows(members))
        self.assertEqual(0, sum(member.core.counters.failed_probes for member in members))
        members[0].put("key", "value")
        group.until(lambda: everybody_agrees(members), within=1)


class LivesTests(SynchronousTestCase):
    """
    One member after another under the same id.
    """

    def test_restarted(self) -> None:
        """
        A member that was killed and started again is known by all within a second, and nothing of its former life.
        """
        group = MemoryGroup()
        members = group.start_many(6)
        members[5].put("old", "1")
        members[5].put("both", "1")
        group.advance(1)
        members[5].kill()
        again = members[5] = group.start("m5", seeds=members[:1])
        again.put("both", "2")
        group.until(lambda: everybody_agrees(members) and everybody_knows(members), within=1)
        self.assertEqual({"both": "2"}, members[3].view("m5"))
        kinds = [kind for kind in members[3].kinds() if kind.endswith("m5")]
        self.assertEqual(["Joined m5", "Removed m5", "Joined m5"], kinds)
        group.advance(20)
        self.assertTrue(everybody_knows(members))

    def test_restarted_many_times(self) -> None:
        """
        However often it is started again, whether it was noticed or not.
        """
        group = MemoryGroup()
        *members, last = group.start_many(4)
        for number, pause in enumerate((0.05, 0.3, 1, 2, 5)):
            last.kill()
            last = group.start("m3", seeds=members[:1])
            last.put("life", f"{number}")
            group.advance(pause)
        group.until(lambda: everybody_agrees([*members, last]) and everybody_knows([*members, last]), within=1)

    def test_clock_set_back(self) -> None:
        """
        A member whose clock was set back before it was started again begins above its former life.
        """
        group = MemoryGroup()
        *members, last = group.start_many(4)
        last.kill()
        last = group.start("m3", seeds=members[:1], generation=1)
        last.put("key", "value")
        group.until(lambda: everybody_agrees([*members, last]) and everybody_knows([*members, last]), within=2)
        self.assertGreater(last.core.me.life.generation, 4)
        self.assertFalse(last.core.is_out)
        begun = [event.generation for _, event in last.events if isinstance(event, BeganAgain)]
        self.assertEqual(begun, [last.core.me.life.generation])

    def test_same_id(self) -> None:
        """
        When somebody else takes a member's id, the former one hears of it and is out.
        """
        group = MemoryGroup(timing=FORGETFUL)
        members = group.start_many(4)
        group.advance(11)
        former = members[3]
        later = group.start("m3", seeds=members[:1], host="10.0.9.9")
        later.put("key", "value")
        group.advance(2)
        self.assertIsInstance(former.events[-1][1], Superseded)
        self.assertTrue(former.core.is_out)
        members[3] = later
        self.assertTrue(everybody_agrees(members) and everybody_knows(members))
        sent = former.socket.sent
        group.advance(5)
        self.assertEqual(sent, former.socket.sent)

    def test_leave(self) -> None:
        """
        Who says goodbye is believed at once, by all, and is never held for dead.
        """
        group = MemoryGroup(timing=FORGETFUL)
        *members, last = group.start_many(10)
        last.put("key", "value")
        group.advance(1)
        last.leave()
        took = group.until(lambda: last.core.is_out, within=1)
        self.assertLess(took, 0.2)
        for member in members:
            self.assertIs(Status.LEFT, member.status(last))
        _, departed = last.events[-1]
        assert isinstance(departed, Departed)
        self.assertEqual(9, departed.told)
        group.advance(12)
        for member in members:
            kinds = [kind for kind in member.kinds() if kind.endswith("m9")]
            self.assertEqual(["Joined m9", "Left m9", "Removed m9"], kinds)

    def test_leave_lossy(self) -> None:
        """
        Whom the goodbye does not reach others tell.
        """
        group = MemoryGroup(loss=0.5)
        *members, last = group.start_many(5, warm_up=10)
        last.leave()
        group.until(partial(all_hold, members, last, Status.LEFT), within=2)
        group.advance(2)
        self.assertTrue(last.core.is_out)

    def test_leave_alone(self) -> None:
        """
        Who is alone needs to tell nobody.
        """
        group = MemoryGroup()
        member = group.start("m0")
        group.advance(1)
        member.leave()
        group.advance(0.1)
        self.assertTrue(member.core.is_out)
        self.assertIsNone(member.core.next_deadline())

    def test_return_after_leave(self) -> None:
        """
        A member that left and is started again is known at once.
        """
        group = MemoryGroup()
        *members, last = group.start_many(4)
        last.leave()
        group.advance(0.3)
        last.kill()
        last = group.start("m3", seeds=members[:1])
        group.until(lambda: everybody_knows([*members, last]), within=1)


class SecretTests(SynchronousTestCase):
    """
    Who belongs to the group, and who does not.
    """

    def test_wrong_secret(self) -> None:
        """
        Who has another secret, or none, never appears, and gets no answer at all.
        """
        group = MemoryGroup(secrets=[OLD])
        members = group.start_many(3)
        for number, secrets in enumerate(([NEW], [])):
            stranger = group.start(f"stranger {number}", seeds=members, secrets=secrets)
            group.advance(10)
            self.assertEqual([], stranger.events)
            self.assertEqual(0, stranger.socket.received)
            self.assertNotIn(f"Joined stranger {number}", [kind for member in members for kind in member.kinds()])
        self.assertGreater(min(member.core.counters.unverified for member in members), 10)

    def test_new_secret(self) -> None:
        """
        The secret is changed by restarting one member after the other, three times around, and nobody is ever
        unreachable for anybody.
        """
        group = MemoryGroup(secrets=[OLD])
        members = group.start_many(4)
        for secrets in ([OLD, NEW], [NEW, OLD], [NEW]):
            for number, member in enumerate(members):
                member.leave()
                group.advance(0.2)
                member.kill()
                seeds = [each for each in members if each is not member]
                members[number] = group.start(member.id, seeds=seeds, secrets=secrets)
                group.until(lambda: everybody_knows(members), within=1)
        self.assertEqual(0, sum(member.core.counters.deaths for member in members))

    def test_without(self) -> None:
        """
        Without secrets everything works as well.
        """
        group = MemoryGroup(secrets=[])
        members = group.start_many(5)
        members[0].put("key", "value")
        group.until(lambda: everybody_agrees(members), within=1)


class Recorder:
    """
    Writes down every datagram.
    """

    def __init__(self, group: MemoryGroup) -> None:
        self.datagrams: list[tuple[Address, bytes, Address]] = []
        self._group = group

    def start(self) -> None:
        """
        Begin.
        """
        self._group.network.watch = lambda source, data, to: self.datagrams.append((source, data, to))

    def stop(self) -> None:
        """
        End.
        """
        self._group.network.watch = None


class ReplayTests(SynchronousTestCase):
    """
    Recorded datagrams change nothing.
    """

    def picture(self, members: list[MemoryMember]) -> object:
        """
        All that members know, but for what time alone changes.
        """
        return [
            (one.id, other.id, one.status(other), one.view(other), len(one.events))
            for one in members
            for other in members
        ]

    def test_same_receiver(self) -> None:
        """
        All datagrams of a lively time are sent again: nothing changes, and they are counted.
        """
        group = MemoryGroup(secrets=[OLD])
        recorder = Recorder(group)
        recorder.start()
        members = group.start_many(4)
        for number in range(20):
            members[number % 4].put(f"{number % 7}", f"{number}")
            members[number % 3].delete(f"{number % 5}")
            group.advance(0.1)
        recorder.stop()
        group.advance(2)
        before = self.picture(members)
        replayed = sum(member.core.counters.replayed for member in members)
        self.assertEqual(0, replayed)
        for source, data, to in recorder.datagrams:
            group.network.send(source, data, to)
        group.advance(0.1)
        self.assertEqual(before, self.picture(members))
        counted = sum(
            member.core.counters.replayed + member.core.counters.misdirected + member.core.counters.challenged
            for member in members
        )
        self.assertGreaterEqual(counted, len(recorder.datagrams))
        group.advance(5)
        self.assertEqual(before, self.picture(members))

    def test_other_receiver(self) -> None:
        """
        What was meant for one changes nothing at another one.
        """
        group = MemoryGroup(secrets=[OLD])
        members = group.start_many(3)
        recorder = Recorder(group)
        recorder.start()
        members[0].put("key", "value")
        group.advance(0.01)
        recorder.stop()
        group.advance(2)
        before = self.picture(members)
        misdirected = [member.core.counters.misdirected for member in members]
        for source, data, to in recorder.datagrams:
            for member in members:
                if member.address != to and member.address != source:
                    group.network.send(source, data, member.address)
        group.advance(0.1)
        self.assertEqual(before, self.picture(members))
        now = [member.core.counters.misdirected for member in members]
        self.assertEqual(len(recorder.datagrams), sum(now) - sum(misdirected))

    def test_former_life(self) -> None:
        """
        What a former life has sent changes nothing, neither while its successor lives nor when all have forgotten it,
        whether it had arrived then or not.
        """
        group = MemoryGroup(secrets=[OLD], timing=FORGETFUL)
        recorder = Recorder(group)
        recorder.start()
        *members, last = group.start_many(4)
        last.put("key", "old")
        group.advance(1)
        group.network.partition([last.host], [member.host for member in members])
        last.put("key", "not arrived")
        group.advance(0.5)
        last.kill()
        group.network.heal()
        recorder.stop()
        old = [each for each in recorder.datagrams if each[0] == last.address]
        last = group.start("m3", seeds=members[:1])
        last.put("key", "new")
        group.advance(2)
        everybody = [*members, last]
        before = self.picture(everybody)
        for source, data, to in old:
            group.network.send(source, data, to)
        group.advance(1)
        self.assertEqual(before, self.picture(everybody))
        self.assertGreater(sum(member.core.counters.former for member in members), 0)
        last.kill()
        for seconds in (15, 110):
            group.advance(seconds)
            for member in members:
                self.assertIsNone(member.status("m3"))
            for source, data, to in old:
                group.network.send(source, data, to)
            group.advance(5)
            for member in members:
                self.assertIsNone(member.status("m3"))
                self.assertEqual("Removed m3", member.kinds()[-1])

    def test_no_amplification(self) -> None:
        """
        Nobody can use a member to send more to others than he sends himself, with what he makes up or has recorded
        anywhere in the group.
        """
        for secrets in ([OLD], []):
            elsewhere = MemoryGroup(secrets=secrets, seed=1)
            recorder = Recorder(elsewhere)
            recorder.start()
            elsewhere.start_many(3)
            group = MemoryGroup(secrets=secrets, seed=2)
            members = group.start_many(3)
            made_up = [b"", bytes(10), bytes(1400), b"\x01" + bytes(100), b"\x02" + bytes(100)]
            for number, data in enumerate([*made_up, *(data for _, data, _ in recorder.datagrams)]):
                for member in members:
                    member.core.receive_datagram(data, ("192.0.2.1", 1000 + number), group.now)
                    answers = member.core.datagrams_to_send()
                    self.assertLessEqual(sum(len(answer) for answer, _ in answers), len(data))
                    # Nor is anybody answered who has shown no secret.
                    self.assertFalse(answers and data in made_up)
            for member in members:
                self.assertGreater(member.core.counters.challenged, 0)
                self.assertEqual(3, len(member.core.roster))


class LimitTests(SynchronousTestCase):
    """
    Nobody can make a member grow without end.
    """

    def test_members(self) -> None:
        """
        Members beyond the limit are not known, and counted; the others go on.
        """
        group = MemoryGroup(limits=attrs.evolve(DEFAULT_LIMITS, max_members=4))
        members = group.start_many(6)
        group.advance(5)
        for member in members:
            self.assertLessEqual(len(member.core.roster), 4)
        self.assertGreater(sum(member.core.counters.refused_members for member in members), 0)
        self.assertLess(sum(member.socket.sent for member in members), 6 * 8 * 10 * 2000)

    def test_rate(self) -> None:
        """
        An address that sends too much is not heard for the rest of the second; others are.
        """
        group = MemoryGroup(limits=attrs.evolve(DEFAULT_LIMITS, max_datagrams_per_second=100))
        one, other = group.start_many(2)
        for _ in range(500):
            group.network.send(("10.9.9.9", 1), b"nonsense", one.address)
        group.advance(0.5)
        self.assertEqual(100, one.core.counters.unverified)
        self.assertEqual(400, one.core.counters.limited)
        other.put("key", "value")
        group.until(lambda: everybody_agrees([one, other]), within=0.5)

    def test_keys(self) -> None:
        """
        Nobody publishes more than the limits allow.
        """
        group = MemoryGroup(limits=attrs.evolve(DEFAULT_LIMITS, max_keys=10))
        (one,) = group.start_many(1)
        for key in range(10):
            one.put(f"{key}", "")
        self.assertRaises(LedgerFull, one.put, "11", "")
        for wrong in ("", "\0i"):
            self.assertRaises(ValueError, one.put, wrong, "")

    def test_forget_setting(self) -> None:
        """
        How long the unreachable are kept is a setting.
        """
        group = MemoryGroup(timing=attrs.evolve(DEFAULT_TIMING, forget=5))
        one, other = group.start_many(2)
        other.kill()
        group.advance(9)
        self.assertEqual([Joined, BecameUnreachable, Removed], [type(event) for _, event in one.events])
        self.assertNotIn(BecameReachable, [type(event) for _, event in one.events])
