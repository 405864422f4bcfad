"""
How long it takes until every member of a group knows of a change.

The keys and values are those of nodes that serve endpoints.
"""

from __future__ import annotations

import time
from functools import partial
from random import Random

import attrs

from pico.cluster.schema import Served, write_key, write_served
from pico.gossip.events import Changed, Event
from pico.names import DEFAULT_TENANT, EndpointKey
from pico.testing.gossip import MemoryGroup, MemoryMember


@attrs.frozen
class SpreadReport:
    """
    What came of many changes.

    :ivar changes: how many were made.
    :ivar known: how many of them everybody has learned of.
    :ivar delays: of those, seconds until the last member knew, in ascending order.
    :ivar cpu: seconds of CPU for a simulated second of one member, the simulation's own share included.
    :ivar bytes_out: that one member sent in a second.
    :ivar datagrams_in: that one member received in a second.
    """

    changes: int
    known: int
    delays: list[float]
    cpu: float
    bytes_out: float
    datagrams_in: float

    def quantile(self, share: float) -> float:
        """
        The delay that this share of the changes does not exceed; 0 if nothing was changed.
        """
        return self.delays[min(len(self.delays) - 1, int(len(self.delays) * share))] if self.delays else 0.0


class Spread:
    """
    Members that change their keys all the time, and what the others learn of it.

    Each member changes its keys in turn, so that no change is overtaken by the next one of the same key.
    """

    def __init__(self, group: MemoryGroup, members: list[MemoryMember], *, keys: int, seed: int = 0) -> None:
        """
        :param keys: of each member; :meth:`fill` publishes them.
        """
        self._group = group
        self._members = members
        self._keys = keys
        self._random = Random(seed)
        self._next = dict.fromkeys(members, 0)
        self._changes = 0
        #: Of each change, by its value: when it was made, and who does not know of it yet.
        self._open: dict[bytes, tuple[float, set[MemoryMember]]] = {}
        self._delays: list[float] = []
        for member in members:
            member.watch = partial(self._watch, member)

    def fill(self) -> None:
        """
        Publish all keys.
        """
        for member in self._members:
            for number in range(self._keys):
                member.put(_key(member, number), _value(0))

    def everybody_knows(self) -> bool:
        """
        Whether everybody knows all keys of everybody, whatever their values.
        """
        return all(
            len(peer.ledger) - peer.ledger.deleted >= self._keys
            for member in self._members
            for peer in member.core.roster
        )

    def run(self, seconds: float, rate: float, *, wait: float = 3.0) -> SpreadReport:
        """
        Change keys for some time.

        :param rate: changes in a second, of all members together.
        :param wait: seconds afterwards, for what is still on its way.
        """
        group, members = self._group, self._members
        cpu = time.process_time()
        sent = sum(member.socket.sent for member in members)
        received = sum(member.core.counters.datagrams_in for member in members)
        began = group.now
        before = self._changes
        count = 0
        while group.now < began + seconds:
            count += 1
            while self._changes - before < rate * count / 1000:
                self._change(self._random.choice(members))
            group.advance(0.001)
        share = 1 / (seconds * len(members))
        cpu = (time.process_time() - cpu) * share
        sent = sum(member.socket.sent for member in members) - sent
        received = sum(member.core.counters.datagrams_in for member in members) - received
        group.advance(wait)
        delays, self._delays = self._delays, []
        return SpreadReport(self._changes - before, len(delays), sorted(delays), cpu, sent * share, received * share)

    def _change(self, member: MemoryMember) -> None:
        self._changes += 1
        value = _value(self._changes)
        number = self._next[member]
        self._next[member] = (number + 1) % self._keys
        self._open[value.encode()] = self._group.now, {other for other in self._members if other is not member}
        member.put(_key(member, number), value)

    def _watch(self, member: MemoryMember, event: Event) -> None:
        if not isinstance(event, Changed):
            return
        for _, value in event.changes:
            found = self._open.get(value or b"")
            if found is not None:
                made, others = found
                others.discard(member)
                if not others:
                    self._delays.append(self._group.now - made)
                    del self._open[value or b""]


def _key(member: MemoryMember, number: int) -> str:
    return write_key(EndpointKey(DEFAULT_TENANT, f"service-{number}.{member.id}")).decode()


def _value(number: int) -> str:
    # So every value is another one.
    return write_served(Served(1, number)).decode()
