"""
A command line that cannot be understood: what is said about it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import IO, Protocol, runtime_checkable

import click

from pico.config.faults import InvalidConfig, nearest
from pico.errors import PicoError

#: What click's own groups say.
_UNKNOWN = re.compile(r"No such command '(.*)'\.")


@runtime_checkable
class Explaining(Protocol):
    """
    A command that can tell why it has not some of the flags that people try.
    """

    def why_absent(self, flag: str) -> str:
        """
        Say why, or nothing.
        """


class WrongUse(click.UsageError):
    """
    Wrong use in two lines: what is wrong, and where help is. Exit status 2.
    """

    def show(self, file: IO[str] | None = None) -> None:
        """
        Print it.
        """
        name = self.ctx.command_path if self.ctx is not None else "pico"
        click.echo(f"{name}: {self.message}\nTry '{name} --help'.", file=file, err=file is None)


def status_of(error: PicoError) -> int:
    """
    The exit status for what keeps a program from starting: 2 if the command line must be corrected, else 1.
    """
    return 2 if isinstance(error, InvalidConfig) and error.wrong_use else 1


@contextmanager
def in_brief(ctx: click.Context | None = None) -> Iterator[None]:
    """
    Shorten what click says of wrong use, whatever class the command has.

    :param ctx: for errors that do not know where they belong.
    """
    try:
        yield
    except WrongUse:
        raise
    except click.UsageError as error:
        raise WrongUse(wording_of(error), error.ctx or ctx) from None


def wording_of(error: click.UsageError) -> str:
    """
    Word an error in one line.
    """
    command = error.ctx.command if error.ctx is not None else None
    if isinstance(error, click.NoSuchOption):
        reason = command.why_absent(error.option_name) if isinstance(command, Explaining) else ""
        if reason:
            return reason
        return f"No such option {error.option_name!r}.{_hint_at_flag(error.option_name, error.ctx)}"
    if isinstance(command, click.Group) and error.ctx is not None:
        if not error.ctx.args and _asks_for_help(error):
            return which_one(command.list_commands(error.ctx))
        unknown = _UNKNOWN.fullmatch(error.message)
        if unknown is not None:
            return error.message + did_you_mean(unknown[1], command, error.ctx)
    return " ".join(error.format_message().split())


def _hint_at_flag(name: str, ctx: click.Context | None) -> str:
    """
    A hint at a flag that may be meant: one of the command's with a name like it, or this one of a command below.
    """
    if ctx is None:
        return ""
    near = nearest(name, flags_of(ctx.command))
    if near:
        return f" Did you mean {near!r}?"
    if isinstance(ctx.command, click.Group):
        for path, command in _below(ctx.command, ctx):
            if name in flags_of(command):
                return f" It stands behind the command, as in '{ctx.command_path} {path} {name}'."
    return ""


def which_one(names: Sequence[str]) -> str:
    """
    Ask which of a group's commands is meant.
    """
    *most, last = names
    return f"Which command? {', '.join(most)}{' or ' if most else ''}{last}."


def flags_of(command: click.Command) -> list[str]:
    """
    All flags of a command, with their dashes.
    """
    return [name for param in command.params for name in param.opts if name.startswith("-")]


def did_you_mean(name: str, group: click.Group, ctx: click.Context) -> str:
    """
    A hint at the command that may be meant: one of the group's with a name like it, or one further down with this name;
    or else at all that the group has.
    """
    known = group.list_commands(ctx)
    near = nearest(name, known)
    if not near:
        near = next((path for path, _ in _below(group, ctx) if path.split()[-1] == name), "")
    return f" Did you mean {near!r}?" if near else f" There are {', '.join(known)}."


def _below(group: click.Group, ctx: click.Context, above: str = "") -> Iterator[tuple[str, click.Command]]:
    """
    All commands below a group, with the words that lead to them.
    """
    for name in group.list_commands(ctx):
        command = group.get_command(ctx, name)
        path = f"{above} {name}".strip()
        if command is not None:
            yield path, command
        if isinstance(command, click.Group):
            yield from _below(command, ctx, path)


def _asks_for_help(error: click.UsageError) -> bool:
    # A group without arguments shows its whole help as the error (click 8.2 and later).
    return type(error).__name__ == "NoArgsIsHelpError"
