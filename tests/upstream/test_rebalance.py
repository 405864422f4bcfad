"""
Tests for :mod:`pico.upstream.rebalance`.
"""

from __future__ import annotations

from collections.abc import Sequence

from twisted.trial.unittest import SynchronousTestCase

from pico.names import NodeId
from pico.upstream.rebalance import MAX_REST, REST, Advice, News, Rebalance, RebalanceSettings
from tests.upstream.moving import Moving

#: A tenth of a share a second.
SETTINGS = RebalanceSettings(threshold=0.2, shed_rate=0.1, min_conns=50)


class Looking:
    """
    A node that looks every second.
    """

    def __init__(self, settings: RebalanceSettings = SETTINGS) -> None:
        self.core = Rebalance(settings)
        self.moving = 0
        self.movable = 1000
        self.now = 0.0

    def look(self, here: int, *others: int) -> Advice:
        """
        Look at the numbers of nodes ``n0``, ``n1`` and so on.
        """
        self.now += 1
        numbers = {NodeId(f"n{index}"): count for index, count in enumerate(others)}
        return self.core.look(here, self.moving, self.movable, numbers, self.now)

    def shed(self, here: int, *others: int, looks: int = 1) -> Sequence[int]:
        """
        How many to ask, at so many looks.
        """
        return [self.look(here, *others).shed for _ in range(looks)]


class WhetherTests(SynchronousTestCase):
    """
    Who asks tunnels to go at all.
    """

    def test_first_look(self) -> None:
        """
        The first look of a node that has begun to live, for all that may be.
        """
        table: Sequence[tuple[str, tuple[int, ...], int]] = [
            ("alone", (1000,), 0),
            ("nothing anywhere", (0, 0, 0), 0),
            ("nothing here", (0, 100), 0),
            ("at its share", (100, 100, 100), 0),
            ("a fraction above its share", (101, 100, 100), 0),
            ("below it, others above", (100, 200, 300), 0),
            ("just less than the threshold", (119, 90, 91), 0),
            ("at the threshold", (120, 90, 90), 10),
            ("little above, but one has too few", (110, 110, 80), 10),
            ("one has too few, but this is at its share", (100, 120, 80), 0),
            ("fewer than min_conns", (49, 0), 0),
            ("as many as min_conns", (50, 0), 2),
            ("much above: the pace holds", (300, 0, 0), 10),
            ("little above: only what is above", (105, 105, 105, 85, 71), 9),
        ]
        for name, counts, shed in table:
            with self.subTest(name):
                self.assertEqual(Looking().shed(*counts), [shed])

    def test_off(self) -> None:
        """
        Without a threshold, or without a pace, nothing moves.
        """
        for settings in (RebalanceSettings(), RebalanceSettings(threshold=0.1, shed_rate=0)):
            self.assertEqual(sum(Looking(settings).shed(1000, 0, looks=100)), 0)

    def test_until_half(self) -> None:
        """
        What has begun goes on until it is at half the threshold, and begins again at the whole.
        """
        node = Looking()
        self.assertEqual(node.shed(119, 81), [0])
        self.assertEqual(node.shed(120, 80), [10])
        self.assertEqual(node.shed(111, 89), [10])
        self.assertEqual(node.shed(110, 90), [0])
        self.assertEqual(node.shed(111, 89), [0])
        self.assertEqual(node.shed(119, 81), [0])
        self.assertEqual(node.shed(120, 80), [10])

    def test_at_share_meanwhile(self) -> None:
        """
        A node that is at its share while others still move asks nobody, and goes on when some of them come here.
        """
        node = Looking()
        self.assertEqual(node.shed(110, 110, 80), [10])
        self.assertEqual(node.shed(100, 115, 85), [0])
        self.assertEqual(node.shed(103, 112, 85), [3])
        # Over, also where it is not above its share: what comes now is no reason to go on.
        self.assertEqual(node.shed(100, 104, 96), [0])
        self.assertEqual(node.shed(103, 112, 85), [0])

    def test_on_their_way(self) -> None:
        """
        Those that were asked are not here, and not nowhere either: what is left here is no more than the share.
        """
        node = Looking(RebalanceSettings(threshold=0.2, shed_rate=1, min_conns=50))
        self.assertEqual(node.shed(200, 0), [100])
        node.moving = 100
        self.assertEqual(node.shed(100, 0, looks=5), [0] * 5)


