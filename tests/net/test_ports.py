"""
Listening and dialling. Real sockets are tested by the system tests; here is a network in memory.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import ConnectionRefusedError as Refused
from twisted.internet.error import DNSLookupError
from twisted.internet.error import TimeoutError as ConnectTimeout
from twisted.internet.interfaces import (
    IAddress,
    IHostnameResolver,
    IHostResolution,
    IProtocol,
    IResolutionReceiver,
    IStreamClientEndpoint,
)
from twisted.internet.protocol import Factory, ServerFactory
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer
from zope.interface.verify import verifyObject

from pico.errors import ListenError
from pico.net.ports import DirectPort, listen_tcp, make_client_endpoint
from pico.testing import MemoryNetwork, MemoryTransport, RecordingProtocol


class Speaker(RecordingProtocol):
    """
    One side of a connection between hosts.
    """

    transport: MemoryTransport


class Accepting(ServerFactory):
    """
    Remembers whom it made.
    """

    def __init__(self) -> None:
        self.made: list[Speaker] = []

    def buildProtocol(self, addr: IAddress | None) -> Speaker:
        """
        Make one.
        """
        self.made.append(Speaker())
        return self.made[-1]


@implementer(IHostResolution)
class Resolution:
    """
    A name that is looked up, or was.
    """

    def __init__(self, name: str) -> None:
        self.name = name

    def cancel(self) -> None:
        """
        Too late.
        """


@implementer(IHostnameResolver)
class Resolver:
    """
    Knows one name's addresses.
    """

    def __init__(self, *addresses: str) -> None:
        self.addresses = addresses

    def resolveHostName(  # noqa: N802
        self,
        resolutionReceiver: IResolutionReceiver,  # noqa: N803
        hostName: str,  # noqa: N803
        portNumber: int = 0,  # noqa: N803
        addressTypes: Sequence[type[IAddress]] | None = None,  # noqa: N803
        transportSemantics: str = "TCP",  # noqa: N803
    ) -> IHostResolution:
        """
        Tell the addresses, whatever the name.
        """
        resolution = Resolution(hostName)
        resolutionReceiver.resolutionBegan(resolution)
        for address in self.addresses:
            kind = IPv6Address if ":" in address else IPv4Address
            resolutionReceiver.addressResolved(kind("TCP", address, portNumber))
        resolutionReceiver.resolutionComplete()
        return resolution


@implementer(IHostnameResolver)
class SilentResolver:
    """
    A resolver that never answers.
    """

    def resolveHostName(  # noqa: N802
        self,
        resolutionReceiver: IResolutionReceiver,  # noqa: N803
        hostName: str,  # noqa: N803
        portNumber: int = 0,  # noqa: N803
        addressTypes: Sequence[type[IAddress]] | None = None,  # noqa: N803
        transportSemantics: str = "TCP",  # noqa: N803
    ) -> IHostResolution:
        """
        Do not.
        """
        return Resolution(hostName)


class PortsTests(SynchronousTestCase):
    """
    Two hosts, one of which listens.
    """

    def setUp(self) -> None:
        self.network = MemoryNetwork()
        self.here = self.network.host("here")
        self.there = self.network.host("there")
        self.factory = Accepting()

    def test_listen_and_dial(self) -> None:
        """
        A dialled connection reaches the port, by name and by address.
        """
        accepting = Accepting()
        listen_tcp(self.there, "", 8000, accepting, setting="proxy.bind_addr")
        for host in ("there", self.there.address):
            endpoint = make_client_endpoint(self.here, host, 8000)
            verifyObject(IStreamClientEndpoint, endpoint)
            d = endpoint.connect(Factory.forProtocol(Speaker))
            self.network.pump()
            cast(Speaker, self.successResultOf(d)).transport.write(b"hello")
            self.network.pump()
            self.assertEqual(accepting.made[-1].received, b"hello")
        self.assertEqual(len(accepting.made), 2)

    def test_taken(self) -> None:
        """
        A port that is taken is named in the error, with the setting that chose it.
        """
        for host, name in (
            ("127.0.0.1", "127.0.0.1:8000"),
            ("", ":8000"),
            ("::1", "[::1]:8000"),
            ("localhost", "localhost:8000"),
        ):
            port = listen_tcp(self.there, "", 8000, self.factory, setting="proxy.bind_addr")
            with self.assertRaises(ListenError) as caught:
                listen_tcp(self.there, host, 8000, self.factory, setting="proxy.bind_addr")
            self.assertEqual(
                str(caught.exception), f"cannot listen on {name} (proxy.bind_addr): address already in use"
            )
            port.stopListening()

    def test_refused(self) -> None:
        """
        Where nothing listens, dialling fails.
        """
        d = make_client_endpoint(self.here, "there", 8000).connect(self.factory)
        self.network.pump()
        self.failureResultOf(d, Refused)
        self.assertEqual(self.here.getDelayedCalls(), [])

    def test_unknown_name(self) -> None:
        """
        A name that nobody has cannot be dialled.
        """
        d = make_client_endpoint(self.here, "nowhere", 8000).connect(self.factory)
        self.network.pump()
        self.failureResultOf(d, DNSLookupError)

    def test_timeout(self) -> None:
        """
        A dial that nobody answers fails after the timeout, with the same error for names and addresses.
        """
        listen_tcp(self.there, "", 8000, self.factory, setting="x")
        self.network.cut(self.here, self.there)
        for host in ("there", self.there.address):
            d = make_client_endpoint(self.here, host, 8000, 5.0).connect(self.factory)
            self.network.advance(4.9)
            self.assertNoResult(d)
            self.network.advance(0.2)
            self.failureResultOf(d, ConnectTimeout)
            self.assertEqual(self.here.getDelayedCalls(), [])

    def test_slow_lookup(self) -> None:
        """
        The timeout counts the lookup of the name.
        """
        self.here.installNameResolver(SilentResolver())
        d = make_client_endpoint(self.here, "there", 8000, 5.0).connect(self.factory)
        self.network.advance(4.9)
        self.assertNoResult(d)
        self.network.advance(0.2)
        self.failureResultOf(d, ConnectTimeout)

    def test_cancel(self) -> None:
        """
        A dial can be given up, and leaves nothing behind.
        """
        self.network.cut(self.here, self.there)
        for host in ("there", self.there.address):
            d = make_client_endpoint(self.here, host, 8000, 5.0).connect(self.factory)
            self.network.pump()
            d.cancel()
            self.failureResultOf(d)
            self.assertEqual(self.here.getDelayedCalls(), [])

    def test_bad_name(self) -> None:
        """
        What cannot be a name is told at once.
        """
        for name in ("a..b", "x" * 64 + ".example"):
            self.failureResultOf(make_client_endpoint(self.here, name, 80).connect(self.factory), DNSLookupError)

    def test_addresses_of_mapped_peers(self) -> None:
        """
        A factory behind a port for both families sees IPv4 peers as such.
        """
        port = DirectPort(0, self.factory, interface="::", reactor=self.here)
        self.assertEqual(port._buildAddr(("::ffff:192.0.2.7", 80, 0, 0)).host, "192.0.2.7")


class RaceTests(SynchronousTestCase):
    """
    A name with several addresses.
    """

    def setUp(self) -> None:
        self.network = MemoryNetwork()
        self.here = self.network.host("here")
        self.hosts = [self.network.host(name) for name in ("one", "two", "three")]
        self.here.installNameResolver(Resolver(*(host.address for host in self.hosts)))
        self.factory = Accepting()

    def dial(self) -> Deferred[IProtocol]:
        """
        Dial the name with all those addresses.
        """
        d = make_client_endpoint(self.here, "name", 80, 5.0).connect(Factory.forProtocol(Speaker))
        self.network.pump()
        return d

    def peer(self, d: Deferred[IProtocol]) -> str:
        """
        The address that the dial reached.
        """
        return cast(Speaker, self.successResultOf(d)).transport.getPeer().host

    def test_refused(self) -> None:
        """
        After a failure the next address is tried at once.
        """
        self.hosts[2].listenTCP(80, self.factory)
        self.assertEqual(self.peer(self.dial()), self.hosts[2].address)
        self.assertEqual(self.here.getDelayedCalls(), [])

    def test_all_refused(self) -> None:
        """
        When all fail, dialling fails, at once.
        """
        self.failureResultOf(self.dial(), Refused)
        self.assertEqual(self.here.getDelayedCalls(), [])

    def test_other_family(self) -> None:
        """
        An address of a family that nobody serves does not delay the other one.
        """
        self.here.installNameResolver(Resolver("2001:db8::1", self.hosts[0].address))
        self.hosts[0].listenTCP(80, self.factory)
        self.assertEqual(self.peer(self.dial()), self.hosts[0].address)

    def test_silent(self) -> None:
        """
        An address that does not answer is overtaken after a moment, and its dial given up.
        """
        for host in self.hosts[1:]:
            host.listenTCP(80, self.factory)
        self.network.cut(self.here, self.hosts[0])
        d = self.dial()
        self.network.advance(0.2)
        self.assertNoResult(d)
        self.network.advance(0.1)
        self.assertEqual(self.peer(d), self.hosts[1].address)
        self.network.heal(self.here, self.hosts[0])
        self.assertEqual(self.here.getDelayedCalls(), [])

    def test_silent_and_refused(self) -> None:
        """
        A silent address is waited for after all others have failed.
        """
        self.network.cut(self.here, self.hosts[0])
        d = self.dial()
        self.network.advance(1)
        self.assertNoResult(d)
        self.network.advance(4.1)
        self.failureResultOf(d, ConnectTimeout)
        self.assertEqual(self.here.getDelayedCalls(), [])

    def test_cancel(self) -> None:
        """
        Giving up gives up all dials.
        """
        for host in self.hosts:
            self.network.cut(self.here, host)
        d = self.dial()
        self.network.advance(0.3)
        d.cancel()
        self.failureResultOf(d, CancelledError)
        self.assertEqual(self.here.getDelayedCalls(), [])
