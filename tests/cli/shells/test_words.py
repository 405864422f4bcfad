"""
Tests for :mod:`pico.cli.shells.words`.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from pico.cli.main import pico
from pico.cli.shells.words import Flag, Words, words_of
from tests.cli.invoking import commands


class WordsTests(SynchronousTestCase):
    """
    What can be typed.
    """

    def setUp(self) -> None:
        """
        Read the commands.
        """
        self.all = {each.path[1:]: each for each in words_of(pico).all()}

    def flag(self, path: str, name: str) -> Flag:
        """
        Find a flag.
        """
        (found,) = [flag for flag in self.all[tuple(path.split())].flags if name in flag.names]
        return found

    def test_every_command(self) -> None:
        """
        All commands are there, a second time behind ``help``, but for itself.
        """
        expected = {path for path, _ in commands()}
        explained = {("help", *path) for path in expected if path and path[0] != "help"}
        self.assertEqual(set(self.all), expected | explained)

    def test_every_flag(self) -> None:
        """
        All flags are there, under all their names.
        """
        for path, command in commands():
            names = {name for flag in self.all[path].flags for name in flag.names}
            expected = {name for param in command.params for name in param.opts if name.startswith("-")}
            self.assertEqual(names, expected | {"-h", "--help"}, path)

    def test_values(self) -> None:
        """
        It is known which flags take a value, and of what kind.
        """
        self.assertEqual(self.flag("server", "--log.level").choices, ("debug", "info", "warn", "error"))
        self.assertEqual(self.flag("agent", "--log.format").choices, ("text", "json"))
        self.assertEqual(self.flag("version", "-o").choices, ("text", "json"))
        self.assertEqual(self.flag("server", "--proxy.bind-addr").value, "ADDRESS")
        self.assertEqual(self.flag("server", "--config.expand-env").value, "")
        self.assertEqual(self.flag("", "--version").value, "")
        self.assertTrue(self.flag("server", "--config.path").file)
        self.assertFalse(self.flag("server", "--proxy.bind-addr").file)

    def test_arguments(self) -> None:
        """
        The words that an argument may be are known.
        """
        self.assertEqual(self.all[("completion",)].choices, ("bash", "zsh", "fish"))
        self.assertEqual(self.all[("agent", "http")].choices, ())
        for name in ("check", "show"):
            words = self.all[("config", name)]
            self.assertEqual((words.choices, words.file), (("server", "agent"), True))
        self.assertFalse(self.all[("completion",)].file)

    def test_help_has_no_flags(self) -> None:
        """
        Behind ``help`` there are the names of commands alone.
        """
        self.assertEqual(self.all[("help", "server")], Words(("pico", "help", "server"), self.all[("server",)].help))
