"""
A byte stream in binary messages.

The library reads ahead: by the time that it hands out frames it has answered those behind them as well.
Where that would make the result depend on how the bytes were cut (a text message, which only we refuse), the
replies are made anew.
"""

from __future__ import annotations

import enum
import logging
from collections.abc import Sequence

from websockets.frames import Frame, Opcode
from websockets.protocol import Protocol, State
from websockets.protocol import Side as LibrarySide

from pico.errors import LocalProtocolError, RemoteProtocolError
from pico.wire.websocket.events import Bytes, Closed, Event, Failed

#: Payload of one frame that is masked. A larger one makes the allocator fetch and return its memory each
#: time, here and at the server, which costs more than the frames.
MASKED_FRAME = 98_304

#: What the library logs is the same for all streams. Below a warning it would log payloads.
_LOGGER = logging.getLogger("pico.wire.websocket")
_LOGGER.setLevel(logging.WARNING)

# Close codes, RFC 6455 section 7.4.1.
_PROTOCOL_ERROR = 1002
_UNSUPPORTED = 1003
_NO_STATUS = 1005
_ABNORMAL = 1006

_TEXT_REFUSED = "only binary messages are expected"

_BINARY = Opcode.BINARY
_CONT = Opcode.CONT
_CLOSE = Opcode.CLOSE
_TEXT = Opcode.TEXT
_OPEN = State.OPEN


class Side(enum.Enum):
    """
    Which side of the WebSocket this is; the client masks what it sends.
    """

    CLIENT = LibrarySide.CLIENT
    SERVER = LibrarySide.SERVER


class Life(enum.Enum):
    """
    How far a stream has come.
    """

    OPEN = "both sides may send"
    CLOSING = "we have ended, the peer may still send"
    ENDED = "the peer has ended or broke the protocol, and nothing is read or sent any more"


_L_OPEN = Life.OPEN
_L_CLOSING = Life.CLOSING
_L_ENDED = Life.ENDED


class ByteStream:
    """
    One side of a WebSocket that carries bytes.

    Whoever calls :meth:`receive_data` then sends what :meth:`data_to_send` has.
    """

    __slots__ = ("_library", "_life", "_side")

    def __init__(self, side: Side, max_fragment: int = 1024 * 1024) -> None:
        """
        :param max_fragment: bytes in one frame of the peer; a message may have any number of them.
        """
        self._side = side.value
        self._life = _L_OPEN
        self._library = Protocol(self._side, state=_OPEN, max_size=(None, max_fragment), logger=_LOGGER)

    @property
    def closed(self) -> bool:
        """
        Whether the peer has ended or broke the protocol, so that nothing is read or sent any more.
        """
        return self._life is _L_ENDED

    # Input

    def receive_data(self, data: bytes) -> list[Event]:
        """
        Take bytes from the peer, cut anywhere.
        """
        if self._life is _L_ENDED:
            return []
        library = self._library
        library.receive_data(data)
        # Without a handshake all its events are frames.
        frames: list[Frame] = library.events_received()  # type: ignore[assignment]
        events: list[Event] = []
        for frame in frames:
            opcode = frame.opcode
            if opcode is _BINARY or opcode is _CONT:
                payload = frame.data
                if payload:
                    # The library's parser keeps its last frame, for as long as a tunnel is idle.
                    frame.data = b""
                    events.append(Bytes(payload if payload.__class__ is bytes else bytes(payload)))
            elif opcode is _TEXT:
                events.append(self._refuse_text(frames))
                return events
            elif opcode is _CLOSE:
                self._life = _L_ENDED
                events.append(Closed(_code_in(frame)))
                return events
        if library.state is not _OPEN and self._life is _L_OPEN:
            events.append(self._failed())
        return events

    def receive_eof(self) -> list[Event]:
        """
        The connection has ended; without a Close frame that is the way of Piko's programs, not a fault.
        """
        if self._life is _L_ENDED:
            return []
        self._life = _L_ENDED
        return [Closed(_ABNORMAL)]

    # Verbs

    def send(self, data: bytes) -> bytes:
        """
        Make one message; nothing once the peer has ended.

        :raises LocalProtocolError: behind :meth:`close`.
        """
        life = self._life
        if life is not _L_OPEN:
            if life is _L_CLOSING:
                raise LocalProtocolError("nothing may be sent behind the Close frame")
            return b""
        library = self._library
        size = len(data)
        if size <= MASKED_FRAME or self._side is LibrarySide.SERVER:
            library.send_binary(data)
        else:
            library.send_binary(data[:MASKED_FRAME], fin=False)
            for start in range(MASKED_FRAME, size, MASKED_FRAME):
                end = start + MASKED_FRAME
                library.send_continuation(data[start:end], fin=end >= size)
        return self.data_to_send()

    def close(self, code: int = 1000) -> bytes:
        """
        Make a Close frame; nothing the second time, or once the peer has ended.

        The caller then waits for ``Closed`` for as long as it likes. Bytes that come meanwhile are still
        reported; a fault of the peer is not told from its end any more.
        """
        if self._life is _L_OPEN:
            self._life = _L_CLOSING
            self._library.send_close(code)
        return self.data_to_send()

    def data_to_send(self) -> bytes:
        """
        Take the replies that the protocol asks for (pong, Close).
        """
        made = self._library.data_to_send()
        return made[0] if len(made) == 1 else b"".join(made)

    # Inside

    def _refuse_text(self, frames: Sequence[Frame]) -> Failed:
        """
        End the stream at the first text among the frames that came together.
        """
        library = Protocol(self._side, state=_OPEN if self._life is _L_OPEN else State.CLOSING, logger=_LOGGER)
        for frame in frames:
            if frame.opcode is _TEXT:
                break
            if frame.opcode is Opcode.PING:
                library.send_pong(frame.data)
        library.fail(_UNSUPPORTED, _TEXT_REFUSED)
        self._library = library
        self._life = _L_ENDED
        return Failed(RemoteProtocolError(_UNSUPPORTED, _TEXT_REFUSED))

    def _failed(self) -> Failed:
        """
        Say what the library found wrong. It has queued a Close frame, whose code and reason it tells once it
        was told of the end.
        """
        self._life = _L_ENDED
        self._library.receive_eof()
        sent = self._library.close_exc.sent
        if sent is None:
            return Failed(RemoteProtocolError(_PROTOCOL_ERROR, "malformed frame"))
        return Failed(RemoteProtocolError(int(sent.code), sent.reason))


def _code_in(close: Frame) -> int:
    """
    The code in a Close frame, which the library has checked.
    """
    return int.from_bytes(close.data[:2], "big") if close.data else _NO_STATUS
