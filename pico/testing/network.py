"""
Hosts in memory, each with a reactor for TCP and UDP, on one clock.

Code that takes a reactor can run on a :class:`MemoryHost` as it is, with
:func:`pico.net.ports.listen_tcp` and :func:`pico.net.ports.make_client_endpoint`. Hosts find each
other by name. Time and bytes move only by :meth:`MemoryNetwork.pump` and
:meth:`MemoryNetwork.advance`.
"""

from __future__ import annotations

import enum
import errno
import os
from collections.abc import Callable, Sequence

import attrs
from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred, succeed
from twisted.internet.error import (
    CannotListenError,
    ConnectError,
    NoRouteError,
    NotConnectingError,
    UserError,
)
from twisted.internet.error import ConnectionRefusedError as Refused
from twisted.internet.error import TimeoutError as ConnectTimeout
from twisted.internet.interfaces import (
    IAddress,
    IConnector,
    IDelayedCall,
    IHostnameResolver,
    IHostResolution,
    IListeningPort,
    IReactorPluggableNameResolver,
    IReactorTCP,
    IReactorTime,
    IReactorUDP,
    IResolutionReceiver,
    IUDPTransport,
)
from twisted.internet.protocol import AbstractDatagramProtocol, ClientFactory, Protocol, ServerFactory
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from zope.interface import implementer

from pico.testing.datagrams import DatagramNetwork, DatagramSocket
from pico.testing.pipe import MemoryPipe, MemoryTransport, pump

_EVERY_ADDRESS = ("", "0.0.0.0", "::")
_LOOPBACK = ("127.0.0.1", "::1", "localhost")


class MemoryNetwork:
    """
    Some hosts, and the connections between them.

    :param pipe_capacity: bytes on the way in each direction of a connection.
    :ivar pipes: the connections that exist.
    :ivar datagrams: what carries datagrams between the hosts; none is lost before it is told to lose some.
    """

    def __init__(self, clock: Clock | None = None, *, pipe_capacity: int = 65536) -> None:
        self.clock = clock or Clock()
        self.pipes: list[MemoryPipe] = []
        self._pipe_capacity = pipe_capacity
        self._hosts: dict[str, MemoryHost] = {}
        self._cuts: set[frozenset[MemoryHost]] = set()
        self.datagrams = DatagramNetwork(self.clock, is_cut=self._cuts_off)

    def host(self, name: str) -> MemoryHost:
        """
        The host of that name, made when it is asked for first.
        """
        host = self._hosts.get(name)
        if host is None:
            host = self._hosts[name] = MemoryHost(self, name, f"10.0.0.{len(self._hosts) + 1}")
        return host

    def pump(self, limit: int = 100_000) -> int:
        """
        Run turns until nothing happens any more at this moment.

        :return: the number of turns.
        :raise AssertionError: it does not come to rest within ``limit`` turns.
        """
        turns = pump(self.pipes, self.clock, limit)
        self.pipes[:] = [pipe for pipe in self.pipes if not pipe.closed]
        return turns

    def advance(self, seconds: float) -> None:
        """
        Let time pass, stopping and pumping whenever a timed call is due.
        """
        end = self.clock.seconds() + seconds
        self.pump()
        while True:
            due = min((call.getTime() for call in self.clock.getDelayedCalls()), default=end)
            self.clock.advance(max(0.0, min(due, end) - self.clock.seconds()))
            self.pump()
            if due >= end:
                return

    def cut(self, one: MemoryHost, other: MemoryHost) -> None:
        """
        Let nothing through between two hosts: no bytes, no ends of connections, no new connections.
        """
        self._cuts.add(frozenset((one, other)))
        self._freeze()

    def heal(self, one: MemoryHost, other: MemoryHost) -> None:
        """
        Let through again what :meth:`cut` held up.
        """
        self._cuts.discard(frozenset((one, other)))
        self._freeze()

    def is_cut(self, one: MemoryHost, other: MemoryHost) -> bool:
        """
        Whether nothing gets through between two hosts.
        """
        return frozenset((one, other)) in self._cuts

    def find(self, name_or_address: str) -> MemoryHost | None:
        """
        The host of that name or address, if there is one.
        """
        for host in self._hosts.values():
            if name_or_address in (host.name, host.address):
                return host
        return None

    def _cuts_off(self, one: str, other: str) -> bool:
        return bool(self._cuts) and frozenset((self.find(one), self.find(other))) in self._cuts

    def _freeze(self) -> None:
        for pipe in self.pipes:
            ends = (self.find(pipe.left.getHost().host), self.find(pipe.right.getHost().host))
            pipe.frozen = frozenset(ends) in self._cuts

    def _make_pipe(self, left: IPv4Address, right: IPv4Address) -> MemoryPipe:
        pipe = MemoryPipe(capacity=self._pipe_capacity, left_address=left, right_address=right)
        self.pipes.append(pipe)
        return pipe


