"""
Processes and figures that are made up.
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import BinaryIO

from pico.bench.children import Process, System
from pico.bench.conditions import Conditions
from pico.bench.figures import Figures
from pico.bench.measures import make_measures
from pico.bench.report import Report

WRK_OUTPUT = """\
Running 4s test @ http://127.0.0.1:18000/
  1 threads and 50 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency     6.84ms    2.48ms  24.20ms   86.45%
    Req/Sec     7.44k     1.75k   10.10k    68.33%
  Latency Distribution
     50%  640.00us
     75%    7.11ms
     90%    8.40ms
     99%   12.30ms
  4000 requests in 4.01s, 6.66MB read
Requests/sec:    997.51
Transfer/sec:      1.11MB
"""


class FakeProcess:
    """
    A process that ends when its test says so.

    :ivar stubborn: whether it ignores a request to end.
    """

    def __init__(self, system: FakeSystem, pid: int, status: int | None = None) -> None:
        self._system = system
        self.pid = pid
        self.returncode: int | None = None
        self.will_return = status
        self.stubborn = False

    def poll(self) -> int | None:
        return self.returncode

    def terminate(self) -> None:
        self._system.told.append(f"terminate {self.pid}")
        if not self.stubborn:
            self.returncode = 0

    def wait(self, timeout: float | None = None) -> int:
        if self.returncode is None and self.will_return is not None:
            self.returncode = self.will_return
        if self.returncode is None:
            self._system.time += timeout or 0.0
            raise subprocess.TimeoutExpired("fake", timeout or 0.0)
        return self.returncode


class FakeSystem(System):
    """
    A system on which nothing happens by itself.

    :ivar answers: what a program prints and how it ends, asked with its command; ``None`` for one that runs on.
    :ivar told: what was done to processes, in order.
    """

    def __init__(self) -> None:
        self.time = 0.0
        self.told: list[str] = []
        self.commands: list[Sequence[str]] = []
        self.processes: list[FakeProcess] = []
        self.answer: Callable[[Sequence[str]], tuple[str, int | None]] = lambda command: ("", None)
        self.on_sleep: Callable[[], None] = lambda: None

    def launch(self, command: Sequence[str], directory: Path, output: BinaryIO) -> Process:
        printed, status = self.answer(command)
        output.write(printed.encode())
        process = FakeProcess(self, 100 + len(self.processes), status)
        self.commands.append(command)
        self.processes.append(process)
        return process

    def kill(self, session: int) -> None:
        self.told.append(f"kill {session}")
        process = self.processes[session - 100]
        if process.returncode is None:
            process.returncode = -9

    def now(self) -> float:
        return self.time

    def sleep(self, seconds: float) -> None:
        self.time += seconds
        self.on_sleep()


def make_report(*, rounds: int = 3, faults: Sequence[str] = ()) -> Report:
    """
    Make a report of which some measures have figures.
    """
    figures = Figures()
    for number in range(rounds):
        figures.add("rate.50", "direct", 100_000 + number)
        figures.add("rate.50", "nginx", 50_000 + 10_000 * number)
        figures.add("rate.50", "pico", 40_000 + 1000 * number)
        figures.add("p50.1", "nginx", 100.0)
        figures.add("p50.1", "pico", 250.0)
        figures.add("memory.first", "nginx", 1.0)
        figures.add("memory.first", "pico", 20.0 + number)
        figures.add("ready", "pico", 0.25)
    figures.faults.extend(faults)
    conditions = Conditions(
        date="2026-01-02 03:04 UTC",
        machine="A CPU, 2 CPUs, 8 GiB",
        system="Some Linux",
        python="CPython 3.11.7",
        pico="1.2.3",
        compiled=True,
        twisted="26.10",
        nginx="1.22.1",
        wrk="4.1.0",
        load=0.1,
        run="3 rounds",
    )
    configs = {"origin.conf": "listen 1;\n", "agent.yaml": "connect:\n"}
    return Report(conditions, make_measures(3000), figures, configs, 61.4)


def add_others(report: Report) -> None:
    """
    Give a report figures of two nodes and of gossip.
    """
    for side, rate in (("nginx", 50_000.0), ("nginx-thrice", 40_000.0), ("nodes", 30_000.0)):
        report.figures.add("nodes.rate.50", side, rate)
    for size, p50, p99, last in (("3", 0.05, 0.1, 0.15), ("20", 0.5, 1.5, 2.0)):
        report.figures.add("gossip.p50", size, p50)
        report.figures.add("gossip.p99", size, p99)
        report.figures.add("gossip.last", size, last)
