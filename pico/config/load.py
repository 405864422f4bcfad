"""
From sources to a tree: flags over environment over YAML over defaults.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Generic, TypeVar

import attrs
import msgspec

from pico.config.addresses import parse_address, parse_service
from pico.config.agent import AgentConfig, ListenerConfig
from pico.config.faults import Fault, InvalidConfig, did_you_mean
from pico.config.fields import Kind, Leaf, Tree, leaves, sections
from pico.config.sections import access_log_problems
from pico.config.units import parse_duration, parse_size
from pico.config.yaml import Listing, Node, Scalar, read
from pico.config.yaml import Mapping as YAMLMapping

Config = TypeVar("Config", bound=msgspec.Struct)

LEVELS = ("debug", "info", "warn", "error")
FORMATS = ("text", "json")


@attrs.frozen
class Loaded(Generic[Config]):
    """
    A configuration and where it came from.

    :ivar origins: by dotted path: the file with its line, the variable or the flag; missing for defaults.
    :ivar warnings: about things that may be meant for others, such as unknown environment variables.
    """

    config: Config
    origins: Mapping[str, str]
    warnings: list[str]


def load(
    tree: type[Config],
    *,
    yaml_text: str | None = None,
    yaml_source: str = "",
    environment: Mapping[str, str] | None = None,
    flags: Mapping[str, str] | None = None,
) -> Loaded[Config]:
    """
    Read all sources.

    :param environment: all of it; only ``PICO_`` variables are looked at.
    :param flags: by dotted path, as they were written.
    :raises InvalidConfig: with every fault of every source.
    """
    faults: list[Fault] = []
    warnings: list[str] = []
    values: dict[tuple[str, ...], object] = {}
    origins: dict[str, str] = {}
    known = {leaf.path: leaf for leaf in leaves(tree)}
    if yaml_text is not None:
        root = read(yaml_text, yaml_source, faults)
        _from_yaml(tree, root, (), yaml_source, known, values, origins, faults)
    _from_environment(environment or {}, known, values, origins, warnings, faults)
    for dotted, text in (flags or {}).items():
        leaf = known.get(tuple(dotted.split(".")))
        if leaf is None:
            faults.append(Fault("--" + dotted, 0, "", "unknown flag"))
            continue
        _put(leaf, text, leaf.flag, 0, values, origins, faults)
    if faults:
        raise InvalidConfig(faults)
    return Loaded(_build(tree, (), values), origins, warnings)


def convert(leaf: Leaf, text: str) -> object:
    """
    Read a value of a setting's kind.

    :raises ValueError: with what would be right.
    """
    kind = leaf.setting.kind
    if kind is Kind.DURATION:
        return parse_duration(text)
    if kind is Kind.SIZE:
        return parse_size(text)
    if kind is Kind.COUNT:
        if not text.strip().isdecimal():
            raise ValueError(f"{text!r} is not a whole number")
        return int(text)
    if kind is Kind.BOOL:
        if text.lower() not in ("true", "false"):
            raise ValueError(f"{text!r} is neither true nor false")
        return text.lower() == "true"
    if kind is Kind.ADDRESS:
        parse_address(text)
    if kind is Kind.LEVEL:
        _among(text, LEVELS)
    if kind is Kind.FORMAT:
        _among(text, FORMATS)
    if kind is Kind.WORDS:
        return tuple(word.strip() for word in text.split(",") if word.strip())
    if kind is Kind.LISTENERS:
        raise ValueError("listeners are given in a file only")
    return text


def _among(text: str, words: tuple[str, ...]) -> None:
    if text not in words:
        raise ValueError(f"{text!r} is not one of {', '.join(words)}{did_you_mean(text, words)}")


def _put(
    leaf: Leaf,
    text: str,
    source: str,
    line: int,
    values: dict[tuple[str, ...], object],
    origins: dict[str, str],
    faults: list[Fault],
) -> None:
    try:
        values[leaf.path] = convert(leaf, text)
    except ValueError as error:
        problem = "has an invalid value" if leaf.setting.kind is Kind.SECRET else str(error)
        faults.append(Fault(source, line, leaf.dotted if line else "", problem))
        return
    origins[leaf.dotted] = f"{source}:{line}" if line else source


def _from_yaml(
    tree: Tree,
    node: YAMLMapping,
    prefix: tuple[str, ...],
    source: str,
    known: Mapping[tuple[str, ...], Leaf],
    values: dict[tuple[str, ...], object],
    origins: dict[str, str],
    faults: list[Fault],
) -> None:
    below = sections(tree)
    for name, (line, value) in node.items.items():
        path = (*prefix, name)
        dotted = ".".join(path)
        leaf = known.get(path)
        if name in below:
            if isinstance(value, YAMLMapping):
                _from_yaml(below[name], value, path, source, known, values, origins, faults)
            elif not (isinstance(value, Scalar) and value.empty):
                faults.append(Fault(source, line, dotted, "must hold keys and values"))
        elif leaf is None:
            names = [*below, *(other.path[-1] for other in known.values() if other.path[:-1] == prefix)]
            faults.append(Fault(source, line, dotted, f"unknown key{did_you_mean(name, names)}"))
        elif leaf.setting.kind is Kind.LISTENERS:
            values[path] = _listeners(value, line, source, faults)
            origins[dotted] = f"{source}:{line}"
        elif leaf.setting.kind is Kind.WORDS and isinstance(value, Listing):
            words = [item.text for item in value.items if isinstance(item, Scalar)]
            if len(words) < len(value.items):
                faults.append(Fault(source, line, dotted, "must be a list of words"))
            values[path] = tuple(words)
            origins[dotted] = f"{source}:{line}"
        elif isinstance(value, Scalar):
            if not value.empty:
                _put(leaf, value.text, source, value.line, values, origins, faults)
        else:
            faults.append(Fault(source, line, dotted, f"must be one value ({leaf.setting.kind.value})"))


def _listeners(node: Node, line: int, source: str, faults: list[Fault]) -> tuple[ListenerConfig, ...]:
    """
    Read the agent's listeners; each is a small tree of its own.
    """
    if not isinstance(node, Listing):
        if not (isinstance(node, Scalar) and node.empty):
            faults.append(Fault(source, line, "listeners", "must be a list"))
        return ()
    listeners = []
    known = {leaf.path: leaf for leaf in leaves(ListenerConfig)}
    for index, item in enumerate(node.items):
        name = f"listeners[{index}]"
        if not isinstance(item, YAMLMapping):
            faults.append(Fault(source, item.line, name, "must hold keys and values"))
            continue
        own: list[Fault] = []
        values: dict[tuple[str, ...], object] = {}
        _from_yaml(ListenerConfig, item, (), source, known, values, {}, own)
        faults.extend(attrs.evolve(fault, path=f"{name}.{fault.path}") for fault in own)
        listener = _build(ListenerConfig, (), values)
        for problem in listener_problems(listener):
            faults.append(Fault(source, item.line, name, problem))
        listeners.append(listener)
    return tuple(listeners)


def listener_problems(listener: ListenerConfig) -> list[str]:
    """
    What is wrong with a listener as a whole.
    """
    problems = []
    if not listener.endpoint_id:
        problems.append("missing endpoint_id")
    if not listener.addr:
        problems.append("missing addr")
    else:
        try:
            parse_service(listener.addr)
        except ValueError as error:
            problems.append(f"addr: {error}")
    return problems + access_log_problems(listener.access_log)


def listener_of(text: str) -> ListenerConfig:
    """
    Read ``ENDPOINT/ADDR``, split at the first slash.

    :raises ValueError: with what would be right.
    """
    endpoint, slash, addr = text.strip().partition("/")
    if not slash or not endpoint or not addr:
        raise ValueError(f"{text!r} is not ENDPOINT/ADDR; write for example my-endpoint/localhost:4000")
    parse_service(addr)
    return ListenerConfig(endpoint_id=endpoint, addr=addr)


def with_listeners(config: AgentConfig, listeners: list[ListenerConfig]) -> AgentConfig:
    """
    The same agent with other listeners.
    """
    return msgspec.structs.replace(config, listeners=tuple(listeners))


def _from_environment(
    environment: Mapping[str, str],
    known: Mapping[tuple[str, ...], Leaf],
    values: dict[tuple[str, ...], object],
    origins: dict[str, str],
    warnings: list[str],
    faults: list[Fault],
) -> None:
    variables = {leaf.variable: leaf for leaf in known.values()}
    for name in sorted(environment):
        if not name.startswith("PICO_"):
            continue
        leaf = variables.get(name)
        if leaf is None:
            # Kubernetes sets PICO_PORT and the like for a service called pico: no reason not to start.
            warnings.append(f"unknown environment variable {name}{did_you_mean(name, variables)}")
            continue
        _put(leaf, environment[name], name, 0, values, origins, faults)


def _build(tree: type[Config], prefix: tuple[str, ...], values: Mapping[tuple[str, ...], object]) -> Config:
    below = sections(tree)
    fields: dict[str, object] = {}
    for field in msgspec.structs.fields(tree):
        path = (*prefix, field.name)
        if field.name in below:
            fields[field.name] = _build(below[field.name], path, values)
        elif path in values:
            fields[field.name] = values[path]
    return tree(**fields)
