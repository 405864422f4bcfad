"""
What is shown of gossip.
"""

from __future__ import annotations

from collections.abc import Sequence

from twisted.internet.interfaces import IReactorTime
from zope.interface import implementer

from pico.cluster.membership import Membership
from pico.cluster.schema import Fact, UnknownKey, read_key
from pico.gossip.peer import Peer, Status
from pico.gossip.sections import Record
from pico.gossip.standing import INTERNAL
from pico.interfaces import GossipKey, GossipStatus, IGossipView
from pico.names import DEFAULT_TENANT, NodeId
from pico.net.addresses import text_of_pair

_STATUS = {Status.ALIVE: "active", Status.SUSPECT: "suspect", Status.UNREACHABLE: "unreachable", Status.LEFT: "left"}


@implementer(IGossipView)
class GossipView:
    """
    Reads a node's membership. There is nothing to read before its port is bound.
    """

    def __init__(self, membership: Membership, *, clock: IReactorTime, forget: float) -> None:
        """
        :param forget: seconds after which gossip forgets who is not there any more.
        """
        self._membership = membership
        self._clock = clock
        self._forget = forget

    def members(self) -> Sequence[GossipStatus]:
        """
        Every node that is known, this one first.
        """
        if not self._membership.gossip.has_member:
            return []
        roster = self._membership.gossip.member.roster
        others = sorted(roster.others(), key=lambda peer: peer.id)
        return [self._status_of(roster.me, own=True), *map(self._status_of, others)]

    def keys(self, node: NodeId) -> Sequence[GossipKey] | None:
        """
        What a node publishes.
        """
        if not self._membership.gossip.has_member:
            return None
        peer = self._membership.gossip.member.roster.find(node)
        if peer is None:
            return None
        return [_shown(record) for record in peer.ledger]

    def _status_of(self, peer: Peer, own: bool = False) -> GossipStatus:
        now = self._clock.seconds()
        ledger = peer.ledger
        return GossipStatus(
            id=NodeId(peer.id),
            addr=text_of_pair(peer.life.address),
            generation=peer.life.generation,
            status=_STATUS[peer.status],
            version=ledger.version,
            keys=len(ledger) - ledger.deleted,
            deleted=ledger.deleted,
            since=None if own else now - peer.since,
            changed=None if own else now - peer.changed,
            forgotten_in=None if own or peer.is_up else max(0.0, peer.since + self._forget - now),
        )


def _shown(record: Record) -> GossipKey:
    key, version, value = record
    shown = None if value is None else _text(value)
    if key[:1] == INTERNAL:
        return GossipKey(_text(key[1:]), shown, version, True)
    return GossipKey(_words(key), shown, version, False)


def _words(data: bytes) -> str:
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
