"""
What a member reports about the others. Events are read-only.

A :class:`~pico.gossip.peer.Peer` is one life: when a member is started again under its id, the old peer is removed
and a new one joins.
"""

from __future__ import annotations

from collections.abc import Sequence

import attrs

from pico.gossip.ledger import Change
from pico.gossip.peer import Peer


@attrs.define(eq=False)
class Joined:
    """
    Somebody new is there. Its keys follow.
    """

    peer: Peer


@attrs.define(eq=False)
class Changed:
    """
    A peer has set or deleted keys.

    :ivar changes: each key with its new value, or with none.
    """

    peer: Peer
    changes: Sequence[Change]


@attrs.define(eq=False)
class BecameUnreachable:
    """
    A peer is held for dead. It is still asked.
    """

    peer: Peer


@attrs.define(eq=False)
class BecameReachable:
    """
    A peer that was held for dead has said otherwise.
    """

    peer: Peer


@attrs.define(eq=False)
class Left:
    """
    A peer has said goodbye, and will not come back in this life.
    """

    peer: Peer


@attrs.define(eq=False)
class Removed:
    """
    A peer is forgotten: it left, or was unreachable, for long enough, or has a new life, which joins next.
    """

    peer: Peer


@attrs.define(eq=False)
class FarBehind:
    """
    A peer knows so much that we do not know that a state exchange with it is quicker than datagrams.

    :ivar lacking: about how many changes we lack.
    """

    peer: Peer
    lacking: int


@attrs.define(eq=False)
class Superseded:
    """
    Our id has a newer life. We are out, and say nothing any more.

    :ivar generation: of the newer life.
    """

    generation: int


@attrs.define(eq=False)
class BeganAgain:
    """
    We live on under another generation: our id had a life with a higher one, from a time when the clock was ahead.

    :ivar generation: ours from now on.
    """

    generation: int


@attrs.define(eq=False)
class Departed:
    """
    Our leave is done.

    :ivar told: how many others have said that they know.
    """

    told: int


Event = (
    Joined
    | Changed
    | BecameUnreachable
    | BecameReachable
    | Left
    | Removed
    | FarBehind
    | Superseded
    | BeganAgain
    | Departed
)
