"""
Tests for :mod:`pico.agent.port`, with questions as bytes.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from pico.agent.endpoints import Endpoints
from pico.agent.port import make_agent_site
from pico.metrics import Metrics
from pico.testing import MemoryNetwork
from tests.admin.support import ask, serve
from tests.agent.test_endpoints import FakeTunnel


class AgentPortTests(SynchronousTestCase):
    """
    The port of an agent with two endpoints.
    """

    def setUp(self) -> None:
        self.network = MemoryNetwork()
        self.endpoints = Endpoints()
        self.first, self.second = self.endpoints.add("e", 0.0), self.endpoints.add("f", 0.0)
        metrics = Metrics()
        metrics.counter("pico_a", "A.")
        clock = self.network.clock
        serve(self.network, make_agent_site(self.endpoints, metrics, clock=clock, time_of_day=clock.seconds))

    def test_ready(self) -> None:
        """
        503 until each endpoint has had a tunnel for a second; the body says which has and why one has not.
        """
        tunnel = FakeTunnel()
        self.first.got(tunnel, "n1", [tunnel], 10.0)
        self.second.lost("cannot connect to http://node:8001: connection refused", [], 20.0)
        answer = ask(self.network, "/ready")
        first = {
            "endpoint": "e",
            "connected": True,
            "since": "1970-01-01T00:00:10Z",
            "connections": 1,
            "tunnels": [{"node": "n1", "since": "1970-01-01T00:00:10Z"}],
            "last_error": None,
            "last_error_at": None,
        }
        second = {
            "endpoint": "f",
            "connected": False,
            "since": "1970-01-01T00:00:00Z",
            "connections": 1,
            "tunnels": [],
            "last_error": "cannot connect to http://node:8001: connection refused",
            "last_error_at": "1970-01-01T00:00:20Z",
        }
        self.assertEqual((answer.status, answer.json), (503, {"status": "not ready", "endpoints": [first, second]}))
        self.network.clock.advance(30.0)
        self.second.got(tunnel, "", [tunnel], 30.0)
        self.network.clock.advance(0.9)
        self.assertEqual(ask(self.network, "/ready").status, 503)
        self.network.clock.advance(0.1)
        answer = ask(self.network, "/ready")
        since = "1970-01-01T00:00:30Z"
        second.update(connected=True, since=since, tunnels=[{"node": None, "since": since}])
        self.assertEqual((answer.status, answer.json), (200, {"status": "ready", "endpoints": [first, second]}))
        self.endpoints.stopping = True
        self.assertEqual(ask(self.network, "/ready").status, 503)

    def test_routes(self) -> None:
        """
        Health whatever happens, metrics in both formats, and nothing else.
        """
        self.assertEqual(ask(self.network, "/health").status, 200)
        self.assertIn(b"pico_a_total 0.0\n", ask(self.network, "/metrics").body)
        open_metrics = ask(self.network, "/metrics", "GET", "Accept: application/openmetrics-text")
        self.assertTrue(open_metrics.body.endswith(b"# EOF\n"))
        answer = ask(self.network, "/status/cluster/nodes")
        self.assertEqual(
            (answer.status, answer.json),
            (404, {"error": "not found", "detail": "there are /health, /ready, /metrics"}),
        )
