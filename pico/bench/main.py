"""
One run of the benchmark, from the search for its tools to the report.
"""

from __future__ import annotations

import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from types import FrameType
from typing import NoReturn

from pico.bench.children import Children
from pico.bench.conditions import find_conditions
from pico.bench.faults import BenchError
from pico.bench.figures import Figures
from pico.bench.files import raise_open_files
from pico.bench.gossip import Gossip
from pico.bench.measures import make_measures
from pico.bench.nodes import Nodes
from pico.bench.page import make_page
from pico.bench.plan import Plan, make_plan
from pico.bench.proc import Proc
from pico.bench.progress import Progress
from pico.bench.report import Report, make_json, text_lines
from pico.bench.sides import PICO_COMMAND, Cast, Side, find_ports, write_files
from pico.bench.stages import Bench, Bodies, Requests, Watching, measure_ready, measure_tunnels
from pico.bench.tools import Tools, find_tools

#: Open files that a run takes at most, tunnels included.
_OPEN_FILES = 20_000


def run_bench(*, quick: bool, output: Path | None, docs: Path | None, only: Sequence[str]) -> int:
    """
    Measure, print the tables on standard output and what is being done on standard error.

    :param quick: one short round.
    :param output: where all figures go as JSON.
    :param docs: where the page of the manual goes.
    :param only: stages; all of them when empty.
    :return: the exit status: 1 if something is missing or broke, 2 for an unknown stage; missed goals are no
        failure, since a machine may be busy.
    """
    try:
        plan = make_plan(quick=quick, only=only)
    except ValueError as error:
        print(f"pico bench nginx: {error}", file=sys.stderr)
        return 2
    try:
        report = measure(plan, find_tools(), PICO_COMMAND)
    except BenchError as error:
        print(f"pico bench nginx: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("pico bench nginx: interrupted", file=sys.stderr)
        return 130
    print("\n".join(text_lines(report)))
    try:
        _write(output, make_json(report))
        _write(docs, make_page(report))
    except OSError as error:
        print(f"pico bench nginx: {error}", file=sys.stderr)
        return 1
    return 1 if report.figures.faults else 0


def measure(plan: Plan, tools: Tools, pico: Sequence[str]) -> Report:
    """
    Start everything, measure, and end everything.

    :param pico: the beginning of every command of Pico's.
    :raises BenchError: if something does not start or breaks.
    """
    start = time.monotonic()
    conditions = find_conditions(tools, plan, datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"))
    raise_open_files(_OPEN_FILES)
    with ExitStack() as stack:
        progress = Progress(sys.stderr, plan.steps)
        stack.callback(progress.end)
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="pico-bench-")))
        children = Children(directory)
        stack.enter_context(_ending(children))
        ports = find_ports()
        configs = write_files(directory, ports, body=bool({"bodies", "nodes"} & set(plan.stages)))
        proc = Proc()
        figures = Figures()
        cast = Cast(children, directory, nginx=tools.nginx, proc=proc, pico=pico)
        bench = Bench(plan, children, cast, figures, progress, proc, tools.wrk)
        sides: Sequence[Side] = ()
        if {"requests", "watching", "bodies", "nodes"} & set(plan.stages):
            progress.say("starting the origin, nginx → nginx, and Pico")
            sides = cast.start(ports)
        watched: Sequence[Side] = cast.start_watched(ports) if "watching" in plan.stages else ()
        further: Sequence[Side] = cast.start_nodes(ports) if "nodes" in plan.stages else ()
        _run_rounds(bench, sides, watched, further)
        progress.say("ending all processes")
    return Report(conditions, make_measures(plan.tunnels), figures, configs, time.monotonic() - start)


def _write(path: Path | None, text: str) -> None:
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")


def _run_rounds(bench: Bench, sides: Sequence[Side], watched: Sequence[Side], further: Sequence[Side]) -> None:
    requests = Requests(bench, sides)
    watching = Watching(bench, sides, watched)
    nodes = Nodes(bench, sides, further)
    stages: dict[str, Callable[[str], None]] = {
        "requests": requests.measure,
        "watching": watching.measure,
        "bodies": Bodies(bench, sides).measure,
        "nodes": nodes.measure,
        "tunnels": partial(measure_tunnels, bench),
        "ready": partial(measure_ready, bench),
        "gossip": Gossip(bench).measure,
    }
    plan = bench.plan
    if "requests" in plan.stages:
        requests.warm_up()
    if "watching" in plan.stages:
        watching.warm_up()
    if "nodes" in plan.stages:
        nodes.warm_up()
    for number in range(1, plan.rounds + 1):
        for stage in plan.stages:
            stages[stage](f"round {number} of {plan.rounds}")


@contextmanager
def _ending(children: Children) -> Iterator[None]:
    """
    End all processes whatever happens meanwhile: at the end, after an error, on Ctrl-C, on SIGTERM or SIGHUP.

    Signals are ignored while the processes end, which takes some seconds at most.
    """
    if threading.current_thread() is not threading.main_thread():
        # Signals reach the main thread alone; whoever runs there ends this one as it likes.
        try:
            yield
        finally:
            children.close()
        return
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    try:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        for number in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, _leave)
        yield
    finally:
        for number in before:
            signal.signal(number, signal.SIG_IGN)
        children.close()
        for number, handler in before.items():
            signal.signal(number, handler)


def _leave(number: int, frame: FrameType | None) -> NoReturn:
    raise SystemExit(128 + number)
