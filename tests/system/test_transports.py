"""
Transports, ports, dials and splices on the sockets of this machine.

The behaviours of all transports run here on TCP as well, turned by hand; the rest runs in the reactor.
"""

from __future__ import annotations

import socket
from collections.abc import Awaitable, Callable
from typing import cast

import trustme
from twisted.internet import reactor, tcp
from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.endpoints import wrapClientTLS
from twisted.internet.error import ConnectionAborted, ConnectionDone, ConnectionLost
from twisted.internet.error import ConnectionRefusedError as Refused
from twisted.internet.interfaces import (
    IHalfCloseableProtocol,
    IListeningPort,
    IOpenSSLClientConnectionCreator,
    IProtocolFactory,
    IReactorTime,
)
from twisted.internet.protocol import Factory, Protocol, ServerFactory, connectionDone
from twisted.internet.ssl import (
    Certificate,
    CertificateOptions,
    PrivateCertificate,
    optionsForClientTLS,
    trustRootFromCertificates,
)
from twisted.internet.task import deferLater
from twisted.protocols.tls import TLSMemoryBIOFactory, TLSMemoryBIOProtocol
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase, TestCase
from zope.interface import implementer

from pico.errors import ListenError
from pico.net.deadlines import Deadlines
from pico.net.http.answers import Answer
from pico.net.http.gateway import Application, Exchanger
from pico.net.http.server import HTTPServerProtocol, ServerSettings
from pico.net.ports import adopt_tcp, listen_tcp, make_client_endpoint
from pico.net.splice import Splice
from pico.net.transport import DirectClient, DirectServer, has_unread
from pico.wire.http1.events import RequestHead
from pico.wire.http1.headers import HeaderCache
from tests.mixin import Mixin
from tests.net.poll_reactor import PollReactor
from tests.testing.transports import BreakingTests, Pair

#: More than the buffers between two programs hold at first.
MUCH = bytes(range(256)) * 16384


def connected_sockets() -> tuple[socket.socket, socket.socket]:
    """
    Make a TCP connection with small buffers.
    """
    with socket.socket() as listening:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16384)
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        dialled = socket.socket()
        dialled.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16384)
        dialled.connect(listening.getsockname())
        accepted, _ = listening.accept()
    for each in (dialled, accepted):
        each.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 16384)
        each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return dialled, accepted


class TCPPair:
    """
    Two transports on a TCP connection, turned by hand.
    """

    def __init__(self, kind: type[tcp.Server], left: Protocol, right: Protocol) -> None:
        self.reactor = PollReactor()
        self.pump = self.reactor.settle
        self.sockets = connected_sockets()
        # No port has accepted them.
        self.left, self.right = (
            kind(each, protocol, each.getpeername(), cast(tcp.Port, None), number, self.reactor)
            for number, (each, protocol) in enumerate(zip(self.sockets, (left, right), strict=True))
        )
        left.makeConnection(self.left)
        right.makeConnection(self.right)

    def close(self) -> None:
        """
        Close what a test left open.
        """
        for each in self.sockets:
            each.close()


class OnTCP(Mixin):
    """
    Makes pairs on TCP connections.
    """

    kind: type[tcp.Server]

    def make_pair(self, left: Protocol, right: Protocol) -> Pair:
        pair = TCPPair(self.kind, left, right)
        self.addCleanup(pair.close)
        return pair


class StockTCPTests(OnTCP, BreakingTests, SynchronousTestCase):
    """
    The behaviours are those of Twisted.
    """

    kind = tcp.Server


class DirectTCPTests(OnTCP, BreakingTests, SynchronousTestCase):
    """
    Sending at once changes none of them.
    """

    kind = DirectServer


@implementer(IHalfCloseableProtocol)
class Peer(Protocol):
    """
    One side of a connection.

    :ivar received: what came.
    """

    transport: tcp.Connection

    def __init__(self) -> None:
        self.received = bytearray()
        self._made: Deferred[Peer] = Deferred()
        self._read_end: Deferred[Peer] = Deferred()
        self._lost: Deferred[type[BaseException] | None] = Deferred()
        self._wanted: list[tuple[int, Deferred[Peer]]] = []

    def when_made(self) -> Deferred[Peer]:
        """
        Fires once connected.
        """
        return self._made

    def when_received(self, size: int) -> Deferred[Peer]:
        """
        Fires once that many bytes have come.
        """
        d: Deferred[Peer] = Deferred()
        self._wanted.append((size, d))
        self.dataReceived(b"")
        return d

    def when_read_end(self) -> Deferred[Peer]:
        """
        Fires once the other side has ended what it sends.
        """
        return self._read_end

    def when_lost(self) -> Deferred[type[BaseException] | None]:
        """
        Fires with the type of the reason.
        """
        return self._lost

    def connectionMade(self) -> None:
        """
        Tell.
        """
        self._made.callback(self)

    def dataReceived(self, data: bytes) -> None:
        """
        Keep it.
        """
        self.received += data
        for wanted in list(self._wanted):
            if len(self.received) >= wanted[0]:
                self._wanted.remove(wanted)
                wanted[1].callback(self)

    def readConnectionLost(self) -> None:
        """
        Tell.
        """
        self._read_end.callback(self)

    def writeConnectionLost(self) -> None:
        """
        Nothing to tell.
        """

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """
        Tell.
        """
        self._lost.callback(reason.type)


