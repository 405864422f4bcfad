"""
Gossip on real UDP sockets of this machine.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import SystemRandom

from twisted.internet import reactor as _reactor
from twisted.internet.base import ReactorBase
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IAddress, IListeningPort, IReactorUDP
from twisted.trial.unittest import TestCase

from pico.gossip.events import Event
from pico.gossip.ledger import live
from pico.gossip.member import Member
from pico.gossip.peer import Status
from pico.gossip.seal import Keys
from pico.gossip.udp import MAX_DATAGRAM, Gossip, port_of

assert isinstance(_reactor, ReactorBase)
reactor = _reactor

SECRET = b"the secret of this group"


class RealTests(TestCase):
    """
    Members of this process, each on a port of its own.
    """

    timeout = 30

    def setUp(self) -> None:
        """
        Nobody yet.
        """
        self.waiting: list[tuple[Callable[[], bool], Deferred[None]]] = []

    def start(self, name: str, interface: str, host: str, seeds: Sequence[str] = ()) -> tuple[Gossip, IListeningPort]:
        """
        Start a member.

        :param interface: where it listens.
        :param host: what it tells others.
        """

        def make(bound: IAddress) -> Member:
            return Member(
                id=name,
                generation=1,
                address=(host, port_of(bound)),
                keys=Keys([SECRET]),
                random=SystemRandom(),
                now=reactor.seconds(),
            )

        gossip = Gossip(reactor, reactor.nameResolver, make, seeds=seeds)
        gossip.observe(self.look)
        port = IReactorUDP(reactor).listenUDP(0, gossip, interface=interface, maxPacketSize=MAX_DATAGRAM)
        self.addCleanup(port.stopListening)
        return gossip, port

    def look(self, events: Sequence[Event]) -> None:
        """
        Something has changed.
        """
        for condition, waiting in list(self.waiting):
            if condition() and not waiting.called:
                waiting.callback(None)

    def until(self, condition: Callable[[], bool]) -> Deferred[None]:
        """
        Wait until an event makes something so.
        """
        waiting: Deferred[None] = Deferred()
        self.waiting.append((condition, waiting))
        self.look([])
        return waiting

    def status(self, gossip: Gossip, of: Gossip) -> Status | None:
        """
        What one holds of another one.
        """
        peer = gossip.member.roster.find(of.member.me.id)
        return None if peer is None else peer.status

    async def meet(self, places: Sequence[tuple[str, str]]) -> None:
        """
        Some members meet, tell each other what they publish, and notice a death and a goodbye.

        :param places: interface and host of each.
        """
        interface, host = places[0]
        first, port = self.start("m0", interface, host)
        bracketed = f"[{host}]" if ":" in host else host
        seed = f"{bracketed}:{port_of(port.getHost())}"
        started = [(first, port)]
        started += [self.start(f"m{number}", *place, [seed]) for number, place in enumerate(places[1:], 1)]
        gossips = [gossip for gossip, _ in started]
        for gossip in gossips:
            gossip.put(b"key", gossip.member.me.id.encode())
        everything = {gossip.member.me.id: {b"key": gossip.member.me.id.encode()} for gossip in gossips}
        await self.until(
            lambda: all(
                {peer.id: dict(live(peer.ledger)) for peer in gossip.member.roster} == everything for gossip in gossips
            )
        )
        leaver, leaver_port = started.pop()
        self.assertEqual(len(started), await leaver.leave())
        await self.until(lambda: all(self.status(gossip, leaver) is Status.LEFT for gossip, _ in started))
        leaver_port.stopListening()
        victim, victim_port = started.pop()
        victim_port.stopListening()
        await self.until(lambda: all(self.status(gossip, victim) is Status.UNREACHABLE for gossip, _ in started))
        for gossip, _ in started:
            self.assertEqual(0, gossip.member.counters.unverified)

    def test_ipv4(self) -> Deferred[None]:
        """
        Over IPv4.
        """
        return Deferred.fromCoroutine(self.meet([("127.0.0.1", "127.0.0.1")] * 4))

    def test_ipv6(self) -> Deferred[None]:
        """
        Over IPv6.
        """
        return Deferred.fromCoroutine(self.meet([("::1", "::1")] * 4))

    def test_both(self) -> Deferred[None]:
        """
        A port of all interfaces takes and sends datagrams of both families.
        """
        return Deferred.fromCoroutine(
            self.meet([("::", "127.0.0.1"), ("127.0.0.1", "127.0.0.1"), ("::", "::1"), ("::", "127.0.0.1")])
        )
