"""
Which endpoint a request is for.
"""

from __future__ import annotations

from ipaddress import ip_address
from typing import Final

from pico.errors import RemoteProtocolError
from pico.proxy.headers import Fate
from pico.wire.http1.events import RequestHead

_ENDPOINT: Final[Fate] = Fate.ENDPOINT


def endpoint_of(head: RequestHead) -> str:
    """
    Find the endpoint: the header ``x-pico-endpoint`` (or ``x-piko-endpoint``), else the first label of the host.

    The header is taken as it is; a host's label in lower case.

    :raises RemoteProtocolError: 400 when there is none, or when two headers name different ones.
    """
    named: bytes | None = None
    for header in head.headers:
        if header.tag == _ENDPOINT and header.value:
            if named is not None and named != header.value:
                raise RemoteProtocolError(400, "conflicting endpoint ids")
            named = header.value
    if named is not None:
        try:
            return named.decode("utf-8")
        except UnicodeDecodeError:
            raise RemoteProtocolError(400, "endpoint id is not UTF-8") from None
    label = label_of_host(head.host or b"")
    if not label:
        raise RemoteProtocolError(400, "missing endpoint id")
    return label


def label_of_host(host: bytes) -> str:
    """
    The first label of a host name of at least two; nothing for addresses and single names.
    """
    if host.startswith(b"["):
        return ""
    name = host.partition(b":")[0].decode("ascii", "replace").lower()
    label, dot, _ = name.partition(".")
    if not dot:
        return ""
    if label.isdecimal():
        try:
            ip_address(name)
        except ValueError:
            return label
        return ""
    return label
