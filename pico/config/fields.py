"""
What a setting is besides its type: how it is written, and what it is for.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator, Mapping
from math import inf
from typing import Annotated, get_args, get_origin, get_type_hints

import attrs
import msgspec


class Kind(enum.Enum):
    """
    How a value is written.
    """

    TEXT = "text"
    NAME = "letters, digits, . _ ~ -"
    HEADER = "visible ASCII"
    SECRET = "secret"
    SECRETS = "list of secrets"
    TOKEN = "secret, visible ASCII"
    PATH = "file"
    BOOL = "true or false"
    COUNT = "number"
    FACTOR = "number, such as 1.5"
    DURATION = "duration"
    SIZE = "size"
    ADDRESS = "address"
    ADVERTISE = "host:port"
    URLS = "URL, or several"
    SERVICE = "port, host:port or URL"
    ENDPOINT = "endpoint"
    PROTOCOL = "http"
    LEVEL = "debug, info, warn or error"
    FORMAT = "text or json"
    WORDS = "list"
    NETWORKS = "list of addresses and networks"
    SEEDS = "list of hosts, with or without port"
    LISTENERS = "listeners"

    @property
    def secret(self) -> bool:
        """
        Whether values must not be shown to anybody.
        """
        return self in (Kind.SECRET, Kind.SECRETS, Kind.TOKEN)

    @property
    def several(self) -> bool:
        """
        Whether a value is a list of words.
        """
        return self in (Kind.WORDS, Kind.NETWORKS, Kind.SEEDS, Kind.SECRETS, Kind.URLS)


@attrs.frozen
class Setting:
    """
    The description of a field, given with :class:`typing.Annotated`.

    :ivar aliases: other names for it, as dotted paths; they hold for files, variables and flags.
    :ivar least: the smallest number, in seconds or bytes where it has a unit; of secrets the bytes that each needs.
    :ivar most: the largest number; a slip of the keyboard that is larger still has a bound of its own.
    :ivar required: whether the section makes no sense without it.
    :ivar excludes: the name of a setting of the same section that must not be given with it.
    """

    kind: Kind
    help: str
    aliases: tuple[str, ...] = ()
    least: float = 0
    most: float = inf
    required: bool = False
    excludes: str = ""


@attrs.frozen
class Leaf:
    """
    One setting of a tree.

    :ivar path: its keys from the root.
    :ivar secret: the path of the secret whose file this names; empty for all other settings.
    """

    path: tuple[str, ...]
    setting: Setting
    default: object
    secret: tuple[str, ...] = ()

    @property
    def dotted(self) -> str:
        """
        The path as it is written in messages.
        """
        return ".".join(self.path)

    @property
    def paths(self) -> tuple[tuple[str, ...], ...]:
        """
        The path, and those of its other names.
        """
        return (self.path, *(tuple(alias.split(".")) for alias in self.setting.aliases))

    @property
    def flag(self) -> str:
        """
        The flag of it, with its dashes. That of listeners has the name of their short form.
        """
        return flag_of(self.paths[-1] if self.setting.kind is Kind.LISTENERS else self.path)

    @property
    def variable(self) -> str:
        """
        The environment variable of it.
        """
        return variable_of(self.path)


def flag_of(path: tuple[str, ...]) -> str:
    """
    The flag for a path, with its dashes.
    """
    return "--" + ".".join(path).replace("_", "-")


def variable_of(path: tuple[str, ...]) -> str:
    """
    The environment variable for a path.
    """
    return "PICO_" + "__".join(path).upper()


Tree = type[msgspec.Struct]


def sections(tree: Tree) -> Mapping[str, Tree]:
    """
    The fields of a tree that are trees themselves.
    """
    return {name: hint for name, hint in get_type_hints(tree).items() if _is_tree(hint)}


def leaves(tree: Tree, prefix: tuple[str, ...] = ()) -> Iterator[Leaf]:
    """
    All settings of a tree, in the order in which they are written; behind each secret the setting that names a file
    with it, which has no field of its own.
    """
    hints = get_type_hints(tree, include_extras=True)
    for field in msgspec.structs.fields(tree):
        hint = hints[field.name]
        path = (*prefix, field.name)
        if _is_tree(hint):
            yield from leaves(hint, path)
            continue
        if get_origin(hint) is Annotated:
            for extra in get_args(hint)[1:]:
                if isinstance(extra, Setting):
                    default = (
                        field.default_factory() if field.default_factory is not msgspec.NODEFAULT else field.default
                    )
                    yield Leaf(path, extra, default)
                    if extra.kind.secret:
                        yield _file_of(path)


def _file_of(secret: tuple[str, ...]) -> Leaf:
    path = (*secret[:-1], secret[-1] + "_file")
    return Leaf(path, Setting(Kind.PATH, f"A file that holds {'.'.join(secret)}, to keep it out of here."), "", secret)


def _is_tree(hint: object) -> bool:
    return isinstance(hint, type) and issubclass(hint, msgspec.Struct)
