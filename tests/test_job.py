"""
Test :mod:`tests.job`.
"""

from __future__ import annotations

import contextlib
import io
import os
import select
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests.job import main, run


class JobTests(SynchronousTestCase):
    """
    How a job ends.
    """

    def test_passed(self) -> None:
        """
        It is said, and put where all of them are.
        """
        ended = Path(self.mktemp())
        with contextlib.redirect_stdout(io.StringIO()) as said:
            self.assertEqual(main("job", ["true"], {"CI_ENDED": str(ended)}), 0)
        self.assertRegex(said.getvalue(), r"\A== job\n== job passed: \d+ s, +\d+ s of processors\n\Z")
        self.assertRegex(ended.read_text(), r"\A +\d+ s, +\d+ s of processors: job passed\n\Z")

    def test_failed(self) -> None:
        """
        The status of the command is said, but is not that of the job.
        """
        with contextlib.redirect_stdout(io.StringIO()) as said:
            self.assertEqual(main("job", ["sh", "-c", "exit 3"], {}), 1)
        self.assertIn("== job FAILED, status 3: ", said.getvalue())

    def test_limit(self) -> None:
        """
        The time that it has can be said.
        """
        with contextlib.redirect_stdout(io.StringIO()) as said:
            self.assertEqual(main("job", ["sleep", "60"], {"CI_LIMIT": "0.01"}), 1)
        self.assertIn("== job FAILED, did not end in 0.01 s: ", said.getvalue())

    def test_endless(self) -> None:
        """
        It is interrupted when its time is over, with all that it runs.
        """
        path = self.mktemp()
        os.mkfifo(path)
        reading = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        self.addCleanup(os.close, reading)
        self.assertEqual(run(["sh", "-c", f"exec 3>{path}; sleep 60 & wait"], 0.1), "did not end in 0.1 s")
        # There is its end to be read as soon as nobody has it open for writing any more.
        self.assertEqual(select.select([reading], [], [], 10)[0], [reading])
