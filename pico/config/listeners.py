"""
What an agent exposes, in its short form: ``ENDPOINT/ADDR``.
"""

from __future__ import annotations

import msgspec

from pico.config.addresses import parse_service
from pico.config.agent import AgentConfig, ListenerConfig
from pico.config.units import shown
from pico.names import MAX_NAME


def parse_listeners(text: str) -> tuple[ListenerConfig, ...]:
    """
    Read ``ENDPOINT/ADDR[,ENDPOINT/ADDR…]``.

    :raises ValueError: with what would be right.
    """
    return tuple(listener_of(pair) for pair in text.split(",") if pair.strip())


def listener_of(text: str) -> ListenerConfig:
    """
    Read ``ENDPOINT/ADDR``, split at the first slash.

    :raises ValueError: with what would be right.
    """
    endpoint, slash, addr = text.strip().partition("/")
    if not slash or not endpoint or not addr:
        raise ValueError(f"{shown(text)} is not ENDPOINT/ADDR; write for example my-endpoint/localhost:4000")
    check_endpoint(endpoint)
    parse_service(addr)
    return ListenerConfig(endpoint_id=endpoint, addr=addr)


def check_endpoint(name: str) -> None:
    """
    Check the name of an endpoint.

    :raises ValueError: with what would be right.
    """
    if not name or not name.isprintable() or "/" in name:
        raise ValueError(f"{shown(name)} is no name for an endpoint: 1 to {MAX_NAME} visible characters, no slash")
    if len(name.encode("utf-8")) > MAX_NAME:
        raise ValueError(f"{shown(name)} is no name for an endpoint: it has more than {MAX_NAME} bytes in UTF-8")


def with_listeners(config: AgentConfig, listeners: list[ListenerConfig]) -> AgentConfig:
    """
    The same agent with other listeners.
    """
    return msgspec.structs.replace(config, listeners=tuple(listeners))
