"""
The configuration of an agent.
"""

from __future__ import annotations

from typing import Annotated

import msgspec

from pico.config.fields import Kind, Setting
from pico.config.sections import AccessLog, Log

#: Tunnels of one endpoint that can be asked for; more than a few only cost.
MAX_CONNECTIONS = 64


class HTTPClient(msgspec.Struct, frozen=True, kw_only=True):
    """
    Connections to the service.
    """

    idle_conn_timeout: Annotated[float, Setting(Kind.DURATION, "How long an idle connection is kept; 0 for ever.")] = (
        90.0
    )
    max_idle_conns: Annotated[int, Setting(Kind.COUNT, "How many idle connections are kept.")] = 256


class ListenerConfig(msgspec.Struct, frozen=True, kw_only=True):
    """
    One endpoint and the service behind it.
    """

    endpoint_id: Annotated[str, Setting(Kind.ENDPOINT, "The endpoint's name.", required=True)] = ""
    addr: Annotated[
        str, Setting(Kind.SERVICE, "The service: a port, host:port, or an http(s) URL with a path.", required=True)
    ] = ""
    protocol: Annotated[str, Setting(Kind.PROTOCOL, "What the service speaks; http is all that there is.")] = "http"
    timeout: Annotated[float, Setting(Kind.DURATION, "For connecting to the service.", least=0.001)] = 10.0
    rewrite_host: Annotated[
        bool, Setting(Kind.BOOL, "Let the service see its own address as Host, not the client's.")
    ] = False
    connections: Annotated[
        int,
        Setting(Kind.COUNT, "Tunnels to keep; 0 for as many as connections of the agent says.", most=MAX_CONNECTIONS),
    ] = 0
    access_log: AccessLog = AccessLog()
    http_client: HTTPClient = HTTPClient()


class Connect(msgspec.Struct, frozen=True, kw_only=True):
    """
    The way to a node.
    """

    url: Annotated[
        tuple[str, ...],
        Setting(Kind.URLS, "Upstream port of any node; of several they are taken in turn.", ("server.url",)),
    ] = ("http://localhost:8001",)
    token: Annotated[str, Setting(Kind.TOKEN, "Token to show to the node.", ("auth.api_key",))] = ""
    tenant_id: Annotated[str, Setting(Kind.HEADER, "Tenant that the endpoints belong to.")] = ""
    timeout: Annotated[float, Setting(Kind.DURATION, "For one try to connect.", least=0.001)] = 30.0
    keepalive_interval: Annotated[float, Setting(Kind.DURATION, "Silence after which a node is probed; 0 never.")] = (
        30.0
    )
    keepalive_timeout: Annotated[
        float, Setting(Kind.DURATION, "Silence after a probe that ends the tunnel, to dial another.", least=0.001)
    ] = 10.0


class AgentServer(msgspec.Struct, frozen=True, kw_only=True):
    """
    The agent's own port for operators.
    """

    enabled: Annotated[bool, Setting(Kind.BOOL, "Offer health, readiness and metrics of the agent.")] = False
    bind_addr: Annotated[str, Setting(Kind.ADDRESS, "Where they are.")] = ":5000"


class AgentConfig(msgspec.Struct, frozen=True, kw_only=True):
    """
    An agent.
    """

    listeners: Annotated[
        tuple[ListenerConfig, ...],
        Setting(Kind.LISTENERS, "What is exposed: a list of sections; or in short, ENDPOINT/ADDR[,…].", ("endpoints",)),
    ] = ()
    connections: Annotated[
        int,
        Setting(
            Kind.COUNT,
            "Tunnels to keep for each endpoint, to different nodes where there are several.",
            least=1,
            most=MAX_CONNECTIONS,
        ),
    ] = 1
    connect: Connect = Connect()
    server: AgentServer = AgentServer()
    log: Log = Log()
    grace_period: Annotated[float, Setting(Kind.DURATION, "At a stop: how long requests under way may take.")] = 60.0
