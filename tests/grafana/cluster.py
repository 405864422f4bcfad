"""
Is anything failing, and where; which node is overloaded; do the nodes reach each other?
"""

from __future__ import annotations

from tests.grafana.parts import (
    NODE,
    NONE_EXPECTED,
    NONE_WANTED,
    RED,
    YELLOW,
    Dashboard,
    Panel,
    Query,
    Row,
    lines,
    number,
)

_FAILURES = 'pico_proxy_failures_total{instance=~"$node", reason=~"%s"}'
_OF_SERVICES = "declined|connect timeout|tls handshake|malformed response|response timeout|broken response"
_OF_TUNNELS = "no backend|unreachable|lost"
_OF_NODES = "node unreachable|overloaded"


def _rate(reasons: str) -> str:
    return f"sum(rate({_FAILURES % reasons}[$__rate_interval]))"


def _share(reasons: str) -> str:
    requests = 'sum(rate(pico_proxy_requests_total{instance=~"$node"}[$__rate_interval]))'
    # Without requests there are no failures: 0, not 0/0.
    return f"{_rate(reasons)} / clamp_min({requests}, 1e-9)"


_FAILING = (
    number(
        "Nodes that take no traffic",
        "Nodes that answer Prometheus and are not ready: they start, find no other node, or drain.",
        'count(pico_node_ready{instance=~"$node"} == 0) or vector(0)',
        thresholds=NONE_WANTED,
    ),
    number(
        "Nodes that do not answer",
        "Targets of the job pico that Prometheus could not scrape.",
        'count(up{job="pico"} == 0) or vector(0)',
        thresholds=NONE_WANTED,
    ),
    number(
        "Nodes that others do not reach",
        "The most that any node holds for dead. They are forgotten after cluster.forget.",
        'max(pico_cluster_nodes{instance=~"$node", status="unreachable"})',
        thresholds=NONE_WANTED,
        see="gossip",
    ),
    number(
        "Failed for the service",
        "Share of requests without a whole answer because of what is behind an agent: it is down, slow, or breaks off.",
        _share(_OF_SERVICES),
        unit="percentunit",
        thresholds=((0.001, YELLOW), (0.01, RED)),
        see="agents",
    ),
    number(
        "Failed for the tunnel",
        "Share of requests that no agent was there for, or whose tunnel was lost.",
        _share(_OF_TUNNELS),
        unit="percentunit",
        thresholds=((0.001, YELLOW), (0.01, RED)),
        see="proxy",
    ),
    number(
        "Failed for a node",
        "Share of requests that failed between two nodes, or because a tunnel or link takes no further stream.",
        _share(_OF_NODES),
        unit="percentunit",
        thresholds=((0.001, YELLOW), (0.01, RED)),
        see="gossip",
    ),
)

_WHERE = (
    Panel(
        "What fails, by reason",
        "Requests a second without a whole answer. What a client did itself (gone, or refused) is left out.",
        [
            Query(
                'sum by (reason) (rate(pico_proxy_failures_total{instance=~"$node", '
                'reason!~"client gone|refused"}[$__rate_interval]))',
                "{{reason}}",
            )
        ],
        unit="reqps",
        stacked=True,
        see="proxy",
    ),
    lines(
        "At which node it fails",
        "The node that the client has reached. One alone: look at that node. All: at the endpoints.",
        (
            'sum by (instance) (rate(pico_proxy_failures_total{instance=~"$node", '
            'reason!~"client gone|refused"}[$__rate_interval]))',
            "{{instance}}",
        ),
        unit="reqps",
    ),
    lines(
        "Tunnels that end, by reason",
        "closed is in order. lost and silent are networks or agents that died; protocol error is a bug at one end.",
        (
            'sum by (reason) (rate(pico_upstreams_closed_total{instance=~"$node"}[$__rate_interval]))',
            "{{reason}}",
        ),
        unit="ops",
    ),
)

