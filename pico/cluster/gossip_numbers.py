"""
Gossip in numbers. Nothing is added to its work: they are read when somebody asks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from twisted.internet.interfaces import IReactorTime

from pico.cluster.publish import Publication
from pico.cluster.table import MemberTable
from pico.exposition import Description, Kind, Samples
from pico.gossip.counters import Counters
from pico.gossip.peer import Peer
from pico.gossip.standing import INCARNATION
from pico.gossip.standing import LEFT as LEFT_KEY
from pico.gossip.udp import Gossip
from pico.metrics import Metrics

#: Nodes that have series of their own: this one, and the first ones by their ids.
MAX_NODES = 256

#: What is counted, by the name of its number.
_COUNTED: Sequence[tuple[str, str, Callable[[Counters], int]]] = [
    (f"pico_gossip_{name}_total", text, read)
    for name, text, read in (
        ("connections_inbound", "State exchanges that other nodes began.", lambda c: c.exchanges_in),
        ("connections_outbound", "State exchanges that this node began.", lambda c: c.exchanges_out),
        ("stream_bytes_inbound", "Bytes received in state exchanges.", lambda c: c.stream_bytes_in),
        ("stream_bytes_outbound", "Bytes sent in state exchanges.", lambda c: c.stream_bytes_out),
        ("packets_inbound", "Datagrams received, also from strangers.", lambda c: c.datagrams_in),
        ("packets_outbound", "Datagrams sent.", lambda c: c.datagrams_out),
        ("packet_bytes_inbound", "Bytes of datagrams received.", lambda c: c.bytes_in),
        ("packet_bytes_outbound", "Bytes of datagrams sent.", lambda c: c.bytes_out),
        (
            "digest_entries_inbound",
            "Lines of digests received: a node and its version.",
            lambda c: c.digest_entries_in,
        ),
        ("digest_entries_outbound", "Lines of digests sent.", lambda c: c.digest_entries_out),
        ("delta_entries_inbound", "Changes received, also such that were known.", lambda c: c.records_in),
        ("delta_entries_outbound", "Changes sent.", lambda c: c.records_out),
        ("probes", "Nodes that were asked whether they live.", lambda c: c.probes),
        ("failed_probes", "Nodes that did not answer, directly or through others.", lambda c: c.failed_probes),
        ("suspicions", "Nodes that somebody began to hold for dead.", lambda c: c.suspicions),
        ("refutations", "Times that this node had to say that it lives.", lambda c: c.refutations),
        ("deaths", "Nodes that became unreachable.", lambda c: c.deaths),
        ("refused_nodes", "Nodes that were one too many.", lambda c: c.refused_members),
    )
]

#: Datagrams that change nothing, by the reason.
_DROPPED: Sequence[tuple[str, Callable[[Counters], int]]] = [
    ("unverified", lambda c: c.unverified),
    ("replayed", lambda c: c.replayed),
    ("former life", lambda c: c.former),
    ("misdirected", lambda c: c.misdirected),
    ("too many", lambda c: c.limited),
    ("malformed", lambda c: c.malformed),
]


def watch_gossip(
    metrics: Metrics, gossip: Gossip, table: MemberTable, publication: Publication, clock: IReactorTime
) -> None:
    """
    Show what gossip does, and how far the nodes agree.

    :param clock: that of gossip.
    """

    def read() -> Iterator[Samples]:
        counters = gossip.member.counters if gossip.has_member else Counters()
        for _, _, value_of in _COUNTED:
            yield [((), value_of(counters))]
        yield [((reason,), value_of(counters)) for reason, value_of in _DROPPED]
        yield [((), gossip.unsent)]
        yield [((), gossip.member.health if gossip.has_member else 0)]
        yield [((), publication.left_out)]
        yield [((), table.skipped)]
        peers = _shown(gossip)
        now = clock.seconds()
        yield [sample for peer in peers for sample in _entries(peer)]
        yield [((peer.id,), peer.ledger.version) for peer in peers]
        yield [((peer.id,), max(0.0, now - peer.changed)) for peer in peers]

    metrics.group(
        [
            *(Description(name, Kind.COUNTER, text) for name, text, _ in _COUNTED),
            Description(
                "pico_gossip_packets_dropped_total",
                Kind.COUNTER,
                "Datagrams that changed nothing, by the reason; unverified are those of other secrets or of strangers.",
                ("reason",),
            ),
            Description(
                "pico_gossip_packets_unsent_total", Kind.COUNTER, "Datagrams that this machine would not send."
            ),
            Description(
                "pico_gossip_illness",
                Kind.GAUGE,
                "How ill this node's own network seems: 0 is well; the more, the longer it waits for others.",
            ),
            Description(
                "pico_cluster_unpublished_endpoints",
                Kind.GAUGE,
                "Endpoints of this node that others are not told of, because there are too many.",
            ),
            Description(
                "pico_cluster_unknown_entries_total",
                Kind.COUNTER,
                "What other nodes publish and this version does not understand.",
            ),
            Description(
                "pico_gossip_entries",
                Kind.GAUGE,
                "Keys of each node that are known here.",
                ("node_id", "deleted", "internal"),
            ),
            Description(
                "pico_gossip_version",
                Kind.GAUGE,
                "Version of the newest change of each node that is known here; where nodes differ, one is behind.",
                ("node_id",),
            ),
            Description(
                "pico_gossip_newest_change_age_seconds",
                Kind.GAUGE,
                "Time since the newest change of each node arrived here.",
                ("node_id",),
            ),
        ],
        lambda: list(read()),
    )


def _shown(gossip: Gossip) -> Sequence[Peer]:
    if not gossip.has_member:
        return []
    roster = gossip.member.roster
    return [roster.me, *sorted(roster.others(), key=lambda peer: peer.id)][:MAX_NODES]


def _entries(peer: Peer) -> Samples:
    ledger = peer.ledger
    # Gossip's own keys are few, known, and never deleted.
    internal = sum(ledger.get(key) is not None for key in (INCARNATION, LEFT_KEY))
    return [
        ((peer.id, "false", "false"), len(ledger) - ledger.deleted - internal),
        ((peer.id, "true", "false"), ledger.deleted),
        ((peer.id, "false", "true"), internal),
    ]
