"""
What a member allows, to others and to itself, and how long it waits for what.
"""

from __future__ import annotations

import attrs

#: The most that a datagram holds beside keys, values, and the id and the host of the life that they belong to: the
#: envelope, a block's head, an introduction and a record.
_FRAME = 39 + 27 + 16 + 9


@attrs.frozen
class Limits:
    """
    The caps of a member. What passes one is refused and counted; nothing is queued for later.

    :ivar max_packet_size: bytes of a datagram that we send. Longer ones are received all the same.
    :ivar max_datagrams: that answer one datagram.
    :ivar max_members: lives that are known at a time, our own among them.
    :ivar max_keys: of one member; as many deleted ones may be remembered.
    :ivar max_bytes: of one member's keys and values.
    :ivar max_key: bytes of a key.
    :ivar max_value: bytes of a value.
    :ivar max_id: bytes of a member's id, and of the host in its address.
    :ivar max_datagrams_per_second: received from one address (all its ports).
    :ivar max_addresses: that are counted so in one second; beyond it only members are heard.
    :ivar max_buried: former lives that are remembered, so that they do not come back.
    :ivar max_relays: pings for others that wait for an answer.
    :ivar far_behind: changes that somebody must know of and we not, so that a state exchange is asked for.
    """

    max_packet_size: int = 1400
    max_datagrams: int = 8
    max_members: int = 1000
    max_keys: int = 100_000
    max_bytes: int = 32 * 1024 * 1024
    max_key: int = 512
    max_value: int = 512
    max_id: int = 128
    max_datagrams_per_second: int = 5000
    max_addresses: int = 4096
    max_buried: int = 4096
    max_relays: int = 1000
    far_behind: int = 5000

    def __attrs_post_init__(self) -> None:
        """
        Check that every record fits into a datagram.
        """
        needed = _FRAME + 2 * self.max_id + self.max_key + self.max_value
        if self.max_packet_size < needed:
            raise ValueError(
                f"datagrams of {self.max_packet_size} bytes are too small: ids of {self.max_id} bytes, keys of "
                f"{self.max_key} and values of {self.max_value} need {needed}"
            )


@attrs.frozen
class Timing:
    """
    How long a member waits, in seconds.

    :ivar interval: between two probes; also the grain of everything that is repeated.
    :ivar fanout: exchanges an interval while something changes; at rest there is one.
    :ivar active: how long after a change this goes on.
    :ivar ack: for the answer to a probe, until others are asked to try as well.
    :ivar probe: for any answer, until the member is suspected.
    :ivar relays: members that are asked to try as well.
    :ivar suspicion_least: from a suspicion to its end when others share it.
    :ivar suspicion_most: the same when nobody does.
    :ivar confirmations: others that must share a suspicion before it ends as soon as it may.
    :ivar max_health: how often ``ack`` and ``probe`` are added to themselves when our own network seems ill.
    :ivar lag: when a timer fires so much too late, this program was stopped, and nobody else is blamed for it.
    :ivar retry: between two probes of unreachable members.
    :ivar forget: how long a member is kept that left or is unreachable.
    :ivar seeds: between two tries to reach a seed that is no member; a tenth of it while there is none.
    :ivar leave: how long a leaving member waits for others to take notice.
    """

    interval: float = 0.1
    fanout: int = 3
    active: float = 1.0
    ack: float = 0.2
    probe: float = 0.6
    relays: int = 3
    suspicion_least: float = 1.0
    suspicion_most: float = 2.0
    confirmations: int = 3
    max_health: int = 2
    lag: float = 0.5
    retry: float = 1.0
    forget: float = 60.0
    seeds: float = 5.0
    leave: float = 1.0


#: What suits a node among hundreds, with a thousand keys each.
DEFAULT_LIMITS = Limits()

#: What finds a dead member in less than three seconds, and kills none when every fifth datagram is lost.
DEFAULT_TIMING = Timing()
