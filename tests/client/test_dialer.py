"""
Tests for :mod:`pico.client.dialer`.
"""

from __future__ import annotations

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from pico.client.dialer import DialError, DialSettings, Tunnel
from pico.client.urls import parse_node_url
from pico.errors import ConfigError
from pico.testing import MemoryNetwork
from pico.wire.http1.events import RequestHead
from pico.wire.websocket.handshake import check_request, response_lines
from pico.wire.websocket.stream import ByteStream, Side
from pico.wire.yamux.session import Role, Session
from tests.client.support import PORT, Node, RecordingUser, Speaker, make_dialer, refusal

NOT_FOUND = refusal(b"404 Not Found", b"not found")


class DialerTests(SynchronousTestCase):
    """
    One try at a time.
    """

    def setUp(self) -> None:
        """
        A network with an agent and a place for a node.
        """
        self.clock = Clock()
        self.network = MemoryNetwork(self.clock)
        self.host = self.network.host("node")
        self.user = RecordingUser()

    def tearDown(self) -> None:
        """
        Nothing goes on by itself.
        """
        self.network.pump()
        calls = [call for call in self.clock.getDelayedCalls() if "TunnelSession" not in str(call)]
        self.assertEqual([], calls)

    def dial(self, endpoint: str = "e", **settings: object) -> Deferred[Tunnel]:
        """
        Dial once, with a dialer of its own.
        """
        dialer, _ = make_dialer(self.network, **settings)  # type: ignore[arg-type]
        dialled = dialer.dial(endpoint, self.user)
        self.network.pump()
        return dialled

    def failure(self, dialled: Deferred[Tunnel]) -> DialError:
        """
        Why there is no tunnel.
        """
        error = self.failureResultOf(dialled).value
        assert isinstance(error, DialError), error
        return error

    def test_tunnel(self) -> None:
        """
        A tunnel stands, and carries streams of the node.
        """
        node = Node(self.host, self.clock, [b"x-pico-node: node-1", b"x-pico-capabilities: go-away, teleport"])
        tunnel = self.successResultOf(self.dial())
        self.assertEqual(("node-1", frozenset({"go-away"})), (tunnel.node, tunnel.capabilities))
        here = Speaker()
        node.tunnels[0].session.open_stream().attach(here)
        here.transport.write(b"hello")
        self.network.pump()
        self.assertEqual(b"hello", here.received)
        self.assertEqual(["stream"], self.user.told)

    def test_piko_server(self) -> None:
        """
        A server that says nothing of itself is a Piko server, and good.
        """
        Node(self.host, self.clock)
        tunnel = self.successResultOf(self.dial())
        self.assertEqual(("", frozenset()), (tunnel.node, tunnel.capabilities))

    def test_request(self) -> None:
        """
        The request says who asks for what.
        """
        node = Node(self.host, self.clock)
        self.dial("my/endpoint ü", token="secret", tenant_id="t1", version="1.2", url=f"http://node:{PORT}/base?k=v")
        (head,) = node.requests
        self.assertEqual(b"/base/pico/v1/upstream/my%2Fendpoint%20%C3%BC?k=v", head.target)
        headers = {header.name: header.value for header in head.headers}
        self.assertEqual(24, len(headers.pop(b"sec-websocket-key")))
        self.assertEqual(
            {
                b"host": b"node:8001",
                b"connection": b"Upgrade",
                b"upgrade": b"websocket",
                b"sec-websocket-version": b"13",
                b"authorization": b"Bearer secret",
                b"x-piko-tenant-id": b"t1",
                b"x-pico-capabilities": b"go-away",
                b"x-pico-version": b"1.2",
                b"user-agent": b"pico/1.2",
            },
            headers,
        )

    def test_nothing_unset(self) -> None:
        """
        What is not configured is not sent.
        """
        node = Node(self.host, self.clock)
        self.dial()
        names = {header.name for header in node.requests[0].headers}
        self.assertFalse(names & {b"authorization", b"x-piko-tenant-id", b"user-agent", b"x-pico-version"})

    def test_each_try_has_its_own_key(self) -> None:
        """
        No key is used twice.
        """
        node = Node(self.host, self.clock)
        dialer, _ = make_dialer(self.network)
        for _ in range(3):
            dialer.dial("e", self.user)
            self.network.pump()
        keys = {h.value for head in node.requests for h in head.headers if h.name == b"sec-websocket-key"}
        self.assertEqual(3, len(keys))

    def test_refused(self) -> None:
        """
        A refusal is told in the node's words, and its connection closed.
        """
        Node(self.host, self.clock, refusal(b"401 Unauthorized", b"invalid token"))
        error = self.failure(self.dial())
        self.assertEqual(("401: invalid token", 401, 0.0), (str(error), error.status, error.retry_after))
        self.assertEqual([], self.network.pipes)

    def test_retry_after(self) -> None:
        """
        The node may say when to come back.
        """
        Node(self.host, self.clock, refusal(b"503 Service Unavailable", b"draining", b"Retry-After: 3"))
        error = self.failure(self.dial())
        self.assertEqual((503, 3.0), (error.status, error.retry_after))

    def test_nobody_listens(self) -> None:
        """
        The text says where nobody listens, in few words.
        """
        dialled = self.dial()
        self.network.advance(1)
        error = self.failure(dialled)
        self.assertEqual("cannot connect to http://node:8001: connection was refused by other side", str(error))
        self.assertIsNone(error.status)

    def test_unknown_name(self) -> None:
        """
        A name that leads nowhere is a failure like others.
        """
        error = self.failure(self.dial(url="http://nowhere:8001"))
        self.assertIn("cannot connect to http://nowhere:8001: ", str(error))
        self.assertIsNone(error.status)

    def test_no_connection_in_time(self) -> None:
        """
        Connecting is given up after the timeout.
        """
        Node(self.host, self.clock)
        self.network.cut(self.network.host("agent"), self.host)
        dialled = self.dial(timeout=3.0)
        self.network.advance(2.9)
        self.assertNoResult(dialled)
        self.network.advance(0.2)
        self.assertEqual("cannot connect to http://node:8001: no answer within 3s", str(self.failure(dialled)))

    def test_no_answer_in_time(self) -> None:
        """
        So is waiting for the answer, and the connection is dropped.
        """
        Node(self.host, self.clock, None)
        dialled = self.dial(timeout=3.0)
        self.network.advance(2.9)
        self.assertNoResult(dialled)
        self.network.advance(0.2)
        self.assertEqual("http://node:8001: it did not answer in time", str(self.failure(dialled)))
        self.assertEqual([], self.network.pipes)

    def test_half_an_answer_in_time(self) -> None:
        """
        A refusal whose end does not come is still a refusal.
        """
        Node(self.host, self.clock, refusal(b"403 Forbidden", b"no")[:-3])
        dialled = self.dial(timeout=3.0)
        self.network.advance(3.1)
        error = self.failure(dialled)
        self.assertEqual(("403: Forbidden", 403), (str(error), error.status))

    def test_closed_without_answer(self) -> None:
        """
        A connection that ends without an answer is a failure.
        """
        Node(self.host, self.clock, None)
        dialled = self.dial()
        self.network.pipes[0].right.loseConnection()
        self.network.pump()
        error = self.failure(dialled)
        self.assertEqual("http://node:8001: it closed the connection without an answer", str(error))

    def test_alias(self) -> None:
        """
        A server that knows only Piko's path is asked for it at once, and from then on first.
        """
        node = Node(self.host, self.clock, NOT_FOUND)
        dialer, _ = make_dialer(self.network)
        for _ in range(2):
            dialled = dialer.dial("e", self.user)
            self.network.pump()
            self.successResultOf(dialled)
        ours, theirs = b"/pico/v1/upstream/e", b"/piko/v1/upstream/e"
        self.assertEqual([ours, theirs, theirs], [head.target for head in node.requests])

    def test_alias_refused(self) -> None:
        """
        The alias's own refusal counts, and shows that the path is known.
        """
        node = Node(self.host, self.clock, NOT_FOUND, refusal(b"401 Unauthorized", b"invalid token"))
        dialer, _ = make_dialer(self.network)
        dialled = dialer.dial("e", self.user)
        self.network.pump()
        self.assertEqual("401: invalid token", str(self.failure(dialled)))
        dialer.dial("e", self.user)
        self.network.pump()
        self.assertEqual(b"/piko/v1/upstream/e", node.requests[-1].target)

    def test_neither_path(self) -> None:
        """
        A server that knows neither path is asked for ours first again.
        """
        node = Node(self.host, self.clock, NOT_FOUND, refusal(b"404 Not Found"))
        dialer, _ = make_dialer(self.network)
        dialled = dialer.dial("e", self.user)
        self.network.pump()
        self.assertEqual("404: not found", str(self.failure(dialled)))
        dialer.dial("e", self.user)
        self.network.pump()
        self.assertEqual(b"/pico/v1/upstream/e", node.requests[-1].target)

    def test_back_to_ours(self) -> None:
        """
        When a Piko server is replaced by a Pico node that knows no alias, ours is found again.
        """
        node = Node(self.host, self.clock, NOT_FOUND, [], NOT_FOUND, [])
        dialer, _ = make_dialer(self.network)
        for _ in range(2):
            dialled = dialer.dial("e", self.user)
            self.network.pump()
            self.successResultOf(dialled)
        self.assertEqual(b"/pico/v1/upstream/e", node.requests[-1].target)

    def test_cancelled_while_connecting(self) -> None:
        """
        Cancelling stops connecting.
        """
        self.network.cut(self.network.host("agent"), self.host)
        dialled = self.dial()
        dialled.cancel()
        self.failureResultOf(dialled, CancelledError)
        self.network.pump()
        self.assertEqual([], self.network.pipes)

    def test_cancelled_while_waiting(self) -> None:
        """
        Cancelling drops the connection.
        """
        Node(self.host, self.clock, None)
        dialled = self.dial()
        self.assertEqual(1, len(self.network.pipes))
        dialled.cancel()
        self.failureResultOf(dialled, CancelledError)
        self.network.pump()
        self.assertEqual([], self.network.pipes)

    def test_tunnel_is_known_before_its_bytes(self) -> None:
        """
        Whoever dialled has the tunnel before it hears of what came in one piece with the 101.
        """
        frames = Session(Role.SERVER)
        frames.open()
        frames.go_away()

        def answer(head: RequestHead) -> bytes:
            lines = [b"HTTP/1.1 101 ", b"Upgrade: websocket", b"Connection: Upgrade"]
            head_lines = [*lines, *response_lines(check_request(head)), b"", b""]
            return b"\r\n".join(head_lines) + ByteStream(Side.SERVER).send(frames.data_to_send())

        Node(self.host, self.clock, answer)
        dialer, _ = make_dialer(self.network)
        dialer.dial("e", self.user).addCallback(lambda _: self.user.told.append("tunnel"))
        self.network.pump()
        self.assertEqual(["tunnel", "stream", "leaves"], self.user.told)

    def test_tunnel_closed(self) -> None:
        """
        The user hears once that the tunnel is gone.
        """
        node = Node(self.host, self.clock)
        self.successResultOf(self.dial())
        node.tunnels[0].session.close()
        self.network.pump()
        self.assertEqual(["closed"], self.user.told)


class DialSettingsTests(SynchronousTestCase):
    """
    What may be sent as a header.
    """

    def test_header_injection(self) -> None:
        """
        A token with a line end, a space around it or letters beyond ASCII is refused, and not repeated.
        """
        url = parse_node_url("http://node")
        for value in ("s3cret\r\nb: c", "s3cret\n", " s3cret", "s3crét", "s3\x00cret"):
            for name in ("token", "tenant_id", "version"):
                error = self.assertRaises(ConfigError, DialSettings, url=url, **{name: value})
                self.assertNotIn("s3", str(error))

    def test_token_is_not_shown(self) -> None:
        """
        Settings can be logged.
        """
        self.assertNotIn("secret", repr(DialSettings(url=parse_node_url("http://node"), token="secret")))
