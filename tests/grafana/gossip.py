"""
Has gossip converged, are nodes held for dead that live, what does it cost?
"""

from __future__ import annotations

from tests.grafana.parts import NODE, NONE_WANTED, RED, YELLOW, Dashboard, Panel, Query, Row, bars, lines, number

#: What somebody knew two minutes ago and another one does not know now. Nodes are not scraped in the same moment, so
#: without the two minutes they would always differ where something changes.
BEHIND = (
    "clamp_min(max by (node_id) (pico_gossip_version offset 2m) - on (node_id) "
    'min by (node_id) (pico_gossip_version{instance=~"$node"}), 0)'
)

_CONVERGED = (
    number(
        "Changes that somebody lacks",
        "What one node knew two minutes ago and another one does not know now. Gossip needs about a second.",
        f"sum({BEHIND})",
        thresholds=NONE_WANTED,
    ),
    number(
        "Nodes that not all others know",
        "Active nodes that the best-informed node knows, less those that the worst-informed one does.",
        'max(pico_cluster_nodes{instance=~"$node", status="active"}) '
        '- min(pico_cluster_nodes{instance=~"$node", status="active"})',
        thresholds=NONE_WANTED,
        see="cluster",
    ),
    number(
        "Nodes held for dead",
        "The most that any node does not reach.",
        'max(pico_cluster_nodes{instance=~"$node", status="unreachable"})',
        thresholds=NONE_WANTED,
    ),
    number(
        "Datagrams of another secret",
        "Each second, at all nodes. A node with the wrong secret, or somebody who should not reach the port.",
        'sum(rate(pico_gossip_packets_dropped_total{instance=~"$node", reason="unverified"}[$__rate_interval]))',
        unit="ops",
        thresholds=((0.01, RED),),
    ),
    number(
        "Probes without an answer",
        "Share of them, at all nodes. Above some percent the network loses datagrams, or nodes are overloaded.",
        'sum(rate(pico_gossip_failed_probes_total{instance=~"$node"}[$__rate_interval])) '
        '/ clamp_min(sum(rate(pico_gossip_probes_total{instance=~"$node"}[$__rate_interval])), 1e-9)',
        unit="percentunit",
        thresholds=((0.01, YELLOW), (0.05, RED)),
    ),
    number(
        "Endpoints that others are not told of",
        "They are more than a node may publish. Clients of other nodes get 502 for them.",
        'sum(pico_cluster_unpublished_endpoints{instance=~"$node"})',
        thresholds=NONE_WANTED,
    ),
)

_KNOWN = (
    bars(
        "Whose changes are missing somewhere",
        "As above, by the node whose changes they are.",
        BEHIND,
        "{{node_id}}",
        thresholds=NONE_WANTED,
    ),
    lines(
        "Newest version of each node, and of the one who knows least of it",
        "Both lines of a node should move together.",
        ('max by (node_id) (pico_gossip_version{instance=~"$node"})', "{{node_id}} newest"),
        ('min by (node_id) (pico_gossip_version{instance=~"$node"})', "{{node_id}} oldest"),
    ),
    lines(
        "Age of the newest change, at whoever heard of it last",
        "Of a node where nothing happens it grows, and that is well.",
        ('max by (node_id) (pico_gossip_newest_change_age_seconds{instance=~"$node"})', "{{node_id}}"),
        unit="s",
    ),
    lines(
        "Keys of each node",
        "Mostly endpoints. Deleted ones are kept for a while, so that all hear of it.",
        (
            'max by (node_id, deleted) (pico_gossip_entries{instance=~"$node", internal="false"})',
            "{{node_id}} deleted={{deleted}}",
        ),
    ),
    lines(
        "Changes received and sent",
        "Tunnels that come and go, and load. Received are also such that were known.",
        ('sum(rate(pico_gossip_delta_entries_inbound_total{instance=~"$node"}[$__rate_interval]))', "received"),
        ('sum(rate(pico_gossip_delta_entries_outbound_total{instance=~"$node"}[$__rate_interval]))', "sent"),
        unit="ops",
    ),
    lines(
        "Not understood",
        "Keys of a later version are skipped; nodes beyond cluster.gossip.max_members are refused.",
        ('sum(rate(pico_cluster_unknown_entries_total{instance=~"$node"}[$__rate_interval]))', "unknown keys"),
        ('sum(rate(pico_gossip_refused_nodes_total{instance=~"$node"}[$__rate_interval]))', "refused nodes"),
        unit="ops",
    ),
)

