"""
How each measure is taken.

A stage is called once a round. Within it the sides take turns, so that what disturbs the machine for a while
disturbs neighbours, whose figures are then divided by each other.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping, Sequence

import attrs

from pico.bench.bodies import Order
from pico.bench.children import Child, Children
from pico.bench.configs import ANSWER, ENDPOINT, SINK_ENDPOINT
from pico.bench.crossing import Crossing
from pico.bench.faults import BenchError
from pico.bench.figures import Figures
from pico.bench.measures import PICO, TITLES
from pico.bench.plan import AT_ONCE, BODY_BYTES, CONNECTIONS, WATCHED, Plan
from pico.bench.probe import HOST, find_free_ports, read_metrics
from pico.bench.proc import Proc
from pico.bench.progress import Progress
from pico.bench.sides import COUNTED, LOGGED, UNCOUNTED, Cast, Side
from pico.bench.wrk import Load, parse_wrk, wrk_command

#: Seconds that a program of the benchmark may take beyond what it was asked for.
_PATIENCE = 120.0


@attrs.frozen
class Bench:
    """
    What all stages need.

    :ivar wrk: where that program is.
    :ivar numbers: asks an admin port for the numbers of a node.
    """

    plan: Plan
    children: Children
    cast: Cast
    figures: Figures
    progress: Progress
    proc: Proc
    wrk: str
    numbers: Callable[[int], Mapping[str, float]] = read_metrics


def load_side(bench: Bench, side: Side, connections: int, seconds: int) -> Load:
    """
    Send a side small requests for so many seconds.

    :raises BenchError: if the load generator prints something else than its figures.
    """
    command = wrk_command(
        bench.wrk,
        f"http://{HOST}:{side.port}/",
        connections=connections,
        seconds=seconds,
        endpoint=ENDPOINT,
    )
    try:
        return parse_wrk(bench.children.run("wrk", command, within=seconds + _PATIENCE))
    except ValueError as error:
        raise BenchError(str(error)) from None


class Requests:
    """
    Small requests: rate, latency, and the CPU time of whoever stands between.
    """

    def __init__(self, bench: Bench, sides: Sequence[Side], prefix: str = "") -> None:
        """
        :param prefix: of the figures' keys.
        """
        self._bench = bench
        self._prefix = prefix
        self._sides = sides

    def warm_up(self) -> None:
        """
        Let every side open its connections and learn its headers, and forget the figures.
        """
        for connections in CONNECTIONS:
            for side in self._sides:
                self._bench.progress.step(f"warm-up, {_at(connections)}, {TITLES[side.name]}")
                load_side(self._bench, side, connections, self._bench.plan.warm_up)

    def measure(self, name: str) -> None:
        """
        Take one sample of everything.

        :param name: of the round.
        """
        for connections in CONNECTIONS:
            for side in self._sides:
                self._bench.progress.step(f"{name}: requests, {_at(connections)}, {TITLES[side.name]}")
                self._sample(side, connections)

    def _sample(self, side: Side, connections: int) -> None:
        figures, prefix = self._bench.figures, self._prefix
        crossing = Crossing(self._bench.numbers, side)
        before = self._cpu_seconds(side)
        load = load_side(self._bench, side, connections, self._bench.plan.seconds)
        after = self._cpu_seconds(side)
        if load.fault:
            figures.faults.append(f"{TITLES[side.name]}, {_at(connections)}: {load.fault}")
        if fault := crossing.fault(load.requests * len(ANSWER)):
            figures.faults.append(f"{TITLES[side.name]}, {_at(connections)}: {fault}")
        figures.add(f"{prefix}rate.{connections}", side.name, load.rate)
        figures.add(f"{prefix}p50.{connections}", side.name, load.p50)
        figures.add(f"{prefix}p99.{connections}", side.name, load.p99)
        if not side.hops or not load.requests:
            return
        costs = {hop: (after[hop] - before[hop]) * 1e6 / load.requests for hop in side.hops}
        figures.add(f"{prefix}cpu.{connections}", side.name, sum(costs.values()))
        for hop, cost in costs.items():
            figures.add(f"{prefix}cpu.{hop}.{connections}", side.name, cost)

    def _cpu_seconds(self, side: Side) -> Mapping[str, float]:
        return {hop: self._bench.proc.cpu_seconds(pid) for hop, pid in side.hops.items()}


class Watching:
    """
    What metrics and access logs cost: Pico beside itself.
    """

    def __init__(self, bench: Bench, sides: Sequence[Side], watched: Sequence[Side]) -> None:
        """
        :param sides: all sides, of which only Pico's is used.
        :param watched: those of :meth:`pico.bench.sides.Cast.start_watched`.
        """
        self._bench = bench
        self._sides = [*(side for side in sides if side.name == PICO), *watched]
        self._rounds = 0

    def warm_up(self) -> None:
        """
        Let every side open its connections and learn its headers.
        """
        for side in self._sides:
            self._bench.progress.step(f"warm-up, {_at(WATCHED)}, {side.name}")
            load_side(self._bench, side, WATCHED, self._bench.plan.warm_up)

    def measure(self, name: str) -> None:
        """
        Take one sample of everything; another side begins each time.

        :param name: of the round.
        """
        bench, figures = self._bench, self._bench.figures
        turn = self._rounds % len(self._sides)
        self._rounds += 1
        rates = {}
        for side in (*self._sides[turn:], *self._sides[:turn]):
            bench.progress.step(f"{name}: what watching costs, {side.name}")
            load = load_side(bench, side, WATCHED, bench.plan.seconds)
            if load.fault:
                figures.faults.append(f"{side.name}, {_at(WATCHED)}: {load.fault}")
            rates[side.name] = load.rate
        for watched in (UNCOUNTED, COUNTED, LOGGED):
            figures.add(f"watching.{watched}", PICO, rates[watched])
        for what, without, watched in (("metrics", UNCOUNTED, COUNTED), ("log", PICO, LOGGED)):
            if rates[without]:
                figures.add(f"watching.{what}", PICO, 100 * (1 - rates[watched] / rates[without]))


class Bodies:
    """
    Large bodies, and the memory of whoever stands between.
    """

    def __init__(self, bench: Bench, sides: Sequence[Side], prefix: str = "") -> None:
        """
        :param prefix: of the figures' keys.
        """
        self._bench = bench
        self._prefix = prefix
        self._sides = sides
        #: Resident bytes before the first body, by process.
        self._resident: dict[int, int] = {}

    def measure(self, name: str) -> None:
        """
        Take one sample of everything.

        :param name: of the round.
        """
        self._look_at_memory()
        for way in ("down", "up"):
            for at_once in AT_ONCE:
                for side in self._sides:
                    self._bench.progress.step(f"{name}: 64 MiB {way}, {at_once} at once, {TITLES[side.name]}")
                    self._sample(side, way, at_once)
        for side in self._sides:
            for hop, pid in side.hops.items():
                self._sample_memory(side, hop, pid)

    def _sample(self, side: Side, way: str, at_once: int) -> None:
        up = way == "up"
        order = Order(
            way=way,
            port=side.sink_port if up else side.port,
            path="/sink" if up else "/body",
            endpoint=SINK_ENDPOINT if up else ENDPOINT,
            size=BODY_BYTES,
            at_once=at_once,
            repeat=max(1, self._bench.plan.bodies // at_once),
        )
        command = (sys.executable, "-m", "pico.bench.bodies", json.dumps(attrs.asdict(order)))
        crossing = Crossing(self._bench.numbers, side)
        printed = self._bench.children.run(f"client of {TITLES[side.name]}", command, within=_PATIENCE)
        size = order.size * order.at_once * order.repeat
        if fault := crossing.fault(size):
            self._bench.figures.faults.append(f"{TITLES[side.name]}, 64 MiB {way}, {at_once} at once: {fault}")
        self._bench.figures.add(f"{self._prefix}{way}.{at_once}", side.name, size / 1e9 / _seconds_of(printed))

    def _look_at_memory(self) -> None:
        for side in self._sides:
            for pid in side.hops.values():
                self._resident.setdefault(pid, self._bench.proc.resident_bytes(pid))
                self._bench.proc.reset_peak(pid)

    def _sample_memory(self, side: Side, hop: str, pid: int) -> None:
        peak = self._bench.proc.peak_bytes(pid)
        figures, prefix = self._bench.figures, self._prefix
        figures.add(f"{prefix}memory.{hop}", side.name, (peak - self._resident[pid]) / 2**20)
        figures.add(f"{prefix}memory.{hop}.peak", side.name, peak / 2**20)


def measure_tunnels(bench: Bench, name: str) -> None:
    """
    Open many tunnels to a fresh node: how fast, and what they cost when they are idle.

    :param name: of the round.
    """
    plan, proc, figures = bench.plan, bench.proc, bench.figures
    bench.progress.step(f"{name}: {plan.tunnels:,} tunnels")
    proxy, upstream, admin = find_free_ports(3)
    node, _ = bench.cast.start_node(proxy=proxy, upstream=upstream, admin=admin)
    resident = proc.resident_bytes(node.pid)
    cpu = proc.cpu_seconds(node.pid)
    opener = bench.children.start(
        "tunnels", (sys.executable, "-m", "pico.bench.tunnels", str(upstream), str(plan.tunnels))
    )
    seconds = _seconds_of(opener.when(lambda: _first_line(opener), "word that all are open", within=_PATIENCE))
    figures.add("tunnel.rate", PICO, plan.tunnels / seconds)
    figures.add("tunnel.cpu", PICO, (proc.cpu_seconds(node.pid) - cpu) * 1e6 / plan.tunnels)
    bench.children.rest(plan.settle)
    opener.check()
    figures.add("tunnel.memory", PICO, (proc.resident_bytes(node.pid) - resident) / 1024 / plan.tunnels)
    # The node first: what it would do for so many agents that leave is not measured.
    bench.children.kill(node)
    bench.children.kill(opener)


def measure_ready(bench: Bench, name: str) -> None:
    """
    Start a node, see when it is ready, and end it.

    :param name: of the round.
    """
    bench.progress.step(f"{name}: start of a node")
    proxy, upstream, admin = find_free_ports(3)
    node, seconds = bench.cast.start_node(proxy=proxy, upstream=upstream, admin=admin)
    bench.figures.add("ready", PICO, seconds)
    bench.children.kill(node)


def _at(connections: int) -> str:
    return f"{connections} connection{'' if connections == 1 else 's'}"


def _first_line(child: Child) -> str | None:
    line, end, _ = child.read().partition("\n")
    return line if end and line.startswith("{") else None


def _seconds_of(printed: str) -> float:
    """
    Read what a program of the benchmark prints.

    :raises BenchError: if it printed something else.
    """
    try:
        return float(json.loads(printed)["seconds"])
    except (ValueError, KeyError, TypeError):
        raise BenchError(f"the program printed something else than seconds:\n{printed}") from None
