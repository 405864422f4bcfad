"""
What a member counts, for whoever shows numbers.
"""

from __future__ import annotations

import attrs


@attrs.define(eq=False)
class Counters:
    """
    Plain numbers that only grow.

    :ivar exchanges_in: state exchanges that others have begun.
    :ivar exchanges_out: that we have begun, once they are connected.
    :ivar stream_bytes_in: bytes received in them.
    :ivar unverified: datagrams that nobody of the group has sent, or somebody with an unknown secret.
    :ivar replayed: that had come before.
    :ivar former: of a life that is over.
    :ivar misdirected: that were meant for somebody else, such as our own former life.
    :ivar limited: that came too fast from one address.
    :ivar malformed: that were sealed rightly and cannot be read.
    :ivar challenged: of somebody who had to prove first to be there.
    :ivar own: that we have sent ourselves.
    :ivar refused_members: lives that were one too many.
    :ivar probes: pings of the rounds.
    :ivar failed_probes: that nobody answered.
    :ivar suspicions: begun here or told by others.
    :ivar refutations: of ours.
    :ivar deaths: peers that became unreachable.
    """

    datagrams_in: int = 0
    datagrams_out: int = 0
    bytes_in: int = 0
    bytes_out: int = 0
    digest_entries_in: int = 0
    digest_entries_out: int = 0
    records_in: int = 0
    records_out: int = 0
    exchanges_in: int = 0
    exchanges_out: int = 0
    stream_bytes_in: int = 0
    stream_bytes_out: int = 0
    unverified: int = 0
    replayed: int = 0
    former: int = 0
    misdirected: int = 0
    limited: int = 0
    malformed: int = 0
    challenged: int = 0
    own: int = 0
    refused_members: int = 0
    probes: int = 0
    failed_probes: int = 0
    suspicions: int = 0
    refutations: int = 0
    deaths: int = 0
