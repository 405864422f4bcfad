"""
What the benchmark is doing, for whoever waits.
"""

from __future__ import annotations

from typing import TextIO


class Progress:
    """
    One line that is rewritten on a terminal, a line a step elsewhere.
    """

    def __init__(self, out: TextIO, steps: int) -> None:
        """
        :param steps: how many there will be.
        """
        self._out = out
        self._steps = steps
        self._done = 0
        self._terminal = out.isatty()

    def say(self, text: str) -> None:
        """
        Tell something that is not a step.
        """
        self._write(text)

    def step(self, text: str) -> None:
        """
        Begin a step.
        """
        self._done += 1
        width = len(str(self._steps))
        self._write(f"[{self._done:{width}}/{self._steps}] {text}")

    def end(self) -> None:
        """
        Leave nothing behind on a terminal.
        """
        if self._terminal:
            self._out.write("\r\x1b[K")
            self._out.flush()

    def _write(self, text: str) -> None:
        self._out.write(f"\r\x1b[K{text}" if self._terminal else f"{text}\n")
        self._out.flush()
