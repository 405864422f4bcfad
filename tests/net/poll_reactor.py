"""
A reactor for sockets that a test turns by hand.
"""

from __future__ import annotations

import select

from twisted.internet.interfaces import IReactorFDSet, IReadDescriptor, IWriteDescriptor
from twisted.internet.posixbase import _DisconnectSelectableMixin, _PollLikeMixin
from twisted.internet.task import Clock
from zope.interface import implementer


@implementer(IReactorFDSet)
class PollReactor(Clock, _PollLikeMixin, _DisconnectSelectableMixin):
    """
    Does with sockets what Twisted's reactors do, by their own code, a turn at a time. Its time is a clock's.
    """

    _POLL_IN = select.POLLIN
    _POLL_OUT = select.POLLOUT
    _POLL_DISCONNECTED = select.POLLHUP | select.POLLERR | select.POLLNVAL

    def __init__(self) -> None:
        super().__init__()
        self._reads: dict[int, IReadDescriptor] = {}
        self._writes: dict[int, IWriteDescriptor] = {}

    def addReader(self, reader: IReadDescriptor) -> None:  # noqa: N802
        self._reads[reader.fileno()] = reader

    def addWriter(self, writer: IWriteDescriptor) -> None:  # noqa: N802
        self._writes[writer.fileno()] = writer

    def removeReader(self, reader: IReadDescriptor) -> None:  # noqa: N802
        self._reads = {fd: each for fd, each in self._reads.items() if each is not reader}

    def removeWriter(self, writer: IWriteDescriptor) -> None:  # noqa: N802
        self._writes = {fd: each for fd, each in self._writes.items() if each is not writer}

    def removeAll(self) -> list[IReadDescriptor | IWriteDescriptor]:  # noqa: N802
        everything: list[IReadDescriptor | IWriteDescriptor] = [*self._reads.values(), *self._writes.values()]
        self._reads.clear()
        self._writes.clear()
        return everything

    def getReaders(self) -> list[IReadDescriptor]:  # noqa: N802
        return list(self._reads.values())

    def getWriters(self) -> list[IWriteDescriptor]:  # noqa: N802
        return list(self._writes.values())

    def turn(self) -> bool:
        """
        Run one turn; false if there was nothing to do.
        """
        happened = any(call.getTime() <= self.seconds() for call in self.getDelayedCalls())
        self.advance(0)
        poller = select.poll()
        for fd in {*self._reads, *self._writes}:
            poller.register(
                fd,
                (select.POLLIN if fd in self._reads else 0) | (select.POLLOUT if fd in self._writes else 0),
            )
        for fd, event in poller.poll(0):
            happened = True
            selectable = self._reads.get(fd) or self._writes.get(fd)
            if selectable is not None:
                self._doReadOrWrite(selectable, fd, event)
        return happened

    def settle(self, limit: int = 100_000) -> None:
        """
        Run turns until there is nothing to do.
        """
        for _ in range(limit):
            if not self.turn():
                return
        raise AssertionError(f"not at rest after {limit} turns")
