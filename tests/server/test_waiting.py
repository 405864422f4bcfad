"""
Tests of requests that wait for an upstream, in clusters in memory: the endpoint's agent goes, and what comes after it
is not known everywhere yet.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from pico.agent.service import AgentService
from tests.server.clusters import Clusters
from tests.server.support import UPSTREAM, Peer, Service, request_bytes


class WaitingTestCase(SynchronousTestCase):
    """
    Three nodes; an agent has dialled b, and all know of it.
    """

    def setUp(self) -> None:
        """
        Start them.
        """
        self.world = Clusters()
        self.world.start_all("a", "b", "c")
        self.service = Service()
        self.agent = self.world.agent_at("b", self.service)
        self.world.network.advance(1)

    def replace(self, node: str) -> AgentService:
        """
        Let another agent of the endpoint dial a node, and end the first one at once.
        """
        new = self.world.agent_at(node, self.service)
        self.agent.stopService()
        self.world.network.pump()
        return new

    def cut(self) -> None:
        """
        Cut the agent's connection, as a network does.
        """
        b = self.world.nodes["b"].host
        for pipe in list(self.world.network.pipes):
            for end in (pipe.left, pipe.right):
                if end.getHost().host == b.address and end.getHost().port == UPSTREAM:
                    end.abortConnection()
        self.world.network.pump()

    def ask_all(self, method: str = "GET") -> list[Peer]:
        """
        Ask each node.
        """
        body = b"body" if method == "POST" else b""
        request = request_bytes(method, "/", "x-pico-endpoint: e", body=body)
        return [self.world.ask_at(node, request) for node in "abc"]

    def statuses(self, clients: list[Peer]) -> list[int]:
        """
        What they were answered; 0 for nothing yet.
        """
        return [client.status for client in clients]


class SuccessorTests(WaitingTestCase):
    """
    An agent whose place another one takes.
    """

    def test_elsewhere(self) -> None:
        """
        While others do not know yet that the successor is at another node, requests wait for that; where it is, and
        where nobody is asked in vain, they do not.
        """
        self.replace("c")
        clients = self.ask_all()
        self.assertEqual(self.statuses(clients), [0, 0, 200])
        self.world.network.advance(0.5)
        self.assertEqual([client.body for client in clients], [b"hello"] * 3)
        self.assertEqual([self.world.number_at(node, _FOUND) for node in "abc"], [1, 1, 0])

    def test_refused_at_once(self) -> None:
        """
        It is the node that the client has reached that waits; another one that is asked says at once that it has none.
        """
        self.replace("c")
        self.world.get_at("a")
        refusals = 'pico_cluster_link_answers_total{direction="in",verdict="no_endpoint"}'
        self.assertEqual(self.world.number_at("b", refusals), 1)
        self.assertEqual(
            [self.world.number_at(node, "pico_proxy_waiting_requests") for node in "abc"],
            [1, 0, 0],
        )

    def test_same_node(self) -> None:
        """
        An agent that comes back to its node, so fast that others hear of both at once, is found there.
        """
        self.agent.stopService()
        self.world.network.advance(0.001)
        clients = self.ask_all()
        self.assertEqual(self.statuses(clients), [0, 0, 0])
        self.world.agent_at("b", self.service)
        self.world.network.advance(0.001)
        self.assertEqual(self.statuses(clients), [0, 200, 0])
        self.world.network.advance(0.5)
        self.assertEqual(self.statuses(clients), [200] * 3)

    def test_none(self) -> None:
        """
        If there is no successor the answer is the usual one, and soon comes at once.
        """
        self.agent.stopService()
        self.world.network.pump()
        clients = self.ask_all()
        self.world.network.advance(0.8)
        self.assertEqual(self.statuses(clients), [0] * 3)
        # Two nodes are told of it a moment after the other one.
        self.world.network.advance(0.8)
        for client in (*clients, *self.ask_all()):
            self.assertEqual((client.status, client.error), (502, "no available upstreams"))

    def test_told(self) -> None:
        """
        A node that has heard that the endpoint is gone waits as one does that has not.
        """
        self.agent.stopService()
        self.world.network.advance(0.5)
        self.assertEqual(self.world.holders("a", "e"), ())
        clients = self.ask_all()
        self.assertEqual(self.statuses(clients), [0, 0, 0])
        self.world.agent_at("c", self.service)
        self.world.network.advance(0.4)
        self.assertEqual(self.statuses(clients), [200] * 3)

    def test_stranger(self) -> None:
        """
        Who asks for another endpoint meanwhile is told at once that it is not there.
        """
        self.replace("c")
        for node in "abc":
            self.assertEqual(self.world.get_at(node, endpoint="other").status, 502)


class LostTests(WaitingTestCase):
    """
    Tunnels and nodes that are gone without a word.
    """

    def test_cut(self) -> None:
        """
        A tunnel that broke is dialled again, and requests wait for it, whatever the method.
        """
        for method in ("GET", "POST"):
            self.service.answer = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello" if method == "GET" else b""
            self.cut()
            clients = self.ask_all(method)
            self.assertEqual(self.statuses(clients), [0, 0, 0])
            self.world.network.advance(0.9)
            for connection in self.service.connections:
                if method == "POST" and connection.received.endswith(b"body"):
                    connection.transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
            self.world.network.pump()
            self.assertEqual(self.statuses(clients), [200] * 3)
            self.world.network.advance(10)
        self.assertEqual(self.service.received.count(b"POST / "), 3)

    def test_node_killed(self) -> None:
        """
        When a node is killed, requests for what only it had wait for agents to dial another one.
        """
        self.world.kill("b")
        clients = [self.world.get_at(node) for node in "ac"]
        self.world.network.advance(0.2)
        self.assertEqual(self.statuses(clients), [0, 0])
        self.world.agent_at("c", self.service)
        self.world.network.advance(0.5)
        self.assertEqual(self.statuses(clients), [200, 200])


class StoppedTests(WaitingTestCase):
    """
    A node that ends while requests wait at it.
    """

    def test_stopped(self) -> None:
        """
        They are answered before it ends, and nothing is left of it.
        """
        self.agent.stopService()
        self.world.network.pump()
        client = self.world.get_at("a")
        stopped = self.world.nodes["a"].service.stopService()
        assert stopped is not None
        self.world.network.advance(0.5)
        self.assertEqual(client.status, 0)
        self.assertNoResult(stopped)
        self.world.network.advance(2)
        self.assertEqual(client.status, 502)
        self.assertIn(b"\r\nConnection: close", client.head)
        self.successResultOf(stopped)

    def test_hurried(self) -> None:
        """
        A node that is to end at once drops them.
        """
        self.agent.stopService()
        self.world.network.pump()
        client = self.world.get_at("b")
        for _ in range(2):
            self.world.nodes["b"].service.stopService()
            self.world.network.pump()
        self.assertIsNotNone(client.lost)


_FOUND = 'pico_proxy_waits_total{outcome="found"}'
