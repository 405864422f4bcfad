"""
What the operators' port shows of gossip.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from twisted.internet.interfaces import IReactorTime
from zope.interface import implementer

from pico.cluster.schema import Fact, UnknownKey, read_key
from pico.gossip.peer import Peer, Status
from pico.gossip.sections import Record
from pico.gossip.standing import INTERNAL
from pico.gossip.udp import Gossip
from pico.interfaces import GossipEntry, GossipNode, IGossipView
from pico.names import DEFAULT_TENANT
from pico.net.addresses import text_of_pair


@implementer(IGossipView)
class GossipView:
    """
    The members that a node knows, itself among them.
    """

    def __init__(
        self,
        gossip: Gossip | None,
        *,
        clock: IReactorTime,
        forget: float,
        time_of_day: Callable[[], float] = time.time,
    ) -> None:
        """
        :param gossip: ``None`` for a node that does not gossip.
        :param clock: that of gossip.
        :param forget: seconds after which a member that is not up is forgotten.
        """
        self._gossip = gossip
        self._clock = clock
        self._forget = forget
        self._time_of_day = time_of_day

    def members(self) -> Sequence[GossipNode]:
        """
        All members by their ids.
        """
        gossip = self._gossip
        if gossip is None or not gossip.has_member:
            return []
        return sorted(map(self._node, gossip.member.roster), key=lambda node: node.id)

    def entries(self, node: str, after: int, limit: int) -> tuple[GossipNode, Sequence[GossipEntry], int] | None:
        """
        What one member publishes.
        """
        gossip = self._gossip
        peer = gossip.member.roster.find(node) if gossip is not None and gossip.has_member else None
        if peer is None:
            return None
        records = peer.ledger.since(after)
        return self._node(peer), [_entry(record) for record in records[:limit]], len(peer.ledger)

    def _node(self, peer: Peer) -> GossipNode:
        expiry = None
        if not peer.is_up:
            expiry = self._time_of_day() + peer.since + self._forget - self._clock.seconds()
        return GossipNode(
            peer.id,
            text_of_pair(peer.life.address),
            peer.ledger.version,
            left=peer.status is Status.LEFT,
            unreachable=peer.status is Status.UNREACHABLE,
            expiry=expiry,
        )


def _entry(record: Record) -> GossipEntry:
    key, version, value = record
    internal = key[:1] == INTERNAL
    return GossipEntry(
        _text(key[1:]) if internal else _key(key),
        "" if value is None else _text(value),
        version,
        internal=internal,
        deleted=value is None,
    )


def _key(data: bytes) -> str:
    try:
        key = read_key(data)
    except UnknownKey:
        return _text(data)
    if isinstance(key, Fact):
        return key.value.decode("ascii")
    tenant = f"{key.tenant}/" if key.tenant != DEFAULT_TENANT else ""
    return f"endpoint:{tenant}{key.endpoint}"


def _text(data: bytes) -> str:
    return data.decode("utf-8", "backslashreplace")
