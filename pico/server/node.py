"""
Every constructor of a node on one page.
"""

from __future__ import annotations

import random
import socket
import time
from collections.abc import Callable, Mapping, Sequence

import attrs
from twisted.internet.interfaces import IProtocolFactory, IReactorTCP, IReactorTime

from pico.admin.forward import Forwarder
from pico.admin.numbers import watch_node
from pico.admin.orders import Orders
from pico.admin.port import make_admin_site
from pico.cluster.accept import AcceptSettings, LinkPort
from pico.cluster.gossip_numbers import watch_gossip
from pico.cluster.gossip_view import GossipView
from pico.cluster.greeting import Identification, NodeDialer
from pico.cluster.link import LinkSettings
from pico.cluster.members import Members
from pico.cluster.membership import SETTING, Membership, MembershipSettings
from pico.cluster.numbers import watch_links
from pico.cluster.publish import MAX_PUBLISHED, Publication
from pico.cluster.remote import Remotes
from pico.cluster.schema import MAX_FACT
from pico.cluster.table import MemberTable, News
from pico.config.addresses import Address, parse_address
from pico.config.nodeid import make_node_id
from pico.config.server import GOSSIP_PORT, Admin, Proxy, ServerConfig, Upstream
from pico.errors import ConfigError
from pico.gossip.limits import Limits as GossipLimits
from pico.gossip.limits import Timing
from pico.interfaces import ISelector, IVerifier
from pico.metrics import Metrics
from pico.names import EndpointKey
from pico.net.deadlines import Deadlines
from pico.net.http.access_config import make_access_log
from pico.net.http.request_ids import REQUEST_ID_LINE, RequestIds
from pico.net.http.server import ServerSettings
from pico.net.process import watch_process
from pico.net.turn import Turn
from pico.proxy.headers import fate_of
from pico.proxy.port import ProxyPort, ProxySettings
from pico.proxy.record import Recorder
from pico.proxy.trust import TrustedProxies
from pico.proxy.waiting import WaitingRoom, WaitingSettings
from pico.server.anyone import Anyone
from pico.server.entrance import Binding
from pico.server.links import NodeLinks
from pico.server.service import NodeService
from pico.server.view import NodeView
from pico.tunnel.session import TunnelSettings
from pico.tunnel.supply import SupplySettings
from pico.upstream.port import UpstreamPort, UpstreamPortSettings
from pico.upstream.rebalance import RebalanceSettings
from pico.upstream.registry import Registry
from pico.upstream.selector import Selector, SelectorSettings
from pico.upstream.shedding import Shedding
from pico.upstream.traffic import TrafficSettings
from pico.wire.http1.headers import HeaderCache
from pico.wire.http1.limits import Limits as HTTPLimits
from pico.wire.link_auth import Peer
from pico.wire.yamux.limits import Limits as YamuxLimits

#: The ports of a node, by the names of their sections.
PORTS = ("proxy", "upstream", "admin")

#: What one datagram of IPv4 holds.
MAX_PACKET = 65_507


@attrs.frozen
class Neighbours:
    """
    The other nodes as somebody says that they are, for a node that is not to look for any.

    :ivar members: what is known of them.
    :ivar generation: of this node's life.
    :ivar links: in the place of what the configuration says, as the following.
    """

    members: Members
    generation: int = 1
    links: LinkSettings | None = None
    accept: AcceptSettings | None = None


