"""
Tests for :mod:`pico.client.said`.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from pico.client.said import error_in, shown


class SaidTests(SynchronousTestCase):
    """
    Words of a node, for people.
    """

    def test_errors(self) -> None:
        """
        The error of the one form in which nodes report them; nothing of any other body.
        """
        for body, text in [
            (b'{"error": "node is draining", "detail": "dial another node"}', "node is draining"),
            (b'{"error": "a\\u001b[2J\\nb"}', "a [2J b"),
            (b'{"error": 5}', ""),
            (b'{"detail": "x"}', ""),
            (b'["error"]', ""),
            (b"[" * 100_000, ""),
            (b"\xff", ""),
            (b"", ""),
        ]:
            self.assertEqual(error_in(body), text, body[:40])

    def test_long(self) -> None:
        """
        Nobody is shown more than a line or two.
        """
        self.assertEqual(len(shown("x" * 5000)), 200)
