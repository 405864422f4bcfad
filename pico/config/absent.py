"""
Keys of Piko and of Pico's early days that Pico does not have, or has under another name: what to say to somebody
who brings such a file along.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from pico.config.agent import AgentConfig, ListenerConfig
from pico.config.fields import Tree
from pico.config.server import ServerConfig

Path = tuple[str, ...]

_NO_AUTH = "Pico has no authentication yet; decide in front of the port who may reach it"
_NO_TLS = "Pico has no TLS on its ports yet; put a proxy with TLS in front of them"

#: By tree and dotted path; a section's sentence is for all that is below it.
ABSENT: Mapping[Tree, Mapping[str, str]] = {
    ServerConfig: {
        "proxy.auth": _NO_AUTH,
        "upstream.auth": _NO_AUTH,
        "admin.auth": _NO_AUTH,
        "auth": _NO_AUTH,
        "upstream.tenants": "Pico has no tenants yet; leave it out",
        "proxy.tls": _NO_TLS,
        "upstream.tls": _NO_TLS,
        "admin.tls": _NO_TLS,
        "gossip": "is called cluster.gossip now",
        "usage": "Pico reports its usage to nobody; leave it out",
        "proxy.gateway_timeout": "is called proxy.timeout now",
        "server": "server.graceful_shutdown_timeout is called grace_period now; the rest of it is an agent's",
    },
    AgentConfig: {
        "connect.tls": "Pico trusts the certificates that the system trusts, and has no setting for others yet",
        "connect.proxy_url": "Pico cannot dial through a proxy yet",
        "server.heartbeat_interval": "is called connect.keepalive_interval now",
        "server.heartbeat_timeout": "is called connect.keepalive_timeout now",
        "forwarder": "forwarder.timeout is now timeout, of each of the listeners",
        "ports": "this is a file for piko forward; Pico has no such command yet",
    },
    ListenerConfig: {
        "tls": "Pico trusts the certificates that the system trusts, and has no setting for others yet",
        "http_client.keep_alive_timeout": "Pico does not probe connections to a service; leave it out",
        "http_client.disable_compression": "Pico passes bodies on as they come and compresses nothing; leave it out",
    },
}


def why_absent(tree: Tree, path: Path, known: Collection[Path]) -> str:
    """
    Why there is no such key, if it is one that people bring along; or nothing.

    :param known: the settings and sections that there are: what has come meanwhile is not absent any more.
    """
    table = ABSENT.get(tree, {})
    for length in range(1, len(path) + 1):
        part = path[:length]
        if part not in known and ".".join(part) in table:
            return table[".".join(part)]
    return ""
