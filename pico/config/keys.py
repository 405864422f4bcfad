"""
The names of a tree's settings: which there are, and what one may mean that there is not.
"""

from __future__ import annotations

import functools

from pico.config.absent import why_absent
from pico.config.faults import did_you_mean, nearest
from pico.config.fields import Kind, Leaf, Setting, Tree, flag_of, leaves, variable_of
from pico.config.trees import PROGRAMS, program_of

Path = tuple[str, ...]

#: Where the file is. It cannot stand in the file itself, so these are flags and variables only.
FILE_LEAVES = (
    Leaf(("config", "path"), Setting(Kind.PATH, "YAML file to read."), ""),
    Leaf(
        ("config", "expand_env"),
        Setting(Kind.BOOL, "Replace ${VAR} and ${VAR:default} in that file; $$ is one $."),
        False,
    ),
)


class Keys:
    """
    The settings of one tree by their names.

    :ivar leaves: all settings, in order.
    :ivar by_path: each under its path and under its aliases.
    :ivar sections: the paths of what holds settings.
    :ivar by_variable: each under its variable and under those of its aliases.
    """

    def __init__(self, tree: Tree) -> None:
        self._tree = tree
        self.leaves = tuple(leaves(tree))
        self.by_path: dict[Path, Leaf] = {path: leaf for leaf in self.leaves for path in leaf.paths}
        self.sections = {path[:length] for path in self.by_path for length in range(1, len(path))}
        self.by_variable = {variable_of(path): leaf for path, leaf in self.by_path.items()}

    def likely(self, path: Path) -> Path:
        """
        The setting or section that is probably meant by a path that does not exist; empty if there is none.
        """
        known = [*self.by_path, *self.sections]
        sibling = nearest(path[-1], [each[-1] for each in known if each[:-1] == path[:-1]])
        if sibling:
            return (*path[:-1], sibling)
        # In another section, or written as a flag is.
        own = [*(leaf.path for leaf in self.leaves), *self.sections]
        elsewhere = [each for each in own if each[-1] == path[-1].replace("-", "_")]
        if len(elsewhere) == 1:
            return elsewhere[0]
        near = nearest(".".join(path), [".".join(each) for each in known if len(each) > 1])
        return tuple(near.split(".")) if near else ()

    def unknown(self, path: Path) -> str:
        """
        What to say about a key of a file that does not exist.
        """
        reason = self._reason(path)
        if reason:
            return f"unknown key: {reason}"
        likely = self.likely(path)
        if not likely:
            return "unknown key"
        meant = likely[-1] if likely[:-1] == path[:-1] else ".".join(likely)
        return f"unknown key (did you mean {meant}?)"

    def unknown_variable(self, name: str) -> str:
        """
        What to say about an environment variable that does not exist.
        """
        path = tuple(name.removeprefix("PICO_").lower().split("__"))
        reason = self._reason(path)
        if reason:
            return f"unknown environment variable {name}: {reason}"
        known = [*self.by_variable, *(leaf.variable for leaf in FILE_LEAVES)]
        return f"unknown environment variable {name}{did_you_mean(name, known)}"

    def absent_flag(self, flag: str) -> str:
        """
        What to say about a flag that does not exist, if it is one that people bring along; or nothing.
        """
        path = tuple(flag.removeprefix("--").partition("=")[0].replace("-", "_").split("."))
        reason = self._reason(path)
        return f"{flag_of(path)}: {reason}" if reason else ""

    def _reason(self, path: Path) -> str:
        reason = why_absent(self._tree, path, {*self.by_path, *self.sections})
        if reason:
            return reason
        own = program_of(self._tree)
        others = [program for program in PROGRAMS if program is not own] if self._tree is own.tree else []
        for other in others:
            there = keys_of(other.tree)
            if path in there.by_path or path in there.sections:
                return f"it is a setting of {other.what} (pico {other.name}), not of {own.what}"
        return ""


@functools.cache
def keys_of(tree: Tree) -> Keys:
    """
    The names of a tree's settings.
    """
    return Keys(tree)
