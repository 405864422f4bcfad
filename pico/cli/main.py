"""
The root of the ``pico`` command.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module
from typing import cast

import click

from pico import __version__
from pico.cli.command import HELP_FLAGS, WIDTH, Group
from pico.cli.wrong_use import in_brief, status_of
from pico.errors import PicoError

#: Commands in the order of the help. Each is imported when it is used: starting a node must not wait for the rest.
_COMMANDS = {
    "agent": "Expose local services through a node.",
    "server": "Run a node.",
    "status": "Ask a node what it knows.",
    "health": "Ask a node or an agent whether it is well.",
    "drain": "Have agents and clients leave a node.",
    "undrain": "Take that back.",
    "config": "Check or show a configuration, or describe all settings.",
    "doctor": "See what would keep a node or an agent from working.",
    "demo": "Run a small cluster to try things with.",
    "bench": "Make load for a node, or compare with nginx.",
    "completion": "Let a shell complete command lines.",
    "help": "Explain a command.",
    "version": "Print the version.",
}


class Root(Group):
    """
    The commands, loaded when needed.
    """

    def make_context(
        self, info_name: str | None, args: list[str], parent: click.Context | None = None, **extra: object
    ) -> click.Context:
        """
        Read the beginning of the command line.
        """
        with in_brief():
            return super().make_context(info_name, args, parent, **extra)

    def invoke(self, ctx: click.Context) -> object:
        """
        Read the rest of the command line, and do what it says.
        """
        with in_brief():
            return cast(object, super().invoke(ctx))

    def list_commands(self, ctx: click.Context) -> list[str]:
        """
        All commands, in order.
        """
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """
        Load a command.
        """
        if cmd_name not in _COMMANDS:
            return None
        command = getattr(import_module(f"pico.cli.{cmd_name}"), cmd_name)
        return command if isinstance(command, click.Command) else None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """
        Write the commands without loading them.
        """
        with formatter.section("Commands"):
            formatter.write_dl(list(_COMMANDS.items()))


@click.group(
    cls=Root,
    invoke_without_command=True,
    context_settings={"help_option_names": HELP_FLAGS, "max_content_width": WIDTH},
)
@click.version_option(__version__, prog_name="pico", message="%(prog)s %(version)s", help="Show the version.")
def pico() -> None:
    """
    A self-hosted tunnelling reverse proxy.

    "pico COMMAND --help" and "pico help COMMAND" explain a command.

    \b
    Example:
      pico server &
      pico agent --endpoints my-endpoint/localhost:4000
    """
    ctx = click.get_current_context()
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help(), color=ctx.color)


def main(arguments: Sequence[str] | None = None) -> None:
    """
    Run the command; errors that are not bugs are one line each.

    :param arguments: those of the process unless given.
    """
    try:
        pico(arguments, prog_name="pico")
    except PicoError as error:
        for line in str(error).splitlines():
            click.echo(f"pico: {line}", err=True)
        sys.exit(status_of(error))
