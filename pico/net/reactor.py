"""
Twisted's epoll reactor with a shorter way from the kernel to ``doRead``.

The stock reactor sets up a logging context around each event. Nothing here uses that context, and it costs several
microseconds an event, which at one event a request is a tenth of all time. Everything that is not plain readability
takes the stock way.

It also knows the end of a turn, for :class:`pico.net.turn.Turn`: after at most ``TURN_EVENTS`` events. A tunnel sends
then what its streams have to send. Were that put off until all events that were ready at once are worked through, all
requests in flight would travel as one convoy, and each process on the way would wait while the next one works.
"""

from __future__ import annotations

import errno
from collections.abc import Callable
from select import EPOLLIN

from twisted.internet import epollreactor
from twisted.internet.main import installReactor
from twisted.logger import Logger

#: Events after which what was put off to the end of the turn is done.
TURN_EVENTS = 16

_log = Logger(namespace="reactor")


class ShortEPollReactor(epollreactor.EPollReactor):
    """
    The epoll reactor, for programs that keep no state in Twisted's logging context.
    """

    def __init__(self) -> None:
        self._turn_ends: list[Callable[[], None]] = []
        epollreactor.EPollReactor.__init__(self)

    def call_at_turn_end(self, call: Callable[[], None]) -> None:
        """
        Run ``call`` once, at the end of this turn.
        """
        self._turn_ends.append(call)

    def _end_turn(self) -> None:
        calls, self._turn_ends = self._turn_ends, []
        for call in calls:
            try:
                call()
            except Exception:
                _log.failure("a call at the end of the turn failed")

    def doPoll(self, timeout: float | None) -> None:
        """
        Wait for events and act on them.
        """
        selectables = self._selectables
        if self._turn_ends:
            # Asked for by timed calls, which run before this, or at the end of the last turn.
            self._end_turn()
            if self._turn_ends:
                timeout = 0
        try:
            events = self._poller.poll(-1 if timeout is None else timeout, len(selectables))
        except OSError as error:
            if error.errno == errno.EINTR:
                return
            raise
        count = 0
        for fd, event in events:
            count += 1
            if count > TURN_EVENTS and self._turn_ends:
                count = 1
                self._end_turn()
            selectable = selectables.get(fd)
            if selectable is None:
                continue
            if event != EPOLLIN:
                self._doReadOrWrite(selectable, fd, event)  # type: ignore[no-untyped-call]  # Twisted's
                continue
            try:
                why = selectable.doRead()
            except BaseException as error:
                # As in the stock reactor: the connection is lost, the others go on.
                _log.failure("reading failed")
                why = error
            if why:
                self._disconnectSelectable(selectable, why, True)  # type: ignore[no-untyped-call]  # Twisted's

        if self._turn_ends:
            self._end_turn()

    doIteration = doPoll


def install() -> ShortEPollReactor:
    """
    Make this the reactor of the process; before anything imports ``twisted.internet.reactor``.
    """
    reactor = ShortEPollReactor()
    installReactor(reactor)
    return reactor
