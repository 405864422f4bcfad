"""
``pico doctor``: see what would keep a node or an agent from working.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import click

from pico.cli.agent import exposing
from pico.cli.command import Group, Option
from pico.cli.options import TreeCommand, options_of, settings_in, switched
from pico.cli.sources import gather
from pico.cli.terminal import is_terminal, use_color_on
from pico.config.agent import AgentConfig
from pico.config.faults import InvalidConfig
from pico.config.keys import FILE_LEAVES
from pico.config.server import ServerConfig
from pico.config.units import parse_duration
from pico.errors import ConfigError

if TYPE_CHECKING:
    from pico.doctor.finding import Finding

#: Seconds that one check may take, as text.
_LIMIT = "5s"

_output = click.option(
    "-o",
    "--output",
    cls=Option,
    type=click.Choice(["text", "json"]),
    default=None,
    help="Form of the findings. [default: text]",
)
_timeout = click.option(
    "--timeout", cls=Option, metavar="DURATION", default=None, help=f"How long one check may take. [default: {_LIMIT}]"
)


class _Doctor(Group):
    """
    A group that is told where the configuration is; the commands below it take the rest.
    """

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)
        self.params[:0] = options_of(FILE_LEAVES)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """
        Read the command line.
        """
        return super().parse_args(ctx, switched(self, ctx, args))


@click.group("doctor", cls=_Doctor, invoke_without_command=True)
@_timeout
@_output
def doctor(timeout: str | None, output: str | None, **values: object) -> None:
    """
    See what would keep a node or an agent from working here, and what to do about it.

    Whether it is a node or an agent is told by the file, or else by the environment; "server" or "agent" behind it says
    so, and takes all flags of "pico server" or "pico agent". Ports are bound for a moment; an agent's node is asked in
    such a way that no endpoint is registered. The exit status is 1 if something will not work.

    \b
    Examples:
      pico doctor --config.path etc/pico.yaml
      pico doctor agent --endpoints my-endpoint/localhost:4000
    """
    ctx = click.get_current_context()
    flags = settings_in(values)
    ctx.obj = flags, timeout, output
    if ctx.invoked_subcommand is None:
        command = doctor.get_command(ctx, _recognised(flags))
        assert command is not None
        ctx.invoke(command)


@doctor.command("server", cls=TreeCommand, tree=ServerConfig)
@_timeout
@_output
def server(timeout: str | None = None, output: str | None = None, **values: object) -> None:
    """
    See whether a node can run with these settings.

    \b
    Example:
      pico doctor server --proxy.bind-addr :80
    """
    _examine("server", settings_in(values), timeout, output, _of_server)


@doctor.command("agent", cls=TreeCommand, tree=AgentConfig)
@exposing("Take these for exposed instead of what the file lists, as with pico agent.")
@_timeout
@_output
def agent(timeout: str | None = None, output: str | None = None, **values: object) -> None:
    """
    See whether an agent can run with these settings: does it reach its node and its services?

    \b
    Example:
      pico doctor agent --endpoints my-endpoint/localhost:4000
    """
    _examine("agent", settings_in(values), timeout, output, _of_agent)


def _of_server(flags: dict[str, str], limit: float) -> Iterator[Finding]:
    from pico.doctor.checks import checks_of_server
    from pico.doctor.examine import examine

    loaded = gather(flags).load(ServerConfig)
    yield from _valid(loaded.warnings)
    yield from examine(checks_of_server(loaded.config, limit), limit=limit, begin=_progress)


def _of_agent(flags: dict[str, str], limit: float) -> Iterator[Finding]:
    from pico.doctor.checks import checks_of_agent, node_was_reached
    from pico.doctor.examine import examine

    loaded = gather(flags).load(AgentConfig)
    first, second = checks_of_agent(loaded.config, limit)
    yield from _valid(loaded.warnings)
    found = []
    for finding in examine(first, limit=limit, begin=_progress):
        found.append(finding)
        yield finding
    if node_was_reached(found):
        yield from examine(second, limit=limit, begin=_progress)


def _recognised(flags: dict[str, str]) -> str:
    try:
        return gather(flags).recognise().name
    except ConfigError:
        return "server"  # which says why it cannot be read


def _examine(
    kind: str,
    flags: dict[str, str],
    timeout: str | None,
    output: str | None,
    look: Callable[[dict[str, str], float], Iterator[Finding]],
) -> None:
    """
    Look, print what was found, and end.

    :param flags: given behind the command; those before it hold as well.
    """
    from pico.doctor.report import as_data, failed, lines_of, summary_of

    outer, outer_timeout, outer_output = click.get_current_context().obj
    try:
        limit = parse_duration(timeout or outer_timeout or _LIMIT)
        if not limit:
            raise ValueError("0 is too short for any check")
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--timeout") from None
    flags = {**outer, **flags}
    path = FILE_LEAVES[0]
    file = flags.get(path.dotted, os.environ.get(path.variable, ""))
    as_json = (output or outer_output) == "json"
    findings = []
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else 0
    color = use_color_on(sys.stdout)
    for finding in _or_invalid(look, flags, limit):
        findings.append(finding)
        _progress("")
        if not as_json:
            click.echo("\n".join(lines_of(finding, width=width, color=color)), color=color)
    if as_json:
        click.echo(json.dumps(as_data(kind, file, findings), indent=2))
    else:
        click.echo(f"\n{'node' if kind == 'server' else kind}: {summary_of(findings)}")
    sys.exit(1 if failed(findings) else 0)


def _or_invalid(
    look: Callable[[dict[str, str], float], Iterator[Finding]], flags: dict[str, str], limit: float
) -> Iterator[Finding]:
    """
    What is found; if the configuration cannot be used, that is found.
    """
    from pico.doctor.finding import fail

    try:
        yield from look(flags, limit)
    except InvalidConfig as error:
        for fault in error.faults:
            yield fail("configuration", str(fault), "correct it; nothing else is looked at before")
    except ConfigError as error:
        for line in str(error).splitlines():
            yield fail("configuration", line, "correct it; nothing else is looked at before")


def _valid(warnings: list[str]) -> Iterator[Finding]:
    from pico.doctor.finding import ok, warn

    yield ok("configuration", "valid")
    for warning in warnings:
        yield warn("configuration", warning, "correct or unset what is named there, unless it is meant so")


def _progress(subject: str) -> None:
    """
    Show on a terminal what is waited for.
    """
    if is_terminal(sys.stderr):
        sys.stderr.write(f"\r\x1b[K{f'looking at {subject} ...' if subject else ''}")
        sys.stderr.flush()
