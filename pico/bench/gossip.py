"""
How soon all nodes of a cluster know what has changed, and what that costs each of them.
"""

from __future__ import annotations

import json
import sys

import attrs

from pico.bench.faults import BenchError
from pico.bench.plan import Group
from pico.bench.stages import Bench

#: Seconds that the simulation of a group may take.
_PATIENCE = 1800.0

#: Datagrams that are sent with real sockets.
_DATAGRAMS = 1000


class Gossip:
    """
    Groups of all sizes, simulated once: another round would give the same times.
    """

    def __init__(self, bench: Bench) -> None:
        self._bench = bench
        self._measured = False

    def measure(self, name: str) -> None:
        """
        Measure everything, unless that is done.

        :param name: of the round.
        """
        if self._measured:
            return
        self._measured = True
        self._bench.progress.step("gossip: what UDP costs")
        datagram = self._run("pico.bench.datagrams", str(_DATAGRAMS), "seconds")["seconds"]
        for group in self._bench.plan.groups:
            self._bench.progress.step(f"gossip: {group.nodes} nodes")
            self._sample(group, datagram)

    def _sample(self, group: Group, datagram: float) -> None:
        came = self._run("pico.bench.spreading", json.dumps(attrs.asdict(group)), "death")
        udp, rest_udp = came["datagrams"] * datagram, came["rest_datagrams"] * datagram
        figures = {
            "endpoints": group.endpoints,
            "changes": group.rate,
            "p50": came["p50"],
            "p99": came["p99"],
            "last": came["last"],
            "unknown": came["unknown"],
            "cpu": 100 * (came["cpu"] + udp),
            "cpu.udp": 100 * udp,
            "bytes": came["bytes_out"] / 1000,
            "rest.cpu": 100 * (came["rest_cpu"] + rest_udp),
            "rest.cpu.udp": 100 * rest_udp,
            "rest.bytes": came["rest_bytes_out"] / 1000,
            "death": came["death"],
            "false": came["wrongly"],
            "udp": datagram * 1e6,
        }
        for key, figure in figures.items():
            self._bench.figures.add(f"gossip.{key}", str(group.nodes), figure)

    def _run(self, module: str, argument: str, expected: str) -> dict[str, float]:
        """
        Run a program of the benchmark.

        :raises BenchError: if it prints something else than its figures.
        """
        printed = self._bench.children.run(module, (sys.executable, "-m", module, argument), within=_PATIENCE)
        try:
            came = json.loads(printed)
            float(came[expected])
        except (ValueError, KeyError, TypeError):
            raise BenchError(f"{module} printed something else than figures:\n{printed}") from None
        return {str(key): float(figure) for key, figure in came.items()}
