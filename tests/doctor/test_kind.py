"""
Tests for :mod:`pico.doctor.kind`.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from pico.doctor.kind import kind_of


class KindTests(SynchronousTestCase):
    """
    A node's configuration or an agent's?
    """

    def test_table(self) -> None:
        """
        The file tells it, else the environment; what both have tells nothing.
        """
        for text, variables, expected in (
            ("proxy: {timeout: 1s}", [], "server"),
            ("upstream: {}\nlog: {level: info}", [], "server"),
            ("drain_delay: 1s", [], "server"),
            ("listeners: []", [], "agent"),
            ("connect: {url: x}\ngrace_period: 1s", [], "agent"),
            ("log: {level: info}", [], ""),
            ("log: {level: info}", ["PICO_CONNECT__URL"], "agent"),
            ("", ["PICO_PROXY__BIND_ADDR", "HOME"], "server"),
            ("proxy: {}", ["PICO_CONNECT__URL"], "server"),
            ("proxy: {}\nlisteners: []", [], ""),
            ("", ["PICO_LOG__LEVEL", "PICO_PORT"], ""),
            ("", [], ""),
            ("{{{", [], ""),
        ):
            self.assertEqual(kind_of(text, variables), expected, (text, variables))
