"""
A configuration as it is in force: every value, and where it comes from.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import attrs
import msgspec
import yaml

from pico.config.agent import ListenerConfig
from pico.config.fields import Kind, Leaf
from pico.config.keys import Path, keys_of
from pico.config.load import Loaded
from pico.config.values import value_at, written

#: What YAML takes for text without quotes, and no reader for anything else.
_PLAIN = re.compile(r"[A-Za-z0-9_./][A-Za-z0-9_./%+-]*(?:://[A-Za-z0-9_./%+:-]+)?")
_NOTHING = ("null", "Null", "NULL")

#: Where comments begin at the latest, unless a line is longer.
_COLUMN = 56

#: A JSON value.
Value = dict[str, "Value"] | list["Value"] | str | int | bool


@attrs.frozen
class _Row:
    """
    A value in force.

    :ivar path: with the number of the listener behind ``listeners``.
    """

    path: tuple[str | int, ...]
    value: object
    origin: str


def show_json(loaded: Loaded[msgspec.Struct]) -> dict[str, Value]:
    """
    All settings as nested objects; each is an object with its ``value`` and its ``origin``.
    """
    shown: dict[str, Value] = {}
    for row in _rows(loaded):
        place: Value = shown
        for key, below in zip(row.path, (*row.path[1:], ""), strict=True):
            empty: Value = [] if isinstance(below, int) else {}
            if isinstance(place, dict):
                place = place.setdefault(str(key), empty)
            elif isinstance(place, list):
                if key == len(place):
                    place.append(empty)
                place = place[-1]
        assert isinstance(place, dict)
        place.update(value=_json(row.value), origin=row.origin)
    return shown


def show_yaml(loaded: Loaded[msgspec.Struct]) -> str:
    """
    All settings as YAML that can be read again, each with its origin in a comment.
    """
    lines: list[tuple[str, str]] = []
    above: tuple[str | int, ...] = ()
    for row in _rows(loaded):
        shared = 0
        while shared < len(row.path) - 1 and above[shared : shared + 1] == row.path[shared : shared + 1]:
            shared += 1
        bullet = ""
        for depth in range(shared, len(row.path)):
            key = row.path[depth]
            indent = "  " * depth
            if isinstance(key, int):
                bullet = "- "
                continue
            if bullet:
                indent = indent[:-2] + bullet
                bullet = ""
            last = depth == len(row.path) - 1
            lines.append((f"{indent}{key}:{' ' + _yaml(row.value) if last else ''}", row.origin if last else ""))
        above = row.path
    column = min(_COLUMN, max((len(text) for text, origin in lines if origin), default=0) + 2)
    return "".join(f"{text:{column}}  # {origin}\n" if origin else f"{text}\n" for text, origin in lines)


def _rows(loaded: Loaded[msgspec.Struct]) -> Iterator[_Row]:
    for leaf in keys_of(type(loaded.config)).leaves:
        origin = loaded.origins.get(leaf.dotted, "default")
        if leaf.secret:
            if leaf.dotted in loaded.files:
                yield _Row(leaf.path, loaded.files[leaf.dotted], origin)
        elif leaf.setting.kind is Kind.LISTENERS:
            yield from _listeners(loaded, leaf, origin)
        elif not (leaf.setting.kind.secret and _file_of(leaf.path) in loaded.files):
            yield _Row(leaf.path, written(leaf, value_at(loaded.config, leaf.path)), origin)


def _listeners(loaded: Loaded[msgspec.Struct], leaf: Leaf, origin: str) -> Iterator[_Row]:
    listeners = value_at(loaded.config, leaf.path)
    if not isinstance(listeners, tuple) or not listeners:
        yield _Row(leaf.path, [], origin)
        return
    for number, listener in enumerate(listeners):
        for part in keys_of(ListenerConfig).leaves:
            of_file = loaded.origins.get(f"{leaf.dotted}[{number}].{part.dotted}", "default")
            given = origin if part.setting.required and of_file == "default" else of_file
            yield _Row((*leaf.path, number, *part.path), written(part, value_at(listener, part.path)), given)


def _file_of(secret: Path) -> str:
    return ".".join(secret) + "_file"


def _json(value: object) -> Value:
    if isinstance(value, list):
        return [_json(each) for each in value]
    return value if isinstance(value, str | int | bool) else str(value)


def _yaml(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return "[" + ", ".join(_yaml(each) for each in value) + "]"
    text = str(value)
    if _PLAIN.fullmatch(text) and text not in _NOTHING:
        return text
    return yaml.safe_dump(text, default_style='"', allow_unicode=True, width=1_000_000).strip()
