"""
``pico drain``: have nothing new come to a node.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import TypeVar

import click

from pico.cli.command import Command, output_flag
from pico.cli.status import TIMEOUT, admin_flags
from pico.cli.status_client import AdminURL, fetch, printable, route

Decorated = TypeVar("Decorated", bound=Callable[..., object])


def order_flags(command: Decorated) -> Decorated:
    """
    Give a command the flags of all that give orders.
    """
    return output_flag(["text", "json"], "Form of the answer.")(admin_flags(command))


def order(name: str, url: AdminURL, forward: str | None, output: str) -> None:
    """
    Give an order, and print what came of it.

    :raises pico.errors.PicoError: it was not taken.
    """
    answer = fetch(url, route(name, forward=forward), TIMEOUT, "POST").value
    if output == "json":
        click.echo(json.dumps(answer))
        return
    click.echo(outcome_of(answer))


def outcome_of(answer: object) -> str:
    """
    What came of an order, in one line.
    """
    found = answer if isinstance(answer, Mapping) else {}
    node, status, tunnels = (printable(str(found.get(name, ""))) for name in ("id", "status", "upstreams"))
    was = "" if found.get("changed") else ", as before"
    return f"node {node} is {status}{was}; it has {tunnels} tunnel{'s' if tunnels != '1' else ''}"


@click.command("drain", cls=Command)
@order_flags
def drain(url: AdminURL, forward: str | None, output: str) -> None:
    """
    Have agents and clients leave a node that goes on to run.

    It is not ready any more, other nodes prefer others, agents connect elsewhere, new tunnels are refused, and
    connections of clients end with their next answer. What comes all the same is served. "pico undrain" takes it back.

    A node takes such orders from its own machine, and from the addresses in its admin.control_from.

    \b
    Examples:
      pico drain
      pico drain --forward pico-1-fuvaflv
    """
    order("drain", url, forward, output)
