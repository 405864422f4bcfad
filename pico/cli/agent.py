"""
``pico agent``.
"""

from __future__ import annotations

import sys
from contextlib import closing

import click
import msgspec

from pico.agent.events import AgentEvent
from pico.cli.options import TreeCommand, TreeGroup, TreeOption, load_config, settings_in
from pico.config.agent import AgentConfig, ListenerConfig
from pico.config.fields import leaves
from pico.config.load import listener_of, load, with_listeners
from pico.config.sections import AccessLog
from pico.errors import ConfigError


@click.group("agent", cls=TreeGroup, tree=AgentConfig, invoke_without_command=True)
@click.option(
    "--endpoints",
    metavar="ENDPOINT/ADDR[,…]",
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
    listeners = []
    for text in ",".join(endpoints).split(","):
        if text.strip():
            try:
                listeners.append(listener_of(text))
            except ValueError as error:
                raise click.BadParameter(str(error), param_hint="--endpoints") from None
    if not listeners:
        raise click.UsageError("nothing to expose: name an endpoint, as in --endpoints my-endpoint/localhost:4000")
    run_agent(flags, listeners)


@agent.command("http", cls=TreeCommand, tree=AgentConfig)
@click.argument("endpoint")
@click.argument("addr")
@click.option("--timeout", metavar="DURATION", default="10s", show_default=True, help="For connecting to the service.")
@click.option("--rewrite-host", is_flag=True, help="Let the service see its own address as Host.")
def http(endpoint: str, addr: str, timeout: str, rewrite_host: bool, **values: object) -> None:
    """
    Expose one HTTP service. ADDR is a port, host:port or an http(s) URL with an optional path.

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
    flags = settings_in(values)
    own = {name: flags.pop(name) for name in list(flags) if name.startswith("access_log.")}
    listener = msgspec.structs.replace(
        load(ListenerConfig, flags=own).config,
        endpoint_id=endpoint,
        addr=addr,
        timeout=seconds,
        rewrite_host=rewrite_host,
    )
    run_agent({**_outer_flags(), **flags}, [listener])


http.params += [TreeOption(leaf) for leaf in leaves(AccessLog, ("access_log",))]


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


def without_access_log(listener: ListenerConfig) -> ListenerConfig:
    """
    The same listener, not logging requests.
    """
    return msgspec.structs.replace(listener, access_log=AccessLog(disable=True))


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
    from pico.cli.log import open_log
    from pico.cli.run import run_service
    from pico.cli.supervisor import Supervisor

    with closing(open_log(config.log, clock)) as log:
        output = AgentOutput(config, sys.stdout)
        output.introduce()
        progress = AgentProgress([listener.endpoint_id for listener in config.listeners])

        def on_event(event: AgentEvent) -> None:
            progress.event(event)
            output.event(event)

        if output.shows_requests and not config.log.path and sys.stderr.isatty():
            # Its lines are on the same terminal already.
            config = with_listeners(config, [without_access_log(listener) for listener in config.listeners])
        service = make_agent(config, tcp, clock=clock, on_event=on_event, requests=output.shows_requests)
        supervised = Supervisor(clock).watch(
            service, lambda: progress.status if service.running else "stopping", progress.when_tried
        )
        status = run_service(supervised, reactor, log)
    sys.exit(status)