def make_server(
    config: ServerConfig,
    reactor: IReactorTCP,
    *,
    clock: IReactorTime,
    verifier: IVerifier | None = None,
    chooser: random.Random | None = None,
    inherited: Mapping[str, Sequence[socket.socket]] | None = None,
    metrics: Metrics | None = None,
    neighbours: Neighbours | None = None,
    wall_time: Callable[[], float] = time.time,
) -> NodeService:
    """
    Make a node.

    :param reactor: binds the ports.
    :param clock: normally the same object.
    :param verifier: says who may use what; everybody everything when not given.
    :param chooser: makes up the node's id, and what nobody may guess of its gossip.
    :param inherited: sockets that listen already, instead of what ``bind_addr`` says, by section: those of
        :data:`PORTS`.
    :param metrics: where the node's numbers are kept; some of its own when not given.
    :param neighbours: the other nodes; the node looks for them as it is configured when not given.
    :param wall_time: seconds of the time of day: a later start of the same node must be later by it.
    :return: the service; nothing is bound before it is started.
    :raises pico.errors.ConfigError: for settings that cannot be used.
    """
    chooser = chooser or random.SystemRandom()
    node_id = make_node_id(config.cluster.node_id, config.cluster.node_id_prefix, chooser)
    metrics = metrics or Metrics()
    turn = Turn(clock)
    deadlines = Deadlines(clock)
    verifier = verifier or Anyone()
    limits = HTTPLimits(header_bytes=config.proxy.http.max_header_bytes, headers=config.proxy.http.max_headers)
    # One cache for requests and for responses, both of which meet the same fates.
    cache = HeaderCache(fate_of, apart=REQUEST_ID_LINE)
    supply = SupplySettings(
        idle_streams=config.upstream.idle_streams,
        idle_timeout=config.upstream.idle_stream_timeout,
        max_waiting=config.upstream.max_waiting,
        limits=limits,
    )
    publication = Publication()
    membership: Membership | None = None

    def changed(key: EndpointKey, upstreams: int) -> None:
        if membership is not None:
            membership.serves(key, upstreams)
        if upstreams:
            room.served([key])
        else:
            room.lost([key])

    def heard(news: News) -> None:
        room.served(news.served)
        room.lost(news.lost)

    registry = Registry(clock, changed)
    table = MemberTable()
    view = NodeView(node_id, registry, table)
    watch_node(metrics, view)
    watch_process(metrics)
    rebalance = config.upstream.rebalance
    shedding = Shedding(
        registry,
        table,
        settings=RebalanceSettings(rebalance.threshold, rebalance.shed_rate, rebalance.min_conns),
        active=lambda: view.ready,
        clock=clock,
        metrics=metrics,
    )
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
            pool=supply,
            max_tunnels=config.upstream.max_tunnels,
            max_connections=config.upstream.max_tunnels + config.upstream.max_handshakes,
            traffic=TrafficSettings(max_endpoints=config.admin.metrics.max_endpoints, keep=config.admin.metrics.keep),
        ),
        cache=cache,
        clock=clock,
        deadlines=deadlines,
        turn=turn,
        metrics=metrics,
        shedding=shedding,
    )
    generation = neighbours.generation if neighbours is not None else round(wall_time() * 1000)
    identification = Identification(Peer(node_id, generation), _secrets(config))
    link_settings = (neighbours.links if neighbours is not None else None) or _link_settings(config)
    members: Members = neighbours.members if neighbours is not None else table
    dialer = NodeDialer(identification, reactor=reactor, clock=clock, timeout=link_settings.dial_timeout)
    remotes = Remotes(
        members,
        dialer=dialer,
        clock=clock,
        deadlines=deadlines,
        turn=turn,
        chooser=chooser,
        cache=cache,
        links=link_settings,
        supply=supply,
    )
    if neighbours is None:
        membership = Membership(
            identification,
            settings=_membership_settings(config),
            table=table,
            publication=publication,
            load_of=registry.load,
            dialer=dialer,
            reactor=reactor,
            clock=clock,
            turn=turn,
            random=chooser,
            on_end_of_life=remotes.forget,
            on_unreachable=remotes.probe,
            on_news=heard,
        )
    link_port = LinkPort(
        identification,
        upstreams=registry,
        members=members,
        settings=(neighbours.accept if neighbours is not None else None) or _accept_settings(config),
        clock=clock,
        deadlines=deadlines,
        turn=turn,
        exchange=membership.accept if membership is not None else None,
    )
    watch_links(metrics, link_port, remotes)
    if membership is not None:
        watch_gossip(metrics, membership.gossip, table, publication, clock)
    selection = SelectorSettings(local_preference=config.cluster.local_preference)
    selector: ISelector = Selector(registry, remotes, clock=clock, settings=selection)
    recorder = Recorder(metrics)
    room = WaitingRoom(
        selector=selector,
        is_served=lambda key: bool(registry.count(key) or members.holders(key)),
        has_tunnel=lambda key: bool(registry.count(key)),
        settings=WaitingSettings(wait=config.proxy.wait_for_upstream, max_waiting=config.proxy.max_waiting),
        clock=clock,
        deadlines=deadlines,
        turn=turn,
        recorder=recorder,
    )
    links = NodeLinks(
        Binding(SETTING, _address("cluster.gossip", config.cluster.gossip.bind_addr), "", link_port),
        link_port,
        remotes,
        membership,
    )
    proxy_port = ProxyPort(
        selector=selector,
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
        recorder=recorder,
        access_log=make_access_log(config.proxy.access_log, config.log, "proxy.access", "proxy."),
        node_id=node_id,
        ids=RequestIds(random.Random()),
        room=room,
    )
    metrics.gauge(
        "pico_proxy_waiting_requests",
        "Requests that wait because their endpoint has just lost its last upstream.",
        lambda: room.waiting,
    )
    metrics.gauge("pico_proxy_connections", "Clients connected to the proxy port.", lambda: proxy_port.connections)
    orders = Orders(
        config.admin.control_from,
        view=view,
        drain=lambda: service.drain(),
        undrain=lambda: service.undrain(),
    )
    admin_site = make_admin_site(
        view,
        upstream_port,
        GossipView(membership, clock=clock, forget=config.cluster.forget) if membership is not None else None,
        metrics,
        clock=clock,
        max_connections=config.admin.max_connections,
        time_of_day=wall_time,
        forward=Forwarder(view, reactor, clock, refusal=orders.refusal),
        orders=orders,
    )
    service = NodeService(
        node_id=node_id,
        reactor=reactor,
        clock=clock,
        admin=_binding("admin", config.admin, admin_site, inherited),
        upstream=_binding("upstream", config.upstream, upstream_port, inherited),
        proxy=_binding("proxy", config.proxy, proxy_port, inherited, config.proxy.http.max_unsent_bytes),
        upstream_port=upstream_port,
        proxy_port=proxy_port,
        view=view,
        drain_delay=config.drain_delay,
        grace_period=config.grace_period,
        links=links,
    )
    return service


