"""
Two nodes in memory of which one reaches the other over a link.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tests.server.nodes import Nodes
from tests.server.support import Peer, Service, request_bytes

#: What a service says.
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"


class LinksTestCase(SynchronousTestCase):
    """
    Two nodes; an agent has dialled b, and a knows of it. When a test is over everything is stopped, and nothing may be
    left that waits for its time.
    """

    def setUp(self) -> None:
        """
        Start them.
        """
        self.world = Nodes()
        self.service = Service()
        for name in "ab":
            self.world.start(name)
        self.agent = self.world.agent_at("b", self.service)
        self.world.tell("a", "b")

    def tearDown(self) -> None:
        """
        Stop everything.
        """
        self.world.end()
        self.assertEqual([str(call) for call in self.world.clock.getDelayedCalls()], [])

    def speak(self) -> None:
        """
        From here on a test speaks for the service.
        """
        self.service.answer = b""

    @property
    def connection(self) -> Peer:
        """
        The newest connection to the service.
        """
        return self.service.connections[-1]

    def post(self, node: str, body: bytes, *lines: str) -> Peer:
        """
        Send a body.
        """
        return self.world.ask_at(node, request_bytes("POST", "/", "x-pico-endpoint: e", *lines, body=body))

    def answers(self, node: str, verdict: str, direction: str = "out") -> float:
        """
        How many streams were answered so.
        """
        name = f'pico_cluster_link_answers_total{{direction="{direction}",verdict="{verdict}"}}'
        return self.world.number_at(node, name)
