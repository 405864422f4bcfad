"""
Tests for :mod:`pico.cluster.accept`: a node that takes links, and whoever dials it.
"""

from __future__ import annotations

from twisted.logger import capturedLogs

from pico.cluster.accept import AcceptSettings
from pico.names import NodeId
from pico.testing import RecordingProtocol
from pico.tunnel.session import TunnelSettings
from pico.wire.link_auth import Agreement, Peer, Purpose, Refusal
from pico.wire.link_auth import Role as Side
from pico.wire.preamble import Answer, Preamble, Verdict, encode_preamble
from pico.wire.yamux.limits import Limits
from tests.cluster.support import SECRET, E, Scene, SceneTestCase


class PortTests(SceneTestCase):
    """
    Links, and those who connect.
    """

    def test_wrong_key(self) -> None:
        """
        Who has another key, or none where there is one, or one where there is none, gets no link. It is counted, and
        said, but not every time.
        """
        for keys, dialled_with, refusal in [
            ((SECRET,), (b"other",), Refusal.PROOF),
            ((SECRET,), (), Refusal.MODE),
            ((), (SECRET,), Refusal.MODE),
        ]:
            scene = Scene(keys=keys)
            with capturedLogs() as events:
                for _ in range(3):
                    dialler = scene.dial(keys=dialled_with)
                    assert dialler.error is not None
                    self.assertIs(dialler.error.refusal, refusal)
            self.assertEqual((scene.port.links, scene.port.count.refused[refusal]), (0, 3))
            self.assertEqual(len([event for event in events if event["log_namespace"] == "cluster"]), 1)
            self.assertNotIn(SECRET.decode(), repr(events))
            scene.end()

    def hello(self, keys: tuple[bytes, ...] = (SECRET,), name: str = "a") -> Agreement:
        """
        Somebody who greets by hand.
        """
        own = Peer(NodeId(name), 1)
        return Agreement(Side.DIALLER, own, keys, b"n" * 32, deadline=10.0, purpose=Purpose.LINK)

    def test_replayed(self) -> None:
        """
        What was recorded of a node that was believed proves nothing when it is sent again.
        """
        agreement = self.hello()
        raw = self.scene.connect()
        first = agreement.data_to_send()
        self.scene.say(raw, first)
        agreement.receive_data(raw.received)
        second = agreement.data_to_send()
        self.scene.say(raw, second)
        self.assertEqual(self.scene.port.links, 1)
        again = self.scene.connect()
        self.scene.say(again, first + second)
        self.assertEqual(self.scene.port.links, 1)
        self.assertEqual(self.scene.port.count.refused[Refusal.PROOF], 1)
        self.assertIsNotNone(again.lost)

    def test_reflected(self) -> None:
        """
        What the node itself has said proves nothing to it either.
        """
        one, other = self.scene.connect(), self.scene.connect()
        self.scene.say(one, self.hello().data_to_send())
        self.scene.say(other, one.received)
        self.assertEqual((self.scene.port.links, self.scene.port.count.refused[Refusal.SAME_ID]), (0, 1))
        self.assertIsNotNone(other.lost)

    def test_silent(self) -> None:
        """
        Who connects and does not prove itself within five seconds is sent away.
        """
        raw, half = self.scene.connect(), self.scene.connect()
        self.scene.say(half, self.hello().data_to_send())
        self.scene.network.advance(4.9)
        self.assertEqual((raw.lost, half.lost), (None, None))
        self.scene.network.advance(0.2)
        self.assertIsNotNone(raw.lost and half.lost)
        self.assertEqual(self.scene.port.count.refused[Refusal.TIMEOUT], 2)

    def test_pending(self) -> None:
        """
        So many connections may be without an agreement, and no more; links do not count.
        """
        scene = self.scene = Scene(AcceptSettings(max_pending=2))
        scene.dial()
        first, second, third = scene.connect(), scene.connect(), scene.connect()
        self.assertEqual((first.lost, second.lost), (None, None))
        self.assertIsNotNone(third.lost)
        self.assertEqual(scene.port.count.refused[Refusal.OVERLOADED], 1)
        first.transport.loseConnection()
        scene.network.pump()
        self.assertIsNone(scene.connect().lost)

    def test_links(self) -> None:
        """
        So many links may be open, of all nodes and of one.
        """
        scene = self.scene = Scene(AcceptSettings(max_links=3, max_links_per_node=2))
        diallers = [scene.dial(name) for name in ("a", "a", "a", "c", "d")]
        refused = [dialler.error is not None for dialler in diallers]
        self.assertEqual(refused, [False, False, True, False, True])
        for dialler in diallers:
            if dialler.error is not None:
                self.assertIs(dialler.error.refusal, Refusal.OVERLOADED)
        diallers[0].session.close()
        scene.network.pump()
        self.assertIsNone(scene.dial("d").error)

    def test_streams(self) -> None:
        """
        A link may carry so many streams; one more is reset as never looked at.
        """
        settings = TunnelSettings(limits=Limits(max_streams=2))
        scene = self.scene = Scene(AcceptSettings(tunnel=settings))
        scene.tunnel()
        dialler = scene.dial()
        answers = [dialler.ask().answer for _ in range(3)]
        self.assertEqual(answers, [Answer(Verdict.ACCEPTED, 1)] * 2 + [None])
        self.assertEqual(dialler.closed, [])

    def test_lives(self) -> None:
        """
        A later life of a node ends the links of its former ones; those get none any more, by what the node itself
        has seen and by what it was told.
        """
        old = self.scene.dial("a", 5)
        new = self.scene.dial("a", 6)
        self.assertEqual((len(old.closed), len(new.closed), self.scene.port.links), (1, 0, 1))
        late = self.scene.dial("a", 5)
        self.scene.members.generations[NodeId("c")] = 3
        told = self.scene.dial("c", 2)
        for dialler in (late, told):
            assert dialler.error is not None
            self.assertIs(dialler.error.refusal, Refusal.OLD_LIFE)
        self.assertIsNone(self.scene.dial("c", 3).error)

    def test_exchange(self) -> None:
        """
        A connection for an exchange is refused where there is none, and handed over where there is.
        """
        dialler = self.scene.dial(purpose=Purpose.STATE_EXCHANGE)
        assert dialler.error is not None
        self.assertIs(dialler.error.refusal, Refusal.PURPOSE)
        self.scene.end()
        for protocol, refusal in [(RecordingProtocol(), None), (None, Refusal.OVERLOADED)]:
            self.scene = Scene(exchange=protocol, takes_exchanges=True)
            dialler = self.scene.dial(purpose=Purpose.STATE_EXCHANGE)
            if refusal is not None:
                assert dialler.error is not None
                self.assertIs(dialler.error.refusal, refusal)
            else:
                self.assertIsNone(dialler.error)
                assert protocol is not None and protocol.transport is not None
                protocol.transport.loseConnection()
            self.assertEqual(self.scene.port.links, 0)
            self.scene.network.pump()
            if refusal is None:
                self.scene.end()

    def test_quiet(self) -> None:
        """
        It is quiet when nothing is under way, at once or as soon as a look tells.
        """
        self.successResultOf(self.scene.port.when_quiet())
        _, agent = self.scene.tunnel()
        self.scene.dial().ask(behind=b"request")
        quiet = self.scene.port.when_quiet()
        self.scene.network.advance(5)
        self.assertNoResult(quiet)
        agent.offered[0].stream.write(b"response")
        self.scene.network.advance(2.2)
        self.successResultOf(quiet)
        self.scene.dial("c").ask(behind=b"request")
        quiet = self.scene.port.when_quiet()
        self.assertNoResult(quiet)
        quiet.cancel()
        self.failureResultOf(quiet)

    def test_leaving(self) -> None:
        """
        A port that leaves says go-away, takes nothing new, and closes each link with its last stream.
        """
        _, agent = self.scene.tunnel()
        busy, idle = self.scene.dial("a"), self.scene.dial("c")
        stream, begun = busy.ask(behind=b"request"), busy.open(b"\x50")
        pending = self.hello()
        raw = self.scene.connect()
        self.scene.say(raw, pending.data_to_send())
        left = self.scene.port.leave(30.0)
        self.scene.network.pump()
        self.assertEqual((busy.goes_away, idle.goes_away), (1, 1))
        begun.protocol.stream.write(encode_preamble(Preamble(E))[1:])
        self.scene.network.pump()
        self.assertEqual(begun.answer, Answer(Verdict.DRAINING))
        begun.protocol.stream.loseConnection()
        pending.receive_data(raw.received)
        self.scene.say(raw, pending.data_to_send())
        self.assertEqual(raw.received[-1], Refusal.DRAINING)
        self.scene.network.advance(3)
        self.assertEqual((len(busy.closed), len(idle.closed)), (0, 1))
        agent.offered[0].stream.write(b"response")
        agent.offered[0].stream.loseConnection()
        self.scene.network.pump()
        stream.protocol.stream.loseConnection()
        self.scene.network.advance(0.2)
        self.assertEqual((stream.behind, len(busy.closed)), (b"response", 1))
        self.successResultOf(left)

    def test_leaving_with_notices(self) -> None:
        """
        The stream for notices keeps no link open.
        """
        for stream_first in (True, False):
            _, agent = self.scene.tunnel()
            dialler = self.scene.dial()
            stream = dialler.ask(behind=b"request").protocol.stream
            agent.session.go_away()
            self.scene.network.pump()
            (notices,) = dialler.offered
            if stream_first:
                stream.abortConnection()
                self.scene.network.pump()
            left = self.scene.port.leave(30.0)
            self.scene.network.advance(2)
            self.assertNoResult(left)
            if not stream_first:
                self.assertEqual(notices.log[-1], "data")
                stream.abortConnection()
                self.scene.network.pump()
            self.assertEqual(notices.log[-1], "read lost")
            notices.stream.loseConnection()
            self.scene.network.advance(0.2)
            self.successResultOf(left)
            self.scene.end()
            self.scene = Scene()

    def test_leaving_in_a_hurry(self) -> None:
        """
        What has not ended when the grace period is over is cut.
        """
        self.scene.tunnel()
        dialler = self.scene.dial()
        dialler.ask(behind=b"request")
        left = self.scene.port.leave(30.0)
        self.scene.network.advance(10)
        again = self.scene.port.leave(5.0)
        self.scene.network.advance(4.9)
        self.assertNoResult(left)
        self.scene.network.advance(0.2)
        self.successResultOf(left)
        self.successResultOf(again)
        self.assertEqual(len(dialler.closed), 1)

    def test_abort(self) -> None:
        """
        Everything can be dropped at once, also those who have only connected.
        """
        dialler, raw = self.scene.dial(), self.scene.connect()
        dialler.open(b"\x50")
        self.scene.port.abort()
        self.scene.network.pump()
        self.assertEqual(self.scene.clock.getDelayedCalls(), [])
        self.assertEqual((len(dialler.closed), self.scene.port.links, self.scene.port.streams), (1, 0, 0))
        self.assertIsNotNone(raw.lost)
