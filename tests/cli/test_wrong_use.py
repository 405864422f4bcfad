"""
Tests for :mod:`pico.cli.wrong_use`.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tests.cli.invoking import invoke


class WrongUseTests(SynchronousTestCase):
    """
    Command lines that cannot be understood.
    """

    def test_table(self) -> None:
        """
        One line says what is wrong, another where help is; the exit status is 2 and standard output empty.
        """
        for line, expected in (
            ("serve", "pico: No such command 'serve'. Did you mean 'server'?"),
            (
                "xyz",
                "pico: No such command 'xyz'. "
                "There are agent, server, status, health, drain, undrain, config, doctor, demo, bench, completion, "
                "help, version.",
            ),
            ("status upstream xyz", "pico status upstream: No such command 'xyz'. There are endpoints, tunnels."),
            ("nodes", "pico: No such command 'nodes'. Did you mean 'status cluster nodes'?"),
            ("--verion", "pico: No such option '--verion'. Did you mean '--version'?"),
            ("agent htp e 1", "pico agent: No such command 'htp'. Did you mean 'http'?"),
            ("status clutser", "pico status: No such command 'clutser'. Did you mean 'cluster'?"),
            ("status nodes", "pico status: No such command 'nodes'. Did you mean 'cluster nodes'?"),
            ("agent htp -h", "pico agent: No such command 'htp'. Did you mean 'http'?"),
            (
                "server --proxy.bind-adr=:1",
                "pico server: No such option '--proxy.bind-adr'. Did you mean '--proxy.bind-addr'?",
            ),
            (
                "agent --conect.url=x http e 1",
                "pico agent: No such option '--conect.url'. Did you mean '--connect.url'?",
            ),
            (
                "--proxy.bind-addr=:1 server",
                "pico: No such option '--proxy.bind-addr'. It stands behind the command, as in "
                "'pico server --proxy.bind-addr'.",
            ),
            (
                "server --Proxy.bind_addr=:1",
                "pico server: No such option '--Proxy.bind_addr'. Did you mean '--proxy.bind-addr'?",
            ),
            ("server --no-proxy=1", "pico server: No such option '--no-proxy'."),
            ("server --xyz", "pico server: No such option '--xyz'."),
            ("server --log.level", "pico server: Option '--log.level' requires an argument."),
            ("agent http", "pico agent http: Missing argument 'ENDPOINT'."),
            ("server extra", "pico server: Got unexpected extra argument (extra)"),
            (
                "version -o yaml",
                "pico version: Invalid value for '-o' / '--output': 'yaml' is not one of 'text', 'json'.",
            ),
            ("help serve", "pico help: No such command 'serve'. Did you mean 'server'?"),
            ("help version text", "pico help: 'pico version' has no commands below it."),
        ):
            result = invoke(*line.split())
            command = expected.partition(":")[0]
            self.assertEqual(result.stderr, f"{expected}\nTry '{command} --help'.\n", line)
            self.assertEqual((result.status, result.stdout), (2, ""), line)

    def test_group_alone(self) -> None:
        """
        A group is asked which of its commands is meant.
        """
        for line in ("status", "status cluster", "config", "bench"):
            result = invoke(*line.split())
            self.assertRegex(result.stderr, rf"^pico {line}: Which command\? [a-z, ]+\.\nTry 'pico {line} --help'\.\n$")
            self.assertEqual((result.status, result.stdout), (2, ""), line)
