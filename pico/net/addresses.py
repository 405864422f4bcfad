"""
Addresses that other machines can use.
"""

from __future__ import annotations

import socket
from ipaddress import ip_address

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.interfaces import IAddress

_ANY = frozenset({"", "0.0.0.0", "::"})

#: Addresses to ask the routing table about; nothing is ever sent there.
_PROBE = ("10.255.255.255", 9)
_PROBE_IPV6 = ("2001:db8::1", 9)


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
    return text_of_pair((host, port))


def private_host() -> str:
    """
    The IPv4 address of this machine on the interface that leads to others; empty when there is none.
    """
    return _source(socket.AF_INET, _PROBE)


def _source(family: socket.AddressFamily, towards: tuple[str, int]) -> str:
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            # Connecting a datagram socket sends nothing; it only picks a source address.
            probe.connect(towards)
            return str(probe.getsockname()[0])
    except OSError:
        return ""


def own_host(bound: str = "::") -> str:
    """
    The address of this machine on the interface that leads to others, of either family; empty when there is none.

    :param bound: of a port that listens on all addresses: with ``0.0.0.0`` those of IPv4 only.
    """
    host = private_host()
    if (not host or ip_address(host).is_loopback) and bound != "0.0.0.0":
        host = _source(socket.AF_INET6, _PROBE_IPV6)
    if not host:
        return ""
    address = ip_address(host)
    return "" if address.is_loopback or address.is_link_local else host


def is_any(host: str) -> bool:
    """
    Whether a port that was bound to this listens on all addresses.
    """
    return host in _ANY


def is_loopback(address: IAddress) -> bool:
    """
    Whether nobody but this machine itself reaches a port that is bound there.
    """
    try:
        return ip_address(str(getattr(address, "host", ""))).is_loopback
    except ValueError:
        return False


def port_of(address: IAddress) -> int:
    """
    The number of a bound port.
    """
    return int(getattr(address, "port", 0))


def text_of_pair(address: tuple[str, int]) -> str:
    """
    Host and port as ``host:port``.
    """
    host, port = address
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def text_of(address: IAddress) -> str:
    """
    An address as ``host:port``.
    """
    if isinstance(address, IPv4Address | IPv6Address):
        return text_of_pair((address.host, address.port))
    return str(address)
