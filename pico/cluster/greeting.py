"""
A connection between two nodes until they are sure of each other, and the dialling of one.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import cast

import attrs
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import ConnectingCancelledError
from twisted.internet.error import TimeoutError as ConnectTimeout
from twisted.internet.interfaces import (
    IDelayedCall,
    IProtocol,
    IProtocolFactory,
    IReactorTCP,
    IReactorTime,
    ITCPTransport,
)
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure

from pico.errors import PicoError, RemoteProtocolError
from pico.net.addresses import text_of_pair
from pico.net.http.transport import IStreamTransport, hand_over
from pico.net.once import Once
from pico.net.ports import make_client_endpoint
from pico.net.reasons import why
from pico.wire.link_auth import NONCE_SIZE, Agreed, Agreement, Event, Failed, Peer, Proven, Purpose, Refusal, Role

#: Turns a factory of plain connections into one of secured ones, such as TLS.
Wrapping = Callable[[IProtocolFactory], IProtocolFactory]


class LinkError(PicoError):
    """
    Another node cannot be reached, or one of the two does not want the other.

    :ivar refusal: why, if the nodes could speak with each other.
    """

    def __init__(self, reason: str, refusal: Refusal | None = None) -> None:
        super().__init__(reason)
        self.refusal = refusal


@attrs.define
class Identification:
    """
    How this node proves itself.

    :ivar own: who it is. It has another generation when it finds that a former life of its id had a higher one.
    :ivar keys: the cluster's secrets, the one to use first; none where anybody is believed.
    :ivar random_bytes: makes nonces.
    """

    own: Peer
    keys: Sequence[bytes] = attrs.field(default=(), repr=False)
    random_bytes: Callable[[int], bytes] = os.urandom

    def agreement(self, role: Role, deadline: float, purpose: Purpose, expected: Peer | None) -> Agreement:
        """
        Begin to make sure of somebody.
        """
        return Agreement(
            role,
            self.own,
            self.keys,
            self.random_bytes(NONCE_SIZE),
            deadline=deadline,
            purpose=purpose,
            expected=expected,
        )


class Greeting(Protocol):
    """
    The protocol of a connection until both nodes are sure of each other. Then the connection belongs to the protocol
    that ``decide`` has made.
    """

    def __init__(
        self,
        core: Agreement,
        *,
        clock: IReactorTime,
        decide: Callable[[Peer, Purpose | None], IProtocol | Refusal],
        ended: Callable[[Peer | None, RemoteProtocolError | None], None],
    ) -> None:
        """
        :param decide: called when the other side has proved itself, with what it asks for if it has dialled.
        :param ended: called once, when this protocol has nothing more to do with the connection: with whom it was, or
            with why there is no agreement; with neither if ``decide`` has refused.
        """
        self._core = core
        self._clock = clock
        self._decide = decide
        self._ended: Callable[[Peer | None, RemoteProtocolError | None], None] | None = ended
        self._timer: IDelayedCall | None = None

    def connectionMade(self) -> None:
        """
        Begin.
        """
        deadline = self._core.next_deadline()
        if deadline is not None:
            self._timer = self._clock.callLater(max(0.0, deadline - self._clock.seconds()), self._timed)
        self._flush()

    def dataReceived(self, data: bytes) -> None:
        """
        Take bytes from the other side.
        """
        self._act(self._core.receive_data(data))

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """
        The connection is gone, which is only news before there was an outcome.
        """
        self._act(self._core.receive_eof())

    def abort(self) -> None:
        """
        Nobody wants the connection any more.
        """
        self._stop_timer()
        self._ended = None
        if self.transport is not None:
            cast(ITCPTransport, self.transport).abortConnection()

    def _timed(self) -> None:
        self._timer = None
        self._act(self._core.handle_timer(self._clock.seconds()))

    def _act(self, events: list[Event]) -> None:
        for event in events:
            if isinstance(event, Failed):
                self._flush()
                self._close(event.error)
                return
            decision = self._decide(event.peer, event.purpose if isinstance(event, Proven) else None)
            if isinstance(decision, Refusal):
                if isinstance(event, Proven):
                    self._core.refuse(decision)
                self._flush()
                self._close(None)
                return
            if isinstance(event, Proven):
                self._core.accept()
            self._flush()
            self._hand_over(event, decision)
            return
        self._flush()

    def _hand_over(self, event: Proven | Agreed, protocol: IProtocol) -> None:
        leftover = self._core.take_leftover()
        self._stop_timer()
        hand_over(cast(IStreamTransport, self.transport), protocol)
        ended, self._ended = self._ended, None
        # First whoever dialled gets to know, then what is on it.
        if ended is not None:
            ended(event.peer, None)
        if leftover:
            protocol.dataReceived(leftover)

    def _flush(self) -> None:
        data = self._core.data_to_send()
        if data and self.transport is not None:
            self.transport.write(data)

    def _close(self, error: RemoteProtocolError | None) -> None:
        self._stop_timer()
        if self.transport is not None:
            self.transport.loseConnection()
        ended, self._ended = self._ended, None
        if ended is not None:
            ended(None, error)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


class NodeDialer:
    """
    Dial other nodes, for any purpose.
    """

    def __init__(
        self,
        identification: Identification,
        *,
        reactor: IReactorTCP,
        clock: IReactorTime,
        timeout: float,
        wrap: Wrapping | None = None,
    ) -> None:
        """
        :param timeout: seconds for connection and agreement together.
        :param wrap: makes connections secure.
        """
        self._identification = identification
        self._reactor = reactor
        self._clock = clock
        self._timeout = timeout
        self._wrap = wrap

    def dial(
        self, host: str, port: int, purpose: Purpose, make: Callable[[Peer], IProtocol], expected: Peer | None = None
    ) -> Deferred[Peer]:
        """
        Connect to a node; once both are sure of each other the connection belongs to what ``make`` makes.

        :param expected: whom to reach; anybody of the cluster when not given.
        :return: who it is. Fails with :class:`LinkError`; cancelling it drops the connection.
        """
        return Deferred.fromCoroutine(self._dial(host, port, purpose, make, expected))

    async def _dial(
        self, host: str, port: int, purpose: Purpose, make: Callable[[Peer], IProtocol], expected: Peer | None
    ) -> Peer:
        where = text_of_pair((host, port))
        deadline = self._clock.seconds() + self._timeout
        agreed: Deferred[Peer] = Deferred(lambda _: greeting.abort())

        def ended(peer: Peer | None, error: RemoteProtocolError | None) -> None:
            if peer is not None:
                agreed.callback(peer)
            else:
                refusal = Refusal(error.code) if error is not None else None
                reason = error.reason if error is not None else "not wanted any more"
                agreed.errback(LinkError(f"no agreement with the node at {where}: {reason}", refusal))

        greeting = Greeting(
            self._identification.agreement(Role.DIALLER, deadline, purpose, expected),
            clock=self._clock,
            decide=lambda peer, _: make(peer),
            ended=ended,
        )
        factory: IProtocolFactory = Once(greeting)
        if self._wrap is not None:
            factory = self._wrap(factory)
        endpoint = make_client_endpoint(self._reactor, host, port, self._timeout)
        try:
            await endpoint.connect(factory)
        except ConnectingCancelledError:
            raise CancelledError from None
        except ConnectTimeout:
            raise LinkError(f"cannot connect to {where}: no answer within {self._timeout:g}s") from None
        except CancelledError:
            raise
        except Exception as error:
            raise LinkError(f"cannot connect to {where}: {why(error)}") from error
        return await agreed
