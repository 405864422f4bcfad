"""
Tests for :mod:`pico.net.tls_endpoint`.
"""

from __future__ import annotations

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import ConnectionRefusedError as Refused
from twisted.internet.error import TimeoutError as ConnectTimeout
from twisted.internet.interfaces import IProtocol, IStreamClientEndpoint
from twisted.internet.protocol import Factory, ServerFactory
from twisted.protocols.tls import TLSMemoryBIOProtocol
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from pico.net.ports import make_client_endpoint
from pico.net.tls_endpoint import TLSEndpoint, TLSFailed
from pico.testing import MemoryNetwork, MemoryTransport, RecordingProtocol
from tests.net.tls import Authority


class Echo(RecordingProtocol):
    """
    Sends everything back.
    """

    transport: TLSMemoryBIOProtocol

    def dataReceived(self, data: bytes) -> None:
        """
        Send it back.
        """
        super().dataReceived(data)
        self.transport.write(data)


class Plain(RecordingProtocol):
    """
    Says something that is not TLS.
    """

    transport: MemoryTransport

    def dataReceived(self, data: bytes) -> None:
        """
        Say it.
        """
        self.transport.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")


class Rude(Plain):
    """
    Hangs up.
    """

    def dataReceived(self, data: bytes) -> None:
        """
        Do it.
        """
        self.transport.loseConnection()


class Speaker(RecordingProtocol):
    """
    The dialling end.
    """

    transport: TLSMemoryBIOProtocol


class TLSEndpointTests(SynchronousTestCase):
    """
    Dialling a server that speaks TLS.
    """

    authority = Authority()

    def setUp(self) -> None:
        """
        Make it.
        """
        self.network = MemoryNetwork()
        self.host = self.network.host("client")
        factory = ServerFactory()
        factory.protocol = Echo
        self.server = self.network.host("server")
        self.server.listenTCP(443, self.authority.secured(factory, "server", self.server))

    def endpoint(self, port: int = 443, authority: Authority | None = None) -> TLSEndpoint:
        """
        Make one.
        """
        trusted = (authority or self.authority).trust("server")
        return TLSEndpoint(make_client_endpoint(self.host, "server", port), trusted, self.host, 5.0)

    def dial(self, endpoint: TLSEndpoint) -> Deferred[IProtocol]:
        """
        Dial.
        """
        dialled = endpoint.connect(Factory.forProtocol(Speaker))
        self.network.pump()
        return dialled

    def test_interface(self) -> None:
        """
        It is an endpoint like any other.
        """
        verifyObject(IStreamClientEndpoint, self.endpoint())

    def test_connected(self) -> None:
        """
        The protocol speaks in the clear, on this network's clock alone.
        """
        client = self.successResultOf(self.dial(self.endpoint()))
        assert isinstance(client, Speaker)
        for size in (1, 300_000):
            client.transport.write(b"x" * size)
            self.network.pump()
            self.assertEqual(b"x" * size, client.received)
            client.pieces.clear()
        client.transport.loseConnection()
        self.network.pump()
        self.assertIsNotNone(client.lost)
        self.assertEqual([], self.network.clock.getDelayedCalls())

    def test_not_trusted(self) -> None:
        """
        A server for which nobody vouches is no server, and the reason is told.
        """
        failed = self.failureResultOf(self.dial(self.endpoint(authority=Authority())), TLSFailed)
        self.assertEqual(failed.getErrorMessage(), "TLS: certificate verify failed")
        self.network.pump()
        self.assertEqual([], self.network.clock.getDelayedCalls())

    def test_no_tls(self) -> None:
        """
        So is one that speaks something else, or hangs up.
        """
        for port, protocol in ((80, Plain), (81, Rude)):
            factory = ServerFactory()
            factory.protocol = protocol
            self.server.listenTCP(port, factory)
            failed = self.failureResultOf(self.dial(self.endpoint(port)), TLSFailed)
            self.assertNotIn("non-clean", failed.getErrorMessage())
            self.network.pump()
            self.assertEqual([], self.network.clock.getDelayedCalls())

    def test_silence(self) -> None:
        """
        One that says nothing is waited for as long as is allowed for connecting.
        """
        factory = ServerFactory()
        factory.protocol = RecordingProtocol
        self.server.listenTCP(80, factory)
        dialled = self.dial(self.endpoint(80))
        self.network.advance(4.9)
        self.assertNoResult(dialled)
        self.network.advance(0.2)
        self.failureResultOf(dialled, ConnectTimeout)
        self.network.pump()
        self.assertEqual(([], []), (self.network.clock.getDelayedCalls(), self.network.pipes))

    def test_no_server(self) -> None:
        """
        Whatever keeps the connection from being made is told as it is.
        """
        self.failureResultOf(self.dial(self.endpoint(444)), Refused)

    def test_cancelled(self) -> None:
        """
        Dialling can be given up.
        """
        dialled = self.endpoint().connect(Factory.forProtocol(Speaker))
        dialled.cancel()
        self.failureResultOf(dialled)
        self.network.pump()
        self.assertEqual([], self.network.clock.getDelayedCalls())

    def test_cancelled_later(self) -> None:
        """
        Also when there is a connection, and TLS has begun.
        """
        factory = ServerFactory()
        factory.protocol = RecordingProtocol
        self.server.listenTCP(80, factory)
        dialled = self.dial(self.endpoint(80))
        self.assertEqual(1, len(self.network.pipes))
        dialled.cancel()
        self.failureResultOf(dialled, CancelledError)
        self.network.pump()
        self.assertEqual(([], []), (self.network.clock.getDelayedCalls(), self.network.pipes))
