"""
The demo's processes: started, listened to, and ended.

One thread does it all. :meth:`Children.listen` waits for output of any child; whoever waits for something
else calls it in short turns and looks in between. Each child leads a session of its own, so a Ctrl-C in the
terminal reaches the demo alone, which then ends them in its own order.
"""

from __future__ import annotations

import os
import selectors
import subprocess
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

#: Lines of a child's output that are kept.
_KEPT = 20

#: Characters of a line that are kept.
_WIDTH = 500


class Process(Protocol):
    """
    As much of :class:`subprocess.Popen` as is used here.
    """

    returncode: int | None

    def poll(self) -> int | None: ...
    def terminate(self) -> None: ...
    def kill(self) -> None: ...
    def wait(self) -> int: ...


class Child:
    """
    A process and the end of its output.

    :ivar tail: its last lines.
    """

    def __init__(self, name: str, process: Process) -> None:
        self.name = name
        self.process = process
        self.tail: deque[str] = deque(maxlen=_KEPT)
        self._part = b""

    @property
    def ended(self) -> bool:
        """
        Whether the process is over.
        """
        return self.process.poll() is not None

    def take(self, data: bytes) -> list[str]:
        """
        Take output, cut anywhere; nothing at its end.

        :return: the lines that it completes.
        """
        *complete, self._part = (self._part + data).split(b"\n")
        if not data and self._part:
            complete, self._part = [self._part], b""
        elif len(self._part) > _WIDTH:
            # A line without end is shown in pieces rather than kept for ever.
            complete, self._part = [*complete, self._part], b""
        lines = [line.decode("utf-8", "replace").rstrip("\r")[:_WIDTH] for line in complete]
        self.tail.extend(lines)
        return lines


Launch = Callable[[Sequence[str], Mapping[str, str]], tuple[Process, int]]


def launch(command: Sequence[str], environment: Mapping[str, str]) -> tuple[Process, int]:
    """
    Start a process.

    :return: it, and the descriptor from which its output is read, which the caller closes.
    """
    reading, writing = os.pipe()
    try:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=writing,
            stderr=writing,
            env=dict(environment),
            start_new_session=True,
        )
    except BaseException:
        os.close(reading)
        raise
    finally:
        os.close(writing)
    os.set_blocking(reading, False)
    return process, reading


class Children:
    """
    All processes of the demo, in the order in which they were started.

    :ivar on_line: gets the name of a child and a line of its output.
    """

    def __init__(
        self,
        environment: Mapping[str, str],
        *,
        launch: Launch = launch,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """
        :param environment: of each child.
        """
        self._environment = environment
        self._launch = launch
        self._clock = clock
        self._children: list[Child] = []
        self._selector = selectors.DefaultSelector()
        self.on_line: Callable[[str, str], None] = _ignore

    def start(self, name: str, command: Sequence[str]) -> Child:
        """
        Start a process.
        """
        process, output = self._launch(command, self._environment)
        child = Child(name, process)
        self._children.append(child)
        self._selector.register(output, selectors.EVENT_READ, child)
        return child

    def listen(self, seconds: float) -> None:
        """
        Wait for output, at most so long, and take what there is.
        """
        if not self._selector.get_map():
            time.sleep(seconds)
            return
        for key, _ in self._selector.select(seconds):
            self._take(key.fd, key.data)

    def find_ended(self) -> Child | None:
        """
        The first child that has ended by itself, with all its output read.
        """
        for child in self._children:
            if child.ended:
                self._drain(child)
                return child
        return None

    def kill(self, child: Child) -> None:
        """
        End a child at once, which cannot do anything about it, and forget it.
        """
        child.process.kill()
        child.process.wait()
        self.forget(child)

    def forget(self, child: Child) -> None:
        """
        Take what an ended child has left behind, and know it no more.
        """
        self._drain(child)
        for key in list(self._selector.get_map().values()):
            if key.data is child:
                self._forget(key.fd)
        self._children.remove(child)

    def stop(self, patience: float, hurried: Callable[[], bool]) -> None:
        """
        End every child, the one started last first, and wait until it is gone. Output is still taken.

        :param patience: seconds that each gets before it is killed.
        :param hurried: whether to kill at once what is left.
        """
        while self._children:
            child = self._children[-1]
            if not child.ended:
                child.process.terminate()
            deadline = self._clock() + patience
            while not child.ended:
                if hurried() or self._clock() >= deadline:
                    child.process.kill()
                    child.process.wait()
                else:
                    self.listen(0.05)
            self._drain(child)
            self._children.pop()

    def close(self) -> None:
        """
        Let go of what belongs to the operating system; after :meth:`stop`.
        """
        for key in list((self._selector.get_map() or {}).values()):
            self._forget(key.fd)
        self._selector.close()

    # Inside

    def _take(self, output: int, child: Child) -> bool:
        """
        Take some of a child's output.

        :return: whether there was any.
        """
        try:
            data = os.read(output, 65_536)
        except BlockingIOError:
            return False
        for line in child.take(data):
            self.on_line(child.name, line)
        if not data:
            self._forget(output)
        return bool(data)

    def _drain(self, child: Child) -> None:
        """
        Take what an ended child has left in its pipe; something that it started may still hold the other end.
        """
        for key in list(self._selector.get_map().values()):
            if key.data is child:
                while self._take(key.fd, child):
                    pass

    def _forget(self, output: int) -> None:
        self._selector.unregister(output)
        os.close(output)


def _ignore(name: str, line: str) -> None:
    """
    Take no notice.
    """