class Peers(ServerFactory):
    """
    Makes peers, and hands them out as they connect.
    """

    noisy = False

    def __init__(self) -> None:
        self._waiting: list[Deferred[Peer]] = []
        self._made: list[Peer] = []
        self.addresses: list[object] = []

    def buildProtocol(self, addr: object) -> Peer:
        """
        Make one.
        """
        self.addresses.append(addr)
        peer = Peer()
        if self._waiting:
            peer.when_made().chainDeferred(self._waiting.pop(0))
        else:
            self._made.append(peer)
        return peer

    def next_peer(self) -> Deferred[Peer]:
        """
        Fires with the next one.
        """
        if self._made:
            return self._made.pop(0).when_made()
        d: Deferred[Peer] = Deferred()
        self._waiting.append(d)
        return d


class ReactorTestCase(TestCase):
    """
    Ports that are closed again, and connections that are waited for.
    """

    timeout = 20

    def listen(self, host: str = "127.0.0.1", factory: IProtocolFactory | None = None) -> tuple[IListeningPort, Peers]:
        """
        Listen on a free port.
        """
        peers = Peers()
        port = listen_tcp(reactor, host, 0, factory or peers, setting="test.bind_addr")
        self.addCleanup(port.stopListening)
        return port, peers

    def number_of(self, port: IListeningPort) -> int:
        """
        The number of a port of TCP.
        """
        return cast(IPv4Address | IPv6Address, port.getHost()).port

    async def dial(self, host: str, port: IListeningPort) -> Peer:
        """
        Dial a port, and have the connection gone when the test is.
        """
        endpoint = make_client_endpoint(reactor, host, self.number_of(port), 10.0)
        peer = cast(Peer, await endpoint.connect(Factory.forProtocol(Peer)))
        self.addCleanup(self.drop, peer)
        return peer

    async def pair(self, host: str = "127.0.0.1") -> tuple[Peer, Peer]:
        """
        Make a connection: the dialling and the accepting side.
        """
        port, peers = self.listen(host)
        dialled = await self.dial(host, port)
        accepted = await peers.next_peer()
        self.addCleanup(self.drop, accepted)
        return dialled, accepted

    async def drop(self, peer: Peer) -> None:
        """
        Abort what is left of a connection.
        """
        peer.transport.abortConnection()
        await peer.when_lost()


