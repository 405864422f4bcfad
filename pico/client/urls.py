"""
Where a node is.
"""

from __future__ import annotations

import re
from ipaddress import IPv6Address
from urllib.parse import urlsplit

import attrs

from pico.config.addresses import without_secrets
from pico.errors import ConfigError

_PORTS = {"http": 80, "ws": 80, "https": 443, "wss": 443}

#: What may stand in a request target; the rest must be percent-encoded.
_TARGET = re.compile(r"[!$%&'()*+,\-./0-9:;=?@A-Z_a-z~\[\]]*")
_NAME = re.compile(r"[0-9A-Za-z._~-]+")


@attrs.frozen
class NodeURL:
    """
    A node's upstream port.

    :ivar secure: whether to speak TLS.
    :ivar path: put before the tunnel's own path; without a slash at its end.
    :ivar query: as it was given, for whatever stands before the node; empty without. It may hold a secret.
    """

    secure: bool
    host: str
    port: int
    path: str = ""
    query: str = attrs.field(default="", repr=False)

    @property
    def authority(self) -> bytes:
        """
        Host and port as they stand in the Host header.
        """
        host = f"[{self.host}]" if ":" in self.host else self.host
        usual = 443 if self.secure else 80
        return (host if self.port == usual else f"{host}:{self.port}").encode("ascii")

    @property
    def text(self) -> str:
        """
        The URL for people, without its query.
        """
        scheme = "https" if self.secure else "http"
        return f"{scheme}://{self.authority.decode('ascii')}{self.path}"

    def target(self, path: str) -> bytes:
        """
        The target of a request for a path of the node.
        """
        query = f"?{self.query}" if self.query else ""
        return (self.path + path + query).encode("ascii")


def parse_node_url(text: str) -> NodeURL:
    """
    Read ``http://host:8001``, ``https://…``, ``ws://…``, ``wss://…``, also with a path and a query.

    :raises ConfigError: with what would be right.
    """
    shown = without_secrets(text)
    try:
        url = urlsplit(text)
        port = url.port
        host = _host(url.hostname or "")
    except ValueError as error:
        raise ConfigError(f"{shown!r} is not a URL: {error}") from None
    if url.scheme not in _PORTS or not host or port == 0:
        raise ConfigError(f"{shown!r}: write the URL of a node's upstream port, such as http://localhost:8001")
    if url.username is not None or url.password is not None:
        raise ConfigError("the node's URL must not hold user and password; use a token")
    # urlsplit drops line ends and tabs without a word.
    if url.fragment or not text.isprintable() or not _TARGET.fullmatch(url.path + url.query):
        raise ConfigError(f"{shown!r}: fragments, spaces and characters that need encoding have no place in it")
    return NodeURL(
        url.scheme in ("https", "wss"),
        host,
        port if port is not None else _PORTS[url.scheme],
        url.path.rstrip("/"),
        url.query,
    )


def _host(text: str) -> str:
    """
    Check a host.

    :return: the host as it is dialled; empty for what is none.
    :raises ValueError: for a name that has no ASCII form, or a malformed address.
    """
    if ":" in text:
        if "%" in text:
            raise ValueError("an address with a zone cannot be dialled")
        return str(IPv6Address(text))
    if not text.isascii():
        text = text.encode("idna").decode("ascii")
    return text if _NAME.fullmatch(text) else ""
