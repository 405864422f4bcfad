"""
Work put off to the end of the reactor's turn.
"""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger


class Turn:
    """
    Makes all calls that one turn of the reactor asked for together, once its reads and writes are done.

    However many calls are waiting, the reactor holds one timed call for all of them.
    """

    __slots__ = ("_calls", "_clock")

    _log = Logger()

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock
        self._calls: list[Callable[[], None]] = []

    def at_end(self, call: Callable[[], None]) -> None:
        """
        Run ``call`` once at the end of this turn, after the calls that were asked for before it.

        What is asked for while the calls run belongs to the next turn. A call that raises is logged and
        does not keep the others from running.
        """
        calls = self._calls
        calls.append(call)
        if len(calls) == 1:
            self._clock.callLater(0, self._run)

    def _run(self) -> None:
        calls = self._calls
        self._calls = []
        for call in calls:
            try:
                call()
            except Exception:
                self._log.failure("a call at the end of the turn failed")
