"""
What this node publishes: its addresses, its endpoints, and how busy those are.

Pure: what happens goes in, and keys to publish or to take back come out.

- How many tunnels an endpoint has is told as it changes. The node lives by it.
- Load is told coarsely, in powers of two and not at all below :data:`LEAST_LOAD`, since it only decides between nodes
  that could both serve a request. It is *sampled*: some endpoints at each look, all in turn, so that a node with very
  many of them has no more to do than one with a few. Of one endpoint it is told once a second at most.
- A node cannot publish without limit. Endpoints beyond :data:`MAX_ENDPOINTS` are served by this node but not found by
  others, until there is room.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from pico.cluster.schema import Fact, Served, may_be_published, write_key, write_served
from pico.gossip.ledger import Change
from pico.names import EndpointKey

#: Endpoints that a node tells others of; a little less than gossip takes of one member.
MAX_ENDPOINTS = 99_000

#: Bytes of all keys and values of so many, at the most.
MAX_PUBLISHED = 64 * 1024 * 1024

#: A load below this counts as none: what a further hop costs in the choice between two nodes.
LEAST_LOAD = 4

#: Seconds between two looks at the load of endpoints; each is looked at once in that time at most.
LOOK = 1.0

#: Endpoints that one look takes in, and loads that it tells.
MAX_LOOKED = 5000
MAX_TOLD = 500


def coarse(load: int, told: int) -> int:
    """
    A load as it is told.

    :param told: what was told last. Less is told only when it is clearly less, so that a load at a border does not
        change back and forth.
    """
    rounded = 0 if load < LEAST_LOAD else 1 << (load.bit_length() - 1)
    return told if rounded < told and 4 * load >= 3 * told else rounded


class Publication:
    """
    What is published of this node.
    """

    def __init__(self, max_endpoints: int = MAX_ENDPOINTS) -> None:
        self._max_endpoints = max_endpoints
        self._told: dict[EndpointKey, Served] = {}
        self._counts: dict[EndpointKey, int] = {}
        #: Endpoints that the look under way has still to come to.
        self._unseen: list[EndpointKey] = []
        self._changes: dict[bytes, bytes | None] = {}

    @property
    def left_out(self) -> int:
        """
        Endpoints of this node that others are not told of, because there are too many, or their names are too long.
        """
        return len(self._counts) - len(self._told)

    def say(self, fact: Fact, text: str) -> None:
        """
        Say something of this node.
        """
        self._changes[fact.value] = text.encode("ascii", "replace")

    def serves(self, key: EndpointKey, upstreams: int) -> None:
        """
        An endpoint has so many tunnels here now.
        """
        if upstreams:
            self._counts[key] = upstreams
            self._tell(key, upstreams)
            return
        self._counts.pop(key, None)
        if self._told.pop(key, None) is not None:
            self._changes[write_key(key)] = None

    def look(self, load_of: Callable[[EndpointKey], int]) -> None:
        """
        Sample the load of some endpoints, and tell others of those that there was no room for. To be called every
        :data:`LOOK` seconds.
        """
        if not self._unseen:
            self._unseen = list(self._counts)
        told = 0
        for _ in range(min(MAX_LOOKED, len(self._unseen))):
            if told >= MAX_TOLD:
                break
            key = self._unseen.pop()
            served = self._told.get(key)
            if served is None:
                told += key in self._counts and self._tell(key, self._counts[key])
                continue
            load = coarse(load_of(key), served.load)
            if load != served.load:
                told += 1
                self._set(key, Served(served.upstreams, load))

    def take(self) -> Iterable[Change]:
        """
        Take what is to be published, and to be taken back, since the last call.
        """
        changes, self._changes = self._changes, {}
        return changes.items()

    def _tell(self, key: EndpointKey, upstreams: int) -> bool:
        served = self._told.get(key)
        if served is None and (len(self._told) >= self._max_endpoints or not may_be_published(key)):
            return False
        self._set(key, Served(upstreams, served.load if served is not None else 0))
        return True

    def _set(self, key: EndpointKey, served: Served) -> None:
        self._told[key] = served
        self._changes[write_key(key)] = write_served(served)
