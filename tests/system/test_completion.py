"""
Shells complete lines on a terminal, with the scripts of ``pico completion``.
"""

from __future__ import annotations

import os
import pty
import select
import signal
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from tests.system.case import SystemTestCase, pico
from tests.system.processes import DEADLINE, clean_environment
from tests.tools import tool

#: What is typed, and the command that comes of it.
LINES: Sequence[tuple[str, str]] = (
    ("pico ser\t", "server"),
    ("pico agent ht\te 4000 --rew\t", "agent http e 4000 --rewrite-host"),
    ("pico server --proxy.trus\tx", "server --proxy.trusted-proxies{}x"),
    ("pico server --log.level wa\t", "server --log.level warn"),
    ("pico server --log.level=wa\t", "server --log.level=warn"),
    ("pico server --config.path exam\t", "server --config.path example.yaml"),
    ("pico server --config.path=exam\t", "server --config.path=example.yaml"),
    ("pico agent --connect.url http://localhost:8001 st\t", "agent --connect.url http://localhost:8001 start"),
    ("pico help status up\tt\t", "help status upstream tunnels"),
    ("pico config check exam\t", "config check example.yaml"),
    ("pico config check ser\texam\t", "config check server example.yaml"),
    ("pico completion zs\t", "completion zsh"),
)

#: What a shell shows when it waits for a line.
PROMPT = "@@ "


class Shell:
    """
    A shell on a terminal of its own.
    """

    def __init__(self, command: Sequence[str], directory: Path) -> None:
        self.pid, self._terminal = pty.fork()
        if not self.pid:
            os.chdir(directory)
            environment = clean_environment({"TERM": "dumb", "COLUMNS": "200", "PS1": PROMPT, "HOME": str(directory)})
            os.execvpe(command[0], list(command), environment)
        self._seen = ""

    def type(self, text: str) -> None:
        """
        Press keys.
        """
        os.write(self._terminal, text.encode())

    def read_until(self, text: str) -> str:
        """
        Take what it shows, up to a text.
        """
        end = time.monotonic() + DEADLINE
        while text not in self._seen:
            readable, _, _ = select.select([self._terminal], [], [], max(0.0, end - time.monotonic()))
            if not readable:
                raise AssertionError(f"no {text!r} in {self._seen!r}")
            self._seen += os.read(self._terminal, 65_536).decode("utf-8", "replace")
        found, _, self._seen = self._seen.partition(text)
        return found

    def close(self) -> None:
        """
        End it.
        """
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        os.close(self._terminal)


class TerminalTests(SystemTestCase):
    """
    Lines are typed and completed.
    """

    def check(self, name: str, command: Sequence[str], begin: Callable[[str], str], equals: str) -> None:
        """
        Have a shell complete all lines.

        :param begin: makes the line that reads the script, whose name it gets.
        :param equals: what the shell puts between a flag and its value.
        """
        directory = self.scene.directory
        (directory / "example.yaml").touch()
        result = pico("completion", name)
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        (directory / "script").write_text(result.stdout)
        shell = Shell([tool(name), *command], directory)
        self.addCleanup(shell.close)
        # A function in the place of the program shows what would be run. The words are cut so that the terminal's
        # echo of these lines is not taken for their output.
        shell.type(f"{begin('script')}; pico() {{ printf '%s%s>>\\n' '<' \"<$*\"; }}; printf 'rea%s\\n' dy\r")
        shell.read_until("ready")
        for typed, expected in LINES:
            shell.read_until(PROMPT)
            shell.type(f"{typed}\r")
            shell.read_until("<<")
            self.assertEqual(shell.read_until(">>"), expected.format(equals), typed)

    def test_bash(self) -> None:
        """
        bash.
        """
        self.check("bash", ["--norc", "--noprofile", "-i"], lambda script: f"source ./{script}", " ")

    def test_zsh(self) -> None:
        """
        zsh, where there is one.
        """
        self.check("zsh", ["-f", "-i"], lambda script: f"autoload -Uz compinit; compinit -u -D; source ./{script}", "=")
