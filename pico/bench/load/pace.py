"""
When requests are due that come at a rate.

A client that waits for a slow answer is late for its next requests. Their time runs from when they were due, else
a node that stands still for a second would be measured once and not a thousand times.
"""

from __future__ import annotations

import attrs


@attrs.frozen
class Pace:
    """
    The turns of all clients: evenly spread, one after the other.

    :ivar rate: turns a second; 0 for at once.
    :ivar start: when the first one is due.
    """

    rate: float
    clients: int
    start: float

    def due(self, client: int, turn: int, now: float) -> float:
        """
        When a client's request is due.

        :param client: its number, from 0.
        :param turn: how many it has made before.
        """
        return self.start + (client + turn * self.clients) / self.rate if self.rate else now
