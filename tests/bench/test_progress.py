"""
Tests for :mod:`pico.bench.progress`.
"""

from __future__ import annotations

from io import StringIO

from twisted.trial.unittest import SynchronousTestCase

from pico.bench.progress import Progress


class Terminal(StringIO):
    def isatty(self) -> bool:
        return True


class ProgressTests(SynchronousTestCase):
    def test_file(self) -> None:
        """
        In a file each step is a line that counts.
        """
        out = StringIO()
        progress = Progress(out, 12)
        progress.say("starting")
        progress.step("one")
        progress.step("two")
        progress.end()
        self.assertEqual(out.getvalue(), "starting\n[ 1/12] one\n[ 2/12] two\n")

    def test_terminal(self) -> None:
        """
        On a terminal one line is rewritten, and nothing is left of it.
        """
        out = Terminal()
        progress = Progress(out, 2)
        progress.step("one")
        progress.end()
        self.assertEqual(out.getvalue(), "\r\x1b[K[1/2] one\r\x1b[K")
