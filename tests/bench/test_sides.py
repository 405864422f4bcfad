"""
Tests for :mod:`pico.bench.sides`.
"""

from __future__ import annotations

from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from pico.bench.configs import Ports
from pico.bench.sides import write_files


class WriteFilesTests(SynchronousTestCase):
    def test_files(self) -> None:
        """
        What stands in the report is what the processes read.
        """
        directory = Path(self.mktemp())
        directory.mkdir()
        configs = write_files(directory, Ports(1, 2, 3, 4, 5, 6, 7, 8), body=False)
        self.assertEqual(list(configs), ["origin.conf", "first.conf", "front.conf", "second.conf", "agent.yaml"])
        for name, text in configs.items():
            self.assertEqual((directory / name).read_text("utf-8"), text)
        self.assertEqual(list((directory / "files").iterdir()), [])
