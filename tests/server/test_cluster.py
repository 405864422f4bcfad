"""
Tests of nodes that find each other: whole nodes, agents and services in memory.
"""

from __future__ import annotations

from collections.abc import Sequence

import attrs
from twisted.internet.defer import Deferred
from twisted.internet.protocol import DatagramProtocol, ServerFactory
from twisted.logger import LogEvent, capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from pico.cluster.membership import ALONE_AFTER, JoinFailed, Replaced
from pico.config.server import Cluster, Gossip, Links, ServerConfig
from pico.errors import ConfigError, ListenError
from pico.gossip.limits import DEFAULT_TIMING
from tests.server.clusters import Clusters
from tests.server.linked import OK
from tests.server.nodes import KEY
from tests.server.support import ADMIN, GOSSIP, PROXY, Service, request_bytes
from tests.server.test_tenants import ByHeader

OTHER_KEY = b"the secret of quite another cluster"


class ClusterTestCase(SynchronousTestCase):
    """
    A network without nodes.
    """

    def setUp(self) -> None:
        """
        Make it.
        """
        self.world = Clusters()

    def advance(self, seconds: float) -> None:
        """
        Let time pass.
        """
        self.world.network.advance(seconds)

    def stop(self, name: str) -> Deferred[None]:
        """
        Ask a node to stop.
        """
        stopped = self.world.nodes[name].service.stopService()
        assert stopped is not None
        return stopped

    def assert_knows(self, at: str, **expected: str) -> None:
        """
        A node knows others by these statuses, and itself.
        """
        self.assertEqual(self.world.known(at), {at: "active", **expected})

    def body_at(self, node: str, endpoint: str = "e") -> tuple[int, bytes]:
        """
        What a node answers to a request for an endpoint.
        """
        client = self.world.get_at(node, endpoint=endpoint)
        return client.status, client.body if client.status == 200 else b""


