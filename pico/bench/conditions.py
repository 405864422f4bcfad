"""
Where and with what a run was made.
"""

from __future__ import annotations

import os
import platform
from importlib.metadata import version
from pathlib import Path

import attrs

from pico import __version__
from pico.bench.plan import Plan
from pico.bench.tools import Tools, version_of
from pico.wire.compiled import COMPILED


@attrs.frozen
class Conditions:
    """
    The facts that stand beside the figures.

    :ivar load: of the machine before the run, over one minute; above some tenths somebody else was at work.
    """

    date: str
    machine: str
    system: str
    python: str
    pico: str
    compiled: bool
    twisted: str
    nginx: str
    wrk: str
    load: float
    run: str

    def lines(self) -> list[tuple[str, str]]:
        """
        Name and text of each.
        """
        return [
            ("date", self.date),
            ("machine", self.machine),
            ("system", self.system),
            ("Python", self.python),
            ("Pico", f"{self.pico}, {'compiled' if self.compiled else 'not compiled'}, on Twisted {self.twisted}"),
            ("nginx, wrk", f"{self.nginx}, {self.wrk}"),
            ("load before", f"{self.load:.2f}"),
            ("run", self.run),
        ]


def find_conditions(tools: Tools, plan: Plan, date: str) -> Conditions:
    """
    Look around.
    """
    cpu, memory = parse_cpu(_read("/proc/cpuinfo")), parse_memory(_read("/proc/meminfo"))
    return Conditions(
        date=date,
        machine=f"{cpu}, {os.cpu_count()} CPUs, {memory}",
        system=f"{parse_system(_read('/etc/os-release'))}, Linux {platform.release()}",
        python=f"{platform.python_implementation()} {platform.python_version()}",
        pico=__version__,
        compiled=COMPILED,
        twisted=version("twisted"),
        nginx=version_of(tools.nginx),
        wrk=version_of(tools.wrk),
        load=os.getloadavg()[0],
        run=describe_plan(plan),
    )


def describe_plan(plan: Plan) -> str:
    """
    Say how long and how often was measured.
    """
    rounds = "1 round" if plan.rounds == 1 else f"{plan.rounds} rounds"
    quick = "quick, " if plan.quick else ""
    return f"{quick}{rounds}, {plan.seconds} s a load, {plan.bodies} bodies a sample"


def parse_cpu(text: str) -> str:
    """
    The CPU's name from ``/proc/cpuinfo``.
    """
    for line in text.splitlines():
        name, _, value = line.partition(":")
        if name.strip() == "model name":
            return value.strip()
    return platform.machine()


def parse_memory(text: str) -> str:
    """
    The size of the memory from ``/proc/meminfo``.
    """
    for line in text.splitlines():
        if line.startswith("MemTotal:"):
            return f"{int(line.split()[1]) / 2**20:.0f} GiB"
    return "memory unknown"


def parse_system(text: str) -> str:
    """
    The system's name from ``/etc/os-release``.
    """
    for line in text.splitlines():
        if line.startswith("PRETTY_NAME="):
            return line.partition("=")[2].strip('"')
    return "unknown system"


def _read(path: str) -> str:
    try:
        return Path(path).read_text("utf-8")
    except OSError:
        return ""
