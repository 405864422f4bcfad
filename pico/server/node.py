"""
Every constructor of a node on one page.
"""

from __future__ import annotations

import random
import socket
from collections.abc import Mapping, Sequence

from twisted.internet.interfaces import IProtocolFactory, IReactorTCP, IReactorTime

from pico.admin.numbers import watch_node
from pico.admin.port import make_admin_site
from pico.config.addresses import parse_address
from pico.config.nodeid import make_node_id
from pico.config.sections import access_log_problems
from pico.config.server import Admin, Proxy, ServerConfig, Upstream
from pico.errors import ConfigError
from pico.interfaces import IVerifier
from pico.log.levels import Threshold
from pico.log.redaction import Redaction
from pico.metrics import Metrics
from pico.net.deadlines import Deadlines
from pico.net.http.access_log import AccessLog, AccessLogSettings, HeaderChoice
from pico.net.http.request_ids import REQUEST_ID_LINE, RequestIds
from pico.net.http.server import ServerSettings
from pico.net.process import watch_process
from pico.net.turn import Turn
from pico.proxy.headers import fate_of
from pico.proxy.port import ProxyPort, ProxySettings
from pico.proxy.record import Recorder
from pico.proxy.trust import TrustedProxies
from pico.server.anyone import Anyone
from pico.server.service import Binding, NodeService
from pico.server.view import NodeView
from pico.tunnel.session import TunnelSettings
from pico.upstream.port import UpstreamPort, UpstreamPortSettings
from pico.upstream.registry import Registry
from pico.upstream.traffic import TrafficSettings
from pico.upstream.tunnel import PoolSettings
from pico.wire.http1.headers import HeaderCache
from pico.wire.http1.limits import Limits as HTTPLimits
from pico.wire.yamux.limits import Limits as YamuxLimits

#: The ports of a node, by the names of their sections.
PORTS = ("proxy", "upstream", "admin")

#: Bytes of a response that the kernel takes while its client has no room for them; left alone it takes up to 4 MiB.
#: With a quarter of this eight fast downloads at once are slower by a third.
CLIENT_UNSENT = 1_048_576


