"""
What is held of others, and what they hold of us: suspicions, incarnations, goodbyes.

What members must know of each other beside what they publish travels as keys, too, so it spreads and arrives as they
do. Such keys begin with a zero byte:

- ``\\0i``: the life's own incarnation, four bytes;
- ``\\0l``: it has left;
- ``\\0s`` and a token: it holds that life, in that incarnation (four bytes), for dead.

A peer is suspected as soon as somebody accuses it in its present incarnation, and is dead when it has not refuted that
in time. Each member waits for itself; nobody believes another one's verdict.
"""

from __future__ import annotations

from collections.abc import Callable

from pico.gossip.codec import MAX_INCARNATION
from pico.gossip.counters import Counters
from pico.gossip.events import BecameReachable, BecameUnreachable, Event, Left
from pico.gossip.failure import Suspicion, Suspicions, suspicion_time
from pico.gossip.ledger import Change
from pico.gossip.limits import Timing
from pico.gossip.peer import Peer, Status
from pico.gossip.roster import Roster

#: The first byte of keys that are the members' own business.
INTERNAL = b"\0"

INCARNATION = b"\0i"
LEFT = b"\0l"
ACCUSED = b"\0s"


class Standing:
    """
    How those of a roster stand with us and with each other.
    """

    def __init__(
        self,
        roster: Roster,
        timing: Timing,
        counters: Counters,
        wake: Callable[[float], None],
        greet: Callable[[bytes], None],
    ) -> None:
        """
        :param wake: is told when something has changed that others should hear of.
        :param greet: is told who counts as alive (again), by token.
        """
        self._roster = roster
        self._timing = timing
        self._counters = counters
        self._wake = wake
        self._greet = greet
        self._suspicions = Suspicions(timing)
        #: Whom we have published to be dead.
        self._accused: set[bytes] = set()

    @property
    def is_quiet(self) -> bool:
        """
        Whether nobody is suspected.
        """
        return not len(self._suspicions)

    # Others

    def meet(self, peer: Peer, now: float) -> None:
        """
        Somebody new: others may have accused it already.
        """
        self._greet(peer.token)
        key = ACCUSED + peer.token
        for other in self._roster:
            incarnation = _number(other.ledger.get(key))
            if incarnation is not None:
                peer.accusers[other.token] = incarnation
        self._judge(peer, now)

    def take(self, peer: Peer, change: Change, now: float, events: list[Event]) -> None:
        """
        A peer has changed one of the keys that begin with a zero byte.
        """
        key, value = change
        number = _number(value)
        if key == INCARNATION:
            if number is not None:
                self.hear_incarnation(peer, number, now, events)
        elif key == LEFT:
            if value is not None:
                self.has_left(peer, now, events)
        elif key[:2] == ACCUSED:
            self._take_accusation(peer, key[2:], number, now)

    def hear_incarnation(self, peer: Peer, incarnation: int, now: float, events: list[Event]) -> None:
        """
        A peer is in an incarnation. A new one refutes what was said of the former ones.
        """
        if incarnation <= peer.incarnation or peer is self._roster.me:
            return
        peer.incarnation = incarnation
        if peer.accused or peer.status is Status.LEFT:
            return
        self._withdraw(peer.token, now)
        if peer.status is Status.SUSPECT:
            self._suspicions.drop(peer.token)
            self._roster.set_status(peer, Status.ALIVE, now)
        elif peer.status is Status.UNREACHABLE:
            self._roster.set_status(peer, Status.ALIVE, now)
            self._wake(now)
            self._greet(peer.token)
            events.append(BecameReachable(peer))

    def has_left(self, peer: Peer, now: float, events: list[Event]) -> None:
        """
        A peer has said goodbye.
        """
        if peer.status is Status.LEFT:
            return
        self._suspicions.drop(peer.token)
        self._roster.set_status(peer, Status.LEFT, now)
        self._wake(now)
        self._withdraw(peer.token, now)
        events.append(Left(peer))

    def accuse(self, peer: Peer, now: float) -> None:
        """
        Hold a peer for dead, because our own probe failed.
        """
        me = self._roster.me
        peer.accusers[me.token] = peer.incarnation
        # More accusers than these would not make its time shorter.
        if peer.accused <= self._timing.confirmations + 1:
            self._accused.add(peer.token)
            me.ledger.mark(ACCUSED + peer.token, _bytes(peer.incarnation))
            self._own_changed(now)
        self._judge(peer, now)

    def pursue(self, now: float, events: list[Event]) -> list[Peer]:
        """
        See who has had his time.

        :return: the suspects that are to be pinged now.
        """
        # Who is suspected himself may not be there to share a suspicion.
        possible = 1 + sum(1 for peer in self._roster.up.values() if peer.status is Status.ALIVE)
        found = []
        for suspicion in self._suspicions:
            peer = self._roster.get(suspicion.token)
            if peer is None:
                self._suspicions.drop(suspicion.token)
            elif now >= self._end(suspicion, peer, possible):
                self._die(peer, now, events)
            elif now >= suspicion.ping:
                suspicion.ping = now + suspicion.pause
                found.append(peer)
        return found

    def excuse(self, seconds: float) -> None:
        """
        This program was stopped for so long; nobody else is to blame.
        """
        self._suspicions.move(seconds)

    def tidy(self, now: float) -> None:
        """
        Somebody was removed: what we said of him, and what we were about to do, is void.
        """
        for token in [token for token in self._accused if self._roster.get(token) is None]:
            self._withdraw(token, now)
        for suspicion in self._suspicions:
            if self._roster.get(suspicion.token) is None:
                self._suspicions.drop(suspicion.token)

    # Ourselves

    def refute(self, incarnation: int, now: float) -> None:
        """
        Somebody holds us for dead.
        """
        me = self._roster.me
        if incarnation < me.incarnation or incarnation >= MAX_INCARNATION or me.status is not Status.ALIVE:
            return
        self._counters.refutations += 1
        me.incarnation = incarnation + 1
        me.ledger.mark(INCARNATION, _bytes(me.incarnation))
        self._own_changed(now)

    def leave(self, now: float) -> None:
        """
        Publish that we leave.
        """
        me = self._roster.me
        me.ledger.mark(LEFT, b"")
        self._roster.set_status(me, Status.LEFT, now)
        self._own_changed(now)

    def begin_again(self) -> None:
        """
        We have a new life, in which we say the same of others.
        """
        for token in self._accused:
            peer = self._roster.get(token)
            if peer is not None:
                peer.accusers[self._roster.me.token] = peer.incarnation

    # Inside

    def _take_accusation(self, accuser: Peer, token: bytes, incarnation: int | None, now: float) -> None:
        if token == self._roster.me.token:
            if incarnation is not None:
                self.refute(incarnation, now)
            return
        target = self._roster.get(token)
        if target is None:
            return
        if incarnation is None:
            target.accusers.pop(accuser.token, None)
        else:
            target.accusers[accuser.token] = incarnation
            self._judge(target, now)

    def _judge(self, peer: Peer, now: float) -> None:
        if peer.status is Status.ALIVE and peer.accused:
            self._counters.suspicions += 1
            self._roster.set_status(peer, Status.SUSPECT, now)
            self._suspicions.start(peer.token, now, ours=self._roster.me.token in peer.accusers)

    def _end(self, suspicion: Suspicion, peer: Peer, possible: int) -> float:
        return suspicion.started + suspicion_time(self._timing, peer.accused, possible)

    def _die(self, peer: Peer, now: float, events: list[Event]) -> None:
        self._counters.deaths += 1
        self._suspicions.drop(peer.token)
        self._roster.set_status(peer, Status.UNREACHABLE, now)
        events.append(BecameUnreachable(peer))

    def _withdraw(self, token: bytes, now: float) -> None:
        if token in self._accused:
            self._accused.discard(token)
            self._roster.me.ledger.remove(ACCUSED + token)
            self._own_changed(now)

    def _own_changed(self, now: float) -> None:
        self._roster.changed(self._roster.me, now)
        self._wake(now)


def _bytes(incarnation: int) -> bytes:
    return incarnation.to_bytes(4, "big")


def _number(value: bytes | None) -> int | None:
    return int.from_bytes(value, "big") if value is not None and len(value) == 4 else None
