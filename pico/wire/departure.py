"""
How a tunnel leaves: go-away is said, what is under way ends, and only then it is closed.
"""

from __future__ import annotations

import enum


class State(enum.Enum):
    """
    How far it is.
    """

    SERVING = "it takes new streams"
    LEAVING = "go-away was said; streams end"
    GONE = "it is to be closed, or was"


class Action(enum.Enum):
    """
    What is due.
    """

    NONE = "nothing"
    CLOSE = "close: every stream has ended"
    CUT = "close: the grace period is over, whatever still runs"


class Departure:
    """
    One tunnel's way out.

    It stays for at least ``linger`` seconds: a stream that the other side opened before it heard of the
    go-away arrives within that time and is refused, which tells the other side that nothing of it was
    looked at. If the tunnel were closed at once, nobody could know.
    """

    __slots__ = ("_ends", "_grace", "_linger", "_stays", "_streams", "state")

    def __init__(self, grace: float, *, linger: float = 0.0) -> None:
        """
        :param grace: seconds that streams have to end; 0 cuts them at once, infinity never.
        :param linger: seconds; no longer than the grace period.
        """
        self._grace = grace
        self._linger = linger
        #: When the grace period ends, and until when it stays at the least.
        self._ends = 0.0
        self._stays = 0.0
        self._streams = 0
        self.state = State.SERVING

    def streams(self, count: int, now: float) -> Action:
        """
        So many streams are open.
        """
        self._streams = count
        return self.handle_timer(now)

    def begin(self, now: float) -> Action:
        """
        Go-away has been said. A second time changes nothing.
        """
        if self.state is State.SERVING:
            self.state = State.LEAVING
            self._ends = now + self._grace
            self._stays = now + self._linger
        return self.handle_timer(now)

    def hurry(self, grace: float, now: float) -> Action:
        """
        The grace period ends in so many seconds, if it does not end before.
        """
        self._grace = min(self._grace, grace)
        self._ends = min(self._ends, now + grace)
        return self.handle_timer(now)

    def next_deadline(self) -> float | None:
        """
        When :meth:`handle_timer` has something to do; nothing before the departure began and after its end.
        """
        if self.state is not State.LEAVING:
            return None
        return self._ends if self._streams else min(self._stays, self._ends)

    def handle_timer(self, now: float) -> Action:
        """
        Say what is due, once; early calls are harmless.
        """
        deadline = self.next_deadline()
        if deadline is None or now < deadline:
            return Action.NONE
        self.state = State.GONE
        return Action.CUT if self._streams else Action.CLOSE
