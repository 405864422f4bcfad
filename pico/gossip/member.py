"""
A member of the group: datagrams and time in, datagrams and events out.

The core that joins the others of this room: who is heard (:mod:`~pico.gossip.admission`), who is known
(:mod:`~pico.gossip.roster`), what they have to tell each other (:mod:`~pico.gossip.sync`), who is asked whether he
lives (:mod:`~pico.gossip.failure`), also for others (:mod:`~pico.gossip.errands`), what follows from it
(:mod:`~pico.gossip.standing`), what is said to whom (:mod:`~pico.gossip.outbox`), and the end
(:mod:`~pico.gossip.goodbyes`).
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Sequence
from random import Random

import attrs

from pico.gossip import codec, sync
from pico.gossip.admission import Admission, Heard, Session, Stranger
from pico.gossip.codec import TOKEN_SIZE
from pico.gossip.counters import Counters
from pico.gossip.errands import Errand, Errands
from pico.gossip.events import BeganAgain, Changed, Departed, Event, FarBehind, Superseded
from pico.gossip.failure import Probes, Step
from pico.gossip.goodbyes import Goodbyes
from pico.gossip.ledger import Change
from pico.gossip.limits import DEFAULT_LIMITS, DEFAULT_TIMING, Limits, Timing
from pico.gossip.outbox import Outbox
from pico.gossip.parcels import Parcel
from pico.gossip.peer import Peer, Status
from pico.gossip.roster import Roster
from pico.gossip.seal import Keys
from pico.gossip.sections import (
    Accuse,
    Ack,
    Address,
    Block,
    Cookie,
    Digest,
    Intro,
    Leave,
    Life,
    Nack,
    Offer,
    Ping,
    Relay,
    Stale,
    Want,
)
from pico.gossip.seeds import Seeds
from pico.gossip.standing import INCARNATION, INTERNAL, Standing

#: How often an interval is looked after those that are suspected; the grain of all that need not be exact.
_BEATS = 4

#: New lives that we give ourselves when our id seems to be taken by a newer one.
_MAX_LIVES = 3

#: Members that are told at once that we leave.
_MAX_GOODBYES = 256


class _Phase(enum.Enum):
    IN = "in"
    LEAVING = "leaving"
    OUT = "out"


class Member:
    """
    One member, and all that it knows.

    :ivar roster: who is known.
    :ivar counters: what has been counted.
    """

    def __init__(
        self,
        *,
        id: str,  # noqa: A002 - what else should it be called
        generation: int,
        address: Address,
        keys: Keys,
        random: Random,
        now: float,
        limits: Limits = DEFAULT_LIMITS,
        timing: Timing = DEFAULT_TIMING,
    ) -> None:
        """
        :param id: unique in the group; a life replaces another one of the same id.
        :param generation: higher than that of any former life, such as the time of day in milliseconds.
        :param address: where others reach this member.
        :param random: must be unpredictable where it matters that nobody forges cookies.
        :param now: seconds on the clock of all other calls, which does not go back.
        :raises ValueError: the id or the address cannot be written down.
        """
        if not 0 < len(id.encode("utf-8")) <= limits.max_id or not id.isprintable():
            raise ValueError(f"{id!r} cannot be an id: it needs 1 to {limits.max_id} printable bytes of UTF-8")
        if not 0 < len(address[0].encode("utf-8")) <= limits.max_id or not 0 < address[1] < 65536:
            raise ValueError(f"others cannot reach {address[0]!r} port {address[1]}")
        self._random = random
        self._limits = limits
        self._timing = timing
        self._keys = keys
        self._born = now
        self._lives = 1
        self.counters = Counters()
        life = Life(random.randbytes(TOKEN_SIZE), id, generation, address)
        self.roster = Roster(life, limits, timing.forget, self.counters)
        self._admission = Admission(
            keys,
            life.token,
            limits,
            self.counters,
            random.randbytes(32),
            lambda token: self.roster.get(token) is not None,
        )
        self._outbox = Outbox(keys, self.roster, self._admission, self.counters, limits.max_packet_size)
        self._probes = Probes(timing, random)
        self._standing = Standing(self.roster, timing, self.counters, self._wake, self._probes.add)
        self._seeds = Seeds(timing, random)
        self._errands = Errands(limits.max_relays)
        self._goodbyes = Goodbyes(timing.ack)
        self._phase = _Phase.IN
        self._number = 0
        self._active_until = now
        self._beat = now
        self._next_probe = now + timing.interval * random.random()
        self._next_sync = now
        self._next_retry = now
        self._next_second = now
        self._next_far_behind = now
        self._retried: dict[bytes, float] = {}
        self._acts: dict[type, Callable[..., None]] = {
            Ping: self._ping_received,
            Ack: self._ack_received,
            Relay: self._relay_received,
            Nack: self._nack_received,
            Offer: self._offer_received,
            Digest: self._digest_received,
            Want: self._want_received,
            Block: self._block_received,
            Accuse: self._accuse_received,
            Leave: self._leave_received,
        }

    # What can be asked

    @property
    def me(self) -> Peer:
        """
        This member as others know it.
        """
        return self.roster.me

    @property
    def health(self) -> int:
        """
        How ill our own network seems: 0 is well.
        """
        return self._probes.health

    @property
    def is_out(self) -> bool:
        """
        Whether this member has left, or was replaced, and says nothing any more.
        """
        return self._phase is _Phase.OUT

    @property
    def only_seed(self) -> bool:
        """
        Whether all seeds, as far as they are found, are ourselves.
        """
        return self._seeds.only(self.me.life.address)

    # Our keys

    def put(self, key: bytes, value: bytes, now: float) -> None:
        """
        Publish a key.

        :param key: not empty, not beginning with a zero byte.
        :raises pico.gossip.ledger.LedgerFull: it is too long, or there are too many.
        """
        _check(key)
        if self.me.ledger.put(key, value):
            self._own_changed(now)

    def delete(self, key: bytes, now: float) -> None:
        """
        Publish that a key is gone.
        """
        _check(key)
        if self.me.ledger.remove(key):
            self._own_changed(now)

    # Coming and going

    def join(self, addresses: Sequence[Address], now: float) -> None:
        """
        Look for others at these addresses, from now on and for as long as we live, and at no others any more.
        """
        self._seeds.replace(addresses)
        self._beat = min(self._beat, now)

    def leave(self, now: float) -> None:
        """
        Say goodbye. :class:`~pico.gossip.events.Departed` says when that is done.
        """
        if self._phase is not _Phase.IN:
            return
        self._phase = _Phase.LEAVING
        self._standing.leave(now)
        up = list(self.roster.up.values())
        told = self._random.sample(up, min(_MAX_GOODBYES, len(up)))
        self._goodbyes.begin({self._next_number(): peer for peer in told}, now, now + self._timing.leave)
        self._beat = now

    # Datagrams and time

    def receive_datagram(self, data: bytes, address: Address, now: float) -> list[Event]:
        """
        Take a datagram from the network.

        :param address: from where it came.
        """
        if self._phase is _Phase.OUT:
            return []
        events: list[Event] = []
        own = self.counters.own
        found = self._admission.receive(data, address, now)
        if isinstance(found, Heard):
            self._hear(found, now, events)
        elif isinstance(found, Stranger):
            self._meet_stranger(found, now, events)
        elif self.counters.own != own:
            self._seeds.is_us(address)
        if self._errands or not self._standing.is_quiet:
            self._beat = min(self._beat, now + self._timing.interval / _BEATS)
        self._end()
        return events

    def next_deadline(self) -> float | None:
        """
        When :meth:`handle_timer` has something to do.
        """
        return None if self._phase is _Phase.OUT else self._beat

    def handle_timer(self, now: float) -> list[Event]:
        """
        Do what is due; early calls are harmless.
        """
        if self._phase is _Phase.OUT or now < self._beat:
            return []
        events: list[Event] = []
        timing = self._timing
        random = self._random.random
        late = now - self._beat
        if late > timing.lag:
            self._probes.excuse()
            self._standing.excuse(late)
        if self._phase is _Phase.LEAVING:
            self._say_goodbye(now, events)
        else:
            for probe, step in self._probes.due(now):
                if step is Step.INSIST:
                    self._insist(probe.token, probe.number, now)
                else:
                    self._probe_failed(probe.token, probe.started, probe.number, now, events)
            if not self._standing.is_quiet:
                for suspect in self._standing.pursue(now, events):
                    self._ping(suspect, self._next_number(), now)
            if now >= self._next_probe:
                self._next_probe = now + timing.interval * (0.9 + 0.2 * random())
                self._probe_next(now)
            if now >= self._next_retry:
                self._next_retry = now + timing.retry * (0.9 + 0.2 * random())
                self._retry(now)
            if self._seeds.is_due(now):
                self._try_seeds(now)
        if self._syncs(now) and now >= self._next_sync:
            self._next_sync = now + timing.interval / (timing.fanout - 1) * (0.9 + 0.2 * random())
            self._offer(self._outbox.to(self._random.choice(list(self.roster.up.values())), now), now)
        if self._errands:
            self._end_errands(now)
        if now >= self._next_second:
            self._next_second = now + 1.0
            self._admission.expire(now)
            before = len(events)
            self.roster.expire(now, events)
            if len(events) != before:
                self._standing.tidy(now)
        self._beat = self._next_beat(now)
        self._end()
        return events

    def _syncs(self, now: float) -> bool:
        # Whether there are exchanges beside the probes.
        return now < self._active_until and self._timing.fanout > 1 and bool(self.roster.up)

    def _next_beat(self, now: float) -> float:
        if self._phase is _Phase.LEAVING or self._errands or not self._standing.is_quiet:
            return now + self._timing.interval / _BEATS
        beat = min(self._next_probe, self._next_retry, self._next_second, self._probes.next_deadline())
        if self._syncs(now):
            beat = min(beat, self._next_sync)
        # A moment later even if something is due already, which should not be.
        return max(beat, now + 0.001)

    def datagrams_to_send(self) -> list[tuple[bytes, Address]]:
        """
        Take what has to go out.
        """
        return self._outbox.take()

    # For state exchanges

    def digests(self, size: int) -> list[bytes]:
        """
        All that is known here, as sections of at most so many bytes.
        """
        return self.roster.digests(size, pages=len(self.roster))

    def take_block(self, block: Block, now: float, events: list[Event]) -> None:
        """
        Learn what somebody knows of a life.
        """
        roster = self.roster
        peer = roster.get(block.token)
        intro = block.intro
        if peer is None:
            if intro is None:
                return  # the block before it, which brought the life, was lost
            if roster.rival(intro, block.token):
                self._replaced(intro.generation, now, events)
                return
            peer = self._meet(block.token, intro, now, events)
            if peer is None:
                return
        if peer is roster.me:
            return
        if intro is not None:
            self._standing.hear_incarnation(peer, intro.incarnation, now, events)
        ledger = peer.ledger
        before = ledger.version
        changes = ledger.apply(block)
        if changes is None:
            return  # it begins behind what is known, as one before it was lost
        self.counters.records_in += len(block.records)
        if ledger.version != before:
            roster.changed(peer, now)
            self._wake(now)
        if changes:
            self._take_changes(peer, changes, now, events)

    # Inside: hearing

    def _hear(self, heard: Heard, now: float, events: list[Event]) -> None:
        session = heard.session
        sections = heard.sections
        peer = self.roster.get(session.token)
        cookie = None
        for section in sections:
            kind = type(section)
            if kind is Stale:
                assert isinstance(section, Stale)
                self._replaced(section.generation, now, events)
                return
            if kind is Cookie:
                assert isinstance(section, Cookie)
                cookie = section.cookie
            elif kind is Intro:
                assert isinstance(section, Intro)
                if peer is not None:
                    self._standing.hear_incarnation(peer, section.incarnation, now, events)
                    continue
                if self.roster.rival(section, session.token):
                    self._replaced(section.generation, now, events)
                    return
                peer = self._meet(session.token, section, now, events)
        session.confirmed = cookie is None
        session.owed = cookie
        if peer is None:
            self._hear_nobody(session, now)
            return
        peer.heard = now
        if cookie is not None and now - session.echoed >= self._timing.interval / 2:
            session.echoed = now
            self._greet(session, peer, now)
        for section in sections:
            act = self._acts.get(type(section))
            if act is not None:
                act(section, session, peer, now, events)
        if not peer.is_up or peer.status is Status.SUSPECT:
            self._answer_suspect(session, peer, now)

    def _hear_nobody(self, session: Session, now: float) -> None:
        # A former life, one too many, or one whom we have forgotten, which the cookie asks for an introduction.
        if self.roster.is_buried(session.token):
            self.counters.former += 1
            newer = self.roster.replaced_by(session.token)
            if newer is not None:
                self._outbox.bare(session.token, session.address).add(codec.write_stale(newer))
        elif len(self.roster) < self._limits.max_members and now - session.echoed >= self._timing.interval / 2:
            session.echoed = now
            self._outbox.at(session.token, session.address, now)

    def _meet_stranger(self, stranger: Stranger, now: float, events: list[Event]) -> None:
        counters = self.counters
        intro = next((each for each in stranger.sections if isinstance(each, Intro)), None)
        newer = self.roster.replaced_by(stranger.token)
        if intro is not None and newer is None:
            known = self.roster.find(intro.id)
            if known is not None and known.token != stranger.token and not self.roster.rival(intro, stranger.token):
                life = Life(stranger.token, intro.id, intro.generation, intro.address)
                if known.life.is_after(life):
                    newer = known.life.generation
        answer = []
        if stranger.cookie is not None:
            answer.append(codec.write_echo(stranger.cookie))
        if newer is not None or self.roster.is_buried(stranger.token):
            counters.former += 1
            if newer is None:
                return
            answer.append(codec.write_stale(newer))
        else:
            counters.challenged += 1
            answer.append(codec.write_cookie(self._admission.cookie(stranger.address, now)))
        # Nobody gets more bytes than he has sent before he has shown that he is there.
        if self._keys.overhead + sum(map(len, answer)) <= stranger.size:
            parcel = self._outbox.bare(stranger.token, stranger.address)
            for section in answer:
                parcel.add(section)

    def _greet(self, session: Session, peer: Peer, now: float) -> None:
        # It has not heard us before: say again what we may have said in vain.
        parcel = self._outbox.reply(session, now)
        for probe in self._probes.of(peer.token):
            parcel.add(codec.write_ping(probe.number))
        for number in self._goodbyes.numbers_of(peer):
            parcel.add(codec.write_leave(number))
        self._offer(parcel, now)

    def _answer_suspect(self, session: Session, peer: Peer, now: float) -> None:
        if peer.status is not Status.LEFT and now - session.accused >= self._timing.interval / _BEATS:
            session.accused = now
            self._outbox.reply(session, now).add(codec.write_accuse(peer.incarnation))

    # Inside: acting on sections

    def _ping_received(self, ping: Ping, session: Session, peer: Peer, now: float, events: list[Event]) -> None:
        self._outbox.reply(session, now).add(codec.write_ack(ping.number, self.me.incarnation))

    def _ack_received(self, ack: Ack, session: Session, peer: Peer, now: float, events: list[Event]) -> None:
        number = ack.number
        errand = self._errands.answered(number, peer.token)
        if errand is not None:
            self._outbox.reply(errand.session, now).add(codec.write_ack(errand.number, ack.incarnation))
            self._standing.hear_incarnation(peer, ack.incarnation, now, events)
            return
        probe = self._probes.answered(number)
        if probe is not None:
            target = self.roster.get(probe.token)
            if target is not None:
                self._standing.hear_incarnation(target, ack.incarnation, now, events)
        elif not self._goodbyes.heard(number, peer) and number == 0:
            self._standing.hear_incarnation(peer, ack.incarnation, now, events)

    def _relay_received(self, relay: Relay, session: Session, peer: Peer, now: float, events: list[Event]) -> None:
        target = self.roster.get(relay.token)
        if target is None or target is self.me or self._errands.full:
            self._outbox.reply(session, now).add(codec.write_nack(relay.number))
            return
        number = self._next_number()
        # Whoever asks should hear of a failure before he gives up himself.
        until = now + (self._timing.probe - self._timing.ack) * 0.75
        self._errands.begin(number, Errand(target.token, session, relay.number, until))
        self._ping(target, number, now)

    def _nack_received(self, nack: Nack, session: Session, peer: Peer, now: float, events: list[Event]) -> None:
        self._probes.nacked(nack.number)

    def _offer_received(self, offer: Offer, session: Session, peer: Peer, now: float, events: list[Event]) -> None:
        if offer.fingerprint != self.roster.fingerprint():
            parcel = self._outbox.reply(session, now)
            for digest in self.roster.digests(self._outbox.capacity):
                parcel.add(digest)

    def _digest_received(self, digest: Digest, session: Session, peer: Peer, now: float, events: list[Event]) -> None:
        self.counters.digest_entries_in += len(digest.entries) // codec.ENTRY_SIZE
        difference = sync.compare(self.roster, digest)
        if difference.wants or difference.gifts:
            parcel = self._outbox.reply(session, now)
            sync.write_wants(parcel, difference.wants)
            self._give(parcel, difference.gifts)
        if difference.lacking >= self._limits.far_behind and now >= self._next_far_behind:
            self._next_far_behind = now + self._timing.seeds
            events.append(FarBehind(peer, difference.lacking))

    def _want_received(self, want: Want, session: Session, peer: Peer, now: float, events: list[Event]) -> None:
        self._give(self._outbox.reply(session, now), sync.requested(self.roster, want))

    def _give(self, parcel: Parcel, gifts: list[sync.Gift]) -> None:
        # In another order each time, so that nobody always comes too late.
        self._random.shuffle(gifts)
        sync.write_blocks(parcel, gifts, self._limits.max_datagrams, self.counters)

    def _block_received(self, block: Block, session: Session, peer: Peer, now: float, events: list[Event]) -> None:
        self.take_block(block, now, events)

    def _accuse_received(self, accuse: Accuse, session: Session, peer: Peer, now: float, events: list[Event]) -> None:
        self._standing.refute(accuse.incarnation, now)
        self._outbox.reply(session, now).add(codec.write_ack(0, self.me.incarnation))

    def _leave_received(self, leave: Leave, session: Session, peer: Peer, now: float, events: list[Event]) -> None:
        self._standing.has_left(peer, now, events)
        self._outbox.reply(session, now).add(codec.write_ack(leave.number, self.me.incarnation))

    # Inside: what is known of others

    def _meet(self, token: bytes, intro: Intro, now: float, events: list[Event]) -> Peer | None:
        before = len(events)
        peer = self.roster.meet(token, intro, now, events)
        if len(events) != before:
            self._wake(now)
            self._standing.tidy(now)
            if peer is not None:
                self._standing.meet(peer, now)
        return peer

    def _take_changes(self, peer: Peer, changes: list[Change], now: float, events: list[Event]) -> None:
        plain = [change for change in changes if change[0][:1] != INTERNAL]
        if len(plain) != len(changes):
            for change in changes:
                if change[0][:1] == INTERNAL:
                    self._standing.take(peer, change, now, events)
        if plain:
            events.append(Changed(peer, plain))

    # Inside: what is known of us

    def _own_changed(self, now: float) -> None:
        self.roster.changed(self.me, now)
        self._wake(now)

    def _wake(self, now: float) -> None:
        # Something has changed, here or elsewhere: pass it on, soon and for a while.
        self._active_until = now + self._timing.active
        if self._syncs(now):
            self._beat = min(self._beat, max(now, self._next_sync))

    def _replaced(self, generation: int, now: float, events: list[Event]) -> None:
        """
        Our id has a life of a higher generation.

        If we have begun only now, it is a former life of ours, from a time when the clock was ahead; then we begin once
        more, above it. Else it is our successor.
        """
        life = self.me.life
        if generation < life.generation:
            return
        young = now - self._born < self._timing.forget
        if young and self._lives < _MAX_LIVES and self._phase is _Phase.IN and generation < 2**64 - 1:
            self._lives += 1
            self._begin_again(attrs.evolve(life, generation=generation + 1), now)
            events.append(BeganAgain(generation + 1))
            return
        self._phase = _Phase.OUT
        events.append(Superseded(generation))

    def _begin_again(self, life: Life, now: float) -> None:
        life = attrs.evolve(life, token=self._random.randbytes(TOKEN_SIZE))
        former = self.me.ledger
        self.roster.begin_again(life, now)
        self._admission.begin_again(life.token)
        self._outbox.begin_again()
        self._standing.begin_again()
        for key, _, value in former:
            if value is not None and key != INCARNATION:
                self.me.ledger.mark(key, value)
        self._own_changed(now)

    # Inside: the timer

    def _probe_next(self, now: float) -> None:
        token = self._probes.next_target(self.roster.up)
        peer = None if token is None else self.roster.get(token)
        if peer is None:
            return
        self.counters.probes += 1
        number = self._next_number()
        self._probes.start(number, peer.token, now)
        self._ping(peer, number, now)
        self._offer(self._outbox.to(peer, now), now)

    def _insist(self, token: bytes, number: int, now: float) -> None:
        target = self.roster.get(token)
        if target is None or not target.is_up:
            return
        self._ping(target, number, now)
        relays = [peer for peer in self.roster.up.values() if peer is not target and peer.status is Status.ALIVE]
        for relay in self._random.sample(relays, min(self._timing.relays, len(relays))):
            self._outbox.to(relay, now).add(codec.write_relay(number, token))
            self._probes.asked(number)

    def _probe_failed(self, token: bytes, started: float, number: int, now: float, events: list[Event]) -> None:
        peer = self.roster.get(token)
        if peer is None or not peer.is_up or peer.heard > started:
            return
        self.counters.failed_probes += 1
        self._standing.accuse(peer, now)

    def _retry(self, now: float) -> None:
        gone = [peer for peer in self.roster.others() if peer.status is Status.UNREACHABLE]
        retried = self._retried
        for peer in sorted(gone, key=lambda peer: retried.get(peer.token, 0.0))[: self._timing.relays]:
            retried[peer.token] = now
            self._ping(peer, self._next_number(), now)
            self._outbox.to(peer, now).add(codec.write_offer(self.roster.fingerprint()))
        if len(retried) > 2 * len(gone):
            tokens = {peer.token for peer in gone}
            self._retried = {token: when for token, when in retried.items() if token in tokens}

    def _try_seeds(self, now: float) -> None:
        members = {peer.life.address for peer in self.roster.up.values()}
        ours = self.me.life.address
        for address in self._seeds.choose(now, members):
            if address != ours:
                self._outbox.at_seed(address, now)

    def _end_errands(self, now: float) -> None:
        for errand in self._errands.overdue(now):
            self._outbox.reply(errand.session, now).add(codec.write_nack(errand.number))

    def _say_goodbye(self, now: float, events: list[Event]) -> None:
        if self._goodbyes.is_over(now):
            self._outbox.seal()
            self._phase = _Phase.OUT
            events.append(Departed(self._goodbyes.told))
            return
        # The change goes with it, so that whoever hears this can tell others.
        before = self.me.ledger.version - 1
        for number, peer in self._goodbyes.due(now):
            parcel = self._outbox.to(peer, now)
            parcel.add(codec.write_leave(number))
            sync.write_blocks(parcel, [sync.Gift(self.me, before, True)], 1, self.counters)

    # Inside: sending

    def _ping(self, peer: Peer, number: int, now: float) -> None:
        parcel = self._outbox.to(peer, now)
        if not peer.is_up or peer.status is Status.SUSPECT:
            # Before the ping, so that its answer has the new incarnation.
            parcel.add(codec.write_accuse(peer.incarnation))
        parcel.add(codec.write_ping(number))

    def _offer(self, parcel: Parcel, now: float) -> None:
        if now < self._active_until:
            for digest in self.roster.digests(self._outbox.capacity):
                parcel.add(digest)
        else:
            parcel.add(codec.write_offer(self.roster.fingerprint()))

    def _end(self) -> None:
        # The end of a call: what was said in it leaves, unless it was found that we have no say any more.
        if self._phase is _Phase.OUT:
            self._outbox.clear()
        else:
            self._outbox.seal()

    def _next_number(self) -> int:
        self._number = number = self._number % 0xFFFFFFFF + 1
        return number


def _check(key: bytes) -> None:
    if not key or key[:1] == INTERNAL:
        raise ValueError("a key is not empty and does not begin with a zero byte")
