"""
The other nodes: what gossip tells of them, in Pico's words.

Pure: events of gossip in, answers out.

- A node's entry is that of its latest life. When a new life joins, the endpoints of the former one are gone.
- What a node publishes that means nothing to this version is skipped and counted.
- How much one node may publish, and how many nodes there may be, is bounded by gossip.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType

import attrs

from pico.cluster.members import Holder
from pico.cluster.schema import LEAVING, Fact, Served, UnknownKey, read_fact, read_key, read_served
from pico.gossip.events import BecameReachable, BecameUnreachable, Changed, Event, Joined, Left, Removed
from pico.gossip.ledger import Change
from pico.gossip.peer import Peer as Member
from pico.names import EndpointKey, NodeId
from pico.wire.link_auth import Peer

_NOBODY: Sequence[Holder] = ()


class Status(enum.Enum):
    """
    What is held of a node.
    """

    ACTIVE = "active"
    UNREACHABLE = "unreachable"
    #: It has said that it is about to stop, and still serves.
    LEAVING = "leaving"
    LEFT = "left"


class _Reach(enum.Enum):
    HERE = "here"
    UNREACHABLE = "unreachable"
    LEFT = "left"


@attrs.frozen
class News:
    """
    What has changed for those who look for an endpoint.

    :ivar served: endpoints that a node serves from now on, or says again that it does.
    :ivar lost: endpoints that a node serves no more; others may.
    """

    served: list[EndpointKey] = attrs.field(factory=list)
    lost: list[EndpointKey] = attrs.field(factory=list)


@attrs.define(eq=False)
class Entry:
    """
    A node, as far as it is known. Only the table changes one.

    :ivar peer: its id and the generation of its life.
    :ivar host: where it takes gossip and links, with ``port``.
    :ivar facts: what it says of itself.
    :ivar upstreams: tunnels of all its endpoints.
    """

    peer: Peer
    host: str
    port: int
    facts: dict[Fact, str] = attrs.field(factory=dict)
    upstreams: int = 0
    _served: dict[EndpointKey, Served] = attrs.field(factory=dict, alias="served")
    _reach: _Reach = attrs.field(default=_Reach.HERE, alias="reach")

    @property
    def status(self) -> Status:
        """
        What is held of it.
        """
        if self._reach is _Reach.LEFT:
            return Status.LEFT
        if self._reach is _Reach.UNREACHABLE:
            return Status.UNREACHABLE
        return Status.LEAVING if self.facts.get(Fact.STATUS) == LEAVING else Status.ACTIVE

    @property
    def serves(self) -> bool:
        """
        Whether requests may go there.
        """
        return self._reach is _Reach.HERE

    @property
    def served(self) -> Mapping[EndpointKey, Served]:
        """
        Its endpoints.
        """
        return MappingProxyType(self._served)


class MemberTable:
    """
    All other nodes that are known; the :class:`pico.cluster.members.Members` of a node in a cluster.

    :ivar skipped: keys and values of other nodes that meant nothing.
    """

    def __init__(self) -> None:
        self.skipped = 0
        self._entries: dict[NodeId, Entry] = {}
        self._by_key: dict[EndpointKey, dict[NodeId, Entry]] = {}
        self._holders: dict[EndpointKey, Sequence[Holder]] = {}

    # Members

    def holders(self, key: EndpointKey) -> Sequence[Holder]:
        """
        The nodes that have tunnels of an endpoint and may be asked for it.
        """
        found = self._holders.get(key)
        if found is None:
            entries = self._by_key.get(key)
            if entries is None:
                return _NOBODY
            found = self._holders[key] = tuple(_holder(entry, key) for entry in entries.values() if entry.serves)
        return found

    def generation(self, node: NodeId) -> int | None:
        """
        The latest life of a node that is known of.
        """
        entry = self._entries.get(node)
        return entry.peer.generation if entry is not None else None

    # For whoever shows them

    @property
    def entries(self) -> Iterable[Entry]:
        """
        All nodes, in the order in which they were met.
        """
        return self._entries.values()

    def tunnels(self) -> Mapping[NodeId, int]:
        """
        How many tunnels each node has that takes new ones.
        """
        return {node: entry.upstreams for node, entry in self._entries.items() if entry.status is Status.ACTIVE}

    def find(self, node: NodeId) -> Entry | None:
        """
        One of them.
        """
        return self._entries.get(node)

    # Gossip's news

    def take(self, events: Iterable[Event]) -> News:
        """
        Learn what gossip has to tell.
        """
        news = News()
        for event in events:
            if isinstance(event, Joined):
                self._joined(event.peer, news)
            elif isinstance(event, Removed):
                self._removed(event.peer, news)
            elif isinstance(event, Changed):
                entry = self._find(event.peer)
                if entry is not None:
                    self._changed(entry, event.changes, news)
            elif isinstance(event, Left):
                self._reached(event.peer, _Reach.LEFT, news)
            elif isinstance(event, BecameUnreachable):
                self._reached(event.peer, _Reach.UNREACHABLE, news)
            elif isinstance(event, BecameReachable):
                self._reached(event.peer, _Reach.HERE, news)
        return news

    # Inside

    def _find(self, member: Member) -> Entry | None:
        # Only the life that the entry is of: a former one may still be spoken of.
        entry = self._entries.get(NodeId(member.id))
        return entry if entry is not None and entry.peer.generation == member.life.generation else None

    def _joined(self, member: Member, news: News) -> None:
        node = NodeId(member.id)
        former = self._entries.pop(node, None)
        if former is not None:
            self._drop_all(former, news)
        host, port = member.life.address
        self._entries[node] = Entry(Peer(node, member.life.generation), host, port)

    def _removed(self, member: Member, news: News) -> None:
        entry = self._find(member)
        if entry is not None:
            del self._entries[entry.peer.id]
            self._drop_all(entry, news)

    def _reached(self, member: Member, reach: _Reach, news: News) -> None:
        entry = self._find(member)
        if entry is not None and entry._reach is not reach:
            served = entry.serves
            entry._reach = reach
            self._forget_holders(entry)
            if served:
                news.lost.extend(entry._served)
            elif entry.serves:
                news.served.extend(entry._served)

    def _changed(self, entry: Entry, changes: Sequence[Change], news: News) -> None:
        for name, value in changes:
            try:
                key = read_key(name)
                if isinstance(key, Fact):
                    self._said(entry, key, read_fact(value) if value is not None else None)
                else:
                    self._serves(entry, key, read_served(value) if value is not None else None, news)
            except UnknownKey:
                self.skipped += 1

    def _said(self, entry: Entry, fact: Fact, text: str | None) -> None:
        if text is None:
            entry.facts.pop(fact, None)
        else:
            entry.facts[fact] = text
        if fact is Fact.STATUS:
            self._forget_holders(entry)

    def _serves(self, entry: Entry, key: EndpointKey, served: Served | None, news: News) -> None:
        former = entry._served.get(key)
        if entry.serves:
            # Also when it says what was known: it may have lost a tunnel and got one since it said so last.
            if served is not None:
                news.served.append(key)
            elif former is not None:
                news.lost.append(key)
        # Gossip publishes old keys anew from time to time.
        if former == served:
            return
        entry.upstreams += (served.upstreams if served is not None else 0) - (former.upstreams if former else 0)
        self._holders.pop(key, None)
        if served is not None:
            entry._served[key] = served
            self._by_key.setdefault(key, {})[entry.peer.id] = entry
        else:
            del entry._served[key]
            self._drop(entry, key)

    def _drop_all(self, entry: Entry, news: News) -> None:
        if entry.serves:
            news.lost.extend(entry._served)
        for key in entry._served:
            self._drop(entry, key)
        entry._served.clear()
        entry.upstreams = 0

    def _drop(self, entry: Entry, key: EndpointKey) -> None:
        self._holders.pop(key, None)
        holding = self._by_key[key]
        del holding[entry.peer.id]
        if not holding:
            del self._by_key[key]

    def _forget_holders(self, entry: Entry) -> None:
        for key in entry._served:
            self._holders.pop(key, None)


def _holder(entry: Entry, key: EndpointKey) -> Holder:
    served = entry.served[key]
    leaving = entry.status is Status.LEAVING
    return Holder(entry.peer, entry.host, entry.port, served.upstreams, served.load, leaving)
