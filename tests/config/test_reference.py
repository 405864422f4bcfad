"""
Tests for :mod:`pico.config.reference`: the manual's page.
"""

from __future__ import annotations

from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from pico.config.agent import ListenerConfig
from pico.config.keys import FILE_LEAVES, keys_of
from pico.config.reference import reference
from pico.config.trees import PROGRAMS

PAGE = Path(__file__).parents[2] / "docs" / "configuration.md"


class ReferenceTests(SynchronousTestCase):
    """
    ``docs/configuration.md``.
    """

    def test_is_fresh(self) -> None:
        """
        The page is what the program makes of its settings.
        """
        stale = "docs/configuration.md is stale; make it anew: pico config docs > docs/configuration.md"
        self.assertEqual(PAGE.read_text(encoding="utf-8"), reference(), stale)

    def test_everything_is_there(self) -> None:
        """
        Every setting stands there with its path, flag, variable, other names and help.
        """
        page = reference()
        rows = [line for line in page.splitlines() if line.startswith("| ")]
        for program in PROGRAMS:
            for leaf in keys_of(program.tree).leaves:
                row = next(row for row in rows if f"**`{leaf.dotted}`**" in row and leaf.setting.help in row)
                self.assertIn(f"`{leaf.variable}`", row)
                for alias in leaf.setting.aliases:
                    self.assertIn(alias, row)
                self.assertIn(f"`{leaf.flag}`", row)
        for leaf in FILE_LEAVES:
            self.assertIn(f"`{leaf.flag}`<br>`{leaf.variable}`", page)
        for leaf in keys_of(ListenerConfig).leaves:
            self.assertTrue(any(row.startswith(f"| `{leaf.dotted}` |") for row in rows), leaf.dotted)

    def test_tables(self) -> None:
        """
        Every row of a table has as many cells as its head.
        """
        cells = 0
        for line in reference().splitlines():
            count = line.replace("\\|", "").count("|") if line.startswith("|") else 0
            if count and cells:
                self.assertEqual(count, cells, line)
            cells = count
