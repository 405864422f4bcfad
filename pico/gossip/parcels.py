"""
Sections on their way into datagrams.
"""

from __future__ import annotations

from pico.gossip.sections import Address


class Parcel:
    """
    Sections for one receiver, in as many datagrams as they need.

    :ivar room: bytes that are left in the last datagram.
    """

    __slots__ = ("_capacity", "_datagrams", "address", "room", "token")

    def __init__(self, token: bytes, address: Address, capacity: int) -> None:
        """
        :param capacity: bytes of sections in one datagram.
        """
        self.token = token
        self.address = address
        self._capacity = capacity
        self._datagrams: list[list[bytes]] = [[]]
        self.room = capacity

    def __len__(self) -> int:
        """
        How many datagrams there are.
        """
        return len(self._datagrams)

    def add(self, section: bytes) -> None:
        """
        Put a section in, which is no longer than one datagram.
        """
        if len(section) > self.room:
            self.begin()
        self._datagrams[-1].append(section)
        self.room -= len(section)

    def begin(self) -> None:
        """
        Go on in a new datagram.
        """
        if self._datagrams[-1]:
            self._datagrams.append([])
            self.room = self._capacity

    def take(self) -> list[bytes]:
        """
        The datagrams' payloads.
        """
        return [b"".join(sections) for sections in self._datagrams if sections]
