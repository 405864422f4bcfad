"""
What this node's tunnels serve.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from twisted.internet.interfaces import IReactorTime
from zope.interface import implementer

from pico.interfaces import ILocalTunnels, ISelector
from pico.names import EndpointKey
from pico.upstream.balancing import least_in_flight
from pico.upstream.tunnel import TunnelUpstream


class _Group:
    """
    The tunnels of one endpoint, and whose turn it is.
    """

    __slots__ = ("turn", "upstreams")

    def __init__(self) -> None:
        self.upstreams: list[TunnelUpstream] = []
        self.turn = 0


@implementer(ISelector, ILocalTunnels)
class Registry:
    """
    The tunnels of this node by (tenant, endpoint).

    A tunnel is here from its 101 until it begins to leave or is gone, whichever comes first; so whatever is chosen
    here could take a new stream a moment ago.
    """

    def __init__(self, clock: IReactorTime, on_change: Callable[[EndpointKey, int], object] | None = None) -> None:
        """
        :param on_change: is told how many tunnels an endpoint has, whenever that changes.
        """
        self._clock = clock
        self._groups: dict[EndpointKey, _Group] = {}
        self._on_change = on_change
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[TunnelUpstream]:
        for group in self._groups.values():
            yield from group.upstreams

    def add(self, upstream: TunnelUpstream) -> None:
        """
        Let requests go to a tunnel.
        """
        group = self._groups.get(upstream.key)
        if group is None:
            group = self._groups[upstream.key] = _Group()
        group.upstreams.append(upstream)
        self._count += 1
        if self._on_change is not None:
            self._on_change(upstream.key, len(group.upstreams))

    def remove(self, upstream: TunnelUpstream) -> bool:
        """
        Let nothing new go to a tunnel; what it carries is not touched.

        :return: whether it was here; removing twice is harmless.
        """
        group = self._groups.get(upstream.key)
        if group is None or upstream not in group.upstreams:
            return False
        index = group.upstreams.index(upstream)
        del group.upstreams[index]
        if index < group.turn:
            group.turn -= 1
        if not group.upstreams:
            del self._groups[upstream.key]
        self._count -= 1
        if self._on_change is not None:
            self._on_change(upstream.key, len(group.upstreams))
        return True

    def choose(self, key: EndpointKey, tried: Sequence[object]) -> TunnelUpstream | None:
        """
        Choose the tunnel for a request, see :func:`pico.upstream.balancing.least_in_flight`.
        """
        group = self._groups.get(key)
        if group is None:
            return None
        upstreams = group.upstreams
        if len(upstreams) == 1:
            only = upstreams[0]
            return None if only in tried else only
        index = least_in_flight(upstreams, group.turn, tried, self._clock.seconds())
        if index is None:
            return None
        group.turn = index + 1 if index + 1 < len(upstreams) else 0
        return upstreams[index]

    def blame(self, key: EndpointKey, numbers: Sequence[int]) -> None:
        """
        Tunnels with these numbers could not serve a request of another node: prefer others for a moment.
        """
        group = self._groups.get(key)
        if group is not None:
            for upstream in group.upstreams:
                if upstream.number in numbers:
                    upstream.failed()

    def count(self, key: EndpointKey) -> int:
        """
        How many tunnels an endpoint has.
        """
        group = self._groups.get(key)
        return len(group.upstreams) if group is not None else 0

    def load(self, key: EndpointKey) -> int:
        """
        Requests and other streams that all of an endpoint's tunnels carry.
        """
        group = self._groups.get(key)
        return sum(upstream.in_flight for upstream in group.upstreams) if group is not None else 0

    def endpoints(self) -> Mapping[EndpointKey, int]:
        """
        How many tunnels each endpoint has.
        """
        return {key: len(group.upstreams) for key, group in self._groups.items()}

    def addresses(self) -> Mapping[EndpointKey, Sequence[str]]:
        """
        Where each endpoint's tunnels come from.
        """
        return {key: [upstream.address for upstream in group.upstreams] for key, group in self._groups.items()}
