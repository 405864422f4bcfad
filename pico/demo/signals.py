"""
Ctrl-C and its relatives, noted instead of raised.
"""

from __future__ import annotations

import signal
from collections.abc import Callable
from types import FrameType

_Handler = Callable[[int, FrameType | None], object] | int | None


class Interruptions:
    """
    Count the signals that ask the program to end, while the block lasts.

    :ivar count: signals so far.
    """

    def __init__(self) -> None:
        self.count = 0
        self._before: dict[signal.Signals, _Handler] = {}

    def __enter__(self) -> Interruptions:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            before = signal.getsignal(number)
            if number is signal.SIGHUP and before is signal.SIG_IGN:
                continue  # nohup
            self._before[number] = before
            signal.signal(number, self._note)
        return self

    def __exit__(self, *error: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.count += 1
