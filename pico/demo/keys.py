"""
Single keys of a terminal, taken without waiting for the end of a line.
"""

from __future__ import annotations

import os
import select
import sys
import termios
import tty
from typing import TextIO

#: Bytes taken at once; who holds a key down is not listened to for longer than that.
_MOST = 64


class Keys:
    """
    What is typed while the block lasts.

    Ctrl-C stays a signal. Where standard input is no terminal, or the program does not own it, nothing is ever typed.
    """

    def __init__(self, source: TextIO | None = None) -> None:
        """
        :param source: a terminal or not; standard input when not given.
        """
        source = sys.stdin if source is None else source
        self._descriptor = -1
        if source is not None and source.isatty():
            self._descriptor = source.fileno()
        self._before: list[int | list[bytes | int]] = []

    def __enter__(self) -> Keys:
        if self._descriptor >= 0:
            if os.tcgetpgrp(self._descriptor) != os.getpgrp():
                # In the background: to touch the terminal would stop the program.
                self._descriptor = -1
            else:
                self._before = termios.tcgetattr(self._descriptor)
                tty.setcbreak(self._descriptor, termios.TCSADRAIN)
        return self

    def __exit__(self, *error: object) -> None:
        if self._descriptor >= 0:
            termios.tcsetattr(self._descriptor, termios.TCSADRAIN, self._before)

    @property
    def listening(self) -> bool:
        """
        Whether there is somebody who could type.
        """
        return self._descriptor >= 0

    def take(self) -> str:
        """
        What was typed since the last call.
        """
        if self._descriptor < 0 or not select.select([self._descriptor], [], [], 0)[0]:
            return ""
        try:
            data = os.read(self._descriptor, _MOST)
        except OSError:
            data = b""
        if not data:
            # The terminal is gone. The signal of that ends the demo, or nohup keeps it.
            self._descriptor = -1
        return data.decode("ascii", "replace")
