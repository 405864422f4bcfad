"""
``pico status``: ask a node's admin port.
"""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Callable
from typing import TypeVar

import click

from pico.cli.command import Argument, Group, Option
from pico.cli.status_client import AdminURL, Reply, fetch, parse_admin_url, route
from pico.cli.status_forms import (
    GOSSIP_NODE,
    GOSSIP_NODES,
    NODE,
    PROXY_ENDPOINTS,
    STATUSES,
    TUNNELS,
    UPSTREAM_ENDPOINTS,
    Form,
    as_json,
    as_yaml,
    nodes_form,
)
from pico.cli.terminal import is_terminal
from pico.config.units import parse_duration

#: Seconds to wait for an answer, and while somebody watches.
TIMEOUT = 15.0
WATCH_TIMEOUT = 5.0

#: How often is asked when nothing is said, and at most.
USUAL_INTERVAL = "2s"
MIN_INTERVAL = 0.1

Command = TypeVar("Command", bound=Callable[..., object])


def _url(ctx: click.Context, param: click.Parameter, value: str) -> AdminURL:
    try:
        return parse_admin_url(value)
    except ValueError as error:
        raise click.BadParameter(str(error), ctx, param) from None


def _interval(ctx: click.Context, param: click.Parameter, value: str | None) -> float | None:
    if value is None:
        return None
    try:
        seconds = parse_duration(value)
    except ValueError as error:
        raise click.BadParameter(str(error), ctx, param) from None
    if seconds < MIN_INTERVAL:
        raise click.BadParameter(f"{value} is too often; 100ms is the least", ctx, param)
    return seconds


def admin_flags(command: Command) -> Command:
    """
    Give a command the flags that say which node is asked.
    """
    for option in (
        click.option(
            "--server.url",
            "url",
            cls=Option,
            callback=_url,
            metavar="URL",
            default="http://localhost:8002",
            show_default=True,
            help="Admin port of any node.",
        ),
        click.option(
            "--forward",
            cls=Option,
            metavar="ID",
            help="Let that node answer, through the one at --server.url. [default: none]",
        ),
    ):
        command = option(command)
    return command


def _flags(command: Command) -> Command:
    """
    Give a command the flags that all of them have.
    """
    for option in (
        click.option(
            "-w",
            "--watch",
            cls=Option,
            callback=_interval,
            metavar="[INTERVAL]",
            is_flag=False,
            flag_value=USUAL_INTERVAL,
            help=f"Ask again and again, every {USUAL_INTERVAL} or INTERVAL such as 500ms, until Ctrl-C; on a terminal "
            "in a table that is redrawn, else one document each time.",
        ),
        click.option(
            "-o",
            "--output",
            cls=Option,
            type=click.Choice(["yaml", "json", "table"]),
            help="Form of the answer. [default: yaml; table while watching on a terminal]",
        ),
        admin_flags,
    ):
        command = option(command)
    return command


@click.group("status", cls=Group)
def status() -> None:
    """
    Ask a node what it knows.

    \b
    Examples:
      pico status cluster nodes
      pico status upstream tunnels --watch
      pico status proxy endpoints --forward pico-1-fuvaflv
    """


@status.group("cluster", cls=Group)
def cluster() -> None:
    """
    The nodes.

    \b
    Example:
      pico status cluster nodes
    """


@status.group("gossip", cls=Group)
def gossip() -> None:
    """
    What nodes have heard of each other.

    \b
    Example:
      pico status gossip nodes
    """


@status.group("proxy", cls=Group)
def proxy() -> None:
    """
    The proxy port's view.

    \b
    Example:
      pico status proxy endpoints
    """


@status.group("upstream", cls=Group)
def upstream() -> None:
    """
    The upstream port's view.

    \b
    Example:
      pico status upstream tunnels
    """


@cluster.command("nodes")
@click.option(
    "--status",
    "wanted",
    cls=Option,
    type=click.Choice(STATUSES),
    help="Only those of this status. [default: all]",
)
@_flags
def nodes(wanted: str | None, url: AdminURL, forward: str | None, output: str | None, watch: float | None) -> None:
    """
    List the nodes, with how many endpoints and upstreams each has.

    \b
    Examples:
      pico status cluster nodes --server.url http://localhost:8002
      pico status cluster nodes --status unreachable
    """
    show(nodes_form(wanted), url, route("status", "cluster", "nodes", forward=forward), output, watch)


@cluster.command("node")
@click.argument(
    "node_id",
    cls=Argument,
    metavar="[ID]",
    default="local",
    explanation="Its id; without it, the node that is asked.",
)
@_flags
def node(node_id: str, url: AdminURL, forward: str | None, output: str | None, watch: float | None) -> None:
    """
    Show one node and its endpoints, with how many upstreams each has.

    \b
    Example:
      pico status cluster node
    """
    show(NODE, url, route("status", "cluster", "nodes", node_id or "local", forward=forward), output, watch)


