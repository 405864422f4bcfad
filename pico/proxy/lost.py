"""
Endpoints that nobody serves any more, since a moment ago.

Pure. What an endpoint has lost may come back at once: an agent that dials again, or its successor at a node of which
this one has not heard yet. So for a while, which is the same for all, requests for it may wait. They may not for an
endpoint that never was there, nor for one that has been gone for longer than that.

There are two ways to learn of a loss. Either the last upstream that this node knew of is gone, or the only ones left
refuse requests because they have none; the latter is believed once in :data:`REST` seconds only, since what goes on to
refuse is no loss of a moment ago.
"""

from __future__ import annotations

from pico.names import EndpointKey

#: Endpoints that are remembered; of more the last ones are.
MAX_LOST = 10_000

#: Seconds after the time to wait for which refusals mean nothing new.
REST = 5.0


class LostEndpoints:
    """
    Remember since when endpoints are gone.
    """

    __slots__ = ("_limit", "_until", "_wait")

    def __init__(self, wait: float, limit: int = MAX_LOST) -> None:
        """
        :param wait: seconds for which requests may wait after a loss; 0 for no wait at all.
        """
        self._limit = limit
        self._wait = wait
        #: When the time to wait ends, or has ended; the first one first.
        self._until: dict[EndpointKey, float] = {}

    def __len__(self) -> int:
        return len(self._until)

    @property
    def limit(self) -> int:
        """
        How many can be remembered.
        """
        return self._limit if self._wait else 0

    def lost(self, key: EndpointKey, now: float) -> None:
        """
        The last upstream of an endpoint is gone.
        """
        if not self._wait:
            return
        self._until.pop(key, None)
        self._forget(now)
        self._until[key] = now + self._wait

    def refused(self, key: EndpointKey, now: float) -> float | None:
        """
        Whoever seemed to serve an endpoint does not.

        :return: see :meth:`until`.
        """
        until = self._until.get(key)
        if until is None or now >= until + REST:
            self.lost(key, now)
        return self.until(key, now)

    def served(self, key: EndpointKey) -> None:
        """
        Somebody serves an endpoint, or says so.
        """
        self._until.pop(key, None)

    def until(self, key: EndpointKey, now: float) -> float | None:
        """
        Until when requests for an endpoint may wait; nothing if they may not.
        """
        until = self._until.get(key)
        return until if until is not None and now < until else None

    def _forget(self, now: float) -> None:
        """
        Make room for one more.
        """
        while self._until:
            key, until = next(iter(self._until.items()))
            if len(self._until) < self._limit and now < until + REST:
                break
            del self._until[key]
