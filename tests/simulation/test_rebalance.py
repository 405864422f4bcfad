"""
Large clusters that even out their tunnels, behind a load balancer that takes nodes by chance.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from pico.upstream.rebalance import News, RebalanceSettings
from tests.upstream.moving import Moving

#: What somebody has who sets nothing but the threshold.
SETTINGS = RebalanceSettings(threshold=0.1)

SEEDS = range(10)


class TenNodesTests(SynchronousTestCase):
    """
    Ten nodes with 10,000 tunnels.
    """

    def test_restart(self) -> None:
        """
        One was restarted and is empty: within 10 % of even in a minute, at most 1.2 moves a tunnel, and then quiet.

        Nine of ten that are asked to go land at another node that has its share, so less than 0.9 moves a tunnel
        cannot do it.
        """
        for seed in SEEDS:
            cluster = Moving(SETTINGS, [1111] * 9 + [1], seed)
            cluster.run(60)
            self.assertLessEqual(cluster.off, 0.1, seed)
            cluster.run(540)
            moved = sum(tunnel.moves > 0 for tunnel in cluster.tunnels)
            print(
                f"\nseed {seed}: {cluster.moves / 10_000:.2f} moves a tunnel, {cluster.moves / moved:.3f} for each "
                f"that moved, {cluster.returns} came back to the same node; off by {cluster.off:.3f}"
            )
            self.assertLessEqual(cluster.moves, 1.2 * 10_000, seed)
            self.assertLessEqual(cluster.moves, 1.2 * moved, seed)
            self.assertLessEqual(cluster.off, 0.1, seed)
            quiet = cluster.moves
            cluster.run(600)
            self.assertEqual(cluster.moves, quiet, seed)

    def test_slow(self) -> None:
        """
        At Piko's pace it takes four minutes, and no more moves.
        """
        for seed in SEEDS:
            cluster = Moving(RebalanceSettings(threshold=0.1, shed_rate=0.005), [1111] * 9 + [1], seed)
            cluster.run(240)
            self.assertLessEqual(cluster.off, 0.1, seed)
            cluster.run(600)
            self.assertLessEqual(cluster.moves, 1.2 * 10_000, seed)
            self.assertNotIn(News.IN_VAIN, [each for node in cluster.nodes for each in node.news])

    def test_even(self) -> None:
        """
        All at their share, or not far from it: nothing moves in ten minutes.
        """
        for counts in ([1000] * 10, [1050, 950] * 5, [1000] * 9 + [901]):
            cluster = Moving(SETTINGS, counts, 1)
            cluster.run(600)
            self.assertEqual(cluster.moves, 0)

    def test_added(self) -> None:
        """
        A node joins: it gets its share.
        """
        for seed in SEEDS:
            cluster = Moving(SETTINGS, [1000] * 10, seed)
            cluster.run(5)
            cluster.add()
            cluster.run(90)
            self.assertLessEqual(cluster.off, 0.1, seed)
            cluster.run(540)
            self.assertLessEqual(cluster.moves, 1.2 * 10_000, seed)

    def test_removed(self) -> None:
        """
        A node dies: chance spreads its agents well enough, and hardly anything moves.
        """
        for seed in SEEDS:
            cluster = Moving(SETTINGS, [1000] * 10, seed)
            cluster.run(5)
            cluster.remove(cluster.nodes[3])
            cluster.run(60)
            self.assertLessEqual(cluster.off, 0.1, seed)
            cluster.run(540)
            self.assertEqual(cluster.moves, 0, seed)

    def test_all_at_one(self) -> None:
        """
        All tunnels are at one node: it hands them out at its pace.
        """
        for seed in SEEDS:
            cluster = Moving(SETTINGS, [10_000] + [0] * 9, seed)
            cluster.run(600)
            self.assertLessEqual(cluster.off, 0.1, seed)
            self.assertLessEqual(cluster.moves, 1.2 * 10_000, seed)

    def test_refuses(self) -> None:
        """
        A node takes no tunnels: the others notice that nothing comes of it and leave it at that, until nodes come.
        """
        for seed in range(3):
            cluster = Moving(SETTINGS, [1111] * 9 + [1], seed)
            cluster.nodes[-1].takes = False
            cluster.run(60)
            first = cluster.moves
            self.assertLessEqual(first, 0.5 * 10_000, seed)
            cluster.run(200)
            self.assertEqual(cluster.moves, first, seed)
            cluster.run(3600)
            self.assertLessEqual(cluster.moves, 4 * first, seed)
            cluster.add()
            cluster.nodes[-2].takes = True
            cluster.run(120)
            self.assertLessEqual(cluster.off, 0.1, seed)


class OtherSizesTests(SynchronousTestCase):
    """
    Few nodes, many nodes, few tunnels.
    """

    def test_sizes(self) -> None:
        """
        One node of any number was restarted.
        """
        for nodes, tunnels in ((2, 100), (2, 4000), (3, 300), (5, 2000), (50, 5000), (100, 10_000)):
            for seed in range(3):
                each = tunnels // (nodes - 1)
                cluster = Moving(SETTINGS, [each] * (nodes - 1) + [0], seed)
                # Of a hundred nodes each has hardly one tunnel above its share: few are asked at a time.
                cluster.run(600)
                print(f"\n{nodes} nodes: {cluster.moves / tunnels:.2f} moves a tunnel, off by {cluster.off:.3f}")
                self.assertLess(abs(cluster.counts[-1] * nodes / tunnels - 1), 0.1, nodes)
                # In a large cluster it is a matter of luck which of very many moves lead to the empty node.
                self.assertLessEqual(cluster.moves, (1.2 if nodes < 50 else 1.5) * tunnels, nodes)
                quiet = cluster.moves
                cluster.run(600)
                self.assertEqual(cluster.moves, quiet, nodes)
