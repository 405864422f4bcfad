"""
The errors that every room may raise or catch.

``str(error)`` is always a sentence meant for the person who has to act on it.
"""

from __future__ import annotations


class PicoError(Exception):
    """
    The root of every error that Pico raises on purpose.
    """


class ConfigError(PicoError):
    """
    A setting cannot be used; the text names the setting and says what to write instead.
    """


class ListenError(PicoError):
    """
    A port cannot be bound; the text names the address, the setting and the reason.
    """


class ProtocolError(PicoError):
    """
    Bytes or calls that a wire protocol does not allow.
    """


class LocalProtocolError(ProtocolError):
    """
    This program used a core against its rules: a bug of ours, never caught on the way up.
    """


class RemoteProtocolError(ProtocolError):
    """
    The peer broke the protocol.

    :param code: what the wire wants to hear about it: an HTTP status, a WebSocket close code or a yamux go-away
        code, depending on the core that made it.
    """

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


class TunnelError(PicoError):
    """
    A tunnel cannot do what was asked: it is closed, going away, full or out of stream ids.
    """


class TunnelBusy(TunnelError):
    """
    A tunnel takes no further stream until its other end has accepted some of those that wait.
    """
