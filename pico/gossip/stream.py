"""
A state exchange on a Twisted connection.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IConsumer, IDelayedCall, IPushProducer, IReactorTime, ITCPTransport, ITransport
from twisted.internet.protocol import Protocol, connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from pico.errors import PicoError
from pico.gossip.events import Event
from pico.gossip.exchange import Exchange
from pico.gossip.member import Member


class ExchangeBroken(PicoError):
    """
    A state exchange did not come to its end. What had arrived counts.
    """


@implementer(IPushProducer)
class ExchangeProtocol(Protocol):
    """
    Tells the other side of a connection everything, and learns everything from it; the same on both sides.

    Made by :meth:`pico.gossip.udp.Gossip.exchange`. The connection must lead to a member of the group; whoever hands
    it over has proven that. It is closed by this protocol, when everything is said, and cut off after ``timeout``
    seconds.
    """

    _log = Logger()

    def __init__(
        self, member: Member, clock: IReactorTime, tell: Callable[[list[Event]], None], timeout: float = 30.0
    ) -> None:
        """
        :param tell: takes events.
        """
        self._exchange = Exchange(member)
        self._clock = clock
        self._tell = tell
        self._timeout = timeout
        self._timer: IDelayedCall | None = None
        self._paused = False
        self._waiting: list[Deferred[None]] = []
        self._end: Failure | bool | None = None

    def when_done(self) -> Deferred[None]:
        """
        Fires when the connection is closed; fails with :class:`ExchangeBroken` if not everything was said.
        """
        waiting: Deferred[None] = Deferred()
        if self._end is None:
            self._waiting.append(waiting)
        else:
            self._fire(waiting)
        return waiting

    def connectionMade(self) -> None:
        """
        Begin.
        """
        self._timer = self._clock.callLater(self._timeout, self._abort)
        cast(IConsumer, self.transport).registerProducer(self, True)
        self._send()

    def dataReceived(self, data: bytes) -> None:
        """
        Take what has come.
        """
        self._tell(self._exchange.receive_data(data, self._clock.seconds()))
        self._send()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """
        End.
        """
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        exchange = self._exchange
        exchange.receive_eof()
        if exchange.error is not None:
            self._end = Failure(ExchangeBroken(f"a state exchange broke off: {exchange.error}"))
        else:
            self._end = True
        waiting, self._waiting = self._waiting, []
        for each in waiting:
            self._fire(each)

    def pauseProducing(self) -> None:
        """
        The connection is full.
        """
        self._paused = True

    def resumeProducing(self) -> None:
        """
        It has room again.
        """
        self._paused = False
        self._send()

    def stopProducing(self) -> None:
        """
        It is gone.
        """
        self._paused = True

    def _send(self) -> None:
        exchange = self._exchange
        transport = cast(ITransport, self.transport)
        while not self._paused:
            data = exchange.data_to_send()
            if not data:
                break
            transport.write(data)
        if exchange.error is not None:
            self._abort()
        elif exchange.done:
            # A producer that is paused would keep the connection open.
            cast(IConsumer, self.transport).unregisterProducer()
            transport.loseConnection()

    def _abort(self) -> None:
        self._paused = True
        cast(ITCPTransport, self.transport).abortConnection()

    def _fire(self, waiting: Deferred[None]) -> None:
        if isinstance(self._end, Failure):
            waiting.errback(self._end)
        else:
            waiting.callback(None)
