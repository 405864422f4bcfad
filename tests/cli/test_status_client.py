"""
Tests for :mod:`pico.cli.status_client`, as far as nobody needs to answer.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from pico.cli.status_client import parse_admin_url, printable, route


class URLTests(SynchronousTestCase):
    """
    Where an admin port is.
    """

    def test_urls(self) -> None:
        """
        With or without a scheme, a port, a path; IPv6 in brackets.
        """
        for text, shown in [
            ("http://localhost:8002", "http://localhost:8002"),
            ("localhost:8002", "http://localhost:8002"),
            ("localhost", "http://localhost"),
            ("https://Admin.example.com/pico/", "https://admin.example.com/pico"),
            ("http://[::1]:8002", "http://[::1]:8002"),
            ("[::1]:8002/", "http://[::1]:8002"),
        ]:
            self.assertEqual(str(parse_admin_url(text)), shown)

    def test_wrong_urls(self) -> None:
        """
        Everything else is refused, with what would be right; a password is not repeated.
        """
        for text in [
            "",
            "ftp://localhost",
            "http://",
            "http://localhost:x",
            "http://localhost:99999",
            "http://[::1",
            "http://localhost:8002?forward=x",
            "http://localhost#x",
            "http://user:secret@localhost",
            "http://local host",
            "http://localhost/\n",
            "http://localh\u00f6st",
        ]:
            error = self.assertRaises(ValueError, parse_admin_url, text)
            self.assertNotIn("secret", str(error))

    def test_routes(self) -> None:
        """
        Names may hold anything; arguments that were not given are left out.
        """
        self.assertEqual(route("status", "cluster", "nodes"), "/status/cluster/nodes")
        self.assertEqual(route("a", "../b?c/\u00e9"), "/a/..%2Fb%3Fc%2F%C3%A9")
        self.assertEqual(route("a", endpoint=None, limit=3), "/a?limit=3")
        self.assertEqual(route("a", endpoint="x &y"), "/a?endpoint=x+%26y")

    def test_printable(self) -> None:
        """
        Nothing that a terminal would take for a command goes through.
        """
        self.assertEqual(printable("a\x1b[2J\x9b\n\u00e9"), "a\ufffd[2J\ufffd\ufffd\u00e9")
