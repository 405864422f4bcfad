"""
What a member is about to say, to whom, and in which datagrams.

All that is said to one address within one call leaves together. What has to precede it, as long as two have not heard
enough of each other (:mod:`~pico.gossip.admission`), is put in front by itself:

- a COOKIE, if the receiver has no session with us, or is nobody whom we know;
- the ECHO that it wants, and our INTRO, as long as it has not shown that we have a session with it.
"""

from __future__ import annotations

from pico.gossip import codec
from pico.gossip.admission import Admission, Session
from pico.gossip.counters import Counters
from pico.gossip.parcels import Parcel
from pico.gossip.peer import Peer
from pico.gossip.roster import Roster
from pico.gossip.seal import NOBODY, Keys
from pico.gossip.sections import Address


class Outbox:
    """
    The datagrams of our own life.

    :ivar capacity: bytes of sections in one datagram.
    """

    def __init__(
        self, keys: Keys, roster: Roster, admission: Admission, counters: Counters, max_packet_size: int
    ) -> None:
        self._keys = keys
        self._roster = roster
        self._admission = admission
        self._counters = counters
        self._sealer = keys.sealer(roster.me.token)
        self._parcels: dict[tuple[bytes, Address], Parcel] = {}
        self._outgoing: list[tuple[bytes, Address]] = []
        self.capacity = max_packet_size - keys.overhead

    def to(self, peer: Peer, now: float) -> Parcel:
        """
        What is said to a peer, where it says that it is.
        """
        return self.at(peer.token, peer.life.address, now)

    def reply(self, session: Session, now: float) -> Parcel:
        """
        What is answered to somebody, where it has proven to be.
        """
        return self.at(session.token, session.address, now)

    def at(self, token: bytes, address: Address, now: float) -> Parcel:
        """
        What is said to a life at an address.
        """
        parcel = self._parcels.get((token, address))
        if parcel is not None:
            return parcel
        parcel = self.bare(token, address)
        session = self._admission.sessions.get(token)
        if session is None or self._roster.get(token) is None:
            parcel.add(codec.write_cookie(self._admission.cookie(address, now)))
        if session is None or not session.confirmed:
            if session is not None and session.owed is not None:
                parcel.add(codec.write_echo(session.owed))
            me = self._roster.me
            parcel.add(codec.write_intro(me.life, me.incarnation))
        return parcel

    def at_seed(self, address: Address, now: float) -> None:
        """
        Greet whoever lives at an address.
        """
        sessions = self._admission.sessions.values()
        # It may have answered already, and wait for its cookie.
        token = next((each.token for each in sessions if each.owed is not None and each.address == address), NOBODY)
        self.at(token, address, now)

    def bare(self, token: bytes, address: Address) -> Parcel:
        """
        What is said without anything in front.
        """
        parcel = self._parcels.get((token, address))
        if parcel is None:
            parcel = self._parcels[token, address] = Parcel(token, address, self.capacity)
        return parcel

    def seal(self) -> None:
        """
        Make datagrams of all that was said.
        """
        counters = self._counters
        for parcel in self._parcels.values():
            for sections in parcel.take():
                data = self._sealer.seal(parcel.token, sections)
                counters.datagrams_out += 1
                counters.bytes_out += len(data)
                self._outgoing.append((data, parcel.address))
        self._parcels.clear()

    def clear(self) -> None:
        """
        Say nothing of what was not sealed yet.
        """
        self._parcels.clear()

    def begin_again(self) -> None:
        """
        We have a new life.
        """
        self._parcels.clear()
        self._sealer = self._keys.sealer(self._roster.me.token)

    def take(self) -> list[tuple[bytes, Address]]:
        """
        The datagrams that have to go out.
        """
        outgoing, self._outgoing = self._outgoing, []
        return outgoing
