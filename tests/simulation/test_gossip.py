"""
Large groups, and long times.
"""

from __future__ import annotations

from functools import partial
from itertools import product

from twisted.trial.unittest import SynchronousTestCase

from pico.gossip.events import Joined
from pico.gossip.peer import Status
from pico.testing import MemoryGroup, MemoryMember
from pico.testing.spread import Spread


def all_hold(members: list[MemoryMember], of: MemoryMember, status: Status) -> bool:
    """
    Whether all hold the same of one.
    """
    return all(member.status(of) is status for member in members)


class SpreadTests(SynchronousTestCase):
    """
    How quickly changes are known.
    """

    def spread(self, count: int, keys: int, rate: float, seconds: float) -> None:
        """
        Fill a group with keys, and change them.
        """
        group = MemoryGroup()
        members = group.start_many(count)
        spread = Spread(group, members, keys=keys)
        spread.fill()
        took = group.until(spread.everybody_knows, within=60, step=0.5)
        group.advance(2)
        report = spread.run(seconds, rate)
        print(
            f"\n{count} members with {keys} keys: filled in {took:.1f} s; at {rate:.0f} changes a second "
            f"p50 {report.quantile(0.5):.3f} s, p99 {report.quantile(0.99):.3f} s, max {report.quantile(1):.3f} s, "
            f"CPU {report.cpu:.2%} and {report.bytes_out / 1000:.0f} KB/s a member"
        )
        self.assertEqual(report.changes, report.known)
        self.assertLess(report.quantile(0.99), 1.0)
        self.assertLess(report.cpu, 0.25)
        self.assertEqual(0, sum(member.core.counters.deaths for member in members))

    def test_twenty(self) -> None:
        """
        Twenty members with 10,000 keys each, at 1,000 changes a second.
        """
        self.spread(20, 10_000, 1000, 5)

    def test_hundred(self) -> None:
        """
        A hundred members with 1,000 keys each, at 5,000 changes a second.
        """
        self.spread(100, 1000, 5000, 10)

    def test_two_hundred(self) -> None:
        """
        Two hundred members, whose digests need two datagrams.
        """
        self.spread(200, 50, 2000, 3)


class DeathTests(SynchronousTestCase):
    """
    Who is dead is noticed, and nobody else.
    """

    def test_any_size(self) -> None:
        """
        A death is noticed by all within three seconds, in groups of any size, whoever it is and whenever.
        """
        for count, victims in ((2, 1), (3, 2), (10, 5), (50, 8), (100, 5), (200, 2)):
            group = MemoryGroup()
            members = group.start_many(count)
            times = []
            for number in range(victims):
                group.advance(1 + number / 7)
                victim = members.pop()
                victim.kill()
                if members:
                    times.append(group.until(partial(all_hold, members, victim, Status.UNREACHABLE), within=3))
            print(f"\n{count} members: noticed by all after {min(times):.2f} to {max(times):.2f} s")
            self.assertEqual(victims * len(members), sum(member.core.counters.deaths for member in members))

    def test_lossy(self) -> None:
        """
        Five minutes with a loss of a fifth: nobody is held for dead, in groups of any size, and deaths are still
        noticed in three seconds.
        """
        for count, seconds in ((3, 300), (20, 300), (60, 60)):
            group = MemoryGroup(loss=0.2, seed=count)
            members = group.start_many(count, warm_up=10)
            group.advance(seconds)
            events = [event for member in members for _, event in member.events if not isinstance(event, Joined)]
            self.assertEqual([], events)
            victim = members.pop()
            victim.kill()
            group.until(partial(all_hold, members, victim, Status.UNREACHABLE), within=3)

    def test_lossy_and_busy(self) -> None:
        """
        The same while all change their keys: every change is known by everybody within a second and a half.
        """
        group = MemoryGroup(loss=0.2)
        members = group.start_many(20)
        spread = Spread(group, members, keys=200)
        spread.fill()
        group.until(spread.everybody_knows, within=30)
        report = spread.run(30, 500, wait=5)
        self.assertEqual(report.changes, report.known)
        self.assertLess(report.quantile(1), 1.5)
        self.assertEqual(0, sum(member.core.counters.deaths for member in members))

    def test_rolling_restart(self) -> None:
        """
        Fifty members are restarted one after the other, some of them without a goodbye, and all know all afterwards.
        """
        group = MemoryGroup()
        members = group.start_many(50)
        for number in range(50):
            member = members[number]
            if number % 3:
                member.leave()
                group.advance(0.2)
            member.kill()
            seeds = [members[(number + 1) % 50], members[(number + 2) % 50]]
            members[number] = group.start(member.id, seeds=seeds)
            members[number].put("life", "new")
            group.advance(0.5)
        group.advance(1)
        for one, other in product(members, members):
            self.assertEqual({"life": "new"}, one.view(other))
            self.assertTrue(one is other or one.status(other) is Status.ALIVE)
        self.assertEqual(0, sum(member.core.counters.deaths for member in members))
