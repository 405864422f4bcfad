"""
Tests for :mod:`pico.gossip.codec`.
"""

from __future__ import annotations

import attrs
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from pico.gossip import codec
from pico.gossip.codec import MAX_VERSION, Malformed
from pico.gossip.sections import (
    Accuse,
    Ack,
    Block,
    Cookie,
    Digest,
    Echo,
    Intro,
    Leave,
    Life,
    Nack,
    Offer,
    Ping,
    Record,
    Relay,
    Section,
    Stale,
    Want,
)

TOKEN = b"\x01\x02\x03\x04\x05\x06\x07\x08"
LIFE = Life(TOKEN, "one", 5, ("10.0.0.1", 8003))
INTRO = Intro(5, 7, "one", ("10.0.0.1", 8003))
LIFE_BYTES = bytes.fromhex("0000000000000005 00000007 03 08 1f43") + b"one10.0.0.1"


def encode(section: Section) -> bytes:
    """
    A section's bytes, whatever it is.
    """
    match section:
        case Cookie(cookie):
            return codec.write_cookie(cookie)
        case Echo(cookie):
            return codec.write_echo(cookie)
        case Intro():
            return codec.write_intro(_life(b"", section), section.incarnation)
        case Ping(number):
            return codec.write_ping(number)
        case Ack(number, incarnation):
            return codec.write_ack(number, incarnation)
        case Relay(number, token):
            return codec.write_relay(number, token)
        case Nack(number):
            return codec.write_nack(number)
        case Offer(fingerprint):
            return codec.write_offer(fingerprint)
        case Digest(first, last, entries):
            return codec.write_digest(first, last, [entries])
        case Want(entries):
            return codec.write_want([entries])
        case Accuse(incarnation):
            return codec.write_accuse(incarnation)
        case Leave(number):
            return codec.write_leave(number)
        case Stale(generation):
            return codec.write_stale(generation)
        case Block():
            life = LIFE if section.intro is None else _life(section.token, section.intro)
            return codec.write_block(
                attrs.evolve(life, token=section.token),
                incarnation=None if section.intro is None else section.intro.incarnation,
                floor=section.floor,
                after=section.after,
                upto=section.upto,
                complete=section.complete,
                records=map(codec.write_record, section.records),
                count=len(section.records),
            )


def _life(token: bytes, intro: Intro) -> Life:
    return Life(token, intro.id, intro.generation, intro.address)


def plain(section: Section) -> object:
    """
    Something that can be compared.
    """
    return type(section), attrs.astuple(section)


#: One of each, and its bytes.
TABLE: list[tuple[Section, str]] = [
    (Cookie(TOKEN), "01 0102030405060708"),
    (Echo(TOKEN), "02 0102030405060708"),
    (INTRO, "03" + LIFE_BYTES.hex()),
    (Ping(9), "04 00000009"),
    (Ack(9, 7), "05 00000009 00000007"),
    (Relay(9, TOKEN), "06 00000009 0102030405060708"),
    (Nack(9), "07 00000009"),
    (Offer(TOKEN), "08 0102030405060708"),
    (
        Digest(bytes(8), b"\xff" * 8, codec.write_entry(TOKEN, 2**32 + 3) + codec.write_entry(TOKEN, 1, spread=False)),
        "09 0000000000000000 ffffffffffffffff 0002 0102030405060708 01 00000003 0102030405060708 80 00000001",
    ),
    (Want(codec.write_entry(TOKEN, 3)), "0a 0001 0102030405060708 00 00000003"),
    (
        Block(TOKEN, 4, 5, 9, True, None, [(b"k", 6, b"value"), (b"", 2**3, b""), (b"gone", 9, None)]),
        "0b 0102030405060708 02 0000000004 0000000005 0000000009 0003"
        + "0000000006 0001 0005 6b 76616c7565"
        + "0000000008 0000 0000"
        + "0000000009 0004 8000 676f6e65",
    ),
    (
        Block(TOKEN, 0, 0, 2**33, False, INTRO, [(b"k", 2**32 + 1, b"v")]),
        "0b 0102030405060708 01 0000000000 0000000000 0200000000 0001"
        + LIFE_BYTES.hex()
        + "0100000001 0001 0001 6b 76",
    ),
    (Accuse(7), "0c 00000007"),
    (Leave(9), "0d 00000009"),
    (Stale(5), "0e 0000000000000005"),
]

