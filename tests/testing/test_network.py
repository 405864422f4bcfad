"""
Hosts in memory.
"""

from __future__ import annotations

from typing import cast

from twisted.internet.address import IPv4Address
from twisted.internet.error import (
    CannotListenError,
    ConnectionDone,
    ConnectionLost,
    NoRouteError,
    NotConnectingError,
    UserError,
)
from twisted.internet.error import ConnectionRefusedError as Refused
from twisted.internet.error import TimeoutError as ConnectTimeout
from twisted.internet.interfaces import (
    IAddress,
    IConnector,
    IListeningPort,
    IReactorPluggableNameResolver,
    IReactorTCP,
    IReactorTime,
)
from twisted.internet.protocol import ClientFactory, ServerFactory
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from pico.testing import HalfCloseRecordingProtocol, MemoryConnector, MemoryNetwork, MemoryTransport, RecordingProtocol


class Speaker(HalfCloseRecordingProtocol):
    """
    One side of a connection between hosts.
    """

    transport: MemoryTransport


class Servers(ServerFactory):
    """
    Remembers what it made and whether it is in use.

    :ivar refusing: makes no protocol.
    """

    def __init__(self, *, refusing: bool = False) -> None:
        self.made: list[Speaker] = []
        self.refusing = refusing
        self.peers: list[str] = []

    def buildProtocol(self, addr: IAddress | None) -> Speaker | None:
        """
        Make one, or none.
        """
        self.peers.append(cast(IPv4Address, addr).host)
        if self.refusing:
            return None
        self.made.append(Speaker())
        return self.made[-1]


class Clients(ClientFactory):
    """
    Remembers what happened to its dials.

    :ivar refusing: makes no protocol.
    """

    def __init__(self) -> None:
        self.refusing = False
        self.events: list[str | type[BaseException] | None] = []
        self.made: list[Speaker] = []

    def startedConnecting(self, connector: IConnector) -> None:
        """
        Remember.
        """
        self.events.append("started")

    def buildProtocol(self, addr: IAddress | None) -> Speaker | None:
        """
        Make one, or none.
        """
        address = cast(IPv4Address, addr)
        self.events.append(f"{address.host}:{address.port}")
        if self.refusing:
            return None
        self.made.append(Speaker())
        return self.made[-1]

    def clientConnectionFailed(self, connector: IConnector, reason: Failure) -> None:
        """
        Remember.
        """
        self.events.append(reason.type)

    def clientConnectionLost(self, connector: IConnector, reason: Failure) -> None:
        """
        Remember.
        """
        self.events.append(reason.type)


