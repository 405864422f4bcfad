"""
Tests for :mod:`pico.cli.sources`: files, and where they are.
"""

from __future__ import annotations

import os
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from pico.cli.sources import MAX_CONFIG, MAX_SECRET, gather, read_secret
from pico.config.agent import AgentConfig
from pico.config.faults import InvalidConfig
from pico.config.server import ServerConfig
from pico.config.trees import AGENT, SERVER
from pico.errors import ConfigError


class FileTests(SynchronousTestCase):
    """
    Reading files.
    """

    def setUp(self) -> None:
        """
        Have a directory.
        """
        self.directory = Path(self.mktemp())
        self.directory.mkdir()

    def _file(self, content: bytes | str, name: str = "f", mode: int = 0o600) -> str:
        path = self.directory / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        path.chmod(mode)
        return str(path)

    def test_where_it_is(self) -> None:
        """
        The flag names the file, else the variable does.
        """
        one, two = self._file("grace_period: 1s\n", "one"), self._file("grace_period: 2s\n", "two")
        for flags, environment, seconds in [
            ({}, {}, 60.0),
            ({}, {"PICO_CONFIG__PATH": one}, 1.0),
            ({"config.path": two}, {"PICO_CONFIG__PATH": one}, 2.0),
            ({"config.path": ""}, {"PICO_CONFIG__PATH": one}, 60.0),
        ]:
            loaded = gather(flags, environment).load(ServerConfig)
            self.assertEqual(loaded.config.grace_period, seconds)
            self.assertEqual(loaded.warnings, [])

    def test_expand_env(self) -> None:
        """
        Variables are replaced when that is asked for, by flag or variable.
        """
        path = self._file("cluster: {node_id: '${NODE}'}\n")
        environment = {"NODE": "n1", "PICO_CONFIG__PATH": path}
        for flags, more in [
            ({"config.expand_env": "true"}, {}),
            ({}, {"PICO_CONFIG__EXPAND_ENV": "true"}),
            ({"config.expand_env": "true"}, {"PICO_CONFIG__EXPAND_ENV": "false"}),
        ]:
            loaded = gather(flags, {**environment, **more}).load(ServerConfig)
            self.assertEqual(loaded.config.cluster.node_id, "n1")
        for flags, more in [
            ({}, {}),
            ({"config.expand_env": "false"}, {"PICO_CONFIG__EXPAND_ENV": "true"}),
        ]:
            with self.assertRaisesRegex(InvalidConfig, "NODE"):  # it stays as it is, which is no name
                gather(flags, {**environment, **more}).load(ServerConfig)
        with self.assertRaisesRegex(ConfigError, "PICO_CONFIG__EXPAND_ENV: 'yes' is neither true nor false"):
            gather({}, {"PICO_CONFIG__EXPAND_ENV": "yes"})

    def test_unreadable(self) -> None:
        """
        A file that cannot be read is one line with path and reason.
        """
        for path, reason in [
            ("/nonexistent/f", "no such file or directory"),
            (str(self.directory), "is a directory"),
            (self._file(b"\xff"), "it is not UTF-8"),
            (self._file(b"#" * (MAX_CONFIG + 1), "large"), "it is larger than 1024 KiB"),
        ]:
            error = self.assertRaises(ConfigError, gather, {"config.path": path}, {})
            self.assertEqual(str(error), f"cannot read {path}: {reason}")

    def test_secrets(self) -> None:
        """
        A secret's file is read, and whether others can read it is told.
        """
        self.assertEqual(read_secret(self._file("x\n")).text, "x\n")
        for mode, exposed in [(0o600, False), (0o640, False), (0o644, True), (0o604, True)]:
            self.assertIs(read_secret(self._file("x", mode=mode)).exposed, exposed, oct(mode))
        for path, reason in [
            ("/nonexistent/f", "no such file or directory"),
            (self._file(b"#" * (MAX_SECRET + 1), "large"), "larger than 64 KiB"),
            ("a\0b", "null"),
        ]:
            self.assertRaisesRegex(ValueError, reason, read_secret, path)

    def test_a_pipe_is_not_exposed(self) -> None:
        """
        What a shell's ``<(command)`` makes is no file that others could read.
        """
        reading, writing = os.pipe()
        self.addCleanup(os.close, reading)
        os.write(writing, b"x\n")
        os.close(writing)
        secret = read_secret(f"/dev/fd/{reading}")
        self.assertEqual((secret.text, secret.exposed), ("x\n", False))

    def test_an_agents_token(self) -> None:
        """
        The token comes from its file; one that others can read is a warning.
        """
        path = self._file("from-file\n", mode=0o644)
        loaded = gather({}, {"PICO_CONNECT__TOKEN_FILE": path}).load(AgentConfig)
        self.assertEqual(loaded.config.connect.token, "from-file")
        self.assertEqual(len(loaded.warnings), 1)
        self.assertIn(f"{path} can be read by every user", loaded.warnings[0])


class SourcesTests(SynchronousTestCase):
    """
    What was given, before it is understood.
    """

    def test_recognise(self) -> None:
        """
        Flags and variables tell whose configuration it is, too.
        """
        for flags, environment, program in [
            ({}, {}, SERVER),
            ({"connect.url": "x"}, {}, AGENT),
            ({"proxy.timeout": "x"}, {}, SERVER),
            ({}, {"PICO_CONNECT__URL": "x"}, AGENT),
            ({}, {"PICO_ENDPOINTS": "x"}, AGENT),
            ({}, {"PICO_SERVICE_HOST": "x", "CONNECT": "x"}, SERVER),
        ]:
            self.assertIs(gather(flags, environment).recognise(), program)

    def test_the_file_tells(self) -> None:
        """
        So does the file, and the environment does not outvote it.
        """
        path = Path(self.mktemp())
        path.write_text("listeners: [e/4000]\n", encoding="utf-8")
        variables = {"PICO_PROXY__TIMEOUT": "1s", "PICO_UPSTREAM__BIND_ADDR": ":1"}
        self.assertIs(gather({"config.path": str(path)}, variables).recognise(), AGENT)
        self.assertIs(gather({"config.path": str(path), "admin.bind_addr": ":2"}, {}).recognise(), SERVER)

    def test_the_nodes_url(self) -> None:
        """
        A URL that could not be dialled is a fault like all others.
        """
        for url in ("localhost:8001", "http://u:hunter2@h", "http://h#f"):
            with self.assertRaises(InvalidConfig) as caught:
                gather({"connect.url": url, "log.level": "x"}, {}).load(AgentConfig)
            self.assertEqual([f.source for f in caught.exception.faults], ["--log.level", "--connect.url"])
            self.assertNotIn("hunter2", str(caught.exception))
