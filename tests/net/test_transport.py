"""
Transports that send at once do what the stock ones do, sooner.
"""

from __future__ import annotations

import errno
import os
import socket
from typing import cast

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet import tcp
from twisted.internet.error import ConnectionLost
from twisted.internet.interfaces import IProtocol
from twisted.internet.protocol import Protocol
from twisted.trial.unittest import SynchronousTestCase

from pico.net.transport import DirectServer, address_of, unmapped
from pico.testing import HalfCloseRecordingProtocol, RecordingProducer, RecordingProtocol
from tests.mixin import Mixin
from tests.net.poll_reactor import PollReactor
from tests.testing.transports import Pair, TransportTests

_NAME = ("192.0.2.1", 4000)


class SocketPair:
    """
    Two transports on a pair of connected sockets with small buffers.
    """

    def __init__(self, kind: type[tcp.Server], left: Protocol, right: Protocol) -> None:
        self.reactor = PollReactor()
        self.pump = self.reactor.settle
        self.sockets = socket.socketpair()
        for each in self.sockets:
            each.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        # No port has accepted them.
        self.left, self.right = (
            kind(each, protocol, _NAME, cast(tcp.Port, None), number, self.reactor)
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


class OnSockets(Mixin):
    """
    Makes pairs on sockets.
    """

    kind: type[tcp.Server]

    def make_pair(self, left: Protocol, right: Protocol) -> Pair:
        pair = SocketPair(self.kind, left, right)
        self.addCleanup(pair.close)
        return pair


class StockTransportTests(OnSockets, TransportTests, SynchronousTestCase):
    """
    The behaviours are those of Twisted.
    """

    kind = tcp.Server


class DirectTransportTests(OnSockets, TransportTests, SynchronousTestCase):
    """
    Sending at once changes none of them.
    """

    kind = DirectServer


class ScriptedSocket:
    """
    A socket whose kernel does as the test says.

    :ivar room: how many bytes the next sends take; an exception is raised. Without more, everything is taken.
    :ivar arriving: what the next receives return; an exception is raised.
    """

    def __init__(self, *room: int | OSError) -> None:
        self.room: list[int | OSError] = list(room)
        self.arriving: list[bytes | OSError] = []
        self.sent = b""
        self.sends = 0
        self.asked: list[int] = []

    def send(self, data: bytes) -> int:
        """
        Take what there is room for.
        """
        self.sends += 1
        room = self.room.pop(0) if self.room else len(data)
        if isinstance(room, OSError):
            raise room
        taken = bytes(data[:room])
        self.sent += taken
        return len(taken)

    def sendmsg(self, chunks: list[bytes]) -> int:
        """
        Take what there is room for.
        """
        if len(chunks) > 1024:
            raise failure(errno.EMSGSIZE)
        return self.send(b"".join(chunks))

    def recv(self, size: int) -> bytes:
        """
        Return what has arrived.
        """
        self.asked.append(size)
        data = self.arriving.pop(0)
        if isinstance(data, OSError):
            raise data
        return data

    def fileno(self) -> int:
        """
        A number.
        """
        return 99

    def setblocking(self, flag: bool) -> None:
        """
        Do nothing.
        """

    def shutdown(self, how: int) -> None:
        """
        Do nothing.
        """

    def close(self) -> None:
        """
        Do nothing.
        """


def make_transport(
    scripted: ScriptedSocket,
    protocol: Protocol,
    reactor: PollReactor,
    peer: tuple[object, ...] = _NAME,
) -> tcp.Server:
    """
    A transport on such a socket, which no port has accepted.
    """
    return DirectServer(cast(socket.socket, scripted), protocol, peer, cast(tcp.Port, None), 1, reactor)


def failure(number: int) -> OSError:
    """
    The error that a socket raises.
    """
    return OSError(number, os.strerror(number))


class SendingAtOnceTests(SynchronousTestCase):
    """
    When bytes go to the socket, and what happens when it does not take them.
    """

    def begin(self, *room: int | OSError) -> None:
        self.reactor = PollReactor()
        self.socket = ScriptedSocket(*room)
        self.protocol = HalfCloseRecordingProtocol()
        self.transport = make_transport(self.socket, self.protocol, self.reactor)
        IProtocol(self.protocol).makeConnection(self.transport)

    def waiting(self) -> bool:
        """
        Whether the reactor is asked to tell when there is room.
        """
        return self.transport in self.reactor.getWriters()

    def test_at_once(self) -> None:
        """
        A write goes to the socket in one call, and the reactor has nothing to do with it.
        """
        self.begin()
        self.transport.write(b"hello")
        self.assertEqual((self.socket.sent, self.socket.sends), (b"hello", 1))
        self.assertFalse(self.waiting())

    def test_sequence_at_once(self) -> None:
        """
        A sequence goes to the socket in one call, be it short or long; its pieces may be views.
        """
        view = memoryview(bytes(30_000))
        cases: list[list[bytes | memoryview]] = [
            [b"hello", b"world"],
            [bytes(20_000), b"x", bytes(20_000)],
            [bytes(20)] * 2000,
            [view[:5], view],
        ]
        for pieces in cases:
            self.begin()
            self.transport.writeSequence(iter(pieces))
            self.assertEqual((self.socket.sent, self.socket.sends), (b"".join(pieces), 1))
            self.assertFalse(self.waiting())

    def test_nothing(self) -> None:
        """
        Writing nothing does not reach the socket.
        """
        self.begin()
        self.transport.write(b"")
        self.transport.writeSequence([b"", b""])
        self.assertEqual(self.socket.sends, 0)

    def test_rest_is_queued(self) -> None:
        """
        What the socket does not take waits for room, and so does everything after it.
        """
        self.begin(3)
        self.transport.write(b"hello")
        self.assertTrue(self.waiting())
        self.transport.write(b" world")
        self.transport.writeSequence([b"!", memoryview(bytes(20_000))])
        self.assertEqual((self.socket.sent, self.socket.sends), (b"hel", 1))
        self.assertIsNone(self.transport.doWrite())
        self.assertEqual(self.socket.sent, b"hello world!" + bytes(20_000))
        self.assertFalse(self.waiting())
        self.transport.write(b"at once again")
        self.assertTrue(self.socket.sent.endswith(b"at once again"))
        self.assertFalse(self.waiting())

    def test_no_room(self) -> None:
        """
        A socket that takes nothing is tried again when it has room.
        """
        for error in (errno.EWOULDBLOCK, errno.ENOBUFS):
            self.begin(failure(error), failure(error), 2)
            self.transport.write(b"hello")
            self.assertIsNone(self.transport.doWrite())
            self.assertIsNone(self.transport.doWrite())
            self.assertIsNone(self.transport.doWrite())
            self.assertEqual(self.socket.sent, b"hello")

    def test_no_room_for_sequence(self) -> None:
        """
        A long sequence that finds no room waits as a whole.
        """
        self.begin(failure(errno.EWOULDBLOCK))
        self.transport.writeSequence([bytes(20_000), b"end"])
        self.assertTrue(self.waiting())
        self.assertIsNone(self.transport.doWrite())
        self.assertEqual(self.socket.sent, bytes(20_000) + b"end")

    def test_error(self) -> None:
        """
        A write to a broken connection raises nothing and calls nobody; the reactor then finds the loss.
        """
        for error in (errno.EPIPE, errno.ECONNRESET, errno.ETIMEDOUT):
            for data in ([b"hello"], [bytes(20_000), b"x"]):
                self.begin(failure(error), failure(error))
                self.transport.writeSequence(data)
                self.assertEqual(self.protocol.reasons, [])
                self.assertTrue(self.waiting())
                self.assertIsInstance(self.transport.doWrite(), ConnectionLost)

    def test_error_is_not_an_end(self) -> None:
        """
        The end that a socket reports after a write took its error away is a loss, after what arrived before.
        """
        for data in ([b"hello"], [bytes(20_000), b"x"]):
            self.begin(failure(errno.ECONNRESET))
            self.socket.arriving = [b"before", b""]
            self.transport.writeSequence(data)
            self.assertIsNone(self.transport.doRead())
            self.assertEqual(self.protocol.received, b"before")
            self.assertIsInstance(self.transport.doRead(), ConnectionLost)

    def test_no_room_and_an_end(self) -> None:
        """
        A socket without room that then ends has ended in good order.
        """
        self.begin(failure(errno.EWOULDBLOCK))
        self.socket.arriving = [b""]
        self.transport.write(b"hello")
        self.assertNotIsInstance(self.transport.doRead(), ConnectionLost)

    def test_pause_counts_what_waits(self) -> None:
        """
        A producer is paused for what waits, not for what has been sent.
        """
        size = self.transport_buffer()
        for room, calls in ((0, ["pause"]), (1, []), (size, [])):
            self.begin(room)
            producer = RecordingProducer()
            self.transport.registerProducer(producer, True)
            self.transport.write(bytes(size + 1))
            self.assertEqual(producer.calls, calls)
            self.transport.doWrite()
            self.assertEqual(producer.calls, calls and ["pause", "resume"])

    def transport_buffer(self) -> int:
        """
        Bytes that may wait before a producer is paused.
        """
        return DirectServer.bufferSize

    @settings(derandomize=True, deadline=None, max_examples=100)
    @given(
        st.lists(
            st.one_of(
                st.binary(max_size=40),
                st.lists(st.binary(max_size=20), max_size=4),
                st.lists(st.just(bytes(8192)), min_size=2, max_size=3),
                st.none(),
            )
        ),
        st.lists(st.one_of(st.integers(0, 30), st.integers(0, 30_000), st.just(errno.EWOULDBLOCK))),
    )
    def test_any_room(self, writes: list[bytes | list[bytes] | None], room: list[int]) -> None:
        """
        However little the socket takes at a time, everything is sent once and in order.
        """
        self.begin(*(failure(size) if size == errno.EWOULDBLOCK else size for size in room))
        written = b""
        for data in writes:
            if data is None:
                # The reactor finds room in between.
                if self.waiting():
                    self.assertIsNone(self.transport.doWrite())
            elif isinstance(data, list):
                self.transport.writeSequence(data)
                written += b"".join(data)
            else:
                self.transport.write(data)
                written += data
        while self.waiting():
            self.assertIsNone(self.transport.doWrite())
        self.assertEqual(self.socket.sent, written)


class ReceivingTests(SynchronousTestCase):
    """
    How much is asked of the socket at a time.
    """

    def test_bulk(self) -> None:
        """
        After a read that was filled more is asked for, until a read is small again.
        """
        protocol = RecordingProtocol()
        reactor = PollReactor()
        scripted = ScriptedSocket()
        transport = make_transport(scripted, protocol, reactor)
        small, large = DirectServer.read_size, DirectServer.bulk_read_size
        scripted.arriving = [b"x", bytes(small), bytes(large), b"x", b"x", failure(errno.EWOULDBLOCK)]
        for _ in range(6):
            self.assertIsNone(transport.doRead())
        self.assertEqual(scripted.asked, [small, small, large, large, small, small])
        self.assertEqual(len(protocol.received), 3 + small + large)

    def test_error(self) -> None:
        """
        A read that fails is a loss.
        """
        scripted = ScriptedSocket()
        scripted.arriving = [failure(errno.ECONNRESET)]
        transport = make_transport(scripted, RecordingProtocol(), PollReactor())
        self.assertIsInstance(transport.doRead(), ConnectionLost)


class AddressTests(SynchronousTestCase):
    """
    IPv4 peers of a socket for both families.
    """

    def test_mapped(self) -> None:
        """
        An IPv4 address within an IPv6 one is taken out of it; all others are left alone.
        """
        self.assertEqual(unmapped(("::ffff:192.0.2.7", 80, 0, 0)), ("192.0.2.7", 80))
        for name in (("192.0.2.7", 80), ("2001:db8::1", 80, 0, 0), ("::ffff:c000:207", 80, 0, 0)):
            self.assertEqual(unmapped(name), name)

    def test_addresses(self) -> None:
        """
        Each gets an address object of its own family.
        """
        self.assertEqual(address_of(("::ffff:192.0.2.7", 80, 0, 0)).host, "192.0.2.7")
        self.assertEqual(type(address_of(("::ffff:192.0.2.7", 80, 0, 0))).__name__, "IPv4Address")
        self.assertEqual(type(address_of(("2001:db8::1", 80, 0, 0))).__name__, "IPv6Address")

    def test_transport(self) -> None:
        """
        A transport tells its peer's IPv4 address.
        """
        scripted = ScriptedSocket()
        peer = ("::ffff:192.0.2.7", 80, 0, 0)
        transport = make_transport(scripted, RecordingProtocol(), PollReactor(), peer)
        self.assertEqual((transport.getPeer().host, transport.getPeer().port), ("192.0.2.7", 80))
