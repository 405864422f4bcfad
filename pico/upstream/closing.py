"""
The end of tunnels that do not leave by themselves: those of agents that do not know what go-away asks of them, and
those of agents that have found no other node.

Such an agent dials again when its tunnel has ended, and from the moment on when nothing new goes to the tunnel until it
has another one nobody can reach it. So a tunnel is taken out of the registry when nothing is under way on it, and
closed as soon as its streams have ended, which is in the same moment or when other nodes have heard of it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime

from pico.upstream.tunnel import TunnelUpstream

#: Seconds between two looks at what is still under way.
LOOK = 0.1

#: The looks in which all tunnels are taken that are idle: their agents dial again when theirs has ended, and other
#: nodes are not to get all of them at once.
_LOOKS = 10


class Closing:
    """
    Close tunnels one by one, as they become idle.
    """

    def __init__(
        self, upstreams: Collection[TunnelUpstream], withdraw: Callable[[TunnelUpstream], object], clock: IReactorTime
    ) -> None:
        """
        :param upstreams: those that there are, at any time.
        :param withdraw: has nothing new go to one of them.
        """
        self._upstreams = upstreams
        self._withdraw = withdraw
        self._clock = clock
        self._timer: IDelayedCall | None = None
        self._waiting: Deferred[None] | None = None
        self._at_once = 1
        #: Until when a tunnel that is at work may go on to take requests.
        self._until = 0.0

    def run(self, patience: float) -> Deferred[None]:
        """
        Begin; once.

        :param patience: seconds after which nothing new goes to any of them.
        :return: fires when there are no tunnels any more. Cancelling it leaves those alone that are at work.
        """
        self._until = self._clock.seconds() + patience
        self._at_once = 1 + len(self._upstreams) // _LOOKS
        waiting = self._waiting = Deferred(self._given_up)
        self._look()
        return waiting

    def _look(self) -> None:
        self._timer = None
        late = self._clock.seconds() >= self._until
        room = self._at_once
        for upstream in list(self._upstreams):
            if room and upstream.available and (late or not upstream.in_flight):
                room -= 1
                self._withdraw(upstream)
            session = upstream.session
            if session is not None and not upstream.available and not session.streams:
                session.close()
        if self._upstreams:
            self._timer = self._clock.callLater(LOOK, self._look)
        elif self._waiting is not None:
            waiting, self._waiting = self._waiting, None
            waiting.callback(None)

    def _given_up(self, _: object) -> None:
        self._waiting = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
