"""
Tests for :mod:`pico.agent.listener`: requests on the streams of a tunnel, and services that answer them.
"""

from __future__ import annotations

import json

from twisted.internet.address import HostnameAddress
from twisted.internet.interfaces import IAddress, IProtocol
from twisted.trial.unittest import SynchronousTestCase

from pico.agent.backend import FRESH, ServiceBackend
from pico.agent.events import RequestServed
from pico.agent.headers import fate_of
from pico.agent.listener import AgentListener, ListenerSettings
from pico.config.agent import HTTPClient, ListenerConfig
from pico.log.redaction import Redaction
from pico.net.deadlines import Deadlines
from pico.net.http.access_log import AccessLog, AccessLogSettings
from pico.net.http.server import ServerSettings
from pico.net.ports import make_client_endpoint
from pico.net.tls_endpoint import TLSEndpoint
from pico.testing import MemoryNetwork, MemoryPipe
from pico.wire.http1.headers import HeaderCache
from pico.wire.http1.limits import Limits
from tests.agent.support import OK, SERVICE_PORT, Client, Service, World, request
from tests.net.http.support import Peer
from tests.net.tls import Authority

GET = request(b"GET /")
SENT_GET = b"GET / HTTP/1.1\r\nHost: e.test\r\n\r\n"
POST = request(b"POST /", b"Content-Length: 3", body=b"abc")
SENT_POST = b"POST / HTTP/1.1\r\nHost: e.test\r\nContent-Length: 3\r\n\r\nabc"
UPGRADE = request(b"GET /", b"Connection: Upgrade", b"Upgrade: echo")


class ListenerCase(SynchronousTestCase):
    """
    An agent with a tunnel, and a service.
    """

    world: World
    service: Service

    def make(
        self,
        addr: str = f"service:{SERVICE_PORT}",
        *,
        answer: bytes = b"",
        rewrite_host: bool = False,
        max_idle: int = 256,
        idle_timeout: float = 90.0,
        requests: bool = True,
    ) -> None:
        """
        Make them.

        :param answer: the service's, to everything; by default the test answers.
        """
        self.world = World(
            ListenerConfig(
                endpoint_id="e",
                addr=addr,
                rewrite_host=rewrite_host,
                http_client=HTTPClient(max_idle_conns=max_idle, idle_conn_timeout=idle_timeout),
            ),
            requests=requests,
        )
        self.world.start_node()
        self.service = self.world.service(answer=answer)
        self.world.start()

    def setUp(self) -> None:
        """
        Make the usual ones.
        """
        self.make()

    def answer(self, data: bytes = OK) -> None:
        """
        Let the service answer on its last connection.
        """
        self.world.say(self.service.last, data)

    @property
    def record(self) -> RequestServed:
        """
        The only request of which the agent told.
        """
        (record,) = self.world.served
        return record


