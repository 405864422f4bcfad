"""
Whose word about other addresses is believed.
"""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network

from pico.errors import ConfigError


class TrustedProxies:
    """
    The addresses of proxies in front of this port, whose ``X-Forwarded-*`` headers are passed on.
    """

    def __init__(self, entries: Iterable[str]) -> None:
        """
        :param entries: addresses or networks, such as ``10.0.0.0/8``.
        :raises ConfigError: one of them is neither.
        """
        self._networks: list[IPv4Network | IPv6Network] = []
        for entry in entries:
            try:
                self._networks.append(ip_network(entry, strict=False))
            except ValueError:
                raise ConfigError(
                    f"proxy.trusted_proxies: {entry!r} is neither an address nor a network such as 10.0.0.0/8"
                ) from None

    def __contains__(self, host: str) -> bool:
        if not self._networks:
            return False
        try:
            address = ip_address(host)
        except ValueError:
            return False
        mapped = getattr(address, "ipv4_mapped", None)
        if mapped is not None:
            address = mapped
        return any(address in network for network in self._networks)
