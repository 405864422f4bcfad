"""
Tests for :mod:`pico.cli.drain`; real nodes are drained by the system tests.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from pico.cli.drain import outcome_of


class OutcomeTests(SynchronousTestCase):
    """
    What is said of an order.
    """

    def test_outcomes(self) -> None:
        """
        How the node is now, whether that is new, and what it has still; nothing of it commands the terminal.
        """
        for answer, text in [
            ({"id": "n", "status": "leaving", "changed": True, "upstreams": 2}, "node n is leaving; it has 2 tunnels"),
            ({"id": "n", "status": "active", "upstreams": 1}, "node n is active, as before; it has 1 tunnel"),
            (
                {"id": "\x1b[2J", "status": "a\nb", "changed": True, "upstreams": "\x9b"},
                "node \N{REPLACEMENT CHARACTER}[2J is a\N{REPLACEMENT CHARACTER}b; it has "
                "\N{REPLACEMENT CHARACTER} tunnels",
            ),
            ([], "node  is , as before; it has  tunnels"),
        ]:
            self.assertEqual(outcome_of(answer), text)
