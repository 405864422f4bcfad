"""
A cluster whose agents dial through a load balancer that takes nodes by chance: tunnels, and what nodes know of each
other's numbers some time later.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from heapq import heappop, heappush
from random import Random

import attrs

from pico.client.slot import OVERLAP
from pico.names import NodeId
from pico.upstream.movables import Movables
from pico.upstream.rebalance import LOOK, News, Rebalance, RebalanceSettings

#: Seconds until others know a node's number.
GOSSIP = 0.3

#: Seconds between two moments at which a node tells its number.
_TOLD = 0.1


@attrs.define(eq=False)
class Tunnel:
    """
    An agent's tunnel.

    :ivar moves: how often it was asked to go.
    """

    node: Node
    in_flight: int = 0
    moves: int = 0


@attrs.define(eq=False)
class Node:
    """
    A node.

    :ivar takes: false to refuse all tunnels.
    :ivar told: what others have heard and will hear of its number.
    """

    id: NodeId
    core: Rebalance
    tunnels: Movables[Tunnel] = attrs.field(factory=lambda: Movables[Tunnel]())
    count: int = 0
    takes: bool = True
    told: list[int] = attrs.field(factory=list)
    news: list[News] = attrs.field(factory=list)


@attrs.define(eq=False)
class _Former:
    """
    A tunnel that stays for a moment beside the one that replaces it.
    """

    node: Node
    tunnel: Tunnel


class Moving:
    """
    The cluster.

    :ivar now: seconds since it began.
    :ivar moves: tunnels that were asked to go.
    :ivar returns: those that came back to where they went from.
    """

    def __init__(self, settings: RebalanceSettings, counts: Sequence[int], seed: int) -> None:
        """
        :param counts: tunnels of each node.
        """
        self._settings = settings
        self._random = Random(seed)
        #: What happens when: the number keeps the order of what happens at once.
        self._events: list[tuple[float, int, Node | Tunnel | _Former]] = []
        self._number = 0
        self._next_told = 0.0
        self.now = 0.0
        self.moves = 0
        self.returns = 0
        self.nodes: list[Node] = []
        self.tunnels: dict[Tunnel, None] = {}
        for count in counts:
            node = self.add()
            for _ in range(count):
                tunnel = Tunnel(node)
                self.tunnels[tunnel] = None
                node.tunnels.add(tunnel, -1000.0)
                node.count += 1
            node.told = [count]

    @property
    def counts(self) -> Sequence[int]:
        """
        The tunnels of each node.
        """
        return [node.count for node in self.nodes]

    @property
    def off(self) -> float:
        """
        How far the one that is furthest is from its share.
        """
        share = sum(self.counts) / len(self.nodes)
        return max(abs(count - share) for count in self.counts) / share

    def add(self) -> Node:
        """
        Start a node.
        """
        node = Node(NodeId(f"n{self._number}"), Rebalance(self._settings), told=[0])
        self.nodes.append(node)
        self._at(self._random.random() * LOOK, node)
        return node

    def remove(self, node: Node) -> None:
        """
        Kill a node: its agents dial again.
        """
        self.nodes.remove(node)
        for tunnel in self.tunnels:
            if tunnel.node is node:
                self._at(self._dialling(), tunnel)

    def run(self, seconds: float) -> None:
        """
        Let time pass.
        """
        end = self.now + seconds
        while self._events[0][0] <= end:
            at, _, what = heappop(self._events)
            self._tell(at)
            self.now = at
            if isinstance(what, Tunnel):
                self._dialled(what)
            elif isinstance(what, _Former):
                what.node.tunnels.remove(what.tunnel, self.now)
                what.node.count -= 1
            elif what in self.nodes:
                self._look(what)
                self._at(LOOK, what)
        self.now = end

    def _tell(self, until: float) -> None:
        while self._next_told <= until:
            self._next_told += _TOLD
            for node in self.nodes:
                node.told = [*node.told[-round(GOSSIP / _TOLD) :], node.count]

    def _others(self, of: Node) -> Mapping[NodeId, int]:
        return {node.id: node.told[0] for node in self.nodes if node is not of}

    def _look(self, node: Node) -> None:
        going = node.tunnels.expected_to_go(self.now)
        moving = going + node.tunnels.just_gone(self.now)
        advice = node.core.look(node.count - going, moving, len(node.tunnels), self._others(node), self.now)
        if advice.news is not None:
            node.news.append(advice.news)
        for tunnel in node.tunnels.choose(advice.shed, lambda tunnel: False, self.now):
            self.moves += 1
            tunnel.moves += 1
            # Agents spread what they are asked over half a second.
            self._at(self._random.random() * 0.5 + self._dialling(), tunnel)

    def _dialling(self) -> float:
        return 0.02 + self._random.random() * 0.5

    def _dialled(self, tunnel: Tunnel) -> None:
        node = self._random.choice(self.nodes)
        if not node.takes:
            self._at(1 + self._dialling(), tunnel)
            return
        former = tunnel.node
        self.returns += former is node
        del self.tunnels[tunnel]
        new = Tunnel(node, moves=tunnel.moves)
        self.tunnels[new] = None
        node.count += 1
        node.tunnels.add(new, self.now)
        self._at(OVERLAP, _Former(former, tunnel))

    def _at(self, delay: float, what: Node | Tunnel | _Former) -> None:
        self._number += 1
        heappush(self._events, (self.now + delay, self._number, what))
