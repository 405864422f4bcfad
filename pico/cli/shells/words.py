"""
What can be typed behind ``pico``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import attrs
import click

from pico.cli.command import HELP_FLAGS, Argument
from pico.cli.options import TreeOption


@attrs.frozen
class Flag:
    """
    A flag.

    :ivar names: with their dashes.
    :ivar value: what its value is called; empty if it takes none.
    :ivar choices: the values that there are; empty for any.
    :ivar file: whether its value names a file.
    """

    names: tuple[str, ...]
    help: str
    value: str = ""
    choices: tuple[str, ...] = ()
    file: bool = False


@attrs.frozen
class Words:
    """
    A command, and what may stand behind it.

    :ivar path: the words that lead to it, ``pico`` first.
    :ivar choices: the words that its argument may be; empty for any, and for commands without one.
    :ivar file: whether its argument may name a file.
    """

    path: tuple[str, ...]
    help: str
    flags: tuple[Flag, ...] = ()
    commands: tuple[Words, ...] = ()
    choices: tuple[str, ...] = ()
    file: bool = False

    def all(self) -> Iterator[Words]:
        """
        It and all commands below it.
        """
        yield self
        for command in self.commands:
            yield from command.all()


def words_of(root: click.Group) -> Words:
    """
    Read what can be typed from the commands.
    """
    words = _words(root, click.Context(root, info_name="pico", help_option_names=HELP_FLAGS))
    explained = [_bare(command, "help") for command in words.commands if not _is_help(command)]
    return attrs.evolve(
        words,
        commands=tuple(
            attrs.evolve(command, commands=tuple(explained)) if _is_help(command) else command
            for command in words.commands
        ),
    )


def _words(command: click.Command, ctx: click.Context) -> Words:
    below = []
    if isinstance(command, click.Group):
        for name in command.list_commands(ctx):
            found = command.get_command(ctx, name)
            if found is not None and not found.hidden:
                below.append(_words(found, click.Context(found, parent=ctx, info_name=name)))
    return Words(
        path=_path(ctx),
        help=command.get_short_help_str(100),
        flags=tuple(_flags(command, ctx)),
        commands=tuple(below),
        choices=tuple(choice for param in command.params for choice in _choices(param)),
        file=any(isinstance(param, Argument) and param.file for param in command.params),
    )


def _choices(argument: click.Parameter) -> Sequence[str]:
    """
    The words that an argument may be.
    """
    if isinstance(argument, click.Argument) and isinstance(argument.type, click.Choice):
        return [str(choice) for choice in argument.type.choices]
    return argument.words if isinstance(argument, Argument) else ()


def _path(ctx: click.Context) -> tuple[str, ...]:
    above = _path(ctx.parent) if ctx.parent is not None else ()
    return (*above, str(ctx.info_name))


def _flags(command: click.Command, ctx: click.Context) -> Iterator[Flag]:
    for param in command.get_params(ctx):
        if not isinstance(param, click.Option):
            continue
        # Those too that are left out of a help text because it would be a repetition of others.
        names = tuple(sorted(param.opts, key=lambda name: name.startswith("--")))
        if isinstance(param, TreeOption):
            value = "" if param.is_flag else param.leaf.setting.kind.name
            yield Flag(names, param.leaf.setting.help, value, tuple(param.choices()), param.takes_file())
            continue
        choices = tuple(map(str, param.type.choices)) if isinstance(param.type, click.Choice) else ()
        value = "" if param.is_flag or param.count else (param.metavar or "VALUE").upper()
        yield Flag(names, param.help or "", value, choices, isinstance(param.type, click.Path))


def _is_help(command: Words) -> bool:
    return command.path == ("pico", "help")


def _bare(command: Words, word: str) -> Words:
    """
    The same command and those below it behind another one, without their flags.
    """
    return Words(
        (command.path[0], word, *command.path[1:]),
        command.help,
        (),
        tuple(_bare(each, word) for each in command.commands),
    )
