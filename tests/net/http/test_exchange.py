"""
Tests for :mod:`pico.net.http.exchange` between the real protocols, on pipes in memory.
"""

from __future__ import annotations

from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.trial.unittest import SynchronousTestCase

from pico.net.http.exchange import Exchange
from pico.net.http.gateway import FailureKind
from pico.net.http.server import ServerSettings
from tests.net.http.support import Peer, World, request

GET = request(b"GET / HTTP/1.1")
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
SENT_GET = b"GET / HTTP/1.1\r\nHost: h\r\n\r\n"


class ExchangeTestCase(SynchronousTestCase):
    """
    A world per test, and what must be true at the end of each.
    """

    services = 1
    settings: ServerSettings | None = None

    def setUp(self) -> None:
        self.world = World(self.services, self.settings)

    def finish(self) -> None:
        """
        Close all clients: nothing may be left behind.
        """
        for server in self.world.servers:
            if server.phase.name not in ("CLOSED", "SWITCHED"):
                server.abort()
        self.world.pump()
        for service in self.world.services:
            self.assertEqual(service.acquired, service.released)
            service.pool.stop()
        self.world.pump()
        self.assertEqual(self.world.clock.getDelayedCalls(), [])

    def peer(self, service: int = 0, connection: int = -1) -> Peer:
        return self.world.services[service].peers[connection]

    def fetch(self, client: Peer, data: bytes = GET, answer: bytes = OK, service: int = 0) -> bytes:
        """
        Send a request, let the service answer, return what the client got.
        """
        self.world.say(client, data)
        self.world.say(self.peer(service), answer)
        return client.take()