@implementer(IReactorTCP, IReactorUDP, IReactorTime, IReactorPluggableNameResolver)
class MemoryHost:
    """
    One host: a reactor for TCP, UDP and time.

    :ivar address: its IPv4 address.
    :ivar ports: what listens here, by port number.
    :ivar datagram_ports: what takes datagrams here, by port number.
    """

    def __init__(self, network: MemoryNetwork, name: str, address: str) -> None:
        self.network = network
        self.name = name
        self.address = address
        self.ports: dict[int, MemoryPort] = {}
        self.datagram_ports: dict[int, MemoryDatagramPort] = {}
        self.nameResolver: IHostnameResolver = _Resolver(self)
        self._next_port = 49152

    def listenTCP(self, port: int, factory: ServerFactory, backlog: int = 50, interface: str = "") -> MemoryPort:
        """
        Listen on a port of this host; 0 for any.
        """
        made = MemoryPort(self, port or self.free_port(), factory, interface)
        made.startListening()
        return made

    # Twisted's interface is generic in a type variable that it keeps to itself.
    def connectTCP(  # type: ignore[override]
        self,
        host: str,
        port: int,
        factory: ClientFactory,
        timeout: float = 30.0,
        bindAddress: tuple[str, int] | None = None,  # noqa: N803 - Twisted's name
    ) -> MemoryConnector:
        """
        Dial a name or an address.
        """
        made = MemoryConnector(self, host, port, factory, timeout)
        made.connect()
        return made

    def listenUDP(
        self,
        port: int,
        protocol: AbstractDatagramProtocol,
        interface: str = "",
        maxPacketSize: int = 8192,  # noqa: N803 - Twisted's name
    ) -> MemoryDatagramPort:
        """
        Take datagrams on a port of this host; 0 for any. What goes to the host itself comes from its own address.
        """
        made = MemoryDatagramPort(self, port or self.free_port(), protocol, interface, maxPacketSize)
        made.startListening()
        return made

    def free_port(self) -> int:
        """
        A port number that was not used before.
        """
        self._next_port += 1
        return self._next_port

    def find(self, name_or_address: str) -> MemoryHost | None:
        """
        The host that this one knows by a name or an address.
        """
        return self if name_or_address in _LOOPBACK else self.network.find(name_or_address)

    # IReactorTime

    def seconds(self) -> float:
        """
        The network's time.
        """
        return self.network.clock.seconds()

    def callLater(
        self,
        delay: float,
        callable: Callable[..., object],  # noqa: A002 - Twisted's name
        *args: object,
        **kwargs: object,
    ) -> IDelayedCall:
        """
        Call on the network's clock.
        """
        return self.network.clock.callLater(delay, callable, *args, **kwargs)

    def getDelayedCalls(self) -> Sequence[IDelayedCall]:
        """
        What is waiting on the network's clock, of all hosts.
        """
        return self.network.clock.getDelayedCalls()

    # IReactorPluggableNameResolver

    def installNameResolver(self, resolver: IHostnameResolver) -> IHostnameResolver:  # noqa: N802
        """
        Look names up elsewhere.
        """
        old, self.nameResolver = self.nameResolver, resolver
        return old


