"""
Tests for :mod:`pico.agent.service`: whole agents, from their configuration to their events.
"""

from __future__ import annotations

import random
from typing import cast

from twisted.internet.protocol import Factory
from twisted.trial.unittest import SynchronousTestCase

from pico import __version__
from pico.agent.events import AgentConnected, AgentEvent, AgentRefused
from pico.agent.service import make_agent
from pico.client.slot import OVERLAP
from pico.config.agent import AgentConfig, Connect, ListenerConfig
from pico.config.server import ServerConfig
from pico.errors import ConfigError
from pico.net.http.fields import value_of
from pico.net.ports import make_client_endpoint
from pico.server.node import make_server
from pico.testing import MemoryNetwork
from pico.tunnel.reasons import StreamRefused
from pico.wire.dialling import GO_AWAY_SPREAD
from tests.agent.support import LISTENER, OK, URL, Client, Service, World, request
from tests.client.support import Node, refusal
from tests.net.http.support import Peer

GET = request(b"GET /")
NODE_1 = [b"x-pico-node: node-1", b"x-pico-proxy-port: 8080"]
DRAINING = refusal(b"503 Service Unavailable", b"node is draining", b"Retry-After: 1")
UNAUTHORISED = refusal(b"401 Unauthorized", b"invalid token")
FORBIDDEN = refusal(b"403 Forbidden", b"not yours")


class DiallingTests(SynchronousTestCase):
    """
    How the agent gets its tunnels.
    """

    def test_nothing_before_the_start(self) -> None:
        """
        An agent that was made dials when it is started.
        """
        world = World()
        node = world.start_node()
        world.network.advance(10)
        self.assertEqual(([], []), (node.requests, world.events))
        self.assertFalse(world.agent.running)
        world.start()
        self.assertTrue(world.agent.running)
        self.assertEqual(1, len(node.tunnels))
        world.end()

    def test_registered(self) -> None:
        """
        It asks for its endpoint, says who it is, and tells where it is connected.
        """
        world = World(connect=Connect(url=(URL,), token="token-1", tenant_id="tenant-1"))
        node = world.start_node(NODE_1)
        world.start()
        (head,) = node.requests
        self.assertEqual((b"GET", b"/pico/v1/upstream/e"), (head.method, head.target))
        for name, value in (
            (b"host", b"node:8001"),
            (b"authorization", b"Bearer token-1"),
            (b"x-piko-tenant-id", b"tenant-1"),
            (b"x-pico-version", __version__.encode()),
            (b"x-pico-capabilities", b"go-away"),
        ):
            self.assertEqual(value, value_of(head.headers, name), name)
        self.assertEqual([AgentConnected("e", URL, "node-1", 8080)], world.events)
        world.end()

    def test_piko_server(self) -> None:
        """
        A Piko server says nothing of itself.
        """
        world = World()
        world.start_node([])
        world.start()
        self.assertEqual([AgentConnected("e", URL, "", 0)], world.events)

    def test_several_endpoints(self) -> None:
        """
        Each endpoint has a tunnel of its own, and its own service.
        """
        names = ("one", "two", "three")
        world = World(
            *(ListenerConfig(endpoint_id=name, addr=f"service:{4000 + n}") for n, name in enumerate(names)),
        )
        services = [world.service(4000 + n) for n in range(3)]
        node = world.start_node()
        world.start()
        self.assertEqual([b"/pico/v1/upstream/" + name.encode() for name in names], [h.target for h in node.requests])
        for n, name in enumerate(names):
            world.ask(request(b"GET /" + name.encode()), n)
            (peer,) = services[n].peers
            self.assertTrue(peer.take().startswith(b"GET /" + name.encode()))
            world.say(peer, OK)
        self.assertEqual(list(names), [record.endpoint for record in world.served])
        world.end()

    def test_each_for_itself(self) -> None:
        """
        An endpoint that is refused is no trouble for the others.
        """
        world = World(*(ListenerConfig(endpoint_id=name, addr="service:4000") for name in ("one", "two")))
        world.service(answer=OK)
        world.start_node(FORBIDDEN)
        world.start()
        self.assertEqual([AgentRefused("one", "403: not yours"), AgentConnected("two", URL, "")], world.events)
        self.assertEqual(OK, world.fetch(GET))

    def test_before_the_node(self) -> None:
        """
        An agent that is there before its node dials again and again, less and less often, and finds it.
        """
        world = World()
        world.start()
        world.network.advance(120)
        reasons = {event.reason for event in world.lost}
        self.assertEqual({f"cannot connect to {URL}: connection was refused by other side"}, reasons)
        waits = [event.retry_in for event in world.lost]
        self.assertLessEqual(waits[0], 0.2)
        self.assertGreater(max(waits), 5)
        self.assertTrue(all(0.1 <= wait <= 15 for wait in waits), waits)
        world.start_node()
        world.network.advance(15)
        self.assertEqual(1, len(world.connected))
        world.end()

    def test_silent_node(self) -> None:
        """
        A try has its limit of time; then there is another.
        """
        world = World(connect=Connect(url=(URL,), timeout=5))
        world.start_node(None)
        world.start()
        world.network.advance(4.9)
        self.assertEqual([], world.events)
        world.network.advance(0.1)
        self.assertEqual([f"{URL}: it did not answer in time"], [event.reason for event in world.lost])
        world.network.advance(0.2)
        self.assertEqual(1, len(world.connected))

    def test_final_refusals(self) -> None:
        """
        A refusal that will stay is told once, and tried again about once a minute.
        """
        world = World(connect=Connect(url=(URL,), token="token-1"))
        node = world.start_node(*[UNAUTHORISED] * 6)
        world.start()
        world.network.advance(59)
        self.assertEqual(1, len(node.requests))
        world.network.advance(4 * 60)
        self.assertIn(len(node.requests), (4, 5))
        self.assertEqual([AgentRefused("e", "401: invalid token")], world.events)

    def test_accepted_after_all(self) -> None:
        """
        When the node accepts after all, that is told, and a later refusal is news again.
        """
        world = World()
        node = world.start_node(UNAUTHORISED, UNAUTHORISED, [], UNAUTHORISED)
        world.start()
        world.network.advance(160)
        node.tunnels[0].session.close()
        world.network.advance(1)
        refused = AgentRefused("e", "401: invalid token")
        self.assertEqual([refused, world.connected[0], world.lost[0], refused], world.events)

    def test_wait_that_the_node_asks_for(self) -> None:
        """
        A node that asks for time gets it.
        """
        world = World()
        node = world.start_node(refusal(b"503 Service Unavailable", b"too many tunnels", b"Retry-After: 20"))
        world.start()
        (lost,) = world.lost
        self.assertEqual("503: too many tunnels", lost.reason)
        self.assertTrue(20 <= lost.retry_in <= 25, lost)
        world.network.advance(19.9)
        self.assertEqual(1, len(node.requests))
        world.network.advance(6)
        self.assertEqual(1, len(world.connected))


