"""
Tests for :mod:`pico.bench.gossip`.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from io import StringIO
from pathlib import Path

import attrs
from twisted.trial.unittest import SynchronousTestCase

from pico.bench.children import Children
from pico.bench.faults import BenchError
from pico.bench.figures import Figures
from pico.bench.gossip import Gossip
from pico.bench.plan import make_plan
from pico.bench.proc import Proc
from pico.bench.progress import Progress
from pico.bench.sides import Cast
from pico.bench.spreading import Spreading
from pico.bench.stages import Bench
from tests.bench.support import FakeSystem

CAME = Spreading(
    p50=0.1,
    p99=0.2,
    last=0.3,
    unknown=0,
    cpu=0.05,
    bytes_out=300_000.0,
    datagrams=1000.0,
    rest_cpu=0.001,
    rest_bytes_out=1300.0,
    rest_datagrams=20.0,
    death=1.9,
    wrongly=0,
)


class GossipTests(SynchronousTestCase):
    def setUp(self) -> None:
        """
        Make a benchmark whose simulations all come out alike, and where a datagram costs ten microseconds.
        """
        directory = Path(self.mktemp())
        directory.mkdir()
        self.system = FakeSystem()
        self.system.answer = self.answer
        self.came = json.dumps(attrs.asdict(CAME))
        children = Children(directory, self.system)
        proc = Proc(directory, ticks=100)
        self.bench = Bench(
            plan=make_plan(quick=True, only=["gossip"]),
            children=children,
            cast=Cast(children, directory, nginx="nginx", proc=proc),
            figures=Figures(),
            progress=Progress(StringIO(), 4),
            proc=proc,
            wrk="wrk",
        )

    def answer(self, command: Sequence[str]) -> tuple[str, int | None]:
        return ('{"seconds": 1e-5}' if "pico.bench.datagrams" in command else self.came), 0

    def sample(self, key: str, size: int = 20) -> float:
        (sample,) = self.bench.figures.samples(f"gossip.{key}", str(size))
        return sample

    def test_sizes(self) -> None:
        """
        Each size is simulated by a program of its own, once in all rounds.
        """
        gossip = Gossip(self.bench)
        gossip.measure("round 1")
        gossip.measure("round 2")
        groups = [json.loads(command[-1])["nodes"] for command in self.system.commands[1:]]
        self.assertEqual(groups, [3, 10, 20])
        for size in groups:
            self.assertEqual(self.sample("p99", size), 0.2)

    def test_udp_is_added(self) -> None:
        """
        CPU is that of the simulation, and what the datagrams cost with real sockets.
        """
        Gossip(self.bench).measure("round 1")
        for key, figure in (("cpu", 6.0), ("cpu.udp", 1.0), ("rest.cpu", 0.12), ("rest.cpu.udp", 0.02), ("udp", 10.0)):
            self.assertAlmostEqual(self.sample(key), figure)
        self.assertEqual((self.sample("bytes"), self.sample("rest.bytes")), (300.0, 1.3))
        self.assertEqual((self.sample("endpoints"), self.sample("changes")), (2000, 1000))

    def test_other_output(self) -> None:
        """
        A simulation that prints something else ends the run.
        """
        for came in ("", "[]", "{}", '{"death": null}'):
            self.came = came
            self.assertRaises(BenchError, Gossip(self.bench).measure, "round 1")
