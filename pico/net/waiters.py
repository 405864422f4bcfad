"""
Those who wait for one thing.
"""

from __future__ import annotations

from typing import Generic, TypeVar

from twisted.internet.defer import Deferred

_T = TypeVar("_T")


class Waiters(Generic[_T]):
    """
    Tell everybody who waits when it happens. Any of them may give up before, by cancelling; also because of what
    another one is told.
    """

    __slots__ = ("_waiting",)

    def __init__(self) -> None:
        self._waiting: dict[Deferred[_T], None] = {}

    def __len__(self) -> int:
        """
        How many wait.
        """
        return len(self._waiting)

    def wait(self) -> Deferred[_T]:
        """
        Wait for it.

        :return: fires with what all are told; it is the caller's, who may cancel it.
        """
        waiting: Deferred[_T] = Deferred(self._waiting.pop)
        self._waiting[waiting] = None
        return waiting

    def tell(self, what: _T) -> None:
        """
        It has happened: each one that waits now is told, in the order in which they came.
        """
        for each in list(self._waiting):
            if each in self._waiting:
                del self._waiting[each]
                each.callback(what)
