"""
Asking agents to go to other nodes, so that all nodes come to have about the same number of tunnels.

An agent is asked by the same go-away as when its node stops: it has another tunnel registered, wherever that leads,
before it lets go of this one. Until it does, requests are routed to the tunnel as before, and nothing is ever cut. One
that is not gone within :data:`pico.upstream.movables.PATIENCE` seconds counts as staying; it may still go later.
Agents that did not agree to understand the go-away, as Piko's, are not asked.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from pico.metrics import Metrics
from pico.names import GO_AWAY, EndpointKey, NodeId
from pico.upstream.movables import Movables
from pico.upstream.rebalance import LOOK, Advice, News, Rebalance, RebalanceSettings
from pico.upstream.registry import Registry
from pico.upstream.tunnel import TunnelUpstream

_log = Logger(namespace="upstream")


class Others(Protocol):
    """
    What is to be known of the other nodes.
    """

    def tunnels(self) -> Mapping[NodeId, int]:
        """
        How many tunnels each has that takes new ones.
        """

    def holders(self, key: EndpointKey) -> Sequence[object]:
        """
        Those that have tunnels of an endpoint.
        """


class Shedding:
    """
    Looks every second, while there are tunnels and it is not switched off, and asks as many agents as
    :class:`Rebalance` says.
    """

    def __init__(
        self,
        registry: Registry,
        others: Others,
        *,
        settings: RebalanceSettings,
        active: Callable[[], bool],
        clock: IReactorTime,
        metrics: Metrics,
    ) -> None:
        """
        :param registry: the tunnels of this node.
        :param active: whether this node takes traffic: one that starts or stops asks nobody.
        """
        self._registry = registry
        self._others = others
        self._active = active
        self._clock = clock
        self._enabled = settings.threshold > 0
        self._core = Rebalance(settings)
        self._movables: Movables[TunnelUpstream] = Movables()
        #: Those that were asked, and are still here without another tunnel of their agents.
        self._awaited: dict[EndpointKey, list[TunnelUpstream]] = {}
        self._timer: IDelayedCall | None = None
        self._shed = metrics.counter(
            "pico_upstreams_shed", "Tunnels whose agents were asked to dial another node, to even out their numbers."
        )
        self._returned = metrics.counter(
            "pico_upstreams_shed_returned",
            "Those of them that came back to this node, as far as endpoint and address tell.",
        )

    def came(self, upstream: TunnelUpstream) -> None:
        """
        A tunnel was registered.
        """
        if not self._enabled:
            return
        self._note_return(upstream)
        if GO_AWAY in upstream.capabilities:
            self._movables.add(upstream, self._clock.seconds())
        if self._timer is None:
            self._timer = self._clock.callLater(LOOK, self._look)

    def told(self, upstream: TunnelUpstream) -> None:
        """
        The agent of a tunnel was told to go, as the node drains. It is expected to even when that is taken back.
        """
        self._movables.told(upstream, self._clock.seconds())

    def went(self, upstream: TunnelUpstream) -> None:
        """
        A tunnel is not registered any more; a second time changes nothing.
        """
        self._movables.remove(upstream, self._clock.seconds())
        self._await_no_more(upstream)
        if self._timer is not None and not len(self._registry):
            self._timer.cancel()
            self._timer = None

    # Inside

    def _look(self) -> None:
        self._timer = self._clock.callLater(LOOK, self._look)
        if not self._active():
            return
        now = self._clock.seconds()
        going = self._movables.expected_to_go(now)
        here = len(self._registry) - going
        moving = going + self._movables.just_gone(now)
        advice = self._core.look(here, moving, len(self._movables), self._others.tunnels(), now)
        self._tell(advice)
        for upstream in self._movables.choose(advice.shed, self._alone, now):
            session = upstream.session
            # Who was asked for another reason need not be asked again.
            if session is not None and not session.going_away:
                session.go_away()
                self._shed.value += 1
                self._awaited.setdefault(upstream.key, []).append(upstream)

    def _tell(self, advice: Advice) -> None:
        if advice.news is News.BEGAN:
            _log.info(
                "rebalancing: {tunnels} tunnels here, {share} would be even; asking agents to dial another node",
                tunnels=len(self._registry),
                share=round(advice.share),
            )
        elif advice.news is News.IN_VAIN:
            _log.warn(
                "rebalancing was in vain: agents that were asked to dial another node come back to this one, or the "
                "nodes with few tunnels take none; tried again in {rest:g}s, or when nodes come or go",
                rest=advice.rest,
            )

    def _alone(self, upstream: TunnelUpstream) -> bool:
        return self._registry.count(upstream.key) < 2 and not self._others.holders(upstream.key)

    def _note_return(self, upstream: TunnelUpstream) -> None:
        host = _host(upstream)
        for asked in self._awaited.get(upstream.key, ()):
            if _host(asked) == host:
                self._returned.value += 1
                self._await_no_more(asked)
                return

    def _await_no_more(self, upstream: TunnelUpstream) -> None:
        awaited = self._awaited.get(upstream.key)
        if awaited is not None and upstream in awaited:
            awaited.remove(upstream)
            if not awaited:
                del self._awaited[upstream.key]


def _host(upstream: TunnelUpstream) -> str:
    return upstream.address.rpartition(":")[0]
