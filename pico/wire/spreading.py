"""
How the tunnels of one endpoint come to stand at different nodes, though whoever dials cannot choose the node: behind a
load balancer it learns which one it has reached when the tunnel stands.
"""

from __future__ import annotations

import enum
from collections.abc import Collection

from pico.wire.dialling import Backoff

#: Seconds between two looks for another node, at the most. A node that is back is found within that time, and a load
#: balancer with only one node behind it is dialled no more often.
MAX_LOOK = 60.0


class Worth(enum.Enum):
    """
    What a new tunnel is good for.
    """

    #: No other tunnel leads to its node, as far as nodes say who they are: look no further.
    APART = "it stands at a node of its own"
    #: Two at one node are better than one: take it, and look for another node.
    SECOND = "another tunnel stands at its node"
    #: There is one that serves as well: let the new one go, and look again later.
    USELESS = "it is no better than what it would replace"


class Spreading:
    """
    One of an endpoint's tunnels, in its search for a node that no other has.

    The first looks follow each other quickly, because a load balancer that takes nodes in turn, or by chance, gives
    another one soon. Then they become rare.
    """

    __slots__ = ("_backoff",)

    def __init__(self, backoff: Backoff | None = None) -> None:
        """
        :param backoff: between two looks; the usual one when not given.
        """
        self._backoff = backoff or Backoff(maximum=MAX_LOOK)

    def judge(self, node: str, others: Collection[str], *, serves: bool) -> Worth:
        """
        Weigh a tunnel that was dialled.

        :param node: where it leads to; empty when the node does not say, as a Piko server.
        :param others: where the endpoint's other tunnels lead to.
        :param serves: whether there is a tunnel in this one's place already, whose node is to stay.
        """
        if not is_second(node, others):
            self._backoff.reset()
            return Worth.APART
        if serves:
            return Worth.USELESS
        self._backoff.reset()
        return Worth.SECOND

    def next_look(self, jitter: float) -> float:
        """
        Seconds until the next try to find another node.

        :param jitter: a random number from 0 up to 1.
        """
        return self._backoff.next_delay(jitter)


def is_second(node: str, others: Collection[str]) -> bool:
    """
    Whether another tunnel leads to the same node.
    """
    return bool(node) and node in others
