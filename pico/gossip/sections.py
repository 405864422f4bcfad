"""
What members say to each other: the sections of a datagram, as objects.

:mod:`pico.gossip.codec` has their bytes. They are read-only.
"""

from __future__ import annotations

import attrs

#: Host and port.
Address = tuple[str, int]

#: Key, version and value; no value when the key was deleted.
Record = tuple[bytes, int, bytes | None]


@attrs.frozen
class Life:
    """
    One life of a member, from its start to its end.

    :ivar token: made up at random when the life began; stands for it on the wire.
    :ivar id: the member's name, which its next life may have again.
    :ivar generation: higher in each life of the same id.
    :ivar address: where it takes datagrams.
    """

    token: bytes
    id: str
    generation: int
    address: Address

    def is_after(self, other: Life) -> bool:
        """
        Whether this life of an id replaces the other one.
        """
        return (self.generation, self.token) > (other.generation, other.token)


@attrs.define(eq=False)
class Cookie:
    """
    Whoever gets this proves with an :class:`Echo` that it is where it says, and alive now.
    """

    cookie: bytes


@attrs.define(eq=False)
class Echo:
    """
    A cookie comes back.
    """

    cookie: bytes


@attrs.define(eq=False)
class Intro:
    """
    Who sends the datagram. The token stands in the datagram's envelope.
    """

    generation: int
    incarnation: int
    id: str
    address: Address


@attrs.define(eq=False)
class Ping:
    """
    Answer with an :class:`Ack`.
    """

    number: int


@attrs.define(eq=False)
class Ack:
    """
    Whom a ping, a relay or a leave was for has heard it.
    """

    number: int
    incarnation: int


@attrs.define(eq=False)
class Relay:
    """
    Ping another life, and pass its answer on.
    """

    number: int
    token: bytes


@attrs.define(eq=False)
class Nack:
    """
    Who was to be pinged has not answered.
    """

    number: int


@attrs.define(eq=False)
class Offer:
    """
    A fingerprint of what the sender knows; if ours is another one, our digest is asked for.
    """

    fingerprint: bytes


@attrs.define(eq=False)
class Digest:
    """
    What the sender knows of every life from one token to another, both included.

    :ivar entries: see :func:`pico.gossip.codec.read_entries`.
    """

    first: bytes
    last: bytes
    entries: bytes


@attrs.define(eq=False)
class Want:
    """
    What the sender knows of some lives, and of which it wants what is newer.

    :ivar entries: see :func:`pico.gossip.codec.read_entries`.
    """

    entries: bytes


@attrs.define(eq=False)
class Block:
    """
    Changes of one life: all that still count of those after one version, up to another.

    :ivar floor: nothing up to this version counts any more.
    :ivar after: the version that precedes the first record's.
    :ivar upto: what is known once this is applied.
    :ivar complete: whether the sender knows no more.
    :ivar intro: given to who has not heard of the life.
    :ivar records: in ascending order of versions.
    """

    token: bytes
    floor: int
    after: int
    upto: int
    complete: bool
    intro: Intro | None
    records: list[Record]


@attrs.define(eq=False)
class Accuse:
    """
    The sender holds the receiver for dead; a higher incarnation refutes it.
    """

    incarnation: int


@attrs.define(eq=False)
class Leave:
    """
    The sender leaves, for good. To be acknowledged.
    """

    number: int


@attrs.define(eq=False)
class Stale:
    """
    The receiver's id has a newer life.
    """

    generation: int


Section = Cookie | Echo | Intro | Ping | Ack | Relay | Nack | Offer | Digest | Want | Block | Accuse | Leave | Stale
