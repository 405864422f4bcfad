"""
What a session has to send: frames of its own first, then the streams' data in turns.

Invariants:

- A stream stands in ``ready`` (and is ``scheduled``) exactly if it may send: bytes are queued and the window
  is open, or its FIN is all that is left. A stream that was reset meanwhile may still stand there and is
  passed over.
- Frames without payload (``control``) overtake those with it, but for a FIN, which stands behind the stream's
  last byte.
- A FIN never rides on DATA: a Go reader may then see the end before the bytes. An ACK rides on whatever the
  stream sends next.
"""

from __future__ import annotations

from typing import Final

from pico.wire.yamux.events import QueueDrained
from pico.wire.yamux.frames import DATA, FIN, HEADER, HEADER_SIZE, WINDOW
from pico.wire.yamux.stream import State, Step, Stream

_pack: Final = HEADER.pack
_ENDING: Final[State] = State.ENDING
_LAST_ENDING: Final[State] = State.LAST_ENDING
_RESET: Final[State] = State.RESET


class Outbound:
    """
    The queues between a session's verbs and its carrier. The session fills the lists.

    :ivar acks: streams whose ACK is due.
    :ivar control: packed frames without payload.
    :ivar ready: streams that may send, in the order of their turns.
    :ivar drained: what became of queues that somebody waits for.
    :ivar finished: streams whose FIN has left, for the session to act on.
    """

    __slots__ = ("_max_frame", "acks", "control", "drained", "finished", "ready")

    def __init__(self, max_frame: int) -> None:
        """
        :param max_frame: payload bytes of one frame, which is one turn of a stream.
        """
        self._max_frame = max_frame
        self.acks: list[Stream] = []
        self.control: list[bytes] = []
        self.drained: list[QueueDrained] = []
        self.finished: list[Stream] = []
        self.ready: list[Stream] = []

    def schedule(self, stream: Stream) -> None:
        """
        Give a stream its turn, if it has none yet.
        """
        if not stream.scheduled:
            stream.scheduled = True
            self.ready.append(stream)

    def clear(self) -> None:
        """
        Let everything go.
        """
        self.acks = []
        self.control = []
        self.ready = []

    def take(self, limit: int) -> list[bytes | memoryview]:
        """
        Take frames, in pieces that follow each other, until ``limit`` bytes have been reached or nothing more may be
        sent.
        """
        if self.acks:
            self._send_acks()
        control = self.control
        ready = self.ready
        if not ready:
            if control:
                self.control = []
            return [*control]
        out: list[bytes | memoryview] = [*control]
        if control:
            self.control = []
        total = len(out) * HEADER_SIZE
        max_frame = self._max_frame
        again: list[Stream] = []
        while True:
            for position, stream in enumerate(ready, 1):
                queued = stream.queued
                if queued:
                    size = stream.send_window
                    if size > max_frame:
                        size = max_frame
                    if size >= queued:
                        size = queued
                        queued = 0
                        out.append(_pack(DATA, stream.flags, stream.id, size))
                        out += stream.queue
                        stream.queue.clear()
                    else:
                        queued -= size
                        out.append(_pack(DATA, stream.flags, stream.id, size))
                        _move(stream.queue, size, out)
                    stream.flags = 0
                    stream.queued = queued
                    stream.send_window -= size
                    total += size + HEADER_SIZE
                    if queued <= stream.notify_at:
                        stream.notify_at = -1
                        self.drained.append(QueueDrained(stream))
                if queued and stream.send_window:
                    again.append(stream)
                else:
                    stream.scheduled = False
                    state = stream.state
                    if (state is _ENDING or state is _LAST_ENDING) and not queued:
                        out.append(_pack(WINDOW, stream.flags | FIN, stream.id, 0))
                        total += HEADER_SIZE
                        stream.flags = 0
                        stream.advance(Step.FIN_SENT)
                        self.finished.append(stream)
                if total >= limit:
                    self.ready = ready[position:] + again
                    return out
            if not again:
                self.ready = again
                return out
            ready = again
            again = []

    def _send_acks(self) -> None:
        """
        Send the ACKs that no other frame is about to carry.
        """
        for stream in self.acks:
            if stream.flags and not stream.scheduled and stream.state is not _RESET:
                self.control.append(_pack(WINDOW, stream.flags, stream.id, 0))
                stream.flags = 0
        self.acks = []


def _move(queue: list[bytes | memoryview], size: int, out: list[bytes | memoryview]) -> None:
    """
    Move ``size`` bytes from the front of ``queue``, which holds more, to the end of ``out``, copying none.
    """
    whole = 0
    for chunk in queue:
        length = len(chunk)
        if length > size:
            if size:
                view = memoryview(chunk)
                out.append(view[:size])
                queue[whole] = view[size:]
            break
        out.append(chunk)
        size -= length
        whole += 1
    del queue[:whole]
