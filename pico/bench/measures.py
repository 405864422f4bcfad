"""
What is measured, and what is aimed at.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence

import attrs

from pico.bench.figures import Figures, Summary
from pico.bench.plan import AT_ONCE, CONNECTIONS, WATCHED

#: The sides, in the order in which they take turns.
DIRECT, NGINX, PICO = "direct", "nginx", "pico"
SIDES = (DIRECT, NGINX, PICO)
TITLES = {DIRECT: "origin alone", NGINX: "nginx → nginx", PICO: "Pico"}


@attrs.frozen
class Goal:
    """
    What Pico's median shall be.

    :ivar relative: whether the bound is for the ratio to nginx → nginx, else for Pico's own figure.
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
    """

    key: str
    title: str
    unit: str
    digits: int
    stage: str
    goal: Goal | None = None
    compared: bool = True

    def show(self, figure: float) -> str:
        """
        Word a figure of this measure, without its unit.
        """
        return f"{figure:,.{self.digits}f}"

    def ratio(self, figures: Figures) -> Summary | None:
        """
        Pico's figure divided by that of nginx → nginx, round by round; nothing if that says nothing.
        """
        return None if not self.compared else figures.ratio(self.key, PICO, NGINX)

    def verdict(self, figures: Figures) -> Verdict | None:
        """
        Whether the goal is met; nothing when there is none.
        """
        if self.goal is None:
            return None
        summary = self.ratio(figures) if self.goal.relative else figures.summary(self.key, PICO)
        return Verdict.UNKNOWN if summary is None else self.goal.judge(summary.median)


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
    )