class ServingTests(ListenerCase):
    """
    What goes right.
    """

    def test_request(self) -> None:
        """
        A request reaches the service with its body, and the answer comes back.
        """
        client = self.world.ask(POST)
        self.assertEqual(SENT_POST, self.service.last.take())
        self.answer(b"HTTP/1.1 201 Created\r\nServer: x\r\nContent-Length: 2\r\n\r\nok")
        self.assertEqual(b"HTTP/1.1 201 Created\r\nServer: x\r\nContent-Length: 2\r\n\r\nok", client.take())
        self.world.end()

    def test_one_stream_after_the_other(self) -> None:
        """
        A stream carries request after request, however long it was idle in between; and so does a connection to the
        service, whichever stream a request comes on.
        """
        client = self.world.ask(GET)
        self.answer()
        self.world.network.advance(50)
        self.world.say(client, GET)
        self.answer()
        self.assertEqual(OK + OK, client.take())
        other = self.world.ask(GET)
        self.answer()
        self.assertEqual(OK, other.take())
        self.assertEqual([SENT_GET * 3], [peer.take() for peer in self.service.peers])

    def test_slow_stream(self) -> None:
        """
        How long a stream is idle, or takes for a head, is the node's business.
        """
        client = self.world.ask(GET)
        self.answer()
        self.world.network.advance(600)
        self.world.say(client, GET[:10])
        self.world.network.advance(60)
        self.world.say(client, GET[10:])
        self.answer()
        self.assertEqual(OK + OK, client.take())

    def test_streams_side_by_side(self) -> None:
        """
        Streams do not wait for each other.
        """
        clients = [self.world.ask(request(b"GET /%d" % number)) for number in range(3)]
        for number in (2, 0, 1):
            self.world.say(self.service.peers[number], b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n%d" % number)
            self.assertEqual(b"%d" % number, clients[number].take()[-1:])

    def test_head_rewritten(self) -> None:
        """
        The forwarding headers of the node pass; what is Pico's or one connection's does not, there and back.
        """
        client = self.world.ask(
            request(
                b"GET /",
                b"X-Forwarded-For: 192.0.2.1",
                b"x-pico-endpoint: e",
                b"Connection: X-Hop",
                b"X-Hop: 1",
                b"Authorization: Bearer x",
            )
        )
        self.assertEqual(
            b"GET / HTTP/1.1\r\nX-Forwarded-For: 192.0.2.1\r\nAuthorization: Bearer x\r\nHost: e.test\r\n\r\n",
            self.service.last.take(),
        )
        self.answer(
            b"HTTP/1.1 200 OK\r\nHost: a b\r\nx-pico-service: unreachable\r\nKeep-Alive: timeout=5\r\nHost: c\r\n"
            b"Content-Length: 0\r\n\r\n"
        )
        self.assertEqual(b"HTTP/1.1 200 OK\r\nHost: a b\r\nHost: c\r\nContent-Length: 0\r\n\r\n", client.take())

    def test_paths(self) -> None:
        """
        The path of the service's address comes before that of every request.
        """
        for base, line, sent in (
            ("", b"GET /", b"GET /"),
            ("", b"GET /x?y=/z", b"GET /x?y=/z"),
            ("/", b"GET /x", b"GET /x"),
            ("/base", b"GET /", b"GET /base/"),
            ("/base/", b"GET /x?y", b"GET /base/x?y"),
            ("/a/b%20c", b"GET //x/../y", b"GET /a/b%20c//x/../y"),
            ("/base", b"GET http://other.test/x", b"GET /base/x"),
            ("/base", b"GET http://other.test?y", b"GET /base/?y"),
            ("/base", b"OPTIONS *", b"OPTIONS *"),
            ("", b"OPTIONS *", b"OPTIONS *"),
        ):
            self.make(f"http://service:{SERVICE_PORT}{base}")
            self.world.ask(request(line))
            self.assertEqual(sent + b" HTTP/1.1", self.service.last.take().partition(b"\r\n")[0], (base, line))

    def test_host_rewritten(self) -> None:
        """
        The service sees its own address as Host if that was asked for.
        """
        self.make(rewrite_host=True)
        self.world.ask(GET)
        self.assertEqual(b"GET / HTTP/1.1\r\nHost: service:4000\r\n\r\n", self.service.last.take())

    def test_piece_by_piece(self) -> None:
        """
        Bodies pass as they come, both ways, and their trailers with them.
        """
        client = self.world.ask(request(b"POST /", b"Transfer-Encoding: chunked", body=b"1\r\na\r\n"))
        self.assertTrue(self.service.last.take().endswith(b"\r\n\r\n1\r\na\r\n"))
        self.answer(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nb\r\n")
        self.assertTrue(client.take().endswith(b"\r\n\r\n1\r\nb\r\n"))
        self.world.say(client, b"0\r\nX-Sum: 1\r\n\r\n")
        self.assertEqual(b"0\r\nX-Sum: 1\r\n\r\n", self.service.last.take())
        self.answer(b"0\r\nX-Sum: 2\r\n\r\n")
        self.assertEqual(b"0\r\nX-Sum: 2\r\n\r\n", client.take())

    def test_interim(self) -> None:
        """
        It is the service that says whether it wants a body.
        """
        client = self.world.ask(request(b"POST /", b"Expect: 100-continue", b"Content-Length: 1"))
        self.assertIn(b"\r\nExpect: 100-continue\r\n", self.service.last.take())
        self.answer(b"HTTP/1.1 100 Continue\r\n\r\n")
        self.assertEqual(b"HTTP/1.1 100 Continue\r\n\r\n", client.take())

    def test_upgrade(self) -> None:
        """
        After a 101 bytes pass both ways, half-close included.
        """
        client = self.world.ask(UPGRADE)
        self.assertEqual(
            b"GET / HTTP/1.1\r\nHost: e.test\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n", self.service.last.take()
        )
        self.answer(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\nhello")
        self.assertTrue(client.take().endswith(b"\r\n\r\nhello"))
        self.world.say(client, b"question")
        client.transport.loseWriteConnection()
        self.world.network.pump()
        self.assertEqual((b"question", True), (self.service.last.take(), self.service.last.ended))
        self.answer(b"answer")
        self.service.last.transport.loseConnection()
        self.world.network.pump()
        self.assertEqual(b"answer", client.take())
        self.assertEqual((101, 11, ""), (self.record.status, self.record.bytes_out, self.record.failure))
        self.world.end()

    def test_patience(self) -> None:
        """
        How long the service may take is for the node to say: the agent waits.
        """
        self.world = World(ListenerConfig(endpoint_id="e", addr="service:4000", timeout=0.5))
        self.world.start_node()
        self.service = self.world.service()
        self.world.start()
        client = self.world.ask(GET)
        self.world.clock.advance(20)
        self.answer(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n")
        self.world.clock.advance(20)
        self.answer(b"ok")
        self.assertEqual(OK, client.take())
        self.assertEqual(40.0, self.record.duration)

    def test_slow_reader(self) -> None:
        """
        A stream that is not read stops the reading of its service, and holds a window's worth.
        """
        client = self.world.open()
        client.transport.pauseProducing()
        self.world.say(client, GET)
        size = 4_000_000
        self.answer(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size)
        self.answer(b"x" * size)
        self.assertEqual(b"", client.take())
        self.assertGreater(self.service.last.transport.queued, size / 2)
        client.transport.resumeProducing()
        self.world.network.pump()
        self.assertEqual(size, len(client.take().partition(b"\r\n\r\n")[2]))
        self.assertEqual(0, self.service.last.transport.queued)


class KeptConnectionTests(ListenerCase):
    """
    What is sent on connections to the service that were used before.
    """

    def setUp(self) -> None:
        """
        The service answers everything at once.
        """
        self.make(answer=OK)

    def connections_for(self, data: bytes, idle: float) -> int:
        """
        How many connections it takes, when one has been idle for so long.
        """
        self.setUp()
        self.world.fetch(GET)
        self.world.clock.advance(idle)
        self.assertTrue(self.world.fetch(data).startswith(b"HTTP/1.1 "))
        return len(self.service.peers)

    def test_idempotent(self) -> None:
        """
        A request that may be sent twice takes a kept connection, however long it was idle.
        """
        for method in (b"GET", b"HEAD", b"OPTIONS", b"TRACE", b"PUT", b"DELETE"):
            self.assertEqual(1, self.connections_for(request(method + b" /"), 20), method)

    def test_not_idempotent(self) -> None:
        """
        Any other takes it only if it was in use a moment ago, because services close idle connections.
        """
        for method in (b"POST", b"PATCH", b"BREW"):
            self.assertEqual(1, self.connections_for(request(method + b" /"), FRESH), method)
            self.assertEqual(2, self.connections_for(request(method + b" /"), FRESH + 0.01), method)

    def test_upgrade(self) -> None:
        """
        An upgrade never does.
        """
        self.assertEqual(2, self.connections_for(UPGRADE, 0))

    def test_closed_meanwhile(self) -> None:
        """
        When the service closes a kept connection in the moment in which it is used, a request that may be sent twice
        is sent again on a new one.
        """
        self.world.fetch(GET)
        self.service.answer = b""
        self.world.clock.advance(5)
        client = self.world.open()
        client.transport.write(GET)
        self.service.last.transport.abortConnection()
        self.world.network.pump()
        self.assertEqual((2, SENT_GET), (len(self.service.peers), self.service.last.take()))
        self.answer()
        self.assertEqual(OK, client.take())

    def test_post_lost(self) -> None:
        """
        A POST is not: the service may have acted upon it. The answer says what happened, and does not say that the
        service has not seen it.
        """
        self.make()
        self.world.ask(GET)
        self.answer()
        client = self.world.ask(POST)
        self.assertEqual(1, len(self.service.peers))
        self.service.last.transport.loseConnection()
        self.world.network.pump()
        self.assertEqual(1, len(self.service.peers))
        answer = client.take()
        self.assertTrue(answer.startswith(b"HTTP/1.1 502 "), answer)
        self.assertNotIn(b"x-pico-service", answer.lower())

    def test_max_idle(self) -> None:
        """
        As many are kept as the setting says.
        """
        self.make(max_idle=2)
        for _ in range(4):
            self.world.ask(GET)
        for peer in self.service.peers:
            self.world.say(peer, OK)
        self.assertEqual(2, len(self.service.open))

    def test_idle_timeout(self) -> None:
        """
        As long as the setting says.
        """
        self.make(answer=OK, idle_timeout=40)
        self.world.fetch(GET)
        self.world.network.advance(39)
        self.assertEqual(1, len(self.service.open))
        self.world.network.advance(2)
        self.assertEqual([], self.service.open)

    def test_stop(self) -> None:
        """
        When the agent stops, kept connections are closed.
        """
        self.world.fetch(GET)
        self.assertEqual(1, len(self.service.open))
        self.world.end()
        self.assertEqual([], self.service.open)


class FailureTests(ListenerCase):
    """
    Services that do not answer, and how that is told.
    """

    def assert_failed(self, answer: bytes, status: int, error: str, detail: str, marker: bytes = b"") -> None:
        """
        An answer is one of the agent's own.

        :param marker: what it says of the service; nothing if it must not say anything.
        """
        head, _, body = answer.partition(b"\r\n\r\n")
        lines = head.split(b"\r\n")
        self.assertTrue(lines[0].startswith(b"HTTP/1.1 %d " % status), answer)
        markers = [line for line in lines if line.lower().startswith(b"x-pico-")]
        self.assertEqual([b"x-pico-service: " + marker] if marker else [], markers)
        self.assertEqual({"error": error, "detail": detail}, json.loads(body))
        self.assertEqual(status, self.record.status)

    def test_down(self) -> None:
        """
        Nothing listens: 502, marked so that the node sends the request elsewhere, whatever its method.
        """
        self.service.stop_listening()
        client = self.world.ask(POST)
        self.assert_failed(
            client.take(),
            502,
            "upstream unreachable",
            "http://service:4000 does not accept connections",
            b"unreachable",
        )
        self.assertEqual("unreachable", self.record.failure)
        # The agent, the tunnel and the stream live on.
        self.service = self.world.service()
        self.world.say(client, GET)
        self.answer()
        self.assertEqual(OK, client.take())
        self.world.end()

    def test_slow_to_connect(self) -> None:
        """
        No answer to the connection within the listener's time: 504, marked.
        """
        self.world.network.cut(self.world.agent_host, self.world.service_host)
        client = self.world.ask(GET)
        self.world.clock.advance(9.9)
        self.world.network.pump()
        self.assertEqual(b"", client.take())
        self.world.clock.advance(0.1)
        self.world.network.pump()
        self.assert_failed(
            client.take(),
            504,
            "upstream timeout",
            "http://service:4000 did not accept a connection in time",
            b"timeout",
        )
        self.assertEqual("connect timeout", self.record.failure)

    def test_no_answer(self) -> None:
        """
        The service closes without an answer: 502, without the mark, for it may have acted upon the request.
        """
        for end in ("loseConnection", "abortConnection"):
            self.setUp()
            client = self.world.ask(GET)
            getattr(self.service.last.transport, end)()
            self.world.network.pump()
            detail = "http://service:4000 closed the connection without an answer"
            self.assert_failed(client.take(), 502, "upstream unreachable", detail)
            self.assertEqual("lost", self.record.failure)

    def test_no_http(self) -> None:
        """
        The service speaks something else: the same, in other words.
        """
        client = self.world.ask(GET)
        self.answer(b"220 mail.test ESMTP\r\n\r\n")
        detail = "http://service:4000 sent something that is not HTTP/1.1"
        self.assert_failed(client.take(), 502, "upstream unreachable", detail)
        self.assertEqual("malformed response", self.record.failure)
        self.assertEqual([], self.service.open)

    def test_page(self) -> None:
        """
        A browser gets a page that says the same, marked as well.
        """
        self.service.stop_listening()
        answer = self.world.fetch(request(b"GET /", b"Accept: text/html"))
        self.assertTrue(answer.startswith(b"HTTP/1.1 502 "))
        for part in (b"\r\nx-pico-service: unreachable\r\n", b"\r\nContent-Type: text/html", b"http://service:4000"):
            self.assertIn(part, answer)

    def test_broken(self) -> None:
        """
        A response that breaks off looks broken.
        """
        for answer in (
            b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n",
        ):
            self.setUp()
            client = self.world.ask(GET)
            self.answer(answer)
            self.service.last.transport.abortConnection()
            self.world.network.pump()
            self.assertEqual(answer, client.take())
            self.assertTrue(client.read_ends or client.lost)
            self.assertEqual(
                (200, 4, "broken response"), (self.record.status, self.record.bytes_out, self.record.failure)
            )

    def test_client_gone(self) -> None:
        """
        When the node resets a stream, the service's connection is dropped, and the request is over.
        """
        client = self.world.ask(GET)
        client.transport.abortConnection()
        self.world.network.pump()
        self.assertEqual([], self.service.open)
        self.assertEqual((499, "client gone"), (self.record.status, self.record.failure))
        self.world.end()

    def test_client_gone_while_connecting(self) -> None:
        """
        Also while there is no connection yet, which is given up then.
        """
        self.world.network.cut(self.world.agent_host, self.world.service_host)
        client = self.world.ask(GET)
        client.transport.abortConnection()
        self.world.network.pump()
        self.assertEqual((499, "client gone"), (self.record.status, self.record.failure))
        self.world.network.heal(self.world.agent_host, self.world.service_host)
        self.world.network.advance(20)
        self.assertEqual([], self.service.peers)
        self.assertEqual(1, len(self.world.served))
        self.world.end()

    def test_tls(self) -> None:
        """
        A service behind https:// hears nothing in the clear; one that cannot show who it is gets no request.
        """
        self.world = World(ListenerConfig(endpoint_id="e", addr="https://service"))
        self.world.start_node()
        self.service = self.world.service(443)
        self.world.start()
        client = self.world.ask(GET)
        hello = self.service.last.take()
        self.assertEqual(b"\x16\x03", hello[:2])
        self.assertNotIn(b"e.test", hello)
        # A handshake failure, in place of an answer (RFC 8446 section 6).
        self.answer(b"\x15\x03\x03\x00\x02\x02\x28")
        self.assertTrue(client.take().startswith(b"HTTP/1.1 502 "))
        self.assertEqual([], self.service.open)
        self.world.end()

    def test_malformed_request(self) -> None:
        """
        What is no request is answered, and nothing of it reaches the service.
        """
        client = self.world.ask(b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n")
        answer = client.take()
        self.assertTrue(answer.startswith(b"HTTP/1.1 400 "), answer)
        self.assertIn(b"more than one Host header", answer)
        self.assertEqual(([], []), (self.service.peers, self.world.served))
        self.assertEqual(1, client.read_ends)

    def test_malformed_body(self) -> None:
        """
        A body that makes no sense breaks off at the service, and is answered as what it is.
        """
        client = self.world.ask(request(b"POST /", b"Transfer-Encoding: chunked", body=b"1\r\na\r\n"))
        self.world.say(client, b"x\r\n")
        answer = client.take()
        self.assertTrue(answer.startswith(b"HTTP/1.1 400 "), answer)
        self.assertNotIn(b"x-pico-service", answer)
        self.assertEqual([], self.service.open)
        self.assertEqual((400, "refused"), (self.record.status, self.record.failure))


class RecordTests(ListenerCase):
    """
    What is told of a request.
    """

    def ask(self, data: bytes, answer: bytes) -> Client:
        """
        Have a request served that takes two seconds.
        """
        client = self.world.ask(data)
        self.world.clock.advance(2)
        self.answer(answer)
        return client

    def test_record(self) -> None:
        """
        Endpoint, method, path, status, time and size; and nothing of the query, which may hold secrets.
        """
        self.ask(request(b"PUT /a%20b?token=secret"), b"HTTP/1.1 201 Created\r\nContent-Length: 5\r\n\r\nhello")
        self.assertEqual(
            RequestServed(
                endpoint="e", method="PUT", target="/a%20b", status=201, duration=2.0, bytes_out=5, failure=""
            ),
            self.record,
        )

    def test_base_path(self) -> None:
        """
        The path is the client's.
        """
        self.make(f"http://service:{SERVICE_PORT}/base")
        self.ask(request(b"GET /x"), OK)
        self.assertEqual("/x", self.record.target)

    def test_when_told(self) -> None:
        """
        A request is told of when it has ended, not before.
        """
        self.ask(GET, b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\no")
        self.assertEqual([], self.world.served)
        self.answer(b"k")
        self.assertEqual(2, self.record.bytes_out)

    def test_not_told(self) -> None:
        """
        Where nobody watches nothing is told.
        """
        self.make(requests=False)
        client = self.ask(GET, OK)
        self.assertEqual(OK, client.take())
        self.assertEqual(([], 1), (self.world.served, len(self.world.events)))


class _OnPipe:
    """
    A stream that is a pipe, for a listener without a tunnel.

    :ivar client: the node's end.
    """

    def __init__(self, network: MemoryNetwork) -> None:
        self.client = Peer()
        self._network = network

    def getPeer(self) -> IAddress:
        """
        The node's address.
        """
        return HostnameAddress(b"node", 8001)

    def attach(self, protocol: IProtocol) -> None:
        """
        Begin.
        """
        pipe = MemoryPipe()
        self._network.pipes.append(pipe)
        pipe.connect(self.client, protocol)


class TLSTests(SynchronousTestCase):
    """
    Services that speak TLS.
    """

    authority = Authority()

    def setUp(self) -> None:
        """
        A listener that trusts the service.
        """
        self.network = MemoryNetwork()
        self.service = Service(self.network.host("service"), 443, secured=self.authority.secured)
        self.make(self.authority)

    def make(self, trusted: Authority) -> None:
        """
        Make the listener.
        """
        host = self.network.host("agent")
        cache = HeaderCache(fate_of)
        deadlines = Deadlines(host)
        self.backend = ServiceBackend(
            TLSEndpoint(make_client_endpoint(host, "service", 443), trusted.trust("service"), host),
            max_idle=3,
            idle_timeout=90,
            cache=cache,
            limits=Limits(),
            clock=host,
            deadlines=deadlines,
        )
        self.served: list[RequestServed] = []
        self.listener = AgentListener(
            ListenerSettings("e", "https://service", ServerSettings(head_timeout=0, idle_timeout=0)),
            backend=self.backend,
            access_log=AccessLog(AccessLogSettings(redaction=Redaction(()), enabled=False), "proxy.http.access"),
            cache=cache,
            clock=host,
            deadlines=deadlines,
            on_served=self.served.append,
        )

    def ask(self, data: bytes) -> Peer:
        """
        Send a request on a new stream.
        """
        stream = _OnPipe(self.network)
        self.listener.serve(stream)
        self.say(stream.client, data)
        return stream.client

    def say(self, peer: Peer, data: bytes) -> None:
        """
        Let one end send something, and everything happen that follows at once.
        """
        peer.transport.write(data)
        self.network.pump()

    def end(self) -> None:
        """
        Stop; nothing may be left.
        """
        self.backend.stop()
        self.network.pump()
        self.assertEqual(([], 0), (self.service.open, self.backend.in_flight))
        self.assertEqual([], self.network.clock.getDelayedCalls())

    def test_requests(self) -> None:
        """
        Requests and answers pass, and the connection is kept.
        """
        client = self.ask(GET)
        for _ in range(2):
            self.assertEqual(SENT_GET, self.service.last.take())
            self.say(self.service.last, OK)
            self.assertEqual(OK, client.take())
            self.say(client, GET)
        self.say(self.service.last, OK)
        self.assertEqual(1, len(self.service.peers))
        self.end()

    def test_not_trusted(self) -> None:
        """
        Where there is no TLS that can be trusted the request was certainly not seen, and the node is told so: another
        agent may serve it, whatever it is.
        """
        self.make(trusted=Authority())
        for sent in (GET, POST):
            answer = self.ask(sent).take()
            self.assertIn(b"HTTP/1.1 502 ", answer)
            self.assertIn(b"x-pico-service: unreachable\r\n", answer)
            self.assertIn(b"did not speak TLS", answer)
        self.assertEqual(["tls handshake"] * 2, [record.failure for record in self.served])
        self.assertEqual([b"", b""], [peer.take() for peer in self.service.peers])
        self.end()

    def test_upgrade(self) -> None:
        """
        After a 101 bytes pass both ways, any number of them; TLS ends only as a whole.
        """
        client = self.ask(UPGRADE)
        self.service.last.take()
        self.say(self.service.last, b"HTTP/1.1 101 S\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\nhello")
        self.assertTrue(client.take().endswith(b"\r\n\r\nhello"))
        size = 1_000_000
        self.say(client, b"q" * size)
        self.assertEqual(size, len(self.service.last.take()))
        self.say(self.service.last, b"a" * size)
        self.assertEqual(size, len(client.take()))
        client.transport.loseConnection()
        self.network.pump()
        self.assertEqual([(101, size + 5)], [(record.status, record.bytes_out) for record in self.served])
        self.end()
