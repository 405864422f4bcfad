"""
Open file descriptors that are written to without waiting for their readers.

A regular file is written to as it is: the kernel takes the bytes into its cache, as it does for every server that
logs. Everything else has a reader who may be slow or asleep (a pager, a terminal that was stopped with Ctrl-S, a
container's engine, the journal). To set the descriptor to non-blocking would do that to the shell and to everybody
else who holds it, so each kind has a way of its own: a socket has a flag for a single call; a pipe is asked first, and
given no more than it then certainly takes; a terminal, which may take less than it is given and keep the caller for
the rest, is opened once more for us alone.
"""

from __future__ import annotations

import errno
import os
import select
import socket
import stat

from pico.errors import ConfigError

#: Bytes to offer at a time where that does not matter. Where it does, on a pipe, it is PIPE_BUF: who takes anything
#: takes so much, and as one piece, whoever else writes to it.
_PIECE = 65_536


class Descriptor:
    """
    An open file descriptor, of whatever kind.

    :ivar piece: how many bytes to offer at a time.
    """

    def __init__(self, fd: int, *, owned: bool) -> None:
        """
        :param owned: whether :meth:`close` closes it.
        """
        self.piece = _PIECE
        self._fd = fd
        self._owned = owned
        self._socket: socket.socket | None = None
        mode = os.fstat(fd).st_mode
        self._regular = stat.S_ISREG(mode)
        if stat.S_ISSOCK(mode):
            self._socket = socket.socket(fileno=os.dup(fd))
        elif stat.S_ISCHR(mode) and os.isatty(fd):
            self._open_terminal()
        elif not self._regular:
            self.piece = select.PIPE_BUF
        self._poll = select.poll()
        self._poll.register(self._fd, select.POLLOUT)

    def write(self, data: bytes) -> int:
        """
        Write what can be written at once.
        """
        try:
            if self._socket is not None:
                return self._socket.send(data, socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL)
            if self._regular or self.wait(0):
                return os.write(self._fd, data)
        except (BlockingIOError, InterruptedError):
            pass
        return 0

    def wait(self, seconds: float) -> bool:
        """
        Wait until it takes something.
        """
        return any(events & (select.POLLOUT | select.POLLERR) for _, events in self._poll.poll(seconds * 1000))

    def close(self) -> None:
        """
        Let go of it.
        """
        if self._socket is not None:
            self._socket.close()
        if self._owned:
            os.close(self._fd)

    def _open_terminal(self) -> None:
        try:
            own = os.open(f"/proc/self/fd/{self._fd}", os.O_WRONLY | os.O_NOCTTY | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError:
            # Somebody else's, as after su. A single character it takes when it says that it takes something.
            self.piece = 1
            return
        if self._owned:
            os.close(self._fd)
        self._fd = own
        self._owned = True


def open_target(path: str) -> Descriptor:
    """
    Open a file to append to, made if it is not there, readable by its owner and group.

    :raises ConfigError: it cannot be opened.
    """
    try:
        # A pipe without a reader would keep us waiting.
        fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOCTTY | os.O_NONBLOCK, 0o640)
    except OSError as error:
        reason = (
            "it is a socket, or a pipe that nobody reads"
            if error.errno == errno.ENXIO
            else (error.strerror or "").lower()
        )
        raise ConfigError(f"log.path: cannot open {path}: {reason}") from None
    return Descriptor(fd, owned=True)
