"""
Tests for :mod:`pico.cli.help` and :mod:`pico.cli.version`.
"""

from __future__ import annotations

import json

from twisted.trial.unittest import SynchronousTestCase

from pico import __version__
from tests.cli.invoking import commands, invoke


class HelpTests(SynchronousTestCase):
    """
    ``pico help``.
    """

    def test_alone(self) -> None:
        """
        Without a command it is what ``pico`` alone and ``pico -h`` show: all commands.
        """
        expected = invoke("-h")
        self.assertEqual(expected.status, 0)
        for line in ((), ("help",)):
            result = invoke(*line)
            self.assertEqual((result.status, result.stdout, result.stderr), (0, expected.stdout, ""), line)

    def test_of_commands(self) -> None:
        """
        It says the same as the command's own flag.
        """
        for path, _ in commands():
            self.assertEqual(invoke("help", *path).stdout, invoke(*path, "-h").stdout, path)


class VersionTests(SynchronousTestCase):
    """
    ``pico version``.
    """

    def test_flag(self) -> None:
        """
        One line.
        """
        self.assertEqual(invoke("--version").stdout, f"pico {__version__}\n")

    def test_text(self) -> None:
        """
        A line each for Pico and what it runs on.
        """
        lines = invoke("version").stdout.splitlines()
        self.assertEqual(lines[0], f"pico {__version__}")
        self.assertEqual([line.split()[0] for line in lines], ["pico", "python", "twisted", "platform"])

    def test_json(self) -> None:
        """
        The same for programs.
        """
        found = json.loads(invoke("version", "-o", "json").stdout)
        self.assertEqual(list(found), ["version", "python", "twisted", "platform"])
        self.assertEqual(found["version"], __version__)