def make_server(
    config: ServerConfig,
    reactor: IReactorTCP,
    *,
    clock: IReactorTime,
    verifier: IVerifier | None = None,
    chooser: random.Random | None = None,
    inherited: Mapping[str, Sequence[socket.socket]] | None = None,
    metrics: Metrics | None = None,
) -> NodeService:
    """
    Make a node.

    :param reactor: binds the ports.
    :param clock: normally the same object.
    :param verifier: says who may use what; everybody everything when not given.
    :param chooser: makes up the node's id.
    :param inherited: sockets that listen already, instead of what ``bind_addr`` says, by section: those of
        :data:`PORTS`.
    :param metrics: where the node's numbers are kept; some of its own when not given.
    :return: the service; nothing is bound before it is started.
    :raises pico.errors.ConfigError: for settings that cannot be used.
    """
    node_id = make_node_id(config.cluster.node_id, config.cluster.node_id_prefix, chooser or random.SystemRandom())
    metrics = metrics or Metrics()
    turn = Turn(clock)
    deadlines = Deadlines(clock)
    verifier = verifier or Anyone()
    limits = HTTPLimits(header_bytes=config.proxy.http.max_header_bytes, headers=config.proxy.http.max_headers)
    # One cache for requests and for responses, both of which meet the same fates.
    cache = HeaderCache(fate_of, apart=REQUEST_ID_LINE)
    registry = Registry(clock)
    view = NodeView(node_id, registry)
    watch_node(metrics, view)
    watch_process(metrics)
    upstream_port = UpstreamPort(
        node_id=node_id,
        registry=registry,
        verifier=verifier,
        settings=UpstreamPortSettings(
            server=ServerSettings(
                head_timeout=config.upstream.handshake_timeout,
                idle_timeout=config.upstream.handshake_timeout,
                limits=HTTPLimits(header_bytes=65_536),
            ),
            tunnel=TunnelSettings(
                keepalive_interval=config.upstream.keepalive_interval,
                keepalive_timeout=config.upstream.keepalive_timeout,
                limits=YamuxLimits(
                    max_window=config.upstream.max_window,
                    max_streams=config.upstream.max_streams,
                    max_buffered=config.upstream.max_buffered,
                ),
            ),
            pool=PoolSettings(
                idle_streams=config.upstream.idle_streams,
                idle_timeout=config.upstream.idle_stream_timeout,
                limits=limits,
            ),
            max_tunnels=config.upstream.max_tunnels,
            max_connections=config.upstream.max_tunnels + 1000,
            traffic=TrafficSettings(max_endpoints=config.admin.metrics.max_endpoints, keep=config.admin.metrics.keep),
        ),
        cache=cache,
        clock=clock,
        deadlines=deadlines,
        turn=turn,
        metrics=metrics,
    )
    proxy_port = ProxyPort(
        selector=registry,
        verifier=verifier,
        settings=ProxySettings(
            server=ServerSettings(
                head_timeout=config.proxy.http.read_header_timeout,
                idle_timeout=config.proxy.http.idle_timeout,
                max_requests=config.proxy.http.max_requests,
                limits=limits,
            ),
            response_timeout=config.proxy.timeout,
            read_timeout=config.proxy.http.read_timeout,
            write_timeout=config.proxy.http.write_timeout,
            retry_buffer=config.proxy.retry_buffer,
            attempts=config.proxy.attempts,
            max_body=config.proxy.http.max_body_bytes,
            max_connections=config.proxy.http.max_connections,
        ),
        trusted=TrustedProxies(config.proxy.trusted_proxies),
        cache=cache,
        clock=clock,
        deadlines=deadlines,
        recorder=Recorder(metrics),
        access_log=_access_log(config),
        node_id=node_id,
        ids=RequestIds(random.Random()),
    )
    metrics.gauge("pico_proxy_connections", "Clients connected to the proxy port.", lambda: proxy_port.connections)
    admin_site = make_admin_site(
        view, upstream_port, metrics, clock=clock, max_connections=config.admin.max_connections
    )
    return NodeService(
        node_id=node_id,
        reactor=reactor,
        clock=clock,
        admin=_binding("admin", config.admin, admin_site, inherited),
        upstream=_binding("upstream", config.upstream, upstream_port, inherited),
        proxy=_binding("proxy", config.proxy, proxy_port, inherited, CLIENT_UNSENT),
        upstream_port=upstream_port,
        proxy_port=proxy_port,
        view=view,
        drain_delay=config.drain_delay,
        grace_period=config.grace_period,
    )


def _access_log(config: ServerConfig) -> AccessLog:
    settings = config.proxy.access_log
    for problem in access_log_problems(settings):
        raise ConfigError(f"proxy.{problem}")
    return AccessLog(
        AccessLogSettings(
            enabled=not settings.disable,
            level=settings.level,
            threshold=Threshold(config.log.level, config.log.subsystems),
            redaction=Redaction(config.log.redact),
            request_headers=HeaderChoice(settings.request_headers.allow_list, settings.request_headers.block_list),
            response_headers=HeaderChoice(settings.response_headers.allow_list, settings.response_headers.block_list),
        ),
        "proxy.access",
    )


def _binding(
    name: str,
    section: Admin | Proxy | Upstream,
    factory: IProtocolFactory,
    inherited: Mapping[str, Sequence[socket.socket]] | None,
    max_unsent: int = 0,
) -> Binding:
    try:
        address = parse_address(section.bind_addr)
    except ValueError as error:
        raise ConfigError(f"{name}.bind_addr: {error}") from None
    sockets = (inherited or {}).get(name, ())
    return Binding(f"{name}.bind_addr", address, section.advertise_addr, factory, sockets, max_unsent)
