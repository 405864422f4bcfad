"""
The manual's page about all settings, made from the trees.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from math import inf

from pico.config.agent import ListenerConfig
from pico.config.fields import Leaf, Tree, flag_of, sections, variable_of
from pico.config.keys import FILE_LEAVES, keys_of
from pico.config.trees import AGENT, SERVER
from pico.config.values import written_default, written_least, written_most

_INTRODUCTION = """\
# Configuration reference

Every setting of `pico server` (and `twistd pico`) and of `pico agent`. This page is made from the program:
`pico config docs` prints it. How settings are given, and which source wins, is in
[Operating](operating.md#settings).

A duration is written with its unit (`500ms`, `10s`, `1m30s`), a size with or without (`64KiB`, `1MB`, `65536`). A list
is `[a, b]` in a file and `a,b` elsewhere. A switch is turned on by its flag alone and off by `=false` behind it. An
address without a host (`:8000`) is all of the machine's, IPv4 and IPv6; an IPv6 address stands in brackets
(`[::1]:8000`).

The value of a secret stands in the file that `…_file` names, or in the setting itself. The file's last line end does
not count, and a file with nothing else gives no secret.
"""

_LISTENERS = """\
Each item of `listeners` is an `ENDPOINT/ADDR` in short, or a section with these keys. `pico agent http` takes the
optional ones as flags, for the one service that it exposes.
"""


def reference() -> str:
    """
    The page, in Markdown.
    """
    return "\n".join(_parts())


def _parts() -> Iterator[str]:
    yield _INTRODUCTION
    yield "## Where the file is\n"
    yield _table(FILE_LEAVES, in_file=False)
    yield "## The node: `pico server`, `twistd pico`\n"
    yield from _tree(SERVER.tree)
    yield "## The agent: `pico agent`\n"
    yield from _tree(AGENT.tree)
    yield "### An agent's `listeners`\n"
    yield _LISTENERS
    yield _listener_table()


def _tree(tree: Tree) -> Iterator[str]:
    keys = keys_of(tree)
    below = sections(tree)
    own = [leaf for leaf in keys.leaves if len(leaf.path) == 1]
    for name, section in below.items():
        yield f"### `{name}`\n"
        yield f"{_summary(section)}\n"
        yield _table(leaf for leaf in keys.leaves if leaf.path[0] == name)
    yield "### Without a section\n"
    yield _table(own)


def _summary(tree: Tree) -> str:
    return " ".join((tree.__doc__ or "").split())


def _table(leaves: Iterable[Leaf], *, in_file: bool = True) -> str:
    rows = ["| setting | value | default | what it is |", "|---|---|---|---|"]
    for leaf in leaves:
        names = [
            *([f"**`{leaf.dotted}`**"] if in_file else []),
            f"`{leaf.flag}`",
            f"`{leaf.variable}`",
        ]
        rows.append(f"| {'<br>'.join(names)} | {_value(leaf)} | {_default(leaf)} | {_help(leaf)} |")
    return "\n".join(rows) + "\n"


def _listener_table() -> str:
    rows = ["| key | flag of `pico agent http` | value | default | what it is |", "|---|---|---|---|---|"]
    for leaf in keys_of(ListenerConfig).leaves:
        flag = "" if leaf.setting.required else f"`{leaf.flag}`"
        rows.append(f"| `{leaf.dotted}` | {flag} | {_value(leaf)} | {_default(leaf)} | {_help(leaf)} |")
    return "\n".join(rows) + "\n"


def _value(leaf: Leaf) -> str:
    return leaf.setting.kind.value


def _default(leaf: Leaf) -> str:
    if leaf.setting.required:
        return "must be given"
    default = written_default(leaf)
    return f"`{default}`" if default else ""


def _help(leaf: Leaf) -> str:
    text = leaf.setting.help.replace("|", "\\|")
    aliases = [path for path in leaf.paths if path != leaf.path]
    if aliases:
        names = ", ".join(f"`{'.'.join(path)}`, `{flag_of(path)}`, `{variable_of(path)}`" for path in aliases)
        text += f" Also {names}."
    if leaf.setting.excludes:
        text += f" Not together with `{leaf.setting.excludes}`."
    if leaf.setting.least >= 1:
        text += f" At least {written_least(leaf)}."
    if leaf.setting.most < inf:
        text += f" At most {written_most(leaf)}."
    return text
