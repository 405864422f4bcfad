"""
Who listens on a port, as Linux tells it (proc(5)). Elsewhere, and about other users' processes, nothing is known.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import attrs

#: The state of a socket that listens, in ``/proc/net/tcp``.
_LISTEN = "0A"

PROC = Path("/proc")


@attrs.frozen
class Holder:
    """
    A process.
    """

    pid: int
    command: str

    def __str__(self) -> str:
        return f"{self.command} (pid {self.pid})"


def listening_inodes(table: str, port: int) -> set[int]:
    """
    Find the sockets that listen on a port.

    :param table: the text of ``/proc/net/tcp`` or ``tcp6``.
    """
    found = set()
    for line in table.splitlines()[1:]:
        fields = line.split()
        if len(fields) > 9 and fields[3] == _LISTEN and int(fields[1].rpartition(":")[2], 16) == port:
            found.add(int(fields[9]))
    return found


def find_holder(port: int, proc: Path = PROC) -> Holder | None:
    """
    Find a process that listens on a port, as far as this user may know.
    """
    inodes = set()
    for name in ("tcp", "tcp6"):
        try:
            inodes |= listening_inodes((proc / "net" / name).read_text(), port)
        except OSError:
            continue
    links = {f"socket:[{inode}]" for inode in inodes}
    if not links:
        return None
    for process in sorted(_processes(proc)):
        if not links.isdisjoint(_links(proc / str(process) / "fd")):
            return Holder(process, _command(proc / str(process)))
    return None


def _processes(proc: Path) -> Iterator[int]:
    return (int(each.name) for each in proc.iterdir() if each.name.isdigit())


def _links(folder: Path) -> Iterator[str]:
    try:
        names = os.listdir(folder)
    except OSError:
        return
    for name in names:
        try:
            yield os.readlink(folder / name)
        except OSError:
            continue


def _command(process: Path) -> str:
    """
    What runs: its program, and of a script in an interpreter the script's name.
    """
    try:
        words = (process / "cmdline").read_bytes().decode("utf-8", "replace").split("\0")
    except OSError:
        return "?"
    names = [os.path.basename(word) for word in words if word and not word.startswith("-")]
    if not names:
        return "?"
    shown = names[0]
    if shown.startswith("python") and len(names) > 1:
        shown = names[1]
    return "".join(char if char.isprintable() else "?" for char in shown.split()[0].rstrip(":"))[:40]
