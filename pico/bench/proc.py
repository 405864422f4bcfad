"""
What the kernel knows about a process (proc(5)).
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from pico.bench.faults import BenchError

_ROOT = Path("/proc")

#: What resets the peak of the resident memory when it is written to ``clear_refs``.
_RESET_PEAK = "5"


class Proc:
    """
    Read the process file system. Every question raises :class:`BenchError` for a process that has ended.
    """

    def __init__(self, root: Path = _ROOT, ticks: int | None = None) -> None:
        """
        :param ticks: of the kernel's clock in a second; asked of the system when not given.
        """
        self._root = root
        self._ticks = ticks or os.sysconf("SC_CLK_TCK")

    def cpu_seconds(self, pid: int) -> float:
        """
        Time that all threads of a process have spent on a CPU: to the nanosecond where the scheduler keeps
        statistics, else in ticks.
        """
        total = 0
        try:
            for thread in (self._root / str(pid) / "task").iterdir():
                total += int((thread / "schedstat").read_text().split()[0])
        except FileNotFoundError:
            total = 0  # A kernel without the statistics, or the process has ended: that will show.
        return total / 1e9 if total else self._tick_seconds(pid)

    def resident_bytes(self, pid: int) -> int:
        """
        The resident memory of a process.
        """
        return self._status(pid, "VmRSS")

    def peak_bytes(self, pid: int) -> int:
        """
        The most resident memory since the start, or since :meth:`reset_peak`.
        """
        return self._status(pid, "VmHWM")

    def reset_peak(self, pid: int) -> None:
        """
        Begin anew with the peak.
        """
        try:
            (self._root / str(pid) / "clear_refs").write_text(_RESET_PEAK)
        except OSError as error:
            raise BenchError(f"the peak of process {pid} cannot be reset: {error}") from None

    def children(self, pid: int) -> list[int]:
        """
        The processes that a process has started and that live.
        """
        return sorted(child for child, parent in self._parents() if parent == pid)

    def _parents(self) -> Iterator[tuple[int, int]]:
        for path in self._root.iterdir():
            if not path.name.isdecimal():
                continue
            try:
                yield int(path.name), int(_fields((path / "stat").read_text())[1])
            except (FileNotFoundError, ProcessLookupError):
                continue  # It has ended meanwhile.

    def _tick_seconds(self, pid: int) -> float:
        fields = _fields(self._read(pid, "stat"))
        return (int(fields[11]) + int(fields[12])) / self._ticks

    def _status(self, pid: int, name: str) -> int:
        for line in self._read(pid, "status").splitlines():
            if line.startswith(name + ":"):
                return int(line.split()[1]) * 1024
        raise BenchError(f"process {pid} has ended")  # What is left of it has no memory.

    def _read(self, pid: int, name: str) -> str:
        try:
            return (self._root / str(pid) / name).read_text()
        except (FileNotFoundError, ProcessLookupError):
            raise BenchError(f"process {pid} has ended") from None


def _fields(stat: str) -> list[str]:
    """
    The fields of ``stat`` from the third on: the second, the name, may hold blanks and parentheses.
    """
    return stat.rpartition(")")[2].split()
