"""
Tests for :mod:`pico.cluster.relay`: streams that a node takes over a link.
"""

from __future__ import annotations

from pico.tunnel.session import TunnelSettings
from pico.wire.link_notices import Notice, NoticeReader, NoticeType
from pico.wire.preamble import Answer, Kind, Preamble, Verdict, encode_preamble
from pico.wire.yamux.limits import Limits
from tests.cluster.support import Dialler, E, Scene, SceneTestCase


class RelayTests(SceneTestCase):
    """
    Streams, from their preamble on.
    """

    def notices(self, dialler: Dialler) -> list[Notice]:
        """
        What the node has told beside the streams.
        """
        return NoticeReader().receive_data(b"".join(each.received for each in dialler.offered))

    def freeze_tunnels(self, frozen: bool) -> None:
        """
        Let nothing pass between the node and its agents, or let it pass again.
        """
        for pipe in self.scene.network.pipes:
            if pipe.left.getHost().host == self.scene.host.address:
                pipe.frozen = frozen

    def test_joined(self) -> None:
        """
        A stream is joined to one of a tunnel: what stands behind preamble and answer passes as it is, and so do both
        ends.
        """
        _, agent = self.scene.tunnel()
        stream = self.scene.dial().ask(behind=b"one")
        self.assertEqual(stream.answer, Answer(Verdict.ACCEPTED, 1))
        (served,) = agent.offered
        self.assertEqual(served.received, b"one")
        served.stream.write(b"two")
        self.scene.network.pump()
        self.assertEqual(stream.behind, b"two")
        stream.protocol.stream.loseWriteConnection()
        self.scene.network.pump()
        self.assertEqual(served.log[-1], "read lost")
        served.stream.write(b"three")
        served.stream.loseConnection()
        self.scene.network.pump()
        self.assertEqual(stream.behind, b"twothree")
        self.assertEqual((self.scene.port.streams, self.scene.port.passed), (0, (3, 8)))

    def test_in_pieces(self) -> None:
        """
        The preamble may come in any pieces.
        """
        _, agent = self.scene.tunnel()
        stream = self.scene.dial().open(b"")
        for byte in encode_preamble(Preamble(E)) + b"rest":
            stream.protocol.stream.write(bytes([byte]))
            self.scene.network.pump()
        self.assertEqual((stream.answer, agent.offered[0].received), (Answer(Verdict.ACCEPTED, 1), b"rest"))

    def test_end_behind_the_preamble(self) -> None:
        """
        An end that comes with the preamble is passed on when there is somewhere to put it.
        """
        _, agent = self.scene.tunnel()
        dialler = self.scene.dial()
        protocol = dialler.ask(behind=b"all").protocol
        protocol.stream.loseWriteConnection()
        self.scene.network.pump()
        self.assertEqual((agent.offered[0].received, agent.offered[0].log[-1]), (b"all", "read lost"))

    def test_refused(self) -> None:
        """
        Each reason for not taking a stream has its verdict, and the stream ends behind it.
        """
        full = TunnelSettings(limits=Limits(max_streams=0))
        for case, first, verdict in [
            ("nobody", encode_preamble(Preamble(E)), Verdict.NO_ENDPOINT),
            ("nonsense", b"GET / HTTP/1.1\r\n\r\n", Verdict.BAD_PREAMBLE),
            ("full", encode_preamble(Preamble(E)), Verdict.OVERLOADED),
        ]:
            scene = Scene()
            if case == "full":
                scene.tunnel(settings=full)
            dialler = scene.dial()
            stream = dialler.open(first + b"behind")
            self.assertEqual(stream.answer, Answer(verdict), case)
            self.assertEqual(stream.protocol.log[-1], "read lost", case)
            stream.protocol.stream.loseConnection()
            scene.network.pump()
            self.assertEqual((scene.port.streams, scene.port.count.answers[verdict]), (0, 1), case)
            self.assertEqual(dialler.closed, [])
            scene.end()

    def test_tried_in_turn(self) -> None:
        """
        Of several tunnels those that cannot open a stream are passed over.
        """
        full = TunnelSettings(limits=Limits(max_streams=0))
        for _ in range(2):
            self.scene.tunnel(settings=full)
        _, agent = self.scene.tunnel()
        stream = self.scene.dial().ask(behind=b"x")
        self.assertEqual((stream.answer, agent.offered[0].received), (Answer(Verdict.ACCEPTED, 3), b"x"))

    def test_blamed(self) -> None:
        """
        A tunnel that a preamble names as failed is avoided for a moment.
        """
        for _ in range(2):
            self.scene.tunnel()
        dialler = self.scene.dial()
        chosen = [dialler.ask(Preamble(E, failed=(1,))).answer for _ in range(3)]
        self.assertEqual(chosen, [Answer(Verdict.ACCEPTED, 2)] * 3)
        self.scene.network.advance(1)
        self.assertEqual(dialler.ask().answer, Answer(Verdict.ACCEPTED, 1))

    def test_waits_for_a_tunnel(self) -> None:
        """
        While the agent must accept other streams first a stream waits, and what it brings is held; if its link goes it
        waits no more.
        """
        tunnel, agent = self.scene.tunnel(settings=TunnelSettings(limits=Limits(max_unacked=1)))
        dialler = self.scene.dial()
        self.freeze_tunnels(True)
        streams = [dialler.ask(behind=b"%d" % number) for number in range(3)]
        self.assertEqual([stream.answer for stream in streams], [Answer(Verdict.ACCEPTED, 1), None, None])
        self.assertEqual(tunnel.in_flight, 3)
        streams[2].protocol.stream.write(b" and more")
        streams[1].protocol.stream.abortConnection()
        self.scene.network.pump()
        self.assertEqual(tunnel.in_flight, 2)
        self.freeze_tunnels(False)
        self.scene.network.pump()
        self.assertEqual(streams[2].answer, Answer(Verdict.ACCEPTED, 1))
        self.assertEqual([served.received for served in agent.offered], [b"0", b"2 and more"])

    def test_tunnel_gone_meanwhile(self) -> None:
        """
        A stream that waited for a tunnel which goes is not taken.
        """
        tunnel, _ = self.scene.tunnel(settings=TunnelSettings(limits=Limits(max_unacked=1)))
        dialler = self.scene.dial()
        self.freeze_tunnels(True)
        dialler.ask()
        waiting = dialler.ask()
        assert tunnel.session is not None
        tunnel.session.abort()
        self.scene.network.pump()
        self.assertEqual(waiting.answer, Answer(Verdict.FAILED))
        self.freeze_tunnels(False)

    def test_no_preamble(self) -> None:
        """
        A stream whose preamble does not come is told so after ten seconds.
        """
        stream = self.scene.dial().open(b"\x50")
        self.scene.network.advance(9.8)
        self.assertIsNone(stream.answer)
        self.scene.network.advance(1.4)
        self.assertEqual(stream.answer, Answer(Verdict.BAD_PREAMBLE))

    def test_ended_without_a_preamble(self) -> None:
        """
        A stream that ends without having said what for is reset.
        """
        stream = self.scene.dial().open(b"\x50")
        stream.protocol.stream.loseWriteConnection()
        self.scene.network.pump()
        self.assertEqual((stream.answer, stream.protocol.log[-1]), (None, "lost"))
        self.assertEqual(self.scene.port.streams, 0)

    def test_not_taken_by_the_agent(self) -> None:
        """
        When the agent refuses the stream the other node is told that nothing was looked at; it is the one that resets
        the stream, so that the notice comes first. If it does not the stream is given up.
        """
        for resets in (True, False):
            _, _ = self.scene.tunnel(refuses=True)
            dialler = self.scene.dial()
            stream = dialler.ask(behind=b"request")
            self.assertEqual(self.notices(dialler), [Notice(NoticeType.UNPROCESSED, stream.protocol.stream.id)])
            self.assertEqual(stream.protocol.log, ["made", "data"])
            if resets:
                stream.protocol.stream.abortConnection()
                self.scene.network.pump()
            else:
                self.scene.network.advance(11.2)
                self.assertEqual(stream.protocol.log[-1], "lost")
            self.assertEqual([upstream.in_flight for upstream in self.scene.upstreams], [0])
            self.assertEqual(self.scene.port.streams, 0)
            self.scene.end()
            self.scene = Scene()

    def test_no_notices(self) -> None:
        """
        Where the other node takes no notices the stream is reset, and what it was for counts as lost.
        """
        self.scene.tunnel(refuses=True)
        dialler = self.scene.dial()
        dialler.session.go_away()
        self.scene.network.pump()
        stream = dialler.ask(behind=b"request")
        self.assertEqual((stream.protocol.log[-1], dialler.offered), ("lost", []))
        self.assertEqual((self.scene.port.streams, self.scene.upstreams[0].in_flight), (0, 0))

    def test_refused_behind_bytes(self) -> None:
        """
        A stream of a tunnel that breaks after something came of it breaks the other one, without a notice.
        """
        _, agent = self.scene.tunnel()
        dialler = self.scene.dial()
        stream = dialler.ask(behind=b"request")
        agent.offered[0].stream.write(b"response")
        self.scene.network.pump()
        agent.offered[0].stream.abortConnection()
        self.scene.network.pump()
        self.assertEqual((stream.behind, stream.protocol.log[-1]), (b"response", "lost"))
        self.assertEqual(dialler.offered, [])

    def test_tunnel_leaves(self) -> None:
        """
        When a tunnel leaves the other node is told to send no further request over its streams of HTTP; streams of
        another kind are left alone.
        """
        _, agent = self.scene.tunnel()
        dialler = self.scene.dial()
        stream, _ = dialler.ask(), dialler.ask(Preamble(E, Kind.TCP))
        agent.session.go_away()
        self.scene.network.pump()
        self.assertEqual(self.notices(dialler), [Notice(NoticeType.RETIRE, stream.protocol.stream.id)])
        self.assertEqual(dialler.ask().answer, Answer(Verdict.NO_ENDPOINT))

    def test_busy(self) -> None:
        """
        In a tunnel's load counts what is under way: not a stream of HTTP over which a response has come and nothing
        since, as far as a look each second tells; streams of another kind always.
        """
        tunnel, agent = self.scene.tunnel()
        dialler = self.scene.dial()
        stream = dialler.ask(behind=b"request")
        self.scene.network.advance(5)
        self.assertEqual((tunnel.in_flight, self.scene.port.in_flight), (1, 1))
        agent.offered[0].stream.write(b"response")
        self.scene.network.advance(2.2)
        self.assertEqual((tunnel.in_flight, self.scene.port.in_flight), (0, 0))
        stream.protocol.stream.write(b"request")
        self.scene.network.advance(1.2)
        self.assertEqual((tunnel.in_flight, self.scene.port.in_flight), (1, 1))
        dialler.ask(Preamble(E, Kind.TCP))
        agent.offered[0].stream.write(b"response")
        agent.offered[1].stream.write(b"anything")
        self.scene.network.advance(5)
        self.assertEqual((tunnel.in_flight, self.scene.port.in_flight), (1, 1))
