"""
Tests for :mod:`pico.demo.screen`.
"""

from __future__ import annotations

import io

from twisted.trial.unittest import SynchronousTestCase

from pico.demo.screen import Screen


class Terminal:
    """
    As much of a terminal as the demo uses: lines, and going up.
    """

    def __init__(self, written: str) -> None:
        self.lines = [""]
        for piece in written.split("\n"):
            while piece.startswith("\x1b["):
                up, _, piece = piece[2:].partition("A\x1b[J")
                del self.lines[len(self.lines) - 1 - int(up) :]
                self.lines.append("")
            self.lines[-1] += piece
            self.lines.append("")
        self.lines.pop()


class LiveTests(SynchronousTestCase):
    """
    On a terminal.
    """

    def setUp(self) -> None:
        self.out = io.StringIO()
        self.screen = Screen(self.out, live=True)

    def shown(self) -> list[str]:
        return Terminal(self.out.getvalue()).lines

    def test_lines(self) -> None:
        """
        Without a table lines are written as they come.
        """
        self.screen.say("one", "two")
        self.screen.say("half", end="")
        self.screen.say(" and half")
        self.assertEqual(self.out.getvalue(), "one\ntwo\nhalf and half\n")

    def test_table_stays_below(self) -> None:
        """
        What is said later stands above the table, which is there once.
        """
        self.screen.say("one")
        self.screen.show(["HEAD", "row"])
        self.screen.say("two")
        self.assertEqual(self.shown(), ["one", "two", "", "HEAD", "row", ""])

    def test_table_is_replaced(self) -> None:
        """
        A new table stands where the old one stood, also if it is shorter.
        """
        self.screen.say("one")
        self.screen.show(["HEAD", "row", "another"])
        self.screen.show(["HEAD", "changed"])
        self.assertEqual(self.shown(), ["one", "", "HEAD", "changed", ""])

    def test_same_table(self) -> None:
        """
        Nothing is written for a table that has not changed.
        """
        self.screen.show(["HEAD"])
        before = self.out.getvalue()
        self.screen.show(["HEAD"])
        self.assertEqual(self.out.getvalue(), before)

    def test_leave(self) -> None:
        """
        The last table stays, and lines follow it.
        """
        self.screen.show(["HEAD"])
        self.screen.leave()
        self.screen.say("stopped")
        self.assertEqual(self.shown(), ["", "HEAD", "stopped", ""])


class PlainTests(SynchronousTestCase):
    """
    In a file or a pipe.
    """

    def test_table(self) -> None:
        """
        A table is written when it has changed, and nothing is ever taken back.
        """
        out = io.StringIO()
        screen = Screen(out, live=False)
        screen.show(["HEAD", "row"])
        screen.say("one")
        screen.show(["HEAD", "row"])
        screen.show(["HEAD", "changed"])
        self.assertEqual(out.getvalue(), "\nHEAD\nrow\none\n\nHEAD\nchanged\n")

    def test_nobody_reads(self) -> None:
        """
        When the pipe is gone that is noted, and nothing more is written.
        """
        tries = []

        class Closed(io.StringIO):
            def write(self, text: str) -> int:
                tries.append(text)
                raise BrokenPipeError

        screen = Screen(Closed(), live=False)
        screen.say("one")
        screen.say("two")
        self.assertTrue(screen.unheard)
        self.assertEqual(tries, ["one"])
