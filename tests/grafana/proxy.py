"""
What do clients get, how fast, and which endpoint is it?
"""

from __future__ import annotations

from tests.grafana.parts import (
    ENDPOINT,
    NODE,
    NONE_WANTED,
    RED,
    YELLOW,
    Dashboard,
    Panel,
    Query,
    Row,
    Variable,
    bars,
    lines,
    number,
)

_VARIABLES: tuple[Variable, ...] = (NODE, ENDPOINT)


def _quantile(share: float, name: str, labels: str = "") -> str:
    return (
        f'histogram_quantile({share}, sum by (le) (rate({name}_bucket{{instance=~"$node"{labels}}}[$__rate_interval])))'
    )


def _endpoints(name: str) -> str:
    return f'sum by (tenant, endpoint) (rate({name}{{instance=~"$node", endpoint=~"$endpoint"}}[$__rate_interval]))'


_CLIENTS = (
    number(
        "Requests a second",
        "That are over, whatever came of them.",
        'sum(rate(pico_proxy_requests_total{instance=~"$node"}[$__rate_interval]))',
        unit="reqps",
    ),
    number(
        "Answered with 5xx",
        "Share of requests, by services and by Pico. What Pico answered itself is in the next number.",
        'sum(rate(pico_proxy_requests_total{instance=~"$node", status=~"5.."}[$__rate_interval]) or '
        'pico_proxy_requests_in_flight{instance=~"$node"} * 0) '
        '/ clamp_min(sum(rate(pico_proxy_requests_total{instance=~"$node"}[$__rate_interval])), 1e-9)',
        unit="percentunit",
        thresholds=((0.01, YELLOW), (0.05, RED)),
    ),
    number(
        "Without a whole answer",
        "Share of requests that failed for service, tunnel or node.",
        'sum(rate(pico_proxy_failures_total{instance=~"$node", reason!~"client gone|refused"}[$__rate_interval])) '
        '/ clamp_min(sum(rate(pico_proxy_requests_total{instance=~"$node"}[$__rate_interval])), 1e-9)',
        unit="percentunit",
        thresholds=((0.001, YELLOW), (0.01, RED)),
        see="cluster",
    ),
    number(
        "99th percentile",
        "From the request's head to the response's last byte. WebSockets are left out; downloads and event streams "
        "are in it.",
        _quantile(0.99, "pico_proxy_request_latency_seconds", ', status!="101"'),
        unit="s",
        thresholds=((1, YELLOW), (5, RED)),
    ),
    number(
        "Endpoints without a tunnel",
        "That had one in the last minutes. Their clients get 502.",
        'count(sum by (tenant, endpoint) (pico_upstreams_endpoint_tunnels{endpoint=~"$endpoint"}) == 0) or vector(0)',
        thresholds=NONE_WANTED,
        see="agents",
    ),
    number(
        "Clients turned away",
        "Connections over proxy.http.max_connections, a second.",
        'sum(rate(pico_proxy_connections_refused_total{instance=~"$node"}[$__rate_interval]))',
        unit="ops",
        thresholds=((1e-9, RED),),
    ),
)

_ANSWERS = (
    Panel(
        "Requests by status",
        "What clients got.",
        [Query('sum by (status) (rate(pico_proxy_requests_total{instance=~"$node"}[$__rate_interval]))', "{{status}}")],
        unit="reqps",
        stacked=True,
    ),
    lines(
        "Time of a request",
        "Without WebSockets. The 50th and the 99th far apart: some endpoints or nodes are slow.",
        (_quantile(0.5, "pico_proxy_request_latency_seconds", ', status!="101"'), "50 %"),
        (_quantile(0.9, "pico_proxy_request_latency_seconds", ', status!="101"'), "90 %"),
        (_quantile(0.99, "pico_proxy_request_latency_seconds", ', status!="101"'), "99 %"),
        unit="s",
    ),
    Panel(
        "Without a whole answer, by reason",
        "declined: the agent's service is down. no backend: no agent. lost, unreachable: the tunnel. node unreachable: "
        "another node. overloaded: no further stream.",
        [Query('sum by (reason) (rate(pico_proxy_failures_total{instance=~"$node"}[$__rate_interval]))', "{{reason}}")],
        unit="reqps",
        stacked=True,
    ),
    lines(
        "Time of a request by node, 99th percentile",
        "One line above the others: that node is overloaded, or the network to it.",
        (
            "histogram_quantile(0.99, sum by (instance, le) (rate(pico_proxy_request_latency_seconds_bucket"
            '{instance=~"$node", status!="101"}[$__rate_interval])))',
            "{{instance}}",
        ),
        unit="s",
    ),
    lines(
        "Sent again",
        "To another upstream, before anything of a response came. Clients do not notice; the reason is in the log.",
        ('sum by (instance) (rate(pico_proxy_retries_total{instance=~"$node"}[$__rate_interval]))', "{{instance}}"),
        unit="reqps",
    ),
    lines(
        "Waiting for an upstream",
        "Their endpoint has just lost its last one; by what came of it. Those that are found one are not noticed.",
        (
            'sum by (outcome) (rate(pico_proxy_waits_total{instance=~"$node"}[$__rate_interval]))',
            "{{outcome}}, a second",
        ),
        ('sum(pico_proxy_waiting_requests{instance=~"$node"})', "waiting now"),
    ),
    lines(
        "Refused",
        "Requests that are not for a service, and bytes that are no request: scanners, or a client with a bug.",
        (
            'sum by (reason) (rate(pico_proxy_refused_requests_total{instance=~"$node"}[$__rate_interval]))',
            "{{reason}}",
        ),
        (
            'sum by (status) (rate(pico_proxy_malformed_requests_total{instance=~"$node"}[$__rate_interval]))',
            "malformed {{status}}",
        ),
        unit="reqps",
    ),
)