class LosingTests(SynchronousTestCase):
    """
    Tunnels that end.
    """

    def world(self, **settings: float) -> World:
        """
        An agent that is connected, and a service that answers.
        """
        world = World(connect=Connect(url=(URL,), **settings))  # type: ignore[arg-type]  # only times
        world.start_node()
        world.service(answer=OK)
        world.start()
        return world

    def test_closed(self) -> None:
        """
        A tunnel that ends, also in good order, is dialled again soon.
        """
        world = self.world()
        world.network.advance(10)
        world.node.tunnels[0].session.close()
        world.network.pump()
        (lost,) = world.lost
        self.assertTrue(0.1 <= lost.retry_in <= 0.2, lost)
        world.network.advance(0.2)
        self.assertEqual(2, len(world.connected))
        self.assertEqual(OK, world.fetch(GET))
        world.end()

    def test_requests_under_way(self) -> None:
        """
        What was under way on a tunnel that ends is over, at the service as well.
        """
        world = World()
        world.start_node()
        service = world.service()
        world.start()
        client = world.ask(GET)
        world.node.tunnels[0].session.abort()
        world.network.advance(1)
        self.assertIsNotNone(client.lost)
        self.assertEqual([], service.open)
        self.assertEqual([(499, "client gone")], [(record.status, record.failure) for record in world.served])

    def test_nobody_dials_in_a_circle(self) -> None:
        """
        A node that takes tunnels and drops them at once is left alone for longer and longer.
        """
        world = World()
        node = world.start_node()
        world.start()
        for _ in range(600):
            for tunnel in node.live:
                tunnel.session.abort()
            world.network.advance(0.1)
        self.assertLess(len(node.tunnels), 15)

    def test_dead_peer(self) -> None:
        """
        A tunnel whose other end has gone without a word is found by asking, and replaced when that is possible.
        """
        world = self.world(keepalive_interval=20, keepalive_timeout=5)
        world.network.advance(200)
        self.assertEqual(1, len(world.events))
        world.network.cut(world.agent_host, world.node_host)
        world.network.advance(20 + 5 + 0.1)
        (lost,) = world.lost
        self.assertIn("no sign of life", lost.reason)
        world.network.heal(world.agent_host, world.node_host)
        world.network.advance(31)
        self.assertEqual(2, len(world.connected))
        self.assertEqual(OK, world.fetch(GET))

    def test_dead_peer_not_looked_for(self) -> None:
        """
        Without an interval nobody is asked.
        """
        world = self.world(keepalive_interval=0)
        world.network.cut(world.agent_host, world.node_host)
        world.network.advance(1000)
        self.assertEqual([], world.lost)


