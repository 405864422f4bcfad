"""
Flags made from a configuration's tree.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from typing import TypeVar

import click
import msgspec

from pico.cli.command import Command as HouseCommand
from pico.cli.command import Group, Option
from pico.config.expand import expand
from pico.config.fields import Kind, Leaf, Setting, Tree, leaves
from pico.config.load import FORMATS, LEVELS, Loaded, load
from pico.config.units import format_duration, format_size
from pico.errors import ConfigError

Config = TypeVar("Config", bound=msgspec.Struct)
Command = TypeVar("Command", bound=Callable[..., object])

#: Where click keeps the flags of a tree among a command's parameters.
_PREFIX = "setting__"


#: Headings of the help by a setting's first key; those of others are that key.
_SECTIONS = {
    "proxy": "Proxy port",
    "upstream": "Upstream port",
    "admin": "Admin port",
    "cluster": "Cluster",
    "connect": "Connection to the node",
    "log": "Logging",
    "config": "Configuration file",
}

#: How values are written.
_VALUES = {
    Kind.DURATION: "500ms, 10s, 1m30s or 2h",
    Kind.SIZE: "a number of bytes, or 64KiB, 1MiB and the like",
    Kind.ADDRESS: "host:port, [::1]:port, or :port for all interfaces",
    Kind.WORDS: "one or several with commas between them; the flag may be repeated",
}

_CHOICES: dict[Kind, Sequence[str]] = {Kind.LEVEL: LEVELS, Kind.FORMAT: FORMATS}


class TreeOption(Option):
    """
    The flag of one setting; its value stays text until the tree is read.
    """

    def __init__(self, leaf: Leaf) -> None:
        kind = leaf.setting.kind
        flags = [leaf.flag, *(f"--{alias}" for alias in leaf.setting.aliases)]
        super().__init__(
            [_PREFIX + "__".join(leaf.path), *flags],
            section=section_of(leaf),
            help=leaf.setting.help + _default_text(leaf),
            # A flag value, even None, would make the value of other flags optional.
            **({"is_flag": True, "flag_value": "true"} if kind is Kind.BOOL else {"metavar": _metavar(kind)}),
            multiple=kind is Kind.WORDS,
            type=str,
            default=None,
        )
        self.leaf = leaf

    def choices(self) -> Sequence[str]:
        """
        The values that there are; empty when there are too many to name.
        """
        return _CHOICES.get(self.leaf.setting.kind, ())

    def takes_file(self) -> bool:
        """
        Whether its value names a file.
        """
        return self.leaf.path[-1] == "path" or self.leaf.path[-1].endswith("_file")


def section_of(leaf: Leaf) -> str:
    """
    The heading under which a setting stands in the help.
    """
    if "access_log" in leaf.path:
        return "Logging"
    if leaf.setting.kind in (Kind.COUNT, Kind.SIZE):
        return "Limits"
    if len(leaf.path) == 1:
        return "Stopping"
    return _SECTIONS.get(leaf.path[0], leaf.path[0].capitalize())


def _metavar(kind: Kind) -> str:
    return f"[{'|'.join(_CHOICES[kind])}]" if kind in _CHOICES else kind.name


def _default_text(leaf: Leaf) -> str:
    kind, default = leaf.setting.kind, leaf.default
    if kind is Kind.BOOL or "when empty" in leaf.setting.help:
        return ""
    if kind is Kind.DURATION and isinstance(default, float):
        text = format_duration(default)
    elif kind is Kind.SIZE and isinstance(default, int):
        text = format_size(default)
    elif default in ("", ()):
        text = "none"
    else:
        text = str(default)
    return f" [default: {text}]"


_FILE_LEAVES = (
    Leaf(("config", "path"), Setting(Kind.TEXT, "YAML file to read."), ""),
    Leaf(("config", "expand_env"), Setting(Kind.BOOL, "Replace ${VAR} and ${VAR:default} in that file."), False),
)


class TreeCommand(HouseCommand):
    """
    A command that takes every setting of a tree as a flag, and shows them by section.
    """

    def __init__(self, *args: object, tree: Tree, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]  # click's own signature, passed on
        self.tree = tree
        self.params += tree_options(tree)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """
        Say how values are written.
        """
        write_values(self, formatter)


class TreeGroup(Group):
    """
    A group whose own flags are a tree's settings.
    """

    def __init__(self, *args: object, tree: Tree, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]  # click's own signature, passed on
        self.tree = tree
        self.params += tree_options(tree)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """
        Say how values are written.
        """
        write_values(self, formatter)


def tree_options(tree: Tree) -> list[TreeOption]:
    """
    The flags of a tree, and those that name its file, in the order of their sections.
    """
    found = [leaf for leaf in leaves(tree) if leaf.setting.kind is not Kind.LISTENERS]
    options = [TreeOption(leaf) for leaf in (*found, *_FILE_LEAVES)]
    # Sections of the tree's own come before those that gather settings of several of them.
    last = ("Limits", "Logging", "Stopping", "Configuration file")
    return sorted(options, key=lambda option: last.index(option.section) if option.section in last else -1)


def write_values(command: click.Command, formatter: click.HelpFormatter) -> None:
    """
    Write how the values of a command's flags are written, and where else they may stand.
    """
    kinds = {option.leaf.setting.kind for option in command.params if isinstance(option, TreeOption)}
    with formatter.section("Values"):
        formatter.write_dl([(kind.name, text) for kind, text in _VALUES.items() if kind in kinds])
    formatter.write_paragraph()
    formatter.write_text(
        "Each setting is a key of the YAML file and an environment variable, too: --log.level is level below log, and "
        "PICO_LOG__LEVEL. Flags win over variables, variables over the file."
    )


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
    loaded = read_config(tree, flags)
    for warning in loaded.warnings:
        click.echo(f"pico: {warning}", err=True)
    return loaded


def read_config(tree: type[Config], flags: dict[str, str]) -> Loaded[Config]:
    """
    Read file, environment and flags.

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
    return load(tree, yaml_text=text, yaml_source=path, environment=environment, flags=flags)


def use_color() -> bool:
    """
    Whether standard error is a terminal that may be coloured (https://no-color.org).
    """
    return sys.stderr.isatty() and not os.environ.get("NO_COLOR")
