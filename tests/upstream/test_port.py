"""
Tests for :mod:`pico.upstream.port`: raw bytes, or our own agent's side, against the port on a host in memory.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence

import attrs
from twisted.internet.address import IPv6Address
from twisted.internet.error import ConnectionDone
from twisted.internet.protocol import Factory
from twisted.internet.task import Clock
from twisted.logger import LogEvent, capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from pico.client.dialer import DialError, Tunnel
from pico.errors import RemoteProtocolError
from pico.interfaces import Identity, IVerifier
from pico.metrics import Metrics
from pico.names import DEFAULT_TENANT, EndpointKey, NodeId, TenantId
from pico.net.deadlines import Deadlines
from pico.net.http.server import ServerSettings
from pico.net.ports import listen_tcp, make_client_endpoint
from pico.net.turn import Turn
from pico.proxy.headers import fate_of
from pico.testing import MemoryNetwork, MemoryPipe, RecordingProtocol
from pico.tunnel.session import TunnelSettings
from pico.tunnel.supply import SupplySettings
from pico.upstream.port import UpstreamPort, UpstreamPortSettings
from pico.upstream.registry import Registry
from pico.upstream.shedding import Shedding
from pico.wire.http1.headers import HeaderCache
from pico.wire.http1.limits import Limits
from tests.client.support import RecordingUser, make_dialer
from tests.scrape import value_of
from tests.upstream.support import Waiter, load

PORT = 8001

#: A key and what a server must answer to it (RFC 6455 section 1.3).
KEY = b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="
ACCEPT = b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo="

VERSION = b"Sec-WebSocket-Version: 13"
UPGRADE = (b"Connection: Upgrade", b"Upgrade: websocket", VERSION, KEY)

#: A ping of yamux in a masked message, and the answer to it.
PING = bytes.fromhex("828c00000000 000200010000000000000007")
PONG = bytes.fromhex("820c 000200020000000000000007")

#: The Close frame of a server that goes away (RFC 6455 section 7.4.1).
CLOSE_1001 = b"\x88\x02\x03\xe9"

DEFAULTS = UpstreamPortSettings(
    server=ServerSettings(head_timeout=10, idle_timeout=10, linger_timeout=5, limits=Limits(header_bytes=4096)),
    tunnel=TunnelSettings(keepalive_interval=0),
    pool=SupplySettings(),
    max_tunnels=3,
    max_connections=5,
)


def request(target: bytes = b"/pico/v1/upstream/e", *lines: bytes, method: bytes = b"GET") -> bytes:
    """
    An upgrade request as it should be, with more lines.
    """
    return b"\r\n".join([method + b" " + target + b" HTTP/1.1", b"Host: node", *UPGRADE, *lines, b"", b""])


@implementer(IVerifier)
@attrs.define(eq=False)
class Doorman:
    """
    Knows one token, whose bearer may have one endpoint.

    :ivar seen: what it was shown.
    """

    seen: list[bytes] = attrs.field(factory=list)

    def verify(self, header: Callable[[bytes], bytes]) -> Identity:
        """
        Look.
        """
        shown = header(b"authorization")
        self.seen.append(shown)
        if not shown:
            raise RemoteProtocolError(401, "missing authorization")
        if shown == b"Bearer long":
            return Identity(TenantId("t" * 256))
        if shown != b"Bearer good":
            raise RemoteProtocolError(403, "unknown token")
        return Identity(TenantId("ours"), frozenset({"e"}))


@implementer(IVerifier)
class Anybody:
    """
    Lets everybody in.
    """

    def verify(self, header: Callable[[bytes], bytes]) -> Identity:
        """
        Ask for nothing.
        """
        return Identity(DEFAULT_TENANT)


class PortTestCase(SynchronousTestCase):
    """
    A port on the host "node", and dialling programs on others.
    """

    def setUp(self) -> None:
        """
        Listen.
        """
        self.clock = Clock()
        self.network = MemoryNetwork(self.clock)
        self.host = self.network.host("node")
        self.port = self.listen()

    def make_shedding(self) -> Shedding | None:
        """
        Make what sends agents to other nodes: nothing does here.
        """
        return None

    def listen(self, settings: UpstreamPortSettings = DEFAULTS, verifier: IVerifier | None = None) -> UpstreamPort:
        """
        Make a port with a registry and metrics of its own.
        """
        self.registry = Registry(self.clock)
        self.metrics = Metrics()
        port = UpstreamPort(
            node_id=NodeId("node-1"),
            registry=self.registry,
            verifier=verifier or Anybody(),
            settings=settings,
            cache=HeaderCache(fate_of),
            clock=self.clock,
            deadlines=Deadlines(self.clock),
            turn=Turn(self.clock),
            metrics=self.metrics,
            shedding=self.make_shedding(),
        )
        self.listening = listen_tcp(self.host, "", PORT, port, setting="upstream.bind_addr")
        return port

    def relisten(self, settings: UpstreamPortSettings = DEFAULTS, verifier: IVerifier | None = None) -> UpstreamPort:
        """
        Take another port's place.
        """
        self.listening.stopListening()
        self.port = self.listen(settings, verifier)
        return self.port

    def connect(self) -> RecordingProtocol:
        """
        Dial, and say nothing.
        """
        endpoint = make_client_endpoint(self.network.host("agent"), "node", PORT)
        d = endpoint.connect(Factory.forProtocol(RecordingProtocol))
        self.network.pump()
        made = self.successResultOf(d)
        assert isinstance(made, RecordingProtocol)
        return made

    def say(self, peer: RecordingProtocol, data: bytes) -> None:
        """
        Let a dialling program send something, and everything that follows happen.
        """
        assert peer.transport is not None
        peer.transport.write(data)
        self.network.pump()

    def hang_up(self, peer: RecordingProtocol) -> None:
        """
        Let it close.
        """
        assert peer.transport is not None
        peer.transport.loseConnection()
        self.network.pump()

    def ask(self, data: bytes) -> RecordingProtocol:
        """
        Dial and send something.
        """
        peer = self.connect()
        self.say(peer, data)
        return peer

    def tunnel(self, *lines: bytes, target: bytes = b"/pico/v1/upstream/e") -> RecordingProtocol:
        """
        Dial and be accepted.
        """
        peer = self.ask(request(target, *lines))
        self.assertTrue(peer.received.startswith(b"HTTP/1.1 101 "), peer.received)
        return peer

    def dial(self, endpoint: str = "e", user: RecordingUser | None = None) -> Tunnel:
        """
        Have our own agent's side dial.
        """
        dialer, _ = make_dialer(self.network)
        d = dialer.dial(endpoint, user or RecordingUser())
        self.network.pump()
        return self.successResultOf(d)

    def number(self, name: str) -> float:
        """
        A number of the metrics, by its name with labels.
        """
        return value_of(self.metrics.render(False)[0].decode(), name)

    def assert_refused(self, peer: RecordingProtocol, status: int, error: str, what: object = None) -> list[bytes]:
        """
        It got an answer in the one form of errors, and its connection closes.

        :return: the header lines.
        """
        head, _, body = peer.received.partition(b"\r\n\r\n")
        first, *lines = head.split(b"\r\n")
        self.assertEqual(first.split(b" ")[1], b"%d" % status, (what, peer.received))
        self.assertEqual(json.loads(body)["error"], error, what)
        self.assertIn(b"Content-Type: application/json", lines, what)
        self.assertIn(b"Connection: close", lines, what)
        self.assertIs(peer.lost, ConnectionDone, what)
        self.assertEqual(self.registry.endpoints(), {}, what)
        return lines

    def tearDown(self) -> None:
        """
        What was begun ends, and nothing is left waiting.
        """
        self.listening.stopListening()
        self.port.close()
        for pipe in self.network.pipes:
            pipe.left.abortConnection()
        self.network.advance(0.1)
        self.assertEqual((self.port.upstreams, self.registry.endpoints()), (0, {}))
        self.assertEqual(self.clock.getDelayedCalls(), [])


class AcceptingTests(PortTestCase):
    """
    From the request to the 101 and the tunnel behind it.
    """

    def test_bytes(self) -> None:
        """
        A program that offers nothing gets exactly what Piko answers, and its tunnel works.
        """
        peer = self.ask(request(b"/piko/v1/upstream/e"))
        lines = [b"HTTP/1.1 101 Switching Protocols", b"Upgrade: websocket", b"Connection: Upgrade", ACCEPT]
        self.assertEqual(peer.received, b"\r\n".join([*lines, b"", b""]))
        peer.pieces.clear()
        self.say(peer, PING)
        self.assertEqual(peer.received, PONG)

    def test_cut_anywhere(self) -> None:
        """
        Request and first frames may come in any pieces, also in one.
        """
        data = request() + PING
        wanted = b"\r\n\r\n" + PONG
        whole = self.ask(data)
        self.assertTrue(whole.received.endswith(wanted), whole.received)
        self.hang_up(whole)
        for size in (1, 7, len(data) - len(PING) + 3):
            peer = self.connect()
            for start in range(0, len(data), size):
                self.say(peer, data[start : start + size])
            self.assertTrue(peer.received.endswith(wanted), size)
            self.hang_up(peer)

    def test_paths(self) -> None:
        """
        Both paths name the endpoint, percent-encoded; a query does not matter, nor how the target is written.
        """
        for target, endpoint in [
            (b"/pico/v1/upstream/e", "e"),
            (b"/piko/v1/upstream/e", "e"),
            (b"/pico/v1/upstream/e?a=/b", "e"),
            (b"/pico/v1/upstream/E", "E"),
            (b"/pico/v1/upstream/a.b-c_d~e", "a.b-c_d~e"),
            (b"/pico/v1/upstream/a%20b", "a b"),
            (b"/pico/v1/upstream/caf%C3%A9", "café"),
            (b"/pico/v1/upstream/%65", "e"),
            (b"/pico/v1/upstream/100%", "100%"),
            (b"/pico/v1/upstream/" + b"x" * 255, "x" * 255),
            (b"/pico/v1/upstream/" + b"%C3%A9" * 127, "é" * 127),
            (b"http://node/pico/v1/upstream/e", "e"),
        ]:
            peer = self.tunnel(target=target)
            self.assertEqual(self.registry.endpoints(), {EndpointKey(DEFAULT_TENANT, endpoint): 1}, target)
            self.hang_up(peer)
            self.assertEqual(self.registry.endpoints(), {}, target)

    def test_capabilities(self) -> None:
        """
        What is offered is answered with what of it is understood, and with who answers.
        """
        for offered, accepted in [
            ((b"go-away",), b"go-away"),
            ((b"preamble, go-away,half-close",), b"go-away"),
            ((b"half-close", b"go-away"), b"go-away"),
            ((b"GO-AWAY",), b""),
            ((b"",), b""),
            ((b"caf\xe9, \xff",), b""),
        ]:
            peer = self.tunnel(*[b"x-pico-capabilities: " + each for each in offered])
            lines = peer.received.split(b"\r\n")
            self.assertIn(b"x-pico-capabilities: " + accepted, lines, offered)
            self.assertIn(b"x-pico-node: node-1", lines, offered)
            self.assertNotIn(b"x-pico-proxy-port", peer.received)
            self.hang_up(peer)

    def test_proxy_port(self) -> None:
        """
        Once the port for clients is bound agents are told of it, but Piko's are not.
        """
        self.port.proxy_port = 8000
        ours, pikos = self.tunnel(b"x-pico-capabilities: go-away"), self.tunnel()
        self.assertIn(b"\r\nx-pico-proxy-port: 8000\r\n", ours.received)
        self.assertNotIn(b"x-pico", pikos.received)

    def test_own_agent(self) -> None:
        """
        Our own agent's side gets its tunnel, and a stream carries bytes.
        """
        self.port.proxy_port = 8000
        tunnel = self.dial()
        self.assertEqual((tunnel.node, tunnel.proxy_port), ("node-1", 8000))
        self.assertEqual(tunnel.capabilities, frozenset({"go-away"}))
        (upstream,) = self.registry
        assert upstream.session is not None
        stream = upstream.session.open_stream()
        echoed = RecordingProtocol()
        stream.attach(echoed)
        stream.write(b"hello")
        self.network.pump()
        self.assertEqual(echoed.received, b"hello")

    def test_what_is_known_of_it(self) -> None:
        """
        A tunnel is known by the address of its agent and the version that it names.
        """
        self.tunnel(b"x-pico-version: 1.2.3")
        self.tunnel(b"x-pico-version: " + b"9" * 100)
        self.tunnel()
        first, second, third = self.registry
        self.assertRegex(first.address, r"^10\.0\.0\.\d+:\d+$")
        self.assertNotEqual(first.address, second.address)
        self.assertEqual([first.version, second.version, third.version], ["1.2.3", "9" * 64, ""])

    def test_ipv6(self) -> None:
        """
        An agent's IPv6 address is written in brackets.
        """
        address = IPv6Address("TCP", "2001:db8::1", 4711)
        agent = RecordingProtocol()
        pipe = MemoryPipe(clock=self.clock, left_address=address)  # type: ignore[arg-type]  # only shown
        server = self.port.buildProtocol(address)
        assert server is not None
        pipe.connect(agent, server)
        self.network.pipes.append(pipe)
        self.say(agent, request())
        (upstream,) = self.registry
        self.assertEqual(upstream.address, "[2001:db8::1]:4711")

    def test_several(self) -> None:
        """
        An endpoint may have several tunnels, and loses them one by one.
        """
        first, second = self.tunnel(), self.tunnel()
        key = EndpointKey(DEFAULT_TENANT, "e")
        self.assertEqual(self.registry.endpoints(), {key: 2})
        self.hang_up(first)
        self.assertEqual(self.registry.endpoints(), {key: 1})
        self.hang_up(second)
        self.assertEqual(self.registry.endpoints(), {})


class RefusingTests(PortTestCase):
    """
    What becomes of everything else.
    """

    def test_table(self) -> None:
        """
        Each fault has its status, its text, and the lines that its status must have.
        """
        version = b"Sec-WebSocket-Version: 13"
        plain = b"GET /pico/v1/upstream/e HTTP/1.1\r\nHost: node\r\n"
        for data, status, error, *lines in [
            (request(b"/"), 404, "not found"),
            (request(b"/pico/v1/upstream"), 404, "not found"),
            (request(b"/pico/v1/upstream/"), 404, "not found"),
            (request(b"/pico/v1/upstream/?e"), 404, "not found"),
            (request(b"/pico/v1/upstream/e/"), 404, "not found"),
            (request(b"/pico/v1/upstream/e/f"), 404, "not found"),
            (request(b"/PICO/v1/upstream/e"), 404, "not found"),
            (request(b"/pico/v2/upstream/e"), 404, "not found"),
            (request(b"/x/pico/v1/upstream/e"), 404, "not found"),
            (request(b"*", method=b"OPTIONS"), 404, "not found"),
            (request(b"/pico/v1/upstream/%FF"), 400, "endpoint id is not UTF-8", version),
            (request(b"/pico/v1/upstream/a%00b"), 400, "invalid endpoint id", version),
            (request(b"/pico/v1/upstream/a%0Ab"), 400, "invalid endpoint id", version),
            (request(b"/pico/v1/upstream/%E2%80%AE"), 400, "invalid endpoint id", version),
            (request(b"/pico/v1/upstream/a%2Fb"), 400, "invalid endpoint id", version),
            (request(b"/pico/v1/upstream/" + b"x" * 256), 400, "endpoint id is longer than 255 bytes", version),
            (request(b"/pico/v1/upstream/" + b"%C3%A4" * 128), 400, "endpoint id is longer than 255 bytes", version),
            (request(method=b"POST"), 405, "a WebSocket begins with GET", b"Allow: GET"),
            (request(method=b"PUT"), 405, "a WebSocket begins with GET", b"Allow: GET"),
            (
                plain + b"\r\n",
                426,
                "this path is for WebSockets: Connection: Upgrade, Upgrade: websocket",
                b"Upgrade: websocket",
                version,
            ),
            (
                request().replace(b"Upgrade: websocket", b"Upgrade: h2c"),
                426,
                "this path is for WebSockets: Connection: Upgrade, Upgrade: websocket",
                b"Upgrade: websocket",
            ),
            (request().replace(b"Version: 13", b"Version: 8"), 426, "WebSocket version 13 is needed", version),
            (request(b"/pico/v1/upstream/e", version), 426, "WebSocket version 13 is needed", version),
            (request().replace(KEY, b"X: y"), 400, "malformed Sec-WebSocket-Key", version),
            (request().replace(KEY, b"Sec-WebSocket-Key: c2hvcnQ="), 400, "malformed Sec-WebSocket-Key", version),
            (request(b"/pico/v1/upstream/e", KEY), 400, "malformed Sec-WebSocket-Key", version),
            (
                request(b"/pico/v1/upstream/e", b"Content-Length: 1") + b"x",
                400,
                "a WebSocket's request has no body",
                version,
            ),
            (request(b"/pico/v1/upstream/e", b"Origin: https://other.example"), 403, "origin not allowed"),
        ]:
            assert isinstance(data, bytes) and isinstance(status, int) and isinstance(error, str)
            found = self.assert_refused(self.ask(data), status, error, data)
            for line in lines:
                self.assertIn(line, found, data)

    def test_own_page(self) -> None:
        """
        A page of the node's own name may open a tunnel.
        """
        self.tunnel(b"Origin: http://node")

    def test_malformed(self) -> None:
        """
        Bytes that are no request are answered as such.
        """
        for data, status in [
            (b"\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\r\n\r\n", 400),
            (b"GET /pico/v1/upstream/e\r\n\r\n", 400),
            (b"GET /pico/v1/upstream/e HTTP/2.0\r\n\r\n", 505),
            (request().replace(b"Host: node\r\n", b""), 400),
            (request(b"/pico/v1/upstream/e", b"X: " + b"y" * 4096), 431),
            (request(b"/pico/v1/upstream/e", b"Transfer-Encoding: chunked, gzip"), 400),
        ]:
            peer = self.ask(data)
            self.assertTrue(peer.received.startswith(b"HTTP/1.1 %d " % status), (data[:60], peer.received))
            self.assertIn(b'{"error":"', peer.received)
            self.assertIn(b"\r\nConnection: close\r\n", peer.received)
            self.hang_up(peer)
        self.assertEqual(self.registry.endpoints(), {})

    def test_counted(self) -> None:
        """
        Refusals are counted by status, tunnels apart.
        """
        self.ask(request(b"/"))
        self.ask(request(b"/nothing"))
        self.ask(b"nonsense\r\n\r\n")
        self.ask(request(method=b"POST"))
        self.tunnel()
        counted = {
            status: self.number(f'pico_upstreams_refused_total{{status="{status}"}}') for status in (400, 404, 405)
        }
        self.assertEqual(counted, {400: 1, 404: 2, 405: 1})
        self.assertEqual(self.number("pico_upstreams_accepted_total"), 1)

    def test_not_read_on(self) -> None:
        """
        What stands behind a refused request is not taken for another one.
        """
        peer = self.ask(request(b"/") + request())
        self.assertEqual(peer.received.count(b"HTTP/1.1 "), 1)
        self.assertEqual(self.registry.endpoints(), {})


class VerifyingTests(PortTestCase):
    """
    A port with a verifier.
    """

    def setUp(self) -> None:
        """
        Put a doorman there.
        """
        super().setUp()
        self.doorman = Doorman()
        self.relisten(verifier=self.doorman)

    def test_refused(self) -> None:
        """
        Its refusals are answered with its status and its words, and nothing is registered.
        """
        for lines, status, error in [
            ((), 401, "missing authorization"),
            ((b"Authorization: Bearer bad",), 403, "unknown token"),
        ]:
            self.assert_refused(self.ask(request(b"/pico/v1/upstream/e", *lines)), status, error)

    def test_not_granted(self) -> None:
        """
        A good token opens no tunnel for an endpoint that it was not granted.
        """
        refused = self.ask(request(b"/pico/v1/upstream/f", b"Authorization: Bearer good"))
        self.assert_refused(refused, 401, "endpoint not permitted")

    def test_long_tenant(self) -> None:
        """
        A tenant whose name other nodes could not be told of has no tunnels.
        """
        refused = self.ask(request(b"/pico/v1/upstream/e", b"Authorization: Bearer long"))
        self.assert_refused(refused, 400, "tenant id is longer than 255 bytes")

    def test_granted(self) -> None:
        """
        The tunnel belongs to the tenant of its token.
        """
        self.tunnel(b"Authorization: Bearer good")
        self.assertEqual(self.registry.endpoints(), {EndpointKey(TenantId("ours"), "e"): 1})
        self.assertEqual(self.doorman.seen, [b"Bearer good"])

    def test_asked_first(self) -> None:
        """
        Whoever is not let in learns nothing about the rest of the request or the node.
        """
        self.port.drain()
        self.assert_refused(self.ask(request(method=b"POST")), 401, "missing authorization")


class LimitTests(PortTestCase):
    """
    When it has enough, or is about to go.
    """

    def assert_sent_elsewhere(self, peer: RecordingProtocol, error: str) -> None:
        """
        It was told to try another node, soon.
        """
        head, _, body = peer.received.partition(b"\r\n\r\n")
        self.assertTrue(head.startswith(b"HTTP/1.1 503 "), head)
        self.assertIn(b"\r\nRetry-After: 1", head)
        self.assertEqual(json.loads(body), {"error": error, "detail": "dial another node"})
        self.assertIs(peer.lost, ConnectionDone)

    def test_tunnels(self) -> None:
        """
        One tunnel more than there may be is refused; when one has gone there is room again.
        """
        peers = [self.tunnel() for _ in range(3)]
        self.assert_sent_elsewhere(self.ask(request()), "too many tunnels")
        self.assertEqual(self.number('pico_upstreams_refused_total{status="503"}'), 1)
        self.hang_up(peers[0])
        self.tunnel()
        self.assert_sent_elsewhere(self.ask(request()), "too many tunnels")

    def test_leaving_tunnels_count(self) -> None:
        """
        A tunnel whose agent has said that it leaves takes a place until it is gone.
        """
        tunnels = [self.dial() for _ in range(3)]
        tunnels[0].session.go_away()
        self.network.pump()
        self.assertEqual((len(self.registry), self.port.upstreams), (2, 3))
        self.assert_sent_elsewhere(self.ask(request()), "too many tunnels")

    def test_connections(self) -> None:
        """
        A connection more than there may be is closed at once, whatever the others are used for.
        """
        peers = [self.tunnel(), self.connect(), self.connect(), self.connect()]
        last = self.ask(b"GET")
        over = self.connect()
        self.assertIs(over.lost, ConnectionDone)
        self.assertEqual(over.received, b"")
        self.hang_up(peers[0])
        self.hang_up(last)
        for _ in range(2):
            self.assertIsNone(self.connect().lost)
        self.assertIs(self.connect().lost, ConnectionDone)

    def test_refused_connections_are_forgotten(self) -> None:
        """
        However often a program is refused, the next one finds a place.
        """
        for _ in range(20):
            self.assert_refused(self.ask(request(b"/")), 404, "not found")
            self.assert_refused(self.ask(b"nonsense\r\n\r\n"), 400, "malformed request line")
        self.tunnel()

    def test_silent(self) -> None:
        """
        A program that connects and says nothing is closed when its time is over, without a word.
        """
        peer = self.connect()
        self.network.advance(9.8)
        self.assertIsNone(peer.lost)
        self.network.advance(0.4)
        self.assertIs(peer.lost, ConnectionDone)
        self.assertEqual(peer.received, b"")

    def test_slow(self) -> None:
        """
        A program that drips its request has the same time for all of it, and is told.
        """
        peer = self.connect()
        data = request()
        for number in range(20):
            self.say(peer, data[number : number + 1])
            self.network.advance(0.49)
        self.assertEqual(peer.received, b"")
        self.network.advance(0.4)
        self.assertTrue(peer.received.startswith(b"HTTP/1.1 408 "), peer.received)
        self.assertEqual(self.number('pico_upstreams_refused_total{status="408"}'), 1)
        self.network.advance(5.2)
        self.assertIsNotNone(peer.lost)

    def test_no_time_limit_for_tunnels(self) -> None:
        """
        Once it is accepted a silent program is the tunnel's keep-alive's business.
        """
        peer = self.tunnel()
        self.network.advance(1000)
        self.assertIsNone(peer.lost)

    def test_keepalive(self) -> None:
        """
        A tunnel whose agent shows no sign of life is given up, and is no longer chosen.
        """
        tunnel = TunnelSettings(keepalive_interval=30, keepalive_timeout=10)
        self.relisten(attrs.evolve(DEFAULTS, tunnel=tunnel))
        dead, alive = self.tunnel(), RecordingUser()
        self.dial(user=alive)
        self.network.advance(39.8)
        self.assertEqual(len(self.registry), 2)
        self.network.advance(0.4)
        self.assertIsNotNone(dead.lost)
        self.assertEqual((len(self.registry), self.port.upstreams), (1, 1))
        self.assertNotIn("closed", alive.told)


class LeavingTests(PortTestCase):
    """
    Go-away in both directions, and the end.
    """

    def test_agent_leaves(self) -> None:
        """
        From an agent's go-away on its tunnel is not chosen, and what it carries goes on.
        """
        tunnel = self.dial()
        (upstream,) = self.registry
        assert upstream.session is not None
        stream = upstream.session.open_stream()
        echoed = RecordingProtocol()
        stream.attach(echoed)
        self.network.pump()
        tunnel.session.go_away()
        self.network.pump()
        self.assertEqual((self.registry.endpoints(), upstream.available, self.port.upstreams), ({}, False, 1))
        stream.write(b"still here")
        self.network.pump()
        self.assertEqual(echoed.received, b"still here")

    def test_drain(self) -> None:
        """
        A port that drains tells every agent that understands it once, refuses new tunnels and keeps those it has.
        """
        users = [RecordingUser(), RecordingUser()]
        for user in users:
            self.dial(user=user)
        self.port.drain()
        self.port.drain()
        self.network.pump()
        self.assertEqual([user.told for user in users], [["leaves"], ["leaves"]])
        self.assertEqual(len(self.registry), 2)
        refused = self.ask(request())
        self.assertIn(b" 503 ", refused.received)
        self.assertIn(b"\r\nRetry-After: 1\r\n", refused.received)
        self.assertEqual(json.loads(refused.received.partition(b"\r\n\r\n")[2])["error"], "node is draining")

    def test_drain_of_others(self) -> None:
        """
        Programs that do not know what go-away asks of them are told nothing, and serve on.
        """
        peer = self.tunnel()
        peer.pieces.clear()
        self.port.drain()
        self.network.advance(1)
        self.assertEqual((peer.received, len(self.registry)), (b"", 1))

    def test_resume(self) -> None:
        """
        A port that resumes takes tunnels again, and tells those that come when it drains again.
        """
        user = RecordingUser()
        self.port.drain()
        self.port.resume()
        self.dial(user=user)
        self.assertEqual(user.told, [])
        self.port.drain()
        self.network.pump()
        self.assertEqual(user.told, ["leaves"])

    def test_moved(self) -> None:
        """
        The agents that understand have moved when each has said go-away or is gone; the others do not count.
        """
        self.tunnel()
        first, second = self.dial(), self.dial()
        self.port.drain()
        moved, given_up = self.port.when_moved(), self.port.when_moved()
        given_up.addErrback(lambda _: None)
        given_up.cancel()
        first.session.go_away()
        self.network.pump()
        self.assertNoResult(moved)
        second.session.close()
        self.network.advance(0.1)
        self.successResultOf(moved)
        self.successResultOf(self.port.when_moved())
        self.assertEqual(len(self.registry), 1)

    def test_end(self) -> None:
        """
        At the end idle tunnels are closed at once, those at work when their last request is over.
        """
        idle = self.tunnel()
        user = RecordingUser()
        busy = self.dial(user=user)
        working = next(upstream for upstream in self.registry if upstream.capabilities)
        waiter = Waiter()
        working.acquire(waiter, True)
        self.network.pump()
        ended = self.port.end(10)
        self.network.pump()
        self.assertIs(idle.lost, ConnectionDone)
        self.assertTrue(idle.received.endswith(CLOSE_1001))
        self.network.advance(9)
        self.assertEqual((list(self.registry), busy.session.streams), ([working], 1))
        self.assertNoResult(ended)
        assert waiter.client is not None
        working.release(waiter.client)
        self.network.advance(0.5)
        self.successResultOf(ended)
        self.assertEqual((user.told[-1], self.port.upstreams), ("closed", 0))

    def test_end_without_patience(self) -> None:
        """
        When patience is over nothing new goes to any of them, but what is under way still ends.
        """
        self.dial()
        (working,) = self.registry
        waiter = Waiter()
        working.acquire(waiter, True)
        self.network.pump()
        ended = self.port.end(1)
        self.network.advance(1.1)
        self.assertEqual((len(self.registry), working.available, self.port.upstreams), (0, False, 1))
        self.network.advance(10)
        self.assertNoResult(ended)
        ended.addErrback(lambda _: None)
        ended.cancel()
        self.assertEqual((self.port.upstreams, working.in_flight), (1, 1))

    def test_end_spread(self) -> None:
        """
        Not all are closed in one moment: their agents dial other nodes at once.
        """
        self.relisten(attrs.evolve(DEFAULTS, max_tunnels=100, max_connections=100))
        for _ in range(50):
            self.tunnel()
        ended = self.port.end(10)
        left = []
        while not ended.called:
            left.append(self.port.upstreams)
            self.network.advance(0.1)
        self.assertGreater(len(left), 5)
        self.assertLess(len(left), 15)

    def test_drain_seen_by_dialler(self) -> None:
        """
        Our own agent's side reads from the refusal when to try again.
        """
        self.port.drain()
        dialer, _ = make_dialer(self.network)
        d = dialer.dial("e", RecordingUser())
        self.network.pump()
        error = self.failureResultOf(d, DialError).value
        self.assertEqual((error.status, error.retry_after, str(error)), (503, 1.0, "503: node is draining"))

    def test_drain_while_one_dials(self) -> None:
        """
        A request that is complete only when the port drains is refused.
        """
        peer = self.ask(request()[:50])
        self.port.drain()
        self.say(peer, request()[50:])
        self.assert_refused(peer, 503, "node is draining")

    def test_close(self) -> None:
        """
        Closing ends every tunnel, with the WebSocket's own word.
        """
        user = RecordingUser()
        self.dial(user=user)
        raw = self.tunnel()
        upstreams = list(self.registry)
        self.port.close()
        self.network.advance(0.1)
        self.assertEqual(user.told, ["closed"])
        self.assertEqual([(each.available, each.session) for each in upstreams], [(False, None)] * 2)
        self.assertIs(raw.lost, ConnectionDone)
        self.assertEqual((self.port.upstreams, self.registry.endpoints()), (0, {}))

    def test_broken_tunnel(self) -> None:
        """
        A tunnel on which something else than frames comes ends, and takes its place in the registry with it.
        """
        peer = self.tunnel()
        self.say(peer, bytes.fromhex("828100000000ff"))
        self.say(peer, bytes.fromhex("828b00000000") + b"\xff" * 11)
        self.network.advance(0.1)
        self.assertIsNotNone(peer.lost)
        self.assertEqual((self.port.upstreams, self.registry.endpoints()), (0, {}))


class ToldTests(PortTestCase):
    """
    What the log and the metrics say.
    """

    def logged(self, events: Sequence[LogEvent]) -> list[str]:
        """
        The lines of the port, without the agent's port number.
        """
        lines = [formatEvent(event) for event in events if event.get("log_namespace") == "upstream"]
        return [re.sub(r"10\.0\.0\.\d+:\d+", "agent", line) for line in lines]

    def test_log(self) -> None:
        """
        A tunnel's coming, leaving and end each have a line, with the reason in few words.
        """
        with capturedLogs() as events:
            self.hang_up(self.tunnel(b"Authorization: Bearer secret"))
        wanted = ["tunnel connected: e from agent", "tunnel closed: e from agent: the agent closed it"]
        self.assertEqual(self.logged(events), wanted)
        self.assertNotIn("secret", repr(events))

        with capturedLogs() as events:
            self.tunnel()
            self.network.pipes[-1].left.abortConnection()
            self.network.advance(0.1)
        self.assertEqual(self.logged(events)[1:], ["tunnel closed: e from agent: connection lost"])

        with capturedLogs() as events:
            tunnel = self.dial()
            tunnel.session.go_away()
            self.network.pump()
            tunnel.session.close()
            self.network.advance(0.1)
        closed = "tunnel closed: e from agent: the agent closed it"
        self.assertEqual(self.logged(events)[1:], ["tunnel leaving: e from agent", closed])

        with capturedLogs() as events:
            self.relisten(attrs.evolve(DEFAULTS, tunnel=TunnelSettings(keepalive_interval=30, keepalive_timeout=10)))
            self.tunnel()
            self.network.advance(40.1)
        silent = "tunnel closed: e from agent: no sign of life from the other end of the tunnel"
        self.assertEqual(self.logged(events)[1:], [silent])

        with capturedLogs() as events:
            self.say(self.tunnel(), bytes.fromhex("818000000000"))
            self.network.advance(0.1)
        text = "tunnel closed: e from agent: only binary messages are expected"
        self.assertEqual(self.logged(events)[1:], [text])

    def test_gauges(self) -> None:
        """
        Tunnels, endpoints, streams and bytes, while tunnels live and when they are gone.
        """
        tunnel = self.dial()
        self.dial("f")
        other = self.dial("f")
        self.assertEqual(self.number("pico_upstreams_connected_upstreams"), 3)
        self.assertEqual(self.number("pico_upstreams_registered_endpoints"), 2)
        upstream = next(each for each in self.registry if each.key.endpoint == "e")
        assert upstream.session is not None
        stream = upstream.session.open_stream()
        stream.attach(RecordingProtocol())
        stream.write(b"x" * 1000)
        self.network.pump()
        self.assertEqual(self.number("pico_upstreams_streams"), 1)
        sent, received = (self.number(f"pico_upstreams_bytes_{name}_total") for name in ("sent", "received"))
        self.assertGreater(min(sent, received), 1000)
        tunnel.session.close()
        other.session.go_away()
        self.network.advance(0.1)
        self.assertEqual(self.number("pico_upstreams_connected_upstreams"), 2)
        self.assertEqual(self.number("pico_upstreams_registered_endpoints"), 1)
        self.assertEqual(self.number("pico_upstreams_streams"), 0)
        self.assertGreaterEqual(self.number("pico_upstreams_bytes_sent_total"), sent)
        self.assertGreaterEqual(self.number("pico_upstreams_bytes_received_total"), received)

    def test_in_flight(self) -> None:
        """
        What all tunnels carry is added up.
        """
        self.dial()
        self.dial("f")
        for number, upstream in enumerate(self.registry, 1):
            load(upstream, number)
        self.assertEqual((self.port.in_flight, self.port.upstreams), (3, 2))
