"""
Is every endpoint served, do tunnels stay, and is it the service that is slow?

The first row and the last are of nodes, so there is an answer for agents that nobody scrapes.
"""

from __future__ import annotations

from tests.grafana.parts import (
    AGENT,
    AGENT_ENDPOINT,
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

_CHOSEN = '{instance=~"$agent", endpoint=~"$endpoint"}'


def _by_endpoint(name: str) -> str:
    return f"sum by (endpoint) (rate({name}{_CHOSEN}[$__rate_interval]))"


def _quantile(share: float, name: str, labels: str = "") -> str:
    return (
        f"histogram_quantile({share}, sum by (endpoint, le) (rate({name}_bucket"
        f'{{instance=~"$agent", endpoint=~"$endpoint"{labels}}}[$__rate_interval])))'
    )


_SERVED = (
    number(
        "Endpoints without a tunnel",
        "By what agents say of themselves. Their log has the reason, and so has /ready.",
        f"count(pico_agent_tunnels{_CHOSEN} == 0) or vector(0)",
        thresholds=NONE_WANTED,
    ),
    number(
        "Tunnels that are missing",
        "Of those that agents want.",
        f"sum(clamp_min(pico_agent_tunnels_wanted{_CHOSEN} - pico_agent_tunnels, 0))",
        thresholds=((1, YELLOW),),
    ),
    number(
        "Endpoints at one node only",
        "Though the agent wants several tunnels: that node takes them with it. One node in all, or the load balancer "
        "in front of the upstream port always leads to the same.",
        f"count(pico_agent_nodes{_CHOSEN} < 2 and pico_agent_tunnels_wanted > 1) or vector(0)",
        thresholds=((1, YELLOW),),
    ),
    number(
        "Failed at the service",
        "Share of requests without a whole answer from the service.",
        'sum(rate(pico_agent_failures_total{instance=~"$agent", endpoint=~"$endpoint", '
        'reason!~"client gone|refused"}[$__rate_interval])) '
        f"/ clamp_min(sum(rate(pico_agent_requests_total{_CHOSEN}[$__rate_interval])), 1e-9)",
        unit="percentunit",
        thresholds=((0.001, YELLOW), (0.01, RED)),
    ),
    number(
        "Refused by nodes",
        "Agents that a node refused for good in the last hour: a token, or an endpoint that is not theirs.",
        f"sum(increase(pico_agent_refusals_total{_CHOSEN}[1h]))",
        thresholds=((0.5, RED),),
    ),
    number(
        "Agents that do not answer",
        "Targets of the job pico-agent that Prometheus could not scrape.",
        'count(up{job="pico-agent"} == 0) or vector(0)',
        thresholds=NONE_WANTED,
    ),
)

_TUNNELS = (
    lines(
        "Tunnels, and those wanted",
        "By endpoint, over all agents chosen.",
        (f"sum by (endpoint) (pico_agent_tunnels{_CHOSEN})", "{{endpoint}}"),
        (f"sum by (endpoint) (pico_agent_tunnels_wanted{_CHOSEN})", "{{endpoint}} wanted"),
    ),
    lines(
        "Come and gone",
        "Many of all endpoints at once: a node or its load balancer. Of one agent: its network.",
        (_by_endpoint("pico_agent_reconnects_total"), "{{endpoint}} reconnected"),
        (_by_endpoint("pico_agent_disconnects_total"), "{{endpoint}} disconnected"),
        unit="ops",
    ),
    lines(
        "Dials in vain",
        "No node answers at connect.url, or it refuses for now.",
        (_by_endpoint("pico_agent_failed_dials_total"), "{{endpoint}}"),
        unit="ops",
    ),
    lines(
        "Nodes that tunnels lead to",
        "By agent and endpoint. With 1 the endpoint is gone while that node is.",
        (f"pico_agent_nodes{_CHOSEN}", "{{instance}} {{endpoint}}"),
    ),
    lines(
        "Streams",
        "Open in tunnels, idle ones included.",
        (f"sum by (endpoint) (pico_agent_streams{_CHOSEN})", "{{endpoint}}"),
    ),
    lines(
        "Bytes",
        "Sent are responses, received are requests, frames included.",
        (_by_endpoint("pico_agent_bytes_sent_total"), "{{endpoint}} sent"),
        (_by_endpoint("pico_agent_bytes_received_total"), "{{endpoint}} received"),
        unit="Bps",
    ),
)

_SERVICES = (
    Panel(
        "Requests by status",
        "As the service, or the agent for it, has answered.",
        [Query(f"sum by (status) (rate(pico_agent_requests_total{_CHOSEN}[$__rate_interval]))", "{{status}}")],
        unit="reqps",
        stacked=True,
    ),
    lines(
        "Time at the service, 99th percentile",
        "Without the way from the client. Near to what Proxy shows: it is the service that is slow.",
        (_quantile(0.99, "pico_agent_request_latency_seconds", ', status!="101"'), "{{endpoint}}"),
        unit="s",
    ),
    Panel(
        "Without a whole answer, by reason",
        "unreachable: the service takes no connections. connect timeout, response timeout: it is slow, or full.",
        [
            Query(
                f"sum by (endpoint, reason) (rate(pico_agent_failures_total{_CHOSEN}[$__rate_interval]))",
                "{{endpoint}} {{reason}}",
            )
        ],
        unit="reqps",
        stacked=True,
    ),
    lines(
        "Requests in flight",
        "That the service has not answered yet.",
        (f"sum by (endpoint) (pico_agent_requests_in_flight{_CHOSEN})", "{{endpoint}}"),
    ),
    lines(
        "Requests over a connection that was there",
        "Share of them. Low: the service closes its connections after each request.",
        (
            f"{_by_endpoint('pico_agent_service_pool_hits_total')} / "
            f"clamp_min({_by_endpoint('pico_agent_requests_total')}, 1e-9)",
            "{{endpoint}}",
        ),
        unit="percentunit",
    ),
    lines(
        "Connections to services",
        "Begun each second, and kept.",
        (_by_endpoint("pico_agent_service_dials_total"), "{{endpoint}} begun"),
        (f"sum by (endpoint) (pico_agent_service_idle_connections{_CHOSEN})", "{{endpoint}} kept"),
    ),
    lines(
        "Bytes of bodies, 99th percentile",
        "Of requests and responses.",
        (_quantile(0.99, "pico_agent_request_size_bytes"), "{{endpoint}} requests"),
        (_quantile(0.99, "pico_agent_response_size_bytes"), "{{endpoint}} responses"),
        unit="bytes",
    ),
)

_AT_NODES = (
    lines(
        "Tunnels accepted",
        "At all nodes. A peak is a restart; a plain that stays is agents that cannot keep their tunnels.",
        ("sum by (instance) (rate(pico_upstreams_accepted_total[$__rate_interval]))", "{{instance}}"),
        unit="ops",
    ),
    lines(
        "Tunnels refused, by reason",
        "draining and full pass: the agent dials elsewhere. The others are agents that are set up wrongly.",
        ("sum by (reason) (rate(pico_upstreams_refused_total[$__rate_interval]))", "{{reason}}"),
        ("sum(rate(pico_upstreams_connections_refused_total[$__rate_interval]))", "over upstream.max_handshakes"),
        unit="ops",
    ),
    lines(
        "Tunnels asked to move",
        "To even out their numbers (upstream.rebalance). What comes back has a load balancer that knows few nodes.",
        ("sum by (instance) (rate(pico_upstreams_shed_total[$__rate_interval]))", "{{instance}} asked"),
        ("sum by (instance) (rate(pico_upstreams_shed_returned_total[$__rate_interval]))", "{{instance}} came back"),
        unit="ops",
    ),
    lines(
        "Endpoints by node",
        "That have a tunnel there.",
        ("sum by (instance) (pico_upstreams_registered_endpoints)", "{{instance}}"),
    ),
)

AGENTS = Dashboard(
    "agents",
    "Agents",
    "Is every endpoint served, do tunnels stay, and is it the service?",
    [AGENT, AGENT_ENDPOINT],
    [
        Row("Is every endpoint served?", _SERVED),
        Row("Tunnels", _TUNNELS),
        Row("Services", _SERVICES),
        Row("As nodes see it", _AT_NODES),
    ],
)
