"""
What the HTTP protocols need of a transport.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from twisted.internet.interfaces import IConsumer, IProtocol, IPushProducer, ITransport
from twisted.protocols.policies import ProtocolWrapper
from zope.interface import Attribute


class IStreamTransport(ITransport, IConsumer, IPushProducer):
    """
    A byte stream with back-pressure both ways, half-close and abort: a TCP connection or a stream of a tunnel.
    """

    protocol = Attribute("The IProtocol that gets what is received; may be replaced at any time.")

    def loseWriteConnection() -> None:
        """
        End our side after what was written; the peer may go on sending.
        """

    def abortConnection() -> None:
        """
        Drop the connection at once, with whatever was not yet written.
        """


def hand_over(transport: IStreamTransport, protocol: IProtocol) -> None:
    """
    Give a transport another protocol, which registers its own producer if it wants to be one.
    """
    transport.unregisterProducer()
    if isinstance(transport, ProtocolWrapper):
        # TLS: its protocol is called otherwise.
        transport.wrappedProtocol = protocol
    else:
        transport.protocol = protocol
    protocol.makeConnection(transport)


#: Pieces below so many bytes are joined rather than written one by one.
JOINED: Final = 16_384


def write_all(transport: IStreamTransport, pieces: Sequence[bytes]) -> None:
    """
    Write several pieces, joined if they are small together.
    """
    if sum(map(len, pieces)) < JOINED:
        transport.write(b"".join(pieces))
    else:
        transport.writeSequence(pieces)
