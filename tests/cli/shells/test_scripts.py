"""
The scripts for shells, sourced by the shells themselves. bash is always there; without the others their tests are
skipped.
"""

from __future__ import annotations

import os
import shlex
import subprocess
from collections.abc import Sequence
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from pico.cli.main import pico
from pico.cli.shells.bash import bash_script
from pico.cli.shells.fish import fish_script
from pico.cli.shells.words import Flag, Words, words_of
from pico.cli.shells.zsh import zsh_script
from tests.tools import tool

WORDS = words_of(pico)

#: What is asked of bash: the words as readline cuts them, the last one to be completed, and the answer.
LINES: Sequence[tuple[str, str]] = (
    ("pico ser", "server"),
    ("pico agent ''", "http start"),
    ("pico agent --connect.token http ''", "http start"),
    ("pico agent --config.expand-env ht", "http"),
    ("pico agent --connect.url http : //localhost : 8001 st", "start"),
    ("pico agent --connect.url = http : //localhost : 8001 st", "start"),
    ("pico agent http e 1 --rewr", "--rewrite-host"),
    ("pico server --proxy.bi", "--proxy.bind-addr"),
    ("pico server --log.level ''", "debug info warn error"),
    ("pico server --log.level wa", "warn"),
    ("pico server --log.level =", "debug info warn error"),
    ("pico server --log.level = wa", "warn"),
    ("pico server --log.level=wa", "--log.level=warn"),
    ("pico server --log.level debug --log.format j", "json"),
    ("pico server --proxy.bind-addr ''", ""),
    ("pico server --config.path a", "a file"),
    ("pico server --config.path = a", "a file"),
    ("pico server --config.path=a", "--config.path=a file"),
    ("pico server --log.path a", "a file"),
    ("pico config check ''", "server agent a file"),
    ("pico config check a", "agent a file"),
    ("pico config check server ''", "a file"),
    ("pico config check --config.pa", "--config.path"),
    ("pico completion ''", "bash zsh fish"),
    ("pico completion bash ''", "-h --help"),
    ("pico help status clu", "cluster"),
    ("pico help -", "-h --help"),
    ("pico version -o ''", "text json"),
    ("pico nonsense --xyz se", "server"),
    ("pico status cluster nodes --output j", "json"),
)

#: What is asked of fish, and the answer, which it sorts.
FISH_LINES: Sequence[tuple[str, str]] = (
    ("pico ser", "server"),
    ("pico agent ", "http start"),
    ("pico agent --connect.token http ", "http start"),
    ("pico agent --config.expand-env ht", "http"),
    ("pico agent --connect.url=http://localhost:8001 st", "start"),
    ("pico agent http e 1 --rewr", "--rewrite-host"),
    ("pico server --log.level ", "debug error info warn"),
    ("pico server --log.level=wa", "--log.level=warn"),
    ("pico server --proxy.bind-addr ", ""),
    ("pico server --config.path a", "afile"),
    ("pico config check a", "afile agent"),
    ("pico config show ser", "server"),
    ("pico completion ", "bash fish zsh"),
    ("pico help status clu", "cluster"),
    ("pico version -o ", "json text"),
)


def run(command: Sequence[str], script: str, directory: str = ".") -> str:
    """
    Let a shell run a script, which must not complain.
    """
    done = subprocess.run(
        command,
        input=script,
        capture_output=True,
        text=True,
        cwd=directory,
        env={"PATH": os.environ["PATH"], "HOME": os.path.abspath(directory)},
        timeout=60,
        check=True,
    )
    assert not done.stderr, done.stderr
    return done.stdout


class BashTests(SynchronousTestCase):
    """
    bash.
    """

    def complete(self, lines: Sequence[str]) -> list[str]:
        """
        Ask for completions of command lines.
        """
        directory = self.mktemp()
        Path(directory).mkdir()
        (Path(directory) / "a file").touch()
        ask = (
            'ask() { COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _pico; echo "${COMPREPLY[*]}"; }\n'
            'test "$(complete -p pico)" = "complete -F _pico pico" || exit 1\n'
        )
        asked = "".join(f"ask {line}\n" for line in lines)
        return run(["bash", "--norc", "--noprofile"], bash_script(WORDS) + ask + asked, directory).splitlines()

    def test_lines(self) -> None:
        """
        Commands, flags, values and files are completed where they may stand.
        """
        answers = self.complete([line for line, _ in LINES])
        self.assertEqual(list(zip([line for line, _ in LINES], answers, strict=True)), list(LINES))

    def test_every_word(self) -> None:
        """
        Whatever can be typed is offered.
        """
        lines, expected = [], []
        for words in WORDS.all():
            path = " ".join(words.path)
            for below in words.commands:
                lines.append(f"{path} {below.path[-1]}")
                expected.append(below.path[-1])
            for flag in words.flags:
                for name in flag.names:
                    lines.append(f"{path} {name}")
                    expected.append(name)
        for line, answer, word in zip(lines, self.complete(lines), expected, strict=True):
            self.assertIn(word, answer.split(), line)


class FishTests(SynchronousTestCase):
    """
    fish.
    """

    def test_lines(self) -> None:
        """
        Commands, flags, values and files are completed where they may stand.
        """
        fish = tool("fish")
        script = fish_script(WORDS)
        for line, _ in FISH_LINES:
            script += f"echo (complete -C {shlex.quote(line)} | string replace -r '\\t.*' '')\n"
        directory = self.mktemp()
        Path(directory).mkdir()
        (Path(directory) / "afile").touch()
        answers = run([fish, "--no-config"], script, directory).splitlines()
        asked = [line for line, _ in FISH_LINES]
        self.assertEqual(list(zip(asked, answers, strict=True)), list(FISH_LINES))


class ZshTests(SynchronousTestCase):
    """
    zsh; the system tests have it complete lines on a terminal.
    """

    def test_syntax(self) -> None:
        """
        It understands the script.
        """
        self.assertEqual(run([tool("zsh"), "-fn"], zsh_script(WORDS)), "")

    def test_functions(self) -> None:
        """
        Each command has its function, and each flag its specification there.
        """
        script = zsh_script(WORDS)
        functions = script.split("\n_")
        for words in WORDS.all():
            name = "_".join(words.path)
            (body,) = [each for each in functions if each.startswith(f"{name}() {{")]
            for flag in words.flags:
                for flag_name in flag.names:
                    self.assertIn(f"{flag_name}=[" if flag.value and len(flag_name) > 2 else f"{flag_name}[", body)


class EscapingTests(SynchronousTestCase):
    """
    Texts that mean something to a shell.
    """

    AWKWARD = Words(
        ("pico",),
        'it\'s [all]: $HOME `id` \\ "x"',
        (Flag(("--a.b",), 'it\'s [all]: $HOME `id` \\ "x"', "WORD"),),
        (Words(("pico", "sub"), 'it\'s [all]: $HOME `id` \\ "x"'),),
    )

    def test_bash(self) -> None:
        """
        They end no quotation of bash.
        """
        self.assertEqual(run(["bash", "-n"], bash_script(self.AWKWARD)), "")

    def test_zsh(self) -> None:
        """
        They end none of zsh.
        """
        self.assertEqual(run([tool("zsh"), "-fn"], zsh_script(self.AWKWARD)), "")

    def test_fish(self) -> None:
        """
        They end none of fish.
        """
        self.assertEqual(run([tool("fish"), "--no-config", "-n"], fish_script(self.AWKWARD)), "")
