"""
What an agent tells whoever started it.
"""

from __future__ import annotations

import attrs


@attrs.frozen
class AgentConnected:
    """
    A tunnel stands.

    :ivar url: of the node that was dialled.
    :ivar node: the node's id; empty when it does not say (a Piko server).
    :ivar proxy_port: where the node takes requests; 0 when it does not say.
    :ivar tunnels: how many the endpoint has now.
    :ivar wanted: how many it is to have.
    """

    endpoint: str
    url: str
    node: str
    proxy_port: int = 0
    tunnels: int = 1
    wanted: int = 1


@attrs.frozen
class AgentRefused:
    """
    The node said no and will say so again; told once, then retried slowly.

    :ivar tunnels: how many the endpoint has all the same.
    """

    endpoint: str
    reason: str
    tunnels: int = 0


@attrs.frozen
class AgentLost:
    """
    A tunnel ended, or could not be had; another try follows.

    :ivar retry_in: seconds until then.
    :ivar tunnels: how many the endpoint still has.
    """

    endpoint: str
    reason: str
    retry_in: float
    tunnels: int = 0


@attrs.frozen
class RequestServed:
    """
    A request has been answered.

    :ivar target: path without its query.
    :ivar duration: seconds.
    :ivar bytes_out: bytes of response body.
    :ivar failure: why the service gave no whole answer; empty if it did.
    """

    endpoint: str
    method: str
    target: str
    status: int
    duration: float
    bytes_out: int
    failure: str


AgentEvent = AgentConnected | AgentRefused | AgentLost | RequestServed
