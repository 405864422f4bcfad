"""
A tunnel on its way out, run.
"""

from __future__ import annotations

from typing import Protocol

from twisted.internet.interfaces import IDelayedCall, IReactorTime

from pico.wire.departure import Action, Departure, State

#: Seconds that a tunnel stays after its go-away at the least, as far as no round trip was measured.
LINGER = 1.0
#: What the linger is when the round trip is short, and how many round trips it is otherwise.
LEAST_LINGER = 0.25
LINGER_ROUND_TRIPS = 8

#: Seconds between two looks at how many streams are left.
LOOK = 0.1

#: Seconds for closing in order; then the connection is dropped.
CLOSING = 2.0


class Session(Protocol):
    """
    What is needed of a :class:`pico.tunnel.session.TunnelSession`.
    """

    @property
    def streams(self) -> int: ...
    @property
    def rtt(self) -> float | None: ...
    def go_away(self) -> None: ...
    def close(self) -> None: ...
    def abort(self) -> None: ...


class Leaving:
    """
    Says go-away, waits for the streams to end, closes. Whoever made it calls :meth:`closed` when the
    session is gone, which may be within any call of this.
    """

    def __init__(self, session: Session, *, clock: IReactorTime, grace: float) -> None:
        """
        :param grace: seconds that streams have to end; may be infinite.
        """
        self._session = session
        self._clock = clock
        self._timer: IDelayedCall | None = None
        self._over = False
        rtt = session.rtt
        linger = LINGER if rtt is None else min(LINGER, max(LEAST_LINGER, rtt * LINGER_ROUND_TRIPS))
        self._policy = Departure(grace, linger=linger)

    def start(self, after: float = 0.0) -> None:
        """
        Say go-away.

        :param after: seconds for which the tunnel serves on before that.
        """
        if after:
            self._timer = self._clock.callLater(after, self._begin)
        else:
            self._begin()

    def hurry(self, grace: float) -> None:
        """
        Be gone in so many seconds, if not before.
        """
        if self._policy.state is State.SERVING and not self._over:
            self._stop_timer()
            self._begin()
        if self._policy.state is State.LEAVING:
            self._act(self._policy.hurry(grace, self._clock.seconds()))

    def closed(self) -> None:
        """
        The session is gone.
        """
        self._over = True
        self._stop_timer()

    def _begin(self) -> None:
        self._timer = None
        self._session.go_away()
        now = self._clock.seconds()
        self._policy.streams(self._session.streams, now)
        self._act(self._policy.begin(now))

    def _look(self) -> None:
        self._timer = None
        self._act(self._policy.streams(self._session.streams, self._clock.seconds()))

    def _act(self, action: Action) -> None:
        self._stop_timer()
        if self._over:
            return
        if action is Action.NONE:
            self._timer = self._clock.callLater(LOOK, self._look)
        else:
            self._timer = self._clock.callLater(CLOSING, self._drop)
            self._session.close()

    def _drop(self) -> None:
        self._timer = None
        self._session.abort()

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
