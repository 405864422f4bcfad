"""
How an agent's endpoints are doing. Pure; the time comes in.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import Protocol

import attrs

#: Characters of an error that are kept.
MAX_ERROR = 300

#: Seconds after which every node has heard of a tunnel.
KNOWN = 1.0


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


@attrs.frozen(eq=False)
class Serving:
    """
    A tunnel that takes requests.

    :ivar node: the id of the node that it leads to; empty when the node does not say.
    :ivar since: when it began to stand.
    """

    tunnel: Carries
    node: str
    since: float


@attrs.define(eq=False)
class EndpointState:
    """
    One listener of the agent.

    :ivar wanted: tunnels that it is to have.
    :ivar since: when it got its first tunnel or lost its last, or began to look for one.
    :ivar last_error: why a tunnel was lost or could not be had, the last time; empty if there was no such time.
    :ivar last_error_at: when that was.
    :ivar connects: tunnels that it has had.
    :ivar losses: those that ended without being replaced before.
    :ivar failed_dials: tries that brought none.
    :ivar refusals: reasons for which a node refused for good, each told once.
    """

    endpoint: str
    since: float
    wanted: int = 1
    last_error: str = ""
    last_error_at: float = 0.0
    connects: int = 0
    losses: int = 0
    failed_dials: int = 0
    refusals: int = 0
    _tunnels: list[Carries] = attrs.field(factory=list, init=False)
    _serving: list[Serving] = attrs.field(factory=list, init=False)
    _ended_received: int = attrs.field(default=0, init=False)
    _ended_sent: int = attrs.field(default=0, init=False)

    @property
    def connected(self) -> bool:
        """
        Whether it has a tunnel.
        """
        return bool(self._serving)

    def ready(self, now: float) -> bool:
        """
        Whether every node sends its requests here. A clock that was set back says nothing against that.
        """
        return self.connected and not 0 <= now - self.since < KNOWN

    @property
    def serving(self) -> Sequence[Serving]:
        """
        The tunnels that it has, without those on their way out.
        """
        return self._serving

    @property
    def nodes(self) -> int:
        """
        How many nodes its tunnels lead to; each that does not say who it is counts.
        """
        named = {tunnel.node for tunnel in self._serving if tunnel.node}
        return len(named) + sum(not tunnel.node for tunnel in self._serving)

    def got(self, tunnel: Carries, node: str, serving: Collection[Carries], now: float) -> None:
        """
        A tunnel stands; one that it replaces may live on for a while.

        :param serving: all that serve now.
        """
        self._prune()
        self._tunnels.append(tunnel)
        self.connects += 1
        if not self.connected:
            self.since = now
        self._serving.append(Serving(tunnel, node, now))
        self._keep(serving, now)

    def lost(self, reason: str, serving: Collection[Carries], now: float) -> None:
        """
        A tunnel ended, or another try to get one has failed.

        :param serving: all that serve now.
        """
        before = len(self._serving)
        self._keep(serving, now)
        if len(self._serving) < before:
            self.losses += 1
        else:
            self.failed_dials += 1
        self._note(reason, now)

    def refused(self, reason: str, now: float) -> None:
        """
        A node refuses for good.
        """
        self.refusals += 1
        self._note(reason, now)

    @property
    def reconnects(self) -> int:
        """
        Tunnels after as many as it is to have.
        """
        return max(0, self.connects - self.wanted)

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

    def _keep(self, serving: Collection[Carries], now: float) -> None:
        had = self.connected
        self._serving = [held for held in self._serving if held.tunnel in serving]
        if had and not self._serving:
            self.since = now

    def _note(self, reason: str, now: float) -> None:
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

    def add(self, endpoint: str, now: float, wanted: int = 1) -> EndpointState:
        """
        Begin to watch a listener.

        :param wanted: tunnels that it is to have.
        """
        state = EndpointState(endpoint, now, wanted)
        self._states.append(state)
        return state

    def ready(self, now: float) -> bool:
        """
        Whether each of them is: whatever it replaces can go.
        """
        return not self.stopping and all(state.ready(now) for state in self._states)