class GoAwayTests(SynchronousTestCase):
    """
    Nodes that leave.
    """

    def world(self, *answers: bytes | list[bytes]) -> World:
        """
        An agent that is connected.

        :param answers: of the node, from the second request on.
        """
        world = World()
        world.start_node([], *answers)
        world.start()
        return world

    def test_make_before_break(self) -> None:
        """
        Another tunnel stands before the old one is let go; what is under way on that one ends undisturbed.
        """
        world = self.world(NODE_1)
        service = world.service()
        client = world.ask(GET)
        old = world.node.tunnels[0]
        old.session.go_away()
        world.network.pump()
        world.network.advance(GO_AWAY_SPREAD)
        self.assertEqual(["", "node-1"], [event.node for event in world.connected])
        world.network.advance(OVERLAP)
        self.assertTrue(old.went_away)
        other = world.ask(GET)
        for peer in service.peers:
            world.say(peer, OK)
        self.assertEqual((OK, OK), (client.take(), other.take()))
        for each in (client, other):
            each.transport.loseConnection()
        world.network.advance(2)
        self.assertEqual([world.node.tunnels[1]], world.node.live)
        self.assertEqual([], world.lost)
        world.end()

    def test_no_other_node(self) -> None:
        """
        As long as there is no other tunnel the old one serves, new requests too.
        """
        world = self.world(*[DRAINING] * 100)
        world.service(answer=OK)
        world.node.tunnels[0].session.go_away()
        for _ in range(10):
            world.network.advance(3)
            self.assertEqual(OK, world.fetch(GET))
        self.assertGreater(len(world.node.requests), 5)
        self.assertEqual(1, len(world.connected))
        self.assertEqual([], world.lost)

    def test_restarts_in_quick_succession(self) -> None:
        """
        A node that restarts every other second finds its agent back at once each time.
        """
        world = self.world()
        for restart in range(1, 9):
            world.network.advance(0.5)
            tunnel = world.node.tunnels[-1]
            world.node.answers = [DRAINING] * 5
            tunnel.session.go_away()
            world.network.advance(1.7)
            self.assertLess(len(world.node.answers), 5)
            tunnel.session.close()
            world.node.answers = []
            world.network.pump()
            self.assertEqual(restart, len(world.lost))
            self.assertLessEqual(world.lost[-1].retry_in, 0.2)
            world.network.advance(0.2)
            self.assertEqual(restart + 1, len(world.connected))

    def test_agents_do_not_come_back_together(self) -> None:
        """
        Agents that lose the same node at the same moment dial at different ones.
        """
        moments = set()
        for seed in range(20):
            world = World(seed=seed)
            node = world.start_node()
            world.start()
            node.tunnels[0].session.go_away()
            node.tunnels[0].session.close()
            world.network.pump()
            moments.add(round(world.lost[0].retry_in, 6))
        self.assertEqual(20, len(moments))
        self.assertGreater(max(moments) - min(moments), 0.05)


