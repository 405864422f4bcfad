"""
``pico help``: what a command is for.
"""

from __future__ import annotations

import click

from pico.cli.command import Argument, Command
from pico.cli.wrong_use import WrongUse, did_you_mean


@click.command("help", cls=Command)
@click.argument(
    "words",
    metavar="[COMMAND]...",
    nargs=-1,
    cls=Argument,
    explanation="The command, as it is typed behind pico; all of them when it is left out.",
)
def help(words: tuple[str, ...]) -> None:  # noqa: A001 - the command's name
    """
    Explain a command.

    \b
    Example:
      pico help status cluster nodes
    """
    ctx = click.get_current_context().find_root()
    for word in words:
        group = ctx.command
        if not isinstance(group, click.Group):
            raise WrongUse(f"{ctx.command_path!r} has no commands below it.", click.get_current_context())
        command = group.get_command(ctx, word)
        if command is None:
            hint = did_you_mean(word, group, ctx)
            raise WrongUse(f"No such command {word!r}.{hint}", click.get_current_context())
        ctx = command.context_class(command, parent=ctx, info_name=word)
    click.echo(ctx.get_help(), color=ctx.color)