@implementer(IListeningPort)
class MemoryPort:
    """
    A listening port of a :class:`MemoryHost`.
    """

    def __init__(self, host: MemoryHost, port: int, factory: ServerFactory, interface: str) -> None:
        self.factory = factory
        self._host = host
        self._port = port
        self._interface = interface

    def startListening(self) -> None:
        """
        Take the port.
        """
        if self._port in self._host.ports:
            in_use = OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE))
            raise CannotListenError(self._interface, self._port, in_use)
        self._host.ports[self._port] = self
        self.factory.doStart()

    def stopListening(self) -> Deferred[None]:
        """
        Give the port back. Connections live on.
        """
        if self._host.ports.get(self._port) is self:
            del self._host.ports[self._port]
            self.factory.doStop()
        return succeed(None)

    def getHost(self) -> IPv4Address:
        """
        The address on which this listens.
        """
        host = "0.0.0.0" if self._interface in _EVERY_ADDRESS else self._interface
        return IPv4Address("TCP", host, self._port)

    def hears(self, address: str) -> bool:
        """
        Whether connections to ``address`` come here.
        """
        return self._interface in (*_EVERY_ADDRESS, address)


@implementer(IListeningPort, IUDPTransport)
class MemoryDatagramPort:
    """
    A UDP port of a :class:`MemoryHost`.
    """

    def __init__(
        self, host: MemoryHost, port: int, protocol: AbstractDatagramProtocol, interface: str, max_size: int
    ) -> None:
        self.protocol = protocol
        self._host = host
        self._port = port
        self._interface = interface
        self._max_size = max_size
        self._socket: DatagramSocket | None = None

    def startListening(self) -> None:
        """
        Take the port.
        """
        address = (self._host.address, self._port)
        try:
            self._socket = self._host.network.datagrams.open(address, self._received)
        except ValueError:
            in_use = OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE))
            raise CannotListenError(self._interface, self._port, in_use) from None
        self._host.datagram_ports[self._port] = self
        self.protocol.makeConnection(self)

    def stopListening(self) -> Deferred[None]:
        """
        Give the port back.
        """
        if self._socket is not None:
            self._socket.close()
            self._socket = None
            del self._host.datagram_ports[self._port]
            self.protocol.doStop()
        return succeed(None)

    def write(self, packet: bytes, addr: tuple[str, int] | None) -> None:
        """
        Send a datagram.
        """
        if addr is None or self._socket is None:
            raise RuntimeError("the port is closed, or there is no address")
        host, port = addr
        self._socket.send(packet, (self._host.address if host in _LOOPBACK else host, port))

    def getHost(self) -> IPv4Address:
        """
        The address on which this listens.
        """
        host = "0.0.0.0" if self._interface in _EVERY_ADDRESS else self._interface
        return IPv4Address("UDP", host, self._port)

    def connect(self, host: str, port: int) -> None:
        """
        Not here.
        """
        raise NotImplementedError

    def getBroadcastAllowed(self) -> bool:  # noqa: N802 - Twisted's name
        """
        There is no broadcast.
        """
        return False

    def setBroadcastAllowed(self, enabled: bool) -> None:  # noqa: N802 - Twisted's name
        """
        There is no broadcast.
        """

    def _received(self, data: bytes, source: tuple[str, int]) -> None:
        self.protocol.datagramReceived(data[: self._max_size], source)


class _State(enum.Enum):
    DISCONNECTED = enum.auto()
    CONNECTING = enum.auto()
    CONNECTED = enum.auto()