class StoppingTests(SynchronousTestCase):
    """
    How an agent ends.
    """

    def setUp(self) -> None:
        """
        An agent that is connected.
        """
        self.world = World(grace_period=20)
        self.node = self.world.start_node()
        self.service = self.world.service()
        self.world.start()

    def ask(self) -> tuple[Client, Peer]:
        """
        Have a request under way.
        """
        client = self.world.ask(GET)
        return client, self.service.last

    def assert_nothing_left(self) -> None:
        """
        Neither tunnels, nor connections, nor waits.
        """
        self.assertEqual(([], []), (self.node.live, self.service.open))
        self.assertEqual([], self.world.clock.getDelayedCalls())

    def test_in_flight(self) -> None:
        """
        Go-away first; what is under way is served to its end; new requests are refused as never looked at; then the
        tunnel is closed, and the service's connections with it.
        """
        client, peer = self.ask()
        stopped = self.world.agent.stopService()
        self.assertFalse(self.world.agent.running)
        late = self.world.ask(GET)
        self.assertTrue(self.node.tunnels[0].went_away)
        self.assertEqual(StreamRefused, late.lost)
        self.assertEqual(1, len(self.service.peers))
        self.world.network.advance(15)
        self.assertNoResult(stopped)
        self.world.say(peer, OK)
        self.assertEqual(OK, client.take())
        self.assertEqual(1, len(self.service.open))
        client.transport.loseConnection()
        self.world.network.advance(0.2)
        self.successResultOf(stopped)
        self.assert_nothing_left()
        self.assertEqual([], self.world.lost)

    def test_grace_over(self) -> None:
        """
        At the end of the grace period what still runs is cut.
        """
        client, _ = self.ask()
        stopped = self.world.agent.stopService()
        self.world.network.advance(19.8)
        self.assertNoResult(stopped)
        self.assertIsNone(client.lost)
        self.world.network.advance(0.3)
        self.successResultOf(stopped)
        self.assertIsNotNone(client.lost)
        self.assertEqual([(499, "client gone")], [(record.status, record.failure) for record in self.world.served])
        self.assert_nothing_left()

    def test_idle(self) -> None:
        """
        Without requests it takes a moment.
        """
        client, peer = self.ask()
        self.world.say(peer, OK)
        client.transport.loseConnection()
        self.world.network.pump()
        stopped = self.world.agent.stopService()
        self.world.network.advance(1.2)
        self.successResultOf(stopped)
        self.assert_nothing_left()

    def test_twice(self) -> None:
        """
        Stopping again while it stops takes nothing away from what is under way; both hear of the end.
        """
        client, peer = self.ask()
        first = self.world.agent.stopService()
        self.world.network.advance(5)
        second = self.world.agent.stopService()
        self.world.network.advance(5)
        self.world.say(peer, OK)
        self.assertEqual(OK, client.take())
        client.transport.loseConnection()
        self.world.network.advance(0.2)
        self.successResultOf(first)
        self.successResultOf(second)
        self.assert_nothing_left()
        self.successResultOf(self.world.agent.stopService())

    def test_second_stop_gives_no_more_time(self) -> None:
        """
        The grace period is that of the first stop.
        """
        self.ask()
        first = self.world.agent.stopService()
        self.world.network.advance(15)
        second = self.world.agent.stopService()
        self.world.network.advance(5.2)
        self.successResultOf(first)
        self.successResultOf(second)
        self.assert_nothing_left()

    def test_several_endpoints(self) -> None:
        """
        All tunnels are told at once, and the agent has stopped when the last one is gone.
        """
        self.world = World(*(ListenerConfig(endpoint_id=name, addr="service:4001") for name in "ab"), grace_period=20)
        self.node = self.world.start_node()
        self.service = self.world.service(4001)
        self.world.start()
        clients = [self.world.ask(GET, n) for n in range(2)]
        stopped = self.world.agent.stopService()
        self.world.network.pump()
        self.assertEqual([True, True], [tunnel.went_away for tunnel in self.node.tunnels])
        for client, peer in zip(clients, self.service.peers, strict=True):
            self.assertNoResult(stopped)
            self.world.say(peer, OK)
            client.transport.loseConnection()
            self.world.network.advance(2)
        self.successResultOf(stopped)
        self.assert_nothing_left()

    def test_without_a_tunnel(self) -> None:
        """
        An agent without a tunnel stops at once, whether it waits, dials or is asked to wait; it dials no more.
        """
        for answer in (None, DRAINING, UNAUTHORISED):
            world = World()
            node = world.start_node(answer)
            world.start()
            self.successResultOf(world.agent.stopService())
            world.network.pump()
            self.assertEqual([], world.clock.getDelayedCalls())
            world.network.advance(200)
            self.assertEqual(([], 1), (node.tunnels, len(node.requests)))
        world = World()
        world.start()
        self.successResultOf(world.agent.stopService())
        self.assertEqual([], world.clock.getDelayedCalls())

    def test_never_started(self) -> None:
        """
        So does one that was never started.
        """
        self.successResultOf(World().agent.stopService())

    def test_stopped_while_it_moves(self) -> None:
        """
        A stop while another tunnel is looked for lets go of the old one in good order.
        """
        client, peer = self.ask()
        self.node.answers = [None]
        self.node.tunnels[0].session.go_away()
        self.world.network.advance(GO_AWAY_SPREAD)
        self.assertEqual(2, len(self.node.requests))
        stopped = self.world.agent.stopService()
        self.world.say(peer, OK)
        self.assertEqual(OK, client.take())
        client.transport.loseConnection()
        self.world.network.advance(2)
        self.successResultOf(stopped)
        self.assert_nothing_left()


