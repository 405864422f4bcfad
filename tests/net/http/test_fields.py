"""
Tests for :mod:`pico.net.http.fields`.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from pico.net.http.fields import wants_page
from tests.heads import request_head


class PageTests(SynchronousTestCase):
    """
    Browsers get pages, programs JSON.
    """

    def test_table(self) -> None:
        """
        Whoever names text/html gets a page, unless to exclude it.
        """
        for accept, page in (
            (b"text/html,application/xhtml+xml,*/*;q=0.8", True),
            (b"*/*;q=0.1, Text/HTML ;charset=utf-8;q=0.01", True),
            (b"text/html;q=0", False),
            (b"text/html; q=0.000, */*", False),
            (b"application/json", False),
            (b"*/*", False),
            (b"application/x-text/html", False),
            (b"", False),
        ):
            head = request_head(b"GET / HTTP/1.1\r\nHost: a\r\nAccept: " + accept + b"\r\n\r\n")
            self.assertEqual(wants_page(head.headers), page, accept)
