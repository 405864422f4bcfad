"""
Which tunnels are asked to go to another node.

Pure. Preferred are, in this order: those that have been here for a while, so that none moves about while others
stay; those whose endpoint has another tunnel, here or elsewhere; those with the least to do; the oldest. None of this
forbids a tunnel to be chosen, since an agent lets go of one only when the next one stands.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from heapq import nsmallest
from itertools import islice
from typing import Generic, Protocol, TypeVar

#: Seconds after which a tunnel counts as having been here for a while.
SETTLED = 60.0

#: Seconds for which it is believed that a tunnel goes that was asked to. Then it counts as staying, and another one
#: is asked in its place.
PATIENCE = 30.0

#: Seconds after which all nodes know where a tunnel is that has gone from here.
KNOWN = 1.0

#: How many are looked at for each one that is chosen, and at the least: there may be very many.
_LOOKED_AT = 8
_LEAST_LOOKED_AT = 64


class Movable(Protocol):
    """
    What is to be known of a tunnel.
    """

    @property
    def in_flight(self) -> int: ...


Tunnel = TypeVar("Tunnel", bound=Movable)


class Movables(Generic[Tunnel]):
    """
    The tunnels of this node whose agents would understand it if they were asked to go.
    """

    __slots__ = ("_asked", "_left", "_stay")

    def __init__(self) -> None:
        #: Since when they are here, the oldest first; and when they were asked, the first one first.
        self._stay: dict[Tunnel, float] = {}
        self._asked: dict[Tunnel, float] = {}
        #: When those that were asked have gone, if that was not long ago.
        self._left: deque[float] = deque()

    def __len__(self) -> int:
        """
        How many can still be asked.
        """
        return len(self._stay)

    def add(self, tunnel: Tunnel, now: float) -> None:
        """
        A tunnel has come.
        """
        self._stay[tunnel] = now

    def told(self, tunnel: Tunnel, now: float) -> None:
        """
        Its agent was told to go for another reason. Who was chosen before stays chosen since then.
        """
        if self._stay.pop(tunnel, None) is not None:
            self._asked[tunnel] = now

    def remove(self, tunnel: Tunnel, now: float) -> None:
        """
        It has gone, or takes nothing new any more. A second time changes nothing.
        """
        self._stay.pop(tunnel, None)
        if self._asked.pop(tunnel, None) is not None:
            self._forget(now)
            self._left.append(now)

    def expected_to_go(self, now: float) -> int:
        """
        How many were asked and are believed to go soon.
        """
        count = 0
        for at in reversed(self._asked.values()):
            if now - at >= PATIENCE:
                break
            count += 1
        return count

    def just_gone(self, now: float) -> int:
        """
        How many were asked and have gone, but not every node may know yet where they are.
        """
        self._forget(now)
        return len(self._left)

    def choose(self, count: int, alone: Callable[[Tunnel], bool], now: float) -> Sequence[Tunnel]:
        """
        Choose tunnels, each once in its life.

        :param alone: whether the endpoint has no other tunnel in the cluster.
        :return: at most ``count``.
        """

        def rank(candidate: tuple[Tunnel, float]) -> tuple[bool, bool, int]:
            tunnel, since = candidate
            return (now - since < SETTLED, alone(tunnel), tunnel.in_flight)

        oldest = islice(self._stay.items(), max(_LEAST_LOOKED_AT, _LOOKED_AT * count))
        # Among equals nsmallest keeps the order, which is that of age.
        chosen = [tunnel for tunnel, _ in nsmallest(count, oldest, rank)]
        for tunnel in chosen:
            del self._stay[tunnel]
            self._asked[tunnel] = now
        return chosen

    # Inside

    def _forget(self, now: float) -> None:
        while self._left and now - self._left[0] >= KNOWN:
            self._left.popleft()
