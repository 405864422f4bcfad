"""
Tests for :mod:`pico.gossip.failure`.
"""

from __future__ import annotations

from math import inf
from random import Random

from twisted.trial.unittest import SynchronousTestCase

from pico.gossip.failure import Probes, Step, Suspicions, suspicion_time
from pico.gossip.limits import Timing

TIMING = Timing()


def tokens(*numbers: int) -> list[bytes]:
    """
    Tokens of peers.
    """
    return [b"%08d" % number for number in numbers]


class TurnTests(SynchronousTestCase):
    """
    Whose turn it is.
    """

    def test_rounds(self) -> None:
        """
        In each round everybody is asked once, in another order each time.
        """
        probes = Probes(TIMING, Random(1))
        everybody = tokens(*range(10))
        rounds = [[probes.next_target(everybody) for _ in everybody] for _ in range(4)]
        for each in rounds:
            self.assertEqual(set(everybody), set(each))
        self.assertEqual(4, len({tuple(each) for each in rounds}))

    def test_nobody(self) -> None:
        """
        Where nobody is nobody is asked.
        """
        probes = Probes(TIMING, Random(1))
        self.assertIsNone(probes.next_target([]))
        probes.add(b"gone")
        self.assertIsNone(probes.next_target([]))

    def test_new(self) -> None:
        """
        Who comes during a round is asked in it at a random place, which may be at once.
        """
        places = set()
        for seed in range(200):
            probes = Probes(TIMING, Random(seed))
            everybody = tokens(*range(5))
            probes.next_target(everybody)
            (new,) = tokens(9)
            probes.add(new)
            order = [probes.next_target([*everybody, new]) for _ in range(5)]
            places.add(order.index(new))
        self.assertEqual({0, 1, 2, 3, 4}, places)

    def test_gone(self) -> None:
        """
        Who is not to be asked any more loses his turn, and costs nobody else's.
        """
        probes = Probes(TIMING, Random(1))
        everybody = tokens(*range(6))
        probes.next_target(everybody)
        left = everybody[:2]
        asked = [probes.next_target(left) for _ in range(6)]
        self.assertEqual(set(left), set(asked))


class ProbeTests(SynchronousTestCase):
    """
    What becomes of a ping.
    """

    def setUp(self) -> None:
        """
        No probe yet.
        """
        self.probes = Probes(TIMING, Random(1))

    def steps(self, now: float) -> list[tuple[int, Step]]:
        """
        What is due.
        """
        return [(probe.number, step) for probe, step in self.probes.due(now)]

    def test_silence(self) -> None:
        """
        Without an answer the ping is repeated on all ways after 200 ms, once, and has failed after 600.
        """
        self.assertEqual(inf, self.probes.next_deadline())
        self.probes.start(7, b"peer", 10.0)
        self.assertEqual(10.2, self.probes.next_deadline())
        self.assertEqual([], self.steps(10.19))
        self.assertEqual([(7, Step.INSIST)], self.steps(10.2))
        self.assertEqual([], self.steps(10.3))
        self.assertAlmostEqual(10.6, self.probes.next_deadline())
        self.assertEqual([(7, Step.FAILED)], self.steps(10.6))
        self.assertEqual([], self.steps(20.0))
        self.assertIsNone(self.probes.answered(7))

    def test_answer(self) -> None:
        """
        An answer ends it, whenever it comes before the end.
        """
        for moment in (10.0, 10.3):
            self.probes.start(7, b"peer", 10.0)
            self.steps(moment)
            self.assertIsNotNone(self.probes.answered(7))
            self.assertIsNone(self.probes.answered(7))
            self.assertEqual([], self.steps(11.0))

    def test_of(self) -> None:
        """
        The running probes of a peer can be found.
        """
        self.probes.start(7, b"peer", 10.0)
        self.probes.start(8, b"other", 10.0)
        self.assertEqual([7], [probe.number for probe in self.probes.of(b"peer")])

    def test_health(self) -> None:
        """
        If even those whom we asked are silent we are ill ourselves, and have more patience, up to three times as much;
        each answer makes it better. A NACK shows that we are well.
        """
        for number in range(4):
            self.probes.start(number, b"peer", 10.0)
            self.probes.asked(number)
            self.steps(20.0)
        self.assertEqual(2, self.probes.health)
        self.probes.start(7, b"peer", 10.0)
        self.assertAlmostEqual(10.6, self.probes.next_deadline())
        self.probes.answered(7)
        self.assertEqual(1, self.probes.health)
        self.probes.start(8, b"peer", 10.0)
        self.probes.asked(8)
        self.probes.nacked(8)
        self.assertEqual([(8, Step.FAILED)], self.steps(20.0))
        self.probes.nacked(8)
        self.probes.asked(8)
        self.assertEqual(1, self.probes.health)

    def test_nobody_to_ask(self) -> None:
        """
        Where there is nobody whom we could ask, silence says nothing of us.
        """
        self.probes.start(7, b"peer", 10.0)
        self.steps(20.0)
        self.assertEqual(0, self.probes.health)

    def test_excuse(self) -> None:
        """
        When this program was stopped nobody is to blame.
        """
        self.probes.start(7, b"peer", 10.0)
        self.probes.excuse()
        self.assertEqual([], self.steps(20.0))


class SuspicionTests(SynchronousTestCase):
    """
    How long a suspect has to answer.
    """

    def test_table(self) -> None:
        """
        Two seconds alone, one when three others share the suspicion, or all who could.
        """
        for accusers, possible, seconds in [
            (1, 100, 2.0),
            (2, 100, 1.5),
            (3, 100, 1.21),
            (4, 100, 1.0),
            (50, 100, 1.0),
            (0, 100, 2.0),
            (1, 3, 2.0),
            (2, 3, 1.37),
            (3, 3, 1.0),
            (1, 2, 2.0),
            (2, 2, 1.0),
            (1, 1, 1.0),
            (1, 0, 1.0),
        ]:
            self.assertAlmostEqual(seconds, suspicion_time(TIMING, accusers, possible), 2, f"{accusers} of {possible}")

    def test_pings(self) -> None:
        """
        Whose own probe failed pings at once and often; who only heard of it begins later.
        """
        suspicions = Suspicions(TIMING)
        suspicions.start(b"mine", 10.0, ours=True)
        suspicions.start(b"theirs", 10.0, ours=False)
        mine, theirs = suspicions
        self.assertEqual((10.0, 0.1), (mine.ping, mine.pause))
        self.assertEqual((10.4, 0.2), (theirs.ping, theirs.pause))
        suspicions.drop(b"mine")
        suspicions.drop(b"nobody")
        self.assertEqual(1, len(suspicions))

    def test_move(self) -> None:
        """
        When this program was stopped everybody gets as much more time.
        """
        suspicions = Suspicions(TIMING)
        suspicions.start(b"mine", 10.0, ours=True)
        suspicions.move(5.0)
        (mine,) = suspicions
        self.assertEqual(15.0, mine.started)
