"""
A machine that has nothing but what it was given: a directory in which commands run with ``chroot``. Needs root.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import attrs

#: Files of this machine that lead to the world outside, and to whom it trusts there.
_BORROWED = ("etc/resolv.conf", "etc/hosts", "etc/pip.conf", "etc/ssl/certs/ca-certificates.crt")

#: What a container's first process finds.
_ENVIRONMENT = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}

#: Mounts end with the process that has them.
_ENTER = """
for name in proc dev sys; do mount --rbind /$name "$0/$name"; done
exec chroot --userspec="$1" "$0" /usr/bin/env --chdir="$2" "${@:3}"
"""


class StepFailed(AssertionError):
    """
    A command in a root has failed.
    """


@attrs.define
class Root:
    """
    The directory, and how commands are run in it.

    :ivar variables: all that they find in their environment.
    :ivar directory: where they begin.
    :ivar user: numbers of user and group.
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

    def owned_by(self, user: int) -> list[str]:
        """
        The files of a user.
        """
        return [str(path) for path in self.path.rglob("*") if path.lstat().st_uid == user]

    def inside(self, name: str) -> Path:
        """
        Where a path of it is on this machine. Relative ones begin where its commands run.
        """
        return self.path / os.path.join(self.directory, name).lstrip("/")
