"""
One stream of a session: how far it has come, its windows and what waits to be sent.
"""

from __future__ import annotations

import enum

from pico.wire.yamux.frames import INITIAL_WINDOW


class State(enum.Enum):
    """
    Which directions of a stream are still open. "Ending" means that our FIN waits behind queued bytes.
    """

    OPEN = "open"
    ENDING = "ending"
    LOCAL_ENDED = "we have ended"
    REMOTE_ENDED = "the peer has ended"
    LAST_ENDING = "the peer has ended, ending"
    CLOSED = "both have ended"
    RESET = "reset"

    # Members are singletons; the inherited hash is a Python function and costs more than the whole table
    # look-up.
    __hash__ = object.__hash__


class Step(enum.Enum):
    """
    What moves a stream from one state to the next. A reset is possible everywhere and leads to ``RESET``.
    """

    FINISH = "finish() was called"
    FIN_SENT = "our FIN has left"
    FIN_RECEIVED = "the peer's FIN has come"

    __hash__ = object.__hash__


#: Every allowed step; what is not here breaks the protocol (FIN_RECEIVED) or is a bug of ours.
TRANSITIONS: dict[tuple[State, Step], State] = {
    (State.OPEN, Step.FINISH): State.ENDING,
    (State.OPEN, Step.FIN_RECEIVED): State.REMOTE_ENDED,
    (State.ENDING, Step.FIN_SENT): State.LOCAL_ENDED,
    (State.ENDING, Step.FIN_RECEIVED): State.LAST_ENDING,
    (State.LOCAL_ENDED, Step.FIN_RECEIVED): State.CLOSED,
    (State.REMOTE_ENDED, Step.FINISH): State.LAST_ENDING,
    (State.LAST_ENDING, Step.FIN_SENT): State.CLOSED,
}


class Opening(enum.Enum):
    """
    Whether the side that did not open a stream has taken it.
    """

    UNACKED = "ours, the peer has not taken it yet"
    OFFERED = "the peer's, we have not accepted it yet"
    AGREED = "taken"


class Stream:
    """
    What a :class:`pico.wire.yamux.session.Session` knows of one stream. Everybody else only reads, but for
    ``owner``.

    The flow control invariant: ``receive_window + unconsumed`` plus what was consumed and not yet credited is
    ``window``. A payload counts from the moment that its frame's header was read.

    :ivar owner: free for the user of the session.
    :ivar send_window: bytes that the peer lets us send.
    :ivar queued: bytes that wait for the window or for their turn.
    :ivar window: the size of our receive window.
    :ivar receive_window: bytes that the peer may still send.
    :ivar unconsumed: bytes received that :meth:`pico.wire.yamux.session.Session.consumed` was not called for.
    """

    __slots__ = (
        "credited_at",
        "flags",
        "id",
        "notify_at",
        "opening",
        "owner",
        "queue",
        "queued",
        "receive_window",
        "scheduled",
        "send_window",
        "state",
        "unconsumed",
        "window",
    )

    def __init__(self, stream_id: int, opening: Opening, now: float) -> None:
        self.id = stream_id
        self.opening = opening
        self.state = State.OPEN
        self.owner: object = None
        self.send_window = INITIAL_WINDOW
        self.queue: list[bytes | memoryview] = []
        self.queued = 0
        self.window = INITIAL_WINDOW
        self.receive_window = INITIAL_WINDOW
        self.unconsumed = 0
        # The flags that the next frame of this stream carries: ACK, or none.
        self.flags = 0
        # Whether the stream stands in the session's list of those that may send.
        self.scheduled = False
        # Report when no more bytes than this are queued; -1 for never.
        self.notify_at = -1
        # When credit was given last: how fast a window is used decides whether it grows.
        self.credited_at = now

    @property
    def acked(self) -> bool:
        """
        Whether the side that did not open the stream has taken it: by its ACK, or by sending anything else on
        it.
        """
        return self.opening is Opening.AGREED

    def advance(self, step: Step) -> bool:
        """
        Take a step, if the state allows it.
        """
        following = TRANSITIONS.get((self.state, step))
        if following is None:
            return False
        self.state = following
        return True

    def __repr__(self) -> str:
        return f"<Stream {self.id} {self.state.value}, {self.opening.value}>"
