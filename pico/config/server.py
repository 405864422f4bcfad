"""
The configuration of a node.
"""

from __future__ import annotations

from typing import Annotated

import msgspec

from pico.config.fields import Kind, Setting
from pico.config.sections import AccessLog, Log

#: Where other nodes are looked for when neither cluster.join nor cluster.gossip.bind_addr says so.
GOSSIP_PORT = 8003


class ProxyHTTP(msgspec.Struct, frozen=True, kw_only=True):
    """
    Limits of client connections.
    """

    read_header_timeout: Annotated[
        float, Setting(Kind.DURATION, "From a request's first byte to the end of its head; 0 for ever.")
    ] = 10.0
    read_timeout: Annotated[
        float,
        Setting(Kind.DURATION, "Between two pieces of a request's body; 0 for ever.", ("proxy.read_timeout",)),
    ] = 0.0
    write_timeout: Annotated[
        float,
        Setting(Kind.DURATION, "How long a client may not read its response; 0 for ever.", ("proxy.write_timeout",)),
    ] = 0.0
    idle_timeout: Annotated[float, Setting(Kind.DURATION, "Between two requests of one connection; 0 for ever.")] = (
        300.0
    )
    max_header_bytes: Annotated[int, Setting(Kind.SIZE, "A request's or response's head.", least=1024)] = 1_048_576
    max_headers: Annotated[int, Setting(Kind.COUNT, "Header lines in one head.", least=1)] = 256
    max_connections: Annotated[int, Setting(Kind.COUNT, "Clients connected at a time; more are closed.", least=1)] = (
        10_000
    )
    max_requests: Annotated[int, Setting(Kind.COUNT, "Requests on one connection; 0 for any number.")] = 0
    max_body_bytes: Annotated[int, Setting(Kind.SIZE, "A request's body; 0 for any size.")] = 0
    max_unsent_bytes: Annotated[
        int,
        Setting(
            Kind.SIZE,
            "What the system takes of a client's responses and cannot send at once; 0 for as much as it likes.",
        ),
    ] = 1_048_576


class Proxy(msgspec.Struct, frozen=True, kw_only=True):
    """
    The port for clients.
    """

    bind_addr: Annotated[str, Setting(Kind.ADDRESS, "Where clients connect.")] = ":8000"
    advertise_addr: Annotated[str, Setting(Kind.ADVERTISE, "How others reach that port; worked out when empty.")] = ""
    timeout: Annotated[float, Setting(Kind.DURATION, "Wait for the head of a response; 0 for ever.")] = 30.0
    attempts: Annotated[int, Setting(Kind.COUNT, "Upstreams that one request is sent to at most.", least=1)] = 3
    retry_buffer: Annotated[int, Setting(Kind.SIZE, "Request body kept so that the request can be sent again.")] = (
        65_536
    )
    wait_for_upstream: Annotated[
        float,
        Setting(
            Kind.DURATION,
            "How long requests wait for an endpoint after it has lost its last upstream; 0 for no wait.",
        ),
    ] = 1.0
    max_waiting: Annotated[
        int, Setting(Kind.COUNT, "Requests that wait for a lost upstream at a time; more get 502 at once.")
    ] = 1024
    trusted_proxies: Annotated[
        tuple[str, ...],
        Setting(Kind.NETWORKS, "Addresses and networks of proxies in front, whose X-Forwarded-* is believed."),
    ] = ()
    access_log: AccessLog = AccessLog()
    http: ProxyHTTP = ProxyHTTP()


class Rebalance(msgspec.Struct, frozen=True, kw_only=True):
    """
    How nodes come to have the same number of tunnels: agents are asked to dial another node.
    """

    threshold: Annotated[
        float,
        Setting(
            Kind.FACTOR,
            "How far from the average one node may be, as a part of it, before tunnels move; 0 never moves any.",
        ),
    ] = 0.0
    shed_rate: Annotated[
        float, Setting(Kind.FACTOR, "Tunnels that one node asks to go in a second, as a part of the average.", most=1)
    ] = 0.03
    min_conns: Annotated[int, Setting(Kind.COUNT, "A node with fewer tunnels asks nobody to go.")] = 50


class Upstream(msgspec.Struct, frozen=True, kw_only=True):
    """
    The port for agents, and their tunnels.
    """

    bind_addr: Annotated[str, Setting(Kind.ADDRESS, "Where agents connect.")] = ":8001"
    advertise_addr: Annotated[str, Setting(Kind.ADVERTISE, "How agents reach that port; for information.")] = ""
    handshake_timeout: Annotated[float, Setting(Kind.DURATION, "For an agent's upgrade request; 0 for ever.")] = 10.0
    keepalive_interval: Annotated[float, Setting(Kind.DURATION, "Silence after which a tunnel is probed; 0 never.")] = (
        30.0
    )
    keepalive_timeout: Annotated[
        float, Setting(Kind.DURATION, "Silence after a probe that ends the tunnel.", least=0.001)
    ] = 10.0
    max_tunnels: Annotated[int, Setting(Kind.COUNT, "Tunnels on this node.", least=1)] = 20_000
    max_handshakes: Annotated[
        int, Setting(Kind.COUNT, "Connections besides max_tunnels, of agents that ask for a tunnel.", least=1)
    ] = 1000
    max_streams: Annotated[int, Setting(Kind.COUNT, "Streams in one tunnel.", least=1)] = 10_000
    max_waiting: Annotated[
        int, Setting(Kind.COUNT, "Requests that wait for an agent to accept streams, in one tunnel.")
    ] = 1024
    idle_streams: Annotated[int, Setting(Kind.COUNT, "Idle streams kept in one tunnel.")] = 256
    idle_stream_timeout: Annotated[float, Setting(Kind.DURATION, "How long an idle stream is kept; 0 for ever.")] = 60.0
    max_window: Annotated[
        int, Setting(Kind.SIZE, "How far one stream's receive window may grow; 256KiB and less never.")
    ] = 4 * 1024 * 1024
    max_buffered: Annotated[
        int, Setting(Kind.SIZE, "Bytes of one tunnel that clients have not read yet.", least=262_144)
    ] = 256 * 1024 * 1024
    rebalance: Rebalance = Rebalance()