class MemoryNetworkTests(SynchronousTestCase):
    """
    Hosts that listen and dial.
    """

    def setUp(self) -> None:
        self.network = MemoryNetwork()
        self.here = self.network.host("here")
        self.there = self.network.host("there")
        self.servers = Servers()
        self.clients = Clients()

    def dial(self, to: str = "there", port: int = 80, timeout: float = 30.0) -> MemoryConnector:
        """
        Dial from here.
        """
        connector = self.here.connectTCP(to, port, self.clients, timeout=timeout)
        self.network.pump()
        return connector

    def test_interfaces(self) -> None:
        """
        A host is a reactor for TCP, time and names; its ports and dials are what a reactor's are.
        """
        for interface in (IReactorTCP, IReactorTime, IReactorPluggableNameResolver):
            verifyObject(interface, self.here)
        verifyObject(IListeningPort, self.there.listenTCP(80, self.servers))
        verifyObject(IConnector, self.dial())

    def test_names(self) -> None:
        """
        A name is always the same host, each with an address of its own.
        """
        self.assertIs(self.network.host("here"), self.here)
        self.assertNotEqual(self.here.address, self.there.address)
        self.assertIs(self.network.find(self.there.address), self.there)

    def test_connect(self) -> None:
        """
        A dial reaches the port, by name or address, and each side knows the other's address.
        """
        port = self.there.listenTCP(80, self.servers)
        for to in ("there", self.there.address):
            self.dial(to)
        client, server = self.clients.made[0], self.servers.made[0]
        self.assertEqual(self.clients.events, ["started", f"{self.there.address}:80"] * 2)
        self.assertEqual(self.servers.peers, [self.here.address] * 2)
        self.assertEqual(client.transport.getPeer().port, port.getHost().port)
        self.assertEqual(client.transport.getHost(), server.transport.getPeer())
        client.transport.write(b"ping")
        server.transport.write(b"pong")
        self.network.pump()
        self.assertEqual((client.received, server.received), (b"pong", b"ping"))

    def test_loopback(self) -> None:
        """
        A host reaches itself by the usual names.
        """
        self.here.listenTCP(80, self.servers, interface="127.0.0.1")
        for to in ("localhost", "127.0.0.1"):
            self.dial(to)
        self.assertEqual(self.servers.peers, ["127.0.0.1"] * 2)
        self.dial(self.here.address)
        self.assertEqual(self.clients.events[-1], Refused)

    def test_own_interface(self) -> None:
        """
        A port on loopback is not reached from elsewhere.
        """
        self.there.listenTCP(80, self.servers, interface="127.0.0.1")
        self.dial()
        self.assertEqual(self.clients.events, ["started", Refused])

    def test_refused(self) -> None:
        """
        Where nothing listens (any more) dials are refused; where nobody is there is no route.
        """
        self.dial()
        port = self.there.listenTCP(80, self.servers)
        self.successResultOf(port.stopListening())
        self.successResultOf(port.stopListening())
        self.dial()
        self.dial("10.9.9.9")
        self.assertEqual(self.clients.events, ["started", Refused] * 2 + ["started", NoRouteError])
        self.assertEqual(self.network.clock.getDelayedCalls(), [])

    def test_taken(self) -> None:
        """
        A port is given once; 0 gives one that is free.
        """
        self.there.listenTCP(80, self.servers)
        self.assertRaises(CannotListenError, self.there.listenTCP, 80, self.servers)
        ports = {self.there.listenTCP(0, self.servers).getHost().port for _ in range(3)}
        self.assertEqual(len(ports), 3)
        self.here.listenTCP(80, self.servers)

    def test_factories(self) -> None:
        """
        Factories are started and stopped as a reactor does it.
        """
        port = self.there.listenTCP(80, self.servers)
        connector = self.dial()
        self.assertEqual((self.servers.numPorts, self.clients.numPorts), (1, 1))
        connector.disconnect()
        self.network.pump()
        port.stopListening()
        self.assertEqual((self.servers.numPorts, self.clients.numPorts), (0, 0))
        self.assertEqual(self.clients.events[-1], ConnectionDone)

    def test_no_protocol(self) -> None:
        """
        A factory that makes no protocol has the connection closed.
        """
        port = self.there.listenTCP(80, Servers(refusing=True))
        self.dial()
        self.assertEqual(self.clients.made[0].read_ends, 1)
        port.stopListening()
        self.there.listenTCP(80, self.servers)
        self.clients.refusing = True
        self.dial()
        self.assertEqual(self.servers.made[0].read_ends, 1)

    def test_connect_again(self) -> None:
        """
        A dial can be repeated once it has failed or its connection is lost.
        """
        connector = self.dial()
        self.assertEqual(self.clients.events[-1], Refused)
        self.there.listenTCP(80, self.servers)
        connector.connect()
        self.assertRaises(RuntimeError, connector.connect)
        self.network.pump()
        self.assertRaises(NotConnectingError, connector.stopConnecting)
        connector.disconnect()
        self.network.pump()
        connector.connect()
        self.network.pump()
        self.assertEqual(len(self.servers.made), 2)

    def test_stop_connecting(self) -> None:
        """
        A dial can be given up, and leaves no timer.
        """
        connector = self.here.connectTCP("there", 80, self.clients)
        connector.disconnect()
        self.assertEqual(self.clients.events, ["started", UserError])
        self.assertEqual(self.network.clock.getDelayedCalls(), [])

    def test_cut(self) -> None:
        """
        Between hosts that are cut off dials time out and connections hang, until they are healed.
        """
        self.there.listenTCP(80, self.servers)
        self.dial()
        self.clients.made[0].transport.write(b"before")
        self.network.cut(self.here, self.there)
        self.clients.made[0].transport.write(b", during")
        self.network.advance(100)
        self.assertEqual(self.servers.made[0].received, b"")
        self.dial(timeout=5.0)
        self.network.advance(4.9)
        self.assertNotIn(ConnectTimeout, self.clients.events)
        self.network.advance(0.2)
        self.assertEqual(self.clients.events[-1], ConnectTimeout)
        self.network.heal(self.here, self.there)
        self.network.pump()
        self.assertEqual(self.servers.made[0].received, b"before, during")
        self.dial()
        self.assertEqual(len(self.servers.made), 2)

    def test_cut_is_between_two(self) -> None:
        """
        Other hosts are not concerned.
        """
        other = self.network.host("other")
        self.there.listenTCP(80, self.servers)
        self.network.cut(self.here, self.there)
        other.connectTCP("there", 80, self.clients)
        self.network.pump()
        self.assertEqual(self.servers.peers, [other.address])

    def test_end_during_cut(self) -> None:
        """
        A side that aborts while cut off is gone for the other one only when it is healed.
        """
        self.there.listenTCP(80, self.servers)
        self.dial()
        self.network.cut(self.here, self.there)
        self.clients.made[0].transport.abortConnection()
        self.network.pump()
        self.assertEqual((len(self.clients.made[0].reasons), self.servers.made[0].lost), (1, None))
        self.network.heal(self.here, self.there)
        self.network.pump()
        self.assertEqual(self.servers.made[0].lost, ConnectionLost)
        self.assertEqual(self.network.pipes, [])

    def test_advance(self) -> None:
        """
        Time stops at each timed call, and what it causes happens before time goes on.
        """
        self.there.listenTCP(80, self.servers)
        self.dial()
        moments: list[float] = []

        class Noting(RecordingProtocol):
            """
            Notes when something arrives.
            """

            def dataReceived(self, data: bytes, network: MemoryNetwork = self.network) -> None:
                moments.append(network.clock.seconds())

        self.servers.made[0].transport.protocol = Noting()
        for seconds in (1.0, 2.5, 7.0):
            self.here.callLater(seconds, self.clients.made[0].transport.write, b"x")
        self.network.advance(5)
        self.assertEqual(moments, [1.0, 2.5])
        self.assertEqual(self.here.seconds(), 5.0)
        self.assertEqual(len(self.here.getDelayedCalls()), 1)
        self.network.advance(2)
        self.assertEqual(moments, [1.0, 2.5, 7.0])

    def test_given_clock(self) -> None:
        """
        The network can share a clock.
        """
        clock = Clock()
        network = MemoryNetwork(clock)
        network.advance(3)
        self.assertEqual(clock.seconds(), 3)
