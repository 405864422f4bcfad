"""
Flags made from a configuration's tree.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import TypeVar

import click
import msgspec

from pico.config.expand import expand
from pico.config.fields import Kind, Leaf, Setting, Tree, leaves
from pico.config.load import Loaded, load
from pico.config.units import format_duration, format_size
from pico.errors import ConfigError

Config = TypeVar("Config", bound=msgspec.Struct)
Command = TypeVar("Command", bound=Callable[..., object])

#: Where click keeps the flags of a tree among a command's parameters.
_PREFIX = "setting__"


class TreeOption(click.Option):
    """
    The flag of one setting; its value stays text until the tree is read.
    """

    def __init__(self, leaf: Leaf) -> None:
        kind = leaf.setting.kind
        flags = [leaf.flag, *(f"--{alias}" for alias in leaf.setting.aliases)]
        super().__init__(
            [_PREFIX + "__".join(leaf.path), *flags],
            help=leaf.setting.help + _default_text(leaf),
            metavar=None if kind is Kind.BOOL else kind.name,
            is_flag=kind is Kind.BOOL,
            flag_value="true" if kind is Kind.BOOL else None,
            multiple=kind is Kind.WORDS,
            type=str,
            default=None,
        )


def _default_text(leaf: Leaf) -> str:
    kind, default = leaf.setting.kind, leaf.default
    if kind is Kind.DURATION and isinstance(default, float):
        text = format_duration(default)
    elif kind is Kind.SIZE and isinstance(default, int):
        text = format_size(default)
    elif default in ("", (), False):
        return ""
    elif isinstance(default, tuple):
        text = ",".join(map(str, default))
    else:
        text = str(default)
    return f" [default: {text}]"


_FILE_LEAVES = (
    Leaf(("config", "path"), Setting(Kind.TEXT, "YAML file to read."), ""),
    Leaf(("config", "expand_env"), Setting(Kind.BOOL, "Replace ${VAR} and ${VAR:default} in that file."), False),
)


class TreeCommand(click.Command):
    """
    A command that takes every setting of a tree as a flag, and shows them by section.
    """

    def __init__(self, *args: object, tree: Tree, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]  # click's own signature, passed on
        self.tree = tree
        self.params += tree_options(tree)

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

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """
        Write the flags, grouped, and the commands.
        """
        format_grouped(self, ctx, formatter)
        self.format_commands(ctx, formatter)


def tree_options(tree: Tree) -> list[click.Parameter]:
    """
    The flags of a tree, and those that name its file.
    """
    found = [leaf for leaf in leaves(tree) if leaf.setting.kind is not Kind.LISTENERS]
    return [TreeOption(leaf) for leaf in (*found, *_FILE_LEAVES)]


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
        if name.startswith(_PREFIX):
            path = name.removeprefix(_PREFIX).split("__")
            section = path[0] if len(path) > 1 else "general"
        groups.setdefault(section, []).append(record)
    for section, records in sorted(groups.items(), key=lambda item: item[0] == "general"):
        with formatter.section(section.capitalize().replace("_", " ")):
            formatter.write_dl(records)


def settings_in(values: dict[str, object]) -> dict[str, str]:
    """
    Take the tree's flags that were given out of a command's parameters.
    """
    flags: dict[str, str] = {}
    for name in [name for name in values if name.startswith(_PREFIX)]:
        value = values.pop(name)
        if isinstance(value, tuple):
            value = ",".join(value) if value else None
        if value is not None:
            flags[name.removeprefix(_PREFIX).replace("__", ".")] = str(value)
    return flags


def load_config(tree: type[Config], flags: dict[str, str]) -> Loaded[Config]:
    """
    Read file, environment and flags; warnings go to standard error.

    :raises ConfigError: with every fault, or when the file cannot be read.
    """
    path = flags.pop("config.path", os.environ.get("PICO_CONFIG__PATH", ""))
    expand_env = flags.pop("config.expand_env", "") == "true"
    text = None
    if path:
        try:
            with open(path, encoding="utf-8") as file:
                text = file.read()
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "not UTF-8"
            raise ConfigError(f"cannot read {path}: {reason}") from None
        if expand_env:
            text = expand(text, os.environ)
    environment = {name: value for name, value in os.environ.items() if name != "PICO_CONFIG__PATH"}
    loaded = load(tree, yaml_text=text, yaml_source=path, environment=environment, flags=flags)
    for warning in loaded.warnings:
        click.echo(f"pico: {warning}", err=True)
    return loaded


def use_color() -> bool:
    """
    Whether standard error is a terminal that may be coloured (https://no-color.org).
    """
    return sys.stderr.isatty() and not os.environ.get("NO_COLOR")
