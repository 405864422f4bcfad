"""
Tests for :mod:`pico.config.files`.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from pico.config.agent import AgentConfig, HTTPClient, ListenerConfig
from pico.config.files import BESIDES, files_of_agent, files_of_node
from pico.config.server import Admin, Proxy, ProxyHTTP, ServerConfig, Upstream


class FilesTests(SynchronousTestCase):
    """
    How many are needed at most.
    """

    def test_node(self) -> None:
        """
        Everything that may be connected counts.
        """
        config = ServerConfig(
            proxy=Proxy(http=ProxyHTTP(max_connections=1000)),
            upstream=Upstream(max_tunnels=200, max_handshakes=30),
            admin=Admin(max_connections=4),
        )
        self.assertEqual(files_of_node(config).count, 1234 + BESIDES)

    def test_agent(self) -> None:
        """
        So do an agent's tunnels, and what it keeps of connections to its services.
        """
        listeners = tuple(ListenerConfig(endpoint_id=name, http_client=HTTPClient(max_idle_conns=10)) for name in "ab")
        self.assertEqual(files_of_agent(AgentConfig(listeners=listeners)).count, 22 + BESIDES)
