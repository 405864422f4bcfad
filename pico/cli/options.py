"""
Flags made from a configuration's tree.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Mapping
from typing import TypeVar

import click
import msgspec

from pico.cli.sources import gather
from pico.config.fields import Kind, Leaf, Tree, flag_of
from pico.config.keys import FILE_LEAVES, keys_of
from pico.config.load import Loaded
from pico.config.units import shown
from pico.config.values import written_default

Config = TypeVar("Config", bound=msgspec.Struct)

#: Where click keeps the flags of a tree among a command's parameters, what ends the names of those that turn something
#: off, and what their flags begin with.
PREFIX = "setting__"
_OFF = "__off"
_NO = "--no-"

#: What stands for a value in help texts, where that is not the kind's own name.
_METAVARS = {Kind.HEADER: "TEXT", Kind.ADVERTISE: "HOST:PORT", Kind.NETWORKS: "NETWORKS"}


class TreeOption(click.Option):
    """
    The flag of one setting; its value stays text until the tree is read.
    """

    def __init__(self, leaf: Leaf, prefix: str = PREFIX, *, hidden: bool = False) -> None:
        kind = leaf.setting.kind
        default = "" if kind is Kind.BOOL else written_default(leaf)
        names = [prefix + "__".join(leaf.path), *(flag_of(path) for path in leaf.paths)]
        text = leaf.setting.help + (f" [default: {default}]" if default else "")
        if kind is Kind.BOOL:
            super().__init__(names, help=text, is_flag=True, flag_value="true", type=str, default=None, hidden=hidden)
        else:
            # No flag_value at all: even that of None would make the flag's value one that may be left out.
            metavar = _METAVARS.get(kind, kind.name)
            super().__init__(names, help=text, metavar=metavar, multiple=kind.several, type=str, hidden=hidden)


class _Off(click.Option):
    """
    What ``--flag=false`` is turned into before the command line is parsed: a switch takes no value there.
    """

    def __init__(self, switch: TreeOption) -> None:
        super().__init__([f"{switch.name}{_OFF}", _off_flag(switch.opts[0])], is_flag=True, hidden=True)


def _off_flag(flag: str) -> str:
    return _NO + flag.removeprefix("--")


class TreeCommand(click.Command):
    """
    A command that takes every setting of a tree as a flag, and shows them by section.
    """

    def __init__(self, *args: object, tree: Tree, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]  # click's own signature, passed on
        self.tree = tree
        self.params += tree_options(tree)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """
        Parse the command line.
        """
        return parse_tree_args(self, [self.tree], ctx, args, super().parse_args)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """
        Write the flags, grouped.
        """
        format_grouped(self, ctx, formatter)


class TreeGroup(click.Group):
    """
    A group whose own flags are a tree's settings.
    """

    def __init__(self, *args: object, tree: Tree, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]  # click's own signature, passed on
        self.tree = tree
        self.params += tree_options(tree)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """
        Parse the command line.
        """
        return parse_tree_args(self, [self.tree], ctx, args, super().parse_args)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """
        Write the flags, grouped, and the commands.
        """
        format_grouped(self, ctx, formatter)
        self.format_commands(ctx, formatter)


def tree_options(tree: Tree, prefix: str = PREFIX) -> list[click.Parameter]:
    """
    The flags of a tree, and those that name its file.
    """
    return options_of((*keys_of(tree).leaves, *FILE_LEAVES), prefix)


def options_of(found: Iterable[Leaf], prefix: str = PREFIX, *, hidden: bool = False) -> list[click.Parameter]:
    """
    The flags of some settings. Listeners have none here: the agent's commands have their own ways to name them.
    """
    made = [TreeOption(leaf, prefix, hidden=hidden) for leaf in found if leaf.setting.kind is not Kind.LISTENERS]
    return [*made, *(_Off(option) for option in made if option.is_flag)]


def parse_tree_args(
    command: click.Command,
    trees: Iterable[Tree],
    ctx: click.Context,
    args: list[str],
    parse: Callable[[click.Context, list[str]], list[str]],
) -> list[str]:
    """
    Parse a command line that may hold ``--flag=true`` and ``--flag=false``.

    :param trees: whose settings the command takes.
    :param parse: click's own way.
    """
    switches = {flag: option for option in command.params if isinstance(option, TreeOption) for flag in option.opts}
    try:
        return parse(ctx, [_switched(arg, switches) for arg in args])
    except click.NoSuchOption as error:
        reasons = [reason for tree in trees if (reason := keys_of(tree).absent_flag(error.option_name))]
        if reasons:
            raise click.UsageError(reasons[0], ctx) from None
        near = [flag for flag in error.possibilities or () if not flag.startswith(_NO)]
        raise click.NoSuchOption(error.option_name, possibilities=near, ctx=ctx) from None


def _switched(arg: str, switches: Mapping[str, TreeOption]) -> str:
    flag, equals, value = arg.partition("=")
    option = switches.get(flag)
    if option is None or not option.is_flag or not equals:
        return arg
    if value.lower() not in ("true", "false"):
        raise click.UsageError(f"{flag}: {shown(value)} is neither true nor false")
    return flag if value.lower() == "true" else _off_flag(option.opts[0])


def format_grouped(command: click.Command, ctx: click.Context, formatter: click.HelpFormatter) -> None:
    """
    Write a command's flags by section of the tree.
    """
    groups: dict[str, list[tuple[str, str]]] = {}
    for param in command.get_params(ctx):
        record = param.get_help_record(ctx)
        if record is None:
            continue
        name = param.name or ""
        section = "general"
        if isinstance(param, TreeOption):
            path = name.partition("__")[2].split("__")
            section = path[0].replace("_", " ") if len(path) > 1 else "general"
        groups.setdefault(section, []).append(record)
    for section, records in sorted(groups.items(), key=lambda item: item[0] == "general"):
        with formatter.section(section.capitalize()):
            formatter.write_dl(records)


def settings_in(values: dict[str, object], prefix: str = PREFIX) -> dict[str, str]:
    """
    Take the tree's flags that were given out of a command's parameters.
    """
    flags: dict[str, str] = {}
    for name in [name for name in values if name.startswith(prefix)]:
        value = values.pop(name)
        if isinstance(value, tuple):
            value = ",".join(value) if value else None
        if name.endswith(_OFF):
            name, value = name.removesuffix(_OFF), "false" if value else None
        if value is not None:
            flags[name.removeprefix(prefix).replace("__", ".")] = str(value)
    return flags


def load_config(tree: type[Config], flags: Mapping[str, str]) -> Loaded[Config]:
    """
    Read file, environment and flags; warnings go to standard error.

    :raises ConfigError: with every fault, or when the file cannot be read.
    """
    loaded = gather(flags).load(tree)
    warn(loaded.warnings)
    return loaded


def warn(warnings: Iterable[str]) -> None:
    """
    Show warnings about a configuration.
    """
    for warning in warnings:
        click.echo(f"pico: {warning}", err=True)


def use_color() -> bool:
    """
    Whether standard error is a terminal that may be coloured (https://no-color.org).
    """
    return sys.stderr.isatty() and not os.environ.get("NO_COLOR")
