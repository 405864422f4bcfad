"""
Tests for :mod:`pico.server.node`: every port, every part and every setting, in a whole node in memory.
"""

from __future__ import annotations

import random
import string

from twisted.internet.protocol import ServerFactory
from twisted.logger import LogLevel, capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from pico.agent.events import AgentConnected
from pico.config.sections import AccessLog
from pico.config.server import Admin, Cluster, Gossip, Proxy, ProxyHTTP, ServerConfig, Upstream
from pico.errors import ConfigError, ListenError
from pico.wire.yamux.limits import Limits as YamuxLimits
from tests.server.support import ADMIN, GOSSIP, PROXY, UPSTREAM, Peer, Service, World, request_bytes


class NodeTestCase(SynchronousTestCase):
    """
    A world with nothing in it yet.
    """

    def setUp(self) -> None:
        """
        Make it.
        """
        self.world = World()


class PortsTests(NodeTestCase):
    """
    What is bound, and what is said when it cannot be.
    """

    def test_bound_at_the_start(self) -> None:
        """
        Nothing is bound before the start, then every port where its setting says.
        """
        config = ServerConfig(
            proxy=Proxy(bind_addr=":80"),
            upstream=Upstream(bind_addr="10.0.0.1:81"),
            admin=Admin(bind_addr="127.0.0.1:82"),
            cluster=Cluster(gossip=Gossip(bind_addr="10.0.0.1:83")),
        )
        node = self.world.make_node(config)
        self.assertEqual(self.world.host.ports, {})
        node.startService()
        ports = {number: port.getHost().host for number, port in self.world.host.ports.items()}
        self.assertEqual(ports, {80: "0.0.0.0", 81: "10.0.0.1", 82: "127.0.0.1", 83: "10.0.0.1"})

    def test_bound_with_rights(self) -> None:
        """
        A node that is told to bind early does not bind again.
        """
        node = self.world.make_node()
        node.privilegedStartService()
        before = dict(self.world.host.ports)
        self.assertEqual(sorted(before), [PROXY, UPSTREAM, ADMIN, GOSSIP])
        node.startService()
        self.assertEqual(self.world.host.ports, before)

    def test_taken(self) -> None:
        """
        When a port is taken one line names it with its setting, and none of the others stays open.
        """
        for number, setting in [(PROXY, "proxy"), (UPSTREAM, "upstream"), (ADMIN, "admin"), (GOSSIP, "cluster.gossip")]:
            taken = self.world.host.listenTCP(number, ServerFactory())
            for start in ("privilegedStartService", "startService"):
                node = self.world.make_node()
                error = self.assertRaises(ListenError, getattr(node, start))
                text = f"cannot listen on :{number} ({setting}.bind_addr): address already in use"
                self.assertEqual(str(error), text)
                self.assertEqual(sorted(self.world.host.ports), [number])
                self.assertIsNone(node.stopService())
            taken.stopListening()
        self.world.node()

    def test_no_address(self) -> None:
        """
        An address that is none is an error that names its setting, before anything is bound.
        """
        for name, config in [
            ("proxy", ServerConfig(proxy=Proxy(bind_addr="nonsense"))),
            ("upstream", ServerConfig(upstream=Upstream(bind_addr="nonsense"))),
            ("admin", ServerConfig(admin=Admin(bind_addr="nonsense"))),
        ]:
            error = self.assertRaises(ConfigError, self.world.make_node, config)
            self.assertEqual(
                str(error), f"{name}.bind_addr: 'nonsense' has no port; write host:port, or :port for all interfaces"
            )

    def test_no_network(self) -> None:
        """
        A trusted proxy that is no address is an error that names the setting.
        """
        config = ServerConfig(proxy=Proxy(trusted_proxies=("10.0.0.0/8", "nginx")))
        error = self.assertRaises(ConfigError, self.world.make_node, config)
        self.assertIn("proxy.trusted_proxies: 'nginx' is neither", str(error))

    def test_any_free_port(self) -> None:
        """
        Where a port is left open, agents and operators are told what was bound.
        """
        self.world.node(ServerConfig(proxy=Proxy(bind_addr="10.0.0.1:0")))
        number = next(number for number in self.world.host.ports if number not in (UPSTREAM, ADMIN))
        self.world.agent(Service())
        (connected,) = self.world.events
        assert isinstance(connected, AgentConnected)
        self.assertEqual(connected.proxy_port, number)
        status = self.world.node_status()
        self.assertEqual(status["proxy_addr"], f"10.0.0.1:{number}")

    def test_advertised(self) -> None:
        """
        What is to be advertised is shown as it is written.
        """
        self.world.node(
            ServerConfig(proxy=Proxy(advertise_addr="pico.example:80"), admin=Admin(advertise_addr="10.1.2.3:8002"))
        )
        status = self.world.node_status()
        self.assertEqual((status["proxy_addr"], status["admin_addr"]), ("pico.example:80", "10.1.2.3:8002"))

    def test_log(self) -> None:
        """
        One line says that it is ready, and where.
        """
        with capturedLogs() as events:
            self.world.node(ServerConfig(admin=Admin(bind_addr="127.0.0.1:0"), cluster=Cluster(node_id="n")))
        (ready,) = [event for event in events if event.get("log_namespace") == "server"]
        admin = next(number for number in self.world.host.ports if number not in (PROXY, UPSTREAM, GOSSIP))
        self.assertEqual(
            (ready["node"], ready["proxy"], ready["upstream"], ready["admin"]),
            ("n", ":8000", ":8001", f"127.0.0.1:{admin}"),
        )


