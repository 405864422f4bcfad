"""
Tests for :mod:`pico.demo.balancer`. How it carries bytes is shown with the real program, by the system tests.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from pico.demo.balancer import Route, parse_routes


class ParseRoutesTests(SynchronousTestCase):
    def test_routes(self) -> None:
        """
        Each argument is a port and those behind it.
        """
        self.assertEqual(
            parse_routes(["8000=127.0.1.1:1,127.0.1.2:2", "8001=127.0.0.1:4"]),
            [Route(8000, (("127.0.1.1", 1), ("127.0.1.2", 2))), Route(8001, (("127.0.0.1", 4),))],
        )

    def test_refused(self) -> None:
        """
        Anything else is not guessed at.
        """
        for arguments in (
            [],
            ["8000"],
            ["8000="],
            ["=1.1.1.1:1"],
            ["8000=1"],
            ["8000=1.1.1.1:1,"],
            ["8000=1.1.1.1:1", "x"],
            ["8000=a:1"],
            ["8000=1.1.1.1:1 "],
        ):
            with self.assertRaises(ValueError) as caught:
                parse_routes(arguments)
            self.assertIn("usage: ", str(caught.exception))