@gossip.command("nodes")
@_flags
def gossip_nodes(url: AdminURL, forward: str | None, output: str | None, watch: float | None) -> None:
    """
    List what gossip knows of each node: how new, and whether it is up.

    \b
    Example:
      pico status gossip nodes --watch
    """
    show(GOSSIP_NODES, url, route("status", "gossip", "nodes", forward=forward), output, watch)


@gossip.command("node")
@click.argument(
    "node_id",
    cls=Argument,
    metavar="[ID]",
    default="local",
    explanation="Its id; without it, the node that answers.",
)
@click.option(
    "--limit",
    cls=Option,
    metavar="COUNT",
    type=click.IntRange(1, 100_000),
    default=10_000,
    show_default=True,
    help="So many entries at most, the oldest.",
)
@_flags
def gossip_node(
    node_id: str, limit: int, url: AdminURL, forward: str | None, output: str | None, watch: float | None
) -> None:
    """
    Show what one node publishes, as far as it has arrived, by version.

    \b
    Examples:
      pico status gossip node
      pico status gossip node pico-1-fuvaflv --forward pico-2-rjtlyx1
    """
    path = route("status", "gossip", "nodes", node_id or "local", limit=limit, forward=forward)
    show(GOSSIP_NODE, url, path, output, watch)


@upstream.command("endpoints")
@_flags
def upstream_endpoints(url: AdminURL, forward: str | None, output: str | None, watch: float | None) -> None:
    """
    List the endpoints and how many tunnels each has.

    \b
    Example:
      pico status upstream endpoints
    """
    show(UPSTREAM_ENDPOINTS, url, route("status", "upstream", "endpoints", forward=forward), output, watch)


@upstream.command("tunnels")
@click.option("--endpoint", cls=Option, metavar="NAME", help="Only those of this endpoint. [default: all]")
@click.option(
    "--limit",
    cls=Option,
    metavar="COUNT",
    type=click.IntRange(1, 10_000),
    default=1000,
    show_default=True,
    help="So many at most, the oldest.",
)
@_flags
def tunnels(
    endpoint: str | None,
    limit: int,
    url: AdminURL,
    forward: str | None,
    output: str | None,
    watch: float | None,
) -> None:
    """
    List the tunnels one by one: agent, age, streams, requests, bytes.

    In and out are bytes as the node sees them. While watching, the table shows rates by the second as well; on a
    narrow terminal it leaves columns out.

    \b
    Examples:
      pico status upstream tunnels -o table
      pico status upstream tunnels --endpoint my-endpoint --watch 1s
    """
    path = route("status", "upstream", "tunnels", endpoint=endpoint, limit=limit, forward=forward)
    show(TUNNELS, url, path, output, watch)


@proxy.command("endpoints")
@_flags
def proxy_endpoints(url: AdminURL, forward: str | None, output: str | None, watch: float | None) -> None:
    """
    List the endpoints and where their agents connect from.

    \b
    Example:
      pico status proxy endpoints
    """
    show(PROXY_ENDPOINTS, url, route("status", "proxy", "endpoints", forward=forward), output, watch)


def show(form: Form, url: AdminURL, path: str, output: str | None, interval: float | None) -> None:
    """
    Ask and print, once or until interrupted.

    :param output: ``None`` for what suits.
    :param interval: seconds between two questions; ``None`` to ask once.
    :raises pico.errors.PicoError: there is no answer, when asked once.
    """
    if interval is not None:
        _watch(form, url, path, output, interval)
        return
    reply = fetch(url, path, TIMEOUT)
    document = form.document(reply.value)
    if output == "json":
        text = as_json(document)
    elif output == "table":
        text = _table(form, Reply(document, reply.now))
    else:
        text = as_yaml(document) + ("\n" if form.blank_line else "")
    click.echo(text, nl=False)
    note = form.note(document)
    if note:
        click.echo(f"pico: {note}", err=True)


def _table(form: Form, reply: Reply) -> str:
    from rich.console import Console

    from pico.cli.status_watch import table_text

    console = Console(highlight=False, emoji=False, markup=False) if is_terminal(sys.stdout) else None
    return table_text(form.table(reply, None), console=console)


def _watch(form: Form, url: AdminURL, path: str, output: str | None, interval: float) -> None:
    from pico.cli.status_watch import Documents, live_table, watch

    def ask() -> Reply:
        return fetch(url, path, WATCH_TIMEOUT)

    # Whoever ends us gets the terminal back as it was.
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    live = is_terminal(sys.stdout) and output in (None, "table")
    try:
        if live:
            with live_table(form, f"{url}{path}", interval, lambda: time.strftime("%H:%M:%S")) as screen:
                watch(ask, form, screen, interval=interval, clock=time.monotonic, sleep=time.sleep)
        else:
            documents = Documents(form, output or "yaml", sys.stdout, sys.stderr)
            watch(ask, form, documents, interval=interval, clock=time.monotonic, sleep=time.sleep)
    except KeyboardInterrupt:
        # The way to end this; what was shown is all there is.
        return
