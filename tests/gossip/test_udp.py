"""
Tests for :mod:`pico.gossip.udp` and :mod:`pico.gossip.stream`.
"""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IAddress, IUDPTransport
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer
from zope.interface.verify import verifyObject

from pico.gossip.events import BecameUnreachable, Changed, Event, Joined, Left, Superseded
from pico.gossip.ledger import live
from pico.gossip.member import Member
from pico.gossip.seal import Keys
from pico.gossip.sections import Address
from pico.gossip.stream import ExchangeBroken
from pico.gossip.udp import Gossip, port_of
from pico.testing import MemoryDatagramPort, MemoryHost, MemoryNetwork, MemoryPipe


class Running:
    """
    A member on a host in memory.
    """

    def __init__(self, host: MemoryHost, *seeds: str, generation: int = 1, port: int = 8003) -> None:
        def make(bound: IAddress) -> Member:
            return Member(
                id=host.name,
                generation=generation,
                address=(host.address, port_of(bound)),
                keys=Keys([b"the secret of this group"]),
                random=Random(f"{host.name} {generation}"),
                now=host.seconds(),
            )

        self.events: list[Event] = []
        self.batches: list[int] = []
        self.gossip = Gossip(host, host.nameResolver, make, seeds=seeds)
        self.gossip.observe(self._take)
        self.port: MemoryDatagramPort = host.listenUDP(port, self.gossip, maxPacketSize=65535)

    def _take(self, events: Sequence[Event]) -> None:
        self.events += events
        self.batches.append(len(events))

    def view(self, of: str) -> dict[bytes, bytes]:
        """
        The keys of another member, as far as they are known here.
        """
        peer = self.gossip.member.roster.find(of)
        return {} if peer is None else dict(live(peer.ledger))

    def kinds(self) -> list[type]:
        """
        The types of all events.
        """
        return [type(event) for event in self.events]


