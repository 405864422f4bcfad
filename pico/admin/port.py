"""
The routes of the operators' port.

=============================== ====================================================================
``/health``                     200 while the process lives
``/ready``                      200 while the node takes traffic, else 503
``/metrics``                    Prometheus text, or OpenMetrics where Accept asks for it
``/status/cluster/nodes``       a list of ``id, status, proxy_addr, admin_addr, endpoints, upstreams``
``/status/upstream/endpoints``  how many tunnels each endpoint has on this node
``/status/proxy/endpoints``     where each endpoint's tunnels come from
=============================== ====================================================================
"""

from __future__ import annotations

from twisted.web.server import Site

from pico.interfaces import INodeView
from pico.metrics import Metrics
from pico.net.site import HealthResource, JSONResource, MetricsResource, ReadyResource, make_site


def _nodes(view: INodeView) -> list[dict[str, object]]:
    return [
        {
            "id": node.id,
            "status": node.status,
            "proxy_addr": node.proxy_addr,
            "admin_addr": node.admin_addr,
            "endpoints": len(node.endpoints),
            "upstreams": node.upstreams,
        }
        for node in view.nodes()
    ]


def make_admin_site(view: INodeView, metrics: Metrics) -> Site:
    """
    Make the factory of the port's connections.
    """
    return make_site(
        {
            "/health": HealthResource(),
            "/ready": ReadyResource(lambda: bool(view.ready)),
            "/metrics": MetricsResource(metrics.render),
            "/status/cluster/nodes": JSONResource(lambda: _nodes(view)),
            "/status/upstream/endpoints": JSONResource(lambda: dict(view.upstream_endpoints())),
            "/status/proxy/endpoints": JSONResource(lambda: dict(view.proxy_endpoints())),
        }
    )