class RedundancyTests(SynchronousTestCase):
    """
    Several tunnels of an endpoint.
    """

    def test_settings(self) -> None:
        """
        The agent's setting holds for all listeners that do not say anything else.
        """
        few, many = (
            ListenerConfig(endpoint_id=name, addr="service:4000", connections=count)
            for name, count in (("few", 0), ("many", 3))
        )
        world = World(few, many, connections=2)
        node = world.start_node()
        world.start()
        targets = [head.target.rpartition(b"/")[2] for head in node.requests]
        self.assertEqual((2, 3), (targets.count(b"few"), targets.count(b"many")))
        world.end()

    def test_told(self) -> None:
        """
        Each tunnel is told of, with how many there are; so is a loss.
        """
        world = World(connections=2)
        node = world.start_node(*([b"x-pico-node: " + name] for name in (b"n1", b"n2", b"n1")))
        world.start()
        self.assertEqual(
            [AgentConnected("e", URL, name, 0, tunnels=count, wanted=2) for name, count in (("n1", 1), ("n2", 2))],
            world.events,
        )
        node.tunnels[0].session.abort()
        world.network.pump()
        (lost,) = world.lost
        self.assertEqual(1, lost.tunnels)
        world.network.advance(1)
        self.assertEqual(2, world.connected[-1].tunnels)
        world.end()

    def test_both_serve(self) -> None:
        """
        Requests are served on either, and at a stop both are told.
        """
        world = World(connections=2)
        world.service(answer=OK)
        node = world.start_node()
        world.start()
        for tunnel in (0, 1):
            self.assertEqual(OK, world.fetch(GET, tunnel))
        stopped = world.agent.stopService()
        world.network.pump()
        self.assertEqual([True, True], [tunnel.went_away for tunnel in node.tunnels])
        world.network.advance(2)
        self.successResultOf(stopped)

    def test_urls_in_turn(self) -> None:
        """
        Several URLs are dialled in turn, so that each tunnel stands at another; one without a node costs a try.
        """
        names = ("one", "two", "nobody")
        urls = tuple(f"http://{name}:8001" for name in names)
        world = World(connect=Connect(url=urls), connections=2)
        nodes = [
            Node(world.network.host(name), world.clock, usual=[b"x-pico-node: " + name.encode()]) for name in names[:2]
        ]
        world.start()
        world.network.advance(5)
        self.assertEqual([1, 1], [len(node.live) for node in nodes])
        self.assertEqual(set(urls[:2]), {event.url for event in world.connected})
        nodes[0].live[0].session.abort()
        world.network.advance(10)
        self.assertEqual([1, 1], [len(node.live) for node in nodes])

    def test_urls_spread_agents(self) -> None:
        """
        Not all agents begin with the first URL.
        """
        first = set()
        for seed in range(8):
            world = World(connect=Connect(url=(URL, "http://service:8001")), seed=seed)
            for host in (world.node_host, world.service_host):
                Node(host, world.clock)
            world.start()
            first.add(world.connected[0].url)
        self.assertEqual(2, len(first))


