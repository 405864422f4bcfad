"""
What is measured, and what is aimed at.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from functools import partial

import attrs

from pico.bench.figures import Figures, Summary
from pico.bench.plan import AT_ONCE, CONNECTIONS, SIZES, WATCHED

#: The sides, in the order in which they take turns: with one node, and with two.
DIRECT, NGINX, PICO = "direct", "nginx", "pico"
NGINX_THRICE, NODES = "nginx-thrice", "nodes"
TITLES = {
    DIRECT: "origin alone",
    NGINX: "nginx → nginx",
    PICO: "Pico",
    NGINX_THRICE: "nginx → nginx → nginx",
    NODES: "Pico, two nodes",
}


@attrs.frozen
class Table:
    """
    Rows that have columns in common.

    :ivar title: as a heading.
    :ivar sides: its columns, by name.
    :ivar subject: whose figures are judged; the worst of all if nobody's.
    """

    title: str
    sides: Mapping[str, str]
    subject: str | None = None

    @property
    def subjects(self) -> Sequence[str]:
        """
        The sides that are judged.
        """
        return [self.subject] if self.subject else list(self.sides)


def _table(title: str, *sides: str) -> Table:
    return Table(title, {side: TITLES[side] for side in sides}, sides[-1])


ONE_NODE = _table("Figures", DIRECT, NGINX, PICO)
TWO_NODES = _table("Two nodes", NGINX, NGINX_THRICE, NODES)
GOSSIP = Table("Gossip", {str(size): f"{size} nodes" for size in SIZES})
TABLES = (ONE_NODE, TWO_NODES, GOSSIP)


@attrs.frozen
class Goal:
    """
    What the medians that are judged shall be.

    :ivar relative: whether the bound is for the ratio to nginx → nginx, else for the figure itself.
    :ivar at_least: whether more is better.
    """

    bound: float
    relative: bool
    at_least: bool

    @property
    def text(self) -> str:
        """
        The bound as it stands in a table.
        """
        return f"{'ratio ' if self.relative else ''}{'≥' if self.at_least else '≤'} {self.bound:,g}"

    def judge(self, figure: float) -> Verdict:
        """
        Compare.
        """
        met = figure >= self.bound if self.at_least else figure <= self.bound
        return Verdict.MET if met else Verdict.MISSED


class Verdict(enum.Enum):
    """
    How a goal was done by.
    """

    MET = "met"
    MISSED = "missed"
    UNKNOWN = "not measured"


@attrs.frozen
class Measure:
    """
    A row of the report.

    :ivar digits: after the point.
    :ivar compared: whether a ratio to nginx → nginx says something.
    :ivar stage: which stage takes its samples.
    :ivar table: where it stands.
    """

    key: str
    title: str
    unit: str
    digits: int
    stage: str
    goal: Goal | None = None
    compared: bool = True
    table: Table = ONE_NODE

    def show(self, figure: float) -> str:
        """
        Word a figure of this measure, without its unit.
        """
        return f"{figure:,.{self.digits}f}"

    def ratio(self, figures: Figures) -> Summary | None:
        """
        Pico's figure divided by that of nginx → nginx, round by round; nothing if that says nothing.
        """
        if not self.compared or self.table.subject is None:
            return None
        return figures.ratio(self.key, self.table.subject, NGINX)

    def measured(self, figures: Figures) -> bool:
        """
        Whether there are samples of what is judged.
        """
        return any(figures.samples(self.key, side) for side in self.table.subjects)

    def verdict(self, figures: Figures) -> Verdict | None:
        """
        Whether the goal is met; nothing when there is none.
        """
        if self.goal is None:
            return None
        if self.goal.relative:
            summaries = [self.ratio(figures)]
        else:
            summaries = [figures.summary(self.key, side) for side in self.table.subjects]
        verdicts = [self.goal.judge(summary.median) for summary in summaries if summary is not None]
        if not verdicts:
            return Verdict.UNKNOWN
        return Verdict.MISSED if Verdict.MISSED in verdicts else Verdict.MET


def _count(number: int, one: str, more: str) -> str:
    return f"{number} {one if number == 1 else more}"


def _of_requests() -> list[Measure]:
    rate_goals = {50: Goal(0.65, True, True), 200: Goal(0.65, True, True)}
    p50_goals = {1: Goal(2.0, True, False)}
    p99_goals = {50: Goal(2.5, True, False)}
    rows = []
    for number in CONNECTIONS:
        at = _count(number, "connection", "connections")
        rows += [
            Measure(f"rate.{number}", f"requests, {at}", "/s", 0, "requests", rate_goals.get(number)),
            Measure(f"p50.{number}", f"latency p50, {at}", "µs", 0, "requests", p50_goals.get(number)),
            Measure(f"p99.{number}", f"latency p99, {at}", "µs", 0, "requests", p99_goals.get(number)),
        ]
    for number in CONNECTIONS:
        at = _count(number, "connection", "connections")
        rows += [
            Measure(f"cpu.{number}", f"CPU a request, both hops, {at}", "µs", 1, "requests"),
            Measure(f"cpu.first.{number}", f"  of it the first hop (node), {at}", "µs", 1, "requests"),
            Measure(f"cpu.second.{number}", f"  of it the second hop (agent), {at}", "µs", 1, "requests"),
        ]
    return rows


def _of_watching() -> list[Measure]:
    at = _count(WATCHED, "connection", "connections")

    def row(key: str, title: str, unit: str, digits: int, goal: Goal | None = None) -> Measure:
        return Measure(key, f"{title}, {at}", unit, digits, "watching", goal, compared=False)

    return [
        row("watching.uncounted", "requests without metrics", "/s", 0),
        row("watching.counted", "requests with metrics of node and agent", "/s", 0),
        row("watching.metrics", "  what metrics cost", "%", 1, Goal(5.0, False, False)),
        row("watching.logged", "requests with access logs of node and agent", "/s", 0),
        row("watching.log", "  what access logs cost", "%", 1, Goal(25.0, False, False)),
    ]


def _of_bodies() -> list[Measure]:
    rows = []
    for way in ("down", "up"):
        rows += [
            Measure(
                f"{way}.{number}",
                f"64 MiB {way}, {number} at once",
                "GB/s",
                2,
                "bodies",
                Goal(0.6, True, True),
            )
            for number in AT_ONCE
        ]
    # The bound is that of the system tests: what flow control may hold, and not the size of the bodies.
    bounded = Goal(32.0, False, False)
    for hop, who in (("first", "first hop (node)"), ("second", "second hop (agent)")):
        rows += [
            _memory(f"memory.{hop}", f"memory gained by it, {who}", bounded),
            _memory(f"memory.{hop}.peak", f"memory at most, {who}", None),
        ]
    return rows


def _memory(key: str, title: str, goal: Goal | None) -> Measure:
    return Measure(key, title, "MiB", 1, "bodies", goal, compared=False)


def _of_nodes() -> list[Measure]:
    goal = Goal(0.45, True, True)
    rows = []

    def add(key: str, title: str, unit: str, digits: int, goal: Goal | None = None, *, compared: bool = True) -> None:
        rows.append(Measure(f"nodes.{key}", title, unit, digits, "nodes", goal, compared, TWO_NODES))

    hops = (
        ("first", "first hop (the clients' node)"),
        ("second", "second hop (the agent's node)"),
        ("third", "third hop (agent)"),
    )
    for number in CONNECTIONS:
        at = _count(number, "connection", "connections")
        add(f"rate.{number}", f"requests, {at}", "/s", 0, goal if number == 50 else None)
        add(f"p50.{number}", f"latency p50, {at}", "µs", 0)
        add(f"p99.{number}", f"latency p99, {at}", "µs", 0)
    for number in CONNECTIONS:
        at = _count(number, "connection", "connections")
        add(f"cpu.{number}", f"CPU a request, all hops, {at}", "µs", 1)
        for hop, who in hops:
            add(f"cpu.{hop}.{number}", f"  of it the {who}, {at}", "µs", 1)
    for way in ("down", "up"):
        for number in AT_ONCE:
            add(f"{way}.{number}", f"64 MiB {way}, {number} at once", "GB/s", 2, goal)
    for hop, who in hops:
        add(f"memory.{hop}", f"memory gained by it, {who}", "MiB", 1, compared=False)
    return rows


def _of_gossip() -> list[Measure]:
    def row(key: str, title: str, unit: str, digits: int, goal: Goal | None = None) -> Measure:
        return Measure(f"gossip.{key}", title, unit, digits, "gossip", goal, False, GOSSIP)

    at_most = partial(Goal, relative=False, at_least=False)
    return [
        row("endpoints", "endpoints", "", 0),
        row("changes", "changes of endpoints", "/s", 0),
        row("p50", "until every node knows, p50", "s", 3),
        row("p99", "until every node knows, p99", "s", 3, at_most(1.0)),
        row("last", "until every node knows, the last", "s", 3),
        row("unknown", "changes that some node did not learn of", "", 0, at_most(0.0)),
        row("cpu", "CPU of a node", "%", 1, at_most(25.0)),
        row("cpu.udp", "  of it UDP", "%", 1),
        row("bytes", "sent by a node", "KB/s", 0),
        row("rest.cpu", "CPU of a node at rest", "%", 2, at_most(5.0)),
        row("rest.cpu.udp", "  of it UDP, at rest", "%", 2),
        row("rest.bytes", "sent by a node at rest", "KB/s", 2),
        row("death", "until all know of a death, the longest", "s", 2, at_most(3.0)),
        row("false", "nodes that were held for dead and were not", "", 0, at_most(0.0)),
        row("udp", "UDP: CPU to send and receive a datagram", "µs", 1),
    ]


def make_measures(tunnels: int) -> Sequence[Measure]:
    """
    Make the rows of the report.

    :param tunnels: how many are opened.
    """
    return (
        *_of_requests(),
        *_of_watching(),
        *_of_bodies(),
        Measure(
            "tunnel.memory",
            f"memory of an idle tunnel, of {tunnels:,}",
            "KiB",
            1,
            "tunnels",
            Goal(14.0, False, False),
        ),
        Measure("tunnel.rate", "tunnels accepted", "/s", 0, "tunnels", Goal(2000.0, False, True)),
        Measure("tunnel.cpu", "CPU of the node a tunnel", "µs", 0, "tunnels"),
        Measure("ready", "from start to ready", "s", 3, "ready", Goal(0.5, False, False)),
        *_of_nodes(),
        *_of_gossip(),
    )
