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
from typing import TYPE_CHECKING, Any

import click

from pico.cli.command import OPTIONS, Decorated, Group, Option, output_flag
from pico.cli.terminal import is_terminal
from pico.config.units import parse_duration, parse_size

if TYPE_CHECKING:
    from pico.bench.load.run import Run

_TO = "Connection to the node"


def _value(
    metavar: str, flag: str, default: object, text: str, *, name: str = "", section: str = OPTIONS
) -> Callable[[Decorated], Decorated]:
    """
    A flag with a default.

    :param metavar: what its value is.
    :param name: of the function's parameter, if it is not that of the flag.
    """
    names = (flag, name) if name else (flag,)
    shown = default != ""
    return click.option(
        *names,
        cls=Option,
        section=section,
        metavar=metavar,
        type=type(default),
        default=default,
        show_default=shown,
        help=text if shown else f"{text} [default: none]",
    )


def _count(flag: str, default: int, text: str) -> Callable[[Decorated], Decorated]:
    return _value("COUNT", flag, default, text)


def _connection(metavar: str, flag: str, default: str, text: str) -> Callable[[Decorated], Decorated]:
    name = flag.removeprefix("--connect.").replace("-", "_")
    return _value(metavar, flag, default, text, name="connect_timeout" if name == "timeout" else name, section=_TO)


_upstream_url = _connection("URL", "--connect.upstream-url", "http://localhost:8001", "Upstream port of a node.")
_token = _connection("TOKEN", "--connect.token", "", "Token to show to the node.")
_connect_timeout = _connection(
    "DURATION",
    "--connect.timeout",
    "5s",
    "For one try to connect; also how long to wait for a tunnel before it is given up.",
)
_output = output_flag(["text", "json"], "Form of the figures.")


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
@_value("SIZE", "--size", "1KiB", "Bytes of each request's body, which must come back; 0 for GET without a body.")
@_value(
    "NUMBER",
    "--rate",
    0.0,
    "Requests a second of all clients together; 0 for as many as are answered. Times then run from the moment at "
    "which a request was due.",
)
@_value("DURATION", "--timeout", "30s", "For one request.")
@_connection("URL", "--connect.proxy-url", "http://localhost:8000", "Proxy port of a node.")
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
@_value("DURATION", "--duration", "0", "How long to keep them; 0 until Ctrl-C.")
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
    help="Only these stages: requests, watching, bodies, nodes, tunnels, ready, gossip. [default: all]",
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