class MakingTests(SynchronousTestCase):
    """
    Settings that cannot be used.
    """

    def fault(self, config: AgentConfig) -> str:
        """
        What is said of a configuration.
        """
        host = MemoryNetwork().host("agent")
        events: list[AgentEvent] = []
        error = self.assertRaises(ConfigError, make_agent, config, host, clock=host, on_event=events.append)
        return str(cast(ConfigError, error))

    def test_faults(self) -> None:
        """
        Each is told in one line that says where it is.
        """
        for config, words in (
            (AgentConfig(), ["no listeners", "name an endpoint"]),
            (AgentConfig(listeners=(ListenerConfig(endpoint_id="e", addr="ftp://x"),)), ["e: ", "'ftp://x'", "http"]),
            (AgentConfig(listeners=(ListenerConfig(endpoint_id="e", addr="nowhere"),)), ["e: ", "'nowhere'", "port"]),
            (
                AgentConfig(listeners=(ListenerConfig(endpoint_id="e", addr="http://a b", rewrite_host=True),)),
                ["e: ", "'a b'", "host name"],
            ),
            (AgentConfig(listeners=(LISTENER,), connect=Connect(url=("node:8001",))), ["'node:8001'", "http://"]),
            (AgentConfig(listeners=(LISTENER,), connect=Connect(url=())), ["connect.url", "upstream port"]),
            (AgentConfig(listeners=(LISTENER,), connect=Connect(url=(URL,), tenant_id="a\r\nb")), ["tenant_id"]),
        ):
            told = self.fault(config)
            self.assertNotIn("\n", told)
            for word in words:
                self.assertIn(word, told)

    def test_secrets(self) -> None:
        """
        A token that cannot be used is not told along with that.
        """
        told = self.fault(AgentConfig(listeners=(LISTENER,), connect=Connect(url=(URL,), token="s3cret\n")))
        self.assertIn("token", told)
        self.assertNotIn("s3cret", told)

    def test_name_of_a_service(self) -> None:
        """
        A service's name need not be ASCII: it is looked up, and shown as Host, as the network knows it.
        """
        world = World(ListenerConfig(endpoint_id="e", addr="http://bücher:4000", rewrite_host=True))
        service = Service(world.network.host("xn--bcher-kva"), 4000)
        world.start_node()
        world.start()
        world.ask(GET)
        self.assertEqual(b"GET / HTTP/1.1\r\nHost: xn--bcher-kva:4000\r\n\r\n", service.last.take())


class WithNodeTests(SynchronousTestCase):
    """
    Agents and a real node.
    """

    def setUp(self) -> None:
        """
        Start the node.
        """
        self.network = MemoryNetwork()
        host = self.network.host("node")
        node = make_server(ServerConfig(), host, clock=host, chooser=random.Random(1))
        node.privilegedStartService()
        node.startService()

    def agent(self, name: str, answer: bytes) -> None:
        """
        Start an agent for the endpoint.

        :param answer: its service's; nothing for a service that is down.
        """
        host = self.network.host(name)
        if answer:
            Service(host, 4000, answer)
        agent = make_agent(
            AgentConfig(connect=Connect(url=(URL,)), listeners=(ListenerConfig(endpoint_id="e", addr="4000"),)),
            host,
            clock=host,
            on_event=lambda event: None,
            chooser=random.Random(1),
        )
        agent.startService()
        self.network.pump()

    def post(self) -> bytes:
        """
        What a client of the node is answered to a request that must not be sent twice.
        """
        endpoint = make_client_endpoint(self.network.host("client"), "node", 8000)
        client = endpoint.connect(Factory.forProtocol(Peer))
        self.network.pump()
        peer = self.successResultOf(client)
        assert isinstance(peer, Peer)
        peer.transport.write(b"POST / HTTP/1.1\r\nHost: e.test\r\nContent-Length: 2\r\n\r\nab")
        self.network.pump()
        return peer.take()

    def test_one_service_down(self) -> None:
        """
        With one of two services down no client is any the wiser.
        """
        self.agent("agent-1", b"")
        self.agent("agent-2", OK)
        for _ in range(10):
            self.assertEqual(OK, self.post())

    def test_every_service_down(self) -> None:
        """
        With all of them down the client is told, but not what agents tell nodes.
        """
        self.agent("agent-1", b"")
        answer = self.post()
        self.assertTrue(answer.startswith(b"HTTP/1.1 502 "), answer)
        self.assertNotIn(b"x-pico", answer.lower())

    def test_service_that_plays_agent(self) -> None:
        """
        A service that says of itself that it was never reached is not believed.
        """
        answer = b"HTTP/1.1 502 Bad Gateway\r\nX: y\r\nx-pico-service: unreachable\r\nContent-Length: 0\r\n\r\n"
        self.agent("agent-1", answer)
        self.agent("agent-2", OK)
        told = {self.post() for _ in range(4)}
        self.assertEqual({b"HTTP/1.1 502 Bad Gateway\r\nX: y\r\nContent-Length: 0\r\n\r\n", OK}, told)

    def test_host_of_a_response(self) -> None:
        """
        Whatever a service calls Host in its response reaches the client.
        """
        answer = b"HTTP/1.1 200 OK\r\nHost: a b\r\nHost: c\r\nContent-Length: 2\r\n\r\nok"
        self.agent("agent-1", answer)
        self.assertEqual(answer, self.post())
