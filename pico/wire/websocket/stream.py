"""
A byte stream in binary messages.

Payload is handed out as it comes, in whatever pieces; what a frame says before its payload is decided when its header
is there, so neither events nor replies depend on how the bytes were cut. At most a header, and a control frame, is
kept until the rest has come.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Sequence
from typing import Final

from pico.errors import LocalProtocolError, RemoteProtocolError
from pico.wire.websocket.events import Bytes, Closed, Event, Failed
from pico.wire.websocket.frames import (
    ABNORMAL,
    BINARY,
    CLOSE,
    CONT,
    FIN,
    IN_16_BITS,
    IN_64_BITS,
    INVALID_DATA,
    LENGTH,
    MASKED,
    NORMAL,
    OPCODE,
    PING,
    PONG,
    PROTOCOL_ERROR,
    RESERVED,
    TEXT,
    TOO_BIG,
    UNSUPPORTED,
    close_code,
    make_header,
)

try:
    from websockets.speedups import apply_mask
except ImportError:  # the library was built without a compiler
    from websockets.utils import apply_mask

#: Payload of one frame that is masked. A larger one makes the allocator fetch and return its memory each
#: time, which costs more than the frames.
MASKED_FRAME: Final = 98_304

#: Bytes of a payload from which on it is unmasked where it stands, rather than cut out before.
_LARGE: Final = 2048

#: Random bytes that a client draws at a time, to draw seldom.
_DRAWN: Final = 512


class Side(enum.Enum):
    """
    Which side of the WebSocket this is; the client masks what it sends.
    """

    CLIENT = "client"
    SERVER = "server"


class Life(enum.Enum):
    """
    How far a stream has come.
    """

    OPEN = "both sides may send"
    CLOSING = "we have ended, the peer may still send"
    DEAF = "we have ended, and the peer broke the protocol then: the end of the connection is waited for"
    ENDED = "the peer has ended or broke the protocol, and nothing is read or sent any more"


_OPEN: Final[Life] = Life.OPEN
_CLOSING: Final[Life] = Life.CLOSING
_DEAF: Final[Life] = Life.DEAF
_ENDED: Final[Life] = Life.ENDED


class ByteStream:
    """
    One side of a WebSocket that carries bytes.

    Whoever calls :meth:`receive_data` then sends what :meth:`data_to_send` has.
    """

    __slots__ = ("_drawn", "_key", "_left", "_life", "_masks", "_max_fragment", "_replies", "_rest", "_within")

    def __init__(
        self, side: Side, max_fragment: int = 1024 * 1024, *, masks: Callable[[int], bytes] | None = None
    ) -> None:
        """
        :param max_fragment: bytes in one frame of the peer; a message may have any number of them.
        :param masks: gives so many bytes that nobody can foresee (RFC 6455 section 5.3). A client needs them.
        """
        if side is Side.CLIENT and masks is None:
            raise LocalProtocolError("a client masks what it sends, and needs random bytes for that")
        self._masks = masks if side is Side.CLIENT else None
        self._max_fragment = max_fragment
        self._life = _OPEN
        # Random bytes that are left.
        self._drawn = b""
        # Reading: the part of a header or of a control frame that has come; what is left of a payload, and the mask
        # of its next four bytes; whether a message has begun whose last frame has not.
        self._rest = b""
        self._left = 0
        self._key = b""
        self._within = False
        self._replies = b""

    @property
    def closed(self) -> bool:
        """
        Whether the peer has ended or broke the protocol, so that nothing is read or sent any more.
        """
        return self._life is _ENDED

    # Input

    def receive_data(self, data: bytes) -> list[Event]:
        """
        Take bytes from the peer, cut anywhere.
        """
        life = self._life
        if life is _ENDED or life is _DEAF:
            return []
        if self._rest:
            data = self._rest + data
            self._rest = b""
        events: list[Event] = []
        server = self._masks is None
        end = len(data)
        pos = 0
        while pos < end:
            left = self._left
            if left:
                size = min(left, end - pos)
                self._left = left - size
                events.append(Bytes(self._payload(data, pos, size) if server else data[pos : pos + size]))
                pos += size
                continue
            if end - pos < 2:
                break
            first = data[pos]
            second = data[pos + 1]
            opcode = first & OPCODE
            fault = self._fault(first, opcode, second, server)
            if fault:
                self._fail(PROTOCOL_ERROR, fault, events)
                return events
            length = second & LENGTH
            behind = pos + 2
            if length == IN_16_BITS:
                behind += 2
                if end < behind:
                    break
                length = data[pos + 2] << 8 | data[pos + 3]
            elif length == IN_64_BITS:
                behind += 8
                if end < behind:
                    break
                length = int.from_bytes(data[pos + 2 : behind], "big")
            if length > self._max_fragment:
                self._fail(TOO_BIG, f"frame of more than {self._max_fragment} bytes", events)
                return events
            if opcode == TEXT:
                self._refuse_text(events)
                return events
            if server:
                behind += 4
                if end < behind:
                    break
                self._key = data[behind - 4 : behind]
            if opcode < CLOSE:
                self._within = not first & FIN
                self._left = length
                pos = behind
                continue
            if end - behind < length:
                break
            pos = behind + length
            self._control(opcode, self._payload(data, behind, length) if server else data[behind:pos], events)
            if self._life is _ENDED or self._life is _DEAF:
                return events
        if pos < end:
            self._rest = data[pos:]
        return events

    def receive_eof(self) -> list[Event]:
        """
        The connection has ended; without a Close frame that is the way of Piko's programs, not a fault.
        """
        if self._life is _ENDED:
            return []
        self._life = _ENDED
        return [Closed(ABNORMAL)]

    # Verbs

    def send(self, data: bytes) -> bytes:
        """
        Make one message; nothing once the peer has ended.

        :raises LocalProtocolError: behind :meth:`close`.
        """
        return b"".join(self.send_pieces([data]))

    def send_pieces(self, pieces: Sequence[bytes | memoryview]) -> list[bytes | memoryview]:
        """
        Make one message of several pieces; see :meth:`send`.

        :return: bytes to be sent one behind the other. What need not be masked is not copied.
        """
        life = self._life
        if life is not _OPEN:
            if life is not _ENDED:
                raise LocalProtocolError("nothing may be sent behind the Close frame")
            return []
        made: list[bytes | memoryview] = []
        if self._replies:
            made.append(self._replies)
            self._replies = b""
        size = 0
        for piece in pieces:
            size += len(piece)
        if self._masks is None:
            made.append(make_header(FIN | BINARY, size, 0))
            made += pieces
        elif size <= MASKED_FRAME:
            self._mask_into(made, FIN | BINARY, pieces[0] if len(pieces) == 1 else b"".join(pieces), size)
        else:
            whole = memoryview(pieces[0] if len(pieces) == 1 else b"".join(pieces))
            first = BINARY
            for start in range(0, size, MASKED_FRAME):
                end = min(start + MASKED_FRAME, size)
                self._mask_into(made, first | FIN if end == size else first, whole[start:end], end - start)
                first = CONT
        return made

    def close(self, code: int = NORMAL) -> bytes:
        """
        Make a Close frame; nothing the second time, or once the peer has ended.

        The caller then waits for ``Closed`` for as long as it likes. Bytes that come meanwhile are still
        reported; a fault of the peer is not told from its end any more.
        """
        if self._life is _OPEN:
            self._life = _CLOSING
            self._reply(CLOSE, code.to_bytes(2, "big"))
        return self.data_to_send()

    def data_to_send(self) -> bytes:
        """
        Take the replies that the protocol asks for (pong, Close).
        """
        replies = self._replies
        if replies:
            self._replies = b""
        return replies

    # Inside: reading

    def _fault(self, first: int, opcode: int, second: int, server: bool) -> str:
        """
        What is wrong with the first two bytes of a frame.
        """
        if opcode > PONG or (TEXT < opcode < CLOSE and opcode != BINARY):
            return "invalid opcode"
        if (second & MASKED != 0) != server:
            return "incorrect masking"
        if first & RESERVED:
            return "reserved bits must be 0"
        if opcode >= CLOSE:
            if second & LENGTH >= IN_16_BITS:
                return "control frame too long"
            return "" if first & FIN else "fragmented control frame"
        if opcode == CONT:
            return "" if self._within else "unexpected continuation frame"
        return "expected a continuation frame" if self._within else ""

    def _payload(self, data: bytes, pos: int, size: int) -> bytes:
        """
        Unmask what has come of a payload.
        """
        key = self._key
        turn = size & 3
        if turn:
            self._key = key[turn:] + key[:turn]
        if size < _LARGE:
            return apply_mask(data[pos : pos + size], key)
        return apply_mask(memoryview(data)[pos : pos + size], key)

    def _control(self, opcode: int, payload: bytes, events: list[Event]) -> None:
        """
        Act on a control frame.
        """
        if opcode == PING:
            self._reply(PONG, payload)
        elif opcode == CLOSE:
            try:
                code = close_code(payload)
            except UnicodeDecodeError:
                self._fail(INVALID_DATA, "close reason is not UTF-8", events)
                return
            except ValueError as error:
                self._fail(PROTOCOL_ERROR, str(error), events)
                return
            if self._within:
                self._fail(PROTOCOL_ERROR, "incomplete fragmented message", events)
                return
            if self._life is _OPEN:
                self._reply(CLOSE, payload)
            self._life = _ENDED
            events.append(Closed(code))

    def _refuse_text(self, events: list[Event]) -> None:
        """
        End the stream at a text, which only we refuse.
        """
        if self._life is _CLOSING:
            self._life = _ENDED
            events.append(Failed(RemoteProtocolError(UNSUPPORTED, "only binary messages are expected")))
        else:
            self._fail(UNSUPPORTED, "only binary messages are expected", events)

    def _fail(self, code: int, reason: str, events: list[Event]) -> None:
        """
        End the stream for the peer's fault, and tell it, unless our Close was told already.
        """
        if self._life is _CLOSING:
            self._life = _DEAF
            return
        self._life = _ENDED
        self._reply(CLOSE, code.to_bytes(2, "big") + reason.encode("utf-8"))
        events.append(Failed(RemoteProtocolError(code, reason)))

    # Inside: writing

    def _reply(self, opcode: int, payload: bytes) -> None:
        """
        Queue a control frame.
        """
        made: list[bytes | memoryview] = [self._replies]
        if self._masks is None:
            made += [make_header(FIN | opcode, len(payload), 0), payload]
        else:
            self._mask_into(made, FIN | opcode, payload, len(payload))
        self._replies = b"".join(made)

    def _mask_into(self, made: list[bytes | memoryview], first: int, payload: bytes | memoryview, size: int) -> None:
        """
        Add a masked frame.
        """
        drawn = self._drawn
        if not drawn:
            assert self._masks is not None
            drawn = self._masks(_DRAWN)
        key = drawn[:4]
        self._drawn = drawn[4:]
        made.append(make_header(first, size, MASKED) + key)
        made.append(apply_mask(payload, key))
