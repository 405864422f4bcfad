"""
What two members have to tell each other: from digests to blocks.
"""

from __future__ import annotations

from collections.abc import Iterable

import attrs

from pico.gossip import codec
from pico.gossip.counters import Counters
from pico.gossip.parcels import Parcel
from pico.gossip.peer import Peer
from pico.gossip.roster import Roster
from pico.gossip.sections import Digest, Want


@attrs.define(eq=False)
class Gift:
    """
    A peer of which somebody knows less than we do.

    :ivar after: the version that he knows, or was sent.
    :ivar known: whether he knows it at all.
    """

    peer: Peer
    after: int
    known: bool


@attrs.define(eq=False)
class Difference:
    """
    What a digest says.

    :ivar gifts: what the sender lacks.
    :ivar wants: what we lack, as entries of a WANT.
    :ivar lacking: how many changes we lack.
    """

    gifts: list[Gift]
    wants: list[bytes]
    lacking: int


def compare(roster: Roster, digest: Digest) -> Difference:
    """
    Hold a digest against what is known here.
    """
    gifts: list[Gift] = []
    wants: list[bytes] = []
    lacking = 0
    me = roster.me
    get = roster.get
    listed = set()
    for token, high, low in codec.read_entries(digest.entries):
        peer = get(token)
        listed.add(token)
        if peer is None:
            version, spread = codec.join_version(high, low)
            if spread and not roster.is_buried(token):
                wants.append(codec.write_entry(token, 0))
                lacking += version
            continue
        version = (high & 0x7F) << 32 | low
        ours = peer.ledger.version
        if version < ours:
            gifts.append(Gift(peer, version, True))
        elif version > ours and peer is not me:
            wants.append(codec.write_entry(token, ours))
            lacking += version - ours
    for peer in roster.between(digest.first, digest.last):
        # Of who is gone, those who do not know it learn nothing.
        if peer.token not in listed and (peer.is_up or peer is me):
            gifts.append(Gift(peer, 0, False))
    return Difference(gifts, wants, lacking)


def requested(roster: Roster, want: Want) -> list[Gift]:
    """
    What somebody asks for, as far as we have it.
    """
    gifts = []
    for token, high, low in codec.read_entries(want.entries):
        peer = roster.get(token)
        if peer is not None:
            version, _ = codec.join_version(high, low)
            gifts.append(Gift(peer, version, version > 0))
    return gifts


def write_wants(parcel: Parcel, wants: list[bytes]) -> None:
    """
    Ask for what is lacking, as far as it fits into the parcel's last datagram; the rest will be asked for again.
    """
    fits = (parcel.room - codec.WANT_SIZE) // codec.ENTRY_SIZE
    if wants and fits > 0:
        parcel.add(codec.write_want(wants[:fits]))


def write_blocks(parcel: Parcel, gifts: Iterable[Gift], datagrams: int, counters: Counters) -> bool:
    """
    Send what is lacking, as far as it fits into so many datagrams. The gifts are moved on by what was written.

    :return: whether that is all.
    """
    return all(_write_blocks_of(parcel, gift, datagrams, counters) for gift in gifts)


def _write_blocks_of(parcel: Parcel, gift: Gift, datagrams: int, counters: Counters) -> bool:
    peer = gift.peer
    ledger = peer.ledger
    after = max(gift.after, ledger.floor)
    records = ledger.since(after)
    incarnation = None if gift.known else peer.incarnation
    size = codec.BLOCK_SIZE
    if incarnation is not None:
        size += codec.life_size(peer.life)
    end = len(records)
    at = 0
    while True:
        first = _size(records[at]) if at < end else 0
        if parcel.room < size + first:
            if len(parcel) >= datagrams:
                return False
            parcel.begin()
        room = parcel.room - size
        written = []
        while at < end:
            data = codec.write_record(records[at])
            room -= len(data)
            if room < 0:
                break
            written.append(data)
            at += 1
        last = at == end
        upto = ledger.version if last else records[at - 1][1]
        parcel.add(
            codec.write_block(
                peer.life,
                incarnation=incarnation,
                floor=ledger.floor,
                after=after,
                upto=upto,
                complete=last and ledger.complete,
                records=written,
                count=len(written),
            )
        )
        counters.records_out += len(written)
        gift.after = after = upto
        gift.known = True
        if last:
            return True
        incarnation = None
        size = codec.BLOCK_SIZE


def _size(record: tuple[bytes, int, bytes | None]) -> int:
    return codec.RECORD_SIZE + len(record[0]) + len(record[2] or b"")
