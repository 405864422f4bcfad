"""
A node and an agent in one memory, as operators see them.
"""

from __future__ import annotations

import random

from twisted.internet.protocol import Factory, ServerFactory
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from pico import __version__
from pico.agent.service import AgentService, make_agent
from pico.config.agent import AgentConfig, AgentServer, Connect, ListenerConfig
from pico.config.server import Admin, AdminMetrics, Cluster, Proxy, ProxyHTTP, ServerConfig, Upstream
from pico.errors import ListenError
from pico.interfaces import ITunnels
from pico.net.ports import make_client_endpoint
from pico.server.node import make_server
from pico.server.service import NodeService
from pico.testing import MemoryNetwork, RecordingProtocol
from pico.upstream.port import UpstreamPort
from tests.admin.support import Answer, ask

_PIKO_UPGRADE = (
    b"GET /piko/v1/upstream/e HTTP/1.1\r\nHost: node\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"x-pico-version: 9\x80\x9b\xe9" + b"9" * 200 + b"\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\n\r\n"
)


class _Service(RecordingProtocol):
    """
    Answers every request.
    """

    def dataReceived(self, data: bytes) -> None:
        super().dataReceived(data)
        assert self.transport is not None
        self.transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello")


class StatusTests(SynchronousTestCase):
    """
    Requests go through both, then both are asked.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.clock.advance(1_000_000)
        self.network = MemoryNetwork(self.clock)
        self.node = self.start_node()
        factory = ServerFactory()
        factory.protocol = _Service
        self.agent_host = self.network.host("agent")
        self.agent_host.listenTCP(4000, factory)
        self.agent = self.make_agent()
        self.agent.privilegedStartService()
        self.agent.startService()
        self.network.pump()

    def start_node(self) -> NodeService:
        """
        A node called "n1", with narrow limits.
        """
        host = self.network.host("node")
        config = ServerConfig(
            cluster=Cluster(node_id="n1"),
            proxy=Proxy(http=ProxyHTTP(max_body_bytes=10)),
            upstream=Upstream(max_tunnels=3),
            admin=Admin(max_connections=2, metrics=AdminMetrics(max_endpoints=1, keep=30.0)),
        )
        node = make_server(config, host, clock=host, chooser=random.Random(1))
        node.privilegedStartService()
        node.startService()
        return node

    def make_agent(self) -> AgentService:
        """
        An agent for "e", with a port of its own.
        """
        return make_agent(
            AgentConfig(
                connect=Connect(url=("http://node:8001",)),
                listeners=(ListenerConfig(endpoint_id="e", addr="4000"),),
                server=AgentServer(enabled=True),
            ),
            self.agent_host,
            clock=self.agent_host,
            on_event=lambda event: None,
            chooser=random.Random(1),
            time_of_day=self.clock.seconds,
        )

    def tearDown(self) -> None:
        for service in (self.agent, self.node):
            if service.running:
                service.stopService()
        self.network.advance(100)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def connect(self, port: int, data: bytes) -> RecordingProtocol:
        """
        Connect to the node and send something.
        """
        connecting = make_client_endpoint(self.network.host("client"), "node", port).connect(
            Factory.forProtocol(RecordingProtocol)
        )
        self.network.pump()
        client = self.successResultOf(connecting)
        assert isinstance(client, RecordingProtocol) and client.transport is not None
        client.transport.write(data)
        self.network.pump()
        return client

    def get(self, endpoint: bytes = b"e", target: bytes = b"/") -> bytes:
        """
        Send a request through the tunnel.
        """
        request = b"GET " + target + b" HTTP/1.1\r\nHost: " + endpoint + b".test\r\nConnection: close\r\n\r\n"
        return self.connect(8000, request).received

    def ask_node(self, path: str) -> Answer:
        """
        Ask the node's port for operators.
        """
        return ask(self.network, path)

    def ask_agent(self, path: str) -> Answer:
        """
        Ask the agent's.
        """
        return ask(self.network, path, host="agent", port=5000)

    def numbers(self, answer: Answer) -> dict[str, float]:
        """
        The metrics of an answer, as they are written there.
        """
        lines = [line.rpartition(" ") for line in answer.body.decode().splitlines() if not line.startswith("#")]
        return {name: float(value) for name, _, value in lines}

    def test_tunnel(self) -> None:
        """
        A tunnel is listed with its agent and what it has carried.
        """
        for _ in range(3):
            self.assertIn(b"hello", self.get())
        self.clock.advance(5)
        told = self.ask_node("/status/upstream/tunnels").json
        assert isinstance(told, dict)
        (tunnel,) = told["tunnels"]
        self.assertEqual(told["total"], 1)
        for name, value in {
            "id": 1,
            "endpoint": "e",
            "status": "active",
            "agent_version": __version__,
            "capabilities": ["go-away"],
            "streams": 1,
            "idle_streams": 1,
            "in_flight": 0,
            "requests": 3,
        }.items():
            self.assertEqual(tunnel[name], value, name)
        self.assertRegex(tunnel["agent_addr"], r"^agent:\d+$|^[0-9.]+:\d+$")
        self.assertNotIn("tenant", tunnel)
        # The preface of a request and of an answer are more than a frame's head.
        self.assertGreater(tunnel["bytes_received"], 150)
        self.assertGreater(tunnel["bytes_sent"], 150)

    def test_strangers_tunnel(self) -> None:
        """
        An agent that says little is listed with little, and what it says is safe to show.
        """
        stranger = self.connect(8001, _PIKO_UPGRADE)
        self.assertIn(b" 101 ", stranger.received)
        told = self.ask_node("/status/upstream/tunnels?endpoint=e&after=1").json
        assert isinstance(told, dict)
        (tunnel,) = told["tunnels"]
        self.assertEqual((told["total"], tunnel["id"], tunnel["capabilities"]), (2, 2, []))
        self.assertEqual(tunnel["agent_version"], "9\xe9" + "9" * 60)
        for query, ids in [("limit=1", [1]), ("endpoint=x", []), ("after=2", []), ("", [1, 2])]:
            told = self.ask_node(f"/status/upstream/tunnels?{query}").json
            assert isinstance(told, dict)
            self.assertEqual([each["id"] for each in told["tunnels"]], ids)

    def test_leaving(self) -> None:
        """
        A tunnel on its way out is said to be.
        """
        request = b"GET / HTTP/1.1\r\nHost: e.test\r\nContent-Length: 5\r\n\r\n"
        self.connect(8000, request)
        self.agent.stopService()
        self.network.pump()
        told = self.ask_node("/status/upstream/tunnels").json
        assert isinstance(told, dict)
        self.assertEqual([each["status"] for each in told["tunnels"]], ["leaving"])
        self.assertEqual(self.ask_node("/status/upstream/endpoints").json, {})

    def test_node_metrics(self) -> None:
        """
        What the node has carried, what it refused, and what it is.
        """
        for _ in range(3):
            self.get()
        self.get(b"nobody")
        self.get(target=b"/_pico/x")
        self.connect(8001, b"GET / HTTP/1.1\r\nHost: node\r\n\r\n")
        numbers = self.numbers(self.ask_node("/metrics"))
        for name, value in {
            'pico_proxy_requests_total{status="200",method="GET"}': 3,
            'pico_proxy_requests_total{status="502",method="GET"}': 1,
            'pico_proxy_failures_total{reason="no backend"}': 1,
            'pico_proxy_refused_requests_total{reason="path"}': 1,
            'pico_proxy_refused_requests_total{reason="method"}': 0,
            "pico_proxy_requests_in_flight": 0,
            "pico_proxy_connections": 0,
            "pico_upstreams_connected_upstreams": 1,
            "pico_upstreams_registered_endpoints": 1,
            "pico_upstreams_upstream_requests_total": 3,
            "pico_upstreams_accepted_total": 1,
            'pico_upstreams_refused_total{status="404",reason="path"}': 1,
            "pico_upstreams_streams": 1,
            "pico_upstreams_streams_opened_total": 1,
            "pico_upstreams_pool_hits_total": 2,
            'pico_upstreams_endpoint_requests_total{tenant="",endpoint="e"}': 3,
            'pico_cluster_nodes{status="active"}': 1,
            "pico_node_ready": 1,
            f'pico_build_info{{version="{__version__}"}}': 1,
        }.items():
            self.assertEqual(numbers.get(name), value, name)
        self.assertNotIn("nobody", self.ask_node("/metrics").body.decode())
        self.assertIn("process_resident_memory_bytes", numbers)
        self.assertIn('python_gc_collections_total{generation="0"}', numbers)

    def test_refused_bodies(self) -> None:
        """
        Bodies that are refused are counted by what is wrong with them.
        """
        post = b"POST / HTTP/1.1\r\nHost: e.test\r\n"
        self.connect(8000, post + b"Content-Length: 11\r\n\r\n")
        self.connect(8000, post + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n")
        numbers = self.numbers(self.ask_node("/metrics"))
        for reason, count in (("too large", 1), ("malformed", 1), ("slow", 0)):
            self.assertEqual(numbers[f'pico_proxy_refused_requests_total{{reason="body {reason}"}}'], count, reason)

    def test_refused_tunnels(self) -> None:
        """
        Tunnels that are refused are counted by status and reason.
        """
        upgrade = _PIKO_UPGRADE.replace(b"x-pico-version", b"x")
        self.connect(8001, upgrade.replace(b"/upstream/e ", b"/upstream/e/f "))
        self.connect(8001, upgrade.replace(b"Version: 13", b"Version: 12"))
        self.connect(8001, b"\x16\x03\r\n\r\n")
        for _ in range(3):
            self.connect(8001, upgrade)
        numbers = self.numbers(self.ask_node("/metrics"))
        for status, reason in ((404, "path"), (426, "upgrade"), (400, "malformed"), (503, "full")):
            name = f'pico_upstreams_refused_total{{status="{status}",reason="{reason}"}}'
            self.assertEqual(numbers.get(name), 1, name)

    def test_limits(self) -> None:
        """
        The limits of the operators' port are those of the configuration.
        """
        self.connect(8001, _PIKO_UPGRADE.replace(b"/upstream/e ", b"/upstream/f "))
        self.assertIn('endpoint_tunnels{tenant="",endpoint="other"} 1.0', self.ask_node("/metrics").body.decode())
        kept = [self.connect(8002, b"") for _ in range(3)]
        self.assertEqual([client.lost is not None for client in kept], [False, False, True])
        self.agent.stopService()
        self.network.advance(60)
        self.assertNotIn('endpoint_tunnels{tenant="",endpoint="e"}', self.ask_node("/metrics").body.decode())

    def test_agent_metrics(self) -> None:
        """
        What the agent has served, by endpoint.
        """
        for _ in range(3):
            self.get()
        numbers = self.numbers(self.ask_agent("/metrics"))
        for name, value in {
            'pico_agent_requests_total{status="200",method="GET",endpoint="e"}': 3,
            'pico_agent_requests_in_flight{endpoint="e"}': 0,
            'pico_agent_response_size_bytes_sum{endpoint="e"}': 15,
            'pico_agent_tunnels{endpoint="e"}': 1,
            'pico_agent_reconnects_total{endpoint="e"}': 0,
            'pico_agent_streams{endpoint="e"}': 1,
            'pico_agent_service_dials_total{endpoint="e"}': 1,
            'pico_agent_service_pool_hits_total{endpoint="e"}': 2,
            f'pico_build_info{{version="{__version__}"}}': 1,
        }.items():
            self.assertEqual(numbers.get(name), value, name)

    def test_agent_readiness(self) -> None:
        """
        An agent is ready while it has its tunnel and other nodes have had time to hear of it, and says what became of
        it.
        """
        self.assertEqual(self.ask_agent("/ready").status, 503)
        self.network.advance(1)
        ready = self.ask_agent("/ready")
        assert isinstance(ready.json, dict)
        (state,) = ready.json["endpoints"]
        self.assertEqual((ready.status, state["connected"], state["tunnels"][0]["node"]), (200, True, "n1"))
        self.assertEqual(state["since"], "1970-01-12T13:46:40Z")
        self.node.stopService()
        self.network.advance(5)
        ready = self.ask_agent("/ready")
        assert isinstance(ready.json, dict)
        (state,) = ready.json["endpoints"]
        self.assertEqual((ready.status, state["connected"], state["tunnels"]), (503, False, []))
        self.assertIn("cannot connect to http://node:8001", state["last_error"])
        self.assertEqual(self.ask_agent("/health").status, 200)
        numbers = self.numbers(self.ask_agent("/metrics"))
        self.assertEqual(numbers['pico_agent_disconnects_total{endpoint="e"}'], 1)
        self.assertGreater(numbers['pico_agent_failed_dials_total{endpoint="e"}'], 0)
        self.node = self.start_node()
        self.network.advance(20)
        self.assertEqual(self.ask_agent("/ready").status, 200)
        self.assertEqual(self.numbers(self.ask_agent("/metrics"))['pico_agent_reconnects_total{endpoint="e"}'], 1)

    def test_agent_stops(self) -> None:
        """
        An agent that stops is not ready, and its port closes last.
        """
        self.connect(8000, b"GET / HTTP/1.1\r\nHost: e.test\r\nContent-Length: 5\r\n\r\n")
        stopped = self.agent.stopService()
        self.network.pump()
        self.assertEqual((self.ask_agent("/ready").status, self.ask_agent("/health").status), (503, 200))
        self.assertNoResult(stopped)
        self.network.advance(100)
        self.successResultOf(stopped)
        self.assertNotIn(5000, self.agent_host.ports)

    def test_taken_port(self) -> None:
        """
        A port that cannot be had is said with the setting that names it, before anything is dialled.
        """
        second = self.make_agent()
        error = self.assertRaises(ListenError, second.privilegedStartService)
        self.assertIn("server.bind_addr", str(error))

    def test_seam(self) -> None:
        """
        The upstream port provides what the operators' port asks for.
        """
        self.assertTrue(ITunnels.implementedBy(UpstreamPort))
        verifyObject(ITunnels, self.node._upstream_port)
