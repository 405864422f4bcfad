"""
Where a page's ports and directories are while a test follows it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import attrs

#: Ports that pages use, and that a test must have elsewhere.
PORTS = (443, 4000, 5000, *range(8000, 8004), *range(8010, 8014), 8443, 9090)

#: Directories of the system that pages write to.
ROOTS = ("etc", "opt", "run", "var/log")

_PORT = re.compile(rf"(?<![\w.])({'|'.join(map(str, PORTS))})(?![\w.]*\w)")
_ROOT = re.compile(rf"""(?:(?<=^)|(?<=[\s'"=:(<>]))/({"|".join(ROOTS)})(?=/|\b)""", re.MULTILINE)
#: A colon and a port, behind a host or nothing; not the minutes of a time.
_ADDRESS = re.compile(r"(?:(?<!\d)|(?<=\.\d)):(\d{2,5})\b(?!:)")


@attrs.frozen
class Places:
    """
    :ivar ports: where each of :data:`PORTS` is.
    :ivar root: the directory that stands for ``/``.
    """

    ports: Mapping[int, int]
    root: str

    def moved(self, text: str) -> str:
        """
        Say a page's text as it is in the test.
        """
        text = _PORT.sub(lambda found: str(self.ports[int(found[1])]), text)
        return _ROOT.sub(lambda found: f"{self.root}/{found[1]}", text)


def unmoved(text: str) -> set[str]:
    """
    The ports in a page's text that no test has elsewhere; but those that a system chooses itself.
    """
    return {found for found in _ADDRESS.findall(text) if int(found) not in PORTS and int(found) < 32_768}