def _secrets(config: ServerConfig) -> Sequence[bytes]:
    return tuple(secret.encode() for secret in config.cluster.secret_keys)


def _membership_settings(config: ServerConfig) -> MembershipSettings:
    cluster = config.cluster
    bind = _address("cluster.gossip", cluster.gossip.bind_addr)
    advertise: tuple[str, int] | None = None
    if cluster.gossip.advertise_addr:
        try:
            address = parse_address(cluster.gossip.advertise_addr)
        except ValueError as error:
            raise ConfigError(f"cluster.gossip.advertise_addr: {error}") from None
        advertise = address.host, address.port
    if cluster.gossip.max_packet_size > MAX_PACKET:
        raise ConfigError(f"cluster.gossip.max_packet_size: UDP carries {MAX_PACKET} bytes at most")
    return MembershipSettings(
        seeds=cluster.join,
        default_port=bind.port or GOSSIP_PORT,
        advertise=advertise,
        secret_keys=_secrets(config),
        join_timeout=cluster.join_timeout,
        must_join=cluster.abort_if_join_fails,
        limits=GossipLimits(
            max_packet_size=cluster.gossip.max_packet_size,
            max_members=cluster.gossip.max_members,
            max_bytes=MAX_PUBLISHED,
            max_value=MAX_FACT,
        ),
        timing=Timing(interval=cluster.gossip.interval, forget=cluster.forget),
    )


def _link_tunnel(config: ServerConfig) -> TunnelSettings:
    links = config.cluster.links
    # Room for streams that are being closed.
    streams = links.max_streams + links.max_streams // 5
    return TunnelSettings(
        keepalive_interval=links.keepalive_interval,
        keepalive_timeout=links.keepalive_timeout,
        limits=YamuxLimits(max_window=links.max_window, max_streams=streams, max_buffered=links.max_buffered),
    )


def _link_settings(config: ServerConfig) -> LinkSettings:
    links = config.cluster.links
    return LinkSettings(
        tunnel=_link_tunnel(config),
        dial_timeout=links.dial_timeout,
        idle_timeout=links.idle_timeout,
        max_streams=links.max_streams,
    )


def _accept_settings(config: ServerConfig) -> AcceptSettings:
    links = config.cluster.links
    return AcceptSettings(tunnel=_link_tunnel(config), max_links=links.max_links)


def _binding(
    name: str,
    section: Admin | Proxy | Upstream,
    factory: IProtocolFactory,
    inherited: Mapping[str, Sequence[socket.socket]] | None,
    max_unsent: int = 0,
) -> Binding:
    address = _address(name, section.bind_addr)
    sockets = (inherited or {}).get(name, ())
    return Binding(f"{name}.bind_addr", address, section.advertise_addr, factory, sockets, max_unsent)


def _address(name: str, bind_addr: str) -> Address:
    try:
        return parse_address(bind_addr)
    except ValueError as error:
        raise ConfigError(f"{name}.bind_addr: {error}") from None
