"""
Other nodes as somebody says that they are.
"""

from __future__ import annotations

from collections.abc import Sequence

from pico.cluster.members import Holder
from pico.names import EndpointKey, NodeId


class StaticMembers:
    """
    What a node knows of others, said by hand: the :class:`pico.cluster.members.Members` of tests.

    :ivar generations: the latest life of each node that is known of.
    """

    def __init__(self) -> None:
        self.generations: dict[NodeId, int] = {}
        self._holders: dict[EndpointKey, Sequence[Holder]] = {}

    def hold(self, key: EndpointKey, *holders: Holder) -> None:
        """
        Say which nodes have tunnels of an endpoint, instead of what was said before.
        """
        self._holders[key] = holders
        for holder in holders:
            known = self.generations.get(holder.peer.id, 0)
            self.generations[holder.peer.id] = max(known, holder.peer.generation)

    def holders(self, key: EndpointKey) -> Sequence[Holder]:
        """
        The nodes that were said to have tunnels of an endpoint.
        """
        return self._holders.get(key, ())

    def generation(self, node: NodeId) -> int | None:
        """
        The latest life of a node that was spoken of.
        """
        return self.generations.get(node)
