"""
Where lines go: a file, a terminal, a pipe or the journal's socket, none of which may ever hold up the program.

What is not taken at once waits, up to a bound. Beyond it new lines are dropped and counted, and the count is the first
line when there is room again.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable
from typing import Final, Protocol

from twisted.internet.interfaces import IDelayedCall, IReactorTime

#: Seconds until something that did not take all is asked again, whatever comes meanwhile.
RETRY: Final = 0.01

#: Seconds that the end of the program may wait for whoever reads its last lines.
LINGER: Final = 1.0


class Target(Protocol):
    """
    What lines are written to.

    :ivar piece: how many bytes to offer at a time.
    """

    @property
    def piece(self) -> int: ...

    def write(self, data: bytes) -> int:
        """
        Write what can be written at once.

        :param data: at most :attr:`piece` bytes.
        :return: how many bytes were taken.
        :raises OSError: it takes nothing, and will not without somebody's doing: the disk is full, the reader is gone.
        """

    def wait(self, seconds: float) -> bool:
        """
        Wait until it takes something.
        """

    def close(self) -> None:
        """
        Let go of it.
        """


class Outlet:
    """
    Write lines to a target, in order, without waiting for it.
    """

    def __init__(
        self,
        target: Target,
        *,
        clock: IReactorTime,
        limit: int,
        note: Callable[[int], str],
    ) -> None:
        """
        :param limit: bytes that may wait.
        :param note: words the line that says how many lines were dropped.

        The target's descriptor stays open when this is closed, for what bugs have to say at the very end.
        """
        self._target = target
        self._clock = clock
        self._limit = limit
        self._note = note
        self._lines: deque[bytes] = deque()
        self._size = 0
        self._broken = False
        self._closed = False
        self._retry: IDelayedCall | None = None
        self.dropped = 0

    def write(self, lines: Iterable[str]) -> None:
        """
        Write lines, or as many of them as are taken now, and the rest later.

        :param lines: without their ends.
        """
        for line in lines:
            data = line.encode("utf-8", "backslashreplace") + b"\n"
            if self._size + len(data) > (self._limit // 2 if self.dropped else self._limit):
                self.dropped += 1
                continue
            if self.dropped:
                self._tell_dropped()
            self._lines.append(data)
            self._size += len(data)
        if self._retry is None:
            self._try()

    def flush(self) -> bool:
        """
        Write what the target takes now.

        :return: whether that was all.
        """
        while self._lines:
            data = self._next_piece()
            try:
                taken = self._target.write(data)
            except OSError:
                # Nobody could be told but by this very target. It may be well again: a full disk, for one.
                taken = 0
                self._broken = True
            else:
                self._broken = False
            self._took(taken)
            if taken < len(data):
                return False
            if self.dropped and not self._lines:
                self._tell_dropped()
        return True

    def replace(self, target: Target) -> None:
        """
        Go on with another target. What the old one does not take any more goes to the new one.
        """
        self.flush()
        old, self._target = self._target, target
        old.close()
        self._stop_trying()
        self._try()

    def close(self, linger: float = LINGER) -> None:
        """
        Write what is left. Lines that come later still are written, if they are taken at once.

        :param linger: seconds for which a slow reader is waited for.
        """
        self._closed = True
        self._stop_trying()
        end = time.monotonic() + linger
        while not self.flush() and not self._broken:
            left = end - time.monotonic()
            if left <= 0 or not self._target.wait(left):
                break

    # Inside

    def _try(self) -> None:
        self._retry = None
        if not self.flush() and not self._closed:
            self._retry = self._clock.callLater(RETRY, self._try)

    def _stop_trying(self) -> None:
        if self._retry is not None:
            self._retry.cancel()
            self._retry = None

    def _tell_dropped(self) -> None:
        count, self.dropped = self.dropped, 0
        data = self._note(count).encode() + b"\n"
        self._lines.append(data)
        self._size += len(data)

    def _next_piece(self) -> bytes:
        """
        As many whole lines as the target takes at once; of a line that is longer, its beginning.
        """
        most = self._target.piece
        if self._size <= most:
            return b"".join(self._lines)
        size = 0
        lines = []
        for line in self._lines:
            size += len(line)
            if size > most:
                break
            lines.append(line)
        return b"".join(lines) if lines else self._lines[0][:most]

    def _took(self, taken: int) -> None:
        self._size -= taken
        if not self._size:
            self._lines.clear()
            return
        while taken:
            line = self._lines.popleft()
            if taken < len(line):
                self._lines.appendleft(line[taken:])
                return
            taken -= len(line)