class JoinTests(ClusterTestCase):
    """
    How nodes come together.
    """

    def test_three(self) -> None:
        """
        Nodes that are told of one of them know all of them.
        """
        self.world.start_all("a", "b", "c")
        self.assert_knows("a", b="active", c="active")
        self.assert_knows("b", a="active", c="active")
        self.assert_knows("c", a="active", b="active")

    def test_first(self) -> None:
        """
        A node that was told of nobody is ready at once; so is one that finds only itself.
        """
        self.assertTrue(self.world.start("a").ready)
        node = self.world.start("b", "b")
        self.advance(1)
        self.assertTrue(node.ready)

    def test_only_itself_and_a_name_that_is_not_found(self) -> None:
        """
        It is not the first one as long as others may be behind a name that is not found.
        """
        node = self.world.start("a", "a", "nowhere")
        self.advance(10)
        self.assertFalse(node.ready)

    def test_ready_when_synchronised(self) -> None:
        """
        A node is ready as soon as it has found somebody and knows all that he knows.
        """
        self.world.start("a")
        service = Service()
        for number in range(20):
            self.world.agent_at("a", service, f"e{number}")
        node = self.world.make("b", "a")
        node.service.startService()
        ready = node.service.when_ready()
        found: list[tuple[int, bytes]] = []
        ready.addCallback(lambda _: found.append(self.body_at("b", "e19")))
        self.advance(2)
        self.assertEqual(found, [(200, b"hello")])

    def test_without_exchange(self) -> None:
        """
        A node to whom nobody says everything at once goes on all the same: it will hear of it.
        """
        self.world.start("a")
        self.world.agent_at("a", Service())
        del self.world.nodes["a"].host.ports[GOSSIP]
        with capturedLogs() as events:
            node = self.world.start("b", "a")
            self.advance(2)
        self.assertTrue(node.ready)
        self.assertIn("open for TCP", "".join(said(events, "cluster")))

    def test_later(self) -> None:
        """
        A node that must not be alone waits for the first one to come.
        """
        node = self.world.start("b", "a")
        self.advance(30)
        self.assertFalse(node.ready)
        self.assertNotIn(PROXY, node.host.ports)
        self.assertEqual(self.world.ask_at("b", request_bytes("GET", "/ready"), ADMIN).status, 503)
        self.world.start("a")
        self.advance(3)
        self.assertTrue(node.ready)
        self.assertIn(PROXY, node.host.ports)
        self.assert_knows("b", a="active")

    def test_agents_wait(self) -> None:
        """
        A node that has not found the others takes no tunnels: nobody would know of them.
        """
        node = self.world.start("b", "a")
        agent = self.world.agent_at("b", Service())
        self.advance(10)
        refused = 'pico_upstreams_refused_total{status="503",reason="starting"}'
        self.assertGreater(self.world.number_at("b", refused), 2)
        self.assertEqual(node.service.view.upstream_endpoints(), {})
        self.world.start("a")
        self.advance(15)
        self.assertEqual(node.service.view.upstream_endpoints(), {"e": 1})
        self.assertEqual(self.body_at("a"), (200, b"hello"))
        agent.stopService()

    def test_drain_taken_back_meanwhile(self) -> None:
        """
        A drain that is taken back before it has joined does not let agents in early.
        """
        node = self.world.start("b", "a")
        node.service.drain()
        node.service.undrain()
        agent = self.world.agent_at("b", Service())
        self.advance(5)
        self.assertEqual(node.service.view.upstream_endpoints(), {})
        self.world.start("a")
        self.advance(15)
        self.assertEqual(node.service.view.upstream_endpoints(), {"e": 1})
        agent.stopService()

    def test_drained_meanwhile(self) -> None:
        """
        Nor does it then, if it was drained meanwhile; and it is not ready.
        """
        node = self.world.start("b", "a")
        node.service.drain()
        self.world.start("a")
        self.world.agent_at("b", Service())
        self.advance(20)
        self.assertEqual(node.service.view.upstream_endpoints(), {})
        self.assertEqual(self.world.ask_at("b", request_bytes("GET", "/ready"), ADMIN).status, 503)
        self.assert_knows("a", b="leaving")

    def test_nobody(self) -> None:
        """
        A node that must not be alone gives up in the end, with what is wrong and what to do.
        """
        self.world.network.host("a")
        node = self.world.start("b", "a", "x.example:9", join_timeout=5)
        failed = node.service.when_failed()
        self.advance(4.9)
        self.assertNoResult(failed)
        self.advance(0.2)
        error = self.successResultOf(failed)
        self.assertIsInstance(error, JoinFailed)
        self.assertEqual(
            str(error),
            "no other node was found within 5s at a, x.example:9 (cluster.join): there is no address for x.example "
            "(getent hosts x.example looks it up); the ports of other nodes may be closed for UDP, or they may have "
            "other secret_keys; cluster.abort_if_join_fails=false would let it run alone",
        )
        self.assertIs(self.successResultOf(node.service.when_failed()), error)
        stopped = self.stop("b")
        self.advance(2)
        self.successResultOf(stopped)

    def test_no_address(self) -> None:
        """
        When none of the names has an address that is the reason, whatever else may be wrong.
        """
        node = self.world.start("b", "x.example", "x.example:9", "y.example", join_timeout=5)
        failed = node.service.when_failed()
        self.advance(5)
        text = str(self.successResultOf(failed))
        self.assertIn("there is no address for x.example, y.example (getent hosts x.example looks it up); ", text)
        self.assertNotIn("UDP", text)

    def test_nobody_needed(self) -> None:
        """
        A node that may be alone is ready after a moment, and finds others later.
        """
        with capturedLogs() as events:
            node = self.world.start("b", "a", abort_if_join_fails=False)
            self.advance(ALONE_AFTER - 0.1)
            self.assertFalse(node.ready)
            self.advance(0.2)
        self.assertTrue(node.ready)
        self.assertIn("it runs alone, and looks on", "".join(said(events, "cluster")))
        self.advance(100)
        self.assertNoResult(node.service.when_failed())
        self.world.start("a")
        self.advance(2)
        self.assert_knows("b", a="active")

    def test_port_for_clients_taken(self) -> None:
        """
        When the port for clients cannot be had in the end, that is said as at the start.
        """
        self.world.start("a")
        node = self.world.make("b", "a")
        node.host.listenTCP(PROXY, ServerFactory())
        node.service.startService()
        failed = node.service.when_failed()
        self.advance(2)
        text = f"cannot listen on :{PROXY} (proxy.bind_addr): address already in use"
        self.assertEqual(str(self.successResultOf(failed)), text)

    def test_stopped_while_it_looks(self) -> None:
        """
        A node that is stopped before it has found anybody ends at once.
        """
        node = self.world.start("b", "a")
        self.advance(1)
        stopped = self.stop("b")
        self.advance(0.1)
        self.successResultOf(stopped)
        self.assertFalse(node.ready)
        self.assertEqual((node.host.ports, node.host.datagram_ports), ({}, {}))

    def test_restart_of_all(self) -> None:
        """
        Nodes that have lost each other find each other again, also when both sides had forgotten the other one.
        """
        self.world.start_all("a", "b")
        a, b = (self.world.nodes[name].host for name in "ab")
        self.world.network.cut(a, b)
        self.advance(100)
        self.assert_knows("a")
        self.assert_knows("b")
        self.world.network.heal(a, b)
        self.advance(10)
        self.assert_knows("a", b="active")
        self.assert_knows("b", a="active")


