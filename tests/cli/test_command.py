"""
Tests for :mod:`pico.cli.command` and the flags of :mod:`pico.cli.options`.
"""

from __future__ import annotations

import io
import re

import click
from twisted.trial.unittest import SynchronousTestCase

from pico.cli.options import TreeOption
from pico.cli.terminal import use_color_on
from tests.cli.invoking import commands, invoke


class Terminal(io.StringIO):
    """
    A stream that says that it is a terminal.
    """

    def isatty(self) -> bool:
        return True


class HelpTests(SynchronousTestCase):
    """
    What ``--help`` writes.
    """

    def test_width(self) -> None:
        """
        It fits terminals of any width; only words that are longer stand out.
        """
        for width in (60, 80, 100):
            for path, _ in commands():
                for line in invoke(*path, "-h", width=width).stdout.splitlines():
                    # What is meant to be pasted is not wrapped.
                    if len(line) > width and not line.startswith("    pico "):
                        self.assertLess(len(line.split()), 4, (path, line))

    def test_every_flag(self) -> None:
        """
        Each setting's flag says what it is for, and its default unless the text does.
        """
        for path, command in commands():
            for option in command.params:
                if isinstance(option, TreeOption) and not option.hidden:
                    row = option.get_help_record(click.Context(command))
                    assert row is not None
                    self.assertGreater(len(row[1]), 10, (path, row))
                    if not option.is_flag and "when empty" not in row[1]:
                        self.assertIn("[default: ", row[1], (path, row))

    def test_defaults_are_not_broken(self) -> None:
        """
        A default stands in one line with its name, and no special character is left.
        """
        for width in range(60, 110):
            text = invoke("agent", "http", "-h", width=width).stdout
            self.assertNotRegex(text, r"\[default:\n")
            self.assertTrue(text.isascii(), width)

    def test_sections(self) -> None:
        """
        Settings stand with those that one looks for together.
        """
        text = invoke("server", "-h", width=100).stdout
        headings = re.findall(r"^(\w[^:]*):$", text, re.MULTILINE)
        self.assertEqual(
            headings,
            [
                "Proxy port",
                "Upstream port",
                "Admin port",
                "Cluster",
                "Limits",
                "Logging",
                "Stopping",
                "Configuration file",
                "Options",
                "Values",
            ],
        )
        limits = text[text.index("Limits:") : text.index("Logging:")]
        self.assertIn("--upstream.max-tunnels COUNT", limits)
        self.assertIn("--proxy.http.max-header-bytes SIZE", limits)

    def test_units(self) -> None:
        """
        How values are written is explained, as far as the command's flags have such values.
        """
        text = invoke("agent", "start", "-h").stdout
        self.assertRegex(text, r"DURATION +500ms, 10s")
        self.assertRegex(text, r"SIZE +a number of bytes")
        self.assertNotRegex(invoke("status", "cluster", "nodes", "-h").stdout, r"SIZE +a number of bytes")

    def test_arguments(self) -> None:
        """
        What stands in a line without a flag is explained.
        """
        text = invoke("agent", "http", "-h", width=100).stdout
        self.assertRegex(text, r"Arguments:\n  ENDPOINT  +\w.*\n  ADDR  +\w")
        self.assertLess(text.index("Arguments:"), text.index("Service:"))

    def test_switches(self) -> None:
        """
        What takes no value is shown as it is turned on; how it is turned off is explained.
        """
        text = invoke("server", "-h", width=100).stdout
        self.assertRegex(text, r"\n  --proxy\.access-log\.disable  +\w")
        self.assertNotIn("--no-", text)
        self.assertIn("=false behind it", text)


class ColourTests(SynchronousTestCase):
    """
    Escape sequences.
    """

    def test_streams(self) -> None:
        """
        Only a terminal that understands them gets colours, and only if its user wants them.
        """
        for terminal, environment, expected in (
            (True, {"TERM": "xterm"}, True),
            (True, {"TERM": "dumb"}, False),
            (True, {"TERM": ""}, False),
            (True, {}, False),
            (True, {"TERM": "xterm", "NO_COLOR": "1"}, False),
            (True, {"TERM": "xterm", "NO_COLOR": ""}, True),
            (False, {"TERM": "xterm"}, False),
        ):
            stream = Terminal() if terminal else io.StringIO()
            self.assertIs(use_color_on(stream, environment), expected, environment)
