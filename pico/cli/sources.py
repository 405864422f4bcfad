"""
Where a configuration is read from: flags, the environment, a file, and the files of secrets.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Mapping
from typing import TypeVar

import attrs
import msgspec

from pico.config.agent import AgentConfig
from pico.config.fields import Leaf, Tree
from pico.config.keys import FILE_LEAVES
from pico.config.load import Loaded, load
from pico.config.secret import SecretFile
from pico.config.trees import Program, recognise
from pico.config.values import convert
from pico.config.yaml import read
from pico.errors import ConfigError

Config = TypeVar("Config", bound=msgspec.Struct)

#: Larger files are not what they are taken for.
MAX_CONFIG = 1024 * 1024
MAX_SECRET = 64 * 1024

_PATH, _EXPAND = FILE_LEAVES


@attrs.frozen
class Sources:
    """
    What was given, not understood yet.

    :ivar path: of the file; empty without.
    :ivar text: of the file.
    :ivar flags: by dotted path, as they were written.
    """

    path: str
    text: str | None
    expand_env: bool
    environment: Mapping[str, str]
    flags: Mapping[str, str]

    def load(self, tree: type[Config]) -> Loaded[Config]:
        """
        Read all of it.

        :raises pico.config.faults.InvalidConfig: with every fault.
        """
        return load(
            tree,
            yaml_text=self.text,
            yaml_source=self.path,
            expand_env=self.expand_env,
            environment=self.environment,
            flags=self.flags,
            read_secret=read_secret,
            checks=_checks(tree),
        )

    def recognise(self) -> Program:
        """
        Tell whose configuration it is: by the flags, or else by the file, or else by the environment, which may be
        meant for others.
        """
        return recognise(
            [dotted.partition(".")[0] for dotted in self.flags],
            [] if self.text is None else read(self.text, self.path, []).items,
            [
                name.removeprefix("PICO_").partition("__")[0].lower()
                for name in self.environment
                if name.startswith("PICO_")
            ],
        )


def gather(flags: Mapping[str, str], environment: Mapping[str, str] | None = None) -> Sources:
    """
    Look for the file, and read it.

    :param flags: by dotted path, those that name the file among them.
    :param environment: that of the process unless given.
    :raises ConfigError: the file cannot be read.
    """
    environment = os.environ if environment is None else environment
    settings = dict(flags)
    path = settings.pop(_PATH.dotted, environment.get(_PATH.variable, ""))
    expand_env = settings.pop(_EXPAND.dotted, None)
    source = _EXPAND.flag
    if expand_env is None:
        expand_env, source = environment.get(_EXPAND.variable, "false"), _EXPAND.variable
    return Sources(
        path,
        read_config(path) if path else None,
        _truth(_EXPAND, expand_env, source),
        dict(environment),
        settings,
    )


def read_config(path: str) -> str:
    """
    Read a configuration file.

    :raises ConfigError: it cannot be read, with the reason.
    """
    try:
        return _read(path, MAX_CONFIG)[0]
    except ValueError as error:
        raise ConfigError(f"cannot read {path}: {error}") from None


def read_secret(path: str) -> SecretFile:
    """
    Read a file that holds a secret.

    :raises ValueError: with the reason why that is not possible.
    """
    text, mode = _read(path, MAX_SECRET)
    return SecretFile(text, exposed=stat.S_ISREG(mode) and bool(mode & stat.S_IROTH))


def _read(path: str, limit: int) -> tuple[str, int]:
    try:
        with open(path, "rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            data = file.read(limit + 1)
    except OSError as error:
        raise ValueError((error.strerror or str(error)).lower()) from None
    if len(data) > limit:
        raise ValueError(f"it is larger than {limit // 1024} KiB")
    try:
        return data.decode("utf-8"), mode
    except UnicodeDecodeError:
        raise ValueError("it is not UTF-8") from None


def _truth(leaf: Leaf, text: str, source: str) -> bool:
    try:
        return bool(convert(leaf, text))
    except ValueError as error:
        raise ConfigError(f"{source}: {error}") from None


def _checks(tree: Tree) -> Mapping[str, Callable[[str], object]]:
    """
    Checks that need rooms above the configuration's own.
    """
    if tree is not AgentConfig:
        return {}
    from pico.client.urls import parse_node_url

    return {"connect.url": parse_node_url}