class GossipTests(SynchronousTestCase):
    """
    Members on UDP ports.
    """

    def setUp(self) -> None:
        """
        A network.
        """
        self.network = MemoryNetwork()
        self.running: list[Running] = []

    def tearDown(self) -> None:
        """
        Nothing goes on when the ports are closed.
        """
        for each in self.running:
            each.port.stopListening()
        self.network.advance(0.01)
        self.assertEqual([], self.network.clock.getDelayedCalls())

    def start(self, name: str, *seeds: str, generation: int = 1) -> Running:
        """
        Start a member on a host of that name.
        """
        made = Running(self.network.host(name), *seeds, generation=generation)
        self.running.append(made)
        return made

    def test_double(self) -> None:
        """
        The port in memory is what Twisted says a port is.
        """
        self.assertTrue(verifyObject(IUDPTransport, self.start("one").port))

    def test_meet(self) -> None:
        """
        Two members meet through a name, and learn each other's keys.
        """
        one = self.start("one")
        other = self.start("other", "one")
        joined = other.gossip.when_joined()
        self.assertNoResult(joined)
        other.gossip.put(b"key", b"value")
        self.network.advance(1)
        self.assertIsNone(self.successResultOf(joined))
        self.assertIsNone(self.successResultOf(other.gossip.when_joined()))
        self.assertEqual([Joined, Changed], one.kinds())
        self.assertEqual({b"key": b"value"}, one.view("other"))
        other.gossip.delete(b"key")
        self.network.advance(1)
        self.assertEqual({}, one.view("other"))

    def test_port(self) -> None:
        """
        A member on any port tells others which one it is.
        """
        one = self.start("one")
        made = Running(self.network.host("two"), "one", port=0)
        self.running.append(made)
        self.network.advance(1)
        peer = one.gossip.member.roster.find("two")
        assert peer is not None
        self.assertEqual((self.network.host("two").address, made.port.getHost().port), peer.life.address)

    def test_batches(self) -> None:
        """
        What comes within one turn is told together.
        """
        one = self.start("one")
        self.start("two", "one")
        self.network.advance(1)
        for number in range(3):
            self.start(f"more {number}", "one").gossip.put(b"key", b"value")
        one.batches.clear()
        self.network.advance(1)
        self.assertGreater(max(one.batches), 1)
        self.assertEqual(7, len(one.events))

    def test_observer_fails(self) -> None:
        """
        An observer that fails is logged, and disturbs neither the others nor the member.
        """
        one = self.start("one")

        def fail(events: Sequence[Event]) -> None:
            raise RuntimeError("no")

        seen: list[Event] = []
        one.gossip.observe(fail)
        one.gossip.observe(seen.extend)
        self.start("two", "one")
        self.network.advance(1)
        self.assertEqual(1, len(self.flushLoggedErrors(RuntimeError)))
        self.assertEqual(1, len(seen))
        self.running.pop().port.stopListening()
        self.network.advance(5)
        self.assertEqual(1, len(self.flushLoggedErrors(RuntimeError)))
        self.assertEqual([Joined, BecameUnreachable], [type(event) for event in seen])

    def test_leave(self) -> None:
        """
        Who leaves hears how many know of it, and is silent afterwards.
        """
        one = self.start("one")
        two = self.start("two", "one")
        self.network.advance(1)
        leaving = two.gossip.leave()
        self.assertNoResult(leaving)
        self.network.advance(0.1)
        self.assertEqual(1, self.successResultOf(leaving))
        self.assertEqual([Joined, Left], one.kinds())
        self.assertEqual(1, self.successResultOf(two.gossip.leave()))

    def test_leave_in_vain(self) -> None:
        """
        When nobody answers, leaving takes a second.
        """
        self.start("one")
        two = self.start("two", "one")
        self.network.advance(1)
        self.network.cut(self.network.host("one"), self.network.host("two"))
        leaving = two.gossip.leave()
        self.network.advance(0.9)
        self.assertNoResult(leaving)
        self.network.advance(0.2)
        self.assertEqual(0, self.successResultOf(leaving))

    def test_closed_while_leaving(self) -> None:
        """
        When the port is closed, leaving is over.
        """
        self.start("one")
        two = self.start("two", "one")
        self.network.advance(1)
        leaving = two.gossip.leave()
        two.port.stopListening()
        self.assertEqual(0, self.successResultOf(leaving))
        self.assertEqual(0, self.successResultOf(two.gossip.leave()))

    def test_superseded(self) -> None:
        """
        A member whose id somebody else takes hears of it.
        """
        first = self.start("one")
        self.start("two", "one")
        self.network.advance(61)
        host = self.network.host("three")
        host.name = "one"
        self.running.append(Running(host, "two", generation=2))
        self.network.advance(2)
        self.assertIn(Superseded, first.kinds())

    def test_give_up_joining(self) -> None:
        """
        Who waits for others may give up.
        """
        one = self.start("one")
        joined = one.gossip.when_joined()
        joined.cancel()
        self.failureResultOf(joined)
        self.start("two", "one")
        self.network.advance(1)

    def test_bad_seed(self) -> None:
        """
        A seed that cannot be read is an error at once.
        """
        host = self.network.host("one")
        self.assertRaises(ValueError, Gossip, host, host.nameResolver, lambda bound: None, seeds=["a:b:c"])

    def test_seed_moves(self) -> None:
        """
        A name that means another address after a while is followed, so that those find together who know it only.
        """
        one = self.start("one", "seed")
        self.network.advance(5)
        self.assertEqual(1, len(one.gossip.member.roster))
        self.start("seed")
        self.network.advance(3)
        self.assertEqual(2, len(one.gossip.member.roster))

    def test_exchange(self) -> None:
        """
        Over a connection everything is told at once, and it is closed then.
        """
        one, two = self.start("one"), self.start("two")
        for number in range(3000):
            one.gossip.put(b"%d" % number, b"value")
        here, there = one.gossip.exchange(), two.gossip.exchange()
        pipe = MemoryPipe(capacity=10_000)
        pipe.connect(here, there)
        done = [here.when_done(), there.when_done()]
        while pipe.pump_once():
            self.network.advance(0)
        for each in done:
            self.assertIsNone(self.successResultOf(each))
        self.assertIsNone(self.successResultOf(here.when_done()))
        self.assertEqual(3000, len(two.view("one")))
        self.assertEqual(Joined, two.kinds()[0])
        self.assertTrue(pipe.closed)

    def test_exchange_silent(self) -> None:
        """
        When the other side says nothing the connection is cut off after a while.
        """
        one = self.start("one")
        here = one.gossip.exchange(timeout=5)
        pipe = MemoryPipe()
        pipe.connect(here, one.gossip.exchange(timeout=50))
        done = here.when_done()
        self.network.advance(5.1)
        pipe.pump()
        self.failureResultOf(done, ExchangeBroken)
        self.failureResultOf(here.when_done(), ExchangeBroken)

    def test_exchange_nonsense(self) -> None:
        """
        When the other side sends what does not belong there the connection is cut off.
        """
        one = self.start("one")
        here = one.gossip.exchange()
        pipe = MemoryPipe()
        pipe.connect(here, one.gossip.exchange())
        done = here.when_done()
        here.dataReceived(b"\xff" * 100)
        pipe.pump()
        error = self.failureResultOf(done, ExchangeBroken)
        self.assertIn("a frame is too long", error.getErrorMessage())


