"""
Commands whose help is grouped, says every default, and fits the terminal.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import TypeVar

import click

from pico.cli.terminal import use_color_on
from pico.cli.wrong_use import WrongUse, did_you_mean, in_brief, which_one

Decorated = TypeVar("Decorated", bound=Callable[..., object])

#: How every command line is read, and how many columns of a wide terminal its help takes.
HELP_FLAGS = ["-h", "--help"]
WIDTH = 110

#: The section of flags that name none.
OPTIONS = "Options"

#: A space in a text of the help at which its line is not broken.
NO_BREAK = "\N{NO-BREAK SPACE}"

#: Columns from which on long flags have their text beside them.
_WIDE = 90
_NARROW_COLUMN, _WIDE_COLUMN = 30, 44


class Option(click.Option):
    """
    A flag that knows its place in the help.
    """

    def __init__(self, declarations: Sequence[str] | None = None, *, section: str = OPTIONS, **attrs: object) -> None:
        """
        :param section: the heading under which it stands.
        """
        super().__init__(declarations, **attrs)  # type: ignore[arg-type]  # click's own, passed on
        self.section = section


class Argument(click.Argument):
    """
    What stands in a command line without a flag, explained.
    """

    def __init__(
        self,
        declarations: Sequence[str],
        *,
        explanation: str,
        words: Sequence[str] = (),
        file: bool = False,
        **attrs: object,
    ) -> None:
        """
        :param words: that shells offer, beside those of its type.
        :param file: whether it may name a file.
        """
        super().__init__(declarations, **attrs)  # type: ignore[arg-type]  # click's own, passed on
        self.explanation = explanation
        self.words = words
        self.file = file


def output_flag(forms: Sequence[str], text: str) -> Callable[[Decorated], Decorated]:
    """
    Give a command the flag ``-o``.

    :param forms: of its output, the usual one first.
    :param text: for the help.
    """
    return click.option(
        "-o",
        "--output",
        cls=Option,
        type=click.Choice(forms),
        default=forms[0],
        show_default=True,
        help=text,
    )


class Formatter(click.HelpFormatter):
    """
    Help with headings that stand out on a terminal.
    """

    def write_heading(self, heading: str) -> None:
        """
        Write the heading of a section.
        """
        text = f"\x1b[1m{heading}:\x1b[0m" if use_color_on(sys.stdout) else f"{heading}:"
        self.write(f"{'':>{self.current_indent}}{text}\n")

    def getvalue(self) -> str:
        """
        All that was written, with spaces where lines must not be broken.
        """
        return super().getvalue().replace(NO_BREAK, " ")


class Context(click.Context):
    """
    A command line that is being read.
    """

    formatter_class = Formatter


class Command(click.Command):
    """
    A command.
    """

    context_class = Context

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """
        Read the command line.
        """
        with in_brief(ctx):
            return super().parse_args(ctx, args)

    def format_help(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """
        Write everything there is to say.
        """
        write_help(self, ctx, formatter)


class Group(click.Group):
    """
    A command that has others below it.
    """

    context_class = Context
    command_class = Command
    group_class = type

    def __init__(self, *args: object, **attrs: object) -> None:
        super().__init__(*args, **attrs)  # type: ignore[arg-type]  # click's own, passed on
        # What click says by itself depends on its version.
        self.subcommand_metavar = f"{'[COMMAND]' if self.invoke_without_command else 'COMMAND'} [ARGS]..."

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """
        Read the command line; without any it is not clear what to do.
        """
        if not args and not self.invoke_without_command and not ctx.resilient_parsing:
            raise WrongUse(which_one(self.list_commands(ctx)), ctx)
        with in_brief(ctx):
            return super().parse_args(ctx, args)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """
        Find the command, or say which one may be meant.
        """
        name = args[0]
        if not name.startswith("-") and name not in self.list_commands(ctx) and not ctx.resilient_parsing:
            raise WrongUse(f"No such command {name!r}.{did_you_mean(name, self, ctx)}", ctx)
        return super().resolve_command(ctx, args)

    def format_help(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """
        Write everything there is to say.
        """
        write_help(self, ctx, formatter)


def write_help(command: click.Command, ctx: click.Context, formatter: click.HelpFormatter) -> None:
    """
    Write a command's help: what it does, its arguments, its flags by section, the commands below it.
    """
    command.format_usage(ctx, formatter)
    command.format_help_text(ctx, formatter)
    if isinstance(command, click.Group):
        command.format_commands(ctx, formatter)
    column = _WIDE_COLUMN if formatter.width >= _WIDE else _NARROW_COLUMN
    for section, rows in sections_of(command, ctx).items():
        with formatter.section(section):
            formatter.write_dl(rows, col_max=column)
    command.format_epilog(ctx, formatter)


def sections_of(command: click.Command, ctx: click.Context) -> dict[str, list[tuple[str, str]]]:
    """
    The rows of a command's help by heading, in the order in which they are shown.
    """
    sections: dict[str, list[tuple[str, str]]] = {}
    help_option = command.get_help_option(ctx)
    for param in sorted(command.params, key=lambda param: not isinstance(param, Argument)):
        if isinstance(param, Argument):
            sections.setdefault("Arguments", []).append((param.human_readable_name, param.explanation))
        elif isinstance(param, click.Option) and (row := param.get_help_record(ctx)):
            section = param.section if isinstance(param, Option) else OPTIONS
            name, text = row
            sections.setdefault(section, []).append((name, text.replace("[default: ", f"[default:{NO_BREAK}")))
    if help_option is not None:
        names = ", ".join(sorted(help_option.opts, key=len))
        sections.setdefault(OPTIONS, []).append((names, help_option.help or ""))
    return sections
