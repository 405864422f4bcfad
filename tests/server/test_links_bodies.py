"""
Tests of bodies and other bytes that go over links between whole nodes.
"""

from __future__ import annotations

import random

from tests.server.linked import OK, LinksTestCase
from tests.server.nodes import HalfClosingService
from tests.server.support import request_bytes


class BodyTests(LinksTestCase):
    """
    Bodies of any size, and readers that stop.
    """

    #: More than all windows and buffers between client and service.
    size = 6_000_000

    #: What those may hold: four windows, one for each link on the way, and what is queued for them.
    held = 1_500_000

    def setUp(self) -> None:
        """
        Nothing is said but by the test.
        """
        super().setUp()
        self.speak()

    def test_download(self) -> None:
        """
        A client that stops reading costs no more than windows, and nobody else anything; all of it arrives when it
        goes on.
        """
        client = self.world.get_at("a")
        slow = self.connection
        client.transport.pauseProducing()
        body = random.Random(1).randbytes(self.size)
        self.world.say(slow, b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % self.size + body)
        self.assertGreater(slow.transport.queued, self.size - self.held)
        self.world.network.advance(30)
        self.assertGreater(slow.transport.queued, self.size - self.held)
        other = self.world.get_at("a")
        self.world.say(self.connection, OK)
        self.assertEqual(other.body, b"hello")
        client.transport.resumeProducing()
        self.world.network.pump()
        self.assertTrue(client.body == body)

    def test_upload(self) -> None:
        """
        The same for a service that stops reading.
        """
        begin = b"POST / HTTP/1.1\r\nHost: e.h\r\nContent-Length: %d\r\n\r\n" % self.size
        client = self.world.ask_at("a", begin)
        service = self.connection
        service.transport.pauseProducing()
        body = random.Random(1).randbytes(self.size)
        self.world.say(client, body)
        self.assertGreater(client.transport.queued, self.size - self.held)
        other = self.world.get_at("a")
        self.world.say(self.connection, OK)
        self.assertEqual(other.body, b"hello")
        service.transport.resumeProducing()
        self.world.network.pump()
        self.assertTrue(service.body == body)
        self.world.say(service, OK)
        self.assertEqual(client.body, b"hello")

    def test_upload_before_the_answer(self) -> None:
        """
        Before the other node has answered no more of a body is taken from the client than came with the head.
        """
        self.world.get_at("a")
        self.world.say(self.connection, OK)
        self.connection.take()
        a, b = (self.world.nodes[name].host for name in "ab")
        self.world.network.cut(a, b)
        client = self.world.ask_at(
            "a", b"POST / HTTP/1.1\r\nHost: e.h\r\nContent-Length: %d\r\n\r\n" % self.size + bytes(1000)
        )
        self.world.say(client, bytes(self.size - 1000))
        # What two buffers of the kernel hold is on its way.
        self.assertGreater(client.transport.queued, self.size - 200_000)
        self.world.network.heal(a, b)
        self.world.network.pump()
        self.assertEqual(len(self.connection.body), self.size)

    def test_events(self) -> None:
        """
        Each event of a stream of events arrives when it is sent, also after a long silence.
        """
        client = self.world.get_at("a")
        self.world.say(self.connection, b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        self.assertEqual(client.status, 200)
        for number in range(3):
            self.world.network.advance(120)
            client.take()
            self.world.say(self.connection, b"9\r\ndata: %d\n\n\r\n" % number)
            self.assertIn(b"data: %d\n\n" % number, client.received)
        self.assertIsNone(client.lost)

    def test_upgrade(self) -> None:
        """
        Another protocol goes both ways, and each side's end alone.
        """
        service = HalfClosingService()
        self.world.agent_at("b", service, "f")
        self.world.tell("a", "b", "f")
        for ends_first in ("client", "service"):
            client = self.world.connect_half_closing("a")
            self.world.say(
                client,
                request_bytes("GET", "/", "x-pico-endpoint: f", "Connection: Upgrade", "Upgrade: websocket"),
            )
            served = service.connections[-1]
            self.world.say(served, b"HTTP/1.1 101 Switching\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nfirst")
            self.assertTrue(client.received.endswith(b"\r\n\r\nfirst"))
            self.world.say(client, b"from client")
            self.assertTrue(served.received.endswith(b"from client"))
            one, other = (client, served) if ends_first == "client" else (served, client)
            one.transport.loseWriteConnection()
            self.world.network.pump()
            self.assertEqual((other.read_ends, one.read_ends, one.lost, other.lost), (1, 0, None, None))
            self.world.say(other, b"last word")
            self.assertTrue(one.received.endswith(b"last word"))
            other.transport.loseWriteConnection()
            self.world.network.pump()
            self.assertEqual(one.read_ends, 1)
            self.assertEqual(self.world.number_at("b", 'pico_cluster_link_streams{direction="in"}'), 0)
