"""
``pico agent``.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from contextlib import closing
from typing import TypeVar

import click
import msgspec

from pico.agent.events import AgentEvent
from pico.cli.command import Argument, Option
from pico.cli.options import PREFIX, TreeCommand, TreeGroup, load_config, options_of, settings_in
from pico.config.agent import AgentConfig, ListenerConfig
from pico.config.faults import InvalidConfig
from pico.config.files import files_of_agent
from pico.config.keys import keys_of
from pico.config.listeners import parse_listeners, with_listeners
from pico.config.load import load
from pico.config.sections import AccessLog
from pico.errors import ConfigError

Command = TypeVar("Command", bound=Callable[..., object])

#: Where click keeps the flags of the one listener.
_LISTENER = "listener__"


def exposing(text: str) -> Callable[[Command], Command]:
    """
    Give a command the flag ``--endpoints``: the agent's listeners in short.

    :param text: for the help.
    """
    return click.option(
        f"{PREFIX}listeners",
        "--endpoints",
        cls=Option,
        metavar="ENDPOINT/ADDR[,...]",
        multiple=True,
        callback=_checked,
        help=text,
    )


def _checked(ctx: click.Context, param: click.Parameter, value: Sequence[str]) -> Sequence[str]:
    try:
        parse_listeners(",".join(value))
    except ValueError as error:
        raise click.BadParameter(str(error), ctx, param) from None
    return value


@click.group("agent", cls=TreeGroup, tree=AgentConfig, invoke_without_command=True)
@exposing("Expose these: an endpoint's name, a slash, and the service's address (a port, host:port or URL).")
def agent(**values: object) -> None:
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
        if "listeners" in flags:
            raise click.UsageError("--endpoints goes without a command")
        return
    config = load_config(AgentConfig, flags).config
    if not config.listeners:
        raise click.UsageError("nothing to expose: name an endpoint, as in --endpoints my-endpoint/localhost:4000")
    run_agent(config)


class _HTTPCommand(TreeCommand):
    """
    An agent's command that takes a listener's settings as well.
    """

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, tree=AgentConfig, **kwargs)
        # Of what both trees have, such as connections, the agent's is that of its only listener.
        both = {leaf.flag for leaf in keys_of(AgentConfig).leaves}
        optional = [
            leaf for leaf in keys_of(ListenerConfig).leaves if not leaf.setting.required and leaf.flag not in both
        ]
        self.params[:0] = options_of(optional, _LISTENER, section="Service")


@agent.command("http", cls=_HTTPCommand)
@click.argument("endpoint", cls=Argument, explanation="The name by which clients reach the service.")
@click.argument(
    "addr", cls=Argument, explanation="The service: a port, host:port, or an http(s) URL with or without a path."
)
def http(endpoint: str, addr: str, **values: object) -> None:
    """
    Expose one HTTP service.

    \b
    Example:
      pico agent http my-endpoint http://localhost:4000/app
    """
    given = {"endpoint_id": endpoint, "addr": addr, **settings_in(values, _LISTENER)}
    try:
        listener = load(ListenerConfig, flags=given).config
    except InvalidConfig as error:
        names = {"--endpoint-id": "ENDPOINT", "--addr": "ADDR"}
        problems = [f"{names.get(fault.source, fault.source)}: {fault.problem}" for fault in error.faults]
        raise click.UsageError("; ".join(problems)) from None
    config = load_config(AgentConfig, {**_outer_flags(), **settings_in(values)}).config
    run_agent(with_listeners(config, [listener]))


@agent.command("start", cls=TreeCommand, tree=AgentConfig)
def start(**values: object) -> None:
    """
    Expose what a file lists under "listeners".

    \b
    Example:
      pico agent start --config.path etc/agent.yaml
    """
    run_agent(load_config(AgentConfig, {**_outer_flags(), **settings_in(values)}).config)


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


def run_agent(config: AgentConfig) -> None:
    """
    Run until stopped.
    """
    if not config.listeners:
        raise ConfigError("no listeners configured: list them in the file, or use --endpoints")
    from pico.cli.reactor import install

    reactor, tcp, clock = install()
    from pico.agent.service import make_agent
    from pico.cli.agent_output import AgentOutput
    from pico.cli.agent_progress import AgentProgress
    from pico.cli.files import make_room
    from pico.cli.log import open_log
    from pico.cli.run import run_service
    from pico.cli.supervisor import Supervisor

    with closing(open_log(config.log, clock)) as log:
        make_room(files_of_agent(config))
        output = AgentOutput(config, sys.stdout)
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
