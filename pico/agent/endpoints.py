"""
How an agent's endpoints are doing. Pure; the time comes in.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

import attrs

#: Characters of an error that are kept.
MAX_ERROR = 300


class Carries(Protocol):
    """
    What is asked of a tunnel: a :class:`pico.tunnel.session.TunnelSession`.
    """

    @property
    def over(self) -> bool: ...
    @property
    def streams(self) -> int: ...
    @property
    def bytes_received(self) -> int: ...
    @property
    def bytes_sent(self) -> int: ...


@attrs.define(eq=False)
class EndpointState:
    """
    One listener of the agent.

    :ivar since: when it got or lost its tunnel, or began to look for one.
    :ivar node: the id of the node that it has its tunnel to; empty without, or when the node does not say.
    :ivar last_error: why it had no tunnel, the last time that it had none; empty if there was no such time.
    :ivar last_error_at: when that was.
    :ivar connects: tunnels that it has had.
    :ivar losses: those that ended without being replaced before.
    :ivar failed_dials: tries that brought none.
    :ivar refusals: reasons for which a node refused for good, each told once.
    """

    endpoint: str
    since: float
    connected: bool = False
    node: str = ""
    last_error: str = ""
    last_error_at: float = 0.0
    connects: int = 0
    losses: int = 0
    failed_dials: int = 0
    refusals: int = 0
    _tunnels: list[Carries] = attrs.field(factory=list, init=False)
    _ended_received: int = attrs.field(default=0, init=False)
    _ended_sent: int = attrs.field(default=0, init=False)

    def got(self, tunnel: Carries, node: str, now: float) -> None:
        """
        A tunnel stands; one that it replaces may live on for a while.
        """
        self._prune()
        self._tunnels.append(tunnel)
        self.connects += 1
        self.connected = True
        self.node = node
        self.since = now

    def lost(self, reason: str, now: float) -> None:
        """
        The tunnel ended, or another try to get one has failed.
        """
        if self.connected:
            self.losses += 1
        else:
            self.failed_dials += 1
        self._without(reason, now)

    def refused(self, reason: str, now: float) -> None:
        """
        A node refuses for good.
        """
        self.refusals += 1
        self._without(reason, now)

    @property
    def reconnects(self) -> int:
        """
        Tunnels after the first.
        """
        return max(0, self.connects - 1)

    @property
    def streams(self) -> int:
        """
        Streams that are open in its tunnels.
        """
        return sum(tunnel.streams for tunnel in self._tunnels)

    @property
    def bytes_received(self) -> int:
        """
        Bytes from nodes, frames included.
        """
        return self._ended_received + sum(tunnel.bytes_received for tunnel in self._tunnels)

    @property
    def bytes_sent(self) -> int:
        """
        Bytes to nodes, frames included.
        """
        return self._ended_sent + sum(tunnel.bytes_sent for tunnel in self._tunnels)

    def _without(self, reason: str, now: float) -> None:
        if self.connected:
            self.connected = False
            self.since = now
        self.node = ""
        self.last_error = reason[:MAX_ERROR]
        self.last_error_at = now

    def _prune(self) -> None:
        for tunnel in self._tunnels:
            if tunnel.over:
                self._ended_received += tunnel.bytes_received
                self._ended_sent += tunnel.bytes_sent
        self._tunnels = [tunnel for tunnel in self._tunnels if not tunnel.over]


class Endpoints:
    """
    All listeners of an agent.

    :ivar stopping: set when the agent wants no more tunnels.
    """

    def __init__(self) -> None:
        self._states: list[EndpointState] = []
        self.stopping = False

    def __iter__(self) -> Iterator[EndpointState]:
        return iter(self._states)

    def add(self, endpoint: str, now: float) -> EndpointState:
        """
        Begin to watch a listener.
        """
        state = EndpointState(endpoint, now)
        self._states.append(state)
        return state

    @property
    def ready(self) -> bool:
        """
        Whether each of them has a tunnel.
        """
        return not self.stopping and all(state.connected for state in self._states)
