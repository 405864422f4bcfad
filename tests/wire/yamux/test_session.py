"""
Tests for :mod:`pico.wire.yamux.session`: one session, bytes in and events out, verbs in and bytes out.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial

import attrs
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from pico.errors import LocalProtocolError, TunnelBusy, TunnelError
from pico.wire.yamux.events import Event, StreamReset
from pico.wire.yamux.frames import ACK, DATA, FIN, GO_AWAY, HEADER, PING, RST, SYN, WINDOW
from pico.wire.yamux.limits import Limits
from pico.wire.yamux.session import Role, Session
from pico.wire.yamux.stream import State, Stream
from tests.wire.yamux.support import (
    Plain,
    W,
    ack,
    data,
    drain,
    fin,
    frames,
    go_away,
    ping,
    plain,
    pong,
    rst,
    syn,
    ways_to_cut,
    window,
)

OVER = ("failed", 0, (1, "receive window exceeded"))
TWICE = ("failed", 0, (1, "unexpected flag"))
DUPLICATE = ("failed", 0, (1, "duplicate stream initiated"))
WRONG_SIDE = ("failed", 0, (1, "stream id of the wrong side"))


def server(limits: Limits | None = None) -> Session:
    """
    A session that opens even ids; its peer opens odd ones.
    """
    return Session(Role.SERVER, limits or Limits())


def accepted(session: Session, stream_id: int = 1) -> Stream:
    """
    A stream of the peer that was accepted, its ACK already sent.
    """
    session.receive_data(syn(stream_id), 0.0)
    stream = session.streams[stream_id]
    session.accept(stream)
    drain(session)
    return stream


class ReceiveTableTests(SynchronousTestCase):
    """
    What the peer's bytes mean, however they are cut.
    """

    table: list[tuple[str, bytes, list[Plain]]] = [
        ("nothing", b"", []),
        ("a stream opens", syn(1), [("opened", 1, None)]),
        ("SYN with credit", window(1, 10, SYN), [("opened", 1, None)]),
        ("SYN on data", data(1, b"abc", SYN), [("opened", 1, None), ("data", 1, b"abc")]),
        ("SYN on empty data", data(1, b"", SYN), [("opened", 1, None)]),
        (
            "a request and its end",
            syn(1) + data(1, b"GET") + data(1, b" / ") + fin(1),
            [("opened", 1, None), ("data", 1, b"GET / "), ("finished", 1, None)],
        ),
        (
            "a FIN on data comes behind the data",
            syn(1) + data(1, b"bye", FIN),
            [("opened", 1, None), ("data", 1, b"bye"), ("finished", 1, None)],
        ),
        (
            "all in one frame",
            data(1, b"all", SYN | FIN),
            [("opened", 1, None), ("data", 1, b"all"), ("finished", 1, None)],
        ),
        ("SYN and FIN on WINDOW", window(1, 0, SYN | FIN), [("opened", 1, None), ("finished", 1, None)]),
        (
            "SYN and RST: opened and gone, its payload for nobody",
            data(1, b"abc", SYN | RST) + syn(3),
            [("opened", 1, None), ("reset", 1, "PEER"), ("opened", 3, None)],
        ),
        ("empty data is no event", syn(1) + data(1, b""), [("opened", 1, None)]),
        (
            "streams interleaved, opened out of order",
            syn(5) + syn(1) + data(5, b"a") + data(1, b"b") + data(5, b"c"),
            [
                ("opened", 5, None),
                ("opened", 1, None),
                ("data", 5, b"a"),
                ("data", 1, b"b"),
                ("data", 5, b"c"),
            ],
        ),
        (
            "frames for nobody are drained",
            data(7, b"late") + window(7, 9) + fin(7) + rst(7) + ack(7) + data(0, b"zero") + syn(1),
            [("opened", 1, None)],
        ),
        (
            "data behind a FIN is for nobody",
            syn(1) + fin(1) + data(1, b"late") + syn(3),
            [("opened", 1, None), ("finished", 1, None), ("opened", 3, None)],
        ),
        (
            "a reset stream may be opened anew",
            syn(1) + rst(1) + syn(1),
            [("opened", 1, None), ("reset", 1, "PEER"), ("opened", 1, None)],
        ),
        ("unknown flags say nothing", window(1, 0, SYN | 0xFFF0), [("opened", 1, None)]),
        ("ACK of the peer's own stream says nothing", syn(1) + ack(1), [("opened", 1, None)]),
        ("credit for ever", syn(1) + window(1, 2**32 - 1) * 2, [("opened", 1, None)]),
        ("a ping is no event", ping(7), []),
        ("a pong that nobody asked for", pong(7), []),
        ("no more streams", go_away(), [("go away", 0, 0)]),
        ("said twice, heard once", go_away() + go_away(), [("go away", 0, 0)]),
        ("it may still use and open streams", go_away() + syn(1), [("go away", 0, 0), ("opened", 1, None)]),
        (
            "we have broken the protocol, it says",
            syn(1) + go_away(1) + syn(3),
            [("opened", 1, None), ("failed", 0, (1, "the peer went away with code 1"))],
        ),
        ("it has broken down", go_away(2), [("failed", 0, (2, "the peer went away with code 2"))]),
        ("it has its own code", go_away(77), [("failed", 0, (77, "the peer went away with code 77"))]),
        ("version", b"\x01" + syn(1)[1:], [("failed", 0, (1, "invalid protocol version"))]),
        ("type", b"\x00\x04" + syn(1)[2:], [("failed", 0, (1, "invalid frame type"))]),
        ("both", b"\xff" * 12, [("failed", 0, (1, "invalid protocol version"))]),
        (
            "what came before a fault is not lost",
            data(1, b"abc", SYN) + b"GET / HTTP/1.1\r\n",
            [("opened", 1, None), ("data", 1, b"abc"), ("failed", 0, (1, "invalid protocol version"))],
        ),
        ("twice the same stream", syn(1) + syn(1), [("opened", 1, None), DUPLICATE]),
        ("an id of ours", syn(2), [WRONG_SIDE]),
        ("no id", syn(0), [WRONG_SIDE]),
        ("two FINs", syn(1) + fin(1) + fin(1), [("opened", 1, None), ("finished", 1, None), TWICE]),
        (
            "two FINs, one on data, whose payload is then for nobody",
            syn(1) + fin(1) + data(1, b"abc", FIN),
            [("opened", 1, None), ("finished", 1, None), TWICE],
        ),
    ]

    def test_table(self) -> None:
        """
        The same bytes give the same events whole, one by one, and cut in two at every place.
        """
        for name, received, expected in self.table:
            for cut in ways_to_cut(received):
                session = server()
                events = [event for piece in cut for event in session.receive_data(piece, 0.0)]
                self.assertEqual(expected, plain(events), f"{name}: {[len(piece) for piece in cut]}")

    def test_partial_payload_is_delivered_as_it_comes(self) -> None:
        """
        A frame is never collected: what has come of its payload is handed on.
        """
        session = server()
        session.receive_data(syn(1) + HEADER.pack(DATA, 0, 1, 10), 0.0)
        self.assertEqual([("data", 1, b"0123")], plain(session.receive_data(b"0123", 0.0)))
        self.assertEqual([("data", 1, b"45678")], plain(session.receive_data(b"45678", 0.0)))
        self.assertEqual([("data", 1, b"9"), ("opened", 3, None)], plain(session.receive_data(b"9" + syn(3), 0.0)))

    def test_nothing_after_the_end(self) -> None:
        """
        After a fault or the end of the connection input means nothing and verbs do nothing.
        """
        for how in ("fault", "eof", "go away"):
            session = server()
            stream = session.open()
            taken = accepted(session)
            session.receive_data(syn(3), 0.0)
            offered = session.streams[3]
            if how == "fault":
                session.receive_data(b"\x01" * 12, 0.0)
                self.assertEqual(go_away(1), drain(session))
            elif how == "eof":
                self.assertEqual([("closed", 0, None)], plain(session.receive_eof()))
                self.assertEqual(b"", drain(session))
            else:
                session.receive_data(go_away(2), 0.0)
                self.assertEqual(b"", drain(session))
            self.assertTrue(session.closed)
            self.assertEqual([], session.receive_data(syn(9), 0.0))
            self.assertEqual([], session.receive_eof())
            self.assertEqual({1, 2, 3}, set(session.streams))
            self.assertRaises(TunnelError, session.open)
            verbs: list[Callable[[], object]] = [
                partial(session.accept, offered),
                partial(session.send, stream, b"x"),
                partial(session.finish, stream),
                partial(session.reset, taken),
                partial(session.consumed, taken, 5, 0.0),
                partial(session.ping, 0.0),
                partial(session.go_away),
                partial(session.go_away, 2),
            ]
            for verb in verbs:
                verb()
            self.assertFalse(session.wants_to_send)
            self.assertEqual(b"", session.data_to_send())

    def test_closed_stays_closed(self) -> None:
        """
        What a closed stream left to be consumed is complete, also when the session ends before that.
        """
        session = server()
        stream = accepted(session)
        session.receive_data(data(1, b"abc", FIN), 0.0)
        session.finish(stream)
        drain(session)
        session.receive_eof()
        self.assertIs(State.CLOSED, stream.state)
        session.consumed(stream, 3, 0.0)
        session.reset(stream)
        self.assertEqual((0, b""), (session.buffered, drain(session)))

    def test_end_in_the_middle(self) -> None:
        """
        The end of the connection is an ordinary end wherever it comes.
        """
        received = syn(1) + data(1, b"abc")
        for cut in range(len(received)):
            session = server()
            session.receive_data(received[:cut], 0.0)
            self.assertEqual([("closed", 0, None)], plain(session.receive_eof()))


class ProductTests(SynchronousTestCase):
    """
    Every state of a stream with everything that can happen to it.
    """

    BIG = b"x" * (W + 1)

    def arrange(self, name: str) -> tuple[Session, Stream | None, int]:
        """
        Bring a stream of a server's session into a state; ids of ours are even.
        """
        session = server()
        if name in ("unknown of ours", "unknown of theirs"):
            return session, None, 2 if name == "unknown of ours" else 1
        if name in ("offered", "offered, ended"):
            session.receive_data(syn(1) + (fin(1) if name != "offered" else b""), 0.0)
            return session, session.streams[1], 1
        if name.startswith("their"):
            stream = accepted(session)
        else:
            stream = session.open()
            drain(session)
            if not name.startswith("unacked"):
                session.receive_data(ack(2), 0.0)
        how = name.partition(" ")[2]
        if how in ("ending", "last ending"):
            session.send(stream, self.BIG)
        if how in ("ending", "last ending", "ended", "closed"):
            session.finish(stream)
        drain(session)
        session.take_sent()
        if how in ("remote ended", "last ending", "closed"):
            session.receive_data(fin(stream.id), 0.0)
        if how == "reset":
            session.reset(stream)
        if how == "reset by peer":
            session.receive_data(rst(stream.id), 0.0)
        drain(session)
        return session, stream, stream.id

    #: What a frame leads to: per state, in the order of ``inputs``.
    inputs = ("credit", "data", "too much", "ack", "fin", "data with fin", "rst", "syn")
    receive: dict[str, str] = {
        # credit, data, too much, ack, fin, data with fin, rst, syn
        "unknown of ours": "- - - - - - - wrong",
        "unknown of theirs": "- - - - - - - opened",
        "unacked open": "- data over - fin data+fin refused duplicate",
        "unacked ending": "- data over - fin data+fin refused duplicate",
        "unacked ended": "- data over - fin data+fin reset duplicate",
        "our open": "- data over - fin data+fin reset duplicate",
        "our ending": "- data over - fin data+fin reset duplicate",
        "our ended": "- data over - fin data+fin reset duplicate",
        "our remote ended": "- - over - twice twice reset duplicate",
        "our last ending": "- - over - twice twice reset duplicate",
        "our closed": "- - - - - - - wrong",
        "our reset": "- - - - - - - wrong",
        "our reset by peer": "- - - - - - - wrong",
        "offered": "- data over - fin data+fin reset duplicate",
        "offered, ended": "- - over - twice twice reset duplicate",
        "their open": "- data over - fin data+fin reset duplicate",
        "their ending": "- data over - fin data+fin reset duplicate",
        "their ended": "- data over - fin data+fin reset duplicate",
        "their remote ended": "- - over - twice twice reset duplicate",
        "their last ending": "- - over - twice twice reset duplicate",
        "their closed": "- - - - - - - opened",
        "their reset": "- - - - - - - opened",
        "their reset by peer": "- - - - - - - opened",
    }

    def test_frames(self) -> None:
        """
        Each frame in each state has the outcome of the table, however it is cut.
        """
        for name, row in self.receive.items():
            outcomes = row.split()
            self.assertEqual(len(self.inputs), len(outcomes), name)
            for what, outcome in zip(self.inputs, outcomes, strict=True):
                _, _, stream_id = self.arrange(name)
                frame, expected = self.case(what, outcome, stream_id)
                cuts = ways_to_cut(frame) if len(frame) < 100 else iter([[frame]])
                for cut in cuts:
                    session, _, _ = self.arrange(name)
                    events = [event for piece in cut for event in session.receive_data(piece, 0.0)]
                    self.assertEqual(expected, plain(events), f"{name}: {what}")
                    if outcome in ("over", "twice", "duplicate", "wrong"):
                        self.assertEqual(go_away(1), drain(session))

    def case(self, what: str, outcome: str, stream_id: int) -> tuple[bytes, list[Plain]]:
        """
        The bytes of an input and the events of an outcome.
        """
        sent = {
            "credit": window(stream_id, 5),
            "data": data(stream_id, b"abc"),
            "too much": data(stream_id, self.BIG),
            "ack": ack(stream_id),
            "fin": fin(stream_id),
            "data with fin": data(stream_id, b"abc", FIN),
            "rst": rst(stream_id),
            "syn": syn(stream_id),
        }[what]
        outcomes: dict[str, list[Plain]] = {
            "-": [],
            "data": [("data", stream_id, b"abc")],
            "over": [OVER],
            "fin": [("finished", stream_id, None)],
            "data+fin": [("data", stream_id, b"abc"), ("finished", stream_id, None)],
            "reset": [("reset", stream_id, "PEER")],
            "refused": [("reset", stream_id, "REFUSED")],
            "twice": [TWICE],
            "duplicate": [DUPLICATE],
            "wrong": [WRONG_SIDE],
            "opened": [("opened", stream_id, None)],
        }
        return sent, outcomes[outcome]

    verbs = ("accept", "send", "finish", "reset", "consumed 0", "consumed 1")
    local: dict[str, str] = {
        # accept, send, finish, reset, consumed 0, consumed 1 (of nothing received)
        "unacked open": "misuse data fin rst - misuse",
        "unacked ending": "misuse misuse misuse rst - misuse",
        "unacked ended": "misuse misuse misuse rst - misuse",
        "our open": "misuse data fin rst - misuse",
        "our ending": "misuse misuse misuse rst - misuse",
        "our ended": "misuse misuse misuse rst - misuse",
        "our remote ended": "misuse data fin rst - misuse",
        "our last ending": "misuse misuse misuse rst - misuse",
        "our closed": "misuse misuse misuse - - misuse",
        "our reset": "- - - - - -",
        "our reset by peer": "- - - - - -",
        "offered": "ack misuse misuse rst - misuse",
        "offered, ended": "ack misuse misuse rst - misuse",
        "their open": "misuse data fin rst - misuse",
        "their ending": "misuse misuse misuse rst - misuse",
        "their ended": "misuse misuse misuse rst - misuse",
        "their remote ended": "misuse data fin rst - misuse",
        "their last ending": "misuse misuse misuse rst - misuse",
        "their closed": "misuse misuse misuse - - misuse",
        "their reset": "- - - - - -",
        "their reset by peer": "- - - - - -",
    }

    def test_verbs(self) -> None:
        """
        Each verb in each state has the outcome of the table; misuse changes nothing.
        """
        for name, row in self.local.items():
            for verb, outcome in zip(self.verbs, row.split(), strict=True):
                session, stream, stream_id = self.arrange(name)
                if stream is None:
                    self.fail(name)
                calls: dict[str, Callable[[], object]] = {
                    "accept": partial(session.accept, stream),
                    "send": partial(session.send, stream, b"abc"),
                    "finish": partial(session.finish, stream),
                    "reset": partial(session.reset, stream),
                    "consumed 0": partial(session.consumed, stream, 0, 0.0),
                    "consumed 1": partial(session.consumed, stream, 1, 0.0),
                }
                call = calls[verb]
                state = stream.state
                if outcome == "misuse":
                    self.assertRaises(LocalProtocolError, call)
                    self.assertIs(state, stream.state, f"{name}: {verb}")
                else:
                    call()
                expected = {
                    "data": data(stream_id, b"abc"),
                    "fin": fin(stream_id),
                    "rst": rst(stream_id),
                    "ack": ack(stream_id),
                }.get(outcome, b"")
                self.assertEqual(expected, drain(session), f"{name}: {verb}")

    def test_both_tables_are_whole(self) -> None:
        """
        No state is forgotten.
        """
        seen = set()
        for name in self.receive:
            _, stream, _ = self.arrange(name)
            if stream is not None:
                seen.add(stream.state)
        self.assertEqual(set(State), seen)
        self.assertEqual(set(self.receive) - set(self.local), {"unknown of ours", "unknown of theirs"})


class OpenTests(SynchronousTestCase):
    """
    Opening and accepting streams.
    """

    def test_ids(self) -> None:
        """
        A client opens odd ids, a server even ones, each once.
        """
        for role, ids in [(Role.CLIENT, [1, 3, 5]), (Role.SERVER, [2, 4, 6])]:
            session = Session(role)
            self.assertEqual(ids, [session.open().id for _ in range(3)])
            self.assertEqual(b"".join(map(syn, ids)), drain(session))

    def test_data_follows_at_once(self) -> None:
        """
        Nobody waits for the ACK: SYN, data and FIN leave together.
        """
        session = server()
        stream = session.open()
        session.send(stream, b"abc")
        session.finish(stream)
        self.assertEqual(syn(2) + data(2, b"abc") + fin(2), session.data_to_send())
        self.assertFalse(stream.acked)

    def test_signs_of_acceptance(self) -> None:
        """
        An ACK shows that the peer took a stream; so does data, credit or a FIN, because an ACK may never
        come.
        """
        for sign in (ack(2), data(2, b"x"), window(2, 1), fin(2), data(2, b"x", ACK), data(2, b"x", FIN)):
            session = server()
            stream = session.open()
            session.receive_data(sign, 0.0)
            self.assertTrue(stream.acked)
            session.receive_data(rst(2), 0.0)
        for nothing in (window(2, 0), data(2, b"")):
            session = server()
            stream = session.open()
            session.receive_data(nothing, 0.0)
            self.assertFalse(stream.acked)

    def test_ack_rides(self) -> None:
        """
        The ACK rides on the first frame of the stream, whatever it is, and stands alone if there is none.
        """
        for name, expected in [
            ("nothing", ack(1)),
            ("data", data(1, b"abc", ACK)),
            ("fin", window(1, 0, ACK | FIN)),
            ("both", data(1, b"abc", ACK) + fin(1)),
            ("credit", window(1, W, ACK)),
            ("reset", rst(1)),
        ]:
            session = server(Limits(max_window=W))
            session.receive_data(syn(1) + data(1, b"x" * W), 0.0)
            stream = session.streams[1]
            session.accept(stream)
            if name in ("data", "both"):
                session.send(stream, b"abc")
            if name in ("fin", "both"):
                session.finish(stream)
            if name == "credit":
                session.consumed(stream, W, 0.0)
            if name == "reset":
                session.reset(stream)
            self.assertEqual(expected, drain(session), name)
            if name not in ("credit", "reset"):
                session.consumed(stream, W, 0.0)
                self.assertEqual(window(1, W), drain(session), f"{name}: sent once")

    def test_ack_of_a_stream_that_waits_for_its_turn(self) -> None:
        """
        When a flush ends before the stream's turn, the ACK comes with its data in the next.
        """
        session = server()
        first, second = accepted(session, 1), None
        session.receive_data(syn(3), 0.0)
        second = session.streams[3]
        session.accept(second)
        session.send(first, b"a" * 100)
        session.send(second, b"b")
        self.assertEqual(data(1, b"a" * 100), session.data_to_send(1))
        self.assertEqual(data(3, b"b", ACK), session.data_to_send(1))

    def the_reset(self, events: list[Event]) -> StreamReset:
        """
        The only one of some events.
        """
        (event,) = events
        assert isinstance(event, StreamReset), event
        return event

    def test_refused(self) -> None:
        """
        A stream that was reset before the peer took it was never looked at.
        """
        session = server()
        session.send(session.open(), b"GET / HTTP/1.1\r\n\r\n")
        drain(session)
        self.assertTrue(self.the_reset(session.receive_data(rst(2), 0.0)).refused)
        session.open()
        session.receive_data(ack(4), 0.0)
        self.assertFalse(self.the_reset(session.receive_data(rst(4), 0.0)).refused)

    def test_reset_after_our_fin_may_have_been_looked_at(self) -> None:
        """
        Piko never ACKs a stream that it accepts after our FIN, so its reset proves nothing.
        """
        session = server()
        session.finish(session.open())
        drain(session)
        self.assertFalse(self.the_reset(session.receive_data(rst(2), 0.0)).refused)


class WindowTests(SynchronousTestCase):
    """
    Flow control.
    """

    def test_send_up_to_the_window(self) -> None:
        """
        Not a byte more than the window leaves; the rest leaves when credit comes, FIN last.
        """
        session = server()
        stream = session.open()
        session.send(stream, b"x" * (W + 10))
        session.finish(stream)
        sent = drain(session)
        self.assertEqual(W, sum(len(f[3]) for f in frames(sent) if isinstance(f[3], bytes)))
        self.assertEqual((0, 10), (stream.send_window, stream.queued))
        self.assertFalse(session.wants_to_send)
        session.receive_data(window(2, 4), 0.0)
        self.assertEqual(data(2, b"xxxx"), drain(session))
        session.receive_data(window(2, 6), 0.0)
        self.assertEqual(data(2, b"xxxxxx") + fin(2), drain(session))

    def test_receive_up_to_the_window(self) -> None:
        """
        A window may be used to its last byte, in any number of frames, and one byte more ends the session.
        """
        for sizes in ([W], [W - 1, 1], [1] * 5 + [W - 5], [W // 2, W // 2]):
            session = server()
            stream = accepted(session)
            for size in sizes:
                self.assertEqual([("data", 1, b"x" * size)], plain(session.receive_data(data(1, b"x" * size), 0.0)))
            self.assertEqual((0, W), (stream.receive_window, stream.unconsumed))
            self.assertEqual([OVER], plain(session.receive_data(data(1, b"y"), 0.0)))

    def test_fault_is_seen_in_the_header(self) -> None:
        """
        A frame that declares too much delivers nothing of its payload.
        """
        session = server()
        accepted(session)
        self.assertEqual([OVER], plain(session.receive_data(HEADER.pack(DATA, 0, 1, W + 1) + b"abc", 0.0)))

    def test_credit_by_half_windows(self) -> None:
        """
        Credit is given when half a window has been consumed, not before, and for all that was consumed.
        """
        session = server(Limits(max_window=W))
        stream = accepted(session)
        session.receive_data(data(1, b"x" * W), 0.0)
        session.consumed(stream, W // 2 - 1, 0.0)
        self.assertEqual(b"", drain(session))
        session.consumed(stream, 1, 0.0)
        self.assertTrue(session.wants_to_send)
        self.assertEqual(window(1, W // 2), drain(session))
        session.consumed(stream, W // 2, 0.0)
        self.assertEqual(window(1, W // 2), drain(session))
        self.assertEqual((W, 0, 0), (stream.receive_window, stream.unconsumed, session.buffered))

    def test_no_credit_for_the_ended(self) -> None:
        """
        A peer that has sent its FIN is given no credit, and neither is one whose stream is gone.
        """
        session = server()
        stream = accepted(session)
        session.receive_data(data(1, b"x" * W, FIN), 0.0)
        session.consumed(stream, W // 2, 0.0)
        self.assertEqual(b"", drain(session))
        session.finish(stream)
        self.assertEqual(fin(1), drain(session))
        self.assertEqual({}, dict(session.streams))
        self.assertEqual(W // 2, session.buffered)
        session.consumed(stream, W // 2, 0.0)
        self.assertEqual((0, b""), (session.buffered, drain(session)))

    def test_consumed_more_than_received(self) -> None:
        """
        Consuming what never came, or a negative amount, is misuse.
        """
        session = server()
        stream = accepted(session)
        session.receive_data(data(1, b"abc"), 0.0)
        self.assertRaises(LocalProtocolError, session.consumed, stream, 4, 0.0)
        self.assertRaises(LocalProtocolError, session.consumed, stream, -1, 0.0)
        session.consumed(stream, 3, 0.0)

    def test_reset_frees_what_was_held(self) -> None:
        """
        The unconsumed bytes of a stream that is reset, by whichever side, no longer count; nor does a payload
        that still flows.
        """
        for by_peer in (False, True):
            session = server()
            stream = accepted(session)
            session.receive_data(data(1, b"x" * 100) + (b"" if by_peer else HEADER.pack(DATA, 0, 1, 50) + b"abc"), 0.0)
            if by_peer:
                session.receive_data(rst(1), 0.0)
            else:
                self.assertEqual(150, session.buffered)
                session.reset(stream)
                self.assertEqual([("opened", 3, None)], plain(session.receive_data(b"y" * 47 + syn(3), 0.0)))
            self.assertEqual((0, 0), (session.buffered, stream.unconsumed))

    def test_end_of_a_stream_while_its_payload_flows(self) -> None:
        """
        Our FIN in the middle of the peer's last frame: both ends meet behind the frame.
        """
        session = server()
        stream = accepted(session)
        session.receive_data(HEADER.pack(DATA, FIN, 1, 6) + b"abc", 0.0)
        session.finish(stream)
        self.assertEqual(fin(1), drain(session))
        self.assertIs(State.LOCAL_ENDED, stream.state)
        self.assertEqual([("data", 1, b"def"), ("finished", 1, None)], plain(session.receive_data(b"def", 0.0)))
        self.assertIs(State.CLOSED, stream.state)


class GrowthTests(SynchronousTestCase):
    """
    Windows that follow the path.
    """

    def ready(self, limits: Limits | None = None, rtt: float = 0.1) -> tuple[Session, Stream]:
        """
        A session that knows its round-trip time.
        """
        session = server(limits)
        stream = accepted(session)
        session.ping(0.0)
        session.receive_data(pong(0), rtt)
        drain(session)
        return session, stream

    def use(self, session: Session, stream: Stream, size: int, now: float) -> None:
        """
        Receive and consume ``size`` bytes at one moment.
        """
        while size:
            part = min(size, stream.receive_window)
            session.receive_data(data(stream.id, b"x" * part), now)
            session.consumed(stream, part, now)
            size -= part

    def test_fast_reader(self) -> None:
        """
        A window that is used up within four round trips doubles, up to the cap, and the peer is told.
        """
        session, stream = self.ready(Limits(max_window=1_000_000))
        sizes = []
        for turn in range(4):
            granted = stream.receive_window
            used = stream.window
            self.use(session, stream, used, 0.2 + turn * 0.1)
            self.assertEqual(
                stream.receive_window - granted + used,
                sum(int(f[3]) for f in frames(drain(session)) if f[0] == WINDOW and isinstance(f[3], int)),
            )
            sizes.append(stream.window)
        self.assertEqual([2 * W, 1_000_000, 1_000_000, 1_000_000], sizes)
        self.assertEqual(stream.window, stream.receive_window)

    def test_slow_reader(self) -> None:
        """
        A window that takes four round trips or longer keeps its size.
        """
        session, stream = self.ready()
        self.use(session, stream, W, 0.1 + 0.41)
        self.use(session, stream, W, 0.1 + 0.82)
        self.assertEqual(W, stream.window)
        self.use(session, stream, W, 0.1 + 1.20)
        self.assertEqual(2 * W, stream.window)

    def test_round_trip_is_measured_when_it_is_needed(self) -> None:
        """
        The first credit asks for the round-trip time; until the answer no window grows.
        """
        session = server()
        stream = accepted(session)
        self.use(session, stream, W, 0.0)
        self.assertEqual([(PING, SYN, 0, 0), (WINDOW, 0, 1, W)], frames(drain(session)))
        self.use(session, stream, W, 0.01)
        self.assertEqual((W, None), (stream.window, session.rtt))
        session.receive_data(pong(0), 0.05)
        self.assertEqual(0.05, session.rtt)

    def test_no_growth_by_setting(self) -> None:
        """
        With the initial window as the cap nothing grows and nothing is measured.
        """
        session = server(Limits(max_window=W))
        stream = accepted(session)
        self.use(session, stream, W, 0.0)
        self.assertEqual(window(1, W), drain(session))

    def test_no_growth_while_much_is_held(self) -> None:
        """
        When more than half of what may be held is held, windows stay as they are.
        """
        session, stream = self.ready(Limits(max_buffered=2 * W))
        other = accepted(session, 3)
        session.receive_data(data(3, b"y" * W), 0.1)
        session.receive_data(data(1, b"x" * W), 0.1)
        session.consumed(stream, W - 1, 0.2)
        self.assertEqual(W, stream.window)
        session.consumed(other, W, 0.2)
        self.use(session, stream, W // 2, 0.2)
        self.assertEqual(2 * W, stream.window)


class LimitTests(SynchronousTestCase):
    """
    Every limit at its exact border.
    """

    def test_unaccepted(self) -> None:
        """
        So many streams wait to be accepted; the next is reset, and each that is accepted or gone makes room.
        """
        session = server(Limits(max_unaccepted=2))
        session.receive_data(syn(1) + syn(3), 0.0)
        self.assertEqual([], session.receive_data(data(5, b"late", SYN) + data(5, b"more") + fin(5), 0.0))
        self.assertEqual(rst(5), drain(session))
        session.accept(session.streams[1])
        self.assertEqual([("opened", 7, None)], plain(session.receive_data(syn(7) + syn(9), 0.0)))
        session.reset(session.streams[3])
        self.assertEqual([("opened", 11, None)], plain(session.receive_data(syn(11) + syn(13), 0.0)))
        self.assertEqual(
            [("reset", 7, "PEER"), ("opened", 15, None)], plain(session.receive_data(rst(7) + syn(15), 0.0))
        )

    def test_unacked(self) -> None:
        """
        So many streams of ours wait for an ACK; the next is not opened; each that was taken or is gone makes
        room.
        """
        for relief in (ack(2), data(2, b"x"), fin(2), window(2, 1), rst(2)):
            session = server(Limits(max_unacked=2))
            session.open()
            second = session.open()
            self.assertRaises(TunnelError, session.open)
            session.receive_data(relief, 0.0)
            session.open()
            self.assertRaises(TunnelError, session.open)
            session.reset(second)
            session.open()
            self.assertRaises(TunnelError, session.open)

    def test_busy(self) -> None:
        """
        That error is one of its own, and ``busy`` says when it would be raised.
        """
        session = server(Limits(max_unacked=1))
        self.assertFalse(session.busy)
        session.open()
        self.assertTrue(session.busy)
        self.assertRaises(TunnelBusy, session.open)
        session.receive_data(ack(2), 0.0)
        self.assertFalse(session.busy)

    def test_unacked_and_closed(self) -> None:
        """
        A stream whose ACK never came counts no more when both sides have ended it.
        """
        session = server(Limits(max_unacked=1))
        session.finish(session.open())
        drain(session)
        session.receive_data(fin(2), 0.0)
        session.receive_data(ack(2), 0.0)
        session.open()

    def test_streams(self) -> None:
        """
        So many streams live, whoever opened them.
        """
        session = server(Limits(max_streams=2))
        session.open()
        session.receive_data(syn(1), 0.0)
        self.assertRaises(TunnelError, session.open)
        drain(session)
        session.receive_data(syn(3), 0.0)
        self.assertEqual(rst(3), drain(session))
        session.reset(session.streams[1])
        session.open()

    def test_ids(self) -> None:
        """
        Ids are used up to the last, ``ids_left`` says how many there are, and then opening fails for good.
        """
        for role, last, ids in [
            (Role.SERVER, 8, [2, 4, 6]),
            (Role.SERVER, 9, [2, 4, 6, 8]),
            (Role.CLIENT, 8, [1, 3, 5, 7]),
            (Role.CLIENT, 7, [1, 3, 5]),
            (Role.SERVER, 2, []),
        ]:
            session = Session(role, Limits(last_stream_id=last))
            for number, stream_id in enumerate(ids):
                self.assertEqual(len(ids) - number, session.ids_left)
                stream = session.open()
                self.assertEqual(stream_id, stream.id)
                session.reset(stream)
            self.assertEqual(0, session.ids_left)
            self.assertRaises(TunnelError, session.open)
        self.assertEqual(2**31 - 2, Session(Role.SERVER).ids_left)

    def test_ids_of_the_peer(self) -> None:
        """
        The peer may use every id there is.
        """
        session = server()
        self.assertEqual([("opened", 2**32 - 1, None)], plain(session.receive_data(syn(2**32 - 1), 0.0)))

    def test_buffered(self) -> None:
        """
        So many bytes may be held; one more resets the stream that holds most, and only that.
        """
        session = server(Limits(max_buffered=1000))
        small, big, last = (accepted(session, stream_id) for stream_id in (1, 3, 5))
        session.receive_data(data(1, b"a" * 300) + data(3, b"b" * 600) + data(5, b"c" * 100), 0.0)
        self.assertEqual(1000, session.buffered)
        events = session.receive_data(data(5, b"d") + data(3, b"for nobody"), 0.0)
        self.assertEqual([("reset", 3, "OVERFLOW"), ("data", 5, b"d")], plain(events))
        self.assertEqual(rst(3), drain(session))
        self.assertEqual((401, State.RESET), (session.buffered, big.state))
        session.consumed(big, 600, 0.0)
        session.consumed(small, 300, 0.0)
        session.consumed(last, 101, 0.0)
        self.assertEqual(0, session.buffered)

    def test_buffered_by_the_stream_itself(self) -> None:
        """
        The stream that holds most may be the one that receives; its payload is then for nobody.
        """
        for cut in ways_to_cut(data(1, b"x" * 11) + syn(3)):
            session = server(Limits(max_buffered=10))
            accepted(session)
            events = [event for piece in cut for event in session.receive_data(piece, 0.0)]
            self.assertEqual([("reset", 1, "OVERFLOW"), ("opened", 3, None)], plain(events))

    def test_buffered_by_a_closed_stream(self) -> None:
        """
        What a stream left behind when both sides had ended counts, and can be let go too.
        """
        session = server(Limits(max_buffered=1000))
        closed, alive = accepted(session, 1), accepted(session, 3)
        session.receive_data(data(1, b"a" * 600, FIN) + data(3, b"b" * 400), 0.0)
        session.finish(closed)
        drain(session)
        self.assertEqual({3}, set(session.streams))
        events = session.receive_data(data(3, b"c"), 0.0)
        self.assertEqual([("reset", 1, "OVERFLOW"), ("data", 3, b"c")], plain(events))
        self.assertEqual((b"", 401), (drain(session), session.buffered))
        self.assertIs(State.OPEN, alive.state)

    def test_closed_stream_is_forgotten(self) -> None:
        """
        Once it is closed and all of it was consumed, the session keeps nothing of a stream.
        """
        session = server()
        stream = accepted(session)
        session.receive_data(data(1, b"abc", FIN), 0.0)
        session.finish(stream)
        drain(session)
        session.take_sent()
        before = sys.getrefcount(stream)
        session.consumed(stream, 3, 0.0)
        self.assertEqual(1, before - sys.getrefcount(stream))

    def test_letting_a_closed_stream_go(self) -> None:
        """
        A reset of a closed stream frees what it held and says nothing to the peer.
        """
        session = server()
        stream = accepted(session)
        session.receive_data(data(1, b"abc", FIN), 0.0)
        session.finish(stream)
        drain(session)
        session.reset(stream)
        self.assertEqual((0, b""), (session.buffered, drain(session)))

    def test_pings(self) -> None:
        """
        Every ping within the limit is answered with its value; one more in the same second ends the session.
        """
        session = server(Limits(max_pings_per_second=3))
        self.assertEqual([], session.receive_data(ping(1) + ping(2) + ping(2**32 - 1), 10.0))
        self.assertEqual(pong(1) + pong(2) + pong(2**32 - 1), drain(session))
        self.assertEqual([], session.receive_data(ping(4), 11.0))
        self.assertEqual(
            [("failed", 0, (1, "too many pings"))],
            plain(session.receive_data(ping(5) + ping(6) + ping(7), 11.9)),
        )
        self.assertEqual(go_away(1), drain(session))

    def test_answers_that_are_not_read(self) -> None:
        """
        A peer that makes us answer and reads nothing is not followed without end.
        """
        session = server(Limits(max_unaccepted=0, max_control=5))
        self.assertEqual([], session.receive_data(b"".join(syn(i) for i in range(1, 11, 2)), 0.0))
        self.assertEqual([("failed", 0, (1, "answers are not read"))], plain(session.receive_data(syn(11), 0.0)))
        session = server(Limits(max_unaccepted=0, max_control=5))
        for stream_id in range(1, 101, 2):
            self.assertEqual([], session.receive_data(syn(stream_id), 0.0))
            self.assertEqual(rst(stream_id), drain(session))


class GoAwayTests(SynchronousTestCase):
    """
    The two ends of new streams.
    """

    def test_ours(self) -> None:
        """
        After our go-away a new stream of the peer is reset, old ones go on, and we may still open some.
        """
        session = server()
        old = accepted(session)
        session.go_away()
        session.go_away()
        self.assertEqual(go_away(), drain(session))
        self.assertTrue(session.going_away)
        events = session.receive_data(data(3, b"late", SYN) + data(1, b"old"), 0.0)
        self.assertEqual([("data", 1, b"old")], plain(events))
        session.send(old, b"answer")
        session.open()
        self.assertEqual(rst(3) + syn(2) + data(1, b"answer"), drain(session))

    def test_duplicate_after_ours(self) -> None:
        """
        A SYN for a live stream is a fault even then, and not a reset of that stream.
        """
        session = server()
        accepted(session)
        session.go_away()
        self.assertEqual([DUPLICATE], plain(session.receive_data(syn(1), 0.0)))

    def test_theirs(self) -> None:
        """
        After the peer's go-away we open nothing and what is open goes on.
        """
        session = server()
        stream = session.open()
        drain(session)
        session.receive_data(go_away(), 0.0)
        self.assertTrue(session.remote_going_away)
        self.assertRaises(TunnelError, session.open)
        session.send(stream, b"abc")
        self.assertEqual(data(2, b"abc"), drain(session))

    def test_with_a_code(self) -> None:
        """
        A go-away with a code is the last that the peer hears.
        """
        session = server()
        session.send(session.open(), b"abc")
        session.go_away(2)
        self.assertEqual(go_away(2), drain(session))
        self.assertTrue(session.closed)
        self.assertEqual([], session.receive_data(syn(1), 0.0))


class PingTests(SynchronousTestCase):
    """
    Signs of life.
    """

    def test_round_trip(self) -> None:
        """
        The answer to our ping is reported with the time that it took.
        """
        session = server()
        self.assertIsNone(session.rtt)
        session.ping(10.0)
        session.ping(10.1)
        self.assertEqual(ping(0), drain(session))
        self.assertEqual([], session.receive_data(pong(5), 10.2))
        self.assertEqual([("pong", 0, 0.25)], plain(session.receive_data(pong(0), 10.25)))
        self.assertEqual(0.25, session.rtt)
        session.ping(11.0)
        self.assertEqual(ping(1), drain(session))

    def test_pong_goes_first(self) -> None:
        """
        An answer to a ping overtakes data that waits.
        """
        session = server()
        stream = accepted(session)
        session.send(stream, b"abc")
        session.receive_data(ping(9), 0.0)
        self.assertEqual(pong(9) + data(1, b"abc"), drain(session))


class HostileTests(SynchronousTestCase):
    """
    Whatever comes, nothing is raised and the books are right.
    """

    def books(self, session: Session) -> None:
        """
        Check what must always be so.
        """
        held = sum(stream.unconsumed for stream in session.streams.values())
        self.assertLessEqual(held, session.buffered)
        for stream in session.streams.values():
            if stream.state is not State.RESET:
                self.assertGreaterEqual(stream.receive_window, 0)
                self.assertGreaterEqual(stream.send_window, 0)

    @given(st.lists(st.binary(max_size=64), max_size=20))
    @settings(derandomize=True, deadline=None, max_examples=100)
    def test_noise(self, chunks: list[bytes]) -> None:
        """
        Random bytes end the session, or mean nothing.
        """
        session = server()
        for chunk in chunks:
            session.receive_data(chunk, 0.0)
            self.books(session)
        drain(session)

    @given(
        st.lists(
            st.tuples(
                st.sampled_from([DATA, DATA, WINDOW, WINDOW, PING, GO_AWAY]),
                st.sampled_from([0, 0, 0, SYN, ACK, FIN, RST, SYN | FIN, SYN | ACK, FIN | RST, 15]),
                st.integers(0, 9),
                st.integers(0, 40),
                st.integers(0, 6),
            ),
            max_size=40,
        ),
        st.integers(1, 50),
    )
    @settings(derandomize=True, deadline=None, max_examples=100)
    def test_frames_out_of_place(self, made: list[tuple[int, int, int, int, int]], step: int) -> None:
        """
        Well-formed frames in any order, answered with any verbs, and cut anywhere: one way to read them.
        """
        received = b"".join(
            HEADER.pack(kind, flags, stream_id, length if kind != GO_AWAY else length // 39)
            + (b"p" * length if kind == DATA else b"")
            for kind, flags, stream_id, length, _ in made
        )
        limits = Limits(max_buffered=100, max_unaccepted=2, max_streams=4, max_unacked=2, max_pings_per_second=5)
        logs = []
        for size in (len(received) or 1, step):
            session = server(limits)
            session.open()
            log: list[Plain] = []
            for start in range(0, len(received), size):
                events = session.receive_data(received[start : start + size], 0.0)
                log += plain(events)
                self.books(session)
            logs.append(joined(log))
            drain(session)
        self.assertEqual(logs[0], logs[1])

    @given(st.data())
    @settings(derandomize=True, deadline=None, max_examples=60)
    def test_frames_and_verbs(self, draw: st.DataObject) -> None:
        """
        The user's verbs between hostile frames never raise anything but misuse that the user can know of.
        """
        session = server(Limits(max_buffered=200, max_unaccepted=3, max_streams=6, max_unacked=3))
        streams: list[Stream] = [session.open()]
        for _ in range(draw.draw(st.integers(1, 30))):
            kind = draw.draw(st.sampled_from([DATA, WINDOW]))
            flags = draw.draw(st.sampled_from([0, 0, SYN, ACK, FIN, RST]))
            stream_id = draw.draw(st.integers(1, 7))
            length = draw.draw(st.integers(0, 60))
            received = HEADER.pack(kind, flags, stream_id, length) + (b"p" * length if kind == DATA else b"")
            for event in session.receive_data(received, 0.0):
                stream = getattr(event, "stream", None)
                if stream is not None and stream not in streams:
                    streams.append(stream)
            stream = draw.draw(st.sampled_from(streams))
            verb = draw.draw(st.sampled_from([None, "accept", "send", "finish", "reset", "consumed"]))
            try:
                if verb == "accept":
                    session.accept(stream)
                elif verb == "send":
                    session.send(stream, b"x" * 10)
                elif verb == "finish":
                    session.finish(stream)
                elif verb == "reset":
                    session.reset(stream)
                elif verb == "consumed":
                    session.consumed(stream, stream.unconsumed, 0.0)
            except LocalProtocolError:
                pass
            self.books(session)
            frames(drain(session))
        for stream in streams:
            session.reset(stream)
        self.assertEqual(0, session.buffered)


class EventTests(SynchronousTestCase):
    """
    The values themselves.
    """

    def test_no_dictionary(self) -> None:
        """
        Streams and sessions, of which there are many, have no room for stray attributes.
        """
        session = server()
        for thing in (session, session.open()):
            self.assertRaises(AttributeError, setattr, thing, "surplus", 1)

    def test_limits_are_values(self) -> None:
        """
        Limits that differ in one field are made from others.
        """
        self.assertEqual(5, attrs.evolve(Limits(), max_streams=5).max_streams)


def joined(log: list[Plain]) -> list[Plain]:
    """
    Join data of one stream that was delivered in pieces.
    """
    out: list[Plain] = []
    for entry in log:
        if out and entry[0] == "data" and out[-1][:2] == entry[:2]:
            out[-1] = (entry[0], entry[1], out[-1][2] + entry[2])  # type: ignore[operator]
        else:
            out.append(entry)
    return out
