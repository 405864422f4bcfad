"""
Recorded sessions of Piko v0.9, replayed in both roles: we understand every byte, and would have sent the same
frames.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator

from twisted.trial.unittest import SynchronousTestCase

from pico.wire.yamux.frames import ACK, DATA, FIN, GO_AWAY, HEADER, HEADER_SIZE, PING, RST, SYN, WINDOW
from pico.wire.yamux.limits import Limits
from pico.wire.yamux.session import Role, Session
from pico.wire.yamux.stream import Stream
from tests.wire.yamux.recordings import BIG, NAMES, TO_AGENT, TO_NODE, recording
from tests.wire.yamux.support import Plain, W, drain, frames, pieces, plain

#: Cuts what the peer sent at once into what arrives at once.
Cut = Callable[[bytes], Iterator[bytes]]


class Replay:
    """
    One side of a recording, played by a session: it hears the other side, and does what its own side did.
    """

    def __init__(self, name: str, role: Role) -> None:
        self.name = name
        self.role = role
        self.own, self.peer = (TO_NODE, TO_AGENT) if role is Role.CLIENT else (TO_AGENT, TO_NODE)

    def run(self, cut: Cut) -> tuple[list[Plain], bytes]:
        """
        Play the recording.

        :return: what the session reported and what it sent.
        """
        session = Session(self.role, Limits(max_window=W))
        streams: dict[int, Stream] = {}
        log: list[Plain] = []
        sent = b""
        rest = b""
        for now, way, content in recording(self.name):
            if way == self.own:
                rest = self.do(session, streams, rest + (content or b""), now)
            elif content is None:
                log += plain(session.receive_eof())
            else:
                for piece in cut(content):
                    events = session.receive_data(piece, now)
                    for event in events:
                        stream = getattr(event, "stream", None)
                        if stream is not None:
                            streams[stream.id] = stream
                    log += plain(events)
            sent += drain(session)
        if rest:
            raise AssertionError("the recording ends inside a frame")
        return log, sent

    def do(self, session: Session, streams: dict[int, Stream], own: bytes, now: float) -> bytes:
        """
        Do what led to the frames of the own side, as far as they are whole; return the rest.
        """
        pos = 0
        while len(own) - pos >= HEADER_SIZE:
            kind, flags, stream_id, length = HEADER.unpack_from(own, pos)
            if kind == DATA and len(own) - pos < HEADER_SIZE + length:
                break
            pos += HEADER_SIZE
            if flags & SYN and kind == WINDOW:
                streams[stream_id] = session.open()
            if flags & ACK and kind == WINDOW:
                session.accept(streams[stream_id])
            if kind == DATA:
                session.send(streams[stream_id], own[pos : pos + length])
                pos += length
            elif kind == WINDOW and length:
                session.consumed(streams[stream_id], length, now)
            elif kind == PING and flags & SYN:
                session.ping(now)
            elif kind == GO_AWAY:
                session.go_away(length)
            if flags & FIN:
                session.finish(streams[stream_id])
            if flags & RST:
                session.reset(streams[stream_id])
        return own[pos:]

    def expected(self) -> tuple[dict[int, list[Plain]], dict[int, list[tuple[int, int, object]]]]:
        """
        What the peer's bytes must be heard as, and what our own must look like, by stream.
        """
        heard: dict[int, list[Plain]] = {}
        for kind, flags, stream_id, value in frames(self.joined(self.peer)):
            log = heard.setdefault(stream_id if kind in (DATA, WINDOW) else 0, [])
            if kind == DATA and value:
                log.append(("data", stream_id, value))
            elif kind == WINDOW and flags & SYN:
                log.append(("opened", stream_id, None))
            elif kind == GO_AWAY:
                log.append(("go away", 0, value))
            if flags & FIN and kind == WINDOW:
                log.append(("finished", stream_id, None))
        return {key: joined(log) for key, log in heard.items()}, by_stream(self.joined(self.own))

    def joined(self, way: str) -> bytes:
        """
        All bytes of one direction.
        """
        return b"".join(content or b"" for _, there, content in recording(self.name) if there == way)


def joined(log: list[Plain]) -> list[Plain]:
    """
    Join data that follows itself.
    """
    out: list[Plain] = []
    for entry in log:
        if out and entry[0] == "data" == out[-1][0]:
            out[-1] = ("data", entry[1], out[-1][2] + entry[2])  # type: ignore[operator]
        else:
            out.append(entry)
    return out


def by_stream(sent: bytes) -> dict[int, list[tuple[int, int, object]]]:
    """
    Sort frames by stream, data joined; pongs, whose place is chance, apart from other frames of the session.
    """
    out: dict[int, list[tuple[int, int, object]]] = {}
    for kind, flags, stream_id, value in frames(sent):
        key = stream_id if kind in (DATA, WINDOW) else -1 if kind == PING and flags & ACK else 0
        log = out.setdefault(key, [])
        if kind == DATA and log and log[-1][:2] == (DATA, flags) and isinstance(value, bytes):
            log[-1] = (DATA, flags, log[-1][2] + value)  # type: ignore[operator]
        else:
            log.append((kind, flags, value))
    return out


def apart(log: list[tuple[int, int, object]]) -> tuple[list[tuple[int, int, object]], list[object]]:
    """
    Set credit apart from the frames that say anything else.
    """
    credit = [value for kind, flags, value in log if kind == WINDOW and not flags]
    return [frame for frame in log if frame[0] != WINDOW or frame[1]], credit


class CaptureTests(SynchronousTestCase):
    """
    Every recording, as the agent and as the node.
    """

    def check(self, name: str, role: Role, cuts: Iterator[Cut]) -> None:
        """
        Replay with each way to cut.
        """
        replay = Replay(name, role)
        heard, said = replay.expected()
        ended = any(content is None and way == replay.peer for _, way, content in recording(name))
        for cut in cuts:
            log, sent = replay.run(cut)
            got: dict[int, list[Plain]] = {}
            for entry in log:
                if entry[0] not in ("pong", "closed"):
                    got.setdefault(entry[1], []).append(entry)
            self.assertEqual(
                {key: value for key, value in heard.items() if value},
                {key: joined(value) for key, value in got.items()},
                name,
            )
            self.compare(said, by_stream(sent))
            self.assertEqual(ended, ("closed", 0, None) in log)

    def compare(
        self, theirs: dict[int, list[tuple[int, int, object]]], ours: dict[int, list[tuple[int, int, object]]]
    ) -> None:
        """
        The same frames, but that Go gives credit even to a peer that has ended, and we do not.
        """
        self.assertEqual(set(theirs), set(ours))
        for key, frames_there in theirs.items():
            there, credit_there = apart(frames_there)
            here, credit_here = apart(ours[key])
            self.assertEqual(there, here)
            self.assertEqual(credit_there[: len(credit_here)], credit_here)
            self.assertLessEqual(len(credit_there) - len(credit_here), 1)

    def test_as_it_came(self) -> None:
        """
        Cut as TCP delivered it.
        """
        for name in NAMES:
            for role in Role:
                self.check(name, role, iter([whole]))

    def test_byte_by_byte(self) -> None:
        """
        One byte at a time.
        """
        for name in NAMES:
            if name not in BIG:
                for role in Role:
                    self.check(name, role, iter([one_by_one]))

    def test_cut_at_every_place(self) -> None:
        """
        Each delivery in two, cut at every place.
        """
        for name in NAMES:
            if name not in BIG:
                longest = max(len(content or b"") for _, _, content in recording(name))
                for role in Role:
                    self.check(name, role, (in_two(place) for place in range(1, longest)))

    def test_cut_at_random(self) -> None:
        """
        The large ones, cut at random places.
        """
        for name in sorted(BIG):
            for role in Role:
                self.check(name, role, (at_random(seed) for seed in range(3)))


def whole(content: bytes) -> Iterator[bytes]:
    """
    Not cut.
    """
    yield content


def one_by_one(content: bytes) -> Iterator[bytes]:
    """
    Every byte alone.
    """
    return pieces(content, range(len(content)))


def in_two(place: int) -> Cut:
    """
    Cut once.
    """
    return lambda content: pieces(content, [place])


def at_random(seed: int) -> Cut:
    """
    Cut at many random places.
    """
    source = random.Random(seed)

    def cut(content: bytes) -> Iterator[bytes]:
        return pieces(content, [source.randrange(len(content)) for _ in range(len(content) // 200 + 1)])

    return cut
