"""
What each source gives: the file, the environment, the flags.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

import attrs
import msgspec

from pico.config.agent import ListenerConfig
from pico.config.conflicts import conflicts
from pico.config.faults import Fault
from pico.config.fields import Kind, Leaf, Tree, sections
from pico.config.given import Given, Values
from pico.config.keys import Keys, Path, keys_of
from pico.config.listeners import listener_of
from pico.config.values import convert
from pico.config.yaml import Listing, Node, Scalar
from pico.config.yaml import Mapping as Section

Config = TypeVar("Config", bound=msgspec.Struct)


def from_flags(tree: Tree, flags: Mapping[str, str], faults: list[Fault]) -> Values:
    """
    Read flags.

    :param flags: by dotted path, as they were written.
    """
    keys = keys_of(tree)
    values: Values = {}
    for dotted, text in flags.items():
        path = tuple(dotted.split("."))
        leaf = keys.by_path.get(path)
        if leaf is None:
            faults.append(Fault("--" + dotted.replace("_", "-"), 0, "", keys.unknown(path).replace("key", "flag", 1)))
        else:
            _put(values, leaf, text, leaf.flag, faults)
    return values


def from_environment(tree: Tree, environment: Mapping[str, str], faults: list[Fault], warnings: list[str]) -> Values:
    """
    Read the variables whose names begin with ``PICO_``.
    """
    keys = keys_of(tree)
    values: Values = {}
    for name in sorted(environment):
        if not name.startswith("PICO_"):
            continue
        leaf = keys.by_variable.get(name)
        if leaf is None:
            # Kubernetes sets PICO_PORT and the like for a service called pico: no reason not to start.
            warnings.append(keys.unknown_variable(name))
        elif leaf.path in values:
            faults.append(Fault(name, 0, "", f"is the same setting as {values[leaf.path].source}, which is set, too"))
        else:
            _put(values, leaf, environment[name], name, faults)
    return values


def from_file(tree: Tree, root: Section, source: str, faults: list[Fault]) -> Values:
    """
    Read a file's keys and values.

    :param source: the file's name.
    """
    reader = _FileReader(keys_of(tree), source, faults)
    reader.section(root, ())
    return reader.values


def build(tree: type[Config], values: Mapping[Path, object], prefix: Path = ()) -> Config:
    """
    Make the tree; what is not among the values has its default.
    """
    below = sections(tree)
    fields: dict[str, object] = {}
    for field in msgspec.structs.fields(tree):
        path = (*prefix, field.name)
        if field.name in below:
            fields[field.name] = build(below[field.name], values, path)
        elif path in values:
            fields[field.name] = values[path]
    return tree(**fields)


def _put(values: Values, leaf: Leaf, text: str, source: str, faults: list[Fault]) -> None:
    try:
        values[leaf.path] = Given(convert(leaf, text), source)
    except ValueError as error:
        faults.append(Fault(source, 0, "", str(error)))


class _FileReader:
    """
    Walk through a file's sections.

    :ivar blamed: settings that a fault was found with, or that a misspelled key stands for.
    """

    def __init__(self, keys: Keys, source: str, faults: list[Fault]) -> None:
        self._keys = keys
        self._source = source
        self._faults = faults
        self.values: Values = {}
        self.blamed: set[Path] = set()

    def section(self, node: Section, prefix: Path) -> None:
        """
        Read what stands below a path.
        """
        for name, (line, value) in node.items.items():
            path = (*prefix, name)
            leaf = self._keys.by_path.get(path)
            if leaf is not None:
                self._setting(leaf, path, line, value)
            elif path not in self._keys.sections:
                self._fault(line, path, self._keys.unknown(path))
                self.blamed.add(self._keys.likely(path))
            elif isinstance(value, Section):
                self.section(value, path)
            elif not (isinstance(value, Scalar) and (value.empty or value.faulty)):
                self._fault(line, path, "must hold keys and values")

    def _setting(self, leaf: Leaf, path: Path, line: int, node: Node) -> None:
        if isinstance(node, Scalar) and node.empty:
            return
        if isinstance(node, Scalar) and node.faulty:
            self.blamed.add(leaf.path)
            return
        if leaf.path in self.values:
            first = self.values[leaf.path].line
            self._fault(line, path, f"is given twice, under two names; the other is in line {first}")
            return
        count = len(self._faults)
        if leaf.setting.kind is Kind.LISTENERS and isinstance(node, Listing):
            self._listeners(leaf, path, line, node)
        elif leaf.setting.kind.several and isinstance(node, Listing):
            words = [self._converted(leaf, (*path[:-1], f"{path[-1]}[{n}]"), each) for n, each in enumerate(node.items)]
            whole = tuple(word for part in words if isinstance(part, tuple) for word in part)
            self.values[leaf.path] = Given(whole, self._source, line)
        elif isinstance(node, Scalar):
            value = self._converted(leaf, path, node)
            if len(self._faults) == count:
                self.values[leaf.path] = Given(value, self._source, node.line)
        else:
            self._fault(line, path, f"must be {_FORM[leaf.setting.kind.several]} ({leaf.setting.kind.value})")
        if len(self._faults) > count:
            self.blamed.add(leaf.path)

    def _converted(self, leaf: Leaf, path: Path, node: Node) -> object:
        if not isinstance(node, Scalar):
            self._fault(node.line, path, "must be one word")
            return None
        if node.faulty:
            return None
        try:
            return convert(leaf, node.text)
        except ValueError as error:
            self._fault(node.line, path, str(error))
            return None

    def _listeners(self, leaf: Leaf, path: Path, line: int, node: Listing) -> None:
        listeners: list[ListenerConfig] = []
        below: dict[str, str] = {}
        for index, item in enumerate(node.items):
            name = f"{path[-1]}[{index}]"
            listener = self._listener(item, name, f"{leaf.dotted}[{index}]", below)
            if listener is not None:
                listeners.append(listener)
        self.values[leaf.path] = Given(tuple(listeners), self._source, line, below)

    def _listener(self, node: Node, name: str, dotted: str, below: dict[str, str]) -> ListenerConfig | None:
        """
        Read one listener, which is a tree of its own, or a word in the short form.
        """
        if isinstance(node, Scalar) and node.faulty:
            return None
        if isinstance(node, Scalar):
            try:
                listener = listener_of(node.text)
            except ValueError as error:
                self._fault(node.line, (name,), str(error))
                return None
            origin = f"{self._source}:{node.line}"
            below.update({f"{dotted}.endpoint_id": origin, f"{dotted}.addr": origin})
            return listener
        if not isinstance(node, Section):
            self._fault(node.line, (name,), "must hold keys and values")
            return None
        own: list[Fault] = []
        keys = keys_of(ListenerConfig)
        reader = _FileReader(keys, self._source, own)
        reader.section(node, ())
        for leaf in keys.leaves:
            if leaf.setting.required and leaf.path not in reader.values and leaf.path not in reader.blamed:
                own.append(Fault(self._source, node.line, "", f"missing {leaf.dotted}"))
        own += conflicts(keys.leaves, reader.values)
        self._faults += [attrs.evolve(fault, path=f"{name}.{fault.path}" if fault.path else name) for fault in own]
        below.update({f"{dotted}.{'.'.join(path)}": given.origin for path, given in reader.values.items()})
        return build(ListenerConfig, {path: given.value for path, given in reader.values.items()})

    def _fault(self, line: int, path: Path, problem: str) -> None:
        self._faults.append(Fault(self._source, line, ".".join(path), problem))


_FORM = {True: "a list of words", False: "one value"}
