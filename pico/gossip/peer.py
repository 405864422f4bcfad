"""
One life of a member, as it is known here.
"""

from __future__ import annotations

import enum

from pico.gossip import codec
from pico.gossip.ledger import Ledger
from pico.gossip.sections import Life


class Status(enum.Enum):
    """
    What is held of a peer.
    """

    ALIVE = "alive"
    #: It did not answer somebody. For all that are told of peers it still counts as alive.
    SUSPECT = "suspect"
    UNREACHABLE = "unreachable"
    LEFT = "left"


class Peer:
    """
    A life, its keys, and what is held of it. Only the room itself changes one.

    :ivar incarnation: the last that is known of it. It raises it to refute that it is dead.
    :ivar since: when its status became what it is.
    :ivar changed: when its newest change arrived here.
    :ivar heard: when it was last heard itself.
    :ivar accusers: who holds it for dead, by token, in which incarnation.
    """

    __slots__ = ("_entry", "accusers", "changed", "heard", "incarnation", "ledger", "life", "since", "status")

    def __init__(self, life: Life, ledger: Ledger, incarnation: int, now: float) -> None:
        self.life = life
        self.ledger = ledger
        self.incarnation = incarnation
        self.status = Status.ALIVE
        self.since = now
        self.changed = now
        self.heard = 0.0
        self.accusers: dict[bytes, int] = {}
        self._entry = b""

    def __repr__(self) -> str:
        """
        For people who look for errors.
        """
        return f"<Peer {self.life.id!r} of generation {self.life.generation}, {self.status.value}>"

    @property
    def id(self) -> str:
        """
        The member's name.
        """
        return self.life.id

    @property
    def token(self) -> bytes:
        """
        What stands for it on the wire.
        """
        return self.life.token

    @property
    def is_up(self) -> bool:
        """
        Whether it counts as alive. Only of such peers others are told who do not know them.
        """
        status = self.status
        return status is Status.ALIVE or status is Status.SUSPECT

    @property
    def accused(self) -> int:
        """
        How many hold it for dead as it is now.
        """
        return sum(1 for incarnation in self.accusers.values() if incarnation >= self.incarnation)

    def entry(self) -> bytes:
        """
        Its line in a digest.
        """
        if not self._entry:
            self._entry = codec.write_entry(self.life.token, self.ledger.version, spread=self.is_up)
        return self._entry

    def touch(self) -> None:
        """
        Its version or its status has changed.
        """
        self._entry = b""