@implementer(IConnector)
class MemoryConnector:
    """
    A dial of a :class:`MemoryHost`, and the connection that came of it.

    :ivar transport: once connected.
    """

    def __init__(self, host: MemoryHost, to: str, port: int, factory: ClientFactory, timeout: float) -> None:
        self.transport: MemoryTransport | None = None
        self._from = host
        self._to = to
        self._port = port
        self._factory = factory
        self._timeout = timeout
        self._state = _State.DISCONNECTED
        self._calls: list[IDelayedCall] = []

    def connect(self) -> None:
        """
        Dial; the answer comes in the next turn.
        """
        if self._state is not _State.DISCONNECTED:
            raise RuntimeError("cannot connect in this state")
        self._state = _State.CONNECTING
        self._factory.doStart()
        self._calls = [
            self._from.callLater(0, self._try),
            self._from.callLater(self._timeout, self._fail, ConnectTimeout()),
        ]
        self._factory.startedConnecting(self)

    def stopConnecting(self) -> None:  # noqa: N802 - Twisted's name
        """
        Give up.
        """
        if self._state is not _State.CONNECTING:
            raise NotConnectingError("not connecting")
        self._fail(UserError())

    def disconnect(self) -> None:
        """
        Give up, or close.
        """
        if self._state is _State.CONNECTING:
            self.stopConnecting()
        elif self.transport is not None:
            self.transport.loseConnection()

    def getDestination(self) -> IPv4Address:  # noqa: N802 - Twisted's name
        """
        Where this dials to.
        """
        return IPv4Address("TCP", self._to, self._port)

    def _try(self) -> None:
        here = self._from
        there = here.find(self._to)
        if there is None:
            self._fail(NoRouteError())
        elif here.network.is_cut(here, there):
            pass  # No answer comes: the attempt times out.
        else:
            address = there.address if self._to not in _LOOPBACK else "127.0.0.1"
            port = there.ports.get(self._port)
            if port is None or not port.hears(address):
                self._fail(Refused())
            else:
                self._succeed(port, address)

    def _succeed(self, port: MemoryPort, address: str) -> None:
        here = self._from
        own = "127.0.0.1" if address == "127.0.0.1" else here.address
        left = IPv4Address("TCP", own, here.free_port())
        right = IPv4Address("TCP", address, self._port)
        self._settle(_State.CONNECTED)
        pipe = here.network._make_pipe(left, right)
        self.transport = pipe.left
        client = self._factory.buildProtocol(right)
        server = port.factory.buildProtocol(left)
        pipe.left.on_lost = self._lost
        pipe.connect(client or Protocol(), server or Protocol())
        # A factory that makes no protocol wants the connection closed.
        if client is None:
            pipe.left.loseConnection()
        if server is None:
            pipe.right.loseConnection()

    def _fail(self, error: ConnectError) -> None:
        self._settle(_State.DISCONNECTED)
        self._factory.clientConnectionFailed(self, Failure(error))
        self._stop_factory()

    def _lost(self, reason: Failure) -> None:
        self._state = _State.DISCONNECTED
        self._factory.clientConnectionLost(self, reason)
        self._stop_factory()

    def _settle(self, state: _State) -> None:
        self._state = state
        for call in self._calls:
            if call.active():
                call.cancel()

    def _stop_factory(self) -> None:
        # The factory may have dialled again.
        if self._state is _State.DISCONNECTED:
            self._factory.doStop()


@implementer(IHostResolution)
@attrs.define
class _Resolution:
    name: str

    def cancel(self) -> None:
        """
        Too late: names are looked up at once.
        """


@implementer(IHostnameResolver)
@attrs.define
class _Resolver:
    """
    Finds the hosts of a network by name.
    """

    _host: MemoryHost

    def resolveHostName(  # noqa: N802 - Twisted's name
        self,
        resolutionReceiver: IResolutionReceiver,  # noqa: N803 - Twisted's names
        hostName: str,  # noqa: N803
        portNumber: int = 0,  # noqa: N803
        addressTypes: Sequence[type[IAddress]] | None = None,  # noqa: N803
        transportSemantics: str = "TCP",  # noqa: N803
    ) -> IHostResolution:
        resolution = _Resolution(hostName)
        resolutionReceiver.resolutionBegan(resolution)
        found = self._host.find(hostName)
        if found is not None:
            address = "127.0.0.1" if hostName in _LOOPBACK else found.address
            resolutionReceiver.addressResolved(IPv4Address("TCP", address, portNumber))
        resolutionReceiver.resolutionComplete()
        return resolution
