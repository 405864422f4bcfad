"""
An agent as a service: every constructor on one page.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

from twisted.application.service import Service
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.endpoints import wrapClientTLS
from twisted.internet.interfaces import IReactorTCP, IReactorTime
from twisted.internet.ssl import optionsForClientTLS

from pico import __version__
from pico.agent.backend import ServiceBackend
from pico.agent.events import AgentConnected, AgentEvent, AgentLost, AgentRefused, RequestServed
from pico.agent.headers import fate_of
from pico.agent.listener import AgentListener, ListenerSettings
from pico.client.dialer import Dialer, DialSettings, Tunnel
from pico.client.listener import Listener
from pico.client.urls import parse_node_url
from pico.config.addresses import parse_service
from pico.config.agent import AgentConfig, ListenerConfig
from pico.config.sections import Log, access_log_problems
from pico.errors import ConfigError
from pico.log.levels import Threshold
from pico.log.redaction import Redaction
from pico.net.deadlines import Deadlines
from pico.net.http.access_log import AccessLog, AccessLogSettings, HeaderChoice
from pico.net.http.request_ids import REQUEST_ID_LINE
from pico.net.http.server import ServerSettings
from pico.net.ports import make_client_endpoint
from pico.net.turn import Turn
from pico.tunnel.session import TunnelSettings
from pico.wire.http1.headers import HeaderCache
from pico.wire.http1.limits import Limits


class AgentService(Service):
    """
    Keep every listener's tunnel up while the service runs.
    """

    def __init__(self, listeners: Sequence[tuple[Listener, AgentListener]], grace_period: float) -> None:
        self._listeners = listeners
        self._grace_period = grace_period

    def startService(self) -> None:
        """
        Dial.
        """
        Service.startService(self)
        for listener, _ in self._listeners:
            listener.start()

    def stopService(self) -> Deferred[None]:
        """
        Say go-away on every tunnel, serve what is under way, then close.
        """
        Service.stopService(self)
        stopping: list[Deferred[None]] = [listener.stop(self._grace_period) for listener, _ in self._listeners]

        def stopped(_: object) -> None:
            for _listener, served in self._listeners:
                served.stop()

        return gatherResults(stopping, consumeErrors=True).addBoth(stopped)


class _Reporter:
    """
    Turn what a listener's tunnel does into events.
    """

    def __init__(self, url: str, on_event: Callable[[AgentEvent], None]) -> None:
        self._url = url
        self._on_event = on_event

    def connected(self, endpoint: str, tunnel: Tunnel) -> None:
        """
        A tunnel stands.
        """
        self._on_event(AgentConnected(endpoint, self._url, tunnel.node, tunnel.proxy_port))

    def refused(self, endpoint: str, reason: str) -> None:
        """
        The node refuses for good.
        """
        self._on_event(AgentRefused(endpoint, reason))

    def lost(self, endpoint: str, reason: str, retry_in: float) -> None:
        """
        A tunnel is dialled again.
        """
        self._on_event(AgentLost(endpoint, reason, retry_in))


def make_agent(
    config: AgentConfig,
    reactor: IReactorTCP,
    *,
    clock: IReactorTime,
    on_event: Callable[[AgentEvent], None],
    requests: bool = True,
    chooser: random.Random | None = None,
) -> AgentService:
    """
    Make an agent.

    :param reactor: dials the node and the services.
    :param clock: normally the same object.
    :param on_event: told what happens.
    :param requests: whether each request is an event, too.
    :raises pico.errors.ConfigError: for settings that cannot be used.
    """
    turn = Turn(clock)
    deadlines = Deadlines(clock)
    url = parse_node_url(config.connect.url)
    dialer = Dialer(
        DialSettings(
            url=url,
            timeout=config.connect.timeout,
            token=config.connect.token,
            tenant_id=config.connect.tenant_id,
            version=__version__,
            tunnel=TunnelSettings(
                keepalive_interval=config.connect.keepalive_interval,
                keepalive_timeout=config.connect.keepalive_timeout,
            ),
        ),
        reactor=reactor,
        clock=clock,
        turn=turn,
    )
    # Without its query, which may hold a secret.
    reporter = _Reporter(url.text, on_event)
    chooser = chooser or random.Random()
    if not config.listeners:
        raise ConfigError("no listeners configured: name an endpoint and its service")
    listeners = []
    for listener in config.listeners:
        access_log = _access_log(listener, config.log)
        served = _make_listener(listener, reactor, clock, deadlines, access_log, on_event if requests else None)
        tunnel = Listener(
            listener.endpoint_id,
            dialer=dialer,
            clock=clock,
            on_stream=served.serve,
            watcher=reporter,
            chooser=chooser,
        )
        listeners.append((tunnel, served))
    return AgentService(listeners, config.grace_period)


def _make_listener(
    config: ListenerConfig,
    reactor: IReactorTCP,
    clock: IReactorTime,
    deadlines: Deadlines,
    access_log: AccessLog,
    on_served: Callable[[RequestServed], None] | None,
) -> AgentListener:
    try:
        service = parse_service(config.addr)
    except ValueError as error:
        raise ConfigError(f"{config.endpoint_id}: {error}") from None
    cache = HeaderCache(fate_of, apart=REQUEST_ID_LINE)
    endpoint = make_client_endpoint(reactor, service.host, service.port, config.timeout)
    if service.scheme == "https":
        endpoint = wrapClientTLS(optionsForClientTLS(service.host), endpoint)
    backend = ServiceBackend(
        endpoint,
        max_idle=config.http_client.max_idle_conns,
        idle_timeout=config.http_client.idle_conn_timeout,
        cache=cache,
        limits=Limits(),
        clock=clock,
        deadlines=deadlines,
    )
    return AgentListener(
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
    )


def _access_log(listener: ListenerConfig, log: Log) -> AccessLog:
    settings = listener.access_log
    for problem in access_log_problems(settings):
        raise ConfigError(f"{listener.endpoint_id}: {problem}")
    return AccessLog(
        AccessLogSettings(
            enabled=not settings.disable,
            level=settings.level,
            threshold=Threshold(log.level, log.subsystems),
            redaction=Redaction(log.redact),
            request_headers=HeaderChoice(settings.request_headers.allow_list, settings.request_headers.block_list),
            response_headers=HeaderChoice(settings.response_headers.allow_list, settings.response_headers.block_list),
        ),
        "proxy.http.access",
    )
