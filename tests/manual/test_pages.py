"""
The pages themselves: none can escape its test.
"""

from __future__ import annotations

from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests.manual.page import File, Given, Skipped, steps
from tests.manual.places import unmoved

_ROOT = Path(__file__).parent.parent.parent
_DOCS = _ROOT / "docs"
_FOLLOWED = (_ROOT / "tests" / "system" / "test_manual.py").read_text(encoding="utf-8")


class PagesTests(SynchronousTestCase):
    """
    ``docs/tutorial`` and ``docs/howto``.
    """

    def setUp(self) -> None:
        self.pages = {
            str(path.relative_to(_DOCS)): path.read_text(encoding="utf-8")
            for folder in ("tutorial", "howto")
            for path in sorted((_DOCS / folder).glob("*.md"))
        }

    def test_followed(self) -> None:
        """
        Each has its test.
        """
        self.assertTrue(self.pages)
        for name in self.pages:
            self.assertIn(f'self.follow("{name}")', _FOLLOWED)

    def test_can_be_followed(self) -> None:
        """
        Each can be read as steps, asks for nothing that tests do not have, and uses no port but those that are moved.
        """
        for name, text in self.pages.items():
            for step in steps(name, text):
                if isinstance(step, Given):
                    self.assertIn(f'"{step.name}":', _FOLLOWED, step.where)
                elif isinstance(step, File):
                    self.assertEqual(unmoved(step.text), set(), step.where)
                elif not isinstance(step, Skipped):
                    self.assertEqual(unmoved(getattr(step, "text", "")), set(), step.where)
