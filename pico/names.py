"""
The plain values that rooms pass to one another.
"""

from __future__ import annotations

from typing import NewType

TenantId = NewType("TenantId", str)
NodeId = NewType("NodeId", str)

#: The longest name of an endpoint, and of a tenant, in bytes of UTF-8. With both a key has the most that gossip allows.
MAX_NAME = 255

#: The tenant of everybody when no tenants are configured.
DEFAULT_TENANT = TenantId("")


class EndpointKey:
    """
    What a request asks for and a tunnel serves: an endpoint name within one tenant. It is not changed.

    Two tenants may use the same endpoint name; their keys never compare equal.
    """

    __slots__ = ("_hash", "endpoint", "tenant")

    def __init__(self, tenant: TenantId, endpoint: str) -> None:
        self.tenant = tenant
        self.endpoint = endpoint
        # Each request looks it up several times.
        self._hash = hash((tenant, endpoint))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, EndpointKey):
            return NotImplemented
        return self.endpoint == other.endpoint and self.tenant == other.tenant

    def __hash__(self) -> int:
        return self._hash

    def __repr__(self) -> str:
        return f"EndpointKey(tenant={self.tenant!r}, endpoint={self.endpoint!r})"


#: Header names that begin with one of these are Pico's own: never believed from outside, never shown to a service.
OWN_HEADERS = (b"x-pico-", b"x-piko-")

#: In this header an agent offers what it understands beyond Piko's bytes, and a node answers with what holds.
CAPABILITIES_HEADER = b"x-pico-capabilities"

#: One of them: told to go away, the agent dials anew, and lets go of the old tunnel only when the new one stands.
GO_AWAY = "go-away"

#: With this header an agent marks an answer that it made itself because its service could not be reached. The node
#: takes it off and sends the request elsewhere.
SERVICE_HEADER = b"x-pico-service"
