"""
``pico agent``.
"""

from __future__ import annotations

import sys

import click

from pico.agent.events import AgentEvent
from pico.cli.command import Argument, Option
from pico.cli.options import TreeCommand, TreeGroup, load_config, settings_in, use_color
from pico.config.agent import AgentConfig, ListenerConfig
from pico.config.load import listener_of, with_listeners
from pico.errors import ConfigError


@click.group("agent", cls=TreeGroup, tree=AgentConfig, invoke_without_command=True)
@click.option(
    "--endpoints",
    cls=Option,
    metavar="ENDPOINT/ADDR[,...]",
    multiple=True,
    help="Expose these: an endpoint's name, a slash, and the service's address (a port, host:port or URL).",
)
def agent(endpoints: tuple[str, ...], **values: object) -> None:
    """
    Expose local services through a node.

    The agent dials a node, registers its endpoints and carries requests to the services behind them. It
    reconnects for as long as it runs.

    \b
    Examples:
      pico agent --endpoints my-endpoint/localhost:4000
      pico agent http my-endpoint 4000
    """
    ctx = click.get_current_context()
    flags = settings_in(values)
    if ctx.invoked_subcommand is not None:
        ctx.obj = flags
        if endpoints:
            raise click.UsageError("--endpoints goes without a command")
        return
    listeners = listeners_of(endpoints)
    if not listeners:
        raise click.UsageError("nothing to expose: name an endpoint, as in --endpoints my-endpoint/localhost:4000")
    run_agent(flags, listeners)


def listeners_of(endpoints: tuple[str, ...]) -> list[ListenerConfig]:
    """
    Read the values of ``--endpoints``.

    :raises click.BadParameter: with what would be right.
    """
    listeners = []
    for text in ",".join(endpoints).split(","):
        if text.strip():
            try:
                listeners.append(listener_of(text))
            except ValueError as error:
                raise click.BadParameter(str(error), param_hint="--endpoints") from None
    return listeners


@agent.command("http", cls=TreeCommand, tree=AgentConfig)
@click.argument("endpoint", cls=Argument, explanation="The name by which clients reach the service.")
@click.argument(
    "addr", cls=Argument, explanation="The service: a port, host:port, or an http(s) URL with or without a path."
)
@click.option(
    "--timeout",
    cls=Option,
    metavar="DURATION",
    default="10s",
    show_default=True,
    help="For connecting to the service.",
)
@click.option("--rewrite-host", cls=Option, is_flag=True, help="Let the service see its own address as Host.")
def http(endpoint: str, addr: str, timeout: str, rewrite_host: bool, **values: object) -> None:
    """
    Expose one HTTP service.

    \b
    Example:
      pico agent http my-endpoint http://localhost:4000/app
    """
    from pico.config.units import parse_duration

    try:
        listener_of(f"{endpoint}/{addr}")
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="ADDR") from None
    try:
        seconds = parse_duration(timeout)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--timeout") from None
    listener = ListenerConfig(endpoint_id=endpoint, addr=addr, timeout=seconds, rewrite_host=rewrite_host)
    run_agent({**_outer_flags(), **settings_in(values)}, [listener])


@agent.command("start", cls=TreeCommand, tree=AgentConfig)
def start(**values: object) -> None:
    """
    Expose what a file lists under "listeners".

    \b
    Example:
      pico agent start --config.path etc/agent.yaml
    """
    run_agent({**_outer_flags(), **settings_in(values)}, None)


def _outer_flags() -> dict[str, str]:
    """
    The flags that were given before the subcommand's name.
    """
    flags: dict[str, str] = click.get_current_context().obj
    return flags


def run_agent(flags: dict[str, str], listeners: list[ListenerConfig] | None) -> None:
    """
    Run until stopped.

    :param listeners: in place of the file's.
    """
    config = load_config(AgentConfig, flags).config
    if listeners is not None:
        config = with_listeners(config, listeners)
    if not config.listeners:
        raise ConfigError("no listeners configured: list them in the file, or use --endpoints")
    from pico.cli.reactor import install

    reactor, tcp, clock = install()
    from pico.agent.service import make_agent
    from pico.cli.agent_output import AgentOutput
    from pico.cli.agent_progress import AgentProgress
    from pico.cli.run import run_service
    from pico.cli.supervisor import Supervisor
    from pico.log import start_logging

    start_logging(
        sys.stderr,
        level=config.log.level,
        subsystems=config.log.subsystems,
        as_json=config.log.format == "json",
        color=use_color(),
    )
    output = AgentOutput(config, sys.stdout)
    progress = AgentProgress([listener.endpoint_id for listener in config.listeners])

    def on_event(event: AgentEvent) -> None:
        progress.event(event)
        output.event(event)

    service = make_agent(config, tcp, clock=clock, on_event=on_event, requests=output.shows_requests)
    output.introduce()
    supervised = Supervisor(clock).watch(
        service, lambda: progress.status if service.running else "stopping", progress.when_tried
    )
    sys.exit(run_service(supervised, reactor))
