"""
Tests for :mod:`pico.bench.nodes`, and :mod:`pico.bench.crossing` with it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from pico.bench.nodes import Nodes
from pico.bench.sides import Side
from tests.bench.staged import SIDES, StageTestCase
from tests.bench.support import WRK_OUTPUT


class NodesTests(StageTestCase):
    crossed = 0
    crosses = 2**30

    def numbers(self, port: int) -> Mapping[str, float]:
        """
        The numbers of a node that sends and receives so much over its links from look to look.
        """
        self.assertEqual(port, 9)
        self.crossed += self.crosses
        names = ("pico_cluster_link_bytes_received_total", "pico_cluster_link_bytes_sent_total", "pico_other")
        return dict.fromkeys(names, float(self.crossed))

    def answer(self, command: Sequence[str]) -> tuple[str, int | None]:
        super().answer(command)
        return (WRK_OUTPUT if command[0] == "wrk" else json.dumps({"seconds": 0.5})), 0

    def test_nodes(self) -> None:
        """
        What has a hop more takes turns with nginx → nginx, and keeps figures of its own.
        """
        further = [
            Side("nginx-thrice", 1, 1, {"first": 31, "second": 21, "third": 22}),
            Side("nodes", 2, 2, {"first": 31, "second": 32, "third": 31}, link=9),
        ]
        nodes = Nodes(self.bench, SIDES, further)
        nodes.warm_up()
        self.assertEqual(self.bench.figures.samples("nodes.rate.50", "nodes"), ())
        nodes.measure("round 1")
        ports = [command[-1].rsplit(":", 1)[1] for command in self.system.commands if command[0] == "wrk"]
        self.assertEqual(ports, ["1003/", "1/", "2/"] * 6)
        sides = ("direct", "nginx", "pico", "nginx-thrice", "nodes")
        found = [len(self.bench.figures.samples("nodes.up.8", side)) for side in sides]
        self.assertEqual(found, [0, 1, 0, 1, 1])
        self.assertEqual(self.samples("rate.50"), [(), (), ()])
        self.assertAlmostEqual(self.bench.figures.samples("nodes.cpu.third.50", "nodes")[0], 31 * 1000 / 4000)
        self.assertEqual(len(self.bench.figures.samples("nodes.memory.third", "nodes")), 1)
        self.assertEqual(self.bench.figures.faults, [])

    def test_another_way(self) -> None:
        """
        What does not go over the link between the nodes is a fault.
        """
        self.crosses = 1000
        Nodes(self.bench, SIDES, [Side("nodes", 2, 2, {}, link=9)]).measure("round 1")
        faults = self.bench.figures.faults
        self.assertEqual(len(faults), 3 + 4)
        size = 4000 * 33
        self.assertEqual(
            faults[0],
            f"Pico, two nodes, 1 connection: 2000 bytes crossed the link between the nodes, of at least {size}",
        )
        self.assertIn("64 MiB down, 1 at once: 2000 bytes", faults[3])
