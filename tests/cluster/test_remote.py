"""
Tests for :mod:`pico.cluster.remote`: what node "a" knows of endpoints elsewhere.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

import attrs

from pico.cluster.greeting import Identification, NodeDialer
from pico.cluster.link import LinkSettings
from pico.cluster.members import Holder
from pico.cluster.remote import MAX_NODES, SLICE, Remotes, RemoteUpstream
from pico.names import DEFAULT_TENANT, EndpointKey, NodeId
from pico.net.http.client import HTTPClientProtocol
from pico.net.http.gateway import FailureKind
from pico.proxy.headers import fate_of
from pico.testing import StaticMembers
from pico.tunnel.supply import SupplySettings
from pico.wire.http1.headers import Header, HeaderCache
from pico.wire.link_auth import Peer
from pico.wire.link_notices import Notice, NoticeType, encode_notice
from pico.wire.preamble import MAX_FAILED, MAX_REQUEST_ID, Answer, Preamble, Verdict, encode_answer
from tests.cluster.support import PORT, SECRET, ByHand, E, SceneTestCase
from tests.upstream.support import Waiter

F = EndpointKey(DEFAULT_TENANT, "f")

_OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
_LAST = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok"


class Request(Waiter):
    """
    A request that is sent as soon as there is a stream, and gives that back when its response has come.

    :ivar on_failure: called when there is no stream.
    """

    def __init__(self, upstream: RemoteUpstream, request_id: bytes = b"", client: str = "192.0.2.9") -> None:
        super().__init__(peer_host=client, request_id=request_id)
        self.unprocessed = False
        self.upstream = upstream
        self.kind: FailureKind | None = None
        self.on_failure: Callable[[], object] = lambda: None
        self.ended = False
        upstream.acquire(self, False)

    def connected(self, client: HTTPClientProtocol) -> None:
        """
        Send it.
        """
        super().connected(client)
        client.send_request(self, b"GET", b"/", [], length=0)
        client.send_end()
        client.flush()

    def unreachable(self, kind: FailureKind) -> None:
        """
        There is none.
        """
        super().unreachable(kind)
        self.on_failure()

    def response_end(self, trailers: Sequence[Header]) -> None:
        """
        Give the stream back.
        """
        self.ended = True
        self.give_back()

    def response_failed(self, kind: FailureKind, unprocessed: bool) -> None:
        """
        Give the stream back, and say that it failed.
        """
        self.kind = kind
        self.unprocessed = unprocessed
        self.give_back()
        self.upstream.failed()

    def give_back(self) -> None:
        """
        Give the stream back.
        """
        assert self.client is not None
        self.upstream.release(self.client)


class RemotesTestCase(SceneTestCase):
    """
    Node "a" beside the node that takes links.
    """

    def setUp(self) -> None:
        """
        With an agent at "b".
        """
        super().setUp()
        self.members = StaticMembers()
        host = self.scene.network.host("a")
        identification = Identification(Peer(NodeId("a"), 1), (SECRET,))
        self.remotes = Remotes(
            self.members,
            dialer=NodeDialer(identification, reactor=host, clock=host, timeout=3.0),
            clock=host,
            deadlines=self.scene.deadlines,
            turn=self.scene.turn,
            chooser=random.Random(1),
            cache=HeaderCache(fate_of),
            links=LinkSettings(),
            supply=SupplySettings(),
        )
        self.tunnel, self.agent = self.scene.tunnel()

    def tearDown(self) -> None:
        """
        Stop it.
        """
        self.remotes.stop()
        super().tearDown()

    def holder(self, generation: int = 1, host: str = "b", name: str = "b") -> Holder:
        """
        The other node.
        """
        return Holder(Peer(NodeId(name), generation), host, PORT)

    def hold(self, *holders: Holder, key: EndpointKey = E) -> list[RemoteUpstream]:
        """
        Say who has tunnels.

        :return: what is known then.
        """
        self.members.hold(key, *holders)
        return list(self.remotes.of(key))

    def ask(self, upstream: RemoteUpstream, request_id: bytes = b"", client: str = "192.0.2.9") -> Request:
        """
        Send a request.
        """
        request = Request(upstream, request_id, client)
        self.scene.network.pump()
        return request

    def answer(self) -> None:
        """
        Answer the newest stream's request.
        """
        self.agent.offered[-1].stream.write(_OK)
        self.scene.network.pump()

    @property
    def streams(self) -> int:
        """
        How many streams there are over all links.
        """
        return sum(link.streams for link in self.remotes.links)


class RemotesTests(RemotesTestCase):
    """
    Upstreams and links come and go with what is known.
    """

    def test_unknown(self) -> None:
        """
        What nobody holds is nothing, and costs nothing.
        """
        self.assertEqual(list(self.remotes.of(E)), [])
        self.assertEqual((list(self.remotes.links), self.scene.clock.getDelayedCalls() != []), ([], True))

    def test_same(self) -> None:
        """
        As long as nothing has changed the upstreams are the same, and their links as well, whatever changes of the
        node but its life: its load, its tunnels, that it leaves, its address.
        """
        (upstream,) = self.hold(self.holder())
        self.assertIs(self.remotes.of(E)[0], upstream)
        self.ask(upstream)
        self.answer()
        for change in (
            attrs.evolve(self.holder(), load=7),
            attrs.evolve(self.holder(), upstreams=3),
            attrs.evolve(self.holder(), leaving=True),
            self.holder(host="elsewhere"),
            self.holder(),
        ):
            (again,) = self.hold(change)
            self.assertIs(again, upstream)
            self.assertEqual((again.holder, again.link.address), (change, (change.host, PORT)))
            self.assertEqual((again.idle, self.streams, len(list(self.remotes.links))), (1, 1, 1))

    def test_addresses(self) -> None:
        """
        An upstream says where it leads, and who else goes there shares its link.
        """
        (one,) = self.hold(self.holder(host="2001:db8::1"))
        self.assertEqual(one.address, "[2001:db8::1]:8003")
        (other,) = self.hold(self.holder(), key=F)
        self.assertEqual(other.address, "b:8003")
        self.assertIs(one.link, other.link)

    def test_load(self) -> None:
        """
        The load is what the node told or what goes there from here, whichever is more, by tunnel.
        """
        (upstream,) = self.hold(attrs.evolve(self.holder(), load=2))
        self.assertEqual(upstream.load, 2.0)
        for _ in range(3):
            Request(upstream)
        self.assertEqual(upstream.load, 3.0)
        self.hold(attrs.evolve(self.holder(), load=8, upstreams=4))
        self.assertEqual((upstream.load, upstream.in_flight, upstream.requests), (2.0, 3, 3))

    def test_gone(self) -> None:
        """
        When a node has no tunnels any more what waits there is sent elsewhere, what is under way ends by itself, and
        nothing is kept.
        """
        (upstream,) = self.hold(self.holder())
        request = self.ask(upstream)
        self.hold()
        self.assertFalse(upstream.available)
        self.answer()
        self.assertEqual((request.ended, upstream.idle), (True, 0))
        self.agent.offered[-1].stream.loseConnection()
        self.scene.network.pump()
        self.assertEqual(self.streams, 0)
        self.assertIs(self.ask(upstream).failure, FailureKind.NODE_UNREACHABLE)
        (again,) = self.hold(self.holder())
        self.assertIsNot(again, upstream)
        self.ask(again)
        self.answer()
        self.assertEqual(again.idle, 1)

    def test_asked_within_a_change(self) -> None:
        """
        A request that waits for a node which has no tunnels any more asks again in the middle of the change. Each node
        that is left is known once.
        """
        (upstream,) = self.hold(self.holder())
        request = Request(upstream)
        found: list[RemoteUpstream] = []
        request.on_failure = lambda: found.extend(self.remotes.of(E))
        (now,) = self.hold(self.holder(name="c", host="c"))
        self.assertIs(request.failure, FailureKind.UNREACHABLE)
        self.assertEqual(found, [now])
        self.assertEqual(list(now.link.users), [now])
        request = Request(now)
        request.on_failure = lambda: found.extend(self.remotes.of(E))
        self.assertEqual(self.hold(), [])
        self.assertEqual(found, [now])

    def test_new_life(self) -> None:
        """
        Who learns of a later life of a node drops all that leads to the former one, at the end of the turn.
        """
        (one,), (other,) = self.hold(self.holder()), self.hold(self.holder(), key=F)
        waiting, _ = self.ask(one), self.ask(other)
        (new,) = self.hold(self.holder(2))
        self.assertIsNot(new.link, one.link)
        self.scene.network.pump()
        self.assertIs(waiting.kind, FailureKind.LOST)
        self.assertEqual((self.scene.port.links, list(self.remotes.links)), (0, [new.link]))

    def test_forgotten(self) -> None:
        """
        A node that is forgotten loses its links with whatever is on them. It is dialled anew when it is named again,
        be it by the same object.
        """
        (upstream,) = self.hold(self.holder())
        request = self.ask(upstream)
        self.remotes.forget(NodeId("c"))
        self.remotes.forget(NodeId("b"), before=1)
        self.scene.network.pump()
        self.assertIsNone(request.kind)
        self.remotes.forget(NodeId("b"))
        self.scene.network.pump()
        self.assertIs(request.kind, FailureKind.LOST)
        self.assertEqual((self.scene.port.links, list(self.remotes.links)), (0, []))
        (again,) = self.remotes.of(E)
        self.assertFalse(upstream.available)
        request = self.ask(again)
        self.answer()
        self.assertTrue(request.ended)

    def test_probed(self) -> None:
        """
        When a life of a node is doubted, what is under way there fails after the time for an answer, and may be tried
        elsewhere. Doubt of another life, or of a stranger, changes nothing.
        """
        (upstream,) = self.hold(self.holder())
        request = self.ask(upstream)
        self.scene.network.cut(self.scene.host, self.scene.network.host("a"))
        self.remotes.probe(NodeId("b"), 2)
        self.remotes.probe(NodeId("c"), 1)
        self.scene.network.advance(6)
        self.assertIsNone(request.kind)
        self.remotes.probe(NodeId("b"), 1)
        self.scene.network.advance(5.1)
        self.assertIs(request.kind, FailureKind.LOST)

    def test_swept(self) -> None:
        """
        What is not used for minutes is forgotten, link and all; what is used is not.
        """
        (upstream,) = self.hold(self.holder())
        self.ask(upstream)
        self.scene.network.advance(400)
        self.assertEqual((list(self.remotes.links), self.remotes.of(E)[0]), ([upstream.link], upstream))
        self.answer()
        self.scene.network.advance(60 + 600 + 120)
        self.assertEqual(list(self.remotes.links), [])
        self.assertIsNot(self.remotes.of(E)[0], upstream)

    def test_counted(self) -> None:
        """
        Requests are counted by node, also when everything else about it is forgotten; of too many nodes together.
        """
        (upstream,) = self.hold(self.holder())
        self.ask(upstream)
        self.answer()
        self.scene.network.advance(60 + 600 + 120)
        self.assertEqual(list(self.remotes.links), [])
        self.ask(self.remotes.of(E)[0])
        self.answer()
        self.assertEqual({node: number.value for node, number in self.remotes.requests.items()}, {"b": 2.0})
        for number in range(MAX_NODES + 5):
            self.hold(Holder(Peer(NodeId(f"n{number}"), 1), "nowhere", 1))
        self.assertEqual((len(self.remotes.requests), "other" in self.remotes.requests), (MAX_NODES + 1, True))

    def test_swept_in_slices(self) -> None:
        """
        However many endpoints there are, all are looked at.
        """
        keys = [EndpointKey(DEFAULT_TENANT, f"e{number}") for number in range(2 * SLICE + 1)]
        upstreams = [self.hold(self.holder(), key=key)[0] for key in keys]
        self.scene.network.advance(60)
        self.assertTrue(any(upstream.available for upstream in upstreams))
        self.scene.network.advance(0.4)
        self.assertFalse(any(upstream.available for upstream in upstreams))
        self.assertEqual(list(self.remotes.links), [])

    def test_stopped(self) -> None:
        """
        Whoever waits when everything stops finds nothing else; nothing is left that waits for its time.
        """
        (upstream,) = self.hold(self.holder())
        request = self.ask(upstream)
        (elsewhere,) = self.hold(self.holder(name="c", host="c"), key=F)
        self.scene.network.cut(self.scene.network.host("a"), self.scene.network.host("c"))
        waiting = self.ask(elsewhere)
        found: list[RemoteUpstream] = []
        waiting.on_failure = lambda: found.extend([*self.remotes.of(F), *self.remotes.of(E)])
        self.remotes.stop()
        self.scene.network.pump()
        self.assertEqual((waiting.failure, found), (FailureKind.UNREACHABLE, []))
        self.assertIs(request.kind, FailureKind.LOST)
        self.assertEqual((list(self.remotes.of(E)), list(self.remotes.links)), ([], []))


class RemoteUpstreamTests(RemotesTestCase):
    """
    One endpoint at one node, which the test speaks for.
    """

    def setUp(self) -> None:
        """
        Know it.
        """
        super().setUp()
        self.node = ByHand(self.scene, "c")
        (self.upstream,) = self.hold(self.holder(name="c", host="c"))

    def tunnels(self, number: int) -> None:
        """
        Say how many tunnels the node has.
        """
        self.hold(attrs.evolve(self.holder(name="c", host="c"), upstreams=number))

    def accept(self, tunnel: int = 1, response: bytes = b"") -> None:
        """
        Take the newest stream, and answer its request.
        """
        self.node.say(encode_answer(Answer(Verdict.ACCEPTED, tunnel)) + response)

    def fail_at(self, tunnel: int) -> None:
        """
        Let a request find that a tunnel's service is down.
        """
        request = self.ask(self.upstream)
        self.accept(tunnel)
        assert request.client is not None
        request.client.abort()
        request.give_back()
        self.upstream.failed()

    @property
    def avoided(self) -> bool:
        """
        Whether others are preferred now.
        """
        return self.upstream.avoid_until > self.scene.clock.seconds()

    @property
    def named(self) -> tuple[int, ...]:
        """
        Which tunnels the next stream names as failed.
        """
        self.ask(self.upstream)
        assert isinstance(self.node.preamble, Preamble)
        return self.node.preamble.failed

    def test_kept(self) -> None:
        """
        A stream is kept for the next request if both sides allow that.
        """
        request = self.ask(self.upstream)
        self.accept(1, _OK)
        self.assertEqual((request.ended, self.upstream.idle), (True, 1))
        request = self.ask(self.upstream)
        self.node.say(_LAST)
        self.assertEqual((request.ended, self.upstream.idle, len(self.node.offered)), (True, 0, 1))

    def test_answer_in_pieces(self) -> None:
        """
        Answer and response may come in any pieces.
        """
        request = self.ask(self.upstream)
        for byte in encode_answer(Answer(Verdict.ACCEPTED, 1)) + _OK:
            self.node.say(bytes([byte]))
        self.assertTrue(request.ended)

    def test_preamble(self) -> None:
        """
        A stream begins with what it is for, for whom, and under which id; what does not fit is cut or left out.
        """
        for request_id, client, preamble in [
            (b"id", "192.0.2.9", Preamble(E, client="192.0.2.9", request_id=b"id")),
            (b"x" * 500, "y" * 65, Preamble(E, request_id=b"x" * MAX_REQUEST_ID)),
            (b"", "größe", Preamble(E)),
        ]:
            self.ask(self.upstream, request_id, client)
            self.assertEqual(self.node.preamble, preamble)

    def test_refused(self) -> None:
        """
        Each verdict means something for the request, which was never looked at; others are preferred for a second.
        """
        for verdict, kind in [
            (Verdict.NO_ENDPOINT, FailureKind.NO_BACKEND),
            (Verdict.UNAUTHORISED, FailureKind.NO_BACKEND),
            (Verdict.OVERLOADED, FailureKind.OVERLOADED),
            (Verdict.DRAINING, FailureKind.NODE_UNREACHABLE),
            (Verdict.BAD_PREAMBLE, FailureKind.NODE_UNREACHABLE),
            (Verdict.FAILED, FailureKind.UNREACHABLE),
        ]:
            request = self.ask(self.upstream)
            self.assertFalse(self.avoided)
            self.node.say(encode_answer(Answer(verdict)))
            self.assertEqual((request.kind, request.unprocessed), (kind, True), verdict)
            self.assertEqual((self.remotes.answers[verdict], self.avoided), (1, True))
            self.scene.network.advance(1)
        self.assertEqual(self.named, ())

    def test_ended_without_an_answer(self) -> None:
        """
        A node that ends or resets a stream without an answer may have done anything.
        """
        request = self.ask(self.upstream)
        self.node.offered[-1].stream.loseConnection()
        self.scene.network.pump()
        self.assertEqual((request.kind, request.unprocessed), (FailureKind.LOST, False))
        request = self.ask(self.upstream)
        self.node.offered[-1].stream.abortConnection()
        self.scene.network.pump()
        self.assertEqual((request.kind, request.unprocessed), (FailureKind.LOST, False))

    def test_resting(self) -> None:
        """
        While the node is left alone others are preferred, however long that takes.
        """
        self.scene.network.host("c").ports.clear()
        request = self.ask(self.upstream)
        self.assertIs(request.failure, FailureKind.NODE_UNREACHABLE)
        self.assertGreater(self.upstream.avoid_until, 1e9)
        self.scene.network.advance(2)
        self.assertFalse(self.avoided)

    def test_failed_tunnel(self) -> None:
        """
        A tunnel that could not serve a request is named to the node for a second. The node itself is avoided only when
        all its tunnels have failed.
        """
        self.tunnels(3)
        self.fail_at(7)
        self.assertEqual((self.avoided, self.named), (False, (7,)))
        self.scene.network.advance(0.5)
        self.fail_at(8)
        self.assertEqual((self.avoided, self.named), (False, (7, 8)))
        self.scene.network.advance(0.5)
        self.assertEqual(self.named, (8,))
        self.fail_at(9)
        self.assertFalse(self.avoided)
        self.fail_at(7)
        self.assertTrue(self.avoided)

    def test_many_failed_tunnels(self) -> None:
        """
        No more are named than a preamble holds.
        """
        self.tunnels(MAX_FAILED + 3)
        for number in range(MAX_FAILED + 2):
            self.fail_at(number + 1)
        self.assertEqual((self.avoided, self.named), (False, tuple(range(1, MAX_FAILED + 1))))

    def test_only_the_guilty(self) -> None:
        """
        A request that got no stream blames no tunnel, whatever stream was given back before.
        """
        self.tunnels(3)
        self.ask(self.upstream)
        self.accept(7, _LAST)
        self.scene.network.advance(6)
        self.node.session.abort()
        self.scene.network.pump()
        self.node = ByHand(self.scene, "c")
        # So many may wait; one more is sent away at once.
        waiting = [Request(self.upstream) for _ in range(SupplySettings().max_waiting)]
        request = Request(self.upstream)
        self.assertIs(request.failure, FailureKind.OVERLOADED)
        self.upstream.failed()
        self.assertTrue(self.avoided)
        for each in waiting:
            self.upstream.cancel(each)
        self.scene.network.pump()
        self.assertEqual(self.named, ())

    def test_given_back_late(self) -> None:
        """
        A stream of a session that was replaced meanwhile is not kept.
        """
        request = self.ask(self.upstream)
        self.node.session.go_away()
        self.accept(1, _OK)
        self.assertEqual((request.ended, self.upstream.idle), (True, 0))
        self.assertEqual(self.node.offered[0].log[-1], "read lost")

    def test_notices(self) -> None:
        """
        Over a stream whose tunnel leaves no further request goes; one that its tunnel did not take was never looked
        at. What speaks of other streams means nothing.
        """
        self.ask(self.upstream)
        self.accept(1, _LAST)
        notices = self.node.open()
        for stage in ("idle", "busy", "opening"):
            request = self.ask(self.upstream)
            stream = self.node.offered[-1].stream
            if stage == "idle":
                self.accept(1, _OK)
            elif stage == "busy":
                self.accept(1)
            for number in (99, stream.id):
                notices.stream.write(encode_notice(Notice(NoticeType.RETIRE, number)))
            self.scene.network.pump()
            if stage != "idle":
                self.accept(1, _OK) if stage == "opening" else self.node.say(_OK)
            self.assertEqual((request.ended, self.upstream.idle), (True, 0), stage)
        request = self.ask(self.upstream)
        self.accept(1)
        notices.stream.write(encode_notice(Notice(NoticeType.UNPROCESSED, self.node.offered[-1].stream.id)))
        self.scene.network.pump()
        self.assertEqual((request.kind, request.unprocessed), (FailureKind.LOST, True))
        self.assertEqual(self.node.offered[-1].log[-1], "lost")
