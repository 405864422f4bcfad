"""
The processes of a run: started, waited for, and ended whatever happens.

Each leads a session of its own. A Ctrl-C in the terminal then reaches the benchmark alone, which ends them,
and what a child has started ends with it. Output goes to files in the run's directory, which nobody reads
unless something breaks.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import BinaryIO, Protocol, TypeVar

from pico.bench.faults import BenchError

_Answer = TypeVar("_Answer")

#: Seconds between two looks at something that is waited for.
_PAUSE = 0.002

#: Characters of a child's output that an error shows.
_SHOWN = 2000


class Process(Protocol):
    """
    As much of :class:`subprocess.Popen` as is used here.
    """

    @property
    def pid(self) -> int: ...
    @property
    def returncode(self) -> int | None: ...
    def poll(self) -> int | None: ...
    def terminate(self) -> None: ...
    def wait(self, timeout: float | None = None) -> int: ...


class System:
    """
    What processes and time are made of. Tests have another.
    """

    def launch(self, command: Sequence[str], directory: Path, output: BinaryIO) -> Process:
        """
        Start a process that leads a session of its own.
        """
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            cwd=directory,
            start_new_session=True,
        )

    def kill(self, session: int) -> None:
        """
        Kill all processes of a session; there may be none left.
        """
        try:
            os.killpg(session, signal.SIGKILL)
        except ProcessLookupError:
            pass

    def now(self) -> float:
        """
        Seconds since whenever.
        """
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """
        Let time pass.
        """
        time.sleep(seconds)


class Child:
    """
    A process.

    :ivar output: the file that its output goes to.
    """

    def __init__(self, name: str, process: Process, output: Path, system: System) -> None:
        self.name = name
        self.process = process
        self.output = output
        self._system = system

    @property
    def pid(self) -> int:
        """
        The number of the process.
        """
        return self.process.pid

    def read(self) -> str:
        """
        All that it has printed so far.
        """
        return self.output.read_text("utf-8", "replace")

    def check(self) -> None:
        """
        Be sure that it lives.

        :raises BenchError: with the end of its output, if it does not.
        """
        if self.process.poll() is not None:
            raise BenchError(f"{self.name} ended with status {self.process.returncode}:\n{self.read()[-_SHOWN:]}")

    def when(self, look: Callable[[], _Answer | None], what: str, *, within: float) -> _Answer:
        """
        Look again and again until there is something to see, while the process lives.

        :param what: is waited for, as the end of a sentence.
        :param within: seconds.
        :raises BenchError: if it ends, or the time is over.
        """
        deadline = self._system.now() + within
        while (answer := look()) is None:
            self.check()
            if self._system.now() > deadline:
                raise BenchError(f"{self.name}: no {what} within {within:g} s:\n{self.read()[-_SHOWN:]}")
            self._system.sleep(_PAUSE)
        return answer


class Children:
    """
    All processes of a run.
    """

    def __init__(self, directory: Path, system: System | None = None) -> None:
        """
        :param directory: where they run, and where their output goes.
        """
        self._directory = directory
        self._system = system or System()
        self._children: list[Child] = []
        self._started = 0

    def start(self, name: str, command: Sequence[str]) -> Child:
        """
        Start a process that runs until it is stopped.
        """
        self._started += 1
        path = self._directory / f"{self._started:03}-{name.replace(' ', '-')}.log"
        with path.open("wb") as output:
            child = Child(name, self._system.launch(command, self._directory, output), path, self._system)
            self._children.append(child)
        return child

    def run(self, name: str, command: Sequence[str], *, within: float) -> str:
        """
        Run a process to its end.

        :param within: seconds.
        :return: what it printed.
        :raises BenchError: if it fails or takes too long, or if another one has ended meanwhile.
        """
        child = self.start(name, command)
        try:
            status = child.process.wait(within)
        except subprocess.TimeoutExpired:
            raise BenchError(f"{name} did not end within {within:g} s:\n{child.read()[-_SHOWN:]}") from None
        finally:
            self.kill(child)
        # Whoever should have served tells more of what went wrong than whoever was not served.
        for other in self._children:
            other.check()
        if status:
            child.check()
        return child.read()

    def rest(self, seconds: float) -> None:
        """
        Do nothing for a while.
        """
        self._system.sleep(seconds)

    def kill(self, child: Child) -> None:
        """
        End a process, and what it has started, without ceremony.
        """
        self._system.kill(child.pid)
        child.process.wait()
        self._children.remove(child)

    def close(self, *, patience: float = 5.0) -> None:
        """
        Ask all processes to end, and kill those that have not after some seconds.
        """
        for child in reversed(self._children):
            child.process.terminate()
        deadline = self._system.now() + patience
        for child in reversed(self._children):
            try:
                child.process.wait(max(0.0, deadline - self._system.now()))
            except subprocess.TimeoutExpired:
                pass
        for child in list(self._children):
            self.kill(child)