#: How blocks begin.
BLOCK = "0b 0102030405060708 "

#: What no member would send, and why not.
WRONG = [
    ("00", "no section of kind 0"),
    ("0f", "no section of kind 15"),
    ("04 000000", "cut short"),
    ("05 00000009", "cut short"),
    ("08 01", "cut short"),
    ("09 0000000000000000 ffffffffffffffff 0002 0102030405060708 01 00000003", "a digest is cut short"),
    ("09 0000000000000001 0000000000000000 0000", "has no range"),
    ("0a 0001 010203", "a list is cut short"),
    ("03 0000000000000005 00000007 03 08 1f43 6f6e65", "cut short"),
    ("03 0000000000000005 00000007 00 01 1f43 61", "has no name"),
    ("03 0000000000000005 00000007 01 00 1f43 61", "no address"),
    ("03 0000000000000005 00000007 01 01 0000 61 61", "no address"),
    ("03 0000000000000005 00000007 01 01 1f43 ff 61", "not UTF-8"),
    ("03 0000000000000005 00000007 01 01 1f43 0a 61", "not printable"),
    (BLOCK + "02 0000000004 0000000005 0000000004 0000", "versions are out of order"),
    (BLOCK + "02 0000000006 0000000005 0000000005 0000", "versions are out of order"),
    (BLOCK + "04 0000000000 0000000005 0000000005 0000", "versions are out of order"),
    (BLOCK + "00 0000000000 0000000005 8000000000 0000", "versions are out of order"),
    (
        "0b 0102030405060708 02 0000000000 0000000005 0000000009 0001 0000000005 0001 0000 6b",
        "records are out of order",
    ),
    (
        "0b 0102030405060708 02 0000000000 0000000005 0000000009 0001 000000000a 0001 0000 6b",
        "records are out of order",
    ),
    (BLOCK + "02 0000000000 0000000005 0000000009 0001 0000000006 0001 8001 6b", "has a value"),
    (
        "0b 0102030405060708 02 0000000000 0000000005 0000000009 0001 0000000006 0001 0002 6b 76",
        "a record is cut short",
    ),
    (BLOCK + "02 0000000000 0000000005 0000000009 0002 0000000006 0001 0002 6b 76", "cut short"),
    (BLOCK + "02 0000000000 0000000005 0000000009 0001", "cut short"),
]

tokens = st.binary(min_size=8, max_size=8)
numbers = st.integers(0, 2**32 - 1)
names = st.text(st.characters(codec="utf-8").filter(str.isprintable), min_size=1, max_size=30)
intros = st.builds(
    Intro,
    generation=st.integers(0, 2**64 - 1),
    incarnation=numbers,
    id=names,
    address=st.tuples(names, st.integers(1, 65535)),
)
entries = st.lists(
    st.builds(codec.write_entry, tokens, st.integers(0, MAX_VERSION), spread=st.booleans()), max_size=5
).map(b"".join)


@st.composite
def blocks(draw: st.DrawFn) -> Block:
    """
    Blocks that a member might send.
    """
    versions = sorted(draw(st.sets(st.integers(1, MAX_VERSION), max_size=5)))
    after = draw(st.integers(0, versions[0] - 1 if versions else MAX_VERSION))
    upto = draw(st.integers(versions[-1] if versions else after, MAX_VERSION))
    records: list[Record] = [
        (draw(st.binary(max_size=30)), version, draw(st.none() | st.binary(max_size=30))) for version in versions
    ]
    floor = draw(st.integers(0, upto))
    return Block(draw(tokens), floor, after, upto, draw(st.booleans()), draw(st.none() | intros), records)


