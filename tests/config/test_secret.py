"""
Tests for :mod:`pico.config.secret`: a secret as it is, or in a file.
"""

from __future__ import annotations

from collections.abc import Mapping

from twisted.trial.unittest import SynchronousTestCase

from pico.config.agent import AgentConfig
from pico.config.faults import InvalidConfig
from pico.config.load import Loaded, load
from pico.config.secret import SecretFile

PLAIN, FILE = "PICO_CONNECT__TOKEN", "PICO_CONNECT__TOKEN_FILE"

FILES = {
    "/good": SecretFile("from-file\n"),
    "/other": SecretFile("from-other"),
    "/windows": SecretFile("from-file\r\n"),
    "/empty": SecretFile(""),
    "/newline": SecretFile("\n"),
    "/shared": SecretFile("from-file", exposed=True),
    "/shared-empty": SecretFile("\n", exposed=True),
    "/two-lines": SecretFile("hunter2\nhunter2\n"),
    "/spaces": SecretFile(" hunter2 \n"),
}


def read(path: str) -> SecretFile:
    """
    A file system with a few files.
    """
    if path not in FILES:
        raise ValueError("no such file or directory")
    return FILES[path]


def load_agent(
    yaml: str | None = None, environment: Mapping[str, str] | None = None, flags: Mapping[str, str] | None = None
) -> Loaded[AgentConfig]:
    """
    Load an agent's configuration.
    """
    return load(AgentConfig, yaml_text=yaml, yaml_source="f", environment=environment, flags=flags, read_secret=read)


class SecretTests(SynchronousTestCase):
    """
    The agent's token.
    """

    def test_sources(self) -> None:
        """
        Every source can name a file; its last line end does not count.
        """
        for loaded, origin in [
            (load_agent("connect: {token_file: /good}"), "f:1"),
            (load_agent(environment={FILE: "/windows"}), FILE),
            (load_agent(flags={"connect.token_file": "/good"}), "--connect.token-file"),
        ]:
            self.assertEqual(loaded.config.connect.token, "from-file")
            self.assertEqual(loaded.origins["connect.token"], origin)
            self.assertIn(loaded.files["connect.token_file"], FILES)
            self.assertEqual(loaded.warnings, [])

    def test_precedence(self) -> None:
        """
        The first source that gives a secret decides, in whichever form; a file with nothing in it gives none.
        """
        table: list[tuple[str | None, dict[str, str], dict[str, str], str]] = [
            ("connect: {token: y}", {FILE: "/good"}, {}, "from-file"),
            ("connect: {token_file: /other}", {PLAIN: "e"}, {}, "e"),
            ("connect: {token_file: /other}", {FILE: "/good"}, {}, "from-file"),
            (None, {FILE: "/good"}, {"connect.token": "f"}, "f"),
            (None, {PLAIN: "e"}, {"connect.token_file": "/good"}, "from-file"),
            ("connect: {token: y}", {FILE: "/newline"}, {}, "y"),
            ("connect: {token: y}", {FILE: "/empty"}, {}, "y"),
            ("connect: {token_file: /other}", {FILE: "/newline"}, {}, "from-other"),
            ("connect: {token: y}", {FILE: ""}, {}, "y"),
            ("connect: {token: y}", {PLAIN: "", FILE: "/good"}, {}, "from-file"),
            ("connect: {token: y}", {PLAIN: ""}, {}, ""),
            (None, {FILE: "/newline"}, {}, ""),
            (None, {FILE: "/good"}, {"auth.api_key": "f"}, "f"),
        ]
        for yaml, environment, flags, token in table:
            loaded = load_agent(yaml, environment, flags)
            self.assertEqual(loaded.config.connect.token, token, (yaml, environment, flags))

    def test_an_overridden_file_is_not_read(self) -> None:
        """
        What does not count need not exist.
        """
        self.assertEqual(load_agent("connect: {token_file: /missing}", {PLAIN: "e"}).config.connect.token, "e")

    def test_faults(self) -> None:
        """
        Both forms in one source, and files that cannot be used: with place, path and reason, without the secret.
        """
        table: list[tuple[str | None, dict[str, str], dict[str, str], str]] = [
            (
                "connect:\n  token: y\n  token_file: /good\n",
                {},
                {},
                "f:3: connect.token_file: give connect.token or connect.token_file, not both",
            ),
            (None, {PLAIN: "e", FILE: "/good"}, {}, f"{FILE}: give connect.token or connect.token_file, not both"),
            (
                None,
                {},
                {"connect.token": "f", "connect.token_file": "/good"},
                "--connect.token-file: give connect.token or connect.token_file, not both",
            ),
            (
                "connect:\n  token_file: /missing\n",
                {},
                {},
                "f:2: connect.token_file: cannot read /missing: no such file or directory",
            ),
            (None, {FILE: "/missing"}, {}, f"{FILE}: cannot read /missing: no such file or directory"),
            (
                None,
                {FILE: "/two-lines"},
                {},
                f"{FILE}: /two-lines: it must be visible ASCII characters, without spaces around them",
            ),
            (
                None,
                {FILE: "/spaces"},
                {},
                f"{FILE}: /spaces: it must be visible ASCII characters, without spaces around them",
            ),
        ]
        for yaml, environment, flags, expected in table:
            with self.assertRaises(InvalidConfig) as caught:
                load_agent(yaml, environment, flags)
            self.assertEqual(str(caught.exception), expected)

    def test_no_files_here(self) -> None:
        """
        Where nothing can read files, naming one is a fault.
        """
        with self.assertRaisesRegex(InvalidConfig, "no files are read here"):
            load(AgentConfig, environment={FILE: "/good"})

    def test_exposed(self) -> None:
        """
        A secret that every user can read is a warning; a file without one is not.
        """
        self.assertEqual(
            load_agent("connect:\n  token_file: /shared\n").warnings,
            ["f:2: /shared can be read by every user of this machine; try chmod 600"],
        )
        self.assertEqual(load_agent(environment={FILE: "/shared-empty"}).warnings, [])

    def test_not_shown(self) -> None:
        """
        The content of a file is in no representation.
        """
        self.assertNotIn("hunter2", repr(FILES["/two-lines"]))
