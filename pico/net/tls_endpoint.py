"""
Dialled connections that speak TLS.
"""

from __future__ import annotations

from typing import cast

import attrs
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import (
    IOpenSSLClientConnectionCreator,
    IProtocol,
    IProtocolFactory,
    IReactorTime,
    IStreamClientEndpoint,
)
from twisted.protocols.tls import TLSMemoryBIOFactory, TLSMemoryBIOProtocol
from zope.interface import implementer


@implementer(IStreamClientEndpoint)
@attrs.frozen
class TLSEndpoint:
    """
    Dials as another endpoint does, and speaks TLS on the connection.

    A connection is given away before the handshake; if that fails it is lost with the reason. This is Twisted's
    ``wrapClientTLS`` on a clock of one's own.

    :param below: makes the connection.
    :param tls: whom to trust, and who this is.
    :param clock: the reactor's.
    """

    _below: IStreamClientEndpoint
    _tls: IOpenSSLClientConnectionCreator
    _clock: IReactorTime

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[IProtocol]:  # noqa: N803 - Twisted's name
        """
        Dial once.
        """
        secured = TLSMemoryBIOFactory(self._tls, True, protocolFactory, self._clock)
        return self._below.connect(cast(IProtocolFactory, secured)).addCallback(_inner)


def _inner(protocol: IProtocol) -> IProtocol:
    return cast(TLSMemoryBIOProtocol, protocol).wrappedProtocol