sections: st.SearchStrategy[Section] = st.one_of(
    st.builds(Cookie, tokens),
    st.builds(Echo, tokens),
    intros,
    st.builds(Ping, numbers),
    st.builds(Ack, numbers, numbers),
    st.builds(Relay, numbers, tokens),
    st.builds(Nack, numbers),
    st.builds(Offer, tokens),
    st.builds(lambda pair, entries: Digest(min(pair), max(pair), entries), st.tuples(tokens, tokens), entries),
    st.builds(Want, entries),
    blocks(),
    st.builds(Accuse, numbers),
    st.builds(Leave, numbers),
    st.builds(Stale, st.integers(0, 2**64 - 1)),
)


class SectionTests(SynchronousTestCase):
    """
    Sections and their bytes.
    """

    def test_table(self) -> None:
        """
        Every section has the bytes that the documentation says.
        """
        for section, hexadecimal in TABLE:
            data = bytes.fromhex(hexadecimal)
            self.assertEqual(data, encode(section), section)
            self.assertEqual([plain(section)], [plain(each) for each in codec.read(data)])

    def test_every_kind(self) -> None:
        """
        The table has every kind of section.
        """
        self.assertEqual({type(section) for section, _ in TABLE}, set(Section.__args__))

    def test_many(self) -> None:
        """
        Sections stand one after the other.
        """
        data = b"".join(encode(section) for section, _ in TABLE)
        self.assertEqual([plain(section) for section, _ in TABLE], [plain(each) for each in codec.read(data)])
        self.assertEqual([], codec.read(b""))

    def test_cut(self) -> None:
        """
        A section that is cut anywhere is refused.
        """
        for section, hexadecimal in TABLE:
            data = bytes.fromhex(hexadecimal)
            for length in range(1, len(data)):
                with self.assertRaises(Malformed, msg=f"{section} cut at {length}"):
                    codec.read(data[:length])

    def test_wrong(self) -> None:
        """
        What no member would send is refused, with the reason.
        """
        for hexadecimal, reason in WRONG:
            with self.assertRaises(Malformed, msg=hexadecimal) as caught:
                codec.read(bytes.fromhex(hexadecimal))
            self.assertIn(reason, str(caught.exception))

    @settings(derandomize=True, deadline=None, max_examples=60)
    @given(st.lists(sections, max_size=4))
    def test_there_and_back(self, made: list[Section]) -> None:
        """
        What is written is read as it was.
        """
        data = b"".join(map(encode, made))
        self.assertEqual([plain(each) for each in made], [plain(each) for each in codec.read(data)])

    @settings(derandomize=True, deadline=None, max_examples=100)
    @given(
        st.binary(max_size=100) | st.lists(sections, max_size=3).map(lambda made: b"".join(map(encode, made))),
        st.data(),
    )
    def test_any_bytes(self, data: bytes, choice: st.DataObject) -> None:
        """
        Whatever comes is read or refused; nothing else happens.
        """
        changed = bytearray(data)
        for _ in range(choice.draw(st.integers(0, 3))):
            if changed:
                changed[choice.draw(st.integers(0, len(changed) - 1))] = choice.draw(st.integers(0, 255))
        try:
            read = codec.read(bytes(changed))
        except Malformed:
            return
        self.assertEqual(bytes(changed), b"".join(map(encode, read)))


class EntryTests(SynchronousTestCase):
    """
    The lines of a digest.
    """

    def test_there_and_back(self) -> None:
        """
        Version and flag are kept, up to the highest version.
        """
        for version in (0, 1, 2**32 - 1, 2**32, MAX_VERSION):
            for spread in (True, False):
                ((token, high, low),) = codec.read_entries(codec.write_entry(TOKEN, version, spread=spread))
                self.assertEqual((TOKEN, version, spread), (token, *codec.join_version(high, low)))


class LifeTests(SynchronousTestCase):
    """
    Which life of an id is the newer one.
    """

    def test_generation(self) -> None:
        """
        The higher generation wins; of two that began with the same one, every member prefers the same.
        """
        newer = Life(bytes(8), "one", 6, LIFE.address)
        self.assertTrue(newer.is_after(LIFE))
        self.assertFalse(LIFE.is_after(newer))
        twin = Life(b"\xff" * 8, "one", 5, LIFE.address)
        self.assertTrue(twin.is_after(LIFE))
        self.assertFalse(LIFE.is_after(twin))
        self.assertFalse(LIFE.is_after(LIFE))
