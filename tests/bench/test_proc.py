"""
Tests for :mod:`pico.bench.proc`.
"""

from __future__ import annotations

from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from pico.bench.faults import BenchError
from pico.bench.proc import Proc

STATUS = "Name:\tpico\nVmPeak:\t  999 kB\nVmHWM:\t   80 kB\nVmRSS:\t   64 kB\nThreads:\t2\n"


class ProcTests(SynchronousTestCase):
    def setUp(self) -> None:
        """
        Make a process file system.
        """
        self.root = Path(self.mktemp())
        self.root.mkdir()
        self.proc = Proc(self.root, ticks=100)
        self.write("uptime", "1 2\n")

    def write(self, path: str, text: str) -> None:
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    def write_stat(self, pid: int, parent: int, name: str = "nginx", user: int = 0, system: int = 0) -> None:
        self.write(f"{pid}/stat", f"{pid} ({name}) S {parent} 1 1 0 -1 0 0 0 0 0 {user} {system} 0 0 20 0\n")

    def test_cpu_of_threads(self) -> None:
        """
        The time of all threads counts, in nanoseconds.
        """
        self.write("7/task/7/schedstat", "1500000000 5 6\n")
        self.write("7/task/8/schedstat", "250000000 5 6\n")
        self.assertEqual(self.proc.cpu_seconds(7), 1.75)

    def test_cpu_in_ticks(self) -> None:
        """
        Without the scheduler's statistics, and where they are not kept, ticks are counted.
        """
        self.write_stat(7, 1, "a) b (c", user=250, system=50)
        self.assertEqual(self.proc.cpu_seconds(7), 3.0)
        self.write("7/task/7/schedstat", "0 0 0\n")
        self.assertEqual(self.proc.cpu_seconds(7), 3.0)

    def test_memory(self) -> None:
        """
        Resident memory and its peak are read in bytes.
        """
        self.write("7/status", STATUS)
        self.assertEqual(self.proc.resident_bytes(7), 64 * 1024)
        self.assertEqual(self.proc.peak_bytes(7), 80 * 1024)

    def test_reset_peak(self) -> None:
        """
        The kernel is told to begin anew with the peak.
        """
        self.write("7/clear_refs", "")
        self.proc.reset_peak(7)
        self.assertEqual((self.root / "7/clear_refs").read_text(), "5")

    def test_children(self) -> None:
        """
        The children of a process are found by what they say of their parent.
        """
        self.write_stat(10, 1)
        self.write_stat(12, 10, "nginx: (worker) process")
        self.write_stat(11, 10)
        self.write_stat(13, 12)
        (self.root / "14").mkdir()
        self.assertEqual(self.proc.children(10), [11, 12])
        self.assertEqual(self.proc.children(13), [])

    def test_ended(self) -> None:
        """
        A process that has ended is an error that names it, also while something of it is left.
        """
        for ask in (self.proc.cpu_seconds, self.proc.resident_bytes, self.proc.peak_bytes):
            self.assertEqual(str(self.assertRaises(BenchError, ask, 7)), "process 7 has ended")
        self.assertIn("process 7", str(self.assertRaises(BenchError, self.proc.reset_peak, 7)))
        self.write("8/status", "Name:\tpico\nState:\tZ (zombie)\n")
        self.assertEqual(str(self.assertRaises(BenchError, self.proc.peak_bytes, 8)), "process 8 has ended")
