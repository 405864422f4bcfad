"""
Tests for :mod:`pico.demo.signals`.
"""

from __future__ import annotations

import signal

from twisted.trial.unittest import SynchronousTestCase

from pico.demo.signals import Interruptions

_NUMBERS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_WISHES = (signal.SIGUSR1, signal.SIGUSR2)


class InterruptionsTests(SynchronousTestCase):
    def setUp(self) -> None:
        """
        Put the handlers back afterwards.
        """
        for number in (*_NUMBERS, *_WISHES):
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
        numbers = (*_NUMBERS, *_WISHES)
        before = [signal.getsignal(number) for number in numbers]
        with Interruptions():
            for number, handler in zip(numbers, before, strict=True):
                self.assertNotEqual(signal.getsignal(number), handler)
        self.assertEqual([signal.getsignal(number) for number in numbers], before)

    def test_nohup(self) -> None:
        """
        A program that was started to outlive its terminal does.
        """
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        with Interruptions() as interruptions:
            signal.raise_signal(signal.SIGHUP)
            self.assertEqual(interruptions.count, 0)

    def test_wishes(self) -> None:
        """
        Other signals are keys, each taken once, in order; a flood of them is bounded.
        """
        with Interruptions() as interruptions:
            signal.raise_signal(signal.SIGUSR1)
            signal.raise_signal(signal.SIGUSR2)
            self.assertEqual(interruptions.take(), "ks")
            self.assertEqual(interruptions.take(), "")
            for _ in range(100):
                signal.raise_signal(signal.SIGUSR1)
            self.assertEqual(len(interruptions.take()), 64)
            self.assertEqual(interruptions.count, 0)
