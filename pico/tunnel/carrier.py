"""
What carries a tunnel.
"""

from __future__ import annotations

from collections.abc import Iterable

from twisted.internet.interfaces import IConsumer, ITransport


class ICarrier(ITransport, IConsumer):
    """
    What a tunnel needs below it.
    """

    def writeSequence(data: Iterable[bytes | memoryview]) -> None:
        """
        Send several pieces; memoryviews are of bytes.
        """

    def abortConnection() -> None:
        """
        Drop the connection at once.
        """
