"""
An agent as a service: every constructor on one page.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence

from twisted.application.service import Service
from twisted.internet.defer import Deferred, gatherResults, succeed
from twisted.internet.interfaces import IListeningPort, IProtocolFactory, IReactorTCP, IReactorTime
from twisted.internet.ssl import optionsForClientTLS
from twisted.logger import Logger

from pico import __version__
from pico.agent.backend import ServiceBackend
from pico.agent.endpoints import Endpoints, EndpointState
from pico.agent.events import AgentConnected, AgentEvent, AgentLost, AgentRefused, RequestServed
from pico.agent.headers import fate_of
from pico.agent.listener import AgentListener, ListenerSettings
from pico.agent.numbers import watch_endpoints, watch_services
from pico.agent.port import make_agent_site
from pico.client.dialer import Dialer, DialSettings, Tunnel
from pico.client.listener import Listener
from pico.client.rotation import Rotation
from pico.client.slot import Dials
from pico.client.urls import parse_node_url
from pico.config.addresses import Address, parse_address, parse_service
from pico.config.agent import AgentConfig, ListenerConfig
from pico.errors import ConfigError
from pico.metrics import Metrics
from pico.net.deadlines import Deadlines
from pico.net.http.access_config import make_access_log
from pico.net.http.access_log import AccessLog
from pico.net.http.request_ids import REQUEST_ID_LINE
from pico.net.http.server import ServerSettings
from pico.net.http.tally import Tallies, Tally
from pico.net.ports import listen_tcp, make_client_endpoint
from pico.net.process import watch_process
from pico.net.tls_endpoint import TLSEndpoint
from pico.net.turn import Turn
from pico.tunnel.session import TunnelSession, TunnelSettings
from pico.wire.http1.headers import HeaderCache
from pico.wire.http1.limits import Limits

_log = Logger(namespace="server")


class OwnPort:
    """
    The agent's port for operators.
    """

    def __init__(self, reactor: IReactorTCP, address: Address, factory: IProtocolFactory) -> None:
        self._reactor = reactor
        self._address = address
        self._factory = factory
        self._port: IListeningPort | None = None

    def open(self) -> None:
        """
        Listen, if it does not yet.

        :raises pico.errors.ListenError: the port cannot be had.
        """
        if self._port is None:
            address = self._address
            port = listen_tcp(self._reactor, address.host, address.port, self._factory, setting="server.bind_addr")
            self._port = port
            _log.info(
                "health and metrics: {address}",
                address=str(Address(address.host, getattr(port.getHost(), "port", address.port))),
            )

    def close(self) -> Deferred[None]:
        """
        Listen no more.
        """
        port, self._port = self._port, None
        closing = port.stopListening() if port is not None else None
        return closing if closing is not None else succeed(None)


class AgentService(Service):
    """
    Keep every listener's tunnels up while the service runs.
    """

    def __init__(
        self,
        listeners: Sequence[tuple[Listener, ServiceBackend]],
        grace_period: float,
        *,
        endpoints: Endpoints | None = None,
        own_port: OwnPort | None = None,
    ) -> None:
        """
        :param endpoints: is told when the agent stops.
        :param own_port: opened before anything else, and closed last.
        """
        self._listeners = listeners
        self._grace_period = grace_period
        self._endpoints = endpoints or Endpoints()
        self._own_port = own_port
        self._ended = False

    def privilegedStartService(self) -> None:
        """
        Bind while there still are the rights to.
        """
        self._check()
        Service.privilegedStartService(self)
        if self._own_port is not None:
            self._own_port.open()

    def startService(self) -> None:
        """
        Dial.

        :raises RuntimeError: the agent was stopped before; connections that it kept are closed for good.
        """
        self._check()
        Service.startService(self)
        if self._own_port is not None:
            self._own_port.open()
        self._endpoints.stopping = False
        for listener, _ in self._listeners:
            listener.start()

    def stopService(self) -> Deferred[None]:
        """
        Say go-away on every tunnel, serve what is under way, then close.
        """
        Service.stopService(self)
        self._ended = True
        self._endpoints.stopping = True
        stopping: list[Deferred[None]] = [listener.stop(self._grace_period) for listener, _ in self._listeners]

        def stopped(_: object) -> Deferred[None] | None:
            for _listener, backend in self._listeners:
                backend.stop()
            return self._own_port.close() if self._own_port is not None else None

        return gatherResults(stopping, consumeErrors=True).addBoth(stopped)

    def _check(self) -> None:
        if self._ended:
            raise RuntimeError("an agent that was stopped cannot be started again; make another one")


class _Reporter:
    """
    Turn what a listener's tunnels do into events, and into what is known of them.

    :ivar listener: asked for the tunnels that it has; set once it is made.
    """

    listener: Listener

    def __init__(
        self,
        on_event: Callable[[AgentEvent], None],
        state: EndpointState,
        time_of_day: Callable[[], float],
    ) -> None:
        self._on_event = on_event
        self._state = state
        self._time_of_day = time_of_day

    def connected(self, endpoint: str, tunnel: Tunnel) -> None:
        """
        A tunnel stands.
        """
        self._state.got(tunnel.session, tunnel.node, self._serving(), self._time_of_day())
        self._on_event(
            AgentConnected(
                endpoint,
                tunnel.url,
                tunnel.node,
                tunnel.proxy_port,
                tunnels=len(self._state.serving),
                wanted=self.listener.connections,
            )
        )

    def refused(self, endpoint: str, reason: str) -> None:
        """
        The node refuses for good.
        """
        self._state.refused(reason, self._time_of_day())
        self._on_event(AgentRefused(endpoint, reason, len(self._state.serving)))

    def lost(self, endpoint: str, reason: str, retry_in: float) -> None:
        """
        A tunnel is dialled again.
        """
        self._state.lost(reason, self._serving(), self._time_of_day())
        self._on_event(AgentLost(endpoint, reason, retry_in, len(self._state.serving)))

    def _serving(self) -> list[TunnelSession]:
        return [tunnel.session for tunnel in self.listener.tunnels]


def make_agent(
    config: AgentConfig,
    reactor: IReactorTCP,
    *,
    clock: IReactorTime,
    on_event: Callable[[AgentEvent], None],
    requests: bool = True,
    chooser: random.Random | None = None,
    metrics: Metrics | None = None,
    time_of_day: Callable[[], float] = time.time,
) -> AgentService:
    """
    Make an agent.

    :param reactor: dials the node and the services, and binds the agent's own port if it is to have one.
    :param clock: normally the same object.
    :param on_event: told what happens.
    :param requests: whether each request is an event, too.
    :param metrics: where its numbers are kept, if it has a port of its own; some of its own when not given.
    :raises pico.errors.ConfigError: for settings that cannot be used.
    """
    turn = Turn(clock)
    deadlines = Deadlines(clock)
    chooser = chooser or random.Random()
    if not config.listeners:
        raise ConfigError("no listeners configured: name an endpoint and its service")
    dialers = _make_dialers(config, reactor, clock, turn)
    endpoints = Endpoints()
    metrics = metrics or Metrics()
    tallies = Tallies(metrics, "pico_agent", ["endpoint"]) if config.server.enabled else None
    listeners = []
    backends = []
    for listener in config.listeners:
        tally = tallies.of(listener.endpoint_id) if tallies is not None else None
        access_log = make_access_log(listener.access_log, config.log, "proxy.http.access", f"{listener.endpoint_id}: ")
        backend, served = _make_listener(
            listener, reactor, clock, deadlines, access_log, on_event if requests else None, tally
        )
        backends.append((listener.endpoint_id, backend))
        connections = listener.connections or config.connections
        reporter = _Reporter(
            on_event,
            endpoints.add(listener.endpoint_id, time_of_day(), connections),
            time_of_day,
        )
        reporter.listener = tunnel = Listener(
            listener.endpoint_id,
            dialer=_in_turn(dialers, chooser),
            clock=clock,
            on_stream=served.serve,
            watcher=reporter,
            chooser=chooser,
            connections=connections,
        )
        listeners.append((tunnel, backend))
    own_port = None
    if config.server.enabled:
        watch_endpoints(metrics, endpoints)
        watch_services(metrics, backends)
        watch_process(metrics)
        try:
            address = parse_address(config.server.bind_addr)
        except ValueError as error:
            raise ConfigError(f"server.bind_addr: {error}") from None
        own_port = OwnPort(reactor, address, make_agent_site(endpoints, metrics, clock=clock, time_of_day=time_of_day))
    return AgentService(listeners, config.grace_period, endpoints=endpoints, own_port=own_port)


def _make_dialers(config: AgentConfig, reactor: IReactorTCP, clock: IReactorTime, turn: Turn) -> Sequence[Dialer]:
    connect = config.connect
    if not connect.url:
        raise ConfigError("connect.url names no node: write the URL of a node's upstream port")
    return [
        Dialer(
            DialSettings(
                url=parse_node_url(url),
                timeout=connect.timeout,
                token=connect.token,
                tenant_id=connect.tenant_id,
                version=__version__,
                tunnel=TunnelSettings(
                    keepalive_interval=connect.keepalive_interval,
                    keepalive_timeout=connect.keepalive_timeout,
                ),
            ),
            reactor=reactor,
            clock=clock,
            turn=turn,
        )
        for url in connect.url
    ]


def _in_turn(dialers: Sequence[Dialer], chooser: random.Random) -> Dials:
    """
    The dialer of one listener. Not all begin with the same node.
    """
    return dialers[0] if len(dialers) == 1 else Rotation(dialers, chooser.randrange(len(dialers)))


def _make_listener(
    config: ListenerConfig,
    reactor: IReactorTCP,
    clock: IReactorTime,
    deadlines: Deadlines,
    access_log: AccessLog,
    on_served: Callable[[RequestServed], None] | None,
    tally: Tally | None,
) -> tuple[ServiceBackend, AgentListener]:
    try:
        service = parse_service(config.addr)
    except ValueError as error:
        raise ConfigError(f"{config.endpoint_id}: {error}") from None
    cache = HeaderCache(fate_of, apart=REQUEST_ID_LINE)
    endpoint = make_client_endpoint(reactor, service.host, service.port, config.timeout)
    if service.scheme == "https":
        endpoint = TLSEndpoint(endpoint, optionsForClientTLS(service.host), clock, config.timeout)
    backend = ServiceBackend(
        endpoint,
        max_idle=config.http_client.max_idle_conns,
        idle_timeout=config.http_client.idle_conn_timeout,
        cache=cache,
        limits=Limits(),
        clock=clock,
        deadlines=deadlines,
    )
    listener = AgentListener(
        ListenerSettings(
            endpoint=config.endpoint_id,
            service=str(service),
            # The node opens streams and closes them; how long one may be idle is the node's business.
            server=ServerSettings(head_timeout=0, idle_timeout=0),
            base_path=service.path.encode("ascii"),
            host=service.authority.encode("ascii") if config.rewrite_host else None,
        ),
        backend=backend,
        access_log=access_log,
        cache=cache,
        clock=clock,
        deadlines=deadlines,
        on_served=on_served,
        tally=tally,
    )
    return backend, listener