_LOAD = (
    Panel(
        "CPU",
        "A node is one process with one thread: at 1 it is full, and requests wait. Add nodes.",
        [
            Query(
                'rate(process_cpu_seconds_total{instance=~"$node"}[$__rate_interval]) '
                "and on (instance, job) pico_node_ready",
                "{{instance}}",
            )
        ],
        unit="percentunit",
        thresholds=((0.8, RED),),
    ),
    lines(
        "Requests a second",
        "By the node that the client has reached. Uneven: look at what is in front of the nodes.",
        ('sum by (instance) (rate(pico_proxy_requests_total{instance=~"$node"}[$__rate_interval]))', "{{instance}}"),
        unit="reqps",
    ),
    lines(
        "Requests in flight",
        "That have no whole answer yet. Growing without more requests: services have become slow.",
        ('pico_proxy_requests_in_flight{instance=~"$node"}', "{{instance}}"),
    ),
    lines(
        "Tunnels",
        "Uneven after a restart is usual; agents with several tunnels spread by themselves.",
        ('pico_upstreams_connected_upstreams{instance=~"$node"}', "{{instance}}"),
    ),
    lines(
        "Requests to other nodes",
        "By the node that has the tunnels. Normal where agents and clients meet different nodes.",
        (
            'sum by (node_id) (rate(pico_upstreams_remote_requests_total{instance=~"$node"}[$__rate_interval]))',
            "to {{node_id}}",
        ),
        unit="reqps",
    ),
    lines(
        "Nodes that drain",
        "1 while a node sends agents and clients away: it is about to stop, or was told to by pico drain.",
        ('pico_node_leaving{instance=~"$node"}', "{{instance}}"),
    ),
    lines(
        "Bytes through tunnels",
        "Between each node and the agents that are connected to it, frames included.",
        (
            'sum by (instance) (rate(pico_upstreams_bytes_received_total{instance=~"$node"}[$__rate_interval]))',
            "{{instance}} received",
        ),
        (
            'sum by (instance) (rate(pico_upstreams_bytes_sent_total{instance=~"$node"}[$__rate_interval]))',
            "{{instance}} sent",
        ),
        unit="Bps",
    ),
    lines(
        "Memory",
        "Resident. Tunnels and slow clients cost some; growth without either is a leak.",
        (
            'process_resident_memory_bytes{instance=~"$node"} and on (instance, job) pico_node_ready',
            "{{instance}}",
        ),
        unit="bytes",
    ),
    Panel(
        "Open files, of those allowed",
        "At 1 no client and no agent gets in any more. Raise LimitNOFILE, or add nodes.",
        [
            Query(
                'process_open_fds{instance=~"$node"} / process_max_fds and on (instance, job) pico_node_ready',
                "{{instance}}",
            )
        ],
        unit="percentunit",
        thresholds=((0.8, RED),),
    ),
)

_BETWEEN = (
    lines(
        "Nodes that each node knows, by status",
        "All lines of a status should lie on each other.",
        ('pico_cluster_nodes{instance=~"$node"}', "{{instance}} {{status}}"),
    ),
    lines(
        "Streams over links",
        "Requests for tunnels of other nodes, idle streams included.",
        ('pico_cluster_link_streams{instance=~"$node"}', "{{instance}} {{direction}}"),
    ),
    lines(
        "Bytes over links",
        "What nodes carry for each other.",
        (
            'sum by (instance) (rate(pico_cluster_link_bytes_sent_total{instance=~"$node"}[$__rate_interval]))',
            "{{instance}} sent",
        ),
        (
            'sum by (instance) (rate(pico_cluster_link_bytes_received_total{instance=~"$node"}[$__rate_interval]))',
            "{{instance}} received",
        ),
        unit="Bps",
    ),
    lines(
        "Streams that the other node refused",
        "no_endpoint: gossip is behind the tunnels for a moment. draining: a node leaves. overloaded: links are full.",
        (
            "sum by (verdict) (rate(pico_cluster_link_answers_total"
            '{instance=~"$node", direction="out", verdict!="accepted"}[$__rate_interval]))',
            "{{verdict}}",
        ),
        unit="ops",
    ),
    lines(
        "Connections that proved nothing",
        "proof and mode: another secret, or none. wrong_node and old_life: a node was replaced.",
        (
            'sum by (reason) (rate(pico_cluster_link_refusals_total{instance=~"$node"}[$__rate_interval]))',
            "{{reason}}",
        ),
        unit="ops",
    ),
    Panel(
        "Nodes left alone after a failed dial",
        "Their TCP port for gossip and links takes no connections from here.",
        [Query('pico_cluster_links_resting{instance=~"$node"}', "{{instance}}")],
        thresholds=NONE_EXPECTED,
    ),
    lines(
        "Versions",
        "More than one for longer than an upgrade takes: it has stopped half way.",
        (
            "count by (version) (pico_build_info and on (instance, job) pico_node_ready)",
            "{{version}}",
        ),
    ),
)

CLUSTER = Dashboard(
    "cluster",
    "Cluster",
    "Is anything failing, and is it the service, the tunnel or a node? Who is overloaded?",
    [NODE],
    [
        Row("Is anything failing?", _FAILING),
        Row("Where?", _WHERE),
        Row("Who is overloaded?", _LOAD),
        Row("Between the nodes", _BETWEEN),
    ],
)
