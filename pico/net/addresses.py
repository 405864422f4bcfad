"""
Addresses that other machines can use.
"""

from __future__ import annotations

import socket

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.interfaces import IAddress

_ANY = frozenset({"", "0.0.0.0", "::"})

#: A private address to ask the routing table about; nothing is ever sent there.
_PROBE = ("10.255.255.255", 9)


def advertised(configured: str, bound: IAddress) -> str:
    """
    The ``host:port`` by which others reach a port of this machine.

    :param configured: used as it is when not empty.
    :param bound: where the port listens; all interfaces become this machine's own private address.
    """
    if configured:
        return configured
    host = str(getattr(bound, "host", ""))
    port = getattr(bound, "port", 0)
    if host in _ANY:
        host = private_host() or "127.0.0.1"
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def private_host() -> str:
    """
    The IPv4 address of this machine on the interface that leads to others; empty when there is none.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            # Connecting a datagram socket sends nothing; it only picks a source address.
            probe.connect(_PROBE)
            return str(probe.getsockname()[0])
        except OSError:
            return ""


def text_of(address: IAddress) -> str:
    """
    An address as ``host:port``.
    """
    if isinstance(address, IPv6Address):
        return f"[{address.host}]:{address.port}"
    if isinstance(address, IPv4Address):
        return f"{address.host}:{address.port}"
    return str(address)
