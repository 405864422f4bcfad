"""
The routes of the operators' port.

================================= ====================================================================
``/health``                       200 while the process lives
``/ready``                        200 while the node takes traffic, else 503
``/metrics``                      Prometheus text, or OpenMetrics where Accept asks for it
``/status/cluster/nodes``         a list of ``id, status, proxy_addr, admin_addr, endpoints, upstreams``
``/status/cluster/nodes/local``   this node, ``endpoints`` with the number of tunnels of each
``/status/cluster/nodes/<id>``    the same of any node
``/status/gossip/nodes``          what gossip knows of each node: ``id, addr, version, left, unreachable, expiry``
``/status/gossip/nodes/<id>``     the same of one (``local`` is this one), with the keys that it publishes
``/status/upstream/endpoints``    how many tunnels each endpoint has on this node
``/status/upstream/tunnels``      the tunnels of this node one by one
``/status/proxy/endpoints``       where each endpoint's tunnels come from
``/drain``, ``/undrain``          POST: have nothing new come to the node, and take that back
                                  (:mod:`pico.admin.orders`)
================================= ====================================================================

Everything is said of the node that is asked, unless ``?forward=<id>`` names another one, on any route: then it is that
one's answer (:mod:`pico.admin.forward`).
"""

from __future__ import annotations

import time
from bisect import bisect_right
from collections.abc import Callable, Sequence

from twisted.internet.interfaces import IReactorTime
from twisted.web import http
from twisted.web.server import Site

from pico.admin.orders import Orders
from pico.admin.status import member_details, member_summary, node_details, node_summary, tunnel_details
from pico.interfaces import GossipKey, GossipStatus, IGossipView, INodeView, ITunnels
from pico.metrics import Metrics
from pico.names import NodeId
from pico.net.site import (
    MAX_CONNECTIONS,
    Elsewhere,
    FolderResource,
    HealthResource,
    JSONResource,
    MetricsResource,
    OrderResource,
    Page,
    PageResource,
    Question,
    ReadyResource,
    error_page,
    json_page,
    make_site,
)

#: Tunnels in one answer: if nothing is said, and at most.
USUAL_TUNNELS = 1000
MAX_TUNNELS = 10_000

#: The same for a node's keys in gossip.
USUAL_KEYS = 10_000
MAX_KEYS = 100_000

#: The highest number that a tunnel, or a version, may be asked for.
_MAX_NUMBER = 2**63

#: Characters of an unknown name that are repeated.
_SHOWN = 100


def make_admin_site(
    view: INodeView,
    tunnels: ITunnels,
    gossip: IGossipView | None,
    metrics: Metrics,
    *,
    clock: IReactorTime | None = None,
    max_connections: int = MAX_CONNECTIONS,
    time_of_day: Callable[[], float] = time.time,
    forward: Elsewhere | None = None,
    orders: Orders | None = None,
) -> Site:
    """
    Make the factory of the port's connections.

    :param gossip: ``None`` for a node that does not gossip.
    :param clock: ``None`` takes the global reactor.
    :param forward: passes questions on to other nodes.
    :param orders: what may be changed; nothing when not given.
    """

    def nodes(question: Question) -> Page:
        # By their ids, so that whichever node is asked shows the same.
        return json_page([node_summary(node) for node in sorted(view.nodes(), key=lambda node: node.id)])

    def node(name: str, question: Question) -> Page:
        found = view.node(named(name))
        return _stranger(name, "/status/cluster/nodes") if found is None else json_page(node_details(found))

    def members() -> Sequence[GossipStatus]:
        return sorted(gossip.members(), key=lambda member: member.id) if gossip is not None else []

    def gossip_nodes(question: Question) -> Page:
        now = time_of_day()
        return json_page([member_summary(member, now) for member in members()])

    def gossip_node(name: str, question: Question) -> Page:
        member = next((member for member in members() if member.id == named(name)), None)
        if gossip is None or member is None:
            return _stranger(name, "/status/gossip/nodes")
        return _gossip_node(question, member, gossip.keys(member.id) or (), time_of_day())

    def named(name: str) -> NodeId:
        return NodeId(view.id if name == "local" else name)

    changing = {"/drain": OrderResource(orders.drain), "/undrain": OrderResource(orders.undrain)} if orders else {}
    return make_site(
        {
            "/health": HealthResource(),
            "/ready": ReadyResource(lambda: bool(view.ready)),
            "/metrics": MetricsResource(metrics.render),
            "/status/cluster/nodes": FolderResource(nodes, node),
            "/status/gossip/nodes": FolderResource(gossip_nodes, gossip_node),
            "/status/upstream/endpoints": JSONResource(lambda: dict(view.upstream_endpoints())),
            "/status/upstream/tunnels": PageResource(lambda question: _tunnels(question, tunnels, time_of_day())),
            "/status/proxy/endpoints": JSONResource(lambda: dict(view.proxy_endpoints())),
            **changing,
        },
        clock=clock,
        max_connections=max_connections,
        elsewhere=forward,
    )


def _stranger(name: str, route: str) -> Page:
    return error_page(http.NOT_FOUND, "not found", f"no node {name[:_SHOWN]} is known here; {route} lists them")


def _gossip_node(question: Question, member: GossipStatus, keys: Sequence[GossipKey], now: float) -> Page:
    try:
        limit = _number(question, "limit", USUAL_KEYS, lowest=1, highest=MAX_KEYS)
        after = _number(question, "after", 0, lowest=0, highest=_MAX_NUMBER)
    except ValueError as error:
        return error_page(http.BAD_REQUEST, "invalid argument", str(error))
    # They come in the order of their versions.
    first = bisect_right(keys, after, key=lambda key: key.version)
    return json_page(member_details(member, keys[first : first + limit], len(keys), now))


def _tunnels(question: Question, tunnels: ITunnels, now: float) -> Page:
    try:
        limit = _number(question, "limit", USUAL_TUNNELS, lowest=1, highest=MAX_TUNNELS)
        after = _number(question, "after", 0, lowest=0, highest=_MAX_NUMBER)
    except ValueError as error:
        return error_page(http.BAD_REQUEST, "invalid argument", str(error))
    found, total = tunnels.tunnels(question.arguments.get("endpoint"), after, limit)
    return json_page({"total": total, "tunnels": [tunnel_details(tunnel, now) for tunnel in found]})


def _number(question: Question, name: str, default: int, *, lowest: int, highest: int) -> int:
    text = question.arguments.get(name)
    if text is None:
        return default
    # Twenty digits hold any number that is allowed; more would only take time.
    number = int(text) if text.isascii() and text.isdigit() and len(text) <= 20 else -1
    if not lowest <= number <= highest:
        raise ValueError(f"{name} must be a number from {lowest} to {highest}")
    return number
