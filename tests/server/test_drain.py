"""
Tests for :mod:`pico.server.drain`: the end of a node.
"""

from __future__ import annotations

from twisted.logger import capturedLogs, formatEvent

from pico.agent.events import AgentConnected, AgentLost
from tests.server.lives import GET, UPGRADE, WHOLE, LifeTestCase
from tests.server.support import ADMIN, GOSSIP, PROXY, UPSTREAM, Service


class DrainTests(LifeTestCase):
    """
    A node that is told to stop.
    """

    def test_sequence(self) -> None:
        """
        Not ready and agents told at once; clients are taken for the delay; then the ports close.
        """
        node = self.begin(drain_delay=10)
        self.assertEqual(self.world.look("/ready").status, 200)
        kept, idle = self.world.get(), self.world.get()
        self.assertEqual((kept.take()[-5:], idle.body), (b"hello", b"hello"))
        stopped = self.stop(node)
        self.assertEqual(self.world.look("/ready").status, 503)
        self.assertEqual(self.world.look("/health").status, 200)
        refused = self.world.ask(UPGRADE % b"other", UPSTREAM)
        self.assertEqual((refused.status, refused.error), (503, "node is draining"))
        self.assertIn(b"\r\nRetry-After: ", refused.head)

        # The agent was told, dials, is refused, and keeps what it has: requests are served all the time.
        for _ in range(9):
            self.world.network.advance(1)
            self.assertEqual(self.world.get().body, b"hello")
        self.assertIsNone(idle.lost)
        # A client that keeps its connection is told with its next answer.
        self.world.say(kept, GET)
        self.assertEqual((kept.body, b"\r\nConnection: close" in kept.head), (b"hello", True))
        self.assertIsNotNone(kept.lost)
        self.assertNoResult(stopped)
        self.assertGreater(self.world.number('pico_upstreams_refused_total{status="503"}'), 1)

        self.assertEqual(self.open, [PROXY, UPSTREAM, ADMIN, GOSSIP])
        self.world.network.advance(1)
        self.assertIsNotNone(idle.lost)
        self.assert_over(stopped)

    def test_no_delay(self) -> None:
        """
        Without a delay the ports close at once; a client that has just come still has a moment.
        """
        node = self.begin()
        idle = self.world.client()
        stopped = self.stop(node)
        self.assertEqual(self.open, [ADMIN, GOSSIP])
        self.assertIsNone(idle.lost)
        self.world.network.advance(0.4)
        self.assertIsNotNone(idle.lost)
        self.assert_over(stopped)

    def test_nobody_there(self) -> None:
        """
        Where no client is connected the drain is over at once.
        """
        node = self.begin()
        with capturedLogs() as events:
            self.assert_over(self.stop(node))
        said = [formatEvent(event) for event in events if event.get("log_namespace") == "server"]
        self.assertEqual(said, ["draining: 0 requests in flight", "drained"])

    def test_first_request(self) -> None:
        """
        A client that was taken just before the ports closed has a moment for its request.
        """
        node = self.begin(drain_delay=10)
        stopped = self.stop(node)
        self.world.network.advance(9.99)
        late = self.world.client()
        self.world.network.advance(0.01)
        self.assertEqual(self.open, [ADMIN, GOSSIP])
        self.world.network.advance(0.1)
        self.world.say(late, GET)
        self.assertEqual(late.body, b"hello")
        self.world.network.advance(0.2)
        self.assert_over(stopped)

    def test_half_a_head(self) -> None:
        """
        A connection on which a request has begun is not idle, however little of it has come: it is answered.
        """
        node = self.begin()
        kept, idle = self.world.get(), self.world.get()
        kept.take()
        self.world.say(kept, GET[:1])
        stopped = self.stop(node)
        self.assertIsNotNone(idle.lost)
        self.world.network.advance(5)
        self.assertIsNone(kept.lost)
        self.world.say(kept, GET[1:])
        self.assertEqual((kept.body, b"\r\nConnection: close" in kept.head), (b"hello", True))
        self.assertIsNotNone(kept.lost)
        self.world.network.advance(1)
        self.assert_over(stopped)

    def test_in_flight(self) -> None:
        """
        Requests under way are served to their end, on connections that close behind them; with the last one the drain
        is over, long before the grace period is.
        """
        node = self.begin(Service(b""))
        waiting, halfway, idle = self.world.get(), self.world.get(), self.world.get()
        first, second, third = self.service.connections
        self.world.say(third, WHOLE)
        self.world.say(second, WHOLE[:-2])
        stopped = self.stop(node)
        self.assertIsNotNone(idle.lost)
        self.world.network.advance(25)
        self.assertEqual((self.world.look("/ready").status, self.world.look("/health").status), (503, 200))
        self.assertEqual(node.status, "draining: 2 requests left")
        self.world.say(first, WHOLE)
        self.assertIn(b"\r\nConnection: close", waiting.head)
        self.assertEqual(waiting.body, b"hello")
        self.assertIsNotNone(waiting.lost)
        self.assertNoResult(stopped)
        self.world.say(second, WHOLE[-2:])
        self.assertEqual(halfway.body, b"hello")
        self.assert_over(stopped)

    def test_upload(self) -> None:
        """
        A request whose body is still on its way counts as under way.
        """
        node = self.begin(Service(b""))
        client = self.world.ask(b"POST / HTTP/1.1\r\nHost: e.h\r\nContent-Length: 4\r\n\r\nab")
        stopped = self.stop(node)
        self.world.network.advance(5)
        self.world.say(client, b"cd")
        (connection,) = self.service.connections
        self.assertTrue(connection.received.endswith(b"abcd"))
        self.world.say(connection, WHOLE)
        self.assertEqual(client.body, b"hello")
        self.assert_over(stopped)

    def test_grace_period(self) -> None:
        """
        The grace period begins when the ports have closed; what is left at its end is cut, and said.
        """
        node = self.begin(Service(b""), drain_delay=10, grace_period=15)
        waiting = self.world.get()
        stopped = self.stop(node)
        self.world.network.advance(10)
        self.assertEqual(node.status, "draining: 1 request left")
        self.world.network.advance(14.9)
        self.assertNoResult(stopped)
        self.assertIsNone(waiting.lost)
        with capturedLogs() as events:
            self.world.network.advance(0.2)
        self.assertIsNotNone(waiting.lost)
        self.assertIn("grace period over: 1 connection cut", [formatEvent(event) for event in events])
        self.assert_over(stopped)

    def test_stopped_reader(self) -> None:
        """
        A client that does not read its response holds the node no longer than for the grace period.
        """
        node = self.begin(Service(b""), grace_period=15)
        client = self.world.get()
        client.transport.pauseProducing()
        size = 1_000_000
        self.world.say(
            self.service.connections[0], b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size + bytes(size)
        )
        stopped = self.stop(node)
        self.world.network.advance(14.9)
        self.assertNoResult(stopped)
        self.assertTrue(client.transport.peer.connected)
        self.world.network.advance(0.2)
        self.assertFalse(client.transport.peer.connected)
        self.assert_over(stopped)

    def test_upgraded(self) -> None:
        """
        A WebSocket lives on for the grace period, in both directions, and is cut at its end.
        """
        node = self.begin(Service(b""), grace_period=20)
        client = self.world.get("/", "Connection: Upgrade", "Upgrade: websocket")
        (connection,) = self.service.connections
        self.world.say(
            connection, b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
        )
        self.assertEqual(client.status, 101)
        stopped = self.stop(node)
        self.world.network.advance(19)
        client.take()
        connection.take()
        self.world.say(client, b"to the service")
        self.world.say(connection, b"to the client")
        self.assertEqual((connection.take(), client.take()), (b"to the service", b"to the client"))
        self.assertNoResult(stopped)
        self.world.network.advance(1.1)
        self.assertIsNotNone(client.lost)
        self.assertIsNotNone(connection.lost)
        self.assert_over(stopped)

    def test_agents(self) -> None:
        """
        Agents keep their tunnels to the end of the drain; then they dial again.
        """
        node = self.begin(Service(b""), grace_period=20)
        self.world.get()
        stopped = self.stop(node)
        self.world.network.advance(19)
        self.assertIsInstance(self.world.events[-1], AgentConnected)
        self.world.network.advance(2)
        self.assertIsInstance(self.world.events[-1], AgentLost)
        self.assert_over(stopped)


