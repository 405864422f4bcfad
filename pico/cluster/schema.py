"""
What a node publishes of itself, as keys and values of gossip.

======================== ==================================================================
key                      value
======================== ==================================================================
``proxy_addr``           where clients reach the node, as ``host:port``
``admin_addr``           where operators reach it
``version``              of its program
``status``               ``leaving`` from when it is about to stop or is drained; missing before, and ``active``
                         when that was taken back
``/`` tenant NUL endpoint how many tunnels the endpoint has, a space, and their load
======================== ==================================================================

Others may be of a later version: words that follow the load, and keys that are not known, are skipped.
"""

from __future__ import annotations

import enum

import attrs

from pico.names import MAX_NAME, EndpointKey, TenantId

#: Bytes of the value of a fact.
MAX_FACT = 255

#: The largest number that is believed.
_MAX_NUMBER = 2**31 - 1
_DIGITS = len(str(_MAX_NUMBER))

_ENDPOINT = b"/"


class Fact(enum.Enum):
    """
    What a node says of itself beside its endpoints.
    """

    PROXY_ADDR = b"proxy_addr"
    ADMIN_ADDR = b"admin_addr"
    VERSION = b"version"
    STATUS = b"status"


_FACTS = {fact.value: fact for fact in Fact}

#: The status of a node that is about to stop, or that nothing new is to go to; and of one that has thought better of
#: it.
LEAVING = "leaving"
ACTIVE = "active"


@attrs.frozen
class Served:
    """
    What a node has of an endpoint.

    :ivar upstreams: its tunnels; at least one.
    :ivar load: requests and other streams in all of them, coarse.
    """

    upstreams: int
    load: int


class UnknownKey(ValueError):
    """
    A key, or its value, that means nothing to this version.
    """


def may_be_published(key: EndpointKey) -> bool:
    """
    Whether an endpoint's names are such that other nodes can be told of it.
    """
    tenant, endpoint = key.tenant.encode("utf-8", "replace"), key.endpoint.encode("utf-8", "replace")
    return len(tenant) <= MAX_NAME and 0 < len(endpoint) <= MAX_NAME and b"\0" not in tenant + endpoint


def write_key(key: EndpointKey) -> bytes:
    """
    The key of an endpoint; see :func:`may_be_published`.
    """
    return b"%b%b\0%b" % (_ENDPOINT, key.tenant.encode(), key.endpoint.encode())


def read_key(data: bytes) -> Fact | EndpointKey:
    """
    What a key is about.

    :raises UnknownKey: nothing that this version knows.
    """
    if data[:1] != _ENDPOINT:
        fact = _FACTS.get(data)
        if fact is None:
            raise UnknownKey
        return fact
    tenant, nul, endpoint = data[1:].partition(b"\0")
    if not nul or not endpoint or b"\0" in endpoint or len(tenant) > MAX_NAME or len(endpoint) > MAX_NAME:
        raise UnknownKey
    try:
        return EndpointKey(TenantId(tenant.decode()), endpoint.decode())
    except UnicodeDecodeError:
        raise UnknownKey from None


def write_served(served: Served) -> bytes:
    """
    The value of an endpoint's key.
    """
    return b"%d %d" % (served.upstreams, served.load)


def read_served(value: bytes) -> Served:
    """
    Read the value of an endpoint's key.

    :raises UnknownKey: it cannot be read.
    """
    words = value.split(b" ")
    if len(words) < 2:
        raise UnknownKey
    upstreams, load = _number(words[0]), _number(words[1])
    if not upstreams:
        raise UnknownKey
    return Served(upstreams, load)


def read_fact(value: bytes) -> str:
    """
    Read the value of a fact. It may go to a terminal.

    :raises UnknownKey: it is no short line of visible ASCII characters.
    """
    if len(value) > MAX_FACT or not value.isascii():
        raise UnknownKey
    text = value.decode("ascii")
    if not text.isprintable():
        raise UnknownKey
    return text


def _number(word: bytes) -> int:
    if not word.isdigit() or len(word) > _DIGITS or int(word) > _MAX_NUMBER:
        raise UnknownKey
    return int(word)