class PortTests(ReactorTestCase):
    """
    Listening and dialling.
    """

    async def test_direct(self) -> None:
        """
        Both sides of a connection send at once and without delay, and no protocol stands in between.
        """
        dialled, accepted = await self.pair()
        self.assertIsInstance(dialled.transport, DirectClient)
        self.assertIsInstance(accepted.transport, DirectServer)
        for peer in (dialled, accepted):
            self.assertTrue(peer.transport.getTcpNoDelay())
            self.assertIs(peer.transport.protocol, peer)

    async def test_addresses(self) -> None:
        """
        One host in all its spellings can be listened on and dialled.
        """
        for host, dialled_host, family in (
            ("127.0.0.1", "127.0.0.1", "IPv4Address"),
            ("::1", "::1", "IPv6Address"),
            ("localhost", "localhost", "IPv4Address"),
            ("0.0.0.0", "127.0.0.1", "IPv4Address"),
            ("::", "::1", "IPv6Address"),
            ("::", "127.0.0.1", "IPv4Address"),
            ("", "127.0.0.1", "IPv4Address"),
            ("", "::1", "IPv6Address"),
        ):
            port, peers = self.listen(host)
            dialled = await self.dial(dialled_host, port)
            accepted = await peers.next_peer()
            for address in (
                *peers.addresses,
                accepted.transport.getPeer(),
                accepted.transport.getHost(),
                dialled.transport.getPeer(),
                dialled.transport.getHost(),
            ):
                self.assertEqual(type(address).__name__, family, (host, dialled_host))
            self.assertEqual(accepted.transport.getPeer(), dialled.transport.getHost())
            self.assertEqual(accepted.transport.getHost(), dialled.transport.getPeer())
            dialled.transport.write(b"hello")
            await accepted.when_received(5)

    async def test_taken(self) -> None:
        """
        A port that is taken is an error that names it and its setting; so is a host that is not here.
        """
        port, _ = self.listen()
        number = self.number_of(port)
        for host, name, reason in (
            ("127.0.0.1", f"127.0.0.1:{number}", "address already in use"),
            ("", f":{number}", "address already in use"),
            ("192.0.2.1", f"192.0.2.1:{number}", "cannot assign requested address"),
        ):
            with self.assertRaises(ListenError) as caught:
                listen_tcp(reactor, host, number, Peers(), setting="proxy.bind_addr")
            self.assertEqual(str(caught.exception), f"cannot listen on {name} (proxy.bind_addr): {reason}")
        with self.assertRaises(ListenError) as caught:
            listen_tcp(reactor, "nowhere.invalid", 0, Peers(), setting="proxy.bind_addr")
        self.assertTrue(str(caught.exception).startswith("cannot listen on nowhere.invalid:0 (proxy.bind_addr): "))

    async def test_refused(self) -> None:
        """
        A name of which every address refuses is refused at once.
        """
        with socket.socket() as unused:
            unused.bind(("127.0.0.1", 0))
            number = unused.getsockname()[1]

            async def dial() -> None:
                with self.assertRaises(Refused):
                    await make_client_endpoint(reactor, "localhost", number).connect(Factory.forProtocol(Peer))

            await self.assert_no_waiting(dial)

    async def test_one_family_refuses(self) -> None:
        """
        A service on one of a name's addresses is reached without waiting for the others.
        """
        for *_, (host, *_) in socket.getaddrinfo("localhost", None, type=socket.SOCK_STREAM):
            assert isinstance(host, str)
            port, _ = self.listen(host)

            async def dial(host: str = host, port: IListeningPort = port) -> None:
                reached = await self.dial("localhost", port)
                self.assertEqual(reached.transport.getPeer().host, host)

            await self.assert_no_waiting(dial)

    async def assert_no_waiting(self, dial: Callable[[], Awaitable[None]]) -> None:
        """
        Dialling takes less time than there is between two attempts, if not at once, then in one of some times: a busy
        machine can make it longer, but nothing shorter.
        """
        took = float("inf")
        for _ in range(10):
            before = reactor.seconds()
            await dial()
            took = min(took, reactor.seconds() - before)
            if took < 0.2:
                return
        self.fail(f"it never took less than {took:.2f} s")

    async def test_max_unsent(self) -> None:
        """
        A limit for what the system takes holds for what is accepted, also on a socket that listened before.
        """
        for limit in (0, 100_000):
            peers = Peers()
            listening = socket.create_server(("127.0.0.1", 0))
            listening.setblocking(False)
            ports = [
                listen_tcp(reactor, "127.0.0.1", 0, peers, setting="test.bind_addr", max_unsent=limit),
                adopt_tcp(reactor, listening, peers, max_unsent=limit),
            ]
            for port in ports:
                self.addCleanup(port.stopListening)
                dialled = await self.dial("127.0.0.1", port)
                accepted = await peers.next_peer()
                handle = cast(DirectServer, accepted.transport).getHandle()
                self.assertEqual(handle.getsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT), limit)
                accepted.transport.write(MUCH)
                await dialled.when_received(len(MUCH))
                self.assertEqual(dialled.received, MUCH)

    async def test_crowd(self) -> None:
        """
        Many connections that come together are all accepted.
        """
        port, peers = self.listen()
        dialled = await gatherResults([Deferred.fromCoroutine(self.dial("127.0.0.1", port)) for _ in range(300)])
        for _ in dialled:
            await peers.next_peer()

    async def test_closed_while_some_wait(self) -> None:
        """
        A connection that waits to be accepted when a port is closed is taken, and not reset.
        """
        port, peers = self.listen()
        with socket.create_connection(("127.0.0.1", self.number_of(port))) as waiting:
            port.stopListening()
            accepted = await peers.next_peer()
            self.addCleanup(self.drop, accepted)
            waiting.sendall(b"hi")
            await accepted.when_received(2)


