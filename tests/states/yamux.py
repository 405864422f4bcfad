"""
One stream of a yamux session.
"""

from __future__ import annotations

from collections.abc import Callable

import attrs

from pico.wire.yamux.events import Event, StreamOpened
from pico.wire.yamux.session import Role, Session
from pico.wire.yamux.stream import Opening, State, Stream
from tests.states.explore import Axis, Input, Machine, NotNow
from tests.wire.yamux.support import ack, data, drain, fin, rst, syn


@attrs.define
class Streaming:
    """
    A session and a stream of it.
    """

    session: Session
    stream: Stream

    @property
    def forgotten(self) -> bool:
        """
        Whether frames do not reach the stream any more.
        """
        return self.stream.id not in self.session.streams

    def receive(self, frame: Callable[[int], bytes]) -> list[Event]:
        """
        A frame of the stream comes.
        """
        if self.forgotten or self.session.closed:
            raise NotNow
        return self.session.receive_data(frame(self.stream.id), 0.0)

    def eof(self) -> list[Event]:
        """
        The connection ends.
        """
        if self.forgotten or self.session.closed:
            raise NotNow
        return self.session.receive_eof()

    def flush(self) -> None:
        """
        All that may be sent leaves.
        """
        drain(self.session)
        self.session.take_sent()

    def send(self) -> None:
        """
        A byte is queued, once until it has left.
        """
        if self.stream.queued:
            raise NotNow
        self.session.send(self.stream, b"x")


def _ours() -> Streaming:
    session = Session(Role.CLIENT)
    return Streaming(session, session.open())


def _theirs() -> Streaming:
    session = Session(Role.SERVER)
    (event,) = session.receive_data(syn(1), 0.0)
    assert isinstance(event, StreamOpened), event
    return Streaming(session, event.stream)


def _answer(result: object) -> str:
    """
    The kinds of the events, without the session's own reactions.
    """
    if not isinstance(result, list):
        return ""
    return " ".join(f"**{type(event).__name__}**" for event in result)


STREAM: Machine[Streaming] = Machine(
    "yamux-stream",
    "A yamux stream",
    "One stream as its session drives it: `Stream` in `pico/wire/yamux/stream.py`. "
    "How far both directions are, and whether the side that did not open it has taken it. In bold the events.",
    (
        Axis("Its directions", {state.name: state.value for state in State}),
        Axis("Its opening", {opening.name: opening.value for opening in Opening}),
    ),
    (_ours, _theirs),
    lambda each: (each.stream.state.name, each.stream.opening.name),
    lambda each: (each.stream.queued, each.forgotten, each.session.closed, each.session.wants_to_send),
    (
        Input("accept", "`accept(stream)`", (lambda each: each.session.accept(each.stream),)),
        Input("send", '`send(stream, b"x")`', (Streaming.send,)),
        Input("finish", "`finish(stream)`", (lambda each: each.session.finish(each.stream),)),
        Input("reset", "`reset(stream)`", (lambda each: each.session.reset(each.stream),)),
        Input("flush", "`data_to_send()`, until there is nothing", (Streaming.flush,)),
        Input("ACK", "a WINDOW frame with ACK comes", (lambda each: each.receive(ack),)),
        Input("DATA", "a DATA frame comes", (lambda each: each.receive(lambda stream: data(stream, b"y")),)),
        Input("FIN", "a WINDOW frame with FIN comes", (lambda each: each.receive(fin),)),
        Input("RST", "a WINDOW frame with RST comes", (lambda each: each.receive(rst),)),
        Input("eof", "the connection ends", (Streaming.eof,)),
    ),
    _answer,
)
