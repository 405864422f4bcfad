"""
Who is known, and who was.

- Of each id one life is known, the newest. A newer one replaces it at once.
- A life that is over is *buried*: remembered for a while, so that a member who has not heard of it cannot bring it
  back. One that left or was replaced stays buried. One that was only unreachable may come back; but as long as nobody
  says more than what was known when it was buried (its incarnation), it comes back unreachable, and has to refute that.
"""

from __future__ import annotations

import hashlib
from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterable, Iterator

import attrs

from pico.gossip import codec
from pico.gossip.counters import Counters
from pico.gossip.events import BecameUnreachable, Event, Joined, Removed
from pico.gossip.ledger import Ledger
from pico.gossip.limits import Limits
from pico.gossip.peer import Peer, Status
from pico.gossip.sections import Intro, Life

#: For how many times the time after which a peer is forgotten it stays buried.
BURIED_FOR = 10

#: Digests that are sent at once, at the most; of more lives the next ones follow the next time.
MAX_PAGES = 4

_FIRST = bytes(codec.TOKEN_SIZE)
_LAST = b"\xff" * codec.TOKEN_SIZE


@attrs.define(eq=False)
class _Grave:
    incarnation: int
    final: bool
    until: float
    #: The generation that replaced it, if one did.
    newer: int | None


