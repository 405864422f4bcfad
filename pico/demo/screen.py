"""
Lines for people, and a table below them that is kept up to date.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TextIO


class Screen:
    """
    Where the demo writes.

    :ivar unheard: whether the terminal or the pipe is gone, so that there is nobody to run for.
    """

    def __init__(self, out: TextIO, *, live: bool) -> None:
        """
        :param live: whether the table is drawn anew in its place, as on a terminal; else it is written again.
        """
        self.unheard = False
        self._out = out
        self._live = live
        self._table: Sequence[str] = []
        #: Lines of the table that stand at the end of the terminal.
        self._drawn = 0

    def say(self, *lines: str, end: str = "\n") -> None:
        """
        Write lines, above the table if there is one.
        """
        self._erase()
        self._write(*lines, end=end)
        if self._live:
            self._draw()

    def show(self, table: Sequence[str]) -> None:
        """
        Let this be the table.
        """
        if table == self._table:
            return
        self._erase()
        self._table = table
        self._draw()

    def leave(self) -> None:
        """
        Let the table stand where it is: from now on there is none.
        """
        self._table = []
        self._drawn = 0

    # Inside

    def _draw(self) -> None:
        if self._table:
            self._write("", *self._table)
            self._drawn = len(self._table) + 1 if self._live else 0

    def _erase(self) -> None:
        if self._drawn:
            self._write(f"\x1b[{self._drawn}A\x1b[J", end="")
            self._drawn = 0

    def _write(self, *lines: str, end: str = "\n") -> None:
        if self.unheard:
            return
        try:
            for line in lines:
                print(line, end=end, file=self._out)
            self._out.flush()
        except OSError:
            self.unheard = True
