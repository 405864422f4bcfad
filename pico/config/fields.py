"""
What a setting is besides its type: how it is written, and what it is for.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator, Mapping
from typing import Annotated, get_args, get_origin, get_type_hints

import attrs
import msgspec


class Kind(enum.Enum):
    """
    How a value is written.
    """

    TEXT = "text"
    SECRET = "secret"
    BOOL = "true or false"
    COUNT = "number"
    DURATION = "duration"
    SIZE = "size"
    ADDRESS = "address"
    LEVEL = "debug, info, warn or error"
    FORMAT = "text or json"
    WORDS = "list"
    LISTENERS = "listeners"


@attrs.frozen
class Setting:
    """
    The description of a field, given with :class:`typing.Annotated`.

    :ivar aliases: other flags for it, without the dashes.
    """

    kind: Kind
    help: str
    aliases: tuple[str, ...] = ()


@attrs.frozen
class Leaf:
    """
    One setting of a tree.

    :ivar path: its keys from the root.
    """

    path: tuple[str, ...]
    setting: Setting
    default: object

    @property
    def dotted(self) -> str:
        """
        The path as it is written in messages.
        """
        return ".".join(self.path)

    @property
    def flag(self) -> str:
        """
        The flag of it, with its dashes.
        """
        return "--" + self.dotted.replace("_", "-")

    @property
    def variable(self) -> str:
        """
        The environment variable of it.
        """
        return "PICO_" + "__".join(self.path).upper()


Tree = type[msgspec.Struct]


def sections(tree: Tree) -> Mapping[str, Tree]:
    """
    The fields of a tree that are trees themselves.
    """
    return {name: hint for name, hint in get_type_hints(tree).items() if _is_tree(hint)}


def leaves(tree: Tree, prefix: tuple[str, ...] = ()) -> Iterator[Leaf]:
    """
    All settings of a tree, in the order in which they are written.
    """
    hints = get_type_hints(tree, include_extras=True)
    for field in msgspec.structs.fields(tree):
        hint = hints[field.name]
        if _is_tree(hint):
            yield from leaves(hint, (*prefix, field.name))
            continue
        if get_origin(hint) is Annotated:
            for extra in get_args(hint)[1:]:
                if isinstance(extra, Setting):
                    default = (
                        field.default_factory() if field.default_factory is not msgspec.NODEFAULT else field.default
                    )
                    yield Leaf((*prefix, field.name), extra, default)


def _is_tree(hint: object) -> bool:
    return isinstance(hint, type) and issubclass(hint, msgspec.Struct)
