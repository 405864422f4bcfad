"""
Work put off to the end of the reactor's turn.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Final

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

_log: Final = Logger(namespace="net")


class Turn:
    """
    Makes all calls that one turn of the reactor asked for together, once its reads and writes are done.

    However many calls are waiting, the reactor holds one timed call for all of them.
    """

    __slots__ = ("_at_end", "_calls")

    def __init__(self, clock: IReactorTime) -> None:
        """
        :param clock: the reactor. One that knows the end of its turns (:mod:`pico.net.reactor`) is asked for it; with
            any other one a call that is due at once does the same, at a higher price.
        """
        at_end: Callable[[Callable[[], None]], object] | None = getattr(clock, "call_at_turn_end", None)
        self._at_end = at_end if at_end is not None else partial(clock.callLater, 0)
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
            self._at_end(self._run)

    def _run(self) -> None:
        calls = self._calls
        self._calls = []
        for call in calls:
            try:
                call()
            except Exception:
                _log.failure("a call at the end of the turn failed")
