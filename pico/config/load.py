"""
From sources to a tree: flags over environment over YAML over defaults.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Generic, TypeVar

import attrs
import msgspec

from pico.config.conflicts import conflicts
from pico.config.expand import Variables
from pico.config.faults import Fault, InvalidConfig
from pico.config.given import Given, Values
from pico.config.keys import FILE_LEAVES, keys_of
from pico.config.secret import ReadSecret, SecretFile, SecretResolver
from pico.config.sources import build, from_environment, from_file, from_flags
from pico.config.yaml import read
from pico.errors import ConfigError

Config = TypeVar("Config", bound=msgspec.Struct)
Config_co = TypeVar("Config_co", bound=msgspec.Struct, covariant=True)


@attrs.frozen
class Loaded(Generic[Config_co]):
    """
    A configuration and where it came from.

    :ivar origins: by dotted path: the file with its line, the variable or the flag; missing for defaults.
    :ivar warnings: about things that may be meant for others, such as unknown environment variables.
    :ivar files: by the dotted path of a setting that names a secret's file: the file that the secret was read from.
    """

    config: Config_co
    origins: Mapping[str, str]
    warnings: list[str]
    files: Mapping[str, str] = attrs.field(factory=dict)


def load(
    tree: type[Config],
    *,
    yaml_text: str | None = None,
    yaml_source: str = "",
    expand_env: bool = False,
    environment: Mapping[str, str] | None = None,
    flags: Mapping[str, str] | None = None,
    read_secret: ReadSecret | None = None,
    checks: Mapping[str, Callable[[str], object]] | None = None,
) -> Loaded[Config]:
    """
    Read all sources.

    :param expand_env: whether variables in the YAML text are replaced.
    :param environment: all of it; of settings only ``PICO_`` variables are looked at.
    :param flags: by dotted path, as they were written.
    :param read_secret: reads the files of secrets; without it naming one is a fault.
    :param checks: by dotted path: what raises ValueError or ConfigError for a text that cannot be used.
    :raises InvalidConfig: with every fault of every source.
    """
    environment = environment or {}
    faults: list[Fault] = []
    warnings: list[str] = []
    from_yaml: Values = {}
    if yaml_text is not None:
        variables = Variables(yaml_text, environment) if expand_env else None
        root = read(variables.text if variables else yaml_text, yaml_source, faults, variables)
        from_yaml = from_file(tree, root, yaml_source, faults)
    sources = [
        from_flags(tree, flags or {}, faults),
        from_environment(tree, _settings_in(environment), faults, warnings),
        from_yaml,
    ]
    values: Values = {}
    for source in reversed(sources):
        values.update(source)
    files: dict[str, str] = {}
    resolver = SecretResolver(read_secret or _read_nothing)
    keys = keys_of(tree)
    for file in keys.leaves:
        if file.secret:
            secret = keys.by_path[file.secret]
            value, named = resolver.resolve(secret, file, sources)
            _replace(values, secret.path, value)
            _replace(values, file.path, named)
            if named is not None:
                files[file.dotted] = str(named.value)
    faults += resolver.faults
    warnings += resolver.warnings
    faults += conflicts(keys.leaves, values)
    for dotted, check in (checks or {}).items():
        _check(dotted, check, values, faults)
    if faults:
        raise InvalidConfig(sorted(faults, key=lambda fault: (not fault.line, fault.line)))
    origins = {".".join(path): given.origin for path, given in values.items()}
    for given in values.values():
        origins.update(given.below)
    return Loaded(build(tree, {path: given.value for path, given in values.items()}), origins, warnings, files)


def _settings_in(environment: Mapping[str, str]) -> Mapping[str, str]:
    others = {leaf.variable for leaf in FILE_LEAVES}
    return {name: text for name, text in environment.items() if name.startswith("PICO_") and name not in others}


def _read_nothing(path: str) -> SecretFile:
    raise ValueError("no files are read here")


def _replace(values: Values, path: tuple[str, ...], given: Given | None) -> None:
    if given is None:
        values.pop(path, None)
    else:
        values[path] = given


def _check(dotted: str, check: Callable[[str], object], values: Values, faults: list[Fault]) -> None:
    given = values.get(tuple(dotted.split(".")))
    if given is None:
        return
    texts = given.value if isinstance(given.value, tuple) else (given.value,)
    try:
        for text in texts:
            check(str(text))
    except (ValueError, ConfigError) as error:
        faults.append(Fault(given.source, given.line, dotted if given.line else "", str(error)))
