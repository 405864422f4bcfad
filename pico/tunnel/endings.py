"""
Why a tunnel ended, in few words.
"""

from __future__ import annotations

from twisted.internet.error import ConnectionAborted, ConnectionDone, ConnectionLost
from twisted.python.failure import Failure

from pico.net.reasons import why


def why_ended(reason: Failure, closed: str) -> str:
    """
    Say what the loss of a tunnel's connection means: Twisted's own texts for an ordinary end are long, and sound
    alarming.

    :param closed: what to say when the other end closed it in good order.
    """
    if reason.check(ConnectionDone):
        return closed
    error = reason.value
    if reason.check(ConnectionAborted):
        return "it was cut here"
    if type(error) is ConnectionLost and getattr(error, "osError", None) is None:
        # As text it would say in front of its reason what it is.
        return why(Exception(*error.args)) if error.args else "the connection broke off"
    return why(error)