class PartsTests(NodeTestCase):
    """
    The parts know one another.
    """

    def test_request(self) -> None:
        """
        A request goes from the port for clients through an agent's tunnel to its service and back.
        """
        service = Service()
        self.world.node()
        self.assertEqual((self.world.get().status, self.world.get().error), (502, "no available upstreams"))
        self.world.agent(service)
        client = self.world.get("/path?query")
        self.assertEqual((client.status, client.body), (200, b"hello"))
        self.assertTrue(service.received.startswith(b"GET /path?query HTTP/1.1\r\n"))

    def test_name(self) -> None:
        """
        A node has the name that it was given, or makes one up; agents and operators see the same.
        """
        made_up = "".join(random.Random(1).choices(string.ascii_lowercase + string.digits, k=7))
        for cluster, name in [
            (Cluster(node_id="n-1", node_id_prefix="ignored-"), "n-1"),
            (Cluster(node_id_prefix="blue-"), "blue-" + made_up),
            (Cluster(), made_up),
        ]:
            self.world = World()
            self.world.node(ServerConfig(cluster=cluster))
            self.world.agent(Service())
            (connected,) = self.world.events
            assert isinstance(connected, AgentConnected)
            status = self.world.node_status()
            self.assertEqual((connected.node, status["id"]), (name, name))

    def test_status(self) -> None:
        """
        Operators see the endpoints that there are, and that the node takes traffic.
        """
        self.world.node()
        for endpoint in ("e", "e", "f"):
            self.world.agent(Service(), endpoint)
        self.assertEqual(self.world.status("/status/upstream/endpoints"), {"e": 2, "f": 1})
        addresses = self.world.status("/status/proxy/endpoints")
        assert isinstance(addresses, dict)
        self.assertEqual({name: len(each) for name, each in addresses.items()}, {"e": 2, "f": 1})
        status = self.world.node_status()
        self.assertEqual((status["status"], status["endpoints"], status["upstreams"]), ("active", 2, 3))
        self.assertEqual((self.world.look("/ready").status, self.world.look("/health").status), (200, 200))

    def test_metrics(self) -> None:
        """
        All parts count into one set of numbers, beside those of the process.
        """
        self.world.node()
        self.world.agent(Service())
        self.world.get()
        self.world.get(endpoint="nobody")
        self.world.ask(b"nonsense\r\n\r\n")
        for name, value in [
            ('pico_cluster_nodes{status="active"}', 1),
            ("pico_upstreams_connected_upstreams", 1),
            ("pico_upstreams_accepted_total", 1),
            ('pico_proxy_requests_total{method="GET",status="200"}', 1),
            ('pico_proxy_requests_total{method="GET",status="502"}', 1),
            ('pico_proxy_malformed_requests_total{status="400"}', 1),
        ]:
            self.assertEqual(self.world.number(name), value, name)
        page = self.world.look("/metrics").body
        self.assertIn(b"process_open_fds ", page)
        self.assertIn(b"python_info{", page)

    def test_least_busy(self) -> None:
        """
        Of two agents the less busy one gets the next request.
        """
        busy, idle = Service(b""), Service()
        self.world.node()
        self.world.agent(busy)
        self.world.get()
        self.world.agent(idle)
        for _ in range(3):
            self.assertEqual(self.world.get().body, b"hello")
        self.assertEqual((busy.requests, idle.requests), (1, 3))


