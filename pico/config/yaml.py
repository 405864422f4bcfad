"""
YAML as configuration: no surprises, and every value knows its line.

YAML 1.1 reads ``NO`` as false and ``12:34`` as 754, lets the last of two equal keys win, and can grow exponentially by
aliases. Here scalars stay text until the setting's own kind reads them, equal keys are a fault, and there are no
aliases, no tags and no second document.
"""

from __future__ import annotations

import attrs
import yaml

from pico.config.expand import Variables
from pico.config.faults import Fault

#: How deep a file may be nested; no setting stands deeper than half of it.
MAX_DEPTH = 20


@attrs.frozen
class Scalar:
    """
    Text in the file.

    :ivar empty: nothing stands there at all, so that the default holds.
    :ivar faulty: a fault was found with it already.
    """

    text: str
    line: int
    empty: bool = False
    faulty: bool = False


@attrs.frozen
class Listing:
    """
    A list.
    """

    items: list[Node]
    line: int


@attrs.frozen
class Mapping:
    """
    Keys with their lines, and what belongs to them.
    """

    items: dict[str, tuple[int, Node]]
    line: int


Node = Scalar | Listing | Mapping

_NOTHING = Mapping({}, 1)


def read(text: str, source: str, faults: list[Fault], variables: Variables | None = None) -> Mapping:
    """
    Read one document.

    :param source: the file's name, for faults.
    :param faults: gets what is wrong; what could be read is returned all the same.
    :param variables: whose values belong into the text, which is theirs then.
    """
    try:
        fault = _unwanted(text, source)
        root = None if fault else yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        fault = Fault(source, mark.line + 1 if mark else 0, "", f"not YAML: {_reason(error)}")
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        fault = Fault(source, line, "", f"not YAML: character U+{ord(text[error.position]):04X} is not allowed")
    if fault:
        faults.append(fault)
        return _NOTHING
    if root is None:
        return _NOTHING
    converted = _Converter(source, faults, variables).convert(root, "")
    if isinstance(converted, Scalar) and converted.empty:
        return _NOTHING
    if not isinstance(converted, Mapping):
        faults.append(Fault(source, converted.line, "", "the file must hold keys and values, such as grace_period: 1m"))
        return _NOTHING
    return converted


def _reason(error: yaml.MarkedYAMLError) -> str:
    reason = str(error.problem or error.context)
    if "'\\t'" in reason:
        reason += "; indent with spaces"
    return reason


def _unwanted(text: str, source: str) -> Fault | None:
    """
    Look for what of YAML a configuration has no use for.
    """
    depth = documents = 0
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        problem = ""
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None) is not None:
            problem = "anchors and aliases are not supported"
        elif getattr(event, "tag", None) is not None:
            problem = "tags such as !!str are not supported"
        elif isinstance(event, yaml.DocumentStartEvent):
            documents += 1
            problem = "a second document begins here; a file holds one" if documents > 1 else ""
        elif isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            problem = "nested too deep" if depth > MAX_DEPTH else ""
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if problem:
            return Fault(source, event.start_mark.line + 1 if event.start_mark else 0, "", problem)
    return None


class _Converter:
    def __init__(self, source: str, faults: list[Fault], variables: Variables | None) -> None:
        self._source = source
        self._faults = faults
        self._variables = variables

    def convert(self, node: yaml.Node, path: str) -> Node:
        line = node.start_mark.line + 1
        if isinstance(node, yaml.ScalarNode):
            return self._scalar(node, line, path)
        if isinstance(node, yaml.SequenceNode):
            return Listing([self.convert(item, f"{path}[{n}]") for n, item in enumerate(node.value)], line)
        items: dict[str, tuple[int, Node]] = {}
        for key, value in node.value:
            key_line = key.start_mark.line + 1
            if not isinstance(key, yaml.ScalarNode):
                self._faults.append(Fault(self._source, key_line, path, "a key must be a word"))
                continue
            name = self._filled(key.value, key_line, path)
            below = f"{path}.{name}" if path else name
            if name in items:
                first = items[name][0]
                self._faults.append(Fault(self._source, key_line, below, f"is given twice, first in line {first}"))
                continue
            items[name] = (key_line, self.convert(value, below))
        return Mapping(items, line)

    def _scalar(self, node: yaml.ScalarNode, line: int, path: str) -> Scalar:
        if node.tag == "tag:yaml.org,2002:null":
            return Scalar("", line, True)
        count = len(self._faults)
        text = self._filled(node.value, line, path)
        if len(self._faults) > count:
            return Scalar("", line, faulty=True)
        # Like the word null: what stands there is nothing, so that the default holds.
        empty = not text and node.style is None
        return Scalar(text, line, empty)

    def _filled(self, text: str, line: int, path: str) -> str:
        if self._variables is None:
            return text
        text, problems = self._variables.fill(text)
        self._faults.extend(Fault(self._source, line, path, problem) for problem in problems)
        return text
