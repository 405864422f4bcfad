"""
Tests for :mod:`pico.demo.keys`.
"""

from __future__ import annotations

import io
import os
import pty
import subprocess
import sys

from twisted.trial.unittest import SynchronousTestCase

from pico.demo.keys import Keys

#: Says what is typed, as it is typed, until it is a q.
_PROGRAM = """
import sys
from pico.demo.keys import Keys
with Keys() as keys:
    print("listening" if keys.listening else "deaf", flush=True)
    typed = ""
    while "q" not in typed:
        got = keys.take()
        if got:
            typed += got
            print("typed", typed, flush=True)
print("over", flush=True)
"""


class KeysTests(SynchronousTestCase):
    def test_no_terminal(self) -> None:
        """
        Where there is no terminal nothing is typed, and nothing is changed.
        """
        with Keys(io.StringIO("123")) as keys:
            self.assertFalse(keys.listening)
            self.assertEqual(keys.take(), "")

    def test_terminal(self) -> None:
        """
        Keys arrive one by one, without a line's end and without an echo; afterwards the terminal is as it was.
        """
        ours, theirs = pty.openpty()
        self.addCleanup(os.close, ours)
        before = subprocess.run(["stty", "-a"], stdin=theirs, capture_output=True, check=True).stdout
        child = subprocess.Popen(
            [sys.executable, "-c", "import fcntl, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0)\n" + _PROGRAM],
            stdin=theirs,
            stdout=subprocess.PIPE,
            start_new_session=True,
            text=True,
        )
        self.addCleanup(child.wait)
        self.addCleanup(child.kill)
        assert child.stdout is not None
        with child.stdout as output:
            self.assertEqual(output.readline(), "listening\n")
            os.write(ours, b"1")
            self.assertEqual(output.readline(), "typed 1\n")
            os.write(ours, b"q")
            self.assertEqual(output.read(), "typed 1q\nover\n")
        after = subprocess.run(["stty", "-a"], stdin=theirs, capture_output=True, check=True).stdout
        os.close(theirs)
        self.assertEqual(after, before)
