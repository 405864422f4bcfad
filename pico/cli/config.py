"""
``pico config``: look at a configuration without running it.
"""

from __future__ import annotations

import click
import msgspec

from pico.cli.options import TreeCommand, load_config, settings_in
from pico.config.agent import AgentConfig
from pico.config.fields import Kind, Tree, leaves
from pico.config.server import ServerConfig
from pico.config.units import format_duration, format_size


@click.group("config")
def config() -> None:
    """
    Check a configuration, or show what comes of it.

    \b
    Example:
      pico config check server --config.path etc/pico.yaml
    """


@config.group("check")
def check() -> None:
    """
    Say everything that is wrong with a configuration.
    """


@config.group("show")
def show() -> None:
    """
    Show every setting, and where its value comes from.
    """


def _add(name: str, tree: type[msgspec.Struct]) -> None:
    @check.command(name, cls=TreeCommand, tree=tree, help=f"Check the configuration of {_article(name)}.")
    def check_one(**values: object) -> None:
        load_config(tree, settings_in(values))
        click.echo("the configuration is valid")

    @show.command(name, cls=TreeCommand, tree=tree, help=f"Show the configuration of {_article(name)}.")
    def show_one(**values: object) -> None:
        loaded = load_config(tree, settings_in(values))
        rows = [
            (
                leaf.dotted,
                _written(leaf.setting.kind, _value(loaded.config, leaf.path)),
                loaded.origins.get(leaf.dotted),
            )
            for leaf in leaves(tree)
        ]
        width = max(len(f"{path}: {value}") for path, value, _ in rows)
        for path, value, origin in rows:
            click.echo(f"{path + ': ' + value:{width}}  # {origin or 'default'}")


def _article(name: str) -> str:
    return "an agent" if name == "agent" else "a node"


def _value(config: msgspec.Struct, path: tuple[str, ...]) -> object:
    value: object = config
    for name in path:
        value = getattr(value, name)
    return value


def _written(kind: Kind, value: object) -> str:
    if kind is Kind.SECRET:
        return "********" if value else '""'
    if kind is Kind.DURATION and isinstance(value, float):
        return format_duration(value)
    if kind is Kind.SIZE and isinstance(value, int):
        return format_size(value)
    if kind is Kind.LISTENERS and isinstance(value, tuple):
        return "[" + ", ".join(f"{item.endpoint_id} -> {item.addr}" for item in value) + "]"
    if isinstance(value, tuple):
        return "[" + ", ".join(map(str, value)) + "]"
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) or '""'


_TREES: dict[str, Tree] = {"server": ServerConfig, "agent": AgentConfig}
for _name, _tree in _TREES.items():
    _add(_name, _tree)