class SecretTests(ClusterTestCase):
    """
    Who belongs to the cluster.
    """

    def test_other_key(self) -> None:
        """
        A node with another secret never appears, and is told why it is alone.
        """
        self.world.start_all("a", "b")
        node = self.world.start("c", "a", keys=[OTHER_KEY], join_timeout=5)
        failed = node.service.when_failed()
        self.advance(6)
        self.assert_knows("a", b="active")
        self.assert_knows("c")
        self.assertIn("found", str(self.successResultOf(failed)))

    def test_no_key(self) -> None:
        """
        Nor does one without any; nor one with a secret among those who have none.
        """
        self.world.start("a")
        self.world.start("b", "a", keys=[], abort_if_join_fails=False)
        self.advance(10)
        self.assert_knows("a")
        self.assert_knows("b")

    def test_new_key(self) -> None:
        """
        The secret is changed by restarting one node after the other, three times, and nobody is ever alone.
        """
        self.world.start_all("a", "b", "c")
        for keys in ([KEY, OTHER_KEY], [OTHER_KEY, KEY], [OTHER_KEY]):
            for name, seed in [("a", "c"), ("b", "c"), ("c", "a")]:
                stopped = self.stop(name)
                self.advance(0.5)
                self.successResultOf(stopped)
                self.world.start(name, seed, keys=keys)
                self.advance(1)
                for other in "abc":
                    self.assertEqual(self.world.known(other), dict.fromkeys("abc", "active"), (keys, name, other))

    def test_warning(self) -> None:
        """
        A node without a secret says so if others reach it.
        """
        for keys, warned in [([KEY], False), ([], True)]:
            self.world = Clusters()
            with capturedLogs() as events:
                self.world.start("a", keys=keys)
            self.assertEqual("secret_keys is not set" in "".join(said(events, "cluster")), warned)