class ProxySettingsTests(NodeTestCase):
    """
    The settings of the port for clients arrive where they work.
    """

    def begin(self, service: Service | None = None, **proxy: object) -> Service:
        """
        Start a node with some settings, and an agent for "e".
        """
        service = service or Service()
        self.world.node(ServerConfig(proxy=Proxy(**proxy)))  # type: ignore[arg-type]
        self.world.agent(service)
        return service

    def begin_http(self, service: Service | None = None, **http: object) -> Service:
        """
        The same with settings of ``proxy.http``.
        """
        return self.begin(service, http=ProxyHTTP(**http))  # type: ignore[arg-type]

    def test_timeout(self) -> None:
        """
        ``timeout``: for the head of a response.
        """
        self.begin(Service(b""), timeout=3.0)
        client = self.world.get()
        self.world.network.advance(2.8)
        self.assertEqual(client.status, 0)
        self.world.network.advance(0.4)
        self.assertEqual((client.status, client.error), (504, "upstream timeout"))

    def test_read_timeout(self) -> None:
        """
        ``http.read_timeout``: between two pieces of a request's body.
        """
        self.begin_http(Service(b""), read_timeout=3.0)
        client = self.world.ask(b"POST / HTTP/1.1\r\nHost: e.h\r\nContent-Length: 10\r\n\r\n")
        for _ in range(5):
            self.world.network.advance(2.8)
            self.world.say(client, b"x")
        self.assertEqual(client.status, 0)
        self.world.network.advance(3.2)
        self.assertEqual((client.status, client.error), (408, "request body not received in time"))

    def test_write_timeout(self) -> None:
        """
        ``http.write_timeout``: how long a client may not read.
        """
        service = self.begin_http(Service(b""), write_timeout=3.0)
        client = self.world.get()
        client.transport.pauseProducing()
        size = 4_000_000
        self.world.say(service.connections[0], b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size + bytes(size))
        self.world.network.advance(2.8)
        self.assertEqual(self.world.number("pico_proxy_requests_in_flight"), 1)
        self.world.network.advance(0.4)
        self.assertEqual(self.world.number("pico_proxy_requests_in_flight"), 0)
        client.transport.resumeProducing()
        self.world.network.pump()
        self.assertIsNotNone(client.lost)
        self.assertLess(len(client.received), size)

    def test_attempts(self) -> None:
        """
        ``attempts``: how many upstreams a request may be sent to.
        """
        for attempts, status in [(1, 502), (2, 502), (3, 200)]:
            self.world = World()
            self.world.node(ServerConfig(proxy=Proxy(attempts=attempts)))
            for service in (None, None, Service()):
                self.world.agent(service)
            self.assertEqual(self.world.get().status, status, attempts)
            self.assertEqual(self.world.number("pico_proxy_retries_total"), attempts - 1)

    def test_retry_buffer(self) -> None:
        """
        ``retry_buffer``: how large a body may be that can be sent again.
        """
        for size, status in [(100, 200), (99, 502)]:
            self.world = World()
            self.world.node(ServerConfig(proxy=Proxy(retry_buffer=size)))
            self.world.agent(None)
            service = Service(b"")
            self.world.agent(service)
            client = self.world.ask(request_bytes("PUT", "/", "x-pico-endpoint: e", body=b"x" * 100))
            if service.connections:
                self.world.say(service.connections[0], b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
            self.assertEqual(client.status, status, size)

    def test_trusted_proxies(self) -> None:
        """
        ``trusted_proxies``: whose word about the client is passed on.
        """
        for trusted, believed in [(("10.0.0.0/24",), True), (("192.0.2.0/24",), False)]:
            self.world = World()
            service = self.begin(trusted_proxies=trusted)
            self.world.get("/", "X-Forwarded-For: 203.0.113.9")
            self.assertEqual(b"203.0.113.9" in service.received, believed, trusted)

    def test_access_log(self) -> None:
        """
        ``access_log``: whether there is a line for each request, and how loud it is.
        """
        for access_log, levels in [
            (AccessLog(), [LogLevel.info]),
            (AccessLog(level="warn"), [LogLevel.warn]),
            (AccessLog(level="debug"), []),
            (AccessLog(disable=True), []),
        ]:
            self.world = World()
            self.begin(access_log=access_log)
            with capturedLogs() as events:
                self.world.get()
            found = [event["log_level"] for event in events if event.get("log_namespace") == "proxy.access"]
            self.assertEqual(found, levels)

    def test_read_header_timeout(self) -> None:
        """
        ``http.read_header_timeout``: for a request's head.
        """
        self.begin_http(read_header_timeout=3.0)
        client = self.world.ask(b"GET / HT")
        self.world.network.advance(2.8)
        self.world.say(client, b"T")
        self.world.network.advance(0.4)
        self.assertEqual(client.status, 408)

    def test_idle_timeout(self) -> None:
        """
        ``http.idle_timeout``: between two requests.
        """
        self.begin_http(idle_timeout=3.0)
        client = self.world.get()
        self.world.network.advance(2.8)
        self.assertIsNone(client.lost)
        self.world.network.advance(0.4)
        self.assertIsNotNone(client.lost)

    def test_heads(self) -> None:
        """
        ``http.max_header_bytes``, ``http.max_headers``: the size of a head, of requests and of responses.
        """
        for http, fits, over in [
            (ProxyHTTP(max_header_bytes=1000), ["x: " + "y" * 850], ["x: " + "y" * 1000]),
            (ProxyHTTP(max_headers=20), ["x: y"] * 15, ["x: y"] * 21),
        ]:
            self.world = World()
            service = self.begin(http=http)
            self.assertEqual(self.world.get("/", *fits).status, 200)
            self.assertEqual(self.world.get("/", *over).status, 431)
            service.answer = "\r\n".join(["HTTP/1.1 204 No Content", *over, "", ""]).encode()
            self.assertEqual(self.world.get().status, 502)

    def test_max_connections(self) -> None:
        """
        ``http.max_connections``: clients at a time; more are closed and counted.
        """
        self.begin_http(max_connections=2)
        first, second, third = self.world.client(), self.world.client(), self.world.client()
        self.assertEqual([each.lost is None for each in (first, second, third)], [True, True, False])
        self.assertEqual(self.world.number("pico_proxy_connections_refused_total"), 1)
        first.transport.loseConnection()
        self.world.network.pump()
        self.assertEqual(self.world.get().status, 200)

    def test_max_requests(self) -> None:
        """
        ``http.max_requests``: on one connection.
        """
        self.begin_http(max_requests=2)
        client = self.world.get()
        self.assertNotIn(b"Connection: close", client.take())
        self.world.say(client, request_bytes("GET", "/", "x-pico-endpoint: e"))
        self.assertIn(b"Connection: close", client.take())
        self.assertIsNotNone(client.lost)

    def test_max_body_bytes(self) -> None:
        """
        ``http.max_body_bytes``: of a request.
        """
        service = self.begin_http(max_body_bytes=10)
        self.world.ask(request_bytes("POST", "/", "x-pico-endpoint: e", body=b"x" * 10))
        self.assertEqual(service.requests, 1)
        refused = self.world.ask(request_bytes("POST", "/", "x-pico-endpoint: e", body=b"x" * 11))
        self.assertEqual((refused.status, service.requests), (413, 1))


class UpstreamSettingsTests(NodeTestCase):
    """
    The settings of the port for agents arrive where they work.
    """

    def begin(self, service: Service | None = None, **upstream: object) -> Service:
        """
        Start a node with some settings, and an agent for "e".
        """
        service = service or Service()
        self.world.node(ServerConfig(upstream=Upstream(**upstream)))  # type: ignore[arg-type]
        self.world.agent(service)
        return service

    def test_handshake_timeout(self) -> None:
        """
        ``handshake_timeout``: for an upgrade request, begun or not.
        """
        self.begin(handshake_timeout=3.0)
        silent, slow = self.world.client(UPSTREAM), self.world.ask(b"GET", UPSTREAM)
        self.world.network.advance(2.8)
        self.assertEqual((silent.lost, slow.received), (None, b""))
        self.world.network.advance(0.4)
        self.assertIsNotNone(silent.lost)
        self.assertEqual(slow.status, 408)

    def test_head(self) -> None:
        """
        An agent's request may have a head of 64 KiB.
        """
        self.begin()
        for size, status in [(60_000, 426), (70_000, 431)]:
            head = b"GET /pico/v1/upstream/e HTTP/1.1\r\nHost: n\r\nx: " + b"y" * size + b"\r\n\r\n"
            self.assertEqual(self.world.ask(head, UPSTREAM).status, status)

    def test_max_tunnels(self) -> None:
        """
        ``max_tunnels``: of this node; those that ask for another are told to go elsewhere.
        """
        self.begin(max_tunnels=2)
        self.world.agent(Service(), "f")
        self.world.agent(Service(), "g")
        self.assertEqual(self.world.status("/status/upstream/endpoints"), {"e": 1, "f": 1})
        self.assertEqual(self.world.number('pico_upstreams_refused_total{status="503"}'), 1)

    def test_max_handshakes(self) -> None:
        """
        ``max_handshakes``: connections besides the tunnels; more are closed and counted.
        """
        self.begin(max_tunnels=1, max_handshakes=2)
        asking = [self.world.client(UPSTREAM) for _ in range(3)]
        self.assertEqual([each.lost is None for each in asking], [True, True, False])
        self.assertEqual(self.world.number("pico_upstreams_connections_refused_total"), 1)

    def test_max_waiting(self) -> None:
        """
        ``max_waiting``: requests for which no stream can be offered to the agent any more.
        """
        self.begin(max_waiting=3)
        self.world.network.cut(self.world.host, self.world.network.host("agent-1"))
        offered = [self.world.get() for _ in range(YamuxLimits().max_unacked + 3)]
        self.assertEqual({each.status for each in offered}, {0})
        self.assertEqual(self.world.get().status, 503)

    def test_keepalive(self) -> None:
        """
        ``keepalive_interval``, ``keepalive_timeout``: after which silence a tunnel is given up.
        """
        self.begin(keepalive_interval=5.0, keepalive_timeout=2.0)
        self.world.network.advance(60)
        self.assertEqual(self.world.status("/status/upstream/endpoints"), {"e": 1})
        self.world.network.cut(self.world.host, self.world.network.host("agent-1"))
        self.world.network.advance(4.5)
        self.assertEqual(self.world.status("/status/upstream/endpoints"), {"e": 1})
        self.world.network.advance(2.6)
        self.assertEqual(self.world.status("/status/upstream/endpoints"), {})

    def test_max_streams(self) -> None:
        """
        ``max_streams``: in one tunnel; a request that needs another is told to come again.
        """
        self.begin(Service(b""), max_streams=2)
        self.world.get()
        self.world.get()
        refused = self.world.get()
        self.assertEqual((refused.status, refused.error), (503, "upstream overloaded"))
        self.assertIn(b"Retry-After: 1", refused.head)

    def test_idle_streams(self) -> None:
        """
        ``idle_streams``, ``idle_stream_timeout``: how many are kept for the next request, and how long.
        """
        cases: list[tuple[dict[str, object], int, int]] = [
            ({"idle_streams": 2, "idle_stream_timeout": 5.0}, 2, 0),
            ({"idle_streams": 2, "idle_stream_timeout": 50.0}, 2, 2),
            ({"idle_streams": 0}, 0, 0),
        ]
        for settings, kept, later in cases:
            self.world = World()
            service = self.begin(Service(b""), **settings)
            for _ in range(3):
                self.world.get()
            for connection in service.connections:
                self.world.say(connection, b"HTTP/1.1 204 No Content\r\n\r\n")
            self.assertEqual(self.world.number("pico_upstreams_streams"), kept, settings)
            self.world.network.advance(5.3)
            self.assertEqual(self.world.number("pico_upstreams_streams"), later, settings)

    def stopped_downloads(self, service: Service, count: int) -> list[Peer]:
        """
        Clients that do not read what they asked for, each with more than any buffer holds on its way.
        """
        clients = []
        for _ in range(count):
            client = self.world.get()
            client.transport.pauseProducing()
            clients.append(client)
        for connection in service.connections:
            self.world.say(connection, b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n" + bytes(1_000_000))
        return clients

    def test_max_buffered(self) -> None:
        """
        ``max_buffered``: what of one tunnel may be held; past it the stream that holds most is given up.
        """
        for size, broken in [(300_000, 1), (3_000_000, 0)]:
            self.world = World()
            service = self.begin(Service(b""), max_buffered=size)
            self.stopped_downloads(service, 2)
            reason = 'pico_proxy_failures_total{reason="broken response"}'
            self.assertEqual(self.world.number(reason), broken, size)

    def test_max_window(self) -> None:
        """
        ``max_window``: how much a stream may have on its way to a client that reads.
        """
        received = {}
        for size in (262_144, 1_048_576):
            self.world = World()
            service = self.begin(Service(b""), max_window=size, keepalive_interval=5.0)
            network, agent = self.world.network, self.world.network.host("agent-1")
            # A window grows while it is used up within a few round trips, so one of these has to take a while.
            network.advance(4.9)
            network.cut(self.world.host, agent)
            network.advance(1)
            network.heal(self.world.host, agent)
            client = self.world.get()
            self.world.say(service.connections[0], b"HTTP/1.1 200 OK\r\nContent-Length: 9000000\r\n\r\n")
            for _ in range(6):
                self.world.say(service.connections[0], bytes(500_000))
            client.transport.pauseProducing()
            before = self.world.number("pico_upstreams_bytes_received_total")
            self.world.say(service.connections[0], bytes(800_000))
            received[size] = self.world.number("pico_upstreams_bytes_received_total") - before
        self.assertLess(received[262_144], 500_000)
        self.assertGreater(received[1_048_576], 800_000)
