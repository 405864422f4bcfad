"""
Four sources, one value: flags over environment over YAML over defaults, for every setting.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import combinations

import msgspec
from twisted.trial.unittest import SynchronousTestCase

from pico.config.fields import Leaf, variable_of
from pico.config.keys import Path, keys_of
from pico.config.load import Loaded, load
from pico.config.trees import PROGRAMS, Program
from pico.config.values import convert, value_at
from tests.config.support import compatible, samples, yaml_of

#: The first wins.
SOURCES = ("flags", "environment", "file")


def settings_of(program: Program) -> list[Leaf]:
    """
    The settings that have a value of their own: the names of secrets' files have none.
    """
    return [leaf for leaf in keys_of(program.tree).leaves if not leaf.secret]


def load_from(program: Program, names: Iterable[tuple[Leaf, Path]], chosen: tuple[str, ...]) -> Loaded[msgspec.Struct]:
    """
    Give settings under the names that are told, in each of the chosen sources another value.
    """
    texts = [(path, dict(zip(SOURCES, samples(leaf), strict=True))) for leaf, path in names]
    text, _ = yaml_of((path, each["file"]) for path, each in texts)
    return load(
        program.tree,
        flags={".".join(path): each["flags"] for path, each in texts} if "flags" in chosen else {},
        environment={variable_of(path): each["environment"] for path, each in texts} if "environment" in chosen else {},
        yaml_text=text if "file" in chosen else None,
        yaml_source="f",
    )


class PrecedenceTests(SynchronousTestCase):
    """
    Every setting of a node and of an agent.
    """

    def test_every_combination(self) -> None:
        """
        Of the sources that give a setting the first wins, and is named as its origin.
        """
        for program, settings in [(each, leaves) for each in PROGRAMS for leaves in compatible(settings_of(each))]:
            _, lines = yaml_of((leaf.path, "") for leaf in settings)
            for chosen in [each for count in range(4) for each in combinations(SOURCES, count)]:
                loaded = load_from(program, [(leaf, leaf.path) for leaf in settings], chosen)
                for leaf in settings:
                    value, origin = leaf.default, "default"
                    if chosen:
                        winner = SOURCES.index(chosen[0])
                        value = convert(leaf, samples(leaf)[winner])
                        origin = (leaf.flag, leaf.variable, f"f:{lines[leaf.path]}")[winner]
                    what = (leaf.dotted, chosen)
                    self.assertEqual(value_at(loaded.config, leaf.path), value, what)
                    self.assertEqual(loaded.origins.get(leaf.dotted, "default"), origin, what)

    def test_samples_differ(self) -> None:
        """
        The test above would see the wrong winner.
        """
        for leaf in [leaf for program in PROGRAMS for leaf in settings_of(program)]:
            first, second, third = (convert(leaf, text) for text in samples(leaf))
            self.assertNotEqual(first, second, leaf.dotted)
            self.assertNotEqual(second, third, leaf.dotted)
            self.assertNotEqual(first, leaf.default, leaf.dotted)

    def test_aliases(self) -> None:
        """
        Other names hold for every source, too, and give the same setting.
        """
        names = [(program, leaf, path) for program in PROGRAMS for leaf in settings_of(program) for path in leaf.paths]
        aliases = [(program, leaf, path) for program, leaf, path in names if path != leaf.path]
        dotted = {".".join(path) for _, _, path in aliases}
        self.assertLessEqual({"endpoints", "server.url", "auth.api_key"}, dotted)
        for program, leaf, path in aliases:
            for number, source in enumerate(SOURCES):
                loaded = load_from(program, [(leaf, path)], (source,))
                expected = convert(leaf, samples(leaf)[number])
                self.assertEqual(value_at(loaded.config, leaf.path), expected, (path, source))
