"""
Tests for :mod:`pico.server.amounts`.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from pico.server.amounts import amount


class AmountTests(SynchronousTestCase):
    """
    Numbers with their nouns.
    """

    def test_plural(self) -> None:
        """
        Of all but one there are several.
        """
        for number, what, text in [
            (0, "request", "0 requests"),
            (1, "request", "1 request"),
            (2, "stream of other nodes", "2 streams of other nodes"),
        ]:
            self.assertEqual(amount(number, what), text)
