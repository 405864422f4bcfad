"""
Addresses as people write them: where to listen, and where a service is.
"""

from __future__ import annotations

import re
from ipaddress import ip_address
from urllib.parse import urlsplit

import attrs

from pico.config.redact import without_secrets
from pico.config.units import shown

_HOST = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9._-]*[A-Za-z0-9_])?\.?")
_NUMBERS = re.compile(r"[0-9.]+")


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
    text = text.strip()
    host, colon, port = text.rpartition(":")
    name = shown(text)
    if not colon or port.endswith("]"):
        raise ValueError(f"{name} has no port; write host:port, or :port for all interfaces")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
        if ":" not in host or not is_ip(host):
            raise ValueError(f"{name}: {shown(host)} is not an IPv6 address")
    elif is_ip(text):
        raise ValueError(f"{name}: write an IPv6 address in brackets and a port behind it, [{text}]:8000")
    elif ":" in host:
        raise ValueError(f"{name}: write an IPv6 address in brackets, [{host}]:{port}")
    else:
        host = _host_name(host, name)
    return Address(host, _port(port, name))


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

    :raises ValueError: with what would be right, without user, password and query.
    """
    text = text.strip()
    if "@" in (text.partition("://")[2] or text).partition("/")[0]:
        # Before any message that would show them.
        raise ValueError("a service's address must not hold user and password")
    if text.isdecimal():
        return ServiceAddress("http", "localhost", _port(text, shown(text), lowest=1))
    if "://" not in text:
        address = parse_address(without_secrets(text))
        if not address.port:
            raise ValueError(f"{shown(text)}: port 0 is no place to connect to")
        return ServiceAddress("http", address.host or "localhost", address.port)
    name = shown(without_secrets(text))
    try:
        url = urlsplit(text)
        port = url.port
        host = url.hostname
    except ValueError:
        # Python's own text may quote a part of a password.
        raise ValueError(f"{name} is not a URL") from None
    if url.scheme not in _DEFAULT_PORTS:
        raise ValueError(f"{name}: the scheme must be http or https")
    if not host:
        raise ValueError(f"{name} has no host")
    if ":" not in host:  # an IPv6 address, checked by urlsplit
        host = _host_name(host, name)
    if url.query or url.fragment:
        raise ValueError(f"{name}: only scheme, host, port and path may be given")
    if re.fullmatch(r"[\x21-\x7e]*", url.path) is None:
        raise ValueError(f"{name}: the path holds characters that must be percent-encoded")
    if port == 0:
        raise ValueError(f"{name}: port 0 is no place to connect to")
    return ServiceAddress(
        url.scheme,
        host,
        port if port is not None else _DEFAULT_PORTS[url.scheme],
        url.path.rstrip("/"),
    )


def _host_name(host: str, whole: str) -> str:
    """
    A name or an IPv4 address as it is looked up, and stands in a Host header; nothing at all is one, too.
    """
    try:
        name = host.encode("idna").decode("ascii")
    except UnicodeError:
        raise ValueError(f"{whole}: {shown(host)} is not a host name") from None
    if name and (_HOST.fullmatch(name) is None or (_NUMBERS.fullmatch(name) and not is_ip(name))):
        raise ValueError(f"{whole}: {shown(host)} is not a host name")
    return name


def is_ip(host: str) -> bool:
    """
    Whether this is an address of either family, and no name.
    """
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def _port(text: str, whole: str, lowest: int = 0) -> int:
    if re.fullmatch("[0-9]{1,5}", text) is None or not lowest <= int(text) <= 65535:
        raise ValueError(f"{whole}: the port must be a number from {lowest} to 65535")
    return int(text)
