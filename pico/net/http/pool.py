"""
Idle connections that wait for their next request.
"""

from __future__ import annotations

from collections import deque

from twisted.internet.interfaces import IReactorTime

from pico.net.deadlines import Deadline, Deadlines
from pico.net.http.client import HTTPClientProtocol


class Pool:
    """
    Idle connections to one backend, the one used last taken first, so that spare ones age and are closed.

    The pool owns a connection from :meth:`put` to :meth:`take`; it closes those that it cannot keep.
    """

    __slots__ = ("_clock", "_deadline", "_idle", "_idle_timeout", "_size", "_waiting")

    def __init__(self, *, size: int, idle_timeout: float, clock: IReactorTime, deadlines: Deadlines) -> None:
        """
        :param size: how many idle connections are kept.
        :param idle_timeout: seconds after which an idle one is closed.
        """
        self._clock = clock
        self._idle: deque[HTTPClientProtocol] = deque()
        self._idle_timeout = idle_timeout
        self._size = size
        self._deadline: Deadline = deadlines.watch(self._expire)
        self._waiting = False

    def __len__(self) -> int:
        return len(self._idle)

    def take(self, max_age: float | None = None) -> HTTPClientProtocol | None:
        """
        Take the connection that has been idle for the shortest time, if there is one.

        :param max_age: only one that has been idle for less than so many seconds.
        """
        if not self._idle:
            return None
        if max_age is not None and self._clock.seconds() - self._idle[-1].idle_since > max_age:
            return None
        return self._idle.pop()

    def put(self, client: HTTPClientProtocol) -> None:
        """
        Keep a reusable connection, or close it when the pool is full.
        """
        if len(self._idle) >= self._size:
            client.close()
            return
        client.idle_since = self._clock.seconds()
        self._idle.append(client)
        if not self._waiting:
            self._waiting = True
            self._deadline.set(self._idle_timeout)

    def discard(self, client: HTTPClientProtocol) -> None:
        """
        Forget a connection that its peer ended while it was idle.
        """
        try:
            self._idle.remove(client)
        except ValueError:
            pass  # taken or closed a moment ago

    def drop_oldest(self) -> bool:
        """
        Close the connection that has been idle for the longest time.

        :return: whether there was one.
        """
        if not self._idle:
            return False
        self._idle.popleft().close()
        return True

    def clear(self) -> None:
        """
        Close every idle connection.
        """
        idle = list(self._idle)
        self._idle.clear()
        for client in idle:
            client.close()

    def stop(self) -> None:
        """
        Close every idle connection and watch no time any more; whatever is put here after this is closed, too.
        """
        self._size = 0
        self.clear()
        self._deadline.cancel()

    def _expire(self) -> None:
        now = self._clock.seconds()
        limit = now - self._idle_timeout
        while self._idle and self._idle[0].idle_since <= limit:
            self._idle.popleft().close()
        self._waiting = bool(self._idle)
        if self._waiting:
            self._deadline.set(self._idle[0].idle_since + self._idle_timeout - now)