@implementer(IUDPTransport)
class Sink:
    """
    A UDP port that remembers what was written.
    """

    def __init__(self, host: IPv4Address | IPv6Address, error: Exception | None = None) -> None:
        self.written: list[Address] = []
        self._host = host
        self._error = error

    def write(self, packet: bytes, addr: Address | None) -> None:
        """
        Remember where to.
        """
        if self._error is not None:
            raise self._error
        assert addr is not None
        self.written.append(addr)

    def getHost(self) -> IPv4Address | IPv6Address:
        """
        Where this is bound.
        """
        return self._host

    def connect(self, host: str, port: int) -> None:
        """
        Unused.
        """

    def getBroadcastAllowed(self) -> bool:  # noqa: N802 - Twisted's name
        """
        Unused.
        """
        return False

    def setBroadcastAllowed(self, enabled: bool) -> None:  # noqa: N802 - Twisted's name
        """
        Unused.
        """

    def stopListening(self) -> Deferred[None] | None:
        """
        Unused.
        """
        return None


class AddressTests(SynchronousTestCase):
    """
    Addresses of both families, and what the system does not take.
    """

    def gossip(self, transport: Sink, *seeds: str) -> tuple[Gossip, Clock]:
        """
        A member on a port of a double.
        """
        network = MemoryNetwork()
        host = network.host("one")
        gossip = Gossip(
            host,
            host.nameResolver,
            lambda bound: Member(
                id="one",
                generation=1,
                address=("10.0.0.1", port_of(bound)),
                keys=Keys(),
                random=Random(1),
                now=0.0,
            ),
            seeds=seeds,
        )
        gossip.makeConnection(transport)
        self.addCleanup(gossip.doStop)
        network.advance(1)
        return gossip, network.clock

    def test_ipv6_port(self) -> None:
        """
        A port of all interfaces sends to both families; what comes from IPv4 has IPv4 addresses.
        """
        transport = Sink(IPv6Address("UDP", "::", 8003))
        gossip, _ = self.gossip(transport, "10.0.0.9", "[fd00::1]:9000", "fd00::2")
        self.assertEqual({("::ffff:10.0.0.9", 8003), ("fd00::1", 9000), ("fd00::2", 8003)}, set(transport.written))
        transport.written.clear()
        other = Member(id="other", generation=1, address=("10.0.0.9", 8003), keys=Keys(), random=Random(2), now=0.0)
        other.join([("10.0.0.1", 8003)], 0.0)
        other.handle_timer(0.0)
        ((data, _),) = other.datagrams_to_send()
        gossip.datagramReceived(data, ("::ffff:10.0.0.9", 8003))
        self.assertEqual([("::ffff:10.0.0.9", 8003)], transport.written)

    def test_not_sent(self) -> None:
        """
        What the system does not take is counted, said once a minute, and disturbs nothing.
        """
        for error in (OSError(1, "Operation not permitted"), OSError(101, "Network is unreachable")):
            gossip, _ = self.gossip(Sink(IPv4Address("UDP", "0.0.0.0", 8003), error), "10.0.0.9")
            self.assertGreater(gossip.unsent, 1)
            self.assertEqual([], self.flushLoggedErrors())
