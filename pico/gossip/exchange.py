"""
Everything that two members know, over a stream of bytes.

For who has just come, or was away for long: a stream carries a hundred thousand keys in the time in which datagrams
carry a few thousand. Both sides do the same: they send the digests of all that they know, wait for the other side's,
and send what the other side lacks. The stream was opened, and proven to lead to a member of the group, by somebody
else.

Frames are a length of four bytes and sections as in datagrams; an empty one ends the digests, a second one everything.
What has arrived counts, also if the stream breaks off.
"""

from __future__ import annotations

import enum
from collections import deque
from struct import Struct

from pico.errors import RemoteProtocolError
from pico.gossip import codec, sync
from pico.gossip.codec import Malformed
from pico.gossip.events import Event
from pico.gossip.member import Member
from pico.gossip.parcels import Parcel
from pico.gossip.sections import Block, Digest

_LENGTH = Struct("!I")

#: Bytes of a frame at the most.
MAX_FRAME = 65_536

#: Bytes of the frames that we send, about.
_FRAME = 32_768


class _Reading(enum.Enum):
    DIGESTS = "digests"
    BLOCKS = "blocks"
    NOTHING = "nothing any more"


class Exchange:
    """
    One side of a state exchange.

    After :meth:`receive_data` there may be something to send; it is made only when it is asked for. When ``done``, the
    stream is to be closed; when ``error`` is set, too, and input is ignored.

    :ivar done: whether both sides have said everything.
    :ivar error: what the other side did wrong.
    """

    def __init__(self, member: Member) -> None:
        self._member = member
        self._digests = deque(member.digests(_FRAME))
        self._gifts: deque[sync.Gift] = deque()
        self._buffer = b""
        self._reading = _Reading.DIGESTS
        self._entries = 0
        #: Empty frames that are still to be sent.
        self._ends = 2
        self.done = False
        self.error: RemoteProtocolError | None = None

    def receive_data(self, data: bytes, now: float) -> list[Event]:
        """
        Take bytes, cut anywhere.
        """
        events: list[Event] = []
        self._member.counters.stream_bytes_in += len(data)
        if self.error is not None or self.done:
            return events
        buffer = self._buffer + data
        pos = 0
        while self.error is None and len(buffer) - pos >= _LENGTH.size:
            (length,) = _LENGTH.unpack_from(buffer, pos)
            if length > MAX_FRAME:
                self._fail("a frame is too long")
                break
            if len(buffer) - pos < _LENGTH.size + length:
                break
            pos += _LENGTH.size
            self._take_frame(buffer[pos : pos + length], now, events)
            pos += length
        self._buffer = buffer[pos:]
        return events

    def receive_eof(self) -> None:
        """
        The stream has ended.
        """
        if not self.done and self.error is None:
            self._fail("the stream ended before all was said")

    def data_to_send(self, size: int = _FRAME) -> bytes:
        """
        Some of what is to be sent: about ``size`` bytes, at least a frame; nothing when that is all for now.
        """
        made: list[bytes] = []
        length = 0
        while length < size and self.error is None:
            frame = self._next_frame()
            if frame is None:
                break
            made.append(_LENGTH.pack(len(frame)))
            made.append(frame)
            length += len(frame) + _LENGTH.size
        self._member.counters.stream_bytes_out += length
        return b"".join(made)

    def _next_frame(self) -> bytes | None:
        if self._digests:
            return self._digests.popleft()
        if self._ends == 2:
            self._ends = 1
            return b""
        if self._ends == 0 or self._reading is _Reading.DIGESTS:
            return None
        parcel = Parcel(b"", ("", 0), _FRAME)
        while self._gifts:
            if not sync.write_blocks(parcel, [self._gifts[0]], 1, self._member.counters):
                break
            self._gifts.popleft()
        frames = parcel.take()
        if frames:
            return frames[0]
        self._ends = 0
        self._look()
        return b""

    def _take_frame(self, frame: bytes, now: float, events: list[Event]) -> None:
        if not frame:
            self._reading = _Reading.BLOCKS if self._reading is _Reading.DIGESTS else _Reading.NOTHING
            self._look()
            return
        try:
            sections = codec.read(frame)
        except Malformed as error:
            self._fail(str(error))
            return
        for section in sections:
            if isinstance(section, Block) and self._reading is _Reading.BLOCKS:
                self._member.take_block(section, now, events)
            elif isinstance(section, Digest) and self._reading is _Reading.DIGESTS:
                self._entries += len(section.entries) // codec.ENTRY_SIZE
                self._gifts.extend(sync.compare(self._member.roster, section).gifts)
            else:
                self._fail(f"{type(section).__name__} was not to be expected here")
                return
        if len(self._gifts) > 4 * len(self._member.roster) or self._entries > MAX_FRAME:
            self._fail("there are too many digests")

    def _look(self) -> None:
        if self._reading is _Reading.NOTHING and self._ends == 0:
            self.done = True

    def _fail(self, reason: str) -> None:
        self.error = RemoteProtocolError(0, reason)
        self._buffer = b""
        self._gifts.clear()
