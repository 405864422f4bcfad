"""
Commands, run in this process.
"""

from __future__ import annotations

from collections.abc import Iterator

import click
from click.testing import CliRunner, Result

from pico.cli.main import pico


def invoke(*arguments: str, width: int = 80) -> Result:
    """
    Run a command.

    :param width: of the terminal, in columns.
    """
    return CliRunner().invoke(pico, list(arguments), prog_name="pico", terminal_width=width - 2)


def commands() -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """
    All commands, ``pico`` itself included, by the words behind ``pico``.
    """
    yield from _below((), pico, click.Context(pico, info_name="pico"))


def _below(
    path: tuple[str, ...], command: click.Command, ctx: click.Context
) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    yield path, command
    if isinstance(command, click.Group):
        for name in command.list_commands(ctx):
            below = command.get_command(ctx, name)
            assert below is not None
            yield from _below((*path, name), below, click.Context(below, ctx, name))
