"""
Addresses as people write them: where to listen, and where a service is.
"""

from __future__ import annotations

import re
from urllib.parse import urlsplit

import attrs

_HOST = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9._-]*[A-Za-z0-9_])?\.?")


@attrs.frozen
class Address:
    """
    A host and a port.

    :ivar host: empty for all interfaces.
    """

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def parse_address(text: str) -> Address:
    """
    Read ``:8000``, ``host:8000``, ``127.0.0.1:0``, ``[::1]:8000``.

    :raises ValueError: with what would be right.
    """
    host, colon, port = text.strip().rpartition(":")
    if not colon:
        raise ValueError(f"{text!r} has no port; write host:port, or :port for all interfaces")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
        if re.fullmatch(r"[0-9A-Fa-f:.]+(?:%[\w.-]+)?", host) is None or ":" not in host:
            raise ValueError(f"{text!r}: {host!r} is not an IPv6 address")
    elif ":" in host:
        raise ValueError(f"{text!r}: write an IPv6 address in brackets, [{host}]:{port}")
    elif host and _HOST.fullmatch(host) is None:
        raise ValueError(f"{text!r}: {host!r} is not a host name")
    return Address(host, _port(port, text))


@attrs.frozen
class ServiceAddress:
    """
    Where the agent finds a service.

    :ivar path: put before each request's path; empty or beginning with a slash, never ending with one.
    """

    scheme: str
    host: str
    port: int
    path: str = ""

    @property
    def authority(self) -> str:
        """
        Host and port as they stand in a Host header.
        """
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _DEFAULT_PORTS[self.scheme] else f"{host}:{self.port}"

    def __str__(self) -> str:
        return f"{self.scheme}://{self.authority}{self.path}"


_DEFAULT_PORTS = {"http": 80, "https": 443}


def parse_service(text: str) -> ServiceAddress:
    """
    Read ``4000``, ``localhost:4000``, ``[::1]:4000``, ``http://host:4000/path``, ``https://host``.

    :raises ValueError: with what would be right.
    """
    text = text.strip()
    if text.isdecimal():
        return ServiceAddress("http", "localhost", _port(text, text, lowest=1))
    if "://" not in text:
        address = parse_address(text)
        if not address.host:
            address = Address("localhost", address.port)
        if not address.port:
            raise ValueError(f"{text!r}: port 0 is no place to connect to")
        return ServiceAddress("http", address.host, address.port)
    shown = without_secrets(text)
    try:
        url = urlsplit(text)
        port = url.port
    except ValueError as error:
        raise ValueError(f"{shown!r}: {error}") from None
    if url.scheme not in _DEFAULT_PORTS:
        raise ValueError(f"{shown!r}: the scheme must be http or https")
    if not url.hostname:
        raise ValueError(f"{shown!r} has no host")
    if url.username or url.query or url.fragment:
        raise ValueError(f"{shown!r}: only scheme, host, port and path may be given")
    if re.fullmatch(r"[\x21-\x7e]*", url.path) is None:
        raise ValueError(f"{shown!r}: the path holds characters that must be percent-encoded")
    return ServiceAddress(
        url.scheme,
        url.hostname,
        port if port is not None else _DEFAULT_PORTS[url.scheme],
        url.path.rstrip("/"),
    )


def without_secrets(url: str) -> str:
    """
    A URL as it may stand in a message: without user, password and query.
    """
    before, mark, _ = re.sub(r"//[^/?#]*@", "//********@", url).partition("?")
    return before + (mark and "?********")


def _port(text: str, whole: str, lowest: int = 0) -> int:
    if not text.isdecimal() or not lowest <= int(text) <= 65535:
        raise ValueError(f"{whole!r}: the port must be a number from {lowest} to 65535")
    return int(text)
