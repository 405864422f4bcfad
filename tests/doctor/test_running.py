"""
Tests for :mod:`pico.doctor.running`.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from pico.doctor.running import parse_node


class RunningTests(SynchronousTestCase):
    """
    A node that runs already.
    """

    def test_running(self) -> None:
        """
        A node is known by what it says of itself; what else answers on its port is not taken for one.
        """
        for body, expected in (
            (b'{"id": "n1", "proxy_addr": "x"}', "n1"),
            (b'{"id": "n1"}', ""),
            (b'{"id": 1, "proxy_addr": "x"}', ""),
            (b'{"id": "\\u001b[31m", "proxy_addr": "x"}', ""),
            (b"[]", ""),
            (b"{}", ""),
            (b"<html>", ""),
            (b"[" * 100_000, ""),
        ):
            self.assertEqual(parse_node(body), expected, body[:40])
