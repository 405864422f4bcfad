"""
The programs that do not come with Pico.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable

import attrs

from pico.bench.faults import BenchError

#: Where Debian puts nginx, which is not on everybody's path.
_PLACES = "/usr/sbin:/usr/local/sbin:/sbin"

#: Program and Debian package.
_NEEDED = {"nginx": "nginx-light", "wrk": "wrk"}

_VERSION = re.compile(r"(?:nginx/|wrk (?:debian/)?)(\S+)")


@attrs.frozen
class Tools:
    """
    Where the programs are.
    """

    nginx: str
    wrk: str


def find_tools(which: Callable[[str], str | None] | None = None) -> Tools:
    """
    Find the programs.

    :param which: tells where a program is.
    :raises BenchError: says which are missing and how to get them.
    """
    which = which or _which
    found = {name: which(name) for name in _NEEDED}
    missing = [name for name, path in found.items() if path is None]
    if missing:
        packages = " ".join(_NEEDED[name] for name in missing)
        raise BenchError(
            f"the benchmark needs {' and '.join(missing)}, not found here.\n"
            f"On Debian and Ubuntu: sudo apt-get install {packages}"
        )
    return Tools(nginx=found["nginx"] or "", wrk=found["wrk"] or "")


def version_of(program: str) -> str:
    """
    Ask a program for its version; both print it among other things.
    """
    answer = subprocess.run([program, "-v"], capture_output=True, text=True, timeout=10, check=False)
    return parse_version(answer.stdout + answer.stderr)


def parse_version(text: str) -> str:
    """
    Find the version in what ``nginx -v`` or ``wrk -v`` prints; a question mark when it is not there.
    """
    found = _VERSION.search(text)
    return found[1] if found else "?"


def _which(name: str) -> str | None:
    return shutil.which(name) or shutil.which(name, path=_PLACES)
