"""
Directories of this machine, in the place of those that an image has: the quick way to do what a Dockerfile says.

What would change the machine itself is left out, and nothing is compiled, which takes minutes.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path

import attrs

from tests.deploy.clean_root import Root

#: The beginnings of paths that a Dockerfile makes.
_MADE = re.compile(r"(?<![\w./-])/(?=(?:opt|src|dist)\b)")

#: What the machine has, or must not get.
_OTHERS = ("apt-get ", "groupadd ", "useradd ")


@attrs.define
class Moved:
    """
    All stages in one directory, because an environment of Python knows where it is.

    :ivar variables: what ``ENV`` has set, over the test's own.
    :ivar directory: as the Dockerfile says it.
    :ivar user: not looked at.
    """

    path: Path
    variables: dict[str, str] = attrs.Factory(lambda: {"PATH": os.environ["PATH"]})
    directory: str = "/"
    user: str = ""

    def run(self, words: Sequence[str]) -> str:
        """
        Run a command to its end.
        """
        if words[-1].startswith(_OTHERS):
            return ""
        settings = [f"{name}={self._moved(value)}" for name, value in self.variables.items()]
        moved = [self._moved(word).replace("PICO_COMPILE=1", "PICO_COMPILE=0") for word in words]
        return Root.checked(["env", f"--chdir={self.inside('')}", *settings, *moved])

    def inside(self, name: str) -> Path:
        """
        Where a path of it is on this machine.
        """
        return self.path / os.path.join(self.directory, name).lstrip("/")

    def _moved(self, text: str) -> str:
        return _MADE.sub(f"{self.path}/", text)
