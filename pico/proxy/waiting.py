"""
Requests that wait for an upstream, because their endpoint has just lost its last one.

None of them has been sent anywhere, or whoever got it has refused it unread. Of its body no more is taken from the
client than could be sent again. It goes on as soon as an upstream is known, and is answered if none is by the end of
the endpoint's time, see :mod:`pico.proxy.lost`. Nothing here is touched by a request whose upstream is there.

Not every upstream is news. A node may lose its tunnel and get another one so fast that others hear of neither, or hear
of the new one before its refusal of a request comes in. So it is asked again, twice at most.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from typing import Final, cast

import attrs
from twisted.internet.interfaces import IReactorTime

from pico.interfaces import ISelector
from pico.names import EndpointKey
from pico.net.deadlines import Deadline, Deadlines
from pico.net.http.client import HTTPClientProtocol
from pico.net.http.exchange import Exchange
from pico.net.http.gateway import Backend, FailureKind, Requester
from pico.net.turn import Turn
from pico.proxy.lost import LostEndpoints
from pico.proxy.record import Recorder

#: What refusals say that mean that nothing serves the endpoint there, or soon nothing will.
GONE: Final = frozenset(
    {FailureKind.NO_BACKEND, FailureKind.UNREACHABLE, FailureKind.NODE_UNREACHABLE, FailureKind.LOST}
)

#: When those who were refused ask again before the end, as a part of the time.
_AGAIN: Final = 0.3


@attrs.frozen
class WaitingSettings:
    """
    :ivar wait: seconds for which requests for an endpoint wait after it was lost; 0 for no wait at all.
    :ivar max_waiting: requests that wait at a time.
    """

    wait: float = 1.0
    max_waiting: int = 1024


class Place(Backend):
    """
    Where a request waits: stands in for the backend that it will go to.

    :ivar exchange: the request.
    :ivar kind: what its client is told if there will be none.
    """

    #: For the access log; see :meth:`pico.proxy.port.ProxyPort._parties`.
    address = ""

    def __init__(self, room: WaitingRoom, key: EndpointKey, exchange: Exchange, kind: FailureKind) -> None:
        self._room = room
        self._key = key
        #: What has refused the request, if anything has.
        self._before = exchange.backend
        self.exchange = exchange
        self.kind = kind

    def acquire(self, exchange: Requester, fresh: bool) -> None:
        """
        Wait. This is no attempt to send the request anywhere.
        """
        self.exchange.sends -= 1
        self._room._enter(self._key, self)

    def cancel(self, exchange: Requester) -> None:
        """
        The client does not wait any longer.
        """
        self.leave()
        self._room._leave(self._key, self)

    def release(self, client: HTTPClientProtocol) -> None:
        """
        There never was a connection.
        """

    def failed(self) -> None:
        """
        Nothing was sent here that could have.
        """

    def leave(self) -> None:
        """
        The request is not here any more; where it was before counts again.
        """
        self.exchange.backend = self._before


class _Queue:
    """
    Those who wait for one endpoint.
    """

    __slots__ = ("deadline", "places")

    def __init__(self, deadline: Deadline) -> None:
        self.deadline = deadline
        self.places: dict[Place, None] = {}


class WaitingRoom:
    """
    Have requests wait.

    :ivar waiting: how many do.
    """

    def __init__(
        self,
        *,
        selector: ISelector,
        is_served: Callable[[EndpointKey], bool],
        has_tunnel: Callable[[EndpointKey], bool],
        settings: WaitingSettings,
        clock: IReactorTime,
        deadlines: Deadlines,
        turn: Turn,
        recorder: Recorder,
    ) -> None:
        """
        :param is_served: whether this node knows anybody who serves an endpoint, itself included.
        :param has_tunnel: whether this node itself does.
        """
        self._selector = selector
        self._is_served = is_served
        self._has_tunnel = has_tunnel
        self._settings = settings
        self._clock = clock
        self._deadlines = deadlines
        self._turn = turn
        self._recorder = recorder
        self._lost = LostEndpoints(settings.wait)
        self._queues: dict[EndpointKey, _Queue] = {}
        #: Endpoints that somebody may serve now; looked at when the turn ends.
        self._found: dict[EndpointKey, None] = {}
        self.waiting = 0

    # The port's calls

    def place(self, exchange: Exchange, key: EndpointKey) -> Place | None:
        """
        Have a request wait for which there is no upstream, if its endpoint had one a moment ago.
        """
        until = self._lost.until(key, self._clock.seconds())
        return self._place(exchange, key, FailureKind.NO_BACKEND) if until is not None else None

    def place_again(self, exchange: Exchange, key: EndpointKey, kind: FailureKind) -> Place | None:
        """
        Have a request wait that was refused unread, if it was for nothing but that its endpoint is not there any more.

        :param kind: what was said last.
        """
        if kind not in GONE or exchange.declined or self._has_tunnel(key):
            return None
        until = self._lost.refused(key, self._clock.seconds())
        return self._place(exchange, key, kind) if until is not None else None

    # The news

    def served(self, keys: Iterable[EndpointKey]) -> None:
        """
        Somebody serves these endpoints, or says so.
        """
        if not self._queues and not len(self._lost):
            return  # as nearly always; and there may be very many
        for key in keys:
            self._lost.served(key)
            if key in self._queues:
                if not self._found:
                    # Not now: a tunnel is known a little before streams can be opened in it.
                    self._turn.at_end(self._look)
                self._found[key] = None

    def lost(self, keys: Sequence[EndpointKey]) -> None:
        """
        Somebody serves these endpoints no more.
        """
        now = self._clock.seconds()
        for key in islice(keys, self._lost.limit):
            if not self._is_served(key):
                self._lost.lost(key, now)

    # The places' calls

    def _enter(self, key: EndpointKey, place: Place) -> None:
        queue = self._queues.get(key)
        if queue is None:
            queue = self._queues[key] = _Queue(self._deadlines.watch(lambda: self._due(key)))
            self._arm(key, queue)
        queue.places[place] = None
        self.waiting += 1

    def _leave(self, key: EndpointKey, place: Place) -> None:
        self._remove(key, self._queues[key], place)
        self._recorder.waited("gone")

    # Inside

    def _place(self, exchange: Exchange, key: EndpointKey, kind: FailureKind) -> Place | None:
        if self.waiting >= self._settings.max_waiting:
            self._recorder.waited("full")
            return None
        return Place(self, key, exchange, kind)

    def _arm(self, key: EndpointKey, queue: _Queue) -> None:
        now = self._clock.seconds()
        wait = self._settings.wait
        until = self._lost.until(key, now)
        left = until - now if until is not None else wait
        early = left - (1 - _AGAIN) * wait
        queue.deadline.set(early if early > 0 else left)

    def _remove(self, key: EndpointKey, queue: _Queue, place: Place) -> None:
        del queue.places[place]
        self.waiting -= 1
        if not queue.places:
            queue.deadline.cancel()
            del self._queues[key]

    def _look(self) -> None:
        found, self._found = self._found, {}
        for key in found:
            queue = self._queues.get(key)
            for place in list(queue.places) if queue is not None else ():
                self._try(key, place)

    def _try(self, key: EndpointKey, place: Place) -> bool:
        """
        Send a request on, if there is somewhere to send it; also to who has refused it before, as something is new.

        :return: whether it does not wait any more.
        """
        queue = self._queues.get(key)
        if queue is None or place not in queue.places:
            return True
        exchange = place.exchange
        outcome = "found"
        upstream = self._selector.choose(key, exchange.tried)
        if upstream is None and exchange.tried:
            outcome = "again"
            upstream = self._selector.choose(key, ())
        if upstream is None:
            return False
        self._remove(key, queue, place)
        place.leave()
        self._recorder.waited(outcome)
        if exchange.tried:
            self._recorder.retries.value += 1
        # Every upstream is a Backend; the interface, which stands below net, cannot say so.
        exchange.go_to(cast(Backend, upstream))
        return True

    def _due(self, key: EndpointKey) -> None:
        queue = self._queues[key]
        over = self._lost.until(key, self._clock.seconds()) is None
        for place in list(queue.places):
            # To find out again that a node cannot be reached would take long.
            if place.kind is not FailureKind.NODE_UNREACHABLE and self._try(key, place):
                continue
            if not over or place not in queue.places:
                continue
            self._remove(key, queue, place)
            place.leave()
            self._recorder.waited("none")
            place.exchange.give_up(place.kind)
        if key in self._queues:
            # There is time left, or who was sent on is back already.
            self._arm(key, self._queues[key])
