"""
Tests for :mod:`pico.gossip.rates`.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from pico.gossip.rates import Rates


class RatesTests(SynchronousTestCase):
    """
    How much of an address is heard.
    """

    def test_one_address(self) -> None:
        """
        So many in a second, and then the next second.
        """
        rates = Rates(3, 10)
        self.assertEqual([True, True, True, False, False], [rates.allow("a", 5.0 + each / 10) for each in range(5)])
        self.assertTrue(rates.allow("b", 5.9))
        self.assertTrue(rates.allow("a", 6.0))

    def test_many_addresses(self) -> None:
        """
        When very many addresses write, those that are known are heard on.
        """
        rates = Rates(3, 2)
        rates.know({"friend"})
        heard = [rates.allow(host, 5.0) for host in ("a", "b", "c", "friend", "friend", "a")]
        self.assertEqual([True, True, False, True, True, True], heard)
        self.assertTrue(rates.allow("c", 6.0))
