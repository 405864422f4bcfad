"""
Tests of tunnels whose stream ids come to an end, through a whole node.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from pico.agent.events import AgentConnected
from pico.cluster.link import RETIRE
from pico.names import DEFAULT_TENANT, EndpointKey
from pico.server.service import NodeService
from tests.server.support import Service, World, request_bytes

_ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"


class UsedUpTests(SynchronousTestCase):
    """
    A node and an agent that knows no other one.
    """

    def setUp(self) -> None:
        """
        Start both.
        """
        self.world = World()
        self.node = self.world.node()
        self.service = Service()
        self.agent = self.world.agent(self.service)

    def post(self, body: bytes) -> bytes:
        """
        Send what must not be sent twice, which takes a stream of its own.

        :return: what the service has answered.
        """
        self.service.answer = b""
        client = self.world.ask(request_bytes("POST", "/", "x-pico-endpoint: e", body=body))
        (serving,) = [each for each in self.service.connections if each.received.endswith(body)]
        self.world.say(serving, _ANSWER)
        self.assertEqual(client.status, 200)
        return client.body

    def test_replaced(self) -> None:
        """
        Before the ids run out the agent makes another tunnel; no request fails meanwhile, and what the old one
        carries it brings to its end.
        """
        self.service.answer = b""
        slow = self.world.get("/slow")
        (serving,) = self.service.connections
        _leave(self.node, RETIRE + 3)
        for number in range(10):
            self.assertEqual(self.post(b"body %d" % number), b"hello")
            self.world.network.advance(0.3)
        connected = [each for each in self.world.events if isinstance(each, AgentConnected)]
        self.assertEqual(len(connected), 2)
        self.assertEqual(self.world.number("pico_upstreams_connected_upstreams"), 2)
        self.world.say(serving, _ANSWER)
        self.assertEqual((slow.status, slow.body), (200, b"hello"))
        self.world.network.advance(2)
        self.assertEqual(self.world.number("pico_upstreams_connected_upstreams"), 1)
        self.assertEqual(self.post(b"at last"), b"hello")
        self.assertEqual(self.world.number('pico_proxy_requests_total{method="POST",status="200"}'), 11)


def _leave(node: NodeService, ids: int) -> None:
    """
    Leave so many ids to the node's tunnel: using up the others would take two thousand million requests.
    """
    upstream = node._upstream_port._registry.choose(EndpointKey(DEFAULT_TENANT, "e"), ())
    assert upstream is not None and upstream.session is not None
    upstream.session._core._next_id += 2 * (upstream.session.ids_left - ids)
    assert upstream.session.ids_left == ids
