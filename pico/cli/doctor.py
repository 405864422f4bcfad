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

from pico.cli.agent import listeners_of
from pico.cli.command import Group, Option
from pico.cli.options import TreeCommand, read_config, settings_in
from pico.cli.terminal import is_terminal, use_color_on
from pico.config.agent import AgentConfig
from pico.config.faults import InvalidConfig
from pico.config.load import with_listeners
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


@click.group("doctor", cls=Group, invoke_without_command=True)
@click.option("--config.path", "path", cls=Option, type=click.Path(), help="YAML file to look at. [default: none]")
@click.option(
    "--config.expand-env", "expand", cls=Option, is_flag=True, help="Replace ${VAR} and ${VAR:default} in that file."
)
@_timeout
@_output
def doctor(path: str | None, expand: bool, timeout: str | None, output: str | None) -> None:
    """
    See what would keep a node or an agent from working here, and what to do about it.

    Whether it is a node or an agent is seen from the file, or else from the environment; "server" or "agent" behind it
    says so, and takes all flags of "pico server" or "pico agent". Ports are bound for a moment; an agent's node is
    asked in such a way that no endpoint is registered. The exit status is 1 if something will not work.

    \b
    Examples:
      pico doctor --config.path etc/pico.yaml
      pico doctor agent --endpoints my-endpoint/localhost:4000
    """
    ctx = click.get_current_context()
    flags = {"config.path": path or "", "config.expand_env": "true" if expand else ""}
    ctx.obj = {name: value for name, value in flags.items() if value}, timeout, output
    if ctx.invoked_subcommand is None:
        command = doctor.get_command(ctx, _kind(path))
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
@click.option(
    "--endpoints",
    cls=Option,
    metavar="ENDPOINT/ADDR[,...]",
    multiple=True,
    help="Take these for exposed instead of what the file lists, as with pico agent.",
)
@_timeout
@_output
def agent(
    endpoints: tuple[str, ...] = (), timeout: str | None = None, output: str | None = None, **values: object
) -> None:
    """
    See whether an agent can run with these settings: does it reach its node and its services?

    \b
    Example:
      pico doctor agent --endpoints my-endpoint/localhost:4000
    """
    listeners = listeners_of(endpoints)

    def of_agent(flags: dict[str, str], limit: float) -> Iterator[Finding]:
        from pico.doctor.checks import checks_of_agent, node_was_reached
        from pico.doctor.examine import examine

        loaded = read_config(AgentConfig, flags)
        config = with_listeners(loaded.config, listeners) if listeners else loaded.config
        first, second = checks_of_agent(config, limit)
        yield from _valid(loaded.warnings)
        found = []
        for finding in examine(first, limit=limit, begin=_progress):
            found.append(finding)
            yield finding
        if node_was_reached(found):
            yield from examine(second, limit=limit, begin=_progress)

    _examine("agent", settings_in(values), timeout, output, of_agent)


def _of_server(flags: dict[str, str], limit: float) -> Iterator[Finding]:
    from pico.doctor.checks import checks_of_server
    from pico.doctor.examine import examine

    loaded = read_config(ServerConfig, flags)
    yield from _valid(loaded.warnings)
    yield from examine(checks_of_server(loaded.config, limit), limit=limit, begin=_progress)


def _kind(path: str | None) -> str:
    from pico.doctor.kind import kind_of

    path = path or os.environ.get("PICO_CONFIG__PATH", "")
    text = ""
    if path:
        try:
            with open(path, encoding="utf-8") as file:
                text = file.read()
        except (OSError, UnicodeDecodeError):
            return "server"  # which says why it cannot be read
    found = kind_of(text, os.environ)
    if not found and path:
        raise click.UsageError(f"{path} may be a node's or an agent's: say 'pico doctor server' or 'pico doctor agent'")
    return found or "server"


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
    file = flags.get("config.path", os.environ.get("PICO_CONFIG__PATH", ""))
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
        yield warn("configuration", warning, "correct its name, or unset it")


def _progress(subject: str) -> None:
    """
    Show on a terminal what is waited for.
    """
    if is_terminal(sys.stderr):
        sys.stderr.write(f"\r\x1b[K{f'looking at {subject} ...' if subject else ''}")
        sys.stderr.flush()
