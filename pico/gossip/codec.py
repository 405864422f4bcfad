"""
The sections of a datagram: bytes to objects and back.

A datagram's payload, and a frame of a state exchange, is sections, one after the other, nothing between. Each begins
with one byte that names its kind::

    1 COOKIE   cookie 8                                   prove that you read this: echo it
    2 ECHO     cookie 8
    3 INTRO    a life (below): who sends this
    4 PING     number 4
    5 ACK      number 4, incarnation 4                    of whoever was pinged
    6 RELAY    number 4, token 8                          ping that life for me
    7 NACK     number 4                                   it did not answer me either
    8 OFFER    fingerprint 8                              of all that I know
    9 DIGEST   first 8, last 8, count 2, entries          all that I know from token first to token last
   10 WANT     count 2, entries                           send me what is newer
   11 BLOCK    token 8, flags 1, floor 5, after 5, upto 5, count 2, a life if flags & 1, records
   12 ACCUSE   incarnation 4                              I hold you, in this incarnation, for dead
   13 LEAVE    number 4                                   answered by ACK
   14 STALE    generation 8                               your id has a newer life

    entry      token 8, flag and version 5                flag, the top bit: not to be spread
    life       generation 8, incarnation 4, id length 1, host length 1, port 2, id, host
    record     version 5, key length 2, flag and value length 2, key, value
                                                          flag, the top bit: the key was deleted

All numbers are unsigned and big-endian. Sizes are fixed wherever a loop runs over many, because that is what is fast
to read here.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable
from struct import Struct

from pico.errors import ProtocolError
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

#: The highest version, and with it the number of changes in one life.
MAX_VERSION = 2**39 - 1

#: The highest incarnation.
MAX_INCARNATION = 2**32 - 1

#: A token is this long, and so is a cookie, and a fingerprint.
TOKEN_SIZE = 8

_COOKIE = 1
_ECHO = 2
_INTRO = 3
_PING = 4
_ACK = 5
_RELAY = 6
_NACK = 7
_OFFER = 8
_DIGEST = 9
_WANT = 10
_BLOCK = 11
_ACCUSE = 12
_LEAVE = 13
_STALE = 14

_EIGHT = Struct("!8s")
_NUMBER = Struct("!I")
_TWO_NUMBERS = Struct("!II")
_NUMBER_AND_TOKEN = Struct("!I8s")
_GENERATION = Struct("!Q")
_RANGE = Struct("!8s8sH")
_COUNT = Struct("!H")
_ENTRY = Struct("!8sBI")
_LIFE = Struct("!QIBBH")
_HEAD = Struct("!8sBBIBIBIH")
_RECORD = Struct("!BIHH")

ENTRY_SIZE = _ENTRY.size
#: Bytes of a DIGEST without its entries.
DIGEST_SIZE = 1 + _RANGE.size
#: Bytes of a WANT without its entries.
WANT_SIZE = 1 + _COUNT.size
#: Bytes of a BLOCK without introduction and records.
BLOCK_SIZE = 1 + _HEAD.size
#: Bytes of a record without key and value.
RECORD_SIZE = _RECORD.size

_UNSPREAD = 0x80
_DELETED = 0x8000
_MAX_LENGTH = 0x7FFF
_WITH_LIFE = 1
_COMPLETE = 2


#: The sections of one size: what is in them, and what is made of it.
_FIXED: dict[int, tuple[Struct, Callable[..., Section]]] = {
    _COOKIE: (_EIGHT, Cookie),
    _ECHO: (_EIGHT, Echo),
    _PING: (_NUMBER, Ping),
    _ACK: (_TWO_NUMBERS, Ack),
    _RELAY: (_NUMBER_AND_TOKEN, Relay),
    _NACK: (_NUMBER, Nack),
    _OFFER: (_EIGHT, Offer),
    _ACCUSE: (_NUMBER, Accuse),
    _LEAVE: (_NUMBER, Leave),
    _STALE: (_GENERATION, Stale),
}


class Malformed(ProtocolError):
    """
    Bytes that no member would send.
    """


# Writing. Each function makes one section.


def write_cookie(cookie: bytes) -> bytes:
    """
    Ask for an echo.
    """
    return _fixed(_COOKIE, cookie)


def write_echo(cookie: bytes) -> bytes:
    """
    Send a cookie back.
    """
    return _fixed(_ECHO, cookie)


def write_intro(life: Life, incarnation: int) -> bytes:
    """
    Say who sends this.
    """
    return bytes((_INTRO,)) + _life(life, incarnation)


def write_ping(number: int) -> bytes:
    """
    Ask for an answer.
    """
    return _fixed(_PING, number)


def write_ack(number: int, incarnation: int) -> bytes:
    """
    Answer.
    """
    return _fixed(_ACK, number, incarnation)


def write_relay(number: int, token: bytes) -> bytes:
    """
    Ask somebody else to ask.
    """
    return _fixed(_RELAY, number, token)


def write_nack(number: int) -> bytes:
    """
    Say that there was no answer.
    """
    return _fixed(_NACK, number)


def write_offer(fingerprint: bytes) -> bytes:
    """
    Show a fingerprint.
    """
    return _fixed(_OFFER, fingerprint)


def write_digest(first: bytes, last: bytes, entries: Iterable[bytes]) -> bytes:
    """
    Say all that is known of a range of lives.

    :param entries: made by :func:`write_entry`.
    """
    joined = b"".join(entries)
    return bytes((_DIGEST,)) + _RANGE.pack(first, last, len(joined) // ENTRY_SIZE) + joined


def write_want(entries: Iterable[bytes]) -> bytes:
    """
    Ask for what is newer.

    :param entries: made by :func:`write_entry`.
    """
    joined = b"".join(entries)
    return bytes((_WANT,)) + _COUNT.pack(len(joined) // ENTRY_SIZE) + joined


def write_entry(token: bytes, version: int, *, spread: bool = True) -> bytes:
    """
    One line of a digest.

    :param spread: whether somebody who does not know the life should learn of it.
    """
    high = version >> 32
    return _ENTRY.pack(token, high if spread else high | _UNSPREAD, version & 0xFFFFFFFF)


def write_record(record: Record) -> bytes:
    """
    One change of a key.
    """
    key, version, value = record
    high = version >> 32
    low = version & 0xFFFFFFFF
    if value is None:
        return _RECORD.pack(high, low, len(key), _DELETED) + key
    return _RECORD.pack(high, low, len(key), len(value)) + key + value


def write_block(
    life: Life,
    *,
    incarnation: int | None,
    floor: int,
    after: int,
    upto: int,
    complete: bool,
    records: Iterable[bytes],
    count: int,
) -> bytes:
    """
    Changes of a life.

    :param incarnation: given if the life is to be introduced.
    :param records: made by :func:`write_record`, ``count`` of them, in ascending order of versions.
    """
    flags = (_WITH_LIFE if incarnation is not None else 0) | (_COMPLETE if complete else 0)
    head = _HEAD.pack(
        life.token,
        flags,
        floor >> 32,
        floor & 0xFFFFFFFF,
        after >> 32,
        after & 0xFFFFFFFF,
        upto >> 32,
        upto & 0xFFFFFFFF,
        count,
    )
    intro = _life(life, incarnation) if incarnation is not None else b""
    return b"".join((bytes((_BLOCK,)), head, intro, *records))


def write_accuse(incarnation: int) -> bytes:
    """
    Tell somebody that it is held for dead.
    """
    return _fixed(_ACCUSE, incarnation)


def write_leave(number: int) -> bytes:
    """
    Say goodbye.
    """
    return _fixed(_LEAVE, number)


def write_stale(generation: int) -> bytes:
    """
    Tell somebody that it has a newer life.
    """
    return _fixed(_STALE, generation)


def _fixed(kind: int, *values: int | bytes) -> bytes:
    return bytes((kind,)) + _FIXED[kind][0].pack(*values)


def life_size(life: Life) -> int:
    """
    Bytes of a life's introduction.
    """
    host, _ = life.address
    return _LIFE.size + len(life.id.encode("utf-8")) + len(host.encode("utf-8"))


# Reading.


def read(data: bytes) -> list[Section]:
    """
    Read a datagram's payload.

    :raises Malformed: whatever is wrong; nothing else.
    """
    sections: list[Section] = []
    pos = 0
    end = len(data)
    try:
        while pos < end:
            kind = data[pos]
            pos += 1
            if kind == _BLOCK:
                block, pos = _read_block(data, pos)
                sections.append(block)
            elif kind == _DIGEST:
                first, last, count = _RANGE.unpack_from(data, pos)
                pos += _RANGE.size
                entries = data[pos : pos + count * ENTRY_SIZE]
                if len(entries) != count * ENTRY_SIZE or first > last:
                    raise Malformed("a digest is cut short or has no range")
                pos += len(entries)
                sections.append(Digest(first, last, entries))
            elif kind == _WANT:
                (count,) = _COUNT.unpack_from(data, pos)
                pos += _COUNT.size
                entries = data[pos : pos + count * ENTRY_SIZE]
                if len(entries) != count * ENTRY_SIZE:
                    raise Malformed("a list is cut short")
                pos += len(entries)
                sections.append(Want(entries))
            elif kind == _INTRO:
                intro, pos = _read_life(data, pos)
                sections.append(intro)
            else:
                section, pos = _read_fixed(kind, data, pos)
                sections.append(section)
    except struct.error:
        raise Malformed("the last section is cut short") from None
    return sections


def read_entries(entries: bytes) -> Iterable[tuple[bytes, int, int]]:
    """
    Go through the entries of a digest or a want.

    :return: token, the version's high bits with the flag, its low bits; see :func:`join_version`.
    """
    return _ENTRY.iter_unpack(entries)


def join_version(high: int, low: int) -> tuple[int, bool]:
    """
    Version and whether the life may be spread.
    """
    return (high & ~_UNSPREAD) << 32 | low, high < _UNSPREAD


def _read_fixed(kind: int, data: bytes, pos: int) -> tuple[Section, int]:
    if kind not in _FIXED:
        raise Malformed(f"there is no section of kind {kind}")
    layout, make = _FIXED[kind]
    return make(*layout.unpack_from(data, pos)), pos + layout.size


def _read_block(data: bytes, pos: int) -> tuple[Block, int]:
    token, flags, fh, fl, ah, al, uh, ul, count = _HEAD.unpack_from(data, pos)
    pos += _HEAD.size
    intro = None
    if flags & _WITH_LIFE:
        intro, pos = _read_life(data, pos)
    floor = fh << 32 | fl
    after = ah << 32 | al
    upto = uh << 32 | ul
    if not after <= upto <= MAX_VERSION or floor > upto or flags > 3:
        raise Malformed("a block's versions are out of order")
    records: list[Record] = []
    unpack_from = _RECORD.unpack_from
    before = after
    for _ in range(count):
        high, low, key_length, length = unpack_from(data, pos)
        version = high << 32 | low
        if not before < version <= upto:
            raise Malformed("a block's records are out of order")
        before = version
        start = pos + RECORD_SIZE
        middle = start + key_length
        if length & _DELETED:
            pos = middle
            records.append((data[start:middle], version, None))
            if length != _DELETED:
                raise Malformed("a deleted key has a value")
        else:
            pos = middle + length
            records.append((data[start:middle], version, data[middle:pos]))
    if pos > len(data):
        raise Malformed("a record is cut short")
    return Block(token, floor, after, upto, flags & _COMPLETE != 0, intro, records), pos


def _life(life: Life, incarnation: int) -> bytes:
    host, port = life.address
    name = life.id.encode("utf-8")
    where = host.encode("utf-8")
    return _LIFE.pack(life.generation, incarnation, len(name), len(where), port) + name + where


def _read_life(data: bytes, pos: int) -> tuple[Intro, int]:
    generation, incarnation, id_length, host_length, port = _LIFE.unpack_from(data, pos)
    pos += _LIFE.size
    middle = pos + id_length
    end = middle + host_length
    if end > len(data) or not id_length or not host_length or not port:
        raise Malformed("a life has no name, no address, or is cut short")
    try:
        name = data[pos:middle].decode("utf-8")
        host = data[middle:end].decode("utf-8")
    except UnicodeDecodeError:
        raise Malformed("a name is not UTF-8") from None
    if not name.isprintable() or not host.isprintable():
        raise Malformed("a name is not printable")
    return Intro(generation, incarnation, name, (host, port)), end
