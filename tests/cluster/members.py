"""
Lives of other members, as gossip speaks of them.
"""

from __future__ import annotations

from pico.gossip.events import Changed, Joined
from pico.gossip.ledger import Ledger
from pico.gossip.limits import DEFAULT_LIMITS
from pico.gossip.peer import Peer
from pico.gossip.sections import Life


def life(name: str, generation: int = 1, host: str = "10.0.0.1", port: int = 8003) -> Peer:
    """
    A life of a member.
    """
    token = f"{name:4.4}{generation:4}".encode()
    return Peer(Life(token, name, generation, (host, port)), Ledger(DEFAULT_LIMITS), 0, 0.0)


def joined(peer: Peer, **keys: bytes) -> list[Joined | Changed]:
    """
    A member that joins and publishes.
    """
    return [Joined(peer), Changed(peer, [(name.encode(), value) for name, value in keys.items()])]


def serves(peer: Peer, *endpoints: str, tenant: str = "", value: bytes | None = b"1 0") -> Changed:
    """
    A member that publishes endpoints, all with the same value.
    """
    return Changed(peer, [(f"/{tenant}\0{endpoint}".encode(), value) for endpoint in endpoints])
