"""
``pico demo``.
"""

from __future__ import annotations

import sys

import click

from pico.cli.command import Command, Group, Option
from pico.demo.run import MAX_NODES, run_demo

_PORT = click.IntRange(0, 65535)


@click.group("demo", cls=Group, invoke_without_command=True)
@click.pass_context
def demo(context: click.Context) -> None:
    """
    Run a small cluster to try things with, on this machine.

    Without a command it is the same as "pico demo cluster".

    \b
    Example:
      pico demo
    """
    if context.invoked_subcommand is None:
        context.invoke(cluster)


@demo.command("cluster", cls=Command)
@click.option(
    "--nodes",
    cls=Option,
    type=click.IntRange(1, MAX_NODES),
    default=3,
    show_default=True,
    metavar="COUNT",
    help="How many nodes.",
)
@click.option(
    "--no-sample",
    cls=Option,
    is_flag=True,
    help="Run no sample service and no agent: the nodes are for those of your own.",
)
@click.option("--proxy-port", cls=Option, type=_PORT, default=8000, metavar="PORT", help="Where clients connect.")
@click.option("--upstream-port", cls=Option, type=_PORT, default=8001, metavar="PORT", help="Where agents connect.")
@click.option("--admin-port", cls=Option, type=_PORT, default=8002, metavar="PORT", help="Where operators ask.")
@click.option("--service-port", cls=Option, type=_PORT, default=4000, metavar="PORT", help="The sample service's.")
def cluster(
    nodes: int, no_sample: bool, proxy_port: int, upstream_port: int, admin_port: int, service_port: int
) -> None:
    """
    Run nodes behind a load balancer, a sample web service and an agent until Ctrl-C.

    A table shows how the nodes see each other. A node's number as a key kills it, and again starts it anew; where there
    is no terminal SIGUSR1 kills a node and SIGUSR2 starts it again. A port that is taken is replaced by a free one.

    \b
    Example:
      pico demo cluster --nodes 3
    """
    sys.exit(
        run_demo(
            nodes=nodes,
            sample=not no_sample,
            proxy_port=proxy_port,
            upstream_port=upstream_port,
            admin_port=admin_port,
            service_port=service_port,
        )
    )
