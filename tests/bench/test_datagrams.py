"""
Tests for :mod:`pico.bench.datagrams`.
"""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.internet.testing import FakeDatagramTransport
from twisted.trial.unittest import SynchronousTestCase

from pico.bench.datagrams import Thrower


class ThrowerTests(SynchronousTestCase):
    def test_pause(self) -> None:
        """
        What is caught is counted at once, and thrown back to where it came from when the process has slept.
        """
        clock, transport = Clock(), FakeDatagramTransport()
        caught: list[None] = []
        thrower = Thrower(clock, lambda: caught.append(None))
        thrower.makeConnection(transport)
        thrower.datagramReceived(b"ball", ("127.0.0.1", 9))
        self.assertEqual((caught, transport.written), ([None], []))
        clock.advance(0.002)
        self.assertEqual(transport.written, [(b"ball", ("127.0.0.1", 9))])
