"""
The SDK: expose an endpoint from any Twisted program.

Imports what lies below ``client`` in the import order. Doors: :class:`Listener`, which keeps the tunnels of one
endpoint, and :class:`Dialer`, which makes one.
"""

from pico.client.dialer import Dialer, DialError, DialSettings, Tunnel, TunnelUser
from pico.client.listener import Listener, Watcher
from pico.client.rotation import Rotation
from pico.client.urls import NodeURL, parse_node_url
from pico.wire.dialling import Backoff, Patience

__all__ = [
    "Backoff",
    "DialError",
    "DialSettings",
    "Dialer",
    "Listener",
    "NodeURL",
    "Patience",
    "Rotation",
    "Tunnel",
    "TunnelUser",
    "Watcher",
    "parse_node_url",
]
