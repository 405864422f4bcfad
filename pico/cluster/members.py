"""
What links need to know about other nodes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import attrs

from pico.names import EndpointKey, NodeId
from pico.wire.link_auth import Peer


@attrs.frozen
class Holder:
    """
    Another node that has tunnels of an endpoint.

    :ivar host: where its links end.
    :ivar upstreams: how many tunnels.
    :ivar load: requests and other streams in all of them, as it last told.
    :ivar leaving: it is about to stop: others are preferred.
    """

    peer: Peer
    host: str
    port: int
    upstreams: int = 1
    load: int = 0
    leaving: bool = False


class Members(Protocol):
    """
    The other nodes, as far as this one knows.
    """

    def holders(self, key: EndpointKey) -> Sequence[Holder]:
        """
        The nodes that have tunnels of an endpoint and are not known to be out of reach; never this one.

        Asked for every request: returns the same object for as long as nothing has changed.
        """

    def generation(self, node: NodeId) -> int | None:
        """
        The latest life of a node that is known of; nothing for a stranger.
        """
