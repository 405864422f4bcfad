"""
Tests for ``docs/commands.md``.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tests.cli.reference import PAGE, page


class ReferenceTests(SynchronousTestCase):
    """
    The page of all commands.
    """

    def test_is_current(self) -> None:
        """
        It says what the commands say. (``python -m tests.cli.reference`` writes it anew.)
        """
        self.assertEqual(PAGE.read_text(encoding="utf-8"), page())
