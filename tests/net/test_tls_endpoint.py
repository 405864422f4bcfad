"""
Tests for :mod:`pico.net.tls_endpoint`.
"""

from __future__ import annotations

from OpenSSL.SSL import Error as TLSError
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionRefusedError as Refused
from twisted.internet.interfaces import IProtocol, IStreamClientEndpoint
from twisted.internet.protocol import Factory, ServerFactory
from twisted.protocols.tls import TLSMemoryBIOProtocol
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from pico.net.ports import make_client_endpoint
from pico.net.tls_endpoint import TLSEndpoint
from pico.testing import MemoryNetwork, RecordingProtocol
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
        server = self.network.host("server")
        server.listenTCP(443, self.authority.secured(factory, "server", server))

    def endpoint(self, port: int = 443, authority: Authority | None = None) -> TLSEndpoint:
        """
        Make one.
        """
        trusted = (authority or self.authority).trust("server")
        return TLSEndpoint(make_client_endpoint(self.host, "server", port), trusted, self.host)

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
        A server for which nobody vouches hears nothing, and the reason is told.
        """
        client = self.successResultOf(self.dial(self.endpoint(authority=Authority())))
        assert isinstance(client, Speaker)
        client.transport.write(b"secret")
        self.network.pump()
        self.assertEqual((TLSError, b""), (client.lost, client.received))

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
