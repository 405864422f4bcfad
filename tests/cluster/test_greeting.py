"""
Tests for :mod:`pico.cluster.greeting`: dialling another node.
"""

from __future__ import annotations

from twisted.internet.defer import CancelledError
from twisted.internet.protocol import Factory

from pico.cluster.greeting import Identification, LinkError, NodeDialer
from pico.names import NodeId
from pico.net.once import Once
from pico.net.ports import listen_tcp
from pico.testing import RecordingProtocol
from pico.wire.link_auth import Agreement, Peer, Purpose, Refusal
from pico.wire.link_auth import Role as Side
from tests.cluster.support import PORT, SECRET, Raw, SceneTestCase


class DialTests(SceneTestCase):
    """
    Who dials gets a connection to the node that it wanted, or is told why not.
    """

    def dialer(self, name: str = "a") -> NodeDialer:
        """
        A node's dialer, with the usual secret and three seconds.
        """
        host = self.scene.network.host(name)
        return NodeDialer(Identification(Peer(NodeId(name), 1), (SECRET,)), reactor=host, clock=host, timeout=3.0)

    def listen_silently(self) -> None:
        """
        Let somebody take connections at port 1 of "b", and say nothing.
        """
        listen_tcp(self.scene.host, "", 1, Factory.forProtocol(RecordingProtocol), setting="")

    def test_agreed(self) -> None:
        """
        The dialler learns whom it has reached; the connection is its protocol's from then on.
        """
        dialler = self.scene.dial(expected=Peer(NodeId("b"), 1))
        self.assertEqual((dialler.peer, dialler.error), (Peer(NodeId("b"), 1), None))
        dialler.session.close()
        self.scene.network.pump()
        self.assertEqual((len(dialler.closed), self.scene.port.links), (1, 0))

    def test_first_bytes(self) -> None:
        """
        What comes in one piece with the other node's proof is the protocol's.
        """
        raw, protocol = Raw(), RecordingProtocol()
        listen_tcp(self.scene.host, "", 1, Once(raw), setting="")
        acceptor = Agreement(Side.ACCEPTOR, Peer(NodeId("b"), 1), (SECRET,), b"n" * 32, deadline=5.0)
        dial = self.dialer().dial("b", 1, Purpose.LINK, lambda _: protocol)
        self.scene.network.pump()
        acceptor.receive_data(raw.received)
        raw.pieces.clear()
        self.scene.say(raw, acceptor.data_to_send())
        acceptor.receive_data(raw.received)
        acceptor.accept()
        self.scene.say(raw, acceptor.data_to_send() + b"early")
        self.assertEqual((self.successResultOf(dial).id, protocol.received), ("b", b"early"))
        raw.transport.loseConnection()
        self.scene.network.pump()
        self.assertIsNotNone(protocol.lost)

    def test_errors(self) -> None:
        """
        Each error is one line that says where and why.
        """
        for how, text in [
            ({"keys": (b"other",)}, "no agreement with the node at b:8003: it refuses: it does not accept this node's"),
            ({"expected": Peer(NodeId("c"), 1)}, "no agreement with the node at b:8003: it is b, not c"),
            ({"expected": Peer(NodeId("b"), 2)}, "no agreement with the node at b:8003: it is another life of b"),
            ({"port": 2}, "cannot connect to b:2: "),
        ]:
            dialler = self.scene.dial(**how)  # type: ignore[arg-type]  # as many kinds as there are arguments
            self.assertIn(text, str(dialler.error))
            self.assertNotIn("\n", str(dialler.error))
        self.assertEqual(self.scene.port.links, 0)

    def test_no_answer(self) -> None:
        """
        Three seconds are for connection and agreement together.
        """
        self.listen_silently()
        dialler = self.scene.dial(port=1)
        self.scene.network.advance(2.9)
        self.assertIsNone(dialler.error)
        self.scene.network.advance(0.2)
        assert dialler.error is not None
        self.assertIs(dialler.error.refusal, Refusal.TIMEOUT)
        self.scene.network.cut(self.scene.host, self.scene.network.host("a"))
        dialler = self.scene.dial()
        self.scene.network.advance(3.1)
        self.assertEqual(str(dialler.error), "cannot connect to b:8003: no answer within 3s")

    def test_ended(self) -> None:
        """
        A connection that ends before there is an agreement is none.
        """
        made: list[RecordingProtocol] = []

        def make() -> RecordingProtocol:
            made.append(RecordingProtocol())
            return made[0]

        listen_tcp(self.scene.host, "", 1, Factory.forProtocol(make), setting="")
        dialler = self.scene.dial(port=1)
        assert made[0].transport is not None
        made[0].transport.loseConnection()
        self.scene.network.pump()
        assert dialler.error is not None
        self.assertIs(dialler.error.refusal, Refusal.CLOSED)

    def test_cancelled(self) -> None:
        """
        A dial may be given up in any moment; nothing of it is left.
        """
        self.listen_silently()
        self.scene.network.cut(self.scene.host, self.scene.network.host("c"))
        for name, port, pumped in [("a", PORT, False), ("a", 1, True), ("c", PORT, True)]:
            made: list[Peer] = []

            def make(peer: Peer, made: list[Peer] = made) -> RecordingProtocol:
                made.append(peer)
                return RecordingProtocol()

            dial = self.dialer(name).dial("b", port, Purpose.LINK, make)
            if pumped:
                self.scene.network.pump()
            dial.cancel()
            self.failureResultOf(dial, CancelledError)
            self.scene.network.pump()
            self.assertEqual((made, self.scene.clock.getDelayedCalls()), ([], []))

    def test_unforeseen(self) -> None:
        """
        An address that is none is an error like others.
        """
        dial = self.dialer().dial("nowhere", PORT, Purpose.LINK, lambda _: RecordingProtocol())
        self.scene.network.pump()
        error = self.failureResultOf(dial, LinkError).value
        self.assertIn("cannot connect to nowhere:8003: ", str(error))