_DEATHS = (
    lines(
        "Suspicions, refutations, deaths",
        "Suspicions that are refuted are lost datagrams or nodes that were too busy to answer.",
        ('sum(rate(pico_gossip_suspicions_total{instance=~"$node"}[$__rate_interval]))', "suspicions"),
        ('sum(rate(pico_gossip_refutations_total{instance=~"$node"}[$__rate_interval]))', "refutations"),
        ('sum(rate(pico_gossip_deaths_total{instance=~"$node"}[$__rate_interval]))', "deaths"),
        unit="ops",
    ),
    lines(
        "How ill each node's own network seems",
        "0 is well. One node alone: that machine or its network is the matter.",
        ('pico_gossip_illness{instance=~"$node"}', "{{instance}}"),
    ),
    lines(
        "Probes",
        "Nodes asked whether they live, and how many did not answer.",
        ('sum by (instance) (rate(pico_gossip_probes_total{instance=~"$node"}[$__rate_interval]))', "{{instance}}"),
        (
            'sum by (instance) (rate(pico_gossip_failed_probes_total{instance=~"$node"}[$__rate_interval]))',
            "{{instance}} failed",
        ),
        unit="ops",
    ),
)

_COST = (
    lines(
        "Bytes of datagrams",
        "Grows with tunnels that come and go, not with those that stay.",
        (
            'sum by (instance) (rate(pico_gossip_packet_bytes_inbound_total{instance=~"$node"}[$__rate_interval]))',
            "{{instance}} in",
        ),
        (
            'sum by (instance) (rate(pico_gossip_packet_bytes_outbound_total{instance=~"$node"}[$__rate_interval]))',
            "{{instance}} out",
        ),
        unit="Bps",
    ),
    lines(
        "Datagrams, and digests in them",
        "What is asked of others.",
        ('sum(rate(pico_gossip_packets_inbound_total{instance=~"$node"}[$__rate_interval]))', "in"),
        ('sum(rate(pico_gossip_packets_outbound_total{instance=~"$node"}[$__rate_interval]))', "out"),
        ('sum(rate(pico_gossip_digest_entries_inbound_total{instance=~"$node"}[$__rate_interval]))', "digests in"),
        (
            'sum(rate(pico_gossip_digest_entries_outbound_total{instance=~"$node"}[$__rate_interval]))',
            "digests out",
        ),
        unit="ops",
    ),
    Panel(
        "Datagrams that changed nothing, and such that were not sent",
        "unverified: another secret. former life: a node was restarted. unsent: this machine refuses to send.",
        [
            Query(
                'sum by (reason) (rate(pico_gossip_packets_dropped_total{instance=~"$node"}[$__rate_interval]))',
                "{{reason}}",
            ),
            Query('sum(rate(pico_gossip_packets_unsent_total{instance=~"$node"}[$__rate_interval]))', "unsent"),
        ],
        unit="ops",
    ),
    lines(
        "State exchanges",
        "Over TCP, when a node joins and now and then.",
        ('sum(rate(pico_gossip_connections_outbound_total{instance=~"$node"}[$__rate_interval]))', "begun here"),
        ('sum(rate(pico_gossip_connections_inbound_total{instance=~"$node"}[$__rate_interval]))', "begun elsewhere"),
        unit="ops",
    ),
    lines(
        "Bytes of state exchanges",
        "Much of it for long: a node joins again and again.",
        ('sum(rate(pico_gossip_stream_bytes_inbound_total{instance=~"$node"}[$__rate_interval]))', "in"),
        ('sum(rate(pico_gossip_stream_bytes_outbound_total{instance=~"$node"}[$__rate_interval]))', "out"),
        unit="Bps",
    ),
)

GOSSIP = Dashboard(
    "gossip",
    "Gossip",
    "Do all nodes know the same, and who is held for dead?",
    [NODE],
    [
        Row("Has gossip converged?", _CONVERGED),
        Row("Who knows what", _KNOWN),
        Row("Who is held for dead, and rightly?", _DEATHS),
        Row("What it costs", _COST),
    ],
)