class ServeTests(ClusterTestCase):
    """
    Requests reach their agent from every node.
    """

    def setUp(self) -> None:
        """
        Three nodes, and an agent at the last one.
        """
        super().setUp()
        self.world.start_all("a", "b", "c")
        self.service = Service()
        self.agent = self.world.agent_at("c", self.service)
        self.advance(1)

    def test_any_node(self) -> None:
        """
        Any node serves the endpoint.
        """
        for name in "abc":
            self.assertEqual(self.body_at(name), (200, b"hello"))

    def test_status(self) -> None:
        """
        Each node shows what the others serve, and where they are.
        """
        found = self.world.ask_status("a", "/status/cluster/nodes")
        assert isinstance(found, list)
        (c,) = [node for node in found if node["id"] == "c"]
        self.assertEqual((c["endpoints"], c["upstreams"]), (1, 1))
        own = self.world.ask_status("c", "/status/cluster/nodes/local")
        self.assertEqual(self.world.ask_status("a", "/status/cluster/nodes/c"), own)
        self.assertEqual([node["id"] for node in found], ["a", "b", "c"])
        self.assertEqual(self.world.nodes["a"].service.status, "0 tunnels, 0 endpoints, 3 nodes")

    def test_agent_leaves(self) -> None:
        """
        What is not served any more is not looked for any more.
        """
        self.agent.stopService()
        self.advance(1.5)
        self.assertEqual(self.body_at("a"), (502, b""))
        self.assertEqual(self.world.number_at("a", 'pico_cluster_links{direction="out"}'), 0)

    def test_agent_moves(self) -> None:
        """
        An agent that comes in elsewhere is found there.
        """
        self.agent.stopService()
        self.world.agent_at("b", self.service)
        self.advance(0.5)
        for name in "abc":
            self.assertEqual(self.body_at(name), (200, b"hello"))

    def test_killed(self) -> None:
        """
        A node that is killed is noticed within three seconds, and has no endpoints any more.
        """
        self.assertEqual(self.body_at("a"), (200, b"hello"))
        self.world.kill("c")
        self.advance(3)
        self.assert_knows("a", b="active", c="unreachable")
        self.assertEqual(self.body_at("a"), (502, b""))
        self.advance(70)
        self.assert_knows("a", b="active")

    def test_vanished(self) -> None:
        """
        What is under way at a node that vanished without a word is tried elsewhere as soon as gossip misses the node
        and its link does not answer either; keep-alive alone would take 15 seconds.
        """
        silent, elsewhere = Service(b""), Service(b"elsewhere")
        self.world.agent_at("c", silent, "slow")
        self.advance(0.5)
        client = self.world.get_at("a", endpoint="slow")
        self.assertEqual(silent.requests, 1)
        self.world.agent_at("b", elsewhere, "slow")
        self.advance(0.5)
        for name in "ab":
            self.world.network.cut(self.world.nodes[name].host, self.world.nodes["c"].host)
        self.advance(4.5)
        self.assertEqual(client.status, 0)
        self.advance(4)
        self.assertEqual((client.status, client.body), (200, b"elsewhere"))

    def test_unheard(self) -> None:
        """
        A node that only gossip cannot reach goes on with what is under way there: its link answers.
        """
        slow = Service(b"")
        self.world.agent_at("c", slow, "slow")
        self.advance(0.5)
        client = self.world.get_at("a", endpoint="slow")
        membership = self.world.nodes["c"].service.membership
        assert membership is not None
        membership.close()
        self.advance(12)
        self.assert_knows("a", b="active", c="unreachable")
        slow.connections[0].transport.write(OK)
        self.world.network.pump()
        self.assertEqual((client.status, client.body), (200, b"hello"))

    def test_killed_beside_another(self) -> None:
        """
        With a second tunnel elsewhere nobody notices a thing.
        """
        self.world.agent_at("b", self.service)
        self.advance(0.5)
        self.world.kill("c")
        for _ in range(20):
            self.assertEqual(self.body_at("a"), (200, b"hello"))
            self.advance(0.1)

    def test_restarted(self) -> None:
        """
        A node that was killed and comes back with its id is another life of it: what the former one served is gone,
        and it is asked for what it serves now.
        """
        self.assertEqual(self.body_at("a"), (200, b"hello"))
        self.agent.stopService()
        self.world.kill("c")
        self.world.start("c", "a")
        self.advance(2)
        self.assert_knows("a", b="active", c="active")
        self.assertEqual(self.body_at("a"), (502, b""))
        again = Service(b"again")
        self.world.agent_at("c", again)
        self.advance(1)
        for name in "abc":
            self.assertEqual(self.body_at(name), (200, b"again"))

    def test_clock_set_back(self) -> None:
        """
        So is one whose clock was set back meanwhile.
        """
        self.assertEqual(self.body_at("a"), (200, b"hello"))
        self.agent.stopService()
        self.world.kill("c")
        with capturedLogs() as events:
            node = self.world.start("c", "a", generation=1)
            self.advance(5)
        self.assertIn("a clock that was ahead", "".join(said(events, "cluster")))
        self.assertTrue(node.ready)
        self.world.agent_at("c", Service(b"again"))
        self.advance(1)
        for name in "abc":
            self.assertEqual(self.body_at(name), (200, b"again"))

    def test_same_id_elsewhere(self) -> None:
        """
        Of two nodes with the same id the one that was started last stays; the other one says so and is to be stopped.
        """
        self.advance(100)
        failed = self.world.nodes["c"].service.when_failed()
        self.world.start("c", "a", host="d")
        self.advance(3)
        error = self.successResultOf(failed)
        self.assertIsInstance(error, Replaced)
        self.assertIn("another process was started as node c", str(error))
        self.assert_knows("a", b="active", c="active")
        self.assertEqual(self.body_at("a"), (502, b""))

    def test_stopped(self) -> None:
        """
        A node that stops says so first, serves what it has, and is believed when it leaves.
        """
        slow = Service(b"")
        self.world.agent_at("c", slow, "slow")
        self.advance(0.5)
        client = self.world.get_at("a", endpoint="slow")
        stopped = self.stop("c")
        self.advance(0.5)
        self.assert_knows("a", b="active", c="leaving")
        self.assertEqual(self.world.known("c")["c"], "leaving")
        self.assertNoResult(stopped)
        slow.connections[0].transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ndone")
        self.advance(5)
        self.assertEqual((client.status, client.body), (200, b"done"))
        # Its agents know no other node: they are waited for, in vain, and served meanwhile.
        self.assert_knows("a", b="active", c="leaving")
        self.assertEqual(self.body_at("a"), (200, b"hello"))
        self.advance(7)
        self.successResultOf(stopped)
        self.assert_knows("a", b="active", c="left")
        host = self.world.nodes["c"].host
        self.assertEqual((host.ports, host.datagram_ports), ({}, {}))

    def test_partition(self) -> None:
        """
        Two sides serve what they can, and heal by themselves.
        """
        a, b, c = (self.world.nodes[name].host for name in "abc")
        self.world.network.cut(a, c)
        self.world.network.cut(b, c)
        self.advance(20)
        self.assert_knows("a", b="active", c="unreachable")
        self.assertEqual([self.body_at(name)[0] for name in "abc"], [502, 502, 200])
        self.world.network.heal(a, c)
        self.world.network.heal(b, c)
        self.advance(5)
        self.assertEqual([self.body_at(name)[0] for name in "abc"], [200, 200, 200])

    def test_busy(self) -> None:
        """
        How busy a node's tunnels are is known elsewhere a second later, coarsely.
        """
        silent = Service(b"")
        self.world.agent_at("b", silent, "silent")
        self.advance(0.5)
        for _ in range(10):
            self.world.get_at("b", endpoint="silent")
        self.advance(1.5)
        (holder,) = self.world.holders("a", "silent")
        self.assertEqual((holder.peer.id, holder.upstreams, holder.load), ("b", 1, 8))


