"""
``pico server``.
"""

from __future__ import annotations

import sys
from contextlib import closing

import click

from pico.cli.options import TreeCommand, load_config, settings_in
from pico.config.files import files_of_node
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
    from pico.cli.files import make_room
    from pico.cli.log import open_log
    from pico.cli.run import run_service
    from pico.cli.supervisor import Supervisor
    from pico.server.node import PORTS, make_server

    with closing(open_log(config.log, clock)) as log:
        make_room(files_of_node(config))
        supervisor = Supervisor(clock)
        node = make_server(config, tcp, clock=clock, inherited=supervisor.sockets(PORTS))
        service = supervisor.watch(node, lambda: node.status, node.when_ready)
        status = run_service(service, reactor, log, node.when_failed())
    sys.exit(status)
