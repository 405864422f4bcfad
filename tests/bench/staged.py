"""
What the tests of stages share: a benchmark whose programs and processes are made up.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from io import StringIO
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from pico.bench.children import Children
from pico.bench.figures import Figures
from pico.bench.plan import make_plan
from pico.bench.proc import Proc
from pico.bench.progress import Progress
from pico.bench.sides import Cast, Side
from pico.bench.stages import Bench
from tests.bench.support import WRK_OUTPUT, FakeSystem

SIDES = (
    Side("direct", 1001, 1002, {}),
    Side("nginx", 1003, 1003, {"first": 21, "second": 22}),
    Side("pico", 1005, 1005, {"first": 31, "second": 32}),
)


class StageTestCase(SynchronousTestCase):
    """
    A benchmark of which nothing is real.
    """

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

    def numbers(self, port: int) -> Mapping[str, float]:
        """
        The numbers of a node: none, unless a test has some.
        """
        return {}