class TenantsTests(ClusterTestCase):
    """
    Two tenants, each of which has an agent for "e", at another node; a third one that has none.
    """

    def setUp(self) -> None:
        """
        Three nodes: ours is at b, theirs is at c.
        """
        super().setUp()
        self.world.wait_for_upstream = 0
        for name in "abc":
            self.world.start(name, *(["a"] if name != "a" else []), verifier=ByHeader())
        self.advance(2)
        self.services = {tenant: Service(tenant.encode()) for tenant in ("ours", "theirs")}
        for node, (tenant, service) in zip("bc", self.services.items(), strict=True):
            self.world.agent_at(node, service, tenant=tenant)
        self.advance(1)

    def body_of(self, node: str, tenant: str) -> tuple[int, bytes]:
        """
        What a node answers to somebody of a tenant.
        """
        client = self.world.get_at(node, "/", f"x-piko-tenant-id: {tenant}")
        return client.status, client.body if client.status == 200 else b""

    def test_apart(self) -> None:
        """
        Each tenant's requests reach its own service, from every node; who has none reaches nothing.
        """
        for _ in range(3):
            for name in "abc":
                for tenant in ("ours", "theirs"):
                    self.assertEqual(self.body_of(name, tenant), (200, tenant.encode()))
                self.assertEqual(self.body_of(name, "others"), (502, b""))
        self.assertEqual([service.requests for service in self.services.values()], [9, 9])

    def test_one_is_gone(self) -> None:
        """
        When the node with a tenant's only tunnel is gone, nothing of it goes to the other tenant's service.
        """
        self.world.kill("b")
        for seconds in (0.0, 0.5, 3.0):
            self.advance(seconds)
            self.assertEqual([self.body_of(name, "ours") for name in "ac"], [(502, b"")] * 2)
            self.assertEqual([self.body_of(name, "theirs") for name in "ac"], [(200, b"theirs")] * 2)
        self.assertEqual(self.services["ours"].requests, 0)


