"""
Settings that make no sense together.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from pico.config.faults import Fault
from pico.config.fields import Leaf
from pico.config.given import Values


def conflicts(leaves: Iterable[Leaf], values: Values) -> Iterator[Fault]:
    """
    Find settings that are given although what excludes them is given as well, by whatever source.

    :param values: those that hold.
    """
    for leaf in leaves:
        excluded = leaf.setting.excludes
        given = values.get(leaf.path)
        other = values.get((*leaf.path[:-1], excluded)) if excluded else None
        if given is not None and given.value and other is not None and other.value:
            problem = f"cannot be set together with {excluded} ({other.origin})"
            yield Fault(given.source, given.line, leaf.dotted if given.line else "", problem)
