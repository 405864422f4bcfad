"""
The links of a node to others, introduced to each other.
"""

from __future__ import annotations

import attrs

from pico.cluster.accept import LinkPort
from pico.cluster.membership import Membership
from pico.cluster.remote import Remotes
from pico.server.entrance import Binding


@attrs.frozen
class NodeLinks:
    """
    The links of a node to others.

    :ivar binding: of the port for other nodes.
    :ivar port: its factory.
    :ivar remotes: what other nodes serve.
    :ivar membership: finds them; nothing where they are known.
    """

    binding: Binding
    port: LinkPort
    remotes: Remotes
    membership: Membership | None = None
