"""
The choice among the tunnels of this node and the nodes that have others.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Protocol

import attrs
from twisted.internet.interfaces import IReactorTime
from zope.interface import classImplements

from pico.cluster.remote import RemoteUpstream
from pico.interfaces import ISelector, IUpstream
from pico.names import EndpointKey
from pico.upstream.registry import Registry
from pico.upstream.tunnel import TunnelUpstream

#: What a further hop costs, in requests under way: so much busier may a tunnel here be before distance is weighed.
HOP: Final = 4.0


class RemoteTable(Protocol):
    """
    What other nodes serve.
    """

    def of(self, key: EndpointKey) -> Sequence[RemoteUpstream]:
        """
        An endpoint's upstreams at other nodes.
        """


@attrs.frozen
class SelectorSettings:
    """
    How tunnels here and elsewhere are weighed.

    :ivar local_preference: how many times as busy as one elsewhere a tunnel of this node may be before requests go
        there; 1 weighs both alike but for the hop.
    """

    local_preference: float = 2.0


class Selector:
    """
    Choose where a request goes, this node's own tunnels preferred while they are not clearly busier.

    What just failed comes last, and before that what is about to leave. A node may be named again for a request that
    failed there for as long as it has tunnels that were not tried.
    """

    __slots__ = ("_clock", "_preference", "_registry", "_remotes", "_turn")

    def __init__(
        self, registry: Registry, remotes: RemoteTable, *, clock: IReactorTime, settings: SelectorSettings
    ) -> None:
        self._clock = clock
        self._preference = settings.local_preference
        self._registry = registry
        self._remotes = remotes
        #: How many choices there were among nodes.
        self._turn = 0

    def choose(self, key: EndpointKey, tried: Sequence[object]) -> IUpstream | None:
        """
        Choose the upstream for a request.
        """
        local = self._registry.choose(key, tried)
        remotes = self._remotes.of(key)
        if not remotes:
            return local
        if local is None and not tried and len(remotes) == 1:
            return remotes[0]
        now = self._clock.seconds()
        remote = self._least(remotes, tried, now)
        if remote is None or (local is not None and not self._is_better(remote, local, now)):
            return local
        self._turn = remote.last_turn = self._turn + 1
        return remote

    def _is_better(self, remote: RemoteUpstream, local: TunnelUpstream, now: float) -> bool:
        """
        Whether a request goes to another node although there is a tunnel here.
        """
        local_avoided = local.avoid_until > now
        if local_avoided != (remote.avoid_until > now):
            return local_avoided
        return not remote.holder.leaving and local.in_flight > self._preference * (remote.load + HOP)

    def _least(self, remotes: Sequence[RemoteUpstream], tried: Sequence[object], now: float) -> RemoteUpstream | None:
        """
        The node whose tunnels have the least to do; among equals the one that was not chosen for the longest time.
        """
        best: RemoteUpstream | None = None
        best_rank = (True, True, 0.0, 0)
        for remote in remotes:
            if tried and not _may_try(remote, tried, now):
                continue
            rank = (remote.avoid_until > now, remote.holder.leaving, remote.load, remote.last_turn)
            if best is None or rank < best_rank:
                best, best_rank = remote, rank
        return best


def _may_try(remote: RemoteUpstream, tried: Sequence[object], now: float) -> bool:
    failures = sum(each is remote for each in tried)
    return not failures or (failures < remote.upstreams and remote.avoid_until <= now)


classImplements(Selector, ISelector)
