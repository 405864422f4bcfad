"""
Tests for :mod:`pico.bench.spreading`.
"""

from __future__ import annotations

import json
from contextlib import redirect_stdout
from io import StringIO

import attrs
from twisted.trial.unittest import SynchronousTestCase

from pico.bench.plan import Group
from pico.bench.spreading import main


class SpreadingTests(SynchronousTestCase):
    def test_three(self) -> None:
        """
        Three nodes of which two die: what they change is known to all within an interval or two, at rest they send
        less, and deaths are noticed, those alone.
        """
        output = StringIO()
        with redirect_stdout(output):
            main([json.dumps(attrs.asdict(Group(3, 30, 30.0, 0.5, 1.0, 2)))])
        came = json.loads(output.getvalue())
        self.assertLessEqual(came["p50"], came["p99"])
        self.assertLessEqual(came["p99"], came["last"])
        self.assertTrue(0 < came["last"] < 0.5, came)
        self.assertEqual((came["unknown"], came["wrongly"]), (0, 0))
        self.assertTrue(1 < came["death"] < 3, came)
        self.assertTrue(0 < came["rest_bytes_out"] < came["bytes_out"], came)
        self.assertTrue(10 < came["rest_datagrams"] < came["datagrams"], came)
