"""
Tests for :mod:`pico.bench.main`.
"""

from __future__ import annotations

from contextlib import redirect_stderr
from io import StringIO

from twisted.trial.unittest import SynchronousTestCase

from pico.bench.main import run_bench


class RunBenchTests(SynchronousTestCase):
    def test_unknown_stage(self) -> None:
        """
        A stage that does not exist is told in one line, before anything is started.
        """
        errors = StringIO()
        with redirect_stderr(errors):
            status = run_bench(quick=True, output=None, docs=None, only=["speed"])
        self.assertEqual(status, 2)
        self.assertEqual(
            errors.getvalue(),
            "pico bench nginx: nothing is called speed; there are requests, watching, bodies, nodes, tunnels, ready, "
            "gossip\n",
        )
