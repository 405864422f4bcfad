"""
The terminals of somebody who follows a page of the manual.

``python -m tests.system.manual_shell PLACES ARGUMENT…`` is the ``pico`` of these terminals: the program under test,
which is told of other ports than the usual ones where its command line leaves them to defaults.
"""

from __future__ import annotations

import json
import os
import selectors
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import cast

import attrs
import yaml

from tests.manual.output import has_said, says
from tests.manual.page import Command, CtrlC, File, Given, Skipped, Step
from tests.manual.places import PORTS, ROOTS, Places
from tests.manual.usual import unsaid
from tests.system.processes import DEADLINE, PICO, ROOT, clean_environment, eventually, free_port

#: What every system has of the directories that pages write to.
_SYSTEM = (*ROOTS, "etc/logrotate.d", "etc/systemd/system")

#: Seconds for a command that installs something.
_LONG = 900.0


class NotAsShown(AssertionError):
    """
    A page is wrong, or Pico is.
    """


@attrs.define
class _Running:
    pid: int
    log: Path


class Reader:
    """
    Follow a page: one shell, in a directory of its own, which also stands for the system's root.
    """

    def __init__(self, directory: Path, givens: Mapping[str, Callable[[Reader], None]]) -> None:
        """
        :param directory: an empty one.
        :param givens: what a page may ask for with ``given``.
        """
        self.directory = directory
        self.home = directory / "home"
        self.programs = directory / "programs"
        self._outputs = directory / "outputs"
        for each in (self.home, self.programs, self._outputs, *(directory / "root" / name for name in _SYSTEM)):
            each.mkdir(parents=True)
        self.places = Places({port: free_port() for port in PORTS}, str(directory / "root"))
        self._givens = givens
        self._running: dict[str, _Running] = {}
        self._count = 0
        self._make_pico()
        self.add_program("sudo", 'exec "$@"')
        # On a terminal it shows no progress either.
        (self.home / ".curlrc").write_text("silent\nshow-error\n")
        path = os.pathsep.join((str(self.programs), str(Path(sys.executable).parent), os.environ["PATH"], "/usr/sbin"))
        self._shell = subprocess.Popen(
            ["bash", "--noprofile", "--norc"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=(self._outputs / "shell").open("wb"),
            cwd=self.home,
            # Without what a test runner may have put into PYTHONPATH: pip would take it for installed.
            env=clean_environment({"PATH": path, "HOME": str(self.home), "COLUMNS": "80", "PYTHONPATH": ""}),
            start_new_session=True,
        )
        # Programs in groups of their own, as terminals have them, so that Ctrl-C is for one of them.
        self._type("set -m")

    def follow(self, step: Step) -> None:
        """
        Do one step.

        :raises NotAsShown: when something else comes of it than the page shows.
        """
        if isinstance(step, Command):
            self._enter(attrs.evolve(step, text=self.places.moved(step.text)))
        elif isinstance(step, File):
            path = self.home / self.places.moved(step.path)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(self.places.moved(step.text), encoding="utf-8")
        elif isinstance(step, CtrlC):
            self._end(step)
        elif isinstance(step, Given):
            self._givens[step.name](self)
        else:
            assert isinstance(step, Skipped)
            print(f"{step.where}: not run: {step.reason}")

    def add_program(self, name: str, script: str) -> None:
        """
        Put a shell script where programs are looked for first.
        """
        path = self.programs / name
        path.write_text(f"#!/usr/bin/env bash\n{script}\n")
        path.chmod(0o755)

    def start(self, name: str, command: str, sign: str = "") -> None:
        """
        Start what the reader's machine runs anyway.

        :param command: with the ports of pages.
        :param sign: what a line of it holds once it runs.
        """
        expected = (f"...{sign}...",) if sign else ()
        self._start(Command(name, self.places.moved(command), expected, terminal=name))

    def check(self) -> None:
        """
        Look for bugs that programs have shown.
        """
        for path in sorted(self._outputs.iterdir()):
            text = path.read_text("utf-8", "replace")
            if "Traceback (most recent call last)" in text:
                raise NotAsShown(f"{path.name} shows a bug:\n{text}")

    def show(self) -> None:
        """
        Print what all programs have written.
        """
        for path in sorted(self._outputs.iterdir()):
            print(f"--- {path.name}\n{path.read_text('utf-8', 'replace')[-3000:]}", file=sys.stderr)

    def close(self) -> None:
        """
        End everything that was started.
        """
        for pid in _below(self._shell.pid):
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        self._shell.wait()
        for stream in (self._shell.stdin, self._shell.stdout):
            assert stream is not None
            stream.close()

    def _enter(self, command: Command) -> None:
        if command.terminal:
            self._start(command)
            return
        end = time.monotonic() + DEADLINE
        while True:
            path = self._script(command.text)
            output = path.with_suffix(".out")
            status = int(self._type(f". {_quoted(path)} >{_quoted(output)} 2>&1 </dev/null"))
            text = output.read_text("utf-8", "replace")
            if status == command.status and (not command.expected or says(self._moved(command.expected), text)):
                return
            if not command.retry or time.monotonic() > end:
                raise NotAsShown(_difference(command, self._moved(command.expected), text, f"status {status}"))
            time.sleep(0.2)

    def _start(self, command: Command) -> None:
        if command.terminal in self._running:
            raise NotAsShown(f"{command.where}: {command.terminal} is busy")
        log = self._outputs / f"{len(self._running)}-{command.terminal}"
        # The braces leave the command's own redirections to it.
        path = self._script(f"{{ {command.text}\n}} >{_quoted(log)} 2>&1 </dev/null &")
        self._type(f". {_quoted(path)}")
        pid = int(self._type("", "$!"))
        self._running[command.terminal] = _Running(pid, log)
        expected = self._moved(command.expected)

        def seen() -> bool:
            # Read before it is looked at whether it lives, or its last words are missed.
            ended = not _lives(pid)
            if has_said(expected, log.read_text("utf-8", "replace")):
                return True
            if ended:
                raise NotAsShown(_difference(command, expected, log.read_text("utf-8", "replace"), "ended"))
            return False

        try:
            eventually(seen, f"{command.where}: what {command.text!r} is to say")
        except NotAsShown:
            raise
        except AssertionError as error:
            text = log.read_text("utf-8", "replace")
            raise NotAsShown(_difference(command, expected, text, "still runs")) from error

    def _end(self, step: CtrlC) -> None:
        running = self._running.pop(step.terminal)
        os.killpg(running.pid, signal.SIGINT)
        status = self._type(f"wait {running.pid}")
        if status not in ("0", "130"):
            raise NotAsShown(f"{step.where}: {step.terminal} ended with {status}")

    def _type(self, line: str, answer: str = "$?") -> str:
        """
        Have the shell do something, and tell how it went.
        """
        assert self._shell.stdin is not None and self._shell.stdout is not None
        self._shell.stdin.write(f"{line}\necho {answer}\n".encode())
        self._shell.stdin.flush()
        with selectors.DefaultSelector() as selector:
            selector.register(self._shell.stdout, selectors.EVENT_READ)
            if not selector.select(_LONG):
                raise NotAsShown(f"after {_LONG:g} seconds still waiting for {line!r}")
        return self._shell.stdout.readline().decode().strip()

    def _script(self, text: str) -> Path:
        self._count += 1
        path = self._outputs / f"step-{self._count:02}.sh"
        path.write_text(text + "\n", encoding="utf-8")
        return path

    def _moved(self, lines: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(self.places.moved(line) for line in lines)

    def _make_pico(self) -> None:
        places = self.directory / "places.json"
        places.write_text(json.dumps({"ports": self.places.ports, "root": self.places.root}))
        self.add_program(
            "pico",
            f'PYTHONPATH={_quoted(ROOT)} exec {_quoted(sys.executable)} -m {__name__} {_quoted(places)} "$@"',
        )


def _quoted(path: object) -> str:
    return shlex.quote(str(path))


def _below(leader: int) -> list[int]:
    """
    All processes of a session, and what they have started in sessions of its own, as a demo does with its nodes.
    """
    found, parents = [], {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        pid = int(path.parent.name)
        parents[pid] = int(fields[1])
        if int(fields[3]) == leader:
            found.append(pid)
    for each in found:
        found += [pid for pid, parent in parents.items() if parent == each and pid not in found]
    return found


def _lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def _difference(command: Command, expected: tuple[str, ...], text: str, ending: str) -> str:
    shown = "\n".join(f"    {line}" for line in expected) or "    (anything)"
    came = "\n".join(f"    {line}" for line in text.splitlines()) or "    (nothing)"
    return (
        f"{command.where}: $ {command.text}\n  the page shows, with status {command.status}:\n{shown}\n"
        f"  what came, {ending}:\n{came}"
    )


def _settings_of(path: str) -> Mapping[str, object]:
    found = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    return cast("Mapping[str, object]", found) if isinstance(found, dict) else {}


def main() -> None:
    """
    Become Pico.
    """
    found = json.loads(Path(sys.argv[1]).read_text())
    places = Places({int(page): port for page, port in found["ports"].items()}, found["root"])
    arguments = sys.argv[2:]
    more = [places.moved(flag) for flag in unsaid(arguments, _settings_of)]
    os.environ.pop("PYTHONPATH", None)
    program = shutil.which(PICO[0]) or PICO[0]
    os.execv(program, [*PICO, *arguments, *more])


if __name__ == "__main__":
    main()