class SecondStopTests(LifeTestCase):
    """
    A node that is told to stop while it drains.
    """

    def test_in_delay(self) -> None:
        """
        It does not wait for the delay, nor then for anything else, and both who asked are told.
        """
        node = self.begin(Service(b""), drain_delay=10)
        waiting = self.world.get()
        first = self.stop(node)
        self.world.network.advance(1)
        second = self.stop(node)
        self.assertIsNotNone(waiting.lost)
        self.successResultOf(first)
        self.assert_over(second)

    def test_in_grace_period(self) -> None:
        """
        It cuts what is in flight, and says why.
        """
        node = self.begin(Service(b""))
        waiting = [self.world.get(), self.world.get()]
        first = self.stop(node)
        self.world.network.advance(1)
        with capturedLogs() as events:
            second = self.stop(node)
        self.assertIn("asked again to stop: 2 connections cut", [formatEvent(event) for event in events])
        self.assertTrue(all(each.lost for each in waiting))
        self.successResultOf(first)
        self.assert_over(second)

    def test_many_times(self) -> None:
        """
        However often it is asked within one turn, all are told once.
        """
        node = self.begin(Service(b""), drain_delay=10)
        self.world.get()
        stops = [node.stopService() for _ in range(4)]
        self.world.network.pump()
        for stopped in stops[:2]:
            assert stopped is not None
            self.successResultOf(stopped)
        self.assertEqual(stops[2:], [None, None])
        self.agent.stopService()
