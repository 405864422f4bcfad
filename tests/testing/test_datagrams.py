"""
Tests for :mod:`pico.testing.datagrams`, and for the UDP ports of :mod:`pico.testing.network`.
"""

from __future__ import annotations

from random import Random

from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IListeningPort, IReactorUDP, IUDPTransport
from twisted.internet.protocol import DatagramProtocol
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from pico.testing import DatagramNetwork, MemoryNetwork

ONE = ("10.0.0.1", 1)
TWO = ("10.0.0.2", 2)


class DatagramNetworkTests(SynchronousTestCase):
    """
    What becomes of datagrams.
    """

    def setUp(self) -> None:
        """
        Two places.
        """
        self.network = DatagramNetwork(random=Random(1), delay=0.1)
        self.got: list[tuple[bytes, tuple[str, int]]] = []
        self.one = self.network.open(ONE, lambda data, source: None)
        self.two = self.network.open(TWO, lambda data, source: self.got.append((data, source)))

    def test_arrives(self) -> None:
        """
        A datagram arrives after the delay, whole, and with its source.
        """
        self.one.send(b"data", TWO)
        self.assertEqual(0.1, self.network.next_due())
        self.network.deliver(0.099)
        self.assertEqual([], self.got)
        self.network.deliver(0.1)
        self.assertEqual([(b"data", ONE)], self.got)
        self.assertEqual((4, 4, 1), (self.one.sent, self.two.received, self.network.delivered))
        self.assertEqual(float("inf"), self.network.next_due())

    def test_order(self) -> None:
        """
        Without jitter the order is kept, with jitter it is not.
        """
        for jitter, kept in ((0.0, True), (0.5, False)):
            self.network.jitter = jitter
            self.got.clear()
            sent = [b"%d" % number for number in range(50)]
            for data in sent:
                self.one.send(data, TWO)
            self.network.deliver(10.0)
            arrived = [data for data, _ in self.got]
            self.assertEqual(sorted(sent), sorted(arrived))
            self.assertEqual(kept, sent == arrived)

    def test_loss_and_repetition(self) -> None:
        """
        About as many are lost, or come twice, as was asked for.
        """
        for loss, repeat, least, most in ((0.2, 0.0, 750, 850), (0.0, 0.2, 1150, 1250), (1.0, 0.0, 0, 0)):
            self.network.loss, self.network.repeat = loss, repeat
            self.got.clear()
            for _ in range(1000):
                self.one.send(b"data", TWO)
            self.network.deliver(1.0)
            self.assertTrue(least <= len(self.got) <= most, len(self.got))

    def test_partition(self) -> None:
        """
        Nothing passes between sides, also of what is under way; who is on no side reaches all.
        """
        self.one.send(b"early", TWO)
        self.network.partition([ONE[0]], [TWO[0]])
        self.one.send(b"cut", TWO)
        self.network.send(("10.0.0.3", 3), b"outside", TWO)
        self.network.deliver(1.0)
        self.network.heal()
        self.one.send(b"healed", TWO)
        self.network.deliver(2.0)
        self.assertEqual([b"outside", b"healed"], [data for data, _ in self.got])

    def test_addresses(self) -> None:
        """
        An address is taken once, is free when it was closed, and what goes nowhere is lost.
        """
        self.assertRaises(ValueError, self.network.open, TWO, print)
        self.one.send(b"data", TWO)
        self.two.close()
        self.network.deliver(1.0)
        again = self.network.open(TWO, print)
        self.two.close()
        self.assertRaises(ValueError, self.network.open, TWO, print)
        again.close()
        self.assertEqual([], self.got)

    def test_watch(self) -> None:
        """
        Whatever is sent can be watched, lost or not.
        """
        seen = []
        self.network.watch = lambda *datagram: seen.append(datagram)
        self.network.loss = 1.0
        self.one.send(b"data", TWO)
        self.assertEqual([(ONE, b"data", TWO)], seen)

    def test_clock(self) -> None:
        """
        With a clock datagrams arrive when it is advanced.
        """
        clock = Clock()
        network = DatagramNetwork(clock, delay=0.1)
        got = []
        network.open(TWO, lambda data, source: got.append((clock.seconds(), data)))
        network.send(ONE, b"first", TWO)
        clock.advance(0.05)
        network.delay = 0.01
        network.send(ONE, b"second", TWO)
        clock.pump([0.01, 0.04, 0.01])
        self.assertEqual([b"second", b"first"], [data for _, data in got])
        self.assertAlmostEqual(0.06, got[0][0])
        self.assertEqual([], clock.getDelayedCalls())


class Received(DatagramProtocol):
    """
    Remembers what comes.
    """

    noisy = False

    def __init__(self) -> None:
        self.got: list[tuple[bytes, tuple[str, int]]] = []
        self.ended = False

    def datagramReceived(self, datagram: bytes, addr: tuple[str, int]) -> None:
        """
        One more.
        """
        self.got.append((datagram, addr))

    def stopProtocol(self) -> None:  # noqa: N802 - Twisted's name
        """
        The port is closed.
        """
        self.ended = True


class DatagramPortTests(SynchronousTestCase):
    """
    UDP ports of hosts in memory.
    """

    def setUp(self) -> None:
        """
        Two hosts with a port each.
        """
        self.network = MemoryNetwork()
        self.one, self.two = self.network.host("one"), self.network.host("two")
        self.here, self.there = Received(), Received()
        self.port = self.one.listenUDP(7, self.here)
        self.other = self.two.listenUDP(0, self.there, maxPacketSize=5)

    def test_interfaces(self) -> None:
        """
        They are what Twisted says.
        """
        verifyObject(IReactorUDP, self.one)
        verifyObject(IListeningPort, self.port)
        verifyObject(IUDPTransport, self.port)
        self.assertFalse(self.port.getBroadcastAllowed())

    def test_arrives(self) -> None:
        """
        Datagrams go from host to host, and are cut if they are longer than the protocol wants.
        """
        self.port.write(b"a datagram", (self.two.address, self.other.getHost().port))
        self.network.advance(0.01)
        self.assertEqual([(b"a dat", (self.one.address, 7))], self.there.got)

    def test_loopback(self) -> None:
        """
        A host reaches itself.
        """
        self.port.write(b"data", ("127.0.0.1", 7))
        self.network.advance(0.01)
        self.assertEqual([(b"data", (self.one.address, 7))], self.here.got)

    def test_cut(self) -> None:
        """
        Between hosts that are cut off nothing passes.
        """
        to = (self.two.address, self.other.getHost().port)
        self.network.cut(self.one, self.two)
        self.port.write(b"data", to)
        self.network.advance(0.01)
        self.assertEqual([], self.there.got)
        self.network.heal(self.one, self.two)
        self.port.write(b"data", to)
        self.network.advance(0.01)
        self.assertEqual(1, len(self.there.got))

    def test_taken(self) -> None:
        """
        A port is taken once, and free when it was closed.
        """
        self.assertRaises(CannotListenError, self.one.listenUDP, 7, Received())
        self.successResultOf(self.port.stopListening())
        self.successResultOf(self.port.stopListening())
        self.assertTrue(self.here.ended)
        self.assertRaises(RuntimeError, self.port.write, b"data", ("10.0.0.2", 1))
        self.one.listenUDP(7, Received())