class PaceTests(SynchronousTestCase):
    """
    How many a second.
    """

    def test_fractions(self) -> None:
        """
        Fractions add up, and no second has one tunnel at the least.
        """
        node = Looking(RebalanceSettings(threshold=0.1, shed_rate=0.005, min_conns=50))
        asked = node.shed(150, 50, looks=20)
        self.assertEqual(sum(asked), 10)
        self.assertEqual(asked, [0, 1] * 10)

    def test_movable(self) -> None:
        """
        No more than can be asked; and where nobody can, nothing has begun and nothing is in vain.
        """
        node = Looking()
        node.movable = 3
        self.assertEqual(node.shed(200, 0), [3])
        node = Looking()
        node.movable = 0
        self.assertEqual({node.look(200, 0) for _ in range(100)}, {Advice(share=100.0)})

    def test_nothing_saved(self) -> None:
        """
        Seconds in which there was nothing to ask do not make up for later ones; nor does one long second.
        """
        node = Looking()
        node.shed(100, 100, looks=50)
        node.now += 50
        self.assertEqual(node.shed(200, 0, looks=2), [10, 10])


class VainTests(SynchronousTestCase):
    """
    What if it is of no use.
    """

    def until_rest(self, node: Looking, *counts: int) -> tuple[int, int, float]:
        """
        Look at the same numbers until it rests.

        :return: after how many looks, how many were asked, for how long it rests.
        """
        asked = 0
        for looks in range(1, 200):
            advice = node.look(*counts)
            if advice.news is News.IN_VAIN:
                return looks, asked, advice.rest
            asked += advice.shed
        raise AssertionError("it does not rest")

    def test_news(self) -> None:
        """
        That it begins is told once, and with the share.
        """
        node = Looking()
        self.assertEqual(node.look(200, 100, 0), Advice(10, 100.0, News.BEGAN))
        self.assertEqual(node.look(190, 100, 10), Advice(10, 100.0))

    def test_rests(self) -> None:
        """
        A gap that nothing fills is given up within seconds, for longer each time.
        """
        node = Looking()
        expected = REST
        for _ in range(6):
            looks, asked, rest = self.until_rest(node, 200, 100, 0)
            self.assertEqual(rest, expected)
            self.assertLessEqual(looks, 17)
            self.assertLessEqual(asked, 170)
            expected = min(2 * expected, MAX_REST)
            self.assertEqual(sum(node.shed(200, 100, 0, looks=int(rest) - 1)), 0)
        self.assertEqual(expected, MAX_REST)

    def test_nodes_change(self) -> None:
        """
        When a node comes or goes it tries again at once, and rests no longer than the first time.
        """
        node = Looking()
        self.until_rest(node, 200, 100, 0)
        self.assertEqual(node.shed(200, 100, 0), [0])
        self.assertEqual(node.shed(200, 100, 0, 0), [7])
        self.assertEqual(self.until_rest(node, 200, 100, 0, 0)[2], REST)

    def test_slow_success(self) -> None:
        """
        A gap that is filled, however slowly for those who ask, is not given up.
        """
        node = Looking(RebalanceSettings(threshold=0.1, shed_rate=0.02))
        asked = 0
        for _ in range(2000):
            # Half as many as by chance go where they are wanted, and others come in their place.
            empty = asked // 8
            advice = node.look(1100, 1100, 1100, empty)
            self.assertIsNot(advice.news, News.IN_VAIN)
            asked += advice.shed
        self.assertGreater(empty, 900)


class ClusterTests(SynchronousTestCase):
    """
    Nodes together, for a short time; the long ones are among the simulations.
    """

    def test_restart(self) -> None:
        """
        One of three was restarted.
        """
        cluster = Moving(RebalanceSettings(threshold=0.1, shed_rate=0.05), [150, 150, 0], 1)
        cluster.run(60)
        self.assertLessEqual(cluster.off, 0.1)
        self.assertLessEqual(cluster.moves, 1.2 * 300)

    def test_even(self) -> None:
        """
        Nothing moves where all have about the same.
        """
        cluster = Moving(RebalanceSettings(threshold=0.1, shed_rate=0.05), [100, 105, 95], 1)
        cluster.run(60)
        self.assertEqual(cluster.moves, 0)
