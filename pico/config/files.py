"""
How many files a configuration lets a program have open.
"""

from __future__ import annotations

import attrs

from pico.config.agent import AgentConfig
from pico.config.server import ServerConfig

#: Files that are open besides connections: ports, logs, the reactor's own.
BESIDES = 32


@attrs.frozen
class OpenFiles:
    """
    :ivar count: at a time, if everything that is allowed is there.
    :ivar settings: those that say so, for advice.
    """

    count: int
    settings: str


def files_of_node(config: ServerConfig) -> OpenFiles:
    """
    Each client, agent and operator takes one.
    """
    upstream = config.upstream
    connections = config.proxy.http.max_connections + upstream.max_tunnels + upstream.max_handshakes
    return OpenFiles(
        connections + config.admin.max_connections + BESIDES, "proxy.http.max_connections and upstream.max_tunnels"
    )


def files_of_agent(config: AgentConfig) -> OpenFiles:
    """
    Each tunnel and each idle connection to a service takes one; those in use are not limited.
    """
    idle = sum(listener.http_client.max_idle_conns for listener in config.listeners)
    return OpenFiles(idle + len(config.listeners) + BESIDES, "http_client.max_idle_conns")
