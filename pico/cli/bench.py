"""
``pico bench``: measure.
"""

from __future__ import annotations

import json
import random
import shutil
import sys
from collections.abc import Callable, Coroutine, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from pico.cli.command import Group, Option
from pico.cli.terminal import is_terminal
from pico.config.units import parse_duration, parse_size

if TYPE_CHECKING:
    from pico.bench.load.run import Run

Command = TypeVar("Command", bound=Callable[..., object])

_TO = "Connection to the node"

_upstream_url = click.option(
    "--connect.upstream-url",
    "upstream_url",
    cls=Option,
    section=_TO,
    metavar="URL",
    default="http://localhost:8001",
    show_default=True,
    help="Upstream port of a node.",
)
_token = click.option(
    "--connect.token",
    "token",
    cls=Option,
    section=_TO,
    metavar="TOKEN",
    default="",
    help="Token to show to the node. [default: none]",
)
_connect_timeout = click.option(
    "--connect.timeout",
    "connect_timeout",
    cls=Option,
    section=_TO,
    metavar="DURATION",
    default="5s",
    show_default=True,
    help="For one try to connect; also how long to wait for a tunnel before it is given up.",
)
_output = click.option(
    "-o",
    "--output",
    cls=Option,
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="Form of the figures.",
)


def _count(flag: str, default: int, text: str) -> Callable[[Command], Command]:
    return click.option(flag, cls=Option, metavar="COUNT", type=int, default=default, show_default=True, help=text)


@click.group("bench", cls=Group)
def bench() -> None:
    """
    Make load for a node that runs, or compare Pico with nginx.

    \b
    Example:
      pico bench http --requests 10000
    """


@bench.command("http")
@_count("--requests", 100_000, "Requests to send.")
@_count("--clients", 100, "Connections to the proxy port, each with one request at a time.")
@_count("--endpoints", 100, "Endpoints to ask for: bench-0, bench-1 and so on, one at random for each request.")
@_count("--upstreams", 100, "Tunnels that this program serves them through; 0 if others do (pico bench upstreams).")
@click.option(
    "--size",
    cls=Option,
    metavar="SIZE",
    default="1KiB",
    show_default=True,
    help="Bytes of each request's body, which must come back; 0 for GET without a body.",
)
@click.option(
    "--rate",
    cls=Option,
    metavar="NUMBER",
    type=float,
    default=0.0,
    show_default=True,
    help="Requests a second of all clients together; 0 for as many as are answered. Times then run from the moment at "
    "which a request was due.",
)
@click.option("--timeout", cls=Option, metavar="DURATION", default="30s", show_default=True, help="For one request.")
@click.option(
    "--connect.proxy-url",
    "proxy_url",
    cls=Option,
    section=_TO,
    metavar="URL",
    default="http://localhost:8000",
    show_default=True,
    help="Proxy port of a node.",
)
@_upstream_url
@_token
@_connect_timeout
@_output
def http(
    requests: int,
    clients: int,
    endpoints: int,
    upstreams: int,
    size: str,
    rate: float,
    timeout: str,
    proxy_url: str,
    upstream_url: str,
    token: str,
    connect_timeout: str,
    output: str,
) -> None:
    """
    Send requests through a node that runs, to services of this program's own.

    It opens tunnels, and its clients send bodies to endpoints at random and compare what comes back. Only right
    answers count as throughput. Clients, agents and services share one CPU, which may be the limit before the node is.
    Ctrl-C ends it early and shows what was measured. The exit status is 1 if a request failed.

    \b
    Example:
      pico bench http --requests 10000 --clients 50
    """
    from pico.bench.load.plan import Requests, Upstreams
    from pico.bench.load.report import http_data, http_lines, upstreams_data, upstreams_lines
    from pico.bench.load.run import Node

    with _wrong_values():
        tunnels = Upstreams(upstreams, endpoints)
        tunnels.check()
        if rate < 0:
            raise ValueError("--rate must not be negative")
        plan = Requests(requests, clients, endpoints, _size("--size", size), rate, _duration("--timeout", timeout))
        plan.check()
        node = Node(proxy_url, upstream_url, _duration("--connect.timeout", connect_timeout), token)

    async def measure(run: Run) -> int:
        opened: Mapping[str, object] = {}
        load = await run.open(tunnels, node) if upstreams else None
        if load is not None:
            opened = upstreams_data(tunnels, load.tally, connected=load.connected, lost=0, interrupted=run.interrupted)
            _print(upstreams_lines(tunnels, load.tally, interrupted=run.interrupted), output)
        try:
            done = await run.request(plan, node)
        finally:
            if load is not None:
                await run.close(load)
        if load is not None:
            opened = {**opened, "lost": load.lost}
        _print(http_lines(plan, done.tally, interrupted=run.interrupted), output)
        _print_json(http_data(plan, done.tally, opened, interrupted=run.interrupted), output)
        return 130 if run.interrupted else 1 if done.tally.failed else 0

    _run(measure, files=2 * clients + upstreams)


