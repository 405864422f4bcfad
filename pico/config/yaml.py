"""
YAML as configuration: no surprises, and every value knows its line.

YAML 1.1 reads ``NO`` as false and ``12:34`` as 754, lets the last of two equal keys win, and can grow exponentially by
aliases. Here scalars stay text until the setting's own kind reads them, equal keys are a fault, and there are no
aliases.
"""

from __future__ import annotations

import attrs
import yaml

from pico.config.faults import Fault


@attrs.frozen
class Scalar:
    """
    Text in the file.

    :ivar empty: nothing stands there at all, so that the default holds.
    """

    text: str
    line: int
    empty: bool = False


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


def read(text: str, source: str, faults: list[Fault]) -> Mapping:
    """
    Read one document.

    :param source: the file's name, for faults.
    :param faults: gets what is wrong; what could be read is returned all the same.
    """
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        faults.append(Fault(source, mark.line + 1 if mark else 0, "", f"not YAML: {error.problem}"))
        return Mapping({}, 1)
    except yaml.YAMLError as error:
        faults.append(Fault(source, 0, "", f"not YAML: {error}"))
        return Mapping({}, 1)
    if root is None:
        return Mapping({}, 1)
    try:
        for token in yaml.scan(text, Loader=yaml.SafeLoader):
            if isinstance(token, yaml.AliasToken | yaml.AnchorToken):
                line = token.start_mark.line + 1
                faults.append(Fault(source, line, "", "anchors and aliases are not supported"))
                return Mapping({}, 1)
    except yaml.YAMLError:
        pass  # compose has read it, so scan does too
    converted = _convert(root, source, "", faults)
    if not isinstance(converted, Mapping):
        faults.append(Fault(source, 1, "", "the file must hold keys and values"))
        return Mapping({}, 1)
    return converted


def _convert(node: yaml.Node, source: str, path: str, faults: list[Fault]) -> Node:
    line = node.start_mark.line + 1
    if isinstance(node, yaml.ScalarNode):
        empty = node.tag == "tag:yaml.org,2002:null"
        return Scalar("" if empty else node.value, line, empty)
    if isinstance(node, yaml.SequenceNode):
        return Listing([_convert(item, source, f"{path}[{n}]", faults) for n, item in enumerate(node.value)], line)
    items: dict[str, tuple[int, Node]] = {}
    for key, value in node.value:
        name = str(key.value)
        below = f"{path}.{name}" if path else name
        key_line = key.start_mark.line + 1
        if name in items:
            faults.append(Fault(source, key_line, below, f"is given twice, first in line {items[name][0]}"))
            continue
        items[name] = (key_line, _convert(value, source, below, faults))
    return Mapping(items, line)
