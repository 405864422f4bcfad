"""
An agent's tunnels and connections to services, in numbers.

An endpoint that is listed twice has one number, the sum.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from pico.agent.backend import ServiceBackend
from pico.agent.endpoints import Endpoints, EndpointState
from pico.exposition import Description, Kind, Samples
from pico.metrics import Metrics

_LABELS = ("endpoint",)

_OF_STATES: Sequence[tuple[Description, Callable[[EndpointState], float]]] = [
    (Description(f"pico_agent_{name}", kind, text, _LABELS), read)
    for name, kind, text, read in (
        ("tunnels", Kind.GAUGE, "Tunnels that serve.", lambda state: len(state.serving)),
        ("tunnels_wanted", Kind.GAUGE, "Tunnels that there are to be.", lambda state: state.wanted),
        ("nodes", Kind.GAUGE, "Different nodes that tunnels lead to.", lambda state: state.nodes),
        (
            "reconnects_total",
            Kind.COUNTER,
            "Tunnels that stood after the first ones.",
            lambda state: state.reconnects,
        ),
        (
            "disconnects_total",
            Kind.COUNTER,
            "Tunnels that ended without being replaced before.",
            lambda state: state.losses,
        ),
        ("failed_dials_total", Kind.COUNTER, "Tries that brought no tunnel.", lambda state: state.failed_dials),
        (
            "refusals_total",
            Kind.COUNTER,
            "Final refusals by a node, each reason once until it accepts.",
            lambda state: state.refusals,
        ),
        ("streams", Kind.GAUGE, "Streams open in tunnels, idle ones included.", lambda state: state.streams),
        (
            "bytes_received_total",
            Kind.COUNTER,
            "Bytes received from nodes, frames included.",
            lambda state: state.bytes_received,
        ),
        (
            "bytes_sent_total",
            Kind.COUNTER,
            "Bytes sent to nodes, frames included.",
            lambda state: state.bytes_sent,
        ),
    )
]

_OF_SERVICES: Sequence[tuple[Description, Callable[[ServiceBackend], float]]] = [
    (Description(f"pico_agent_service_{name}", kind, text, _LABELS), read)
    for name, kind, text, read in (
        (
            "dials_total",
            Kind.COUNTER,
            "Connections to the service that were begun.",
            lambda backend: backend.dials,
        ),
        (
            "pool_hits_total",
            Kind.COUNTER,
            "Requests that took a connection that was there already.",
            lambda backend: backend.pool_hits,
        ),
        (
            "idle_connections",
            Kind.GAUGE,
            "Connections to the service that are kept for a next request.",
            lambda backend: backend.idle,
        ),
    )
]


def watch_endpoints(metrics: Metrics, endpoints: Endpoints) -> None:
    """
    Show how the listeners' tunnels are doing.
    """

    def read() -> Iterator[Samples]:
        for _, value_of in _OF_STATES:
            yield _summed((state.endpoint, value_of(state)) for state in endpoints)

    metrics.group([description for description, _ in _OF_STATES], read)


def watch_services(metrics: Metrics, backends: Sequence[tuple[str, ServiceBackend]]) -> None:
    """
    Show the connections to services, by endpoint.
    """

    def read() -> Iterator[Samples]:
        for _, value_of in _OF_SERVICES:
            yield _summed((endpoint, value_of(backend)) for endpoint, backend in backends)

    metrics.group([description for description, _ in _OF_SERVICES], read)


def _summed(values: Iterator[tuple[str, float]]) -> Samples:
    sums: dict[str, float] = {}
    for endpoint, value in values:
        sums[endpoint] = sums.get(endpoint, 0) + value
    return [((endpoint,), value) for endpoint, value in sums.items()]
