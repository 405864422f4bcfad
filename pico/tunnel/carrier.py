"""
What carries a tunnel.
"""

from __future__ import annotations

from twisted.internet.interfaces import IConsumer, ITransport


class ICarrier(ITransport, IConsumer):
    """
    What a tunnel needs below it.
    """

    def abortConnection() -> None:
        """
        Drop the connection at once.
        """
