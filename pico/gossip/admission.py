"""
Which datagrams are heard: those that a member of the group has sent, now, to us.

A seal proves who has made a datagram, not when. So the first datagram of a life is not heard but answered with a
*cookie*; who sends it back (an *echo*) from the same address is there now, and what it has sent before counts as seen.
From then on the life has a *session* with us, in which a window of counters tells what is new. A cookie is made from
the address, the time and a secret of ours, so nothing is remembered of strangers.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable

import attrs

from pico.gossip import codec
from pico.gossip.codec import Malformed
from pico.gossip.counters import Counters
from pico.gossip.limits import Limits
from pico.gossip.rates import Rates
from pico.gossip.replay import ReplayWindow
from pico.gossip.seal import NOBODY, Envelope, Keys, Opener, read_envelope
from pico.gossip.sections import Address, Cookie, Echo, Section

#: For how long a cookie is good, at least, in seconds; at most it is twice that.
COOKIE_TIME = 10.0

#: Sessions with lives that have not introduced themselves yet.
MAX_UNKNOWN = 256


@attrs.define(eq=False)
class Session:
    """
    What is proven of a life that sends us datagrams, and whether it hears ours.

    :ivar address: from which it sends, proven by an echo.
    :ivar heard: when it was heard last.
    :ivar owed: a cookie that it wants back.
    :ivar confirmed: whether it has a session with us, too.
    :ivar echoed: when it was last told something only because it wanted a cookie back.
    :ivar accused: when it was last told that we hold it for dead, in answer to what it said.
    """

    token: bytes
    opener: Opener
    window: ReplayWindow
    address: Address
    heard: float
    owed: bytes | None = None
    confirmed: bool = False
    echoed: float = -1.0
    accused: float = -1.0


@attrs.define(eq=False)
class Heard:
    """
    A datagram to be acted upon.
    """

    session: Session
    sections: list[Section]


@attrs.define(eq=False)
class Stranger:
    """
    A datagram of the group that may be a recording.

    :ivar size: of the datagram; no answer may be longer.
    :ivar cookie: that it wants back.
    """

    token: bytes
    address: Address
    size: int
    cookie: bytes | None
    sections: list[Section]


class Admission:
    """
    Takes datagrams as they come from the network.

    :ivar sessions: by token.
    """

    def __init__(
        self,
        keys: Keys,
        token: bytes,
        limits: Limits,
        counters: Counters,
        secret: bytes,
        is_known: Callable[[bytes], bool],
    ) -> None:
        """
        :param token: our own.
        :param secret: random, for cookies.
        :param is_known: whether a token belongs to a peer; sessions of others are dropped when there are too many.
        """
        self._keys = keys
        self._token = token
        self._limits = limits
        self._counters = counters
        self._secret = secret
        self._is_known = is_known
        self.rates = Rates(limits.max_datagrams_per_second, limits.max_addresses)
        self.sessions: dict[bytes, Session] = {}

    def receive(self, data: bytes, address: Address, now: float) -> Heard | Stranger | None:
        """
        Judge a datagram. What is not returned is counted.
        """
        counters = self._counters
        counters.datagrams_in += 1
        counters.bytes_in += len(data)
        if not self.rates.allow(address[0], now):
            counters.limited += 1
            return None
        envelope = read_envelope(data)
        if envelope is None:
            counters.unverified += 1
            return None
        session = self.sessions.get(envelope.sender)
        if session is None:
            return self._first(data, envelope, address, now)
        payload = session.opener.open(data, envelope)
        if payload is None:
            counters.unverified += 1
            return None
        if envelope.receiver != self._token and envelope.receiver != NOBODY:
            counters.misdirected += 1
            return None
        if not session.window.take(envelope.counter):
            counters.replayed += 1
            return None
        sections = self._read(payload)
        if sections is None:
            return None
        session.heard = now
        if address != session.address and self._has_echo(sections, address, now):
            session.address = address
        return Heard(session, sections)

    def cookie(self, address: Address, now: float) -> bytes:
        """
        What an address has to send back to prove that it is there.
        """
        return self._cookie(address, int(now / COOKIE_TIME))

    def begin_again(self, token: bytes) -> None:
        """
        We have a new life; the others do not know it yet.
        """
        self._token = token
        for session in self.sessions.values():
            session.confirmed = False
            session.owed = None

    def expire(self, now: float) -> None:
        """
        Drop the sessions of lives that are not known (any more).
        """
        # A recording of what began a session must not begin it again.
        limit = now - 2 * COOKIE_TIME
        for token, session in list(self.sessions.items()):
            if session.heard <= limit and not self._is_known(token):
                del self.sessions[token]
        self.rates.know({session.address[0] for session in self.sessions.values()})

    def _first(self, data: bytes, envelope: Envelope, address: Address, now: float) -> Heard | Stranger | None:
        counters = self._counters
        if envelope.sender == self._token:
            # Not worth a look: nobody but us has this token, unless the group has no secret.
            counters.own += 1
            return None
        opened = self._keys.open(data, envelope)
        if opened is None:
            counters.unverified += 1
            return None
        if envelope.receiver != self._token and envelope.receiver != NOBODY:
            counters.misdirected += 1
            return None
        opener, payload = opened
        sections = self._read(payload)
        if sections is None:
            return None
        if not self._has_echo(sections, address, now):
            cookie = next((each.cookie for each in sections if isinstance(each, Cookie)), None)
            return Stranger(envelope.sender, address, len(data), cookie, sections)
        self._make_room()
        session = Session(envelope.sender, opener, ReplayWindow(envelope.counter), address, now)
        self.sessions[envelope.sender] = session
        return Heard(session, sections)

    def _make_room(self) -> None:
        if len(self.sessions) < self._limits.max_members + MAX_UNKNOWN:
            return
        unknown = [session for session in self.sessions.values() if not self._is_known(session.token)]
        if unknown:
            del self.sessions[min(unknown, key=lambda session: session.heard).token]

    def _read(self, payload: bytes) -> list[Section] | None:
        try:
            return codec.read(payload)
        except Malformed:
            self._counters.malformed += 1
            return None

    def _has_echo(self, sections: list[Section], address: Address, now: float) -> bool:
        echoes = [each.cookie for each in sections if isinstance(each, Echo)]
        if not echoes:
            return False
        period = int(now / COOKIE_TIME)
        return any(self._cookie(address, each) in echoes for each in (period, period - 1))

    def _cookie(self, address: Address, period: int) -> bytes:
        text = f"{period} {address[1]} {address[0]}".encode()
        return hashlib.blake2b(text, digest_size=codec.TOKEN_SIZE, key=self._secret).digest()
