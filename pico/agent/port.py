"""
The agent's own port for operators: health, readiness by endpoint, metrics.

============ =======================================================================
``/health``  200 while the process lives
``/ready``   200 while every endpoint has had a tunnel for a second, by which time all nodes know of
             it, else 503; says how each is doing
``/metrics`` Prometheus text, or OpenMetrics where Accept asks for it
============ =======================================================================
"""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.interfaces import IReactorTime
from twisted.web.server import Site

from pico.agent.endpoints import Endpoints, EndpointState
from pico.metrics import Metrics
from pico.net.site import HealthResource, MetricsResource, ReadyResource, make_site, timestamp


def make_agent_site(
    endpoints: Endpoints, metrics: Metrics, *, clock: IReactorTime, time_of_day: Callable[[], float]
) -> Site:
    """
    Make the factory of the port's connections.

    :param time_of_day: seconds, by the clock that the endpoints go by.
    """
    return make_site(
        {
            "/health": HealthResource(),
            "/ready": ReadyResource(
                lambda: endpoints.ready(time_of_day()),
                lambda: {"endpoints": [details(state) for state in endpoints]},
            ),
            "/metrics": MetricsResource(metrics.render),
        },
        clock=clock,
    )


def details(state: EndpointState) -> dict[str, object]:
    """
    How an endpoint is doing, as a value for JSON.
    """
    return {
        "endpoint": state.endpoint,
        "connected": state.connected,
        "since": timestamp(state.since),
        "connections": state.wanted,
        "tunnels": [{"node": held.node or None, "since": timestamp(held.since)} for held in state.serving],
        "last_error": state.last_error or None,
        "last_error_at": timestamp(state.last_error_at) if state.last_error else None,
    }
