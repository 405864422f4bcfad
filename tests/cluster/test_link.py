"""
Tests for :mod:`pico.cluster.link`: the link of node "a" to node "b".
"""

from __future__ import annotations

import random

from pico.cluster.accept import AcceptSettings
from pico.cluster.greeting import Identification, NodeDialer
from pico.cluster.link import RETIRE, Link, LinkSettings
from pico.errors import TunnelBusy, TunnelError
from pico.names import NodeId
from pico.net.deadlines import Deadlines
from pico.net.ports import listen_tcp
from pico.tunnel.session import TunnelSettings
from pico.tunnel.stream import TunnelStream
from pico.wire.link_auth import Peer
from pico.wire.preamble import Preamble, encode_preamble
from pico.wire.yamux.limits import Limits
from tests.cluster.support import PORT, SECRET, ByHand, E, SceneTestCase
from tests.tunnel.support import HalfCloser


class User:
    """
    Who opens streams. It opens one as soon as it can, if it wants one.

    :ivar heard: what it was told, in order.
    :ivar parts: who uses the link no more from the moment on when this one is told something.
    """

    def __init__(self, link: Link) -> None:
        self.heard: list[str] = []
        self.idle: list[TunnelStream] = []
        self.link = link
        self.parts: dict[str, User] = {}
        self.protocols: list[HalfCloser] = []
        self.streams: list[TunnelStream] = []

    def want(self) -> None:
        """
        Open a stream, or wait for one.
        """
        try:
            stream = self.link.open_stream(self)
        except TunnelBusy:
            self.heard.append("busy")
        except TunnelError:
            self.heard.append("error")
        else:
            self.protocols.append(HalfCloser())
            stream.attach(self.protocols[-1])
            stream.write(encode_preamble(Preamble(E)))
            self.streams.append(stream)

    def room(self) -> None:
        """
        Go on.
        """
        self._hear("room")
        self.want()

    def link_failed(self) -> None:
        """
        Look elsewhere.
        """
        self._hear("failed")

    def link_replaced(self) -> None:
        """
        Keep nothing.
        """
        self._hear("replaced")

    def drop_oldest(self) -> bool:
        """
        Close an idle stream.
        """
        if not self.idle:
            return False
        self.heard.append("drop")
        self.idle.pop(0).abortConnection()
        return True

    def _hear(self, what: str) -> None:
        self.heard.append(what)
        if what in self.parts:
            self.link.part(self.parts[what])


