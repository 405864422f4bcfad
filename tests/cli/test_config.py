"""
Tests for :mod:`pico.cli.config`.
"""

from __future__ import annotations

import json
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from pico.config.reference import reference
from tests.cli.invoking import Outcome
from tests.cli.invoking import invoke as run_pico
from tests.config.planted import AGENT_FAULTS, AGENT_FILE, NODE_FAULTS, NODE_FILE


def invoke(*arguments: str, environment: dict[str, str] | None = None) -> Outcome:
    """
    Run ``pico config`` in this process.
    """
    return run_pico("config", *arguments, environment=environment)


class CheckTests(SynchronousTestCase):
    """
    ``pico config check``.
    """

    def _file(self, text: str) -> str:
        path = Path(self.mktemp())
        path.write_text(text, encoding="utf-8")
        return str(path)

    def test_valid(self) -> None:
        """
        It says whose configuration was found valid, however the file is named.
        """
        node, agent = self._file("proxy: {timeout: 1s}\n"), self._file("endpoints: [e/4000]\n")
        for arguments, environment, text in [
            ([node], {}, f"{node}: a valid configuration of a node\n"),
            ([agent], {}, f"{agent}: a valid configuration of an agent\n"),
            (["--config.path", agent], {}, f"{agent}: a valid configuration of an agent\n"),
            ([], {"PICO_CONFIG__PATH": agent}, f"{agent}: a valid configuration of an agent\n"),
            (["--endpoints=e/4000,f/5000"], {}, "environment and flags: a valid configuration of an agent\n"),
            (["server"], {}, "environment and flags: a valid configuration of a node\n"),
            (["agent"], {}, "environment and flags: a valid configuration of an agent\n"),
            (["agent", agent], {}, f"{agent}: a valid configuration of an agent\n"),
            ([agent, "agent"], {}, f"{agent}: a valid configuration of an agent\n"),
            ([], {}, "environment and flags: a valid configuration of a node\n"),
        ]:
            result = invoke("check", *arguments, environment=environment)
            self.assertEqual((result.status, result.stdout, result.stderr), (0, text, ""), arguments)

    def test_ten_faults(self) -> None:
        """
        Each planted fault is one line on standard error, with file, line and setting; nothing else is said.
        """
        for text, planted in [(NODE_FILE, NODE_FAULTS), (AGENT_FILE, AGENT_FAULTS)]:
            path = self._file(text)
            result = invoke("check", path)
            self.assertEqual((result.status, result.stdout), (2, ""))
            lines = result.stderr.splitlines()
            self.assertEqual(len(lines), 10)
            for line, each in zip(lines, planted, strict=True):
                self.assertTrue(line.startswith(f"{path}:{each.line}: {each.path}: "), line)
                self.assertIn(each.problem, line)

    def test_told_otherwise(self) -> None:
        """
        A file for the other program is not valid for this one.
        """
        result = invoke("check", "server", self._file("endpoints: [e/4000]\n"))
        self.assertEqual(result.status, 2)
        self.assertIn("it is a setting of an agent", result.stderr)

    def test_flags_and_variables(self) -> None:
        """
        They are checked as well, for either program; warnings do not make a configuration invalid.
        """
        for arguments, environment, status, text in [
            (["--proxy.timeout=5"], {}, 2, "--proxy.timeout: '5' is not a duration"),
            (["--connect.timeout=5"], {}, 2, "--connect.timeout: '5' is not a duration"),
            (["--endpoints=x"], {}, 2, "--endpoints: 'x' is not ENDPOINT/ADDR"),
            (["server", "--connect.timeout=5s"], {}, 2, "--connect.timeout: unknown flag: it is a setting of an agent"),
            ([], {"PICO_LOG__LEVEL": "x"}, 2, "PICO_LOG__LEVEL: 'x' is not one of"),
            ([], {"PICO_LOG__LEVL": "x"}, 0, "pico: unknown environment variable PICO_LOG__LEVL (did you mean"),
            (["--connect.proxy-url=x"], {}, 2, "Pico cannot dial through a proxy yet"),
            (["--upstream.tls.cert=x"], {}, 2, "Pico has no TLS"),
        ]:
            result = invoke("check", *arguments, environment=environment)
            self.assertEqual(result.status, status, arguments)
            self.assertIn(text, result.stderr)

    def test_wrong_use(self) -> None:
        """
        Files that are not there, and too many words, are status 2.
        """
        for arguments, text in [
            (["/nonexistent.yaml"], "pico: cannot read /nonexistent.yaml: no such file or directory"),
            (["a.yaml", "b.yaml"], "too many arguments"),
            (["server", "agent"], "too many arguments"),
            (["a.yaml", "--config.path=b.yaml"], "two files: a.yaml and b.yaml"),
            (["--no-such-flag"], "--no-such-flag"),
            (["--conect.url=x"], "No such option '--conect.url'. Did you mean '--connect.url'?"),
            (["--proxy.access-log.disable=off"], "pico config check: --proxy.access-log.disable: 'off' is neither"),
        ]:
            result = invoke("check", *arguments)
            self.assertEqual((result.status, result.stdout), (2, ""), arguments)
            self.assertIn(text, result.stderr)


class ShowTests(SynchronousTestCase):
    """
    ``pico config show``.
    """

    def test_yaml(self) -> None:
        """
        Every value with its origin, and no secret.
        """
        result = invoke("show", "agent", "--connect.token", "hunter2", "--grace-period", "5s")
        self.assertEqual((result.status, result.stderr), (0, ""))
        self.assertNotIn("hunter2", result.stdout)
        self.assertRegex(result.stdout, r'  token: "\*+" +# --connect\.token\n')
        self.assertRegex(result.stdout, r"grace_period: 5s +# --grace-period\n")
        self.assertRegex(result.stdout, r"  level: info +# default\n")

    def test_json(self) -> None:
        """
        With -o json there is JSON on standard output, whatever else there is to say.
        """
        result = invoke("show", "-o", "json", environment={"PICO_PROXY__TIMEOUT": "5s", "PICO_X": "y"})
        self.assertEqual(result.status, 0)
        shown = json.loads(result.stdout)
        self.assertEqual(shown["proxy"]["timeout"], {"value": "5s", "origin": "PICO_PROXY__TIMEOUT"})
        self.assertIn("PICO_X", result.stderr)

    def test_faults(self) -> None:
        """
        What is not valid is not shown.
        """
        result = invoke("show", "--proxy.timeout=5", "-o", "json")
        self.assertEqual((result.status, result.stdout), (2, ""))
        self.assertIn("--proxy.timeout: '5' is not a duration", result.stderr)


class DocsTests(SynchronousTestCase):
    """
    ``pico config docs``.
    """

    def test_page(self) -> None:
        """
        The manual's page goes to standard output as it is.
        """
        self.assertEqual(invoke("docs").stdout, reference())
