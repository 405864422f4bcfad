"""
Values to give for settings, by their kinds.
"""

from __future__ import annotations

from collections.abc import Iterable

from pico.config.fields import Kind, Leaf
from pico.config.keys import Path

#: Three texts of each kind that mean different things, none of which is a default of any setting.
SAMPLES: dict[Kind, tuple[str, str, str]] = {
    Kind.TEXT: ("one", "two", "three"),
    Kind.NAME: ("one", "two", "three"),
    Kind.HEADER: ("one", "two", "three"),
    Kind.SECRET: ("one", "two", "three"),
    Kind.SECRETS: ("one" * 9, "one" * 9 + "," + "two" * 9, "three" * 9),
    Kind.FACTOR: ("11", "1.5", "12.25"),
    Kind.SEEDS: ("one", "one:1001,[::1]:1002", "10.0.0.1"),
    Kind.TOKEN: ("one", "two", "three"),
    Kind.PATH: ("/one", "/two", "/three"),
    Kind.COUNT: ("1001", "1002", "1003"),
    Kind.DURATION: ("1001s", "1002s", "1003s"),
    Kind.SIZE: ("1001KiB", "1002KiB", "1003KiB"),
    Kind.ADDRESS: (":1001", "127.0.0.1:1002", "[::1]:1003"),
    Kind.ADVERTISE: ("one:1001", "127.0.0.1:1002", "[::1]:1003"),
    Kind.URLS: ("http://one:1001", "https://two,http://three/a,b", "ws://[::1]:1003/path"),
    Kind.SERVICE: ("1001", "two:1002", "http://[::1]:1003/path"),
    Kind.ENDPOINT: ("one", "two", "three"),
    Kind.LEVEL: ("debug", "warn", "error"),
    Kind.WORDS: ("one", "one,two", "three"),
    Kind.NETWORKS: ("10.0.0.0/8", "10.0.0.0/8,::1", "fd00::/8"),
    Kind.LISTENERS: ("one/1001", "two/localhost:1002", "three/http://h:1003/p"),
}


def samples(leaf: Leaf) -> tuple[str, str, str]:
    """
    Three texts for a setting; the neighbours differ, and the first is not the default.
    """
    kind = leaf.setting.kind
    if kind is Kind.BOOL:
        other = "false" if leaf.default else "true"
        return other, "true" if leaf.default else "false", other
    if kind is Kind.COUNT and leaf.setting.most < 1001:
        return "11", "12", "13"
    if kind is Kind.FACTOR and leaf.setting.most <= 1:
        return "0.3", "0.5", "1"
    if kind is Kind.FORMAT:
        return "json", "text", "json"
    return SAMPLES[kind]


def compatible(leaves: Iterable[Leaf]) -> list[list[Leaf]]:
    """
    Settings that can all be given at once: without those that exclude others, and without those that are excluded.
    """
    every = list(leaves)
    excluded = {(*leaf.path[:-1], leaf.setting.excludes) for leaf in every if leaf.setting.excludes}
    return [
        [leaf for leaf in every if not leaf.setting.excludes],
        [leaf for leaf in every if leaf.path not in excluded],
    ]


def yaml_of(settings: Iterable[tuple[Path, str]]) -> tuple[str, dict[Path, int]]:
    """
    A YAML file with some settings, in the order of their sections.

    :return: it, and the line of each setting.
    """
    lines: list[str] = []
    found: dict[Path, int] = {}
    above: Path = ()
    for path, text in settings:
        shared = 0
        while shared < len(path) - 1 and above[shared : shared + 1] == path[shared : shared + 1]:
            shared += 1
        for depth in range(shared, len(path)):
            value = f" '{text}'" if depth == len(path) - 1 else ""
            lines.append(f"{'  ' * depth}{path[depth]}:{value}")
        found[path] = len(lines)
        above = path
    return "".join(f"{line}\n" for line in lines), found
