"""
Tests for :mod:`pico.gossip.admission`.
"""

from __future__ import annotations

import attrs
from twisted.trial.unittest import SynchronousTestCase

from pico.gossip import codec
from pico.gossip.admission import COOKIE_TIME, MAX_UNKNOWN, Admission, Heard, Session, Stranger
from pico.gossip.counters import Counters
from pico.gossip.limits import Limits
from pico.gossip.seal import NOBODY, Keys, Sealer
from pico.gossip.sections import Address, Ping

HERE = b"\x01" * 8
THERE = b"\x02" * 8
ADDRESS = ("10.0.0.2", 8003)
KEYS = Keys([b"the secret of this group"])
PING = codec.write_ping(1)


class AdmissionTests(SynchronousTestCase):
    """
    Which datagrams are heard.
    """

    def setUp(self) -> None:
        """
        Nobody is known yet.
        """
        self.known: set[bytes] = set()
        self.counters = Counters()
        self.admission = self.make()
        self.there = KEYS.sealer(THERE)

    def make(self, limits: Limits | None = None) -> Admission:
        """
        An admission.
        """
        return Admission(KEYS, HERE, limits or Limits(), self.counters, b"secret", self.known.__contains__)

    def receive(self, data: bytes, now: float = 0.0, address: Address = ADDRESS) -> Heard | Stranger | None:
        """
        Take a datagram.
        """
        return self.admission.receive(data, address, now)

    def echo(self, now: float = 0.0, address: Address = ADDRESS) -> bytes:
        """
        The proof that an address is there.
        """
        return codec.write_echo(self.admission.cookie(address, now))

    def begin(self, sealer: Sealer | None = None, now: float = 0.0) -> Session:
        """
        Begin a session.
        """
        found = self.receive((sealer or self.there).seal(HERE, self.echo(now)), now)
        assert isinstance(found, Heard)
        return found.session

    def test_stranger(self) -> None:
        """
        The first datagram is not heard; what it wants back is reported, and how long it was.
        """
        data = self.there.seal(NOBODY, codec.write_cookie(b"12345678") + PING)
        found = self.receive(data)
        assert isinstance(found, Stranger)
        self.assertEqual((THERE, ADDRESS, len(data), b"12345678"), attrs.astuple(found)[:4])
        self.assertEqual({}, self.admission.sessions)

    def test_echo(self) -> None:
        """
        Who sends the cookie back is heard, from that datagram on; it need not be sent again.
        """
        session = self.begin()
        self.assertEqual((THERE, ADDRESS), (session.token, session.address))
        found = self.receive(self.there.seal(HERE, PING), 5.0)
        assert isinstance(found, Heard)
        self.assertIs(session, found.session)
        self.assertEqual(5.0, session.heard)
        self.assertIsInstance(found.sections[0], Ping)

    def test_before_the_echo(self) -> None:
        """
        What was sent before is never heard.
        """
        before = self.there.seal(HERE, PING)
        self.begin()
        self.assertIsNone(self.receive(before))
        self.assertEqual(1, self.counters.replayed)

    def test_cookies_time(self) -> None:
        """
        A cookie is good for ten to twenty seconds.
        """
        for given, used, good in ((0.0, 19.9, True), (9.9, 19.9, True), (0.0, 20.0, False), (9.9, 20.0, False)):
            self.admission = self.make()
            echo = codec.write_echo(self.admission.cookie(ADDRESS, given))
            found = self.receive(self.there.seal(HERE, echo), used)
            self.assertIsInstance(found, Heard if good else Stranger, f"{given} {used}")
        self.assertEqual(10.0, COOKIE_TIME)

    def test_others_cookie(self) -> None:
        """
        A cookie is good for one address only, and for us only.
        """
        for address in (("10.0.0.3", 8003), ("10.0.0.2", 8004)):
            self.assertIsInstance(self.receive(self.there.seal(HERE, self.echo()), address=address), Stranger)
        other = Admission(KEYS, HERE, Limits(), self.counters, b"another secret", self.known.__contains__)
        echo = codec.write_echo(other.cookie(ADDRESS, 0.0))
        self.assertIsInstance(self.receive(self.there.seal(HERE, echo)), Stranger)

    def test_other_address(self) -> None:
        """
        A datagram of a session from another address is heard, but only an echo makes it the session's address.
        """
        session = self.begin()
        other = ("10.0.0.9", 1)
        self.assertIsInstance(self.receive(self.there.seal(HERE, PING), address=other), Heard)
        self.assertEqual(ADDRESS, session.address)
        self.assertIsInstance(self.receive(self.there.seal(HERE, self.echo(address=other)), address=other), Heard)
        self.assertEqual(other, session.address)

    def test_not_heard(self) -> None:
        """
        Each datagram that is not heard is counted for its reason.
        """
        stranger = KEYS.sealer(b"\x03" * 8)
        wrong = Keys([b"some other secret of some other"]).sealer(b"\x04" * 8)
        self.begin()
        again = self.there.seal(HERE, PING)
        self.receive(again)
        forged = bytearray(self.there.seal(HERE, PING))
        forged[30] ^= 1
        for data, reason in [
            (b"", "unverified"),
            (bytes(22), "unverified"),
            (bytes(100), "unverified"),
            (wrong.seal(HERE, PING), "unverified"),
            (bytes(forged), "unverified"),
            (Keys().sealer(THERE).seal(HERE, PING), "unverified"),
            (again, "replayed"),
            (self.there.seal(b"\x09" * 8, PING), "misdirected"),
            (stranger.seal(b"\x09" * 8, self.echo()), "misdirected"),
            (self.there.seal(HERE, b"\xff"), "malformed"),
            (stranger.seal(HERE, b"\xff"), "malformed"),
            (KEYS.sealer(HERE).seal(HERE, PING), "own"),
        ]:
            before = getattr(self.counters, reason)
            self.assertIsNone(self.receive(data), reason)
            self.assertEqual(before + 1, getattr(self.counters, reason), reason)
        self.assertEqual(1, len(self.admission.sessions))

    def test_rate(self) -> None:
        """
        Who sends too much is not even looked at.
        """
        self.admission = self.make(Limits(max_datagrams_per_second=2))
        self.begin()
        self.assertIsInstance(self.receive(self.there.seal(HERE, PING)), Heard)
        self.assertIsNone(self.receive(self.there.seal(HERE, PING)))
        self.assertEqual(1, self.counters.limited)

    def test_expire(self) -> None:
        """
        Sessions of those who are not known end after a while, but not before what began them has become worthless.
        """
        first = self.there.seal(HERE, self.echo(9.9))
        self.receive(first, 9.9)
        self.admission.expire(29.8)
        self.assertEqual(1, len(self.admission.sessions))
        self.assertIsNone(self.receive(first, 29.8))
        self.admission.expire(30.0)
        self.assertEqual({}, self.admission.sessions)
        self.assertIsInstance(self.receive(first, 30.0), Stranger)
        self.begin(now=30.0)
        self.known.add(THERE)
        self.admission.expire(1000.0)
        self.assertEqual(1, len(self.admission.sessions))

    def test_room(self) -> None:
        """
        There are never more sessions than members and a few; known ones are kept.
        """
        self.admission = self.make(Limits(max_members=2))
        self.known.add(THERE)
        self.begin()
        for number in range(MAX_UNKNOWN + 50):
            self.begin(KEYS.sealer(number.to_bytes(8, "big")), now=0.001 * number)
        self.assertEqual(MAX_UNKNOWN + 2, len(self.admission.sessions))
        self.assertIn(THERE, self.admission.sessions)
        self.assertIn((MAX_UNKNOWN + 49).to_bytes(8, "big"), self.admission.sessions)
        self.assertNotIn(bytes(8), self.admission.sessions)

    def test_begin_again(self) -> None:
        """
        In a new life of ours the others are still known, but do not know us.
        """
        session = self.begin()
        session.confirmed = True
        self.admission.begin_again(b"\x07" * 8)
        self.assertFalse(session.confirmed)
        self.assertIsNone(self.receive(self.there.seal(HERE, PING)))
        self.assertEqual(1, self.counters.misdirected)
        self.assertIsInstance(self.receive(self.there.seal(b"\x07" * 8, PING)), Heard)
