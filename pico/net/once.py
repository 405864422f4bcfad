"""
The factory of a connection that is dialled once.
"""

from __future__ import annotations

from twisted.internet.interfaces import IAddress, IProtocol, IProtocolFactory
from zope.interface import implementer


@implementer(IProtocolFactory)
class Once:
    """
    Gives the one protocol of a connection.
    """

    def __init__(self, protocol: IProtocol) -> None:
        self._protocol = protocol

    def buildProtocol(self, addr: IAddress | None) -> IProtocol | None:
        """
        Give it.
        """
        return self._protocol

    def doStart(self) -> None:
        """
        Nothing to do.
        """

    def doStop(self) -> None:
        """
        Nothing to do.
        """
