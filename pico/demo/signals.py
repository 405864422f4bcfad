"""
Ctrl-C and its relatives, noted instead of raised.
"""

from __future__ import annotations

import signal
from collections.abc import Callable
from types import FrameType

_Handler = Callable[[int, FrameType | None], object] | int | None


#: What the demo is asked for by signals, as the keys that ask for the same.
_WISHES = {signal.SIGUSR1: "k", signal.SIGUSR2: "s"}

#: Wishes that wait; more are not heard.
_MOST = 64


class Interruptions:
    """
    Count the signals that ask the program to end, while the block lasts, and note those that ask for something else.

    :ivar count: signals so far that ask for the end.
    """

    def __init__(self) -> None:
        self.count = 0
        self._wishes = ""
        self._before: dict[signal.Signals, _Handler] = {}

    def __enter__(self) -> Interruptions:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            before = signal.getsignal(number)
            if number is signal.SIGHUP and before is signal.SIG_IGN:
                continue  # nohup
            self._before[number] = before
            signal.signal(number, self._note)
        for number in _WISHES:
            self._before[number] = signal.signal(number, self._wish)
        return self

    def __exit__(self, *error: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def take(self) -> str:
        """
        The keys that stand for the signals since the last call: ``k`` for SIGUSR1, ``s`` for SIGUSR2.
        """
        wishes, self._wishes = self._wishes, ""
        return wishes

    def _wish(self, number: int, frame: FrameType | None) -> None:
        if len(self._wishes) < _MOST:
            self._wishes += _WISHES[signal.Signals(number)]

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.count += 1
