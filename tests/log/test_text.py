"""
Tests for :mod:`pico.log.text`.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from pico.log.text import COMPLETE, request_text, tenths


class TextTests(SynchronousTestCase):
    """
    The line of a request.
    """

    def test_tenths(self) -> None:
        """
        Numbers have one digit behind the point, rounded.
        """
        for value, text in (
            (0.0, "0.0"),
            (0.04, "0.0"),
            (0.06, "0.1"),
            (1.96, "2.0"),
            (250.0, "250.0"),
            (1e9, "1000000000.0"),
        ):
            self.assertEqual(text, tenths(value))
            self.assertEqual(f"{value:.1f}", tenths(value))

    def test_usual(self) -> None:
        """
        What there is nothing to say of is left out, or a dash where a column would be missing.
        """
        self.assertEqual(
            "GET / 200 web 10.0.0.1 1.2ms 33B id=r",
            request_text("GET", "/", 200, "web", "10.0.0.1", 0.00123, 33, 0, COMPLETE, "r", None, None),
        )
        self.assertEqual(
            "GET / 400 - - 0.0ms 0B", request_text("GET", "/", 400, "", "", 0.0, 0, 0, COMPLETE, "", None, None)
        )

    def test_unusual(self) -> None:
        """
        Retries, failures and headers stand behind; nothing in them leaves the line.
        """
        self.assertEqual(
            r"GET /\x0a 502 web c 10.0ms 5B retries=2 (lost) id=r <accept: a <accept: b >server: \x1b",
            request_text(
                "GET", "/\n", 502, "web", "c", 0.01, 5, 2, "lost", "r", {"accept": ["a", "b"]}, {"server": ["\x1b"]}
            ),
        )
