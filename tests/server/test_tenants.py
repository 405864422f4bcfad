"""
Two tenants with the same endpoint name, through a whole node in memory.
"""

from __future__ import annotations

from collections.abc import Callable

from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer
from zope.interface.verify import verifyObject

from pico.agent.events import AgentConnected, AgentRefused
from pico.agent.service import AgentService
from pico.config.server import ServerConfig, Upstream
from pico.errors import RemoteProtocolError
from pico.interfaces import Identity, IVerifier
from pico.names import DEFAULT_TENANT, EndpointKey, TenantId
from tests.server.support import Peer, Service, World, request_bytes


@implementer(IVerifier)
class ByHeader:
    """
    A verifier that believes the header by which agents name their tenant, for tests. It knows three tenants, and
    grants them "e" and "f".
    """

    def verify(self, header: Callable[[bytes], bytes]) -> Identity:
        """
        Read it.
        """
        tenant = header(b"x-piko-tenant-id").decode()
        if not tenant:
            raise RemoteProtocolError(401, "missing authorization")
        if tenant not in ("ours", "theirs", "others"):
            raise RemoteProtocolError(403, "unknown tenant")
        return Identity(TenantId(tenant), frozenset({"e", "f"}))


class SeamTests(SynchronousTestCase):
    """
    What later stands in for the verifier must keep to it.
    """

    def test_interface(self) -> None:
        """
        The verifier is one.
        """
        verifyObject(IVerifier, ByHeader())

    def test_identity(self) -> None:
        """
        An identity may use what it was granted, and everything if nothing was listed.
        """
        granted = ByHeader().verify(lambda name: b"ours")
        self.assertEqual((granted.may_use("e"), granted.may_use("g")), (True, False))
        self.assertTrue(Identity(granted.tenant).may_use("g"))
        self.assertNotEqual(EndpointKey(granted.tenant, "e"), EndpointKey(DEFAULT_TENANT, "e"))


