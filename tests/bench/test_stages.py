"""
Tests for :mod:`pico.bench.stages`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from io import StringIO
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from pico.bench.children import Children
from pico.bench.faults import BenchError
from pico.bench.figures import Figures
from pico.bench.plan import make_plan
from pico.bench.proc import Proc
from pico.bench.progress import Progress
from pico.bench.sides import Cast, Side
from pico.bench.stages import Bench, Bodies, Nodes, Requests, Watching
from tests.bench.support import WRK_OUTPUT, FakeSystem

SIDES = (
    Side("direct", 1001, 1002, {}),
    Side("nginx", 1003, 1003, {"first": 21, "second": 22}),
    Side("pico", 1005, 1005, {"first": 31, "second": 32}),
)


class StageTests(SynchronousTestCase):
    def setUp(self) -> None:
        """
        Make a benchmark whose programs print what the test says, and whose processes spend a millisecond of CPU
        and gain a MiB whenever a program has run.
        """
        directory = Path(self.mktemp())
        directory.mkdir()
        self.root = directory / "proc"
        self.system = FakeSystem()
        self.system.answer = self.answer
        self.printed = WRK_OUTPUT
        self.runs = 0
        self.write_processes()
        self.output = StringIO()
        children = Children(directory, self.system)
        proc = Proc(self.root, ticks=100)
        self.bench = Bench(
            plan=make_plan(quick=True, only=[]),
            children=children,
            cast=Cast(children, directory, nginx="nginx", proc=proc),
            figures=Figures(),
            progress=Progress(self.output, 99),
            proc=proc,
            wrk="wrk",
            numbers=self.numbers,
        )
        self.crossed = 0
        self.crosses = 2**30

    def numbers(self, port: int) -> Mapping[str, float]:
        """
        The numbers of a node that sends and receives so much over its links from look to look.
        """
        self.assertEqual(port, 9)
        self.crossed += self.crosses
        names = ("pico_cluster_link_bytes_received_total", "pico_cluster_link_bytes_sent_total", "pico_other")
        return dict.fromkeys(names, float(self.crossed))

    def answer_like_a_node(self, command: Sequence[str]) -> tuple[str, int | None]:
        self.answer(command)
        return (WRK_OUTPUT if command[0] == "wrk" else json.dumps({"seconds": 0.5})), 0

    def answer(self, command: Sequence[str]) -> tuple[str, int | None]:
        self.runs += 1
        self.write_processes()
        return self.printed, 0

    def write_processes(self) -> None:
        for pid in (21, 22, 31, 32):
            memory = 1024 * (10 + self.runs)
            files = {
                f"task/{pid}/schedstat": f"{1_000_000 * pid * (1 + self.runs)} 0 0\n",
                "status": f"VmHWM:\t{memory + 512} kB\nVmRSS:\t{memory} kB\n",
            }
            for name, text in files.items():
                path = self.root / str(pid) / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text)

    def samples(self, measure: str) -> list[Sequence[float]]:
        return [self.bench.figures.samples(measure, side.name) for side in SIDES]

    def test_requests(self) -> None:
        """
        Within a round the sides take turns at each number of connections.
        """
        Requests(self.bench, SIDES).measure("round 1")
        turns = [(command[2], command[-1]) for command in self.system.commands]
        urls = [f"http://127.0.0.1:{side.port}/" for side in SIDES]
        self.assertEqual(turns, [(f"--connections={number}", url) for number in (1, 50, 200) for url in urls])
        self.assertEqual(self.samples("rate.50"), [[997.51]] * 3)
        self.assertEqual(self.samples("p50.1"), [[640.0]] * 3)
        self.assertEqual(self.samples("p99.200"), [[12_300.0]] * 3)

    def test_cpu(self) -> None:
        """
        CPU time is what both hops have spent, divided by the requests.
        """
        Requests(self.bench, SIDES).measure("round 1")
        direct, nginx, pico = self.samples("cpu.50")
        self.assertEqual(direct, ())
        self.assertAlmostEqual(nginx[0], (21 + 22) * 1000 / 4000)
        self.assertAlmostEqual(pico[0], (31 + 32) * 1000 / 4000)
        self.assertAlmostEqual(self.samples("cpu.first.50")[2][0], 31 * 1000 / 4000)

    def test_watching(self) -> None:
        """
        Pico and its variants take turns, another one first in each round; what watching costs is the part of the
        requests that is missing.
        """
        watched = [Side(name, port, port, {}) for name, port in (("uncounted", 1), ("counted", 2), ("logged", 3))]
        rates = {1005: 1000.0, 1: 2000.0, 2: 1900.0, 3: 800.0}

        def answer(command: Sequence[str]) -> tuple[str, int | None]:
            port = int(command[-1].rsplit(":", 1)[1].strip("/"))
            return WRK_OUTPUT.replace("997.51", str(rates[port])), 0

        self.system.answer = answer
        watching = Watching(self.bench, SIDES, watched)
        watching.warm_up()
        self.assertEqual(self.bench.figures.samples("watching.log", "pico"), ())
        watching.measure("round 1")
        watching.measure("round 2")
        ports = [command[-1].rsplit(":", 1)[1] for command in self.system.commands]
        self.assertEqual(ports, ["1005/", "1/", "2/", "3/"] * 2 + ["1/", "2/", "3/", "1005/"])
        for measure, figure in (("metrics", 5.0), ("log", 20.0), ("counted", 1900.0), ("logged", 800.0)):
            for sample in self.bench.figures.samples(f"watching.{measure}", "pico"):
                self.assertAlmostEqual(sample, figure)

    def test_nodes(self) -> None:
        """
        What has a hop more takes turns with nginx → nginx, and keeps figures of its own.
        """
        further = [
            Side("nginx-thrice", 1, 1, {"first": 31, "second": 21, "third": 22}),
            Side("nodes", 2, 2, {"first": 31, "second": 32, "third": 31}, link=9),
        ]
        self.system.answer = self.answer_like_a_node
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
        self.system.answer = self.answer_like_a_node
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

    def test_warm_up(self) -> None:
        """
        The warm-up reaches every side and leaves no figure.
        """
        Requests(self.bench, SIDES).warm_up()
        self.assertEqual(len(self.system.commands), 9)
        self.assertEqual(self.samples("rate.50"), [(), (), ()])

    def test_fault(self) -> None:
        """
        Failed requests are remembered with the side.
        """
        self.printed = WRK_OUTPUT.replace("Requests/sec", "  Non-2xx or 3xx responses: 17\nRequests/sec")
        Requests(self.bench, SIDES).measure("round 1")
        faults = self.bench.figures.faults
        self.assertEqual(len(faults), 9)
        self.assertEqual(faults[2], "Pico, 1 connection: 17 of 4000 responses were errors")

    def test_other_output(self) -> None:
        """
        A generator that prints something else ends the run.
        """
        self.printed = "something else"
        self.assertRaises(BenchError, Requests(self.bench, SIDES).measure, "round 1")

    def test_bodies(self) -> None:
        """
        Bodies go both ways, one and eight at once; uploads go to the sink. The figure is bytes a second.
        """
        self.printed = json.dumps({"seconds": 0.5}) + "\n"
        Bodies(self.bench, SIDES).measure("round 1")
        orders = [json.loads(command[-1]) for command in self.system.commands]
        self.assertEqual(
            [(order["way"], order["at_once"], order["port"], order["path"]) for order in orders],
            [
                (way, number, getattr(side, port), path)
                for way, port, path in (("down", "port", "/body"), ("up", "sink_port", "/sink"))
                for number in (1, 8)
                for side in SIDES
            ],
        )
        self.assertEqual(self.samples("down.1"), [[2 * 2**26 / 0.5 / 1e9]] * 3)
        self.assertEqual(self.samples("up.8"), [[8 * 2**26 / 0.5 / 1e9]] * 3)

    def test_memory(self) -> None:
        """
        Memory is the peak of a round, and what it is above what was there before the first body.
        """
        self.printed = json.dumps({"seconds": 0.5}) + "\n"
        bodies = Bodies(self.bench, SIDES)
        bodies.measure("round 1")
        self.assertEqual((self.root / "31/clear_refs").read_text(), "5")
        bodies.measure("round 2")
        self.assertEqual(self.samples("memory.first"), [(), [12.5, 24.5], [12.5, 24.5]])
        self.assertEqual(self.samples("memory.second.peak"), [(), [22.5, 34.5], [22.5, 34.5]])

    def test_broken_client(self) -> None:
        """
        A client that prints no figure ends the run.
        """
        for printed in ("", "[]", "{}", '{"seconds": null}'):
            self.printed = printed
            self.assertRaises(BenchError, Bodies(self.bench, SIDES).measure, "round 1")
