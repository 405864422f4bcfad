"""
A node and an agent on one clock.
"""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from pico.config.server import ServerConfig
from pico.server.service import NodeService
from tests.server.support import Service, World, request_bytes

#: What an agent sends for an endpoint.
UPGRADE = (
    b"GET /pico/v1/upstream/%s HTTP/1.1\r\nHost: node\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\n\r\n"
)

#: A request for "e", and the whole of its response.
GET = request_bytes("GET", "/", "x-pico-endpoint: e")
WHOLE = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"


class LifeTestCase(SynchronousTestCase):
    """
    A node and an agent for "e", on one clock.
    """

    def setUp(self) -> None:
        """
        A world without them.
        """
        self.world = World()

    def begin(
        self, service: Service | None = None, *, drain_delay: float = 0.0, grace_period: float = 60.0
    ) -> NodeService:
        """
        Start both.
        """
        node = self.world.node(ServerConfig(drain_delay=drain_delay, grace_period=grace_period))
        self.service = service or Service()
        self.agent = self.world.agent(self.service)
        return node

    def stop(self, node: NodeService) -> Deferred[None]:
        """
        Ask it to stop, and let happen what happens at once.
        """
        stopped = node.stopService()
        assert stopped is not None
        self.world.network.pump()
        return stopped

    @property
    def open(self) -> list[int]:
        """
        The ports on which the node listens.
        """
        return sorted(self.world.host.ports)

    def assert_over(self, stopped: Deferred[None]) -> None:
        """
        The node has stopped, and when its agent has, too, nothing is left.
        """
        self.successResultOf(stopped)
        self.assertEqual(self.open, [])
        self.agent.stopService()
        self.world.network.advance(1)
        self.assertEqual(self.world.clock.getDelayedCalls(), [])
