"""
Clients that send requests and check that what comes back is what they sent.
"""

from __future__ import annotations

import os
import random
from typing import cast

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import ConnectingCancelledError
from twisted.internet.interfaces import (
    IAddress,
    IDelayedCall,
    IProtocol,
    IReactorTime,
    IStreamClientEndpoint,
    ITCPTransport,
)
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.python.failure import Failure

from pico.bench.load.pace import Pace
from pico.bench.load.plan import Requests, endpoint_name
from pico.bench.load.tally import Tally
from pico.net.deadlines import Deadlines
from pico.wire.http1.client import ClientConnection
from pico.wire.http1.events import Data, EndOfMessage, Event, Failed, ResponseHead
from pico.wire.http1.headers import HeaderCache

#: Seconds that a client waits after a failure, so that a node that is gone is not asked without end in an instant.
PAUSE = 0.1


class RequestLoad:
    """
    All clients.
    """

    def __init__(
        self,
        plan: Requests,
        *,
        endpoint: IStreamClientEndpoint,
        host: bytes,
        clock: IReactorTime,
        chooser: random.Random,
    ) -> None:
        """
        :param endpoint: connects to the proxy port, within a limit of its own.
        :param host: of the Host header.
        """
        self.plan = plan
        self.endpoint = endpoint
        self.host = host
        self.clock = clock
        self.chooser = chooser
        self.deadlines = Deadlines(clock)
        self.cache = HeaderCache(size=256)
        self.tally = Tally()
        self.pace = Pace(plan.rate, plan.clients, 0.0)
        self._left = plan.count
        self._clients: set[_Client] = set()
        self._done: Deferred[None] = Deferred()

    def run(self) -> Deferred[None]:
        """
        Send all requests.

        :return: fires when the last one has ended, or after :meth:`stop`.
        """
        now = self.clock.seconds()
        self.tally.began = self.tally.ended = now
        self.pace = Pace(self.plan.rate, self.plan.clients, now)
        self._clients = {_Client(self, number) for number in range(min(self.plan.clients, self.plan.count))}
        for client in list(self._clients):
            client.go_on()
        return self._done

    def stop(self) -> None:
        """
        Send no more, and drop what is under way; it is not counted.
        """
        self._left = 0
        for client in list(self._clients):
            client.stop()

    def take(self) -> bool:
        """
        Take a request from those that are left.
        """
        self._left -= 1
        return self._left >= 0

    def succeeded(self, seconds: float) -> None:
        """
        Count a request.
        """
        self.tally.times.record(seconds)
        self.tally.ended = self.clock.seconds()

    def failed(self, kind: str) -> None:
        """
        Count a request.
        """
        self.tally.fail(kind)
        self.tally.ended = self.clock.seconds()

    def left(self, client: _Client) -> None:
        """
        A client has done its work.
        """
        self._clients.discard(client)
        if not self._clients and not self._done.called:
            self._done.callback(None)


class _Client:
    """
    One client: a request at a time, on a connection that is kept while it can be.
    """

    def __init__(self, load: RequestLoad, number: int) -> None:
        self._load = load
        self._number = number
        self._turn = 0
        self._due = 0.0
        self._timer: IDelayedCall | None = None
        self._connecting: Deferred[IProtocol] | None = None
        self._connection: _Connection | None = None
        self._deadline = load.deadlines.watch(self._timed_out)

    def go_on(self) -> None:
        """
        Make the next request when it is due, if there is one.
        """
        self._timer = None
        load = self._load
        if not load.take():
            self._leave()
            return
        now = load.clock.seconds()
        self._due = load.pace.due(self._number, self._turn, now)
        self._turn += 1
        if self._due > now:
            self._timer = load.clock.callLater(self._due - now, self._send)
        else:
            self._send()

    def stop(self) -> None:
        """
        Make no more.
        """
        if self._timer is not None:
            self._timer.cancel()
        self._leave()

    def answered(self, connection: _Connection, fault: str) -> None:
        """
        A request has ended.

        :param fault: empty if it was answered as it should be.
        """
        if connection is not self._connection:
            return
        self._deadline.clear()
        if not connection.reusable:
            self._drop()
        if fault:
            self._failed(fault)
            return
        self._load.succeeded(self._load.clock.seconds() - self._due)
        self.go_on()

    def lost(self, connection: _Connection) -> None:
        """
        A connection is gone that carried nothing.
        """
        if connection is self._connection:
            self._connection = None

    def _send(self) -> None:
        self._timer = None
        load = self._load
        self._deadline.set(load.plan.timeout)
        if self._connection is not None:
            self._connection.send()
            return
        self._connecting = connecting = load.endpoint.connect(_Factory(self, load))
        connecting.addCallbacks(self._connected, self._not_connected)

    def _connected(self, protocol: IProtocol) -> None:
        self._connecting = None
        self._connection = cast(_Connection, protocol)
        self._connection.send()

    def _not_connected(self, reason: Failure) -> None:
        self._connecting = None
        if reason.check(CancelledError, ConnectingCancelledError):
            return
        self._failed(f"no connection: {why_not(reason)}")

    def _failed(self, kind: str) -> None:
        self._deadline.clear()
        self._load.failed(kind)
        self._timer = self._load.clock.callLater(PAUSE, self.go_on)

    def _timed_out(self) -> None:
        self._drop()
        self._failed("no answer in time")

    def _drop(self) -> None:
        connecting, self._connecting = self._connecting, None
        connection, self._connection = self._connection, None
        if connecting is not None:
            connecting.cancel()
        if connection is not None:
            connection.abort()

    def _leave(self) -> None:
        self._deadline.cancel()
        self._drop()
        self._load.left(self)


