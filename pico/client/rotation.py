"""
Several URLs, dialled in turn.
"""

from __future__ import annotations

from collections.abc import Sequence

from twisted.internet.defer import Deferred

from pico.client.dialer import Tunnel, TunnelUser
from pico.client.slot import Dials


class Rotation:
    """
    A dialer that hands each try to the next of several.

    A try that fails says nothing of the others, so whoever dials again, as a listener does, finds whichever node is
    there; and a listener with several tunnels gets them from different URLs.
    """

    def __init__(self, dialers: Sequence[Dials], first: int = 0) -> None:
        """
        :param dialers: one at the least.
        :param first: which has the first turn; different ones spread those who begin.
        """
        self._dialers = dialers
        self._next = first % len(dialers)

    def dial(self, endpoint: str, user: TunnelUser) -> Deferred[Tunnel]:
        """
        Get a tunnel from whose turn it is.
        """
        dialer = self._dialers[self._next]
        self._next = (self._next + 1) % len(self._dialers)
        return dialer.dial(endpoint, user)
