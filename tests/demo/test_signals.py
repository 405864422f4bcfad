"""
Tests for :mod:`pico.demo.signals`.
"""

from __future__ import annotations

import signal

from twisted.trial.unittest import SynchronousTestCase

from pico.demo.signals import Interruptions

_NUMBERS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class InterruptionsTests(SynchronousTestCase):
    def setUp(self) -> None:
        """
        Put the handlers back afterwards.
        """
        for number in _NUMBERS:
            self.addCleanup(signal.signal, number, signal.getsignal(number))

    def test_counts(self) -> None:
        """
        Each of the signals is counted and ends nothing.
        """
        with Interruptions() as interruptions:
            for number in _NUMBERS:
                signal.raise_signal(number)
            self.assertEqual(interruptions.count, 3)

    def test_restores(self) -> None:
        """
        Afterwards the signals mean what they meant before.
        """
        before = [signal.getsignal(number) for number in _NUMBERS]
        with Interruptions():
            self.assertNotEqual([signal.getsignal(number) for number in _NUMBERS], before)
        self.assertEqual([signal.getsignal(number) for number in _NUMBERS], before)

    def test_nohup(self) -> None:
        """
        A program that was started to outlive its terminal does.
        """
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        with Interruptions() as interruptions:
            signal.raise_signal(signal.SIGHUP)
            self.assertEqual(interruptions.count, 0)
