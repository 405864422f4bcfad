"""
The root of the ``pico`` command.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from difflib import get_close_matches
from importlib import import_module

import click

from pico import __version__
from pico.errors import PicoError

#: How every command line is read, and how wide its help may be.
HELP_FLAGS = ["-h", "--help"]
WIDTH = 110

#: Commands in the order of the help. Each is imported when it is used: starting a node must not wait for the rest.
_COMMANDS = {
    "agent": "Expose local services through a node.",
    "server": "Run a node.",
    "status": "Ask a node what it knows.",
    "config": "Check or show a configuration.",
    "demo": "Run a node, a sample service and an agent.",
    "bench": "Measure beside nginx.",
    "version": "Print the version.",
}


class Root(click.Group):
    """
    The commands, loaded when needed, with a hint at the nearest one for a misspelled name.
    """

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

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """
        Find the command, or say what may be meant.
        """
        if args and args[0] not in _COMMANDS and not args[0].startswith("-"):
            near = get_close_matches(args[0], _COMMANDS, n=1)
            hint = f" Did you mean {near[0]!r}?" if near else ""
            ctx.fail(f"No such command {args[0]!r}.{hint}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """
        Write the commands without loading them.
        """
        with formatter.section("Commands"):
            formatter.write_dl(list(_COMMANDS.items()))


@click.group(cls=Root, context_settings={"help_option_names": HELP_FLAGS, "max_content_width": WIDTH})
@click.version_option(__version__, prog_name="pico", message="%(prog)s %(version)s")
def pico() -> None:
    """
    A self-hosted tunnelling reverse proxy.

    \b
    Example:
      pico server &
      pico agent --endpoints my-endpoint/localhost:4000
    """


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
        sys.exit(1)
