"""
Tests for :mod:`pico.log.target`, on real descriptors: it is about what the kernel does with them.
"""

from __future__ import annotations

import os
import pty
import socket
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from pico.errors import ConfigError
from pico.log.target import Descriptor, open_target


class DescriptorTests(SynchronousTestCase):
    """
    Writing without waiting.
    """

    def _fill(self, target: Descriptor) -> int:
        """
        Write until nothing is taken any more; that this returns at all is the test.
        """
        total = 0
        for _ in range(10_000):
            taken = target.write(b"x" * target.piece)
            if not taken:
                return total
            total += taken
        raise AssertionError("it never filled up")

    def _check(self, writing: int, reading: int) -> None:
        blocking = os.get_blocking(writing)
        target = Descriptor(writing, owned=False)
        self.addCleanup(target.close)
        self.assertGreater(self._fill(target), 0)
        # The kernel carries what a terminal has taken on to its reader's side when it finds the time.
        while target.wait(0.1):
            self._fill(target)
        # Others who hold the descriptor find it as it was.
        self.assertEqual(os.get_blocking(writing), blocking)
        while os.read(reading, 65_536) and not target.wait(0):
            pass
        self.assertTrue(target.wait(0))
        self.assertGreater(target.write(b"again\n"), 0)

    def test_pipe(self) -> None:
        """
        A pipe takes what fits.
        """
        reading, writing = os.pipe()
        self.addCleanup(os.close, reading)
        self.addCleanup(os.close, writing)
        self._check(writing, reading)

    def test_terminal(self) -> None:
        """
        So does a terminal.
        """
        reading, writing = pty.openpty()
        self.addCleanup(os.close, reading)
        self.addCleanup(os.close, writing)
        self._check(writing, reading)

    def test_socket(self) -> None:
        """
        So does a socket, such as the journal's.
        """
        ours, theirs = socket.socketpair()
        self.addCleanup(ours.close)
        self.addCleanup(theirs.close)
        self._check(ours.fileno(), theirs.fileno())

    def test_reader_gone(self) -> None:
        """
        That a reader is gone is an error, and no signal.
        """
        reading, writing = os.pipe()
        self.addCleanup(os.close, writing)
        os.close(reading)
        target = Descriptor(writing, owned=False)
        with self.assertRaises(OSError):
            target.write(b"x\n")
        ours, theirs = socket.socketpair()
        self.addCleanup(ours.close)
        theirs.close()
        target = Descriptor(ours.fileno(), owned=False)
        self.addCleanup(target.close)
        with self.assertRaises(OSError):
            target.write(b"x\n")

    def test_ownership(self) -> None:
        """
        What is not owned stays open, what is owned does not.
        """
        reading, writing = os.pipe()
        self.addCleanup(os.close, reading)
        Descriptor(writing, owned=False).close()
        os.fstat(writing)
        Descriptor(writing, owned=True).close()
        with self.assertRaises(OSError):
            os.fstat(writing)


class OpenTests(SynchronousTestCase):
    """
    Files.
    """

    def setUp(self) -> None:
        """
        Have a directory.
        """
        self.directory = Path(self.mktemp())
        self.directory.mkdir()
        self.path = self.directory / "log"

    def test_made(self) -> None:
        """
        A file that is not there is made, and not for everybody to read.
        """
        target = open_target(str(self.path))
        target.write(b"a\n")
        target.close()
        self.assertEqual(self.path.read_bytes(), b"a\n")
        self.assertEqual(self.path.stat().st_mode & 0o137, 0)

    def test_appended(self) -> None:
        """
        One that is there is written on, behind what others write meanwhile.
        """
        self.path.write_bytes(b"a\n")
        target = open_target(str(self.path))
        target.write(b"b\n")
        with self.path.open("ab") as other:
            other.write(b"c\n")
        target.write(b"d\n")
        target.close()
        self.assertEqual(self.path.read_bytes(), b"a\nb\nc\nd\n")

    def test_faults(self) -> None:
        """
        What cannot be opened is named with its setting, and a pipe that nobody reads is not waited for.
        """
        os.mkfifo(self.directory / "fifo")
        for path, reason in (
            (self.directory, "is a directory"),
            (self.directory / "no" / "log", "no such file or directory"),
            (self.directory / "fifo", "it is a socket, or a pipe that nobody reads"),
        ):
            with self.assertRaises(ConfigError) as caught:
                open_target(str(path))
            self.assertEqual(str(caught.exception), f"log.path: cannot open {path}: {reason}")