_ENDPOINTS = (
    bars(
        "Busiest",
        "Requests a second that were sent to tunnels, each time that one was sent.",
        f"topk(10, {_endpoints('pico_upstreams_endpoint_requests_total')})",
        "{{tenant}} {{endpoint}}",
        unit="reqps",
    ),
    bars(
        "Fewest tunnels",
        "At all nodes together. With one, the endpoint is gone with its node or agent.",
        'bottomk(10, sum by (tenant, endpoint) (pico_upstreams_endpoint_tunnels{endpoint=~"$endpoint"}))',
        "{{tenant}} {{endpoint}}",
    ),
    lines(
        "Requests",
        "Of the ten busiest of those chosen above.",
        (f"topk(10, {_endpoints('pico_upstreams_endpoint_requests_total')})", "{{tenant}} {{endpoint}}"),
        unit="reqps",
    ),
    lines(
        "Bytes from services",
        "Of the ten with most, frames included.",
        (f"topk(10, {_endpoints('pico_upstreams_endpoint_bytes_received_total')})", "{{tenant}} {{endpoint}}"),
        unit="Bps",
    ),
    lines(
        "Bytes to services",
        "Of the ten with most, frames included.",
        (f"topk(10, {_endpoints('pico_upstreams_endpoint_bytes_sent_total')})", "{{tenant}} {{endpoint}}"),
        unit="Bps",
    ),
    lines(
        "Tunnels by node",
        "Of those chosen above.",
        (
            'sum by (instance) (pico_upstreams_endpoint_tunnels{instance=~"$node", endpoint=~"$endpoint"})',
            "{{instance}}",
        ),
    ),
)

_INSIDE = (
    lines(
        "Clients and requests in flight",
        "Clients are connections, most of them silent.",
        ('sum(pico_proxy_connections{instance=~"$node"})', "clients"),
        ('sum(pico_proxy_requests_in_flight{instance=~"$node"})', "in flight"),
    ),
    lines(
        "Streams",
        "Idle ones wait for a next request.",
        ('sum(pico_upstreams_streams{instance=~"$node"})', "open"),
        ('sum(pico_upstreams_idle_streams{instance=~"$node"})', "idle"),
    ),
    lines(
        "Requests over a stream that was there",
        "Share of them. Low: short bursts, or upstream.idle_streams is too small.",
        (
            'sum(rate(pico_upstreams_pool_hits_total{instance=~"$node"}[$__rate_interval])) / '
            'clamp_min(sum(rate(pico_upstreams_upstream_requests_total{instance=~"$node"}[$__rate_interval])), 1e-9)',
            "share",
        ),
        unit="percentunit",
    ),
    lines(
        "Streams opened",
        "The fewer the better, at the same number of requests.",
        ('sum(rate(pico_upstreams_streams_opened_total{instance=~"$node"}[$__rate_interval]))', "opened"),
        unit="ops",
    ),
    lines(
        "Bytes of a request's body",
        "Median and 99th percentile.",
        (_quantile(0.5, "pico_proxy_request_size_bytes"), "50 %"),
        (_quantile(0.99, "pico_proxy_request_size_bytes"), "99 %"),
        unit="bytes",
    ),
    lines(
        "Bytes of a response's body",
        "Median and 99th percentile.",
        (_quantile(0.5, "pico_proxy_response_size_bytes"), "50 %"),
        (_quantile(0.99, "pico_proxy_response_size_bytes"), "99 %"),
        unit="bytes",
    ),
)

PROXY = Dashboard(
    "proxy",
    "Proxy",
    "What do clients get, how fast, and which endpoint is it?",
    _VARIABLES,
    [
        Row("What do clients get?", _CLIENTS),
        Row("Answers", _ANSWERS),
        Row("Which endpoint?", _ENDPOINTS),
        Row("Inside", _INSIDE),
    ],
)
