"""
How far it is, for whoever waits.
"""

from __future__ import annotations

from typing import TextIO

_WIDTH = 30


def bar_line(done: int, total: int, text: str, columns: int) -> str:
    """
    Draw a bar, its share and a text, in one line of a terminal.

    :param columns: of the terminal; the line is shorter.
    """
    share = min(1.0, done / total) if total else 1.0
    full = int(share * _WIDTH)
    line = f"[{'#' * full}{'.' * (_WIDTH - full)}] {share:4.0%}  {text}"
    return line[: max(0, columns - 1)]


class Bar:
    """
    A line that is rewritten, on terminals only.
    """

    def __init__(self, out: TextIO, *, terminal: bool, columns: int) -> None:
        self._out = out
        self._terminal = terminal
        self._columns = columns

    def show(self, done: int, total: int, text: str) -> None:
        """
        Rewrite it.
        """
        self._write(bar_line(done, total, text, self._columns))

    def clear(self) -> None:
        """
        Leave nothing behind.
        """
        self._write("")

    def _write(self, line: str) -> None:
        if self._terminal:
            self._out.write(f"\r\x1b[K{line}")
            self._out.flush()