class PlainTests(ExchangeTestCase):
    """
    What goes right.
    """

    def test_get(self) -> None:
        """
        A request goes to the service and its response comes back.
        """
        client = self.world.client()
        self.assertEqual(self.fetch(client), OK)
        self.assertEqual(self.peer().take(), SENT_GET)
        exchange = self.world.finished_exchanges[0]
        self.assertEqual((exchange.status, exchange.failure, exchange.bytes_out), (200, None, 2))
        self.finish()

    def test_kept_alive(self) -> None:
        """
        Both connections carry the next request.
        """
        client = self.world.client()
        for _ in range(3):
            self.assertEqual(self.fetch(client), OK)
        self.assertEqual(len(self.world.services[0].peers), 1)
        self.finish()

    def test_close_when_idle(self) -> None:
        """
        Idle connections close at once, one under way behind its answer.
        """
        idle, busy = self.world.client(), self.world.client()
        self.fetch(idle)
        self.world.say(busy, GET)
        self.world.say(self.peer(), b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n")
        for server in self.world.servers:
            server.close_when_idle()
        self.world.pump()
        self.assertTrue(idle.over)
        self.assertFalse(busy.over)
        self.world.say(self.peer(), b"ok")
        self.assertTrue(busy.take().endswith(b"\r\n\r\nok"))
        self.assertTrue(busy.over)
        self.finish()

    def test_close_with_next_answer(self) -> None:
        """
        A client is told to go with the next answer that can tell it, and is not cut off before.
        """
        idle, busy = self.world.client(), self.world.client()
        self.fetch(idle)
        self.world.say(busy, GET)
        self.world.say(self.peer(), b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n")
        for server in self.world.servers:
            server.close_with_next_answer()
        self.world.say(self.peer(), b"ok")
        self.assertEqual(busy.take(), OK)
        self.world.advance(10)
        for client in (idle, busy):
            self.assertFalse(client.over)
            self.assertEqual(self.fetch(client), b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")
            self.assertTrue(client.over)
        self.finish()

    def test_close_before_first_request(self) -> None:
        """
        A connection that was made just now has a moment to send its request, which is answered.
        """
        quick, slow, silent = (self.world.client() for _ in range(3))
        for server in self.world.servers:
            server.close_when_idle()
        self.world.pump()
        self.assertEqual(self.fetch(quick), b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")
        self.assertTrue(quick.over)
        self.world.say(slow, GET[:5])
        self.world.advance(0.6)
        self.assertTrue(silent.over)
        self.assertFalse(slow.over)
        self.assertTrue(self.fetch(slow, GET[5:]).endswith(b"ok"))
        self.finish()

    def test_not_idempotent_is_fresh(self) -> None:
        """
        A request that must not be sent twice gets a connection of its own.
        """
        client = self.world.client()
        self.fetch(client)
        self.world.say(client, request(b"POST / HTTP/1.1", b"Content-Length: 2", body=b"ab"))
        self.assertEqual(len(self.world.services[0].peers), 2)
        self.assertEqual(self.peer().take(), b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nab")
        self.finish()

    def test_pipelined(self) -> None:
        """
        Requests that come together are served in order, one at a time.
        """
        client = self.world.client()
        self.world.say(client, GET + request(b"GET /2 HTTP/1.1"))
        self.assertEqual(self.peer().take(), SENT_GET)
        self.world.say(self.peer(), OK)
        self.assertEqual(self.peer().take(), b"GET /2 HTTP/1.1\r\nHost: h\r\n\r\n")
        self.world.say(self.peer(), OK)
        self.assertEqual(client.take(), OK + OK)
        self.finish()

    def test_pipelined_local(self) -> None:
        """
        Answers made here keep their place among the others.
        """
        client = self.world.client()
        self.world.say(client, request(b"GET /local HTTP/1.1") * 2 + GET)
        self.world.say(self.peer(), OK)
        received = client.take()
        self.assertEqual(received.count(b"HTTP/1.1 404"), 2)
        self.assertTrue(received.endswith(OK))
        self.finish()

    def test_chunked_both_ways(self) -> None:
        """
        Bodies without a length are sent on piece by piece, with their trailers.
        """
        client = self.world.client()
        self.world.say(client, request(b"POST / HTTP/1.1", b"Transfer-Encoding: chunked", body=b"3\r\nabc\r\n"))
        self.assertEqual(
            self.peer().take(),
            b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
        )
        self.world.say(client, b"0\r\nX-Sum: 1\r\n\r\n")
        self.assertEqual(self.peer().take(), b"0\r\nX-Sum: 1\r\n\r\n")
        self.world.say(self.peer(), b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;x=y\r\na\r\n")
        self.assertEqual(client.take(), b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n")
        self.world.say(self.peer(), b"0\r\nX-T: 1\r\n\r\n")
        self.assertEqual(client.take(), b"0\r\nX-T: 1\r\n\r\n")
        self.finish()

    def test_head(self) -> None:
        """
        The answer to HEAD keeps its length and has no body.
        """
        client = self.world.client()
        answer = self.fetch(client, request(b"HEAD / HTTP/1.1"), b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n")
        self.assertEqual(answer, b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n")
        self.assertEqual(self.fetch(client), OK)
        self.finish()

    def test_http_1_0_client(self) -> None:
        """
        A body without a length reaches a client of HTTP/1.0 unframed and ends with the connection.
        """
        client = self.world.client()
        answer = self.fetch(
            client,
            request(b"GET / HTTP/1.0"),
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n",
        )
        self.assertEqual(answer, b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nab")
        self.assertTrue(client.over)
        self.finish()

    def test_body_ended_by_service(self) -> None:
        """
        A body that the service ends by closing is passed on in chunks, and only then complete.
        """
        client = self.world.client()
        self.world.say(client, GET)
        self.world.say(self.peer(), b"HTTP/1.0 200 OK\r\n\r\nabc")
        self.assertEqual(client.take(), b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n")
        self.peer().transport.loseConnection()
        self.world.pump()
        self.assertEqual(client.take(), b"0\r\n\r\n")
        self.finish()

    def test_continue(self) -> None:
        """
        The service's 100 reaches the client, whose body then reaches the service.
        """
        client = self.world.client()
        self.world.say(client, request(b"POST / HTTP/1.1", b"Expect: 100-continue", b"Content-Length: 1"))
        self.world.say(self.peer(), b"HTTP/1.1 100 Continue\r\n\r\n")
        self.assertEqual(client.take(), b"HTTP/1.1 100 Continue\r\n\r\n")
        self.peer().take()
        self.world.say(client, b"x")
        self.assertEqual(self.peer().take(), b"x")
        self.world.say(self.peer(), OK)
        self.assertEqual(client.take(), OK)
        self.finish()

    def test_early_answer(self) -> None:
        """
        A service that answers before it has heard the client out is believed, and the connections are closed.
        """
        client = self.world.client()
        self.world.say(client, request(b"POST / HTTP/1.1", b"Content-Length: 1000", body=b"a"))
        self.world.say(self.peer(), b"HTTP/1.1 413 Content Too Large\r\nContent-Length: 0\r\n\r\n")
        self.assertEqual(
            client.take(), b"HTTP/1.1 413 Content Too Large\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        )
        self.assertTrue(client.ended)
        self.assertTrue(self.peer().over)
        self.world.say(client, b"b" * 10)
        self.world.advance(6)
        self.assertTrue(client.over)
        self.finish()

    def test_slow_connection(self) -> None:
        """
        What comes before there is a connection waits for it, up to the buffer, and reading stops there.
        """
        service = self.world.services[0]
        service.slow = True
        client = self.world.client()
        self.world.say(client, request(b"POST / HTTP/1.1", b"Content-Length: 500000", body=b"a" * 200))
        self.world.say(client, b"a" * 300000)
        exchange = service.waiting[0]
        self.assertLess(exchange.bytes_in, 200_000)
        service.connect()
        self.world.pump()
        self.world.say(client, b"a" * (500000 - 300200))
        self.assertEqual(
            len(self.peer().take()),
            len(b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 500000\r\n\r\n") + 500000,
        )
        self.world.say(self.peer(), OK)
        self.assertEqual(client.take(), OK)
        self.finish()


class UpgradeTests(ExchangeTestCase):
    """
    Exchanges that stop being HTTP.
    """

    UPGRADE = request(b"GET / HTTP/1.1", b"Connection: Upgrade", b"Upgrade: echo")
    SWITCH = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n"

    def test_switch(self) -> None:
        """
        After a 101 bytes pass both ways, those that came early included, and half-close is carried.
        """
        client = self.world.client()
        self.world.say(client, self.UPGRADE + b"early")
        self.assertEqual(
            self.peer().take(), b"GET / HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n"
        )
        self.world.say(self.peer(), self.SWITCH + b"hello")
        self.assertEqual(client.take(), self.SWITCH + b"hello")
        self.assertEqual(self.peer().take(), b"early")
        self.world.say(client, b"ping")
        self.assertEqual(self.peer().take(), b"ping")
        client.transport.loseWriteConnection()
        self.world.pump()
        self.assertTrue(self.peer().ended)
        self.world.say(self.peer(), b"last words")
        self.peer().transport.loseConnection()
        self.world.pump()
        self.assertEqual(client.take(), b"last words")
        self.assertTrue(client.over)
        client.transport.loseConnection()
        self.world.pump()
        exchange = self.world.finished_exchanges[0]
        self.assertEqual((exchange.status, exchange.bytes_in, exchange.bytes_out), (101, 9, 15))
        self.assertEqual(self.world.connections, 0)
        self.finish()

    def test_declined(self) -> None:
        """
        A service that does not switch answers as usual, and the connection goes on.
        """
        client = self.world.client()
        self.assertEqual(self.fetch(client, self.UPGRADE), OK)
        self.assertEqual(self.fetch(client), OK)
        self.finish()

    def test_not_asked(self) -> None:
        """
        A 101 that nobody asked for is no answer.
        """
        client = self.world.client()
        self.assertIn(b"502", self.fetch(client, GET, self.SWITCH))
        self.finish()


class RetryTests(ExchangeTestCase):
    """
    When a request is sent again, and when not.
    """

    services = 2

    def _served_by_second(self, client: Peer) -> None:
        self.world.say(self.peer(1), OK)
        self.assertEqual(client.take(), OK)
        self.assertEqual(self.world.finished_exchanges[0].tried, [self.world.services[0]])
        self.finish()

    def test_unreachable(self) -> None:
        """
        A backend that cannot be reached has seen nothing: any request goes elsewhere.
        """
        self.world.services[0].down = FailureKind.UNREACHABLE
        client = self.world.client()
        self.world.say(client, request(b"POST / HTTP/1.1", b"Content-Length: 3", body=b"abc"))
        self.assertTrue(self.peer(1).take().endswith(b"\r\n\r\nabc"))
        self._served_by_second(client)

    def test_lost_idempotent(self) -> None:
        """
        An idempotent request whose connection ends before an answer goes elsewhere.
        """
        client = self.world.client()
        self.world.say(client, request(b"PUT / HTTP/1.1", b"Content-Length: 3", body=b"abc"))
        self.peer(0).transport.abortConnection()
        self.world.pump()
        self.assertTrue(self.peer(1).take().endswith(b"\r\n\r\nabc"))
        self._served_by_second(client)

    def test_lost_post(self) -> None:
        """
        A POST that a backend may have acted upon is not sent again.
        """
        client = self.world.client()
        self.world.say(client, request(b"POST / HTTP/1.1", b"Content-Length: 3", body=b"abc"))
        self.peer(0).transport.abortConnection()
        self.world.pump()
        self.assertIn(b"HTTP/1.1 502", client.take())
        self.assertEqual(self.world.services[1].peers, [])
        self.finish()

    def test_declined(self) -> None:
        """
        A backend that says that it could not serve the request is passed over, whatever the method.
        """
        client = self.world.client()
        self.world.say(client, request(b"POST / HTTP/1.1", b"Content-Length: 3", body=b"abc"))
        self.world.say(self.peer(0), b"HTTP/1.1 502 Bad Gateway\r\nX-Down: 1\r\nContent-Length: 4\r\n\r\ndown")
        self.assertTrue(self.peer(1).take().endswith(b"\r\n\r\nabc"))
        self._served_by_second(client)

    def test_everybody_declines(self) -> None:
        """
        When nobody is left the client hears why.
        """
        client = self.world.client()
        self.world.say(client, GET)
        for service in (0, 1):
            self.world.say(self.peer(service), b"HTTP/1.1 502 Bad Gateway\r\nX-Down: 1\r\nContent-Length: 0\r\n\r\n")
        self.assertIn(b'{"error":"declined"}\n', client.take())
        self.finish()

    def test_body_too_large_to_keep(self) -> None:
        """
        A request whose body is not kept whole cannot be sent again.
        """
        client = self.world.client()
        self.world.say(client, request(b"PUT / HTTP/1.1", b"Content-Length: 101", body=b"a" * 101))
        self.peer(0).transport.abortConnection()
        self.world.pump()
        self.assertIn(b"HTTP/1.1 502", client.take())
        self.assertEqual(self.world.services[1].peers, [])
        self.finish()

    def test_stale_connection(self) -> None:
        """
        A kept connection that ends with a request on it says nothing of its backend, which is tried on a new one.
        """
        client = self.world.client()
        self.fetch(client)
        self.world.say(client, GET)
        self.peer(0).transport.loseConnection()
        self.world.pump()
        self.assertEqual(len(self.world.services[0].peers), 2)
        self.world.say(self.peer(0), OK)
        self.assertEqual(client.take(), OK)
        self.assertEqual(self.world.finished_exchanges[1].tried, [])
        self.finish()

    def test_malformed_is_final(self) -> None:
        """
        What is not HTTP was sent by a service that has seen the request.
        """
        client = self.world.client()
        self.assertIn(b"HTTP/1.1 502", self.fetch(client, GET, b"SSH-2.0-OpenSSH\r\n\r\n"))
        self.assertEqual(self.world.services[1].peers, [])
        self.finish()

    def test_attempts(self) -> None:
        """
        The number of backends tried is bounded.
        """
        self.world.attempts = 1
        self.world.services[0].down = FailureKind.UNREACHABLE
        client = self.world.client()
        self.world.say(client, GET)
        self.assertIn(b"HTTP/1.1 502", client.take())
        self.finish()


class StandInTests(ExchangeTestCase):
    """
    A backend that only stands in for one.
    """

    services = 2

    def begin(self, *lines: bytes, body: bytes = b"") -> Peer:
        """
        Send a request to the first service, which has none for it and never will.
        """
        self.world.services[0].slow = True
        client = self.world.client()
        self.world.say(client, request(*lines, body=body))
        return client

    def exchange(self) -> Exchange:
        """
        Take the request from the stand-in.
        """
        self.world.services[0].released += 1
        return self.world.services[0].waiting.pop()

    def test_go_to(self) -> None:
        """
        The request goes to the backend that is named in the end, with all that has come of its body until then.
        """
        for method in (b"GET", b"POST"):
            client = self.begin(method + b" / HTTP/1.1", b"Content-Length: 3", body=b"abc")
            self.exchange().go_to(self.world.services[1])
            self.world.pump()
            self.assertEqual(self.peer(1).take(), method + b" / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc")
            self.world.say(self.peer(1), OK)
            self.assertEqual(client.take(), OK)
            self.assertEqual(self.world.finished_exchanges[-1].tried, [])
        self.finish()

    def test_go_to_no_use(self) -> None:
        """
        If that one cannot be reached the request is sent on as if there had been no other before.
        """
        client = self.begin(b"GET / HTTP/1.1")
        self.world.services[0].slow = False
        self.world.services[1].down = FailureKind.UNREACHABLE
        self.exchange().go_to(self.world.services[1])
        self.world.pump()
        self.world.say(self.peer(0), OK)
        self.assertEqual(client.take(), OK)
        self.finish()

    def test_give_up(self) -> None:
        """
        Without one there is an answer, and nothing is tried.
        """
        client = self.begin(b"GET / HTTP/1.1")
        self.exchange().give_up(FailureKind.NO_BACKEND)
        self.world.pump()
        self.assertIn(b"no backend", client.take())
        self.assertEqual(self.world.services[1].acquired, 0)
        self.assertIs(self.world.finished_exchanges[-1].failure, FailureKind.NO_BACKEND)
        self.finish()


class BrokenTests(ExchangeTestCase):
    """
    What breaks must look broken.
    """

    def test_broken_length(self) -> None:
        """
        A body that stops short of its length stays short, and the connection ends.
        """
        client = self.world.client()
        self.world.say(client, GET)
        self.world.say(self.peer(), b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc")
        self.peer().transport.abortConnection()
        self.world.pump()
        self.assertTrue(client.take().endswith(b"\r\n\r\nabc"))
        self.assertTrue(client.over)
        self.assertIs(self.world.finished_exchanges[0].failure, FailureKind.BROKEN)
        self.finish()

    def test_broken_chunks(self) -> None:
        """
        A body in chunks that breaks off gets no last chunk.
        """
        client = self.world.client()
        self.world.say(client, GET)
        self.world.say(self.peer(), b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n")
        self.peer().transport.loseConnection()
        self.world.pump()
        self.assertTrue(client.take().endswith(b"3\r\nabc\r\n"))
        self.assertTrue(client.over)
        self.finish()

    def test_broken_unframed(self) -> None:
        """
        A body that only the connection's end would end is cut with a reset.
        """
        client = self.world.client()
        self.world.say(client, request(b"GET / HTTP/1.0"))
        self.world.say(self.peer(), b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n")
        self.peer().transport.loseConnection()
        self.world.pump()
        assert client.lost is not None
        self.assertFalse(client.lost.check(ConnectionDone))
        self.finish()

    def test_malformed_body(self) -> None:
        """
        A request body that stops making sense is answered with 400, and the service sees its connection break.
        """
        client = self.world.client()
        self.world.say(client, request(b"POST / HTTP/1.1", b"Transfer-Encoding: chunked", body=b"1\r\na\r\n"))
        self.world.say(client, b"zz\r\n")
        self.assertIn(b"HTTP/1.1 400", client.take())
        lost = self.peer().lost
        assert lost is not None
        self.assertTrue(lost.check(ConnectionLost))
        self.finish()

    def test_malformed_request(self) -> None:
        """
        Bytes that are not a request never reach a service, and the connection closes.
        """
        client = self.world.client()
        self.world.say(client, b"GET / HTTP/1.1\nHost: h\n\n")
        self.assertIn(b"HTTP/1.1 400", client.take())
        self.world.advance(6)
        self.assertTrue(client.over)
        self.assertEqual(self.world.services[0].peers, [])
        self.finish()

    def test_malformed_behind_good(self) -> None:
        """
        A good request is answered before the malformed one behind it is refused.
        """
        client = self.world.client()
        self.world.say(client, GET + b"\x00\r\n\r\n")
        self.world.say(self.peer(), OK)
        received = client.take()
        self.assertTrue(received.startswith(OK))
        self.assertIn(b"HTTP/1.1 400", received)
        self.finish()

    def test_body_too_large(self) -> None:
        """
        A declared length over the limit is refused before anything is sent on; an undeclared one when it is passed.
        """
        self.world.max_body = 10
        client = self.world.client()
        self.world.say(client, request(b"POST / HTTP/1.1", b"Content-Length: 11"))
        self.assertIn(b"HTTP/1.1 413", client.take())
        self.assertEqual(self.world.services[0].peers, [])
        client = self.world.client()
        self.world.say(client, request(b"POST / HTTP/1.1", b"Transfer-Encoding: chunked", body=b"b\r\naaaaaaaaaaa\r\n"))
        self.assertIn(b"HTTP/1.1 413", client.take())
        self.finish()


class GoneTests(ExchangeTestCase):
    """
    Clients that leave, and time that passes.
    """

    def test_client_gone(self) -> None:
        """
        The service hears at once that nobody waits for its answer.
        """
        client = self.world.client()
        self.world.say(client, GET)
        client.transport.abortConnection()
        self.world.pump()
        self.assertTrue(self.peer().over)
        self.assertEqual(self.world.finished_exchanges[0].status, 499)
        self.finish()

    def test_client_gone_while_connecting(self) -> None:
        """
        A connection that is not needed any more is not waited for.
        """
        self.world.services[0].slow = True
        client = self.world.client()
        self.world.say(client, GET)
        client.transport.abortConnection()
        self.world.pump()
        self.assertEqual(self.world.services[0].waiting, [])
        self.finish()

    def test_half_closed_client(self) -> None:
        """
        A client that ends its side behind its request still gets its answer.
        """
        client = self.world.client()
        self.world.say(client, GET)
        client.transport.loseWriteConnection()
        self.world.pump()
        self.world.say(self.peer(), OK)
        self.assertEqual(client.take(), OK.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
        self.assertTrue(client.over)
        self.finish()

    def test_half_closed_within_body(self) -> None:
        """
        A client that ends its side within its body has sent no request.
        """
        client = self.world.client()
        self.world.say(client, request(b"POST / HTTP/1.1", b"Content-Length: 5", body=b"ab"))
        client.transport.loseWriteConnection()
        self.world.pump()
        self.assertTrue(self.peer().over)
        self.finish()

    def test_response_timeout(self) -> None:
        """
        A response that does not begin in time is a 504, and is not asked for again.
        """
        client = self.world.client()
        self.world.say(client, GET)
        self.world.advance(29)
        self.assertEqual(client.take(), b"")
        self.world.advance(2)
        self.assertIn(b"HTTP/1.1 504", client.take())
        self.assertTrue(self.peer().over)
        self.finish()

    def test_slow_response_is_not_timed(self) -> None:
        """
        Once a response has begun it may take for ever.
        """
        client = self.world.client()
        self.world.say(client, GET)
        self.world.say(self.peer(), b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n")
        self.world.advance(1000)
        self.world.say(self.peer(), b"ok")
        self.assertTrue(client.take().endswith(b"ok"))
        self.finish()

    def test_slow_upload_is_not_timed(self) -> None:
        """
        While the client sends its body the response is not waited for.
        """
        client = self.world.client()
        self.fetch(client)
        self.world.say(client, request(b"POST / HTTP/1.1", b"Content-Length: 2", body=b"a"))
        self.world.advance(1000)
        self.world.say(client, b"b")
        self.world.say(self.peer(), OK)
        self.assertEqual(client.take(), OK)
        self.finish()

    def test_slow_head(self) -> None:
        """
        A head that trickles in is given up, however often a byte of it comes.
        """
        client = self.world.client()
        for byte in GET[:12]:
            self.world.say(client, bytes([byte]))
            self.world.advance(1)
        self.assertIn(b"HTTP/1.1 408", client.take())
        self.world.advance(6)
        self.assertTrue(client.over)
        self.finish()

    def test_idle(self) -> None:
        """
        A connection that carries nothing is closed without a word.
        """
        client = self.world.client()
        self.fetch(client)
        self.world.advance(299)
        self.assertIsNone(client.lost)
        self.world.advance(2)
        self.assertTrue(client.over)
        self.assertEqual(client.take(), b"")
        self.finish()

    def test_silent(self) -> None:
        """
        A connection on which no request begins is closed after the time for a head.
        """
        client = self.world.client()
        self.world.pump()
        self.world.advance(11)
        self.assertTrue(client.over)
        self.finish()


class BackPressureTests(ExchangeTestCase):
    """
    A slow side slows the other one; nothing grows.
    """

    def test_slow_reader(self) -> None:
        """
        A client that does not read stops the service from sending.
        """
        client = self.world.client()
        self.world.say(client, GET)
        client.transport.pauseProducing()
        self.world.say(self.peer(), b"HTTP/1.1 200 OK\r\nContent-Length: 10000000\r\n\r\n")
        sent = 0
        while not self.peer().transport.queued and sent < 10_000_000:
            self.world.say(self.peer(), b"x" * 10_000)
            sent += 10_000
        self.assertLess(sent, 1_000_000)
        client.transport.resumeProducing()
        self.world.say(self.peer(), b"x" * (10_000_000 - sent))
        self.assertEqual(len(client.take()), len(b"HTTP/1.1 200 OK\r\nContent-Length: 10000000\r\n\r\n") + 10_000_000)
        self.finish()

    def test_slow_service(self) -> None:
        """
        A service that does not read stops the client from sending; after the time for a response it is given up.
        """
        client = self.world.client()
        self.world.say(client, request(b"POST / HTTP/1.1", b"Content-Length: 10000000"))
        self.peer().transport.pauseProducing()
        sent = 0
        while not client.transport.queued and sent < 10_000_000:
            self.world.say(client, b"x" * 10_000)
            sent += 10_000
        self.assertLess(sent, 1_000_000)
        self.world.advance(31)
        self.assertIn(b"HTTP/1.1 504", client.take())
        self.finish()
