"""
Many deadlines on one timer.

A deadline that moves later, as an idle timer does with every byte, costs an attribute store: it stays
in the bucket where it is and changes it when that bucket's time comes. Only one that moves to an
earlier bucket changes its place at once. So each deadline is in one bucket at most, buckets hold
nothing stale, and cancelling frees everything.

Deadlines are met up to one resolution late, never early.
"""

from __future__ import annotations

from collections.abc import Callable
from heapq import heappop, heappush
from math import ceil, inf
from typing import Final

from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

_log: Final = Logger(namespace="net")


class Deadline:
    """
    One moment that may come; made by :meth:`Deadlines.watch`.

    Its owner calls :meth:`cancel` when it has no more use for it.
    """

    __slots__ = ("_bucket", "_call", "_due", "_floor", "_wheel")

    def __init__(self, wheel: Deadlines, call: Callable[[], None]) -> None:
        self._wheel = wheel
        self._call = call
        #: When to call; infinite when off.
        self._due = inf
        #: The bucket that holds this, if one does.
        self._bucket: dict[Deadline, None] | None = None
        #: What is due at this moment or before belongs into an earlier bucket. Infinite without a
        #: bucket, negative infinite once cancelled.
        self._floor = inf

    def set(self, seconds: float) -> None:
        """
        Be due in ``seconds`` from now, whatever was set before; 0 or less turns it off.
        """
        if seconds > 0:
            wheel = self._wheel
            self._due = due = wheel._seconds() + seconds
            if due <= self._floor:
                wheel._put(self, due)
        else:
            self._due = inf

    def clear(self) -> None:
        """
        Turn it off until it is set again.
        """
        self._due = inf

    def cancel(self) -> None:
        """
        Turn it off for good. May be called more than once, and by the deadline's own call.
        """
        self._due = inf
        self._floor = -inf
        self._call = _nothing
        if self._bucket is not None:
            self._wheel._take(self)


class Deadlines:
    """
    The deadlines of a whole program, or of a part of it.

    :param resolution: seconds by which a call may be late.
    """

    def __init__(self, clock: IReactorTime, resolution: float = 0.1) -> None:
        self._clock = clock
        self._seconds = clock.seconds
        self._resolution = resolution
        #: By number: bucket n holds what is due after (n - 1) resolutions and not after n.
        self._buckets: dict[int, dict[Deadline, None]] = {}
        #: The numbers of all buckets, as a heap.
        self._order: list[int] = []
        self._timer: IDelayedCall | None = None
        #: The bucket that the timer is for, or that is being worked through.
        self._next: float = inf

    def watch(self, call: Callable[[], None]) -> Deadline:
        """
        Make a deadline, turned off, that will call ``call`` each time it is missed.
        """
        return Deadline(self, call)

    def _put(self, deadline: Deadline, due: float) -> None:
        if deadline._bucket is not None:
            del deadline._bucket[deadline]
        number = ceil(due / self._resolution)
        bucket = self._buckets.get(number)
        if bucket is None:
            bucket = self._buckets[number] = {}
            heappush(self._order, number)
        bucket[deadline] = None
        deadline._bucket = bucket
        deadline._floor = (number - 1) * self._resolution
        if number < self._next:
            self._schedule()

    def _take(self, deadline: Deadline) -> None:
        assert deadline._bucket is not None
        del deadline._bucket[deadline]
        deadline._bucket = None
        if self._order and not self._buckets[self._order[0]]:
            self._schedule()

    def _schedule(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._next = inf
        while self._order and not self._buckets[self._order[0]]:
            # What was in it has moved to an earlier one or was cancelled.
            del self._buckets[heappop(self._order)]
        if self._order:
            self._next = float(self._order[0])
            delay = self._next * self._resolution - self._seconds()
            self._timer = self._clock.callLater(max(0.0, delay), self._run)

    def _run(self) -> None:
        self._timer = None
        number = heappop(self._order)
        bucket = self._buckets.pop(number)
        for deadline in bucket:
            deadline._bucket = None
            deadline._floor = inf
        # From here on, the calls may set and cancel any of them.
        for deadline in bucket:
            due = deadline._due
            if due == inf:
                continue
            # Numbers are compared, not moments, which rounding may put on the wrong side.
            if ceil(due / self._resolution) > number:
                self._put(deadline, due)
                continue
            try:
                deadline._call()
            except Exception:
                _log.failure("the call of a missed deadline failed")
        self._schedule()


def _nothing() -> None:
    """
    Stand in for the call of a cancelled deadline, and let go of what it held.
    """