class TenantsTests(SynchronousTestCase):
    """
    "ours" and "theirs" each have an agent for "e"; "others" has none.
    """

    def setUp(self) -> None:
        """
        Connect them.
        """
        self.world = World()
        self.node = self.world.node(verifier=ByHeader())
        self.services = {name: Service(name.encode()) for name in ("ours", "theirs")}
        self.agents = {name: self.agent(name) for name in self.services}

    def agent(self, tenant: str, endpoint: str = "e") -> AgentService:
        """
        Start an agent in front of a tenant's service.
        """
        return self.world.agent(self.services[tenant], endpoint, tenant=tenant)

    def get(self, tenant: str, *lines: str, endpoint: str = "e") -> Peer:
        """
        Ask as somebody of a tenant.
        """
        return self.world.get("/", f"x-piko-tenant-id: {tenant}", *lines, endpoint=endpoint)

    def stop(self, tenant: str) -> None:
        """
        Let a tenant's agent leave.
        """
        self.agents[tenant].stopService()
        self.world.network.advance(1)

    @property
    def served(self) -> tuple[int, int]:
        """
        How many requests came to our service and to theirs.
        """
        return self.services["ours"].requests, self.services["theirs"].requests

    def test_apart(self) -> None:
        """
        Each tenant's requests reach its own service, in whatever order they come.
        """
        for number, tenant in enumerate(("ours", "theirs", "theirs", "ours", "theirs")):
            client = self.get(tenant)
            self.assertEqual((client.status, client.body), (200, tenant.encode()), number)
        self.assertEqual(self.served, (2, 3))

    def test_one_connection(self) -> None:
        """
        Also on one connection, where requests differ in nothing but the tenant, and all at once.
        """
        requests = [
            request_bytes("GET", "/", "x-pico-endpoint: e", f"x-piko-tenant-id: {tenant}")
            for tenant in ("ours", "theirs", "ours", "ours", "theirs")
        ]
        client = self.world.ask(b"".join(requests))
        bodies = [each.partition(b"\r\n\r\n")[2] for each in client.received.split(b"HTTP/1.1 ")[1:]]
        self.assertEqual(bodies, [b"ours", b"theirs", b"ours", b"ours", b"theirs"])
        self.assertEqual(self.served, (3, 2))

    def test_by_host(self) -> None:
        """
        Also where the Host names the endpoint.
        """
        for tenant in ("ours", "theirs", "ours"):
            client = self.world.ask(f"GET / HTTP/1.1\r\nHost: e.h\r\nx-piko-tenant-id: {tenant}\r\n\r\n".encode())
            self.assertEqual(client.body, tenant.encode())
        client = self.world.ask(b"GET / HTTP/1.1\r\nHost: e.h\r\nx-piko-tenant-id: others\r\n\r\n")
        self.assertEqual(client.error, "no available upstreams")

    def test_none(self) -> None:
        """
        A tenant without an agent reaches nobody's service; who is nobody, or has no right to the name, still less.
        """
        self.assertEqual((self.get("others").status, self.get("others").error), (502, "no available upstreams"))
        self.assertEqual((self.get("strangers").status, self.get("strangers").error), (403, "unknown tenant"))
        nobody = self.world.get()
        self.assertEqual((nobody.status, nobody.error), (401, "missing authorization"))
        denied = self.get("ours", endpoint="g")
        self.assertEqual((denied.status, denied.error), (401, "endpoint not permitted"))
        self.assertEqual(self.served, (0, 0))

    def test_one_leaves(self) -> None:
        """
        When one tenant's agent goes its requests go nowhere, and the other's go on.
        """
        for gone, stays in (("ours", "theirs"), ("theirs", "ours")):
            self.stop(gone)
            self.assertEqual(self.get(gone).error, "no available upstreams")
            self.assertEqual(self.get(stays).body, stays.encode())
            self.assertEqual(self.world.status("/status/upstream/endpoints"), {f"{stays}/e": 1})
            self.agents[gone] = self.agent(gone)
        self.assertEqual(self.get("ours").body, b"ours")

    def test_no_retry_elsewhere(self) -> None:
        """
        A request that its own tenant's agents could not serve is not tried at another's.
        """
        self.stop("ours")
        self.world.agent(None, tenant="ours")
        self.world.agent(None, tenant="ours")
        client = self.get("ours")
        self.assertEqual((client.status, client.error), (502, "upstream unreachable"))
        self.assertEqual(self.world.number("pico_proxy_retries_total"), 1)
        self.assertEqual(self.served, (0, 0))

    def test_shared_turns(self) -> None:
        """
        Several agents of one tenant share its requests alone.
        """
        self.services["ours 2"] = Service(b"ours 2")
        self.world.agent(self.services["ours 2"], tenant="ours")
        bodies = [self.get(tenant).body for tenant in ("ours", "theirs") * 4]
        self.assertEqual(bodies.count(b"theirs"), 4)
        self.assertEqual((bodies.count(b"ours"), bodies.count(b"ours 2")), (2, 2))

    def test_upgraded(self) -> None:
        """
        An upgraded connection is its tenant's, too.
        """
        for service in self.services.values():
            service.answer = b""
        clients = {name: self.get(name, "Connection: Upgrade", "Upgrade: x") for name in self.services}
        for name, service in self.services.items():
            (connection,) = service.connections
            switch = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n"
            self.world.say(connection, switch + name.encode())
        for name, client in clients.items():
            self.assertEqual((client.status, client.body), (101, name.encode()))

    def test_not_told(self) -> None:
        """
        A service does not see by which header its tenant was found.
        """
        self.get("ours")
        self.assertNotIn(b"tenant", self.services["ours"].received.lower())

    def test_refused_agents(self) -> None:
        """
        An agent without a tenant, of an unknown one or for an endpoint that is not granted gets no tunnel.
        """
        for tenant, endpoint, reason in [
            ("", "e", "401: missing authorization"),
            ("strangers", "e", "403: unknown tenant"),
            ("ours", "g", "401: endpoint not permitted"),
        ]:
            self.world.events.clear()
            self.world.agent(Service(), endpoint, tenant=tenant)
            (refused,) = self.world.events
            assert isinstance(refused, AgentRefused)
            self.assertEqual((refused.endpoint, refused.reason), (endpoint, reason))
        self.assertEqual(self.world.status("/status/upstream/endpoints"), {"ours/e": 1, "theirs/e": 1})

    def test_status(self) -> None:
        """
        Operators see each tenant's tunnels apart, in every view.
        """
        self.agent("ours")
        self.agent("ours", "f")
        self.assertEqual(self.world.status("/status/upstream/endpoints"), {"ours/e": 2, "ours/f": 1, "theirs/e": 1})
        addresses = self.world.status("/status/proxy/endpoints")
        assert isinstance(addresses, dict)
        hosts = {name: sorted(each.partition(":")[0] for each in found) for name, found in addresses.items()}
        first, second, third, fourth = (self.world.network.host(f"agent-{number}").address for number in range(1, 5))
        self.assertEqual(hosts, {"ours/e": sorted([first, third]), "ours/f": [fourth], "theirs/e": [second]})
        node = self.world.node_status()
        self.assertEqual((node["endpoints"], node["upstreams"]), (3, 4))
        self.assertEqual(self.world.number("pico_upstreams_registered_endpoints"), 3)
        self.assertEqual(self.world.number("pico_upstreams_connected_upstreams"), 4)
        self.assertEqual(self.node.status, "4 tunnels, 3 endpoints")

    def test_drained_together(self) -> None:
        """
        A node that drains serves both to the end.
        """
        for service in self.services.values():
            service.answer = b""
        clients = {name: self.get(name) for name in self.services}
        stopped = self.node.stopService()
        assert stopped is not None
        self.world.network.advance(1)
        for name, service in self.services.items():
            answer = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(name), name.encode())
            self.world.say(service.connections[0], answer)
        self.assertEqual(
            {name: client.body for name, client in clients.items()}, {"ours": b"ours", "theirs": b"theirs"}
        )
        self.successResultOf(stopped)


class LimitTests(SynchronousTestCase):
    """
    The node's limits are for all tenants together.
    """

    def test_tunnels(self) -> None:
        """
        A tenant that comes when the node is full is refused, whoever filled it.
        """
        world = World()
        world.node(ServerConfig(upstream=Upstream(max_tunnels=1)), verifier=ByHeader())
        world.agent(Service(), tenant="ours")
        world.agent(Service(), tenant="theirs")
        self.assertEqual([type(event) for event in world.events].count(AgentConnected), 1)
        self.assertEqual(world.status("/status/upstream/endpoints"), {"ours/e": 1})