class LinkTests(SceneTestCase):
    """
    The states of a link.
    """

    link: Link

    def make(self, settings: LinkSettings | None = None, *, peer: str = "b", generation: int = 1) -> Link:
        """
        Make the link.
        """
        host = self.scene.network.host("a")
        identification = Identification(Peer(NodeId("a"), 1), (SECRET,))
        self.link = Link(
            Peer(NodeId(peer), generation),
            peer,
            PORT,
            dialer=NodeDialer(identification, reactor=host, clock=host, timeout=3.0),
            clock=host,
            deadlines=Deadlines(host),
            turn=self.scene.turn,
            chooser=random.Random(1),
            settings=settings or LinkSettings(),
        )
        return self.link

    def setUp(self) -> None:
        """
        With an agent at the other node.
        """
        super().setUp()
        _, self.agent = self.scene.tunnel()

    def tearDown(self) -> None:
        """
        Stop the link.
        """
        self.link.stop()
        super().tearDown()

    def user(self) -> User:
        """
        Somebody who uses it.
        """
        user = User(self.link)
        self.link.join(user)
        return user

    def close_port(self) -> None:
        """
        Let nobody listen at the other node.
        """
        self.scene.host.ports.pop(PORT)

    def open_port(self) -> None:
        """
        Undo that.
        """
        listen_tcp(self.scene.host, "", PORT, self.scene.port, setting="")

    def break_link(self) -> None:
        """
        Let its connection break.
        """
        for pipe in self.scene.network.pipes:
            if pipe.right.getHost().port == PORT:
                pipe.right.abortConnection()
        self.scene.network.pump()

    def test_shared(self) -> None:
        """
        Who wants a stream first has the link made; all that want one meanwhile wait for the same.
        """
        self.make()
        one, other = self.user(), self.user()
        self.assertEqual((self.link.session, self.link.streams), (None, 0))
        for user in (one, other, one):
            user.want()
        self.assertEqual((one.streams, other.streams), ([], []))
        self.scene.network.pump()
        self.assertEqual((len(one.streams), len(other.streams), self.link.streams), (1, 1, 2))
        self.assertEqual((self.scene.port.links, len(self.agent.offered)), (1, 2))
        one.want()
        self.assertEqual(len(one.streams), 2)

    def test_parted_meanwhile(self) -> None:
        """
        Who gives up because of what another one is told hears no more, neither of room nor of failure nor of a
        replacement.
        """
        for fate in ("room", "failed", "replaced"):
            self.make()
            one, other, last = (self.user() for _ in range(3))
            one.parts[fate] = other
            if fate == "failed":
                self.close_port()
            for user in (one, other, last):
                user.want()
            self.scene.network.pump()
            if fate == "replaced":
                self.break_link()
            self.assertEqual((fate, one.heard[-1], last.heard[-1]), (fate, fate, fate))
            self.assertNotIn(fate, other.heard)
            self.link.stop()
            if fate == "failed":
                self.open_port()

    def test_told_once(self) -> None:
        """
        Who wants another stream while those who wait are told, and must wait for that, is not told again at once.
        """
        self.make(LinkSettings(tunnel=TunnelSettings(limits=Limits(max_unacked=1))))
        users = [self.user() for _ in range(3)]
        for user in users:
            user.want()
        self.scene.network.advance(1)
        for user in users:
            self.assertEqual((len(user.streams), user.heard[-1]), (1, "room"))

    def test_failed(self) -> None:
        """
        If it cannot be made those who wait are told, and the node is left alone for a while that grows to two seconds.
        """
        self.make()
        user = self.user()
        self.close_port()
        rests = []
        for _ in range(12):
            user.want()
            self.scene.network.pump()
            self.assertTrue(self.link.resting)
            self.assertEqual(user.heard, ["busy", "failed"])
            user.heard.clear()
            user.want()
            self.assertEqual(user.heard, ["error"])
            user.heard.clear()
            began = self.scene.clock.seconds()
            while self.link.resting:
                self.scene.network.advance(0.05)
            rests.append(self.scene.clock.seconds() - began)
        self.assertLess(rests[0], 0.3)
        self.assertTrue(all(rest <= 2.05 for rest in rests), rests)
        self.assertGreater(max(rests), 1.0)
        self.open_port()
        user.want()
        self.scene.network.pump()
        self.assertEqual(len(user.streams), 1)

    def test_silent(self) -> None:
        """
        Nobody waits longer for it than the dial may take.
        """
        self.make()
        user = self.user()
        self.scene.network.cut(self.scene.host, self.scene.network.host("a"))
        user.want()
        self.scene.network.advance(3.1)
        self.assertEqual(user.heard, ["busy", "failed"])

    def test_lost(self) -> None:
        """
        One that is lost is dialled anew when it is wanted; at once if it had stood for a while.
        """
        self.make()
        user = self.user()
        for stood, heard in [(1.0, ["error"]), (6.0, ["busy", "room"])]:
            user.want()
            self.scene.network.advance(stood)
            self.assertIsNotNone(self.link.session)
            self.break_link()
            self.assertIsNone(self.link.session)
            user.heard.clear()
            user.want()
            self.scene.network.pump()
            self.assertEqual(user.heard, heard)
            self.scene.network.advance(3)

    def test_probed(self) -> None:
        """
        When the other node is doubted, all sessions with it are lost after the time for an answer, those that are
        replaced as well; if it answers, none is.
        """
        self.make()
        user = self.user()
        self.link.probe()
        user.want()
        self.scene.network.pump()
        self.scene.port.leave(30.0)
        self.scene.network.pump()
        self.assertEqual((self.link.session, self.link.streams), (None, 1))
        self.link.probe()
        self.scene.network.advance(6)
        self.assertEqual(self.link.streams, 1)
        self.scene.network.cut(self.scene.host, self.scene.network.host("a"))
        self.link.probe()
        self.scene.network.advance(4.9)
        self.assertEqual(self.link.streams, 1)
        self.scene.network.advance(0.2)
        self.assertEqual(self.link.streams, 0)
        self.assertEqual(user.protocols[0].log[-1], "lost")

    def test_waiting_when_it_is_lost(self) -> None:
        """
        Who waits for the other node to accept streams goes on over the next link.
        """
        self.make(LinkSettings(tunnel=TunnelSettings(limits=Limits(max_unacked=1))))
        user = self.user()
        user.want()
        self.scene.network.advance(6)
        user.want()
        user.heard.clear()
        user.want()
        self.assertEqual((user.heard, len(user.streams)), (["busy"], 2))
        self.break_link()
        self.assertEqual(user.heard, ["busy", "replaced", "room", "busy", "room"])
        self.assertEqual(len(user.streams), 3)
        self.assertTrue(user.streams[2].connected)

    def test_go_away(self) -> None:
        """
        When the other node leaves nothing new goes over the session; what is open goes on to its end, and the node is
        left alone for a while.
        """
        self.make()
        user = self.user()
        user.want()
        self.scene.network.pump()
        left = self.scene.port.leave(30.0)
        self.scene.network.pump()
        self.assertEqual((user.heard, self.link.session, self.link.resting), (["busy", "room", "replaced"], None, True))
        self.agent.offered[0].stream.write(b"still")
        self.scene.network.advance(1)
        self.assertTrue(user.protocols[0].received.endswith(b"still"))
        self.assertEqual(self.link.streams, 1)
        user.streams[0].abortConnection()
        self.scene.network.advance(1.5)
        self.successResultOf(left)
        self.assertEqual(self.link.streams, 0)

    def test_ids_used_up(self) -> None:
        """
        Before stream ids run out another session takes over; the old one is closed when its last stream has ended.
        """
        limits = Limits(last_stream_id=2 * RETIRE + 3)
        self.make(LinkSettings(tunnel=TunnelSettings(limits=limits), idle_timeout=10.0))
        user = self.user()
        for _ in range(3):
            user.want()
            self.scene.network.pump()
        self.assertEqual(len(user.streams), 3)
        self.assertEqual(self.scene.port.links, 2)
        self.assertIsNot(user.streams[0].session, user.streams[2].session)
        for stream in user.streams[:2]:
            self.assertTrue(stream.connected)
            stream.abortConnection()
        self.scene.network.advance(10.2)
        self.assertEqual(self.scene.port.links, 1)
        self.assertTrue(user.streams[2].connected)

    def test_unused(self) -> None:
        """
        It is closed when it has had no stream for its time, after twice that at the latest.
        """
        self.make(LinkSettings(idle_timeout=10.0))
        user = self.user()
        user.want()
        self.scene.network.advance(35)
        self.assertEqual(self.scene.port.links, 1)
        user.streams[0].abortConnection()
        self.scene.network.advance(20.2)
        self.assertEqual((self.scene.port.links, self.link.session), (0, None))
        self.assertFalse(self.link.unused)
        self.link.part(user)
        self.assertTrue(self.link.unused)

    def test_full(self) -> None:
        """
        To open one stream more than there may be an idle one is closed, of each user in turn; else there is none.
        """
        self.make(LinkSettings(max_streams=4))
        users = [self.user(), self.user(), self.user()]
        users[0].want()
        self.scene.network.pump()
        for user in (users[0], users[1], users[1]):
            user.want()
        for user in users[:2]:
            user.idle = list(user.streams)
            user.heard.clear()
        for _ in range(4):
            users[2].want()
            self.scene.network.pump()
            self.assertEqual(self.link.streams, 4)
        self.assertEqual([user.heard for user in users[:2]], [["drop"] * 2] * 2)
        users[2].want()
        self.assertEqual((users[2].heard, len(users[2].streams)), (["error"], 4))

    def test_second_stream_of_the_other_node(self) -> None:
        """
        The other node may open one stream, for notices, and no other; another one when that has ended.
        """
        other = ByHand(self.scene, "c")
        self.make(peer="c")
        user = self.user()
        user.want()
        self.scene.network.pump()
        first, second = other.open(), other.open()
        self.assertEqual((first.lost, second.log[-1]), (None, "lost"))
        first.stream.loseConnection()
        self.scene.network.pump()
        self.assertIsNone(other.open().lost)

    def test_stopped(self) -> None:
        """
        It can be stopped in every state; those who wait are told, and nothing is left that waits for its time.
        """
        for state in ("down", "dialling", "up", "resting", "stopped"):
            self.make()
            user = self.user()
            if state == "resting":
                self.close_port()
            if state != "down":
                user.want()
            if state not in ("down", "dialling"):
                self.scene.network.pump()
            if state == "stopped":
                self.link.stop()
            self.link.stop()
            self.scene.network.pump()
            self.assertEqual("failed" in user.heard, state in ("dialling", "resting"), state)
            self.assertTrue(all(protocol.lost is not None for protocol in user.protocols), state)
            self.assertEqual((self.link.streams, self.scene.port.links), (0, 0), state)
            user.heard.clear()
            user.want()
            self.assertEqual(user.heard, ["error"], state)
            if state == "resting":
                self.open_port()

    def test_refused_by_the_other_node(self) -> None:
        """
        A node that refuses the link counts as one that cannot be reached.
        """
        self.scene.end()
        self.scene = type(self.scene)(AcceptSettings(max_links=0))
        self.make()
        user = self.user()
        user.want()
        self.scene.network.pump()
        self.assertEqual((user.heard, self.link.resting), (["busy", "failed"], True))

    def test_another_life(self) -> None:
        """
        Nor does it lead to another life of the node.
        """
        self.make(generation=2)
        user = self.user()
        user.want()
        self.scene.network.pump()
        self.assertEqual((user.heard, self.scene.port.links), (["busy", "failed"], 0))

    def test_moved(self) -> None:
        """
        A change of the address closes nothing; the next dial goes there.
        """
        self.make()
        user = self.user()
        user.want()
        self.scene.network.advance(6)
        self.link.address = ("c", PORT)
        user.want()
        self.assertEqual(len(user.streams), 2)
        session = self.link.session
        assert session is not None
        session.abort()
        self.scene.network.pump()
        listen_tcp(self.scene.network.host("c"), "", PORT, self.scene.port, setting="")
        self.close_port()
        user.want()
        self.scene.network.pump()
        self.assertEqual(len(user.streams), 3)
