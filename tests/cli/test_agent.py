"""
Tests for :mod:`pico.cli.agent`, as far as it can be seen without an agent that runs.
"""

from __future__ import annotations

from pathlib import Path

import click
from twisted.trial.unittest import SynchronousTestCase

from pico.cli.agent import http
from pico.config.agent import ListenerConfig
from pico.config.keys import keys_of
from tests.cli.invoking import invoke


class AgentTests(SynchronousTestCase):
    """
    ``pico agent`` and what belongs to it.
    """

    def test_wrong_use(self) -> None:
        """
        What is missing or malformed is said, with the name of the argument or flag; wrong use is status 2.
        """
        for arguments, status, text in [
            (["agent"], 2, "nothing to expose"),
            (["agent", "--endpoints", "x"], 2, "'--endpoints': 'x' is not ENDPOINT/ADDR"),
            (["agent", "--endpoints", "e/4000", "start"], 2, "--endpoints goes without a command"),
            (["agent", "http", "e"], 2, "ADDR"),
            (["agent", "http", "e", "nonsense"], 2, "ADDR: 'nonsense' has no port"),
            (["agent", "http", "", "4000"], 2, "ENDPOINT: '' is no name for an endpoint"),
            (["agent", "http", "e", "4000", "--timeout", "5"], 2, "--timeout: '5' is not a duration"),
            (["agent", "http", "e", "4000", "--protocol", "tcp"], 2, "--protocol: Pico carries no tcp yet"),
            (["agent", "http", "e", "4000", "--http-client.max-idle-conns", "-1"], 2, "the least is 0"),
            (["agent", "http", "e", "4000", "--connect.tls.cert", "x"], 2, "Pico trusts the certificates"),
            (["agent", "--connect.tls.cert=x", "--endpoints=e/4000"], 2, "Pico trusts the certificates"),
            (["agent", "--server.enabled=maybe", "--endpoints=e/4000"], 2, "'maybe' is neither true nor false"),
            (["agent", "http", "e", "4000", "--connect.timeout", "5"], 2, "pico: --connect.timeout: '5' is not a"),
            (["agent", "--connect.timeout", "5", "http", "e", "4000"], 2, "pico: --connect.timeout: '5' is not a"),
            (
                ["agent", "--connect.url", "localhost", "http", "e", "4000"],
                2,
                "--connect.url: 'localhost': write",
            ),
            (["agent", "http", "e", "4000", "--connect.token-file", "/nonexistent"], 1, "cannot read /nonexistent"),
            (["agent", "start"], 1, "pico: no listeners configured"),
        ]:
            # What follows would run an agent for ever, were it not refused; so there is always one fault more.
            environment = {} if arguments[1:] in ([], ["start"]) else {"PICO_GRACE_PERIOD": "soon"}
            outcome = invoke(*arguments, environment=environment)
            self.assertEqual((outcome.status, outcome.stdout), (status, ""), arguments)
            self.assertIn(text, outcome.stderr)

    def test_faults_of_a_listener_at_once(self) -> None:
        """
        Everything that is wrong with the one service is said at once.
        """
        outcome = invoke("agent", "http", "e", "nonsense", "--timeout=5", "--access-log.level=x")
        self.assertEqual(outcome.status, 2)
        for text in ("ADDR:", "--timeout:", "--access-log.level:"):
            self.assertIn(text, outcome.stderr)

    def test_faults_of_a_file(self) -> None:
        """
        A file's faults are all reported, each as one line.
        """
        path = Path(self.mktemp())
        path.write_text("listeners:\n  - addr: 4000\nlog: {level: x}\n", encoding="utf-8")
        outcome = invoke("agent", "start", "--config.path", str(path))
        self.assertEqual((outcome.status, outcome.stdout), (1, ""))
        lines = outcome.stderr.splitlines()
        self.assertEqual(len(lines), 2)
        self.assertEqual(lines[0], f"pico: {path}:2: listeners[0]: missing endpoint_id")

    def test_a_listeners_settings(self) -> None:
        """
        All settings of a listener are flags of ``pico agent http``; the required ones are its arguments.
        """
        flags = {flag for param in http.params if isinstance(param, click.Option) for flag in param.opts}
        for leaf in keys_of(ListenerConfig).leaves:
            self.assertIs(leaf.flag in flags, not leaf.setting.required, leaf.dotted)
