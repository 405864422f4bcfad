"""
``pico undrain``: let a node that was drained take part again.
"""

from __future__ import annotations

import click

from pico.cli.command import Command
from pico.cli.drain import order, order_flags
from pico.cli.status_client import AdminURL


@click.command("undrain", cls=Command)
@order_flags
def undrain(url: AdminURL, forward: str | None, output: str) -> None:
    """
    Let a node that was drained take tunnels and clients again.

    Agents that have left it do not come back by themselves; those that connect from now on are taken.

    \b
    Examples:
      pico undrain
      pico undrain --forward pico-1-fuvaflv
    """
    order("undrain", url, forward, output)
