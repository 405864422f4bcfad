"""
Does what a Dockerfile says, where there is no Docker.

Each stage has a root of its own, a directory in which its commands run with ``chroot``. The base image is what a tar
file holds. What is not done is caching, and keeping the network away.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import attrs

from tests.deploy.dockerfile import Instruction, Stage, allowed, expand

#: Files of this machine that lead to the world outside, and to whom it trusts there.
_BORROWED = ("etc/resolv.conf", "etc/hosts", "etc/pip.conf", "etc/ssl/certs/ca-certificates.crt")

#: What a container's first process finds.
_ENVIRONMENT = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}

#: Variables of this machine that lead to package indexes.
_PASSED = ("PIP_INDEX_URL", "PIP_CERT", "https_proxy", "http_proxy", "no_proxy")

#: Mounts end with the process that has them.
_ENTER = """
for name in proc dev sys; do mount --rbind /$name "$0/$name"; done
exec chroot --userspec="$1" "$0" /usr/bin/env --chdir="$2" "${@:3}"
"""


class StepFailed(AssertionError):
    """
    A command of a Dockerfile has failed.
    """


@attrs.define
class Root:
    """
    A stage that is being made, or an image.

    :ivar variables: what ``ENV`` has set.
    """

    path: Path
    variables: dict[str, str] = attrs.Factory(lambda: dict(_ENVIRONMENT))
    directory: str = "/"
    user: str = "0:0"

    @classmethod
    def unpacked(cls, base: Path, path: Path) -> Root:
        """
        A fresh one.

        :param base: a tar file.
        """
        path.mkdir()
        subprocess.run(["tar", "-xf", base, "-C", path, "--exclude=./dev/*"], check=True)
        for name in _BORROWED:
            if Path("/", name).exists():
                (path / name).parent.mkdir(parents=True, exist_ok=True)
                (path / name).unlink(missing_ok=True)
                shutil.copy(Path("/", name), path / name)
        return cls(path)

    def command(self, words: Sequence[str]) -> list[str]:
        """
        A command line of this machine that runs a command in there.
        """
        settings = [f"{name}={value}" for name, value in self.variables.items()]
        inside = ["-i", *settings, *words]
        return [
            *("unshare", "--mount", "bash", "-ec", _ENTER),
            *(str(self.path), self.user, self.directory, *inside),
        ]

    def run(self, words: Sequence[str]) -> str:
        """
        Run a command in there to its end.

        :return: what it prints.
        :raises StepFailed: its status is not 0.
        """
        return self.checked(self.command(words))

    @staticmethod
    def checked(command: Sequence[str]) -> str:
        """
        Run a command of this machine to its end.

        :return: what it prints.
        :raises StepFailed: its status is not 0.
        """
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            said = f"{done.stdout[-3000:]}{done.stderr[-3000:]}"
            raise StepFailed(f"{shlex.join(command)}: status {done.returncode}\n{said}")
        return done.stdout

    def inside(self, name: str) -> Path:
        """
        Where a path of it is on this machine. Relative ones begin where its commands run.
        """
        return self.path / os.path.join(self.directory, name).lstrip("/")


def build(stages: Sequence[Stage], context: Path, base: Path, scratch: Path) -> Root:
    """
    Make an image.

    :param context: what is sent to the builder, past its ``.dockerignore``.
    :param base: a tar file that stands for the base image of all stages.
    :param scratch: a directory, for the roots of the stages.
    :return: the last of them.
    """
    ignore = (context / ".dockerignore").read_text(encoding="utf-8").splitlines()
    made: dict[str, Root] = {}
    for number, stage in enumerate(stages):
        root = made[stage.name or str(number)] = Root.unpacked(base, scratch / f"stage-{number}")
        for instruction in stage.instructions:
            _do(instruction, root, made, context, ignore)
    return list(made.values())[-1]


def _do(instruction: Instruction, root: Root, made: Mapping[str, Root], context: Path, ignore: Sequence[str]) -> None:
    match instruction.word:
        case "RUN":
            passed = [f"{name}={os.environ[name]}" for name in _PASSED if name in os.environ]
            root.run(["env", *passed, "/bin/sh", "-c", instruction.rest])
        case "ENV":
            for word in instruction.words:
                name, _, value = word.partition("=")
                root.variables[name] = expand(value, root.variables)
        case "WORKDIR":
            root.directory = instruction.rest
            root.inside("").mkdir(parents=True, exist_ok=True)
        case "USER":
            root.user = instruction.rest
        case "COPY":
            *names, target = instruction.words
            for name in names:
                if "from" in instruction.flags:
                    _copy(made[instruction.flags["from"]].inside(name), root, target)
                elif allowed(ignore, name):
                    _copy(context / name, root, target, shutil.ignore_patterns("__pycache__", "*.so", "dropin.cache"))
                else:
                    raise StepFailed(f"line {instruction.line}: {name} is not sent to the builder")
        case _:
            pass  # says how it is run, not what is in it


def _copy(source: Path, root: Root, target: str, ignored: Callable[[str, list[str]], set[str]] | None = None) -> None:
    """
    As ``COPY`` does: of a directory what is in it, of a file itself.
    """
    place = root.inside(target)
    if source.is_dir():
        shutil.copytree(source, place, symlinks=True, dirs_exist_ok=True, ignore=ignored)
        return
    if target.endswith("/"):
        place.mkdir(parents=True, exist_ok=True)
        place = place / source.name
    shutil.copy2(source, place)
