"""
A network for datagrams in memory: it delays, loses, repeats and cuts off, as it is told.

Nothing is random but what the given random numbers decide, so a run can be repeated.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from heapq import heappop, heappush
from math import inf
from random import Random

from twisted.internet.interfaces import IDelayedCall, IReactorTime

#: Host and port.
Address = tuple[str, int]


class DatagramSocket:
    """
    One place of a :class:`DatagramNetwork`; made by :meth:`DatagramNetwork.open`.

    :ivar address: where datagrams for it go.
    :ivar received: bytes that were delivered to it.
    :ivar sent: bytes that it has sent, lost ones among them.
    """

    __slots__ = ("_network", "address", "receive", "received", "sent")

    def __init__(self, network: DatagramNetwork, address: Address, receive: Callable[[bytes, Address], object]) -> None:
        self._network = network
        self.address = address
        self.receive = receive
        self.received = 0
        self.sent = 0

    def send(self, data: bytes, to: Address) -> None:
        """
        Send a datagram. Nobody says whether it arrives.
        """
        self.sent += len(data)
        self._network.send(self.address, data, to)

    def close(self) -> None:
        """
        Take nothing any more. What is under way to it is lost.
        """
        self._network.close(self)


class DatagramNetwork:
    """
    Carries datagrams between sockets.

    With a clock they arrive when it is advanced; without one, when :meth:`deliver` is called.

    :ivar loss: the share of datagrams that is lost, from 0 to 1.
    :ivar repeat: the share that arrives twice.
    :ivar delay: seconds on the way, at least.
    :ivar jitter: seconds more, at most; with it datagrams overtake each other.
    :ivar watch: is shown every datagram that is sent, with where it comes from and where it goes.
    :ivar delivered: how many have arrived.
    :ivar now: the time without a clock.
    """

    def __init__(
        self,
        clock: IReactorTime | None = None,
        *,
        random: Random | None = None,
        loss: float = 0.0,
        repeat: float = 0.0,
        delay: float = 0.0005,
        jitter: float = 0.0,
        is_cut: Callable[[str, str], bool] | None = None,
    ) -> None:
        """
        :param is_cut: says whether nothing gets through between two hosts, beside what :meth:`partition` says.
        """
        self.loss = loss
        self.repeat = repeat
        self.delay = delay
        self.jitter = jitter
        self.watch: Callable[[Address, bytes, Address], object] | None = None
        self.delivered = 0
        self.now = 0.0
        self._clock = clock
        self._also_cut = is_cut
        self._random = random or Random(0)
        self._sockets: dict[Address, DatagramSocket] = {}
        self._sides: list[frozenset[str]] = []
        self._under_way: list[tuple[float, int, Address, bytes, Address]] = []
        self._count = 0
        self._call: IDelayedCall | None = None

    def open(self, address: Address, receive: Callable[[bytes, Address], object]) -> DatagramSocket:
        """
        Take datagrams that go to an address.

        :param receive: is called with each and where it comes from.
        :raises ValueError: the address is taken.
        """
        if address in self._sockets:
            raise ValueError(f"{address} is taken")
        socket = self._sockets[address] = DatagramSocket(self, address, receive)
        return socket

    def close(self, socket: DatagramSocket) -> None:
        """
        Free a socket's address.
        """
        if self._sockets.get(socket.address) is socket:
            del self._sockets[socket.address]

    def partition(self, *sides: Iterable[str]) -> None:
        """
        Let nothing through between hosts of different sides. Hosts of no side reach everybody. What is under way
        is lost, too.
        """
        self._sides = [frozenset(side) for side in sides]

    def heal(self) -> None:
        """
        Let everything through again.
        """
        self._sides = []

    def is_cut(self, one: str, other: str) -> bool:
        """
        Whether nothing gets through between two hosts.
        """
        if self._also_cut is not None and self._also_cut(one, other):
            return True
        if not self._sides:
            return False
        sides = [next((number for number, side in enumerate(self._sides) if host in side), -1) for host in (one, other)]
        return -1 not in sides and sides[0] != sides[1]

    def send(self, source: Address, data: bytes, to: Address) -> None:
        """
        Send a datagram from anywhere, also from where no socket is.
        """
        if self.watch is not None:
            self.watch(source, data, to)
        random = self._random.random
        if self.loss and random() < self.loss:
            return
        now = self._clock.seconds() if self._clock is not None else self.now
        for _ in range(2 if self.repeat and random() < self.repeat else 1):
            due = now + self.delay + (self.jitter * random() if self.jitter else 0.0)
            self._count += 1
            heappush(self._under_way, (due, self._count, source, data, to))
        if self._clock is not None:
            self._arm()

    def next_due(self) -> float:
        """
        When the next datagram arrives; infinity when none is under way.
        """
        return self._under_way[0][0] if self._under_way else inf

    def deliver(self, now: float) -> None:
        """
        Deliver what arrives until then.
        """
        under_way = self._under_way
        while under_way and under_way[0][0] <= now:
            due, _, source, data, to = heappop(under_way)
            self.now = max(self.now, due)
            socket = self._sockets.get(to)
            if socket is not None and not self.is_cut(source[0], to[0]):
                self.delivered += 1
                socket.received += len(data)
                socket.receive(data, source)

    def _arm(self) -> None:
        assert self._clock is not None
        if not self._under_way:
            return
        wait = max(0.0, self._under_way[0][0] - self._clock.seconds())
        if self._call is None or not self._call.active():
            self._call = self._clock.callLater(wait, self._fire)
        elif self._call.getTime() > self._clock.seconds() + wait:
            self._call.reset(wait)

    def _fire(self) -> None:
        assert self._clock is not None
        # A timer may fire a rounding error early.
        self.deliver(self._clock.seconds() + 1e-9)
        self._arm()