class AdminMetrics(msgspec.Struct, frozen=True, kw_only=True):
    """
    Metrics of single endpoints.
    """

    max_endpoints: Annotated[
        int, Setting(Kind.COUNT, "Endpoints that have metrics of their own; more are counted together.")
    ] = 1000
    keep: Annotated[float, Setting(Kind.DURATION, "How long an endpoint's metrics outlast its last tunnel.")] = 600.0


class Admin(msgspec.Struct, frozen=True, kw_only=True):
    """
    The port for operators.
    """

    bind_addr: Annotated[str, Setting(Kind.ADDRESS, "Where health, metrics and status are.")] = ":8002"
    advertise_addr: Annotated[str, Setting(Kind.ADVERTISE, "How others reach that port; worked out when empty.")] = ""
    max_connections: Annotated[int, Setting(Kind.COUNT, "Connections at a time; more are closed.", least=1)] = 256
    control_from: Annotated[
        tuple[str, ...],
        Setting(Kind.NETWORKS, "Addresses and networks that may drain the node and take that back; none: nobody."),
    ] = ("127.0.0.0/8", "::1/128")
    metrics: AdminMetrics = AdminMetrics()


class Gossip(msgspec.Struct, frozen=True, kw_only=True):
    """
    How nodes hear of each other.
    """

    bind_addr: Annotated[str, Setting(Kind.ADDRESS, "Where other nodes reach this one, over UDP and TCP.")] = ":8003"
    advertise_addr: Annotated[str, Setting(Kind.ADVERTISE, "How they reach that port; worked out when empty.")] = ""
    interval: Annotated[float, Setting(Kind.DURATION, "Between two exchanges with other nodes.", least=0.01)] = 0.1
    max_packet_size: Annotated[int, Setting(Kind.SIZE, "Bytes of one datagram.", least=1200)] = 1400
    max_members: Annotated[int, Setting(Kind.COUNT, "Nodes of the cluster; others are not known.", least=2)] = 1000


class Links(msgspec.Struct, frozen=True, kw_only=True):
    """
    The connections over which nodes carry each other's traffic.
    """

    dial_timeout: Annotated[float, Setting(Kind.DURATION, "For connecting to another node.", least=0.001)] = 3.0
    idle_timeout: Annotated[
        float, Setting(Kind.DURATION, "Without traffic, after which a link is closed.", least=1)
    ] = 300.0
    keepalive_interval: Annotated[float, Setting(Kind.DURATION, "Silence after which a link is probed; 0 never.")] = (
        10.0
    )
    keepalive_timeout: Annotated[
        float, Setting(Kind.DURATION, "Silence after a probe that ends the link.", least=0.001)
    ] = 5.0
    max_links: Annotated[int, Setting(Kind.COUNT, "Links that other nodes may have to this one.", least=1)] = 1024
    max_streams: Annotated[int, Setting(Kind.COUNT, "Streams in one link.", least=1)] = 10_000
    max_window: Annotated[
        int, Setting(Kind.SIZE, "How far one stream's receive window may grow; 256KiB and less never.")
    ] = 4 * 1024 * 1024
    max_buffered: Annotated[int, Setting(Kind.SIZE, "Bytes of one link that nobody has taken yet.", least=262_144)] = (
        256 * 1024 * 1024
    )


class Cluster(msgspec.Struct, frozen=True, kw_only=True):
    """
    The node's place among others.
    """

    node_id: Annotated[str, Setting(Kind.NAME, "The node's name; made up when empty.")] = ""
    node_id_prefix: Annotated[str, Setting(Kind.NAME, "Put before a name that is made up.")] = ""
    join: Annotated[
        tuple[str, ...],
        Setting(Kind.SEEDS, "Where other nodes may be found; a name may have many addresses. None: the node waits."),
    ] = ()
    join_timeout: Annotated[float, Setting(Kind.DURATION, "How long to look for another node.", least=1)] = 60.0
    abort_if_join_fails: Annotated[
        bool, Setting(Kind.BOOL, "Stop if none is found in that time; otherwise go on alone, and look on.")
    ] = True
    secret_keys: Annotated[
        tuple[str, ...],
        Setting(Kind.SECRETS, "What all nodes know and nobody else: the first seals, all open.", least=16),
    ] = ()
    forget: Annotated[
        float, Setting(Kind.DURATION, "After which a node that cannot be reached is forgotten.", least=1)
    ] = 60.0
    local_preference: Annotated[
        float,
        Setting(
            Kind.FACTOR, "How many times as busy as one elsewhere a tunnel here may be and is still taken.", least=1
        ),
    ] = 2.0
    gossip: Gossip = Gossip()
    links: Links = Links()


class ServerConfig(msgspec.Struct, frozen=True, kw_only=True):
    """
    A node.
    """

    proxy: Proxy = Proxy()
    upstream: Upstream = Upstream()
    admin: Admin = Admin()
    cluster: Cluster = Cluster()
    log: Log = Log()
    drain_delay: Annotated[
        float,
        Setting(Kind.DURATION, "At a stop: how long clients are still taken, after the node is not ready any more."),
    ] = 0.0
    grace_period: Annotated[float, Setting(Kind.DURATION, "At a stop: how long requests under way may take.")] = 60.0
