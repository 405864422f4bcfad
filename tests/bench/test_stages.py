"""
Tests for :mod:`pico.bench.stages`.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from pico.bench.faults import BenchError
from pico.bench.sides import Side
from pico.bench.stages import Bodies, Requests, Watching
from tests.bench.staged import SIDES, StageTestCase
from tests.bench.support import WRK_OUTPUT


class StageTests(StageTestCase):
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
