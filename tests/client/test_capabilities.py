"""
Tests for :mod:`pico.client.capabilities`.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from pico.client.capabilities import OFFERED, agreed, offer
from pico.names import GO_AWAY

#: As it may be one day.
MANY = frozenset({"go-away", "half-close", "preamble"})


class CapabilitiesTests(SynchronousTestCase):
    """
    Offer and agreement.
    """

    def test_only_what_is_there(self) -> None:
        """
        Nothing is offered that this side does not do.
        """
        self.assertEqual({GO_AWAY}, OFFERED)
        self.assertEqual(b"x-pico-capabilities: go-away", offer())

    def test_offer(self) -> None:
        """
        Several are one line, in the same order each time.
        """
        self.assertEqual(b"x-pico-capabilities: go-away, half-close, preamble", offer(MANY))

    def test_agreed(self) -> None:
        """
        What both sides name holds; unknown words, and words that were not offered, do not.
        """
        for value, expected in {
            b"": set(),
            b"go-away": {"go-away"},
            b" Go-Away ,,half-close": {"go-away", "half-close"},
            b"teleport, preamble": {"preamble"},
            b"go-away;x": set(),
            b"\xff": set(),
        }.items():
            self.assertEqual(expected, agreed(value, MANY))
        self.assertEqual({GO_AWAY}, agreed(b"half-close, go-away"))
