"""
Tests for :mod:`pico.tunnel.endings`.
"""

from __future__ import annotations

import errno
import os

from twisted.internet.error import ConnectionAborted, ConnectionDone, ConnectionLost, TCPTimedOutError
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from pico.errors import RemoteProtocolError
from pico.tunnel.endings import why_ended


class WhyEndedTests(SynchronousTestCase):
    """
    The words for an end.
    """

    def test_table(self) -> None:
        """
        Each is a few words, and none is one of Twisted's sentences.
        """
        reset = ConnectionLost("x")
        reset.osError = errno.ECONNRESET  # type: ignore[attr-defined]  # as Twisted's transports set it
        for error, said in (
            (ConnectionDone(), "they closed it"),
            (ConnectionLost(), "the connection broke off"),
            (ConnectionLost("No sign of life."), "no sign of life"),
            (reset, os.strerror(errno.ECONNRESET).lower()[:1] + os.strerror(errno.ECONNRESET)[1:]),
            (ConnectionAborted(), "it was cut here"),
            (TCPTimedOutError(errno.ETIMEDOUT), "connection timed out"),
            (RemoteProtocolError(1, "unknown frame"), "unknown frame"),
        ):
            self.assertEqual(why_ended(Failure(error), "they closed it"), said)
