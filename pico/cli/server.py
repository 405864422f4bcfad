"""
``pico server``.
"""

from __future__ import annotations

import sys

import click

from pico.cli.options import TreeCommand, load_config, settings_in
from pico.cli.terminal import use_color_on
from pico.config.server import ServerConfig


@click.command("server", cls=TreeCommand, tree=ServerConfig)
def server(**values: object) -> None:
    """
    Run a node: it accepts agents' tunnels and carries clients' requests to them.

    \b
    Example:
      pico server --proxy.bind-addr :8000 --upstream.bind-addr :8001
    """
    config = load_config(ServerConfig, settings_in(values)).config
    from pico.cli.reactor import install

    reactor, tcp, clock = install()
    from pico.cli.run import run_service
    from pico.cli.supervisor import Supervisor
    from pico.log import start_logging
    from pico.server.node import PORTS, make_server

    start_logging(
        sys.stderr,
        level=config.log.level,
        subsystems=config.log.subsystems,
        as_json=config.log.format == "json",
        color=use_color_on(sys.stderr),
    )
    supervisor = Supervisor(clock)
    node = make_server(config, tcp, clock=clock, inherited=supervisor.sockets(PORTS))
    sys.exit(run_service(supervisor.watch(node, lambda: node.status, node.when_ready), reactor))
