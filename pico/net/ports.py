"""
Listening ports and dialled connections whose transports send at once.

A reactor that is not Twisted's own for POSIX, such as a network in memory, is asked for its own transports
instead.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import cast

import attrs
from twisted.internet import tcp
from twisted.internet.abstract import isIPAddress, isIPv6Address
from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.endpoints import TCP4ClientEndpoint, TCP6ClientEndpoint
from twisted.internet.error import CannotListenError, DNSLookupError
from twisted.internet.error import TimeoutError as ConnectTimeout
from twisted.internet.interfaces import (
    IAddress,
    IConnector,
    IDelayedCall,
    IHostResolution,
    IListeningPort,
    IProtocol,
    IProtocolFactory,
    IReactorPluggableNameResolver,
    IReactorSocket,
    IReactorTCP,
    IReactorTime,
    IReactorUDP,
    IResolutionReceiver,
    IStreamClientEndpoint,
)
from twisted.internet.posixbase import PosixReactorBase
from twisted.internet.protocol import ClientFactory, DatagramProtocol, ServerFactory
from twisted.python.failure import Failure
from zope.interface import implementer

from pico.errors import ListenError
from pico.net.addresses import text_of_pair
from pico.net.transport import DirectClient, DirectServer, SocketName, address_of

#: The largest number that a socket's option can have.
_MAX_INT = 2**31 - 1

#: An address to dial.
_Address = IPv4Address | IPv6Address


def listen_tcp(
    reactor: IReactorTCP,
    host: str,
    port: int,
    factory: IProtocolFactory,
    *,
    setting: str,
    backlog: int = 1024,
    max_unsent: int = 0,
) -> IListeningPort:
    """
    Listen on a TCP port, now.

    Names are looked up on the spot, which may block: this is for the start of a program.

    :param host: an address, a name (its IPv4 address wins), or ``""`` for all addresses of both families.
    :param port: 0 for any free one.
    :param setting: the name of the setting that chose host and port, for the error text.
    :param max_unsent: see :func:`limit_unsent`.
    :raise ListenError: the port cannot be had.
    """
    try:
        if not isinstance(reactor, PosixReactorBase):
            return reactor.listenTCP(port, cast(ServerFactory, factory), backlog, host)
        listening = DirectPort(port, factory, backlog, _address_to_bind(host), reactor)
        listening.max_unsent = max_unsent
        listening.takes_waiting = True
        listening.startListening()
        return listening
    except CannotListenError as error:
        raise _listen_error(host, port, setting, error.socketError) from error
    except OSError as error:
        raise _listen_error(host, port, setting, error) from error


def listen_udp(
    reactor: IReactorUDP, host: str, port: int, protocol: DatagramProtocol, *, setting: str, max_size: int
) -> IListeningPort:
    """
    Take datagrams on a UDP port, now; of host, name and port the same holds as for :func:`listen_tcp`.

    :param max_size: bytes of a datagram; what is behind them is cut off.
    :raise ListenError: the port cannot be had.
    """
    try:
        interface = _address_to_bind(host) if isinstance(reactor, PosixReactorBase) else host
        return reactor.listenUDP(port, protocol, interface, max_size)
    except CannotListenError as error:
        raise _listen_error(host, port, setting, error.socketError, "UDP ") from error
    except OSError as error:
        raise _listen_error(host, port, setting, error, "UDP ") from error


def adopt_tcp(
    reactor: IReactorTCP, listening: socket.socket, factory: IProtocolFactory, *, max_unsent: int = 0
) -> IListeningPort:
    """
    Take connections from a socket that listens already. When the port is closed the socket goes on to listen, if
    another process holds it as well.

    :param listening: not blocking. It is closed; the port has a copy.
    :param max_unsent: see :func:`limit_unsent`.
    """
    with listening:
        number, family = listening.fileno(), listening.family
        if not isinstance(reactor, PosixReactorBase):
            return IReactorSocket(reactor).adoptStreamPort(number, family, cast(ServerFactory, factory))
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        limit_unsent(listening, max_unsent)
        # What adoptStreamPort calls, which would make a port of Twisted's own.
        port: DirectPort = DirectPort._fromListeningDescriptor(  # type: ignore[no-untyped-call]
            reactor, number, family, factory
        )
    port.startListening()
    return port


def limit_unsent(made: socket.socket, size: int) -> None:
    """
    Have a socket, and whatever is accepted on it, take no more than about ``size`` bytes that cannot leave at once.

    Without that the kernel takes what may be worth having on a fast and long way, megabytes a connection, also from
    a peer that does not read at all. What is on its way and not yet acknowledged does not count, so a limit costs no
    speed as long as it outlasts one turn of the reactor. Where the system has no such option nothing happens.

    :param size: 0 for no limit, also on a socket that had one.
    """
    option: int | None = getattr(socket, "TCP_NOTSENT_LOWAT", None)
    if option is not None:
        made.setsockopt(socket.IPPROTO_TCP, option, min(size, _MAX_INT))


def make_client_endpoint(reactor: IReactorTCP, host: str, port: int, timeout: float = 30.0) -> IStreamClientEndpoint:
    """
    Make an endpoint that dials ``host``, an address or a name.

    All addresses of a name are tried, each a moment after the one before.

    :param timeout: seconds until the attempt, the lookup of the name included, fails with
        :class:`twisted.internet.error.TimeoutError`.
    """
    return _DirectEndpoint(reactor, host, port, timeout)


class DirectPort(tcp.Port):
    """
    A port whose connections send at once and without Nagle's delay.

    A port on ``"::"`` takes connections of both families; those of IPv4 have IPv4 addresses.

    :ivar max_unsent: see :func:`limit_unsent`.
    :ivar takes_waiting: whether connections that wait to be accepted are still taken when the port is closed. The
        system would reset them; where another process goes on to listen they are his.
    """

    transport = DirectServer
    max_unsent = 0
    takes_waiting = False

    def connectionLost(self, reason: Failure) -> None:
        """
        Close the socket.
        """
        if self.takes_waiting:
            self.numberAccepts = self.backlog
            self.doRead()  # type: ignore[no-untyped-call]  # Twisted's, which has no types
        tcp.Port.connectionLost(self, reason)

    def createInternetSocket(self) -> socket.socket:
        """
        Make the socket; what is accepted on it inherits its options.
        """
        made: socket.socket = tcp.Port.createInternetSocket(self)
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        limit_unsent(made, self.max_unsent)
        if self.interface == "::":
            made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        return made

    def _buildAddr(self, address: SocketName) -> IPv4Address | IPv6Address:  # noqa: N802 - Twisted's name
        return address_of(address)


class _DirectConnector(tcp.Connector):
    """
    A dial in progress.

    :ivar built: the protocol that the factory made.
    """

    built: IProtocol | None = None

    def _makeTransport(self) -> DirectClient:
        # Its constructor is Twisted's, which has no types.
        return DirectClient(  # type: ignore[no-untyped-call]
            self.host, self.port, self.bindAddress, self, self.reactor
        )

    def buildProtocol(self, addr: IAddress) -> IProtocol | None:
        """
        Make the protocol of the new connection.
        """
        self.built = tcp.Connector.buildProtocol(self, addr)
        return self.built


@attrs.frozen
class _DirectReactor:
    """
    What Twisted's client endpoints ask of a reactor, with our connector in the place of its own.
    """

    _reactor: PosixReactorBase

    def connectTCP(
        self,
        host: str,
        port: int,
        factory: ClientFactory,
        timeout: float = 30.0,
        bindAddress: tuple[str, int] | None = None,  # noqa: N803 - Twisted's name
    ) -> IConnector:
        connector = _DirectConnector(host, port, factory, timeout, bindAddress, self._reactor)
        connector.connect()
        return connector


@implementer(IStreamClientEndpoint)
@attrs.frozen
class _DirectEndpoint:
    _reactor: IReactorTCP
    _host: str
    _port: int
    _timeout: float

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[IProtocol]:  # noqa: N803 - Twisted's name
        """
        Dial once.
        """
        reactor: object = self._reactor
        if isinstance(reactor, PosixReactorBase):
            reactor = _DirectReactor(reactor)
        clock = IReactorTime(self._reactor)

        def dial(address: _Address) -> Deferred[IProtocol]:
            endpoint: IStreamClientEndpoint
            if isinstance(address, IPv4Address):
                endpoint = TCP4ClientEndpoint(reactor, address.host, address.port, self._timeout)
            else:
                endpoint = TCP6ClientEndpoint(reactor, address.host, address.port, self._timeout)
            return endpoint.connect(protocolFactory).addCallback(_unwrapped)

        d = self._addresses().addCallback(lambda addresses: _Race(dial, addresses, clock).won)
        return d.addTimeout(self._timeout, clock, _timed_out)

    def _addresses(self) -> Deferred[list[_Address]]:
        if isIPAddress(self._host):
            return succeed([IPv4Address("TCP", self._host, self._port)])
        if isIPv6Address(self._host):
            return succeed([IPv6Address("TCP", self._host, self._port)])
        try:
            self._host.encode("idna")
        except UnicodeError:
            return fail(DNSLookupError(f"not a name: {self._host}"))
        lookup = _Lookup(self._host)
        resolver = IReactorPluggableNameResolver(self._reactor).nameResolver
        resolver.resolveHostName(lookup, self._host, self._port)
        return lookup.done


@implementer(IResolutionReceiver)
class _Lookup:
    """
    The addresses of a name, gathered until there are no more.
    """

    def __init__(self, name: str) -> None:
        self.done: Deferred[list[_Address]] = Deferred()
        self._name = name
        self._found: list[_Address] = []

    def resolutionBegan(self, resolutionInProgress: IHostResolution) -> None:  # noqa: N802, N803
        """
        Nothing to do yet.
        """

    def addressResolved(self, address: IAddress) -> None:  # noqa: N802
        """
        Keep one.
        """
        if isinstance(address, (IPv4Address, IPv6Address)):
            self._found.append(address)

    def resolutionComplete(self) -> None:  # noqa: N802
        """
        Give them all.
        """
        if self._found:
            self.done.callback(self._found)
        else:
            self.done.errback(DNSLookupError(f"no address for the name {self._name}"))


class _Race:
    """
    Dials addresses in turn until one answers: the next one as soon as one fails, or has been silent for a
    moment (RFC 8305 section 5). Twisted's own endpoint lets that moment pass after a failure too.

    :ivar won: the first connection; the last failure when all have failed.
    """

    _SILENCE = 0.25

    def __init__(
        self, dial: Callable[[_Address], Deferred[IProtocol]], addresses: list[_Address], clock: IReactorTime
    ) -> None:
        self.won: Deferred[IProtocol] = Deferred(lambda d: self._stop())
        self._dial = dial
        self._left = addresses
        self._clock = clock
        self._pending: list[Deferred[IProtocol]] = []
        self._timer: IDelayedCall | None = None
        self._over = False
        self._next()

    def _next(self) -> None:
        attempt = self._dial(self._left.pop(0))
        self._pending.append(attempt)
        self._timer = self._clock.callLater(self._SILENCE, self._next) if self._left else None
        attempt.addBoth(self._ended, attempt)

    def _ended(self, result: IProtocol | Failure, attempt: Deferred[IProtocol]) -> None:
        self._pending.remove(attempt)
        if self._over:
            return
        if not isinstance(result, Failure):
            self._stop()
            self.won.callback(result)
        elif self._left:
            self._stop_timer()
            self._next()
        elif not self._pending:
            self.won.errback(result)

    def _stop(self) -> None:
        self._over = True
        self._stop_timer()
        for attempt in list(self._pending):
            attempt.cancel()

    def _stop_timer(self) -> None:
        if self._timer is not None and self._timer.active():
            self._timer.cancel()


def _timed_out(result: object, timeout: float) -> Failure:
    return Failure(ConnectTimeout())


def _unwrapped(protocol: IProtocol) -> IProtocol:
    # Twisted's endpoints put a protocol of their own between transport and protocol, to learn when it is
    # connected. It has done its work; every read would go on paying for it.
    transport = getattr(protocol, "transport", None)
    if isinstance(transport, DirectClient) and transport.protocol is transport.connector.built:
        transport.protocol = protocol
    return protocol


def _address_to_bind(host: str) -> str:
    if not host:
        return "::" if _has_ipv6() else "0.0.0.0"
    found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    found.sort(key=lambda each: each[0] != socket.AF_INET)
    return str(found[0][4][0])


def _has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
            probe.bind(("::", 0))
    except OSError:
        return False
    return True


def _listen_error(host: str, port: int, setting: str, error: BaseException, kind: str = "") -> ListenError:
    where = text_of_pair((host, port))
    reason = getattr(error, "strerror", None) or str(error)
    return ListenError(f"cannot listen on {kind}{where} ({setting}): {reason[:1].lower()}{reason[1:]}")
