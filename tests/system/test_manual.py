"""
The tutorial and the how-tos, followed word for word.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from tests.manual.page import steps
from tests.system.case import SystemTestCase
from tests.system.manual_shell import Reader
from tests.system.processes import ROOT

DOCS = ROOT / "docs"

#: What pages may take for granted.
GIVENS: Mapping[str, Callable[[Reader], None]] = {}


class ManualTests(SystemTestCase):
    """
    What a reader does, and what comes of it.
    """

    def follow(self, name: str) -> None:
        """
        Do what a page says, from its beginning to its end.
        """
        reader = Reader(self.scene.directory, GIVENS)
        self.addCleanup(reader.close)
        try:
            for step in steps(name, (DOCS / name).read_text(encoding="utf-8")):
                reader.follow(step)
            reader.check()
        except BaseException:
            reader.show()
            raise

    def test_getting_started(self) -> None:
        """
        The tutorial.
        """
        self.follow("tutorial/getting-started.md")
