"""
Two connections joined: what one receives, the other sends, until both have ended.

- Back-pressure: each end is the producer of the other connection, so a connection that cannot take
  more stops the reading of the other one.
- Half-close: the end of what one side sends is passed on after its last byte; the other direction
  goes on. Where a transport cannot end one direction alone (TLS), it closes, once it has sent what
  is queued.
- A side that breaks breaks the other one; a side that closes lets the other one send what it has.
- Nothing is read until both sides are there.
"""

from __future__ import annotations

import enum
from collections.abc import Callable
from typing import cast

from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import (
    IHalfCloseableDescriptor,
    IHalfCloseableProtocol,
    IProtocol,
    IPushProducer,
    ISSLTransport,
    ITransport,
)
from twisted.python.failure import Failure
from zope.interface import classImplements

from pico.net.transport import StreamTransport


class _State(enum.Enum):
    #: No connection yet.
    WAITING = enum.auto()
    #: Bytes may come.
    OPEN = enum.auto()
    #: The peer has sent its last byte and may still receive.
    ENDED = enum.auto()
    #: The connection was closed in good order.
    CLOSED = enum.auto()
    #: The connection broke.
    BROKEN = enum.auto()


_PRESENT = (_State.OPEN, _State.ENDED)
_GONE = (_State.CLOSED, _State.BROKEN)


class Splice:
    """
    The join of two connections.

    Each of :attr:`left` and :attr:`right` is given to one of them: as its protocol, or as that to
    which its protocol passes on whatever it is told, ``makeConnection`` first. No other producer may
    be registered with either connection.

    :ivar last: the end that has received something last.
    """

    __slots__ = ("_broken", "_ended", "last", "left", "right")

    def __init__(
        self, ended: Callable[[int, int], None], broken: Callable[[SpliceEnd, Failure], bool] | None = None
    ) -> None:
        """
        :param ended: called once, when both connections are gone, with the bytes that were received from
            the left and from the right.
        :param broken: called when one breaks, with that one and the reason; what it returns says whether it
            sees to the end of the other one itself.
        """
        self._broken = broken
        self._ended: Callable[[int, int], None] | None = ended
        self.left = SpliceEnd(self)
        self.right = SpliceEnd(self)
        self.left._other = self.right
        self.right._other = self.left
        self.last: SpliceEnd | None = None

    def abort(self) -> None:
        """
        Break both connections. An end that never got one counts as gone.
        """
        for end in (self.left, self.right):
            if end._state is _State.WAITING:
                end._state = _State.BROKEN
            elif end._state in _PRESENT:
                end.transport.abortConnection()
        self._check_ended()

    def _is_seen_to(self, end: SpliceEnd, reason: Failure) -> bool:
        return self._broken is not None and self._broken(end, reason)

    def _check_ended(self) -> None:
        ended = self._ended
        if ended is not None and self.left._state in _GONE and self.right._state in _GONE:
            self._ended = None
            ended(self.left.received, self.right.received)


class SpliceEnd:
    """
    One end of a splice: the protocol of its own connection, and the producer that feeds the other.

    :ivar transport: its own connection.
    :ivar received: bytes that came from it.
    """

    __slots__ = ("_early", "_other", "_paused", "_sink", "_splice", "_state", "received", "transport")

    transport: StreamTransport
    _other: SpliceEnd

    def __init__(self, splice: Splice) -> None:
        self._splice = splice
        self._state = _State.WAITING
        self._paused = False
        #: What came before there was somewhere to put it. Reading is stopped meanwhile, so this is
        #: no more than had been read already.
        self._early: list[bytes] = []
        self._sink: Callable[[bytes], object] = self._early.append
        self.received = 0

    def makeConnection(self, transport: ITransport) -> None:
        """
        Take over a connection. It is not read from until the other end has one as well.
        """
        self.transport = cast(StreamTransport, transport)
        self._state = _State.OPEN
        self.transport.pauseProducing()
        self.connectionMade()

    def connectionMade(self) -> None:
        """
        Begin, if both connections are there now.
        """
        if self._other._state is not _State.WAITING:
            self._join(self._other)

    def dataReceived(self, data: bytes) -> None:
        """
        Send on what this side's peer has sent.
        """
        self.received += len(data)
        self._splice.last = self
        self._sink(data)

    def readConnectionLost(self) -> None:
        """
        Pass on that this side's peer has sent everything.
        """
        if self._state is not _State.OPEN:
            return
        self._state = _State.ENDED
        other = self._other
        if other._state is _State.OPEN:
            other._end_writing()
        elif other._state is _State.ENDED:
            other._close()
            self._close()
        elif other._state in _GONE:
            self._close()

    def writeConnectionLost(self) -> None:
        """
        This side's peer has been told the end of what the other side sent.
        """

    def connectionLost(self, reason: Failure) -> None:
        """
        End the other side too: in good order, or by breaking it if this one broke.
        """
        if self._state in _GONE:
            return
        self._state = _State.CLOSED if reason.check(ConnectionDone) else _State.BROKEN
        other = self._other
        if other._state in _PRESENT:
            if self._state is _State.BROKEN and self._splice._is_seen_to(self, reason):
                other._sink = _drop
            else:
                other._follow(self._state)
        self._splice._check_ended()

    def pauseProducing(self) -> None:
        """
        Stop reading: the other connection cannot take more.
        """
        self._paused = True
        if self._state is _State.OPEN:
            self.transport.pauseProducing()

    def resumeProducing(self) -> None:
        """
        Read on: the other connection can take more.
        """
        self._paused = False
        # A transport whose peer has sent everything must not be read again: it would end again.
        if self._state is _State.OPEN:
            self.transport.resumeProducing()

    def stopProducing(self) -> None:
        """
        The other connection is gone. Its own end is told how, and acts.
        """

    def _join(self, other: SpliceEnd) -> None:
        early = other._early
        if other._state is _State.BROKEN:
            early.clear()
        if other._state in _GONE:
            for data in early:
                self.transport.write(data)
            self._follow(other._state)
            return
        self._sink = other.transport.write
        other._sink = self.transport.write
        self.transport.registerProducer(other, True)
        other.transport.registerProducer(self, True)
        for data in early:
            self.transport.write(data)
        early.clear()
        if other._state is _State.ENDED:
            self._end_writing()
        for end in (self, other):
            if not end._paused:
                end.resumeProducing()

    def _end_writing(self) -> None:
        if can_half_close(self.transport):
            # With a paused producer a transport neither closes nor half-closes.
            self.transport.unregisterProducer()
            self.transport.loseWriteConnection()
        else:
            self._close()

    def _follow(self, gone: _State) -> None:
        self._sink = _drop
        if gone is _State.CLOSED:
            self._close()
        else:
            self.transport.abortConnection()

    def _close(self) -> None:
        self.transport.unregisterProducer()
        self.transport.loseConnection()


def can_half_close(transport: object) -> bool:
    """
    Whether ``loseWriteConnection`` ends what a transport sends, and nothing else.

    A TLS protocol passes that call to the connection below, whose end is not an end of TLS.
    """
    if ISSLTransport.providedBy(transport):
        return False
    return bool(IHalfCloseableDescriptor.providedBy(transport))


def _drop(data: bytes) -> None:
    """
    Take bytes that have nowhere to go any more.
    """


classImplements(SpliceEnd, IProtocol, IHalfCloseableProtocol, IPushProducer)