class ConnectionTests(ReactorTestCase):
    """
    Connections in the reactor.
    """

    async def test_much(self) -> None:
        """
        More than the buffers hold arrives whole, both ways at once, and closing ends both sides in good order.
        """
        dialled, accepted = await self.pair()
        dialled.transport.write(MUCH)
        accepted.transport.writeSequence([MUCH[:100], MUCH[100:]])
        await dialled.when_received(len(MUCH))
        await accepted.when_received(len(MUCH))
        self.assertEqual((dialled.received, accepted.received), (MUCH, MUCH))
        dialled.transport.loseWriteConnection()
        await accepted.when_read_end()
        accepted.transport.loseConnection()
        self.assertEqual(await accepted.when_lost(), ConnectionDone)
        await dialled.when_read_end()
        dialled.transport.loseConnection()
        self.assertEqual(await dialled.when_lost(), ConnectionDone)

    async def test_unread(self) -> None:
        """
        What has come and was not read is known before it is read; so is that nothing has come, or only the end.
        """
        dialled, accepted = await self.pair()
        self.assertFalse(has_unread(accepted.transport))
        accepted.transport.pauseProducing()
        dialled.transport.write(b"hi")
        # The same machine: what was sent has come.
        self.assertTrue(has_unread(accepted.transport))
        accepted.transport.resumeProducing()
        await accepted.when_received(2)
        self.assertFalse(has_unread(accepted.transport))
        accepted.transport.pauseProducing()
        dialled.transport.loseWriteConnection()
        self.assertFalse(has_unread(accepted.transport))
        self.assertFalse(has_unread(object()))

    async def test_abort(self) -> None:
        """
        A side that aborts breaks the other one.
        """
        dialled, accepted = await self.pair()
        dialled.transport.abortConnection()
        self.assertEqual(await dialled.when_lost(), ConnectionAborted)
        self.assertEqual(await accepted.when_lost(), ConnectionLost)

    async def test_start_tls(self) -> None:
        """
        A connection can be made secure on the way.
        """
        dialled, accepted = await self.pair()
        dialled.transport.write(b"plain")
        await accepted.when_received(5)
        server, client = certificates()
        accepted.transport.startTLS(server)
        dialled.transport.startTLS(client)
        dialled.transport.write(b" secret")
        dialled.transport.writeSequence([MUCH[:50_000], MUCH[50_000:]])
        accepted.transport.write(MUCH)
        await accepted.when_received(12 + len(MUCH))
        await dialled.when_received(len(MUCH))
        self.assertEqual(accepted.received, b"plain secret" + MUCH)
        self.assertEqual(dialled.received, MUCH)
        dialled.transport.loseConnection()
        self.assertEqual(await accepted.when_lost(), ConnectionDone)
        self.assertEqual(await dialled.when_lost(), ConnectionDone)

    async def test_tls_on_top(self) -> None:
        """
        TLS on top of a port and of a dial works as on any other.
        """
        server, client = certificates()
        peers = Peers()
        port, _ = self.listen(factory=TLSMemoryBIOFactory(server, False, peers))
        endpoint = wrapClientTLS(client, make_client_endpoint(reactor, "127.0.0.1", self.number_of(port), 10.0))
        dialled = cast(Peer, await endpoint.connect(Factory.forProtocol(Peer)))
        accepted = await peers.next_peer()
        dialled.transport.write(MUCH)
        accepted.transport.write(MUCH)
        await accepted.when_received(len(MUCH))
        await dialled.when_received(len(MUCH))
        self.assertEqual((dialled.received, accepted.received), (MUCH, MUCH))
        self.assertIsInstance(cast(TLSMemoryBIOProtocol, accepted.transport).transport, DirectServer)
        self.assertIsInstance(cast(TLSMemoryBIOProtocol, dialled.transport).transport, DirectClient)
        dialled.transport.loseConnection()
        self.assertEqual(await accepted.when_lost(), ConnectionDone)
        self.assertEqual(await dialled.when_lost(), ConnectionDone)


class Answering(Application):
    """
    Answers each request with 200.
    """

    def __init__(self) -> None:
        self.servers: list[HTTPServerProtocol] = []

    def connection_made(self, server: HTTPServerProtocol) -> None:
        """
        Remember a connection.
        """
        self.servers.append(server)

    def connection_lost(self, server: HTTPServerProtocol) -> None:
        """
        Nothing to do.
        """

    def request_received(self, server: HTTPServerProtocol, head: RequestHead) -> Exchanger | None:
        """
        Answer.
        """
        server.answer(Answer(200, b"ok"))
        return None

    def request_malformed(self, server: HTTPServerProtocol, status: int, reason: str) -> Answer:
        """
        Word an answer.
        """
        return Answer(status)