class PortsTests(ClusterTestCase):
    """
    One number for UDP and TCP.
    """

    def test_taken(self) -> None:
        """
        When the number is taken for UDP one line says so, and nothing stays open.
        """
        host = self.world.network.host("a")
        host.listenUDP(GOSSIP, DatagramProtocol())
        error = self.assertRaises(ListenError, self.world.start, "a")
        text = f"cannot listen on UDP {host.address}:{GOSSIP} (cluster.gossip.bind_addr): address already in use"
        self.assertEqual(str(error), text)
        self.assertEqual((list(host.ports), list(host.datagram_ports)), ([], [GOSSIP]))

    def test_any(self) -> None:
        """
        When any port will do another one is tried until both can be had.
        """
        host = self.world.network.host("a")
        first = host.free_port()
        for number in range(first + 1, first + 10):
            host.listenUDP(number, DatagramProtocol())
        self.world.start("a", gossip_port=0)
        (number,) = set(host.ports) - {PROXY, 8001, 8002}
        self.assertIn(number, host.datagram_ports)
        self.assertGreater(number, first + 9)


class SettingsTests(ClusterTestCase):
    """
    What the settings change.
    """

    def test_times(self) -> None:
        """
        A node's times, unless they are set, are those with which groups of all sizes are simulated.
        """
        default = Cluster()
        self.assertEqual(
            attrs.evolve(DEFAULT_TIMING, interval=default.gossip.interval, forget=default.forget), DEFAULT_TIMING
        )

    def test_forget(self) -> None:
        """
        For how long a node that cannot be reached is remembered.
        """
        for name in "ab":
            self.world.start(name, *(["a"] if name == "b" else []), forget=5.0)
        self.advance(1)
        self.world.kill("b")
        self.advance(4)
        self.assert_knows("a", b="unreachable")
        self.advance(6)
        self.assert_knows("a")

    def test_port(self) -> None:
        """
        Seeds without a port are looked for on the port that this node has itself.
        """
        self.world.start("a", gossip_port=9003)
        self.world.start("b", "a", gossip_port=9003)
        self.advance(1)
        self.assert_knows("b", a="active")

    def test_max_members(self) -> None:
        """
        How many nodes there may be, this one included.
        """
        self.world.start("a", max_members=2)
        self.world.start("b", "a")
        self.advance(1)
        self.world.start("c", "b")
        self.advance(2)
        self.assert_knows("a", b="active")
        self.assert_knows("c", a="active", b="active")

    def test_packet_size(self) -> None:
        """
        A datagram that nothing carries is refused before anything is bound.
        """
        config = ServerConfig(cluster=Cluster(gossip=Gossip(max_packet_size=65_508)))
        error = self.assertRaises(ConfigError, self.world.make_node, config)
        self.assertEqual(str(error), "cluster.gossip.max_packet_size: UDP carries 65507 bytes at most")

    def test_local_preference(self) -> None:
        """
        How busy a tunnel of this node may be before another node is asked.
        """
        for preference, elsewhere in [(2.0, True), (1000.0, False)]:
            self.world = Clusters()
            self.world.start("a", local_preference=preference)
            self.world.start("b", "a")
            self.advance(1)
            here, there = Service(b""), Service()
            self.world.agent_at("a", here)
            self.world.agent_at("b", there)
            self.advance(1)
            for _ in range(20):
                self.world.get_at("a")
            self.assertEqual(there.requests > 0, elsewhere)

    def test_idle_links(self) -> None:
        """
        How long a link is kept that nobody uses.
        """
        for timeout, links in [(1.0, 0), (300.0, 1)]:
            self.world = Clusters()
            self.world.start("a", links=Links(idle_timeout=timeout))
            self.world.start("b", "a")
            self.advance(1)
            self.world.agent_at("b", Service())
            self.advance(1)
            self.assertEqual(self.body_at("a"), (200, b"hello"))
            # The stream is kept for a minute.
            self.advance(70)
            self.assertEqual(self.world.number_at("a", 'pico_cluster_links{direction="out"}'), links)


def said(events: Sequence[LogEvent], room: str) -> list[str]:
    """
    What a room has logged.
    """
    return [formatEvent(event) for event in events if event.get("log_namespace") == room]
