"""
Tests for :mod:`pico.bench.uncounted`.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from pico.bench.configs import server_command
from pico.bench.uncounted import flags_in
from pico.config.load import load
from pico.config.server import ServerConfig


class FlagsTests(SynchronousTestCase):
    def test_command(self) -> None:
        """
        It understands the command line with which the benchmark starts every node.
        """
        command = server_command((), proxy=1, upstream=2, admin=3)
        config = load(ServerConfig, flags=flags_in(command)).config
        self.assertEqual(
            ("127.0.0.1:1", "127.0.0.1:2", "127.0.0.1:3", True),
            (
                config.proxy.bind_addr,
                config.upstream.bind_addr,
                config.admin.bind_addr,
                config.proxy.access_log.disable,
            ),
        )
        logged = load(ServerConfig, flags=flags_in(server_command((), proxy=1, upstream=2, admin=3, log="x"))).config
        self.assertEqual(("x", False), (logged.log.path, logged.proxy.access_log.disable))
