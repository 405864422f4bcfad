"""
Whose word about other addresses is believed.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Final

from pico.errors import ConfigError
from pico.wire.http1.headers import Header

#: Addresses looked up lately; more are forgotten.
_REMEMBERED: Final = 4096


class TrustedProxies:
    """
    The addresses of proxies in front of this port, whose ``X-Forwarded-*`` headers are passed on.
    """

    def __init__(self, entries: Iterable[str]) -> None:
        """
        :param entries: addresses or networks, such as ``10.0.0.0/8``.
        :raises ConfigError: one of them is neither.
        """
        self._known: dict[str, bool] = {}
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
        known = self._known.get(host)
        if known is None:
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            known = self._known[host] = self._holds(host)
        return known

    def client_of(self, peer: str, headers: Sequence[Header]) -> str:
        """
        Who asks: the peer, or if that is a trusted proxy, whom it speaks for. What stands in ``X-Forwarded-For`` is
        believed from its end on, for as long as it was a trusted proxy that has written it.
        """
        if peer not in self:
            return peer
        chain = b",".join(header.value for header in headers if header.name == b"x-forwarded-for")
        client = peer
        for entry in reversed(chain.split(b",")):
            address = _address_in(entry)
            if not address:
                break
            client = address
            if address not in self:
                break
        return client

    def _holds(self, host: str) -> bool:
        try:
            address = ip_address(host)
        except ValueError:
            return False
        mapped = getattr(address, "ipv4_mapped", None)
        if mapped is not None:
            address = mapped
        return any(address in network for network in self._networks)


def _address_in(entry: bytes) -> str:
    """
    The address in an entry of ``X-Forwarded-For``, with which some proxies write a port; nothing if it is none.
    """
    text = entry.strip().decode("ascii", "replace")
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        return str(ip_address(text))
    except ValueError:
        return ""
