"""
How loud an event must be to be written.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

#: The levels of twisted.logger, from the quietest.
LEVELS: Final = ("debug", "info", "warn", "error", "critical")

_LOUDNESS: Final = {level: number for number, level in enumerate(LEVELS)}

#: What others than Pico have to say is of interest from here on.
_FOREIGN: Final = _LOUDNESS["warn"]


class Threshold:
    """
    The lowest level that is written, and the subsystems of which everything is.
    """

    def __init__(self, level: str = "info", subsystems: Collection[str] = ()) -> None:
        """
        :param level: one of :data:`LEVELS`.
        """
        self._lowest = _LOUDNESS[level]
        self._subsystems = frozenset(subsystems)
        self._known: dict[tuple[str, str], bool] = {}

    def passes(self, level: str, subsystem: str) -> bool:
        """
        Whether an event is written. Twisted's own must be warnings at least, however low the level.
        """
        # Subsystems are written in the code, so there are only so many.
        known = self._known.get((level, subsystem))
        if known is None:
            known = self._known[level, subsystem] = self._decide(level, subsystem)
        return known

    def _decide(self, level: str, subsystem: str) -> bool:
        if subsystem in self._subsystems:
            return True
        lowest = max(self._lowest, _FOREIGN) if is_foreign(subsystem) else self._lowest
        return _LOUDNESS.get(level, _LOUDNESS["info"]) >= lowest


def subsystem_of(namespace: str | None) -> str:
    """
    The subsystem that an event belongs to: its logger's name, or if that is the name of a class of ours (which
    twisted.logger makes of a logger in a class), the room of the class.
    """
    if not namespace:
        return "-"
    return namespace.split(".", 2)[1] if namespace.startswith("pico.") else namespace


def is_foreign(subsystem: str) -> bool:
    """
    Whether an event comes from Twisted, or from somebody who uses its old log.
    """
    return subsystem.startswith("twisted") or subsystem in ("-", "log_legacy")
