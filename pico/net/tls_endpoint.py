"""
Dialled connections that speak TLS.
"""

from __future__ import annotations

from typing import cast

import attrs
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.error import TimeoutError as ConnectTimeout
from twisted.internet.interfaces import (
    IAddress,
    IHandshakeListener,
    IOpenSSLClientConnectionCreator,
    IProtocol,
    IProtocolFactory,
    IReactorTime,
    IStreamClientEndpoint,
)
from twisted.internet.protocol import Protocol, connectionDone
from twisted.protocols.tls import TLSMemoryBIOFactory, TLSMemoryBIOProtocol
from twisted.python.failure import Failure
from zope.interface import implementer

from pico.errors import PicoError
from pico.net.http.transport import IStreamTransport, hand_over
from pico.net.reasons import why


class TLSFailed(PicoError):
    """
    There is a connection, but no TLS on it, or not with whom it should be.
    """


@implementer(IStreamClientEndpoint)
@attrs.frozen
class TLSEndpoint:
    """
    Dials as another endpoint does, and speaks TLS on the connection.

    Unlike with Twisted's ``wrapClientTLS`` a connection is given away when the handshake is complete. So whoever gets
    one knows whom it is with, and whoever does not has certainly sent nothing: the attempt fails with
    :class:`TLSFailed`.

    :param below: makes the connection.
    :param tls: whom to trust, and who this is.
    :param clock: the reactor's.
    :param timeout: seconds for the connection and the handshake, after which the attempt fails with
        :class:`twisted.internet.error.TimeoutError`.
    """

    _below: IStreamClientEndpoint
    _tls: IOpenSSLClientConnectionCreator
    _clock: IReactorTime
    _timeout: float = 30.0

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[IProtocol]:  # noqa: N803 - Twisted's name
        """
        Dial once.
        """
        secured = TLSMemoryBIOFactory(self._tls, True, _Handshakes(protocolFactory), self._clock)
        dialled: Deferred[IProtocol] = self._below.connect(cast(IProtocolFactory, secured)).addCallback(_completed)
        dialled.addTimeout(self._timeout, self._clock, _timed_out)
        return dialled


@implementer(IHandshakeListener)
class _Handshake(Protocol):
    """
    Holds the place of a connection's protocol until the handshake is complete.

    :ivar done: fires with that protocol; cancelling it drops the connection.
    """

    def __init__(self, factory: IProtocolFactory, address: IAddress) -> None:
        self._factory = factory
        self._address = address
        self.done: Deferred[IProtocol] = Deferred(self._cancelled)

    def handshakeCompleted(self) -> None:
        """
        Let the protocol have its place.
        """
        protocol = self._factory.buildProtocol(self._address)
        if self.done.called:
            return
        if protocol is None:
            self._stream().abortConnection()
            self.done.errback(TLSFailed("nobody wants the connection"))
            return
        hand_over(self._stream(), protocol)
        self.done.callback(protocol)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """
        There was no end of the handshake.
        """
        if not self.done.called:
            closed = reason.check(ConnectionDone, ConnectionLost)
            self.done.errback(TLSFailed("it closed the connection" if closed else why(reason.value)))

    def _cancelled(self, _: Deferred[IProtocol]) -> None:
        self._stream().abortConnection()

    def _stream(self) -> IStreamTransport:
        return cast(IStreamTransport, self.transport)


@implementer(IProtocolFactory)
@attrs.frozen
class _Handshakes:
    """
    Makes what stands in for the protocols of another factory.
    """

    _factory: IProtocolFactory

    def buildProtocol(self, addr: IAddress) -> IProtocol | None:
        return cast(IProtocol, _Handshake(self._factory, addr))

    def doStart(self) -> None:
        self._factory.doStart()

    def doStop(self) -> None:
        self._factory.doStop()


def _completed(protocol: IProtocol) -> Deferred[IProtocol] | IProtocol:
    inner = cast(TLSMemoryBIOProtocol, protocol).wrappedProtocol
    return inner.done if isinstance(inner, _Handshake) else inner


def _timed_out(_: object, seconds: float) -> Failure:
    return Failure(ConnectTimeout(string=f"no TLS connection within {seconds:g}s"))