@bench.command("upstreams")
@_count("--upstreams", 1000, "Tunnels to open.")
@_count("--endpoints", 100, "Endpoints that they are spread over: bench-0, bench-1 and so on.")
@click.option(
    "--duration",
    cls=Option,
    metavar="DURATION",
    default="0",
    show_default=True,
    help="How long to keep them; 0 until Ctrl-C.",
)
@_upstream_url
@_token
@_connect_timeout
@_output
def upstreams(
    upstreams: int,
    endpoints: int,
    duration: str,
    upstream_url: str,
    token: str,
    connect_timeout: str,
    output: str,
) -> None:
    """
    Open tunnels to a node that runs, and keep them.

    What comes through them is sent back, so that other programs can make the requests. A tunnel that is lost is dialled
    again. The exit status is 1 if one was lost, or could not be had at the first try.

    \b
    Example:
      pico bench upstreams --upstreams 500 --duration 10s
    """
    from pico.bench.load.plan import Upstreams
    from pico.bench.load.report import upstreams_data, upstreams_lines
    from pico.bench.load.run import Node

    with _wrong_values():
        plan = Upstreams(upstreams, endpoints)
        plan.check()
        if not upstreams:
            raise ValueError("--upstreams must be 1 at least")
        seconds = _duration("--duration", duration)
        node = Node(upstream_url=upstream_url, timeout=_duration("--connect.timeout", connect_timeout), token=token)

    async def measure(run: Run) -> int:
        load = await run.open(plan, node)
        opened_all = not run.interrupted
        _print(upstreams_lines(plan, load.tally, interrupted=run.interrupted), output)
        if opened_all:
            await run.hold(load, plan.count, seconds)
        # Ctrl-C is the usual end, and no interruption of anything, if no time was asked for.
        interrupted = run.interrupted and (bool(seconds) or not opened_all)
        data = upstreams_data(plan, load.tally, connected=load.connected, lost=load.lost, interrupted=interrupted)
        await run.close(load)
        _print([f"lost        {load.lost:,}"], output)
        _print_json(data, output)
        return 130 if interrupted else 1 if load.lost or load.tally.failed else 0

    _run(measure, files=upstreams)


@bench.command("nginx")
@click.option("--quick", cls=Option, is_flag=True, help="One short round.")
@click.option(
    "--output", cls=Option, type=click.Path(path_type=Path), help="Where all figures go as JSON. [default: none]"
)
@click.option(
    "--docs", cls=Option, type=click.Path(path_type=Path), help="Where the page of the manual goes. [default: none]"
)
@click.option(
    "--only",
    cls=Option,
    multiple=True,
    metavar="STAGE",
    help="Only these stages: requests, watching, bodies, tunnels, ready. [default: all]",
)
def nginx(quick: bool, output: Path | None, docs: Path | None, only: tuple[str, ...]) -> None:
    """
    Measure a node and an agent beside nginx on this machine. Needs nginx and wrk.

    \b
    Example:
      pico bench nginx --quick
    """
    from pico.bench.main import run_bench

    sys.exit(run_bench(quick=quick, output=output, docs=docs, only=only))


@contextmanager
def _wrong_values() -> Iterator[None]:
    try:
        yield
    except ValueError as error:
        raise click.UsageError(str(error)) from None


def _duration(flag: str, text: str) -> float:
    try:
        return parse_duration(text)
    except ValueError as error:
        raise ValueError(f"{flag}: {error}") from None


def _size(flag: str, text: str) -> int:
    try:
        return parse_size(text)
    except ValueError as error:
        raise ValueError(f"{flag}: {error}") from None


def _print(lines: list[str], output: str) -> None:
    if output == "text":
        click.echo("\n".join(lines))


def _print_json(data: Mapping[str, object], output: str) -> None:
    if output == "json":
        click.echo(json.dumps(data, indent=2))


def _run(measure: Callable[[Run], Coroutine[Any, Any, int]], *, files: int) -> None:
    """
    Run it on a reactor, and end with its exit status.

    :param files: that will be open.
    """
    from twisted.internet.defer import Deferred
    from twisted.python.failure import Failure

    from pico.bench.files import raise_open_files
    from pico.bench.load.bar import Bar
    from pico.bench.load.run import Run
    from pico.cli.log import open_log
    from pico.cli.reactor import install
    from pico.cli.run import handle_signals
    from pico.config.sections import Log

    raise_open_files(files + 100)
    reactor, tcp, clock = install()
    bar = Bar(sys.stderr, terminal=is_terminal(sys.stderr), columns=shutil.get_terminal_size().columns)
    run = Run(tcp, clock, random.Random(), bar)
    results: list[int | Failure] = []

    def ended(result: int | Failure) -> None:
        results.append(result)
        reactor.stop()

    def begin() -> None:
        Deferred.fromCoroutine(measure(run)).addBoth(ended)

    handle_signals(lambda: reactor.callFromThread(run.stop))
    reactor.callFromThread(begin)
    with closing(open_log(Log(level="error"), clock)):
        reactor.run(installSignalHandlers=False)
    (result,) = results
    if isinstance(result, Failure):
        result.raiseException()
    sys.exit(result)