class _Factory(Factory):
    noisy = False

    def __init__(self, client: _Client, load: RequestLoad) -> None:
        self._client = client
        self._load = load

    def buildProtocol(self, addr: IAddress | None) -> Protocol | None:
        return _Connection(self._client, self._load)


class _Connection(Protocol):
    """
    A connection to the proxy port.
    """

    def __init__(self, client: _Client, load: RequestLoad) -> None:
        self._client = client
        self._load = load
        self._core = ClientConnection(load.cache)
        self._body = b""
        self._received: list[bytes] = []
        self._size = 0
        self._fault = ""
        self._busy = False
        self._gone = False

    @property
    def reusable(self) -> bool:
        """
        Whether it can carry another request.
        """
        return not self._gone and self._core.reusable

    def send(self) -> None:
        """
        Send a request to some endpoint.
        """
        plan, chooser = self._load.plan, self._load.chooser
        self._body = chooser.randbytes(plan.size)
        self._received, self._size, self._fault, self._busy = [], 0, "", True
        lines = [
            b"Host: " + self._load.host,
            b"x-pico-endpoint: " + endpoint_name(chooser.randrange(plan.endpoints)).encode("ascii"),
        ]
        # Both are idempotent, so that the node may send them again as it would a browser's.
        head = self._core.send_request(b"PUT" if plan.size else b"GET", b"/", lines, length=plan.size)
        data = head + self._core.send_data(self._body) + self._core.send_end()
        cast(ITCPTransport, self.transport).write(data)

    def abort(self) -> None:
        """
        Drop it.
        """
        self._gone = True
        cast(ITCPTransport, self.transport).abortConnection()

    def dataReceived(self, data: bytes) -> None:
        """
        Take a part of the answer.
        """
        if not self._gone:
            self._take(self._core.receive_data(data))

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """
        The node has closed the connection.
        """
        if self._gone:
            return
        self._gone = True
        if self._busy:
            self._take(self._core.receive_eof())
        if self._busy:
            self._end("connection lost")
        else:
            self._client.lost(self)

    def _take(self, events: list[Event]) -> None:
        for event in events:
            if isinstance(event, ResponseHead):
                if not event.informational and event.status != 200:
                    self._fault = f"status {event.status}"
            elif isinstance(event, Data):
                # More than was sent is wrong already, and is not kept.
                self._size += len(event.data)
                if not self._fault and self._size <= len(self._body):
                    self._received.append(event.data)
            elif isinstance(event, EndOfMessage):
                if not self._fault and (self._size != len(self._body) or b"".join(self._received) != self._body):
                    self._fault = "wrong echo"
                self._end(self._fault)
            elif isinstance(event, Failed):
                self._end("connection lost" if self._gone else "malformed answer")

    def _end(self, fault: str) -> None:
        self._busy = False
        self._body = b""
        self._received.clear()
        self._client.answered(self, fault)


def why_not(reason: Failure) -> str:
    """
    Why there is no connection, in few words.
    """
    number = getattr(reason.value, "osError", None)
    if isinstance(number, int):
        text = os.strerror(number)
    else:
        text = reason.getErrorMessage().partition(":")[0].partition(".")[0]
    return text[:1].lower() + text[1:80]
