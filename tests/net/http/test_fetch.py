"""
Tests for :mod:`pico.net.http.fetch`.
"""

from __future__ import annotations

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.protocol import Protocol, ServerFactory
from twisted.trial.unittest import SynchronousTestCase

from pico.net.http.fetch import Fetched, FetchError, TookTooLong, Unreachable, fetch
from pico.net.ports import make_client_endpoint
from pico.testing import MemoryNetwork
from tests.net.http.support import Peer

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"


class FetchTests(SynchronousTestCase):
    """
    A server that the test plays, on the host "server".
    """

    def setUp(self) -> None:
        self.network = MemoryNetwork()
        self.peers: list[Peer] = []
        factory = ServerFactory()

        def build(addr: object) -> Protocol:
            self.peers.append(Peer())
            return self.peers[-1]

        factory.buildProtocol = build  # type: ignore[method-assign]
        self.port = self.network.host("server").listenTCP(80, factory)

    def ask(self, host: str = "server") -> Deferred[Fetched]:
        """
        Begin.
        """
        reactor = self.network.host("client")
        fetching = Deferred.fromCoroutine(
            fetch(
                make_client_endpoint(reactor, host, 80, 3.0),
                b"/x?y=1",
                [b"Host: server"],
                clock=reactor,
                timeout=10.0,
                max_body=100,
            )
        )
        self.network.pump()
        return fetching

    def say(self, data: bytes, *, end: bool = False) -> None:
        """
        Let the server say something.
        """
        self.peers[-1].transport.write(data)
        if end:
            self.peers[-1].transport.loseConnection()
        self.network.pump()

    def assert_over(self) -> None:
        """
        The connection is gone, and nothing waits.
        """
        self.network.advance(1)
        self.assertTrue(self.peers[-1].over)
        self.assertEqual(self.network.clock.getDelayedCalls(), [])

    def test_request(self) -> None:
        """
        A GET that says that nothing follows.
        """
        self.ask()
        self.assertEqual(self.peers[0].take(), b"GET /x?y=1 HTTP/1.1\r\nHost: server\r\nConnection: close\r\n\r\n")

    def test_answers(self) -> None:
        """
        Whole bodies, however their end is told, after interim answers too.
        """
        expected = Fetched(200, b"text/plain", b"hello")
        for answer, end in (
            (HEAD + b"Content-Length: 5\r\n\r\nhello", False),
            (HEAD + b"Transfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n", False),
            (HEAD + b"\r\nhello", True),
            (b"HTTP/1.1 103 Early Hints\r\n\r\n" + HEAD + b"Content-Length: 5\r\n\r\nhello", False),
        ):
            fetching = self.ask()
            for pos in range(len(answer)):
                self.say(answer[pos : pos + 1])
            if end:
                self.say(b"", end=True)
            self.assertEqual(self.successResultOf(fetching), expected)
            self.assert_over()
        fetching = self.ask()
        self.say(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
        self.assertEqual(self.successResultOf(fetching), Fetched(404, b"", b""))

    def test_failures(self) -> None:
        """
        What is no whole answer is an error that says what came instead.
        """
        for answer, reason in (
            (b"", "it closed the connection without an answer"),
            (b"SSH-2.0-x\r\n\r\n", "it does not speak HTTP"),
            (HEAD + b"Content-Length: 5\r\n\r\nhel", "it broke off its answer"),
            (HEAD + b"Content-Length: 101\r\n\r\n" + b"x" * 101, "its answer is larger than 100 bytes"),
            (HEAD + b"\r\n" + b"x" * 101, "its answer is larger than 100 bytes"),
        ):
            fetching = self.ask()
            self.say(answer, end=True)
            error = self.failureResultOf(fetching, FetchError).value
            self.assertIn(reason, str(error))
            self.assert_over()

    def test_unreachable(self) -> None:
        """
        Nobody listens there, or nobody answers the knock.
        """
        self.network.host("other")
        self.failureResultOf(self.ask("other"), Unreachable)
        self.network.cut(self.network.host("client"), self.network.host("server"))
        fetching = self.ask()
        self.network.advance(2.9)
        self.assertNoResult(fetching)
        self.network.advance(0.2)
        self.failureResultOf(fetching, Unreachable)
        self.assertEqual(self.network.clock.getDelayedCalls(), [])

    def test_time(self) -> None:
        """
        An answer that drips does not take for ever.
        """
        fetching = self.ask()
        self.say(HEAD + b"\r\n")
        for _ in range(9):
            self.network.advance(1)
            self.say(b"x")
        self.assertNoResult(fetching)
        self.network.advance(1)
        self.failureResultOf(fetching, TookTooLong)
        self.assert_over()

    def test_cancelled(self) -> None:
        """
        Who does not want to know any more drops the connection.
        """
        fetching = self.ask()
        fetching.cancel()
        self.failureResultOf(fetching, CancelledError)
        self.network.pump()
        self.assert_over()
