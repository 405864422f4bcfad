"""
Flags made from a configuration's tree.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TypeVar

import click
import msgspec

from pico.cli.command import Command, Group, Option
from pico.cli.sources import gather
from pico.cli.wrong_use import WrongUse
from pico.config.fields import Kind, Leaf, Tree, flag_of
from pico.config.keys import FILE_LEAVES, keys_of
from pico.config.load import Loaded
from pico.config.units import shown
from pico.config.values import FORMATS, LEVELS, PROTOCOLS, written_default

Config = TypeVar("Config", bound=msgspec.Struct)

#: Where click keeps the flags of a tree among a command's parameters.
PREFIX = "setting__"

#: Headings of the help by a setting's first key; those of others are that key.
_SECTIONS = {
    "proxy": "Proxy port",
    "upstream": "Upstream port",
    "admin": "Admin port",
    "cluster": "Cluster",
    "connect": "Connection to the node",
    "server": "The agent's own port",
    "log": "Logging",
    "config": "Configuration file",
}

#: Those that gather settings of several keys stand behind those of one, in this order.
_LAST = ("Limits", "Logging", "Stopping", "Configuration file")

#: What stands for a value, where that is not the kind's own name.
_METAVARS = {
    Kind.HEADER: "TEXT",
    Kind.ADVERTISE: "HOST:PORT",
    Kind.PATH: "FILE",
    Kind.URLS: "URL",
    Kind.FACTOR: "NUMBER",
    Kind.SEEDS: "HOSTS",
}

#: How values are written.
_VALUES = {
    Kind.DURATION: "500ms, 10s, 1m30s or 2h",
    Kind.SIZE: "a number of bytes, or 64KiB, 1MiB and the like",
    Kind.ADDRESS: "host:port, [::1]:port, or :port for all interfaces",
    Kind.URLS: "one or several with commas between them; the flag may be repeated",
    Kind.WORDS: "one or several with commas between them; the flag may be repeated",
    Kind.SEEDS: "names or addresses, each with or without :port, with commas between them; the flag may be repeated",
    Kind.SECRETS: "one or several with commas between them; better in a file, where not every user can see them",
    Kind.NETWORKS: "addresses, or networks such as 10.0.0.0/8, with commas between them; the flag may be repeated",
}

_CHOICES: dict[Kind, Sequence[str]] = {Kind.LEVEL: LEVELS, Kind.FORMAT: FORMATS, Kind.PROTOCOL: PROTOCOLS}


class TreeOption(Option):
    """
    The flag of one setting; its value stays text until the tree is read.

    :ivar leaf: the setting.
    """

    def __init__(self, leaf: Leaf, prefix: str = PREFIX, *, section: str = "", hidden: bool = False) -> None:
        """
        :param section: in the place of the setting's own.
        """
        kind = leaf.setting.kind
        flags = [flag_of(path) for path in leaf.paths]
        # Declared as pairs, switches know whether they were turned on, turned off, or not given.
        switches = [f"{flag}/--no-{flag.removeprefix('--')}" for flag in flags]
        super().__init__(
            [prefix + "__".join(leaf.path), *(switches if kind is Kind.BOOL else flags)],
            section=section or section_of(leaf),
            help=leaf.setting.help + _default_text(leaf),
            # No metavar and no type for a switch: either would make it one that takes a value.
            **({} if kind is Kind.BOOL else {"metavar": _metavar(kind), "type": str}),
            multiple=kind.several,
            default=None,
            hidden=hidden,
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
        return self.leaf.setting.kind is Kind.PATH

    def get_help_record(self, ctx: click.Context) -> tuple[str, str] | None:
        """
        Its row in the help: of a switch without the flag that turns it off, which is written ``--flag=false``.
        """
        row = super().get_help_record(ctx)
        return None if row is None else (row[0].partition(" / ")[0], row[1])


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
    return f"[{'|'.join(_CHOICES[kind])}]" if kind in _CHOICES else _METAVARS.get(kind, kind.name)


def _default_text(leaf: Leaf) -> str:
    if (leaf.setting.kind is Kind.BOOL and not leaf.default) or "when empty" in leaf.setting.help:
        return ""
    return f" [default: {written_default(leaf) or 'none'}]"


class _OfTree(click.Command):
    """
    What a command and a group have in common that take every setting of a tree as a flag, and show them by section.
    (They are click's classes, so this is one as well.)
    """

    def __init__(self, *args: object, tree: Tree, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]  # click's own signature, passed on
        self.tree = tree
        self.params += tree_options(tree)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """
        Read the command line.
        """
        return super().parse_args(ctx, switched(self, ctx, args))

    def why_absent(self, flag: str) -> str:
        """
        Say why there is no such flag, if it is one that people bring along.
        """
        return keys_of(self.tree).absent_flag(flag)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """
        Say how values are written.
        """
        write_values(self, formatter)


class TreeCommand(_OfTree, Command):
    """
    A command that takes every setting of a tree as a flag, and shows them by section.
    """


class TreeGroup(_OfTree, Group):
    """
    A group whose own flags are a tree's settings.
    """


def tree_options(tree: Tree) -> list[TreeOption]:
    """
    The flags of a tree, and those that name its file, in the order of their sections.
    """
    options = options_of((*keys_of(tree).leaves, *FILE_LEAVES))
    return sorted(options, key=lambda option: _LAST.index(option.section) if option.section in _LAST else -1)


def options_of(
    found: Iterable[Leaf], prefix: str = PREFIX, *, section: str = "", hidden: bool = False
) -> list[TreeOption]:
    """
    The flags of some settings. Listeners have none here: the agent's commands have their own ways to name them.
    """
    return [
        TreeOption(leaf, prefix, section=section, hidden=hidden)
        for leaf in found
        if leaf.setting.kind is not Kind.LISTENERS
    ]


def switched(command: click.Command, ctx: click.Context, args: Iterable[str]) -> list[str]:
    """
    Turn ``--flag=true`` and ``--flag=false`` into what click knows, for which a switch takes no value.
    """
    switches = {
        on: off
        for option in command.params
        if isinstance(option, TreeOption) and option.is_flag
        for on, off in zip(option.opts, option.secondary_opts, strict=True)
    }
    read = []
    for arg in args:
        flag, equals, value = arg.partition("=")
        if flag in switches and equals:
            if value.lower() not in ("true", "false"):
                raise WrongUse(f"{flag}: {shown(value)} is neither true nor false", ctx)
            arg = flag if value.lower() == "true" else switches[flag]
        read.append(arg)
    return read


def write_values(command: click.Command, formatter: click.HelpFormatter) -> None:
    """
    Write how the values of a command's flags are written, and where else they may stand.
    """
    kinds = {option.leaf.setting.kind for option in command.params if isinstance(option, TreeOption)}
    with formatter.section("Values"):
        formatter.write_dl([(_metavar(kind), text) for kind, text in _VALUES.items() if kind in kinds])
    formatter.write_paragraph()
    formatter.write_text(
        "Each setting is a key of the YAML file and an environment variable, too: --log.level is level below log, and "
        "PICO_LOG__LEVEL. Flags win over variables, variables over the file. A flag that takes no value is turned off "
        "by =false behind it."
    )


def settings_in(values: dict[str, object], prefix: str = PREFIX) -> dict[str, str]:
    """
    Take the tree's flags that were given out of a command's parameters.
    """
    flags: dict[str, str] = {}
    for name in [name for name in values if name.startswith(prefix)]:
        value = values.pop(name)
        if isinstance(value, tuple):
            value = ",".join(value) if value else None
        elif isinstance(value, bool):
            value = "true" if value else "false"
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
