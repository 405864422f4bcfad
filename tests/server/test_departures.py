"""
Tests of agents that leave while requests are on their way to them from another node: whole nodes in memory.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tests.server.nodes import Nodes
from tests.server.support import Service, request_bytes

POST = request_bytes("POST", "/", "x-pico-endpoint: e", "Content-Length: 4") + b"\r\n\r\n"


class DepartureTests(SynchronousTestCase):
    """
    Two agents have dialled b, and a knows of them.
    """

    def setUp(self) -> None:
        """
        Start them.
        """
        self.world = Nodes()
        for name in "ab":
            self.world.start(name)
        self.agents = [self.world.agent_at("b", Service()) for _ in range(2)]
        self.world.tell("a", "b", upstreams=2)
        self.assertEqual(self.world.get_at("a").status, 200)

    def test_refused(self) -> None:
        """
        A request that an agent has refused because it leaves goes to the other one, also when it has been heard
        meanwhile that there is only one left.
        """
        network, b = self.world.network, self.world.nodes["b"].host
        hosts = [network.host(f"agent-{number}") for number in (1, 2)]
        for host in hosts:
            network.cut(host, b)
        clients = [self.world.client_of("a") for _ in range(2)]
        for client in clients:
            # The second goes to the other agent, which is less busy.
            self.world.say(client, POST)
        self.agents[0].stopService()
        self.world.tell("a", "b", upstreams=1)
        # With the next request a takes notice.
        clients.append(self.world.client_of("a"))
        self.world.say(clients[-1], POST)
        for host in hosts:
            network.heal(host, b)
        network.advance(1)
        self.assertEqual([client.status for client in clients], [200, 200, 200])
