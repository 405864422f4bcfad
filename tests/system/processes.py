"""
Programs as children of a test: started, watched, stopped; their output kept for the day they fail.
"""

from __future__ import annotations

import atexit
import os
import random
import re
import shlex
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")

#: The top of the source tree, where children run.
ROOT = Path(__file__).resolve().parents[2]

#: The program under test. SYSTEM_TEST_PICO names another one, such as an installed ``pico``.
PICO: Sequence[str] = shlex.split(os.environ.get("SYSTEM_TEST_PICO", "")) or (sys.executable, "-m", "pico")

#: How long something may take that takes a moment. It is long because machines are slow, not because waiting is.
DEADLINE = 60.0

MIB = 1 << 20

_SUSPICIOUS = re.compile(
    r"^.*(?:Traceback \(most recent|Unhandled [Ee]rror|Unhandled error in Deferred).*$", re.MULTILINE
)


def eventually(condition: Callable[[], T], what: str, *, timeout: float = DEADLINE, interval: float = 0.02) -> T:
    """
    Wait until ``condition`` returns something true, and return that.

    :param what: what is waited for, for the message when it does not come.
    :raises AssertionError: after ``timeout`` seconds. A condition that raises OSError or AssertionError is false.
    """
    end = time.monotonic() + timeout
    trouble: Exception | None = None
    while True:
        try:
            result = condition()
            trouble = None
        except (OSError, AssertionError) as error:
            result, trouble = None, error
        if result:
            return result
        if time.monotonic() > end:
            because = f" (last: {trouble!r})" if trouble else f" (last: {result!r})"
            raise AssertionError(f"after {timeout:g} seconds still waiting for {what}{because}")
        time.sleep(interval)


def free_port() -> int:
    """
    Find a port of the loopback interface that nobody listens on and that outgoing connections will not take.
    """
    while True:
        port = random.randrange(12_000, 32_000)
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port


def clean_environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """
    The environment of children: ours without settings of Pico and of HTTP proxies.
    """
    environment = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("PICO_") and not name.lower().endswith("_proxy")
    }
    environment["PYTHONUNBUFFERED"] = "1"
    environment["LC_ALL"] = "C.UTF-8"
    environment.update(extra or {})
    return environment


class Program:
    """
    A running program. Its output, errors included, goes to a file.

    :ivar name: what it is called in messages.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        directory: Path,
        *,
        environment: Mapping[str, str] | None = None,
        cwd: Path = ROOT,
        stdout: int | None = None,
        pass_fds: Sequence[int] = (),
    ) -> None:
        """
        :param directory: where the log goes.
        :param stdout: a file descriptor to write to instead of the log.
        :param pass_fds: file descriptors that it inherits.
        """
        self.name = name
        self.command = list(command)
        self.log_path = directory / f"{name}-{len(list(directory.iterdir()))}.log"
        self._checked = 0
        with self.log_path.open("wb") as log:
            self._process = subprocess.Popen(
                self.command,
                stdin=subprocess.DEVNULL if stdout is None else stdout,
                stdout=log if stdout is None else stdout,
                stderr=subprocess.STDOUT,
                env=clean_environment(environment),
                cwd=cwd,
                start_new_session=True,
                pass_fds=pass_fds,
            )
        self.pid = self._process.pid
        atexit.register(self.kill)

    @property
    def log(self) -> str:
        """
        All that the program has written.
        """
        return self.log_path.read_text("utf-8", "replace")

    @property
    def running(self) -> bool:
        """
        Whether it lives.
        """
        return self._process.poll() is None

    @property
    def rss(self) -> int:
        """
        Its resident memory in bytes; 0 when it is gone.
        """
        try:
            fields = Path(f"/proc/{self.pid}/statm").read_text().split()
        except (FileNotFoundError, ProcessLookupError):
            return 0
        return int(fields[1]) * os.sysconf("SC_PAGE_SIZE")

    def wait(self, timeout: float = DEADLINE) -> int:
        """
        Wait for its end.

        :return: the exit status; negative for a signal.
        """
        try:
            return self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"{self.name} still runs after {timeout:g} seconds") from None

    def signal(self, number: signal.Signals) -> None:
        """
        Send a signal.
        """
        self._process.send_signal(number)

    def terminate(self) -> None:
        """
        Ask it to stop.
        """
        self.signal(signal.SIGTERM)

    def freeze(self) -> None:
        """
        Stop it from running, its sockets stay open: what a peer sees of a machine that hangs.
        """
        self.signal(signal.SIGSTOP)
        eventually(lambda: self._state() == "T", f"{self.name} to be frozen")

    def thaw(self) -> None:
        """
        Let it run again.
        """
        self.signal(signal.SIGCONT)

    def kill(self) -> None:
        """
        End it at once, if it lives, and with it what it has started.
        """
        if self._process.poll() is None:
            # It leads a group of its own (start_new_session).
            os.killpg(self.pid, signal.SIGKILL)
            self._process.wait()
        atexit.unregister(self.kill)

    def wait_for_log(self, pattern: str, timeout: float = DEADLINE) -> re.Match[str]:
        """
        Wait until the log holds what ``pattern`` describes.
        """

        def find() -> re.Match[str] | None:
            found = re.search(pattern, self.log)
            if found is None and not self.running:
                raise ProgramEnded(f"{self.name} ended with {self._process.returncode}:\n{self.log[-4000:]}")
            return found

        found = eventually(find, f"{pattern!r} in the log of {self.name}", timeout=timeout)
        assert found is not None
        return found

    def new_trouble(self) -> str:
        """
        What looks like a bug in the part of the log that was not looked at before; nothing if nothing does.
        """
        text = self.log
        part, self._checked = text[self._checked :], len(text)
        found = _SUSPICIOUS.search(part)
        return part[max(0, found.start() - 500) : found.start() + 4000] if found else ""

    def _state(self) -> str:
        return Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()[0]


class ProgramEnded(Exception):
    """
    A program ended that should run; not an AssertionError, so that nobody goes on waiting for it.
    """


class MemorySampler:
    """
    Watch the memory of programs from a thread, ten times a second and more.
    """

    def __init__(self, *programs: Program) -> None:
        self._programs = programs
        self._before = {program.pid: program.rss for program in programs}
        self._peak = dict(self._before)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self.samples = 0

    def __enter__(self) -> MemorySampler:
        self._thread.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._stop.set()
        self._thread.join()

    def growth(self, program: Program) -> int:
        """
        How many bytes above the beginning the program has been at most.
        """
        return self._peak[program.pid] - self._before[program.pid]

    def _watch(self) -> None:
        while not self._stop.wait(0.05):
            self.samples += 1
            for program in self._programs:
                self._peak[program.pid] = max(self._peak[program.pid], program.rss)