class ServerTests(ReactorTestCase):
    """
    HTTP server connections.
    """

    def make(self) -> tuple[IListeningPort, Answering]:
        """
        Listen with them.
        """
        answering = Answering()
        clock = IReactorTime(reactor)
        factory = ServerFactory()
        factory.buildProtocol = lambda addr: cast(  # type: ignore[method-assign]
            Protocol,
            HTTPServerProtocol(
                answering,
                cache=HeaderCache(),
                settings=ServerSettings(),
                deadlines=Deadlines(clock),
            ),
        )
        port, _ = self.listen(factory=factory)
        return port, answering

    async def test_closed_under_a_request(self) -> None:
        """
        A connection that is to be closed when it is idle is not closed if a request waits in its socket; it is
        answered, and the connection closed behind it. One in whose socket nothing waits is closed.
        """
        port, answering = self.make()
        request = b"GET / HTTP/1.1\r\nHost: h\r\n\r\n"
        answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
        busy, idle = [await self.dial("127.0.0.1", port) for _ in range(2)]
        for peer in (busy, idle):
            peer.transport.write(request)
            await peer.when_received(len(answer))
        self.assertEqual(busy.received, answer)
        busy.transport.write(request)
        # The same machine: what was sent has come, and nobody has read it.
        for server in answering.servers:
            server.close_when_idle()
        await busy.when_read_end()
        await idle.when_read_end()
        self.assertEqual(busy.received, answer + answer.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
        self.assertEqual(idle.received, answer)


class SpliceTests(ReactorTestCase):
    """
    A splice between two TCP connections.
    """

    async def spliced(self) -> tuple[Peer, Peer]:
        """
        Make two connections that are joined in the middle.
        """
        self.ended: Deferred[tuple[int, int]] = Deferred()
        splice = Splice(lambda *counts: self.ended.callback(counts))
        port, peers = self.listen()

        # Twisted's factories are typed to make its own Protocol; a port takes any IProtocol.
        class Middle(ServerFactory):
            noisy = False

            def buildProtocol(self, addr: object) -> Protocol:
                return cast(Protocol, splice.left)

        middle, _ = self.listen(factory=Middle())
        near = await self.dial("127.0.0.1", middle)
        near.transport.write(b"early")

        class Right(Factory):
            noisy = False

            def buildProtocol(self, addr: object) -> Protocol:
                return cast(Protocol, splice.right)

        await make_client_endpoint(reactor, "127.0.0.1", self.number_of(port)).connect(Right())
        far = await peers.next_peer()
        self.addCleanup(self.drop, far)
        return near, far

    async def test_half_close(self) -> None:
        """
        Each direction is carried to its end, by itself.
        """
        near, far = await self.spliced()
        near.transport.write(MUCH)
        near.transport.loseWriteConnection()
        await far.when_read_end()
        self.assertEqual(far.received, b"early" + MUCH)
        far.transport.write(MUCH)
        far.transport.loseWriteConnection()
        await near.when_read_end()
        self.assertEqual(near.received, MUCH)
        self.assertEqual(await self.ended, (5 + len(MUCH), len(MUCH)))

    async def test_back_pressure(self) -> None:
        """
        A reader that stops stops the sender; when it reads on, everything arrives.
        """
        near, far = await self.spliced()
        far.transport.pauseProducing()
        held = bytes(64 * 1024 * 1024)
        near.transport.write(held)
        await deferLater(reactor, 0.3)
        queued = len(near.transport.dataBuffer) - near.transport.offset + near.transport._tempDataLen
        self.assertGreater(queued, len(held) // 2)
        far.transport.resumeProducing()
        await far.when_received(5 + len(held))
        self.assertEqual(far.received[5:], held)

    async def test_break(self) -> None:
        """
        A side that breaks breaks the other one.
        """
        near, far = await self.spliced()
        await far.when_received(5)
        far.transport.abortConnection()
        self.assertEqual(await near.when_lost(), ConnectionLost)
        self.assertEqual(await self.ended, (5, 0))


def certificates() -> tuple[CertificateOptions, IOpenSSLClientConnectionCreator]:
    """
    Make what a server and its client need for TLS.
    """
    authority = trustme.CA()
    issued = authority.issue_cert("localhost")
    chain = b"".join(blob.bytes() for blob in issued.cert_chain_pems)
    server = PrivateCertificate.loadPEM(issued.private_key_pem.bytes() + chain)
    root = Certificate.loadPEM(authority.cert_pem.bytes())
    return server.options(), optionsForClientTLS("localhost", trustRootFromCertificates([root]))