class Roster:
    """
    The lives that are known, our own among them.

    :ivar me: our own.
    """

    def __init__(self, life: Life, limits: Limits, forget: float, counters: Counters) -> None:
        """
        :param forget: seconds after which an unreachable peer is buried.
        """
        self._limits = limits
        self._forget = forget
        self._counters = counters
        self._by_token: dict[bytes, Peer] = {}
        self._by_id: dict[str, Peer] = {}
        self._tokens: list[bytes] = []
        self._graves: dict[bytes, _Grave] = {}
        self._fingerprint = b""
        self._page = 0
        self._up: dict[bytes, Peer] | None = None
        self.me = Peer(life, Ledger(limits), 0, 0.0)
        self._add(self.me)

    def __len__(self) -> int:
        """
        How many lives are known.
        """
        return len(self._by_token)

    def __iter__(self) -> Iterator[Peer]:
        """
        All peers, ourselves among them.
        """
        return iter(self._by_token.values())

    def others(self) -> Iterator[Peer]:
        """
        All peers but ourselves.
        """
        me = self.me
        return (peer for peer in self._by_token.values() if peer is not me)

    def get(self, token: bytes) -> Peer | None:
        """
        The peer with that token.
        """
        return self._by_token.get(token)

    def find(self, id: str) -> Peer | None:  # noqa: A002 - what else should it be called
        """
        The peer with that id.
        """
        return self._by_id.get(id)

    @property
    def up(self) -> dict[bytes, Peer]:
        """
        The others who count as alive, by token; not to be changed.
        """
        if self._up is None:
            self._up = {peer.token: peer for peer in self.others() if peer.is_up}
        return self._up

    def between(self, first: bytes, last: bytes) -> Iterable[Peer]:
        """
        The peers whose tokens lie in a range, both ends included.
        """
        tokens = self._tokens[bisect_left(self._tokens, first) : bisect_right(self._tokens, last)]
        return map(self._by_token.__getitem__, tokens)

    # Coming and going

    def meet(self, token: bytes, intro: Intro, now: float, events: list[Event]) -> Peer | None:
        """
        Hear of a life, from itself or from others.

        :return: the peer, or nothing if it is not to be known. If it has our own id and is newer, it is not known
            either; see :meth:`rival`.
        """
        peer = self._by_token.get(token)
        if peer is not None:
            return peer
        grave = self._graves.get(token)
        if grave is not None and grave.final:
            return None
        life = Life(token, intro.id, intro.generation, intro.address)
        former = self._by_id.get(life.id)
        if former is not None:
            if former is self.me and life.is_after(former.life):
                return None
            if not life.is_after(former.life):
                self._bury(life, 0, now, newer=former.life.generation)
                return None
            self.remove(former, now, events, newer=life)
        elif len(self._by_token) >= self._limits.max_members:
            self._counters.refused_members += 1
            return None
        peer = Peer(life, Ledger(self._limits), intro.incarnation, now)
        self._graves.pop(token, None)
        self._add(peer)
        events.append(Joined(peer))
        if grave is not None and intro.incarnation <= grave.incarnation:
            self.set_status(peer, Status.UNREACHABLE, now)
            events.append(BecameUnreachable(peer))
        return peer

    def rival(self, intro: Intro, token: bytes) -> bool:
        """
        Whether this is a newer life of our own id.
        """
        me = self.me.life
        return intro.id == me.id and token != me.token and (intro.generation, token) > (me.generation, me.token)

    def remove(self, peer: Peer, now: float, events: list[Event], newer: Life | None = None) -> None:
        """
        Bury a peer.

        :param newer: the life that replaces it.
        """
        del self._by_token[peer.token]
        del self._by_id[peer.id]
        del self._tokens[bisect_left(self._tokens, peer.token)]
        for other in self._by_token.values():
            other.accusers.pop(peer.token, None)
        final = newer is not None or peer.status is Status.LEFT
        self._bury(peer.life, peer.incarnation, now, final=final, newer=newer.generation if newer else None)
        self._fingerprint = b""
        self._up = None
        events.append(Removed(peer))

    def is_buried(self, token: bytes) -> bool:
        """
        Whether a life is over for good.
        """
        grave = self._graves.get(token)
        return grave is not None and grave.final

    def replaced_by(self, token: bytes) -> int | None:
        """
        The generation that has replaced a life, if one has.
        """
        grave = self._graves.get(token)
        return None if grave is None else grave.newer

    def expire(self, now: float, events: list[Event]) -> None:
        """
        Bury who left or is unreachable for long enough, and forget who is buried for long enough.
        """
        limit = now - self._forget
        for peer in [peer for peer in self.others() if not peer.is_up and peer.since <= limit]:
            self.remove(peer, now, events)
        for token in [token for token, grave in self._graves.items() if grave.until <= now]:
            del self._graves[token]

    def begin_again(self, life: Life, now: float) -> None:
        """
        Give ourselves a new life. Our keys are published anew.
        """
        former = self.me
        del self._by_token[former.token]
        del self._tokens[bisect_left(self._tokens, former.token)]
        self._bury(former.life, former.incarnation, now, newer=life.generation)
        for other in self._by_token.values():
            other.accusers.pop(former.token, None)
        self.me = Peer(life, Ledger(self._limits), 0, now)
        self._add(self.me)

    def _add(self, peer: Peer) -> None:
        self._by_token[peer.token] = peer
        self._by_id[peer.id] = peer
        insort(self._tokens, peer.token)
        self._fingerprint = b""
        self._up = None

    def _bury(self, life: Life, incarnation: int, now: float, *, final: bool = True, newer: int | None = None) -> None:
        graves = self._graves
        graves.pop(life.token, None)
        graves[life.token] = _Grave(incarnation, final, now + BURIED_FOR * self._forget, newer)
        if len(graves) > self._limits.max_buried:
            del graves[next(iter(graves))]

    # What is told of them

    def set_status(self, peer: Peer, status: Status, now: float) -> None:
        """
        Hold something else of a peer.
        """
        peer.status = status
        peer.since = now
        peer.touch()
        self._fingerprint = b""
        self._up = None

    def changed(self, peer: Peer, now: float) -> None:
        """
        A peer's version is another one.
        """
        peer.changed = now
        peer.touch()
        self._fingerprint = b""

    def fingerprint(self) -> bytes:
        """
        The same for all who know the same of the same living peers.
        """
        if not self._fingerprint:
            peers = self._by_token
            entries = b"".join([peer.entry() for token in self._tokens if (peer := peers[token]).is_up])
            self._fingerprint = hashlib.blake2b(entries, digest_size=codec.TOKEN_SIZE).digest()
        return self._fingerprint

    def digests(self, size: int, pages: int = MAX_PAGES) -> list[bytes]:
        """
        All that is known, as sections of at most so many bytes.

        :param pages: sections at the most; of more the next ones follow the next time.
        """
        tokens = self._tokens
        each = (size - codec.DIGEST_SIZE) // codec.ENTRY_SIZE
        count = -(-len(tokens) // each)
        made = []
        peers = self._by_token
        for _ in range(min(count, pages)):
            self._page = page = (self._page + 1) % count
            mine = tokens[page * each : (page + 1) * each]
            first = mine[0] if page else _FIRST
            last = _before(tokens[(page + 1) * each]) if page + 1 < count else _LAST
            made.append(codec.write_digest(first, last, [peers[token].entry() for token in mine]))
            self._counters.digest_entries_out += len(mine)
        return made


def _before(token: bytes) -> bytes:
    return (int.from_bytes(token, "big") - 1).to_bytes(codec.TOKEN_SIZE, "big")
