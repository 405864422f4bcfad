"""
Commands run in this process.
"""

from __future__ import annotations

import contextlib
import io
import os
from collections.abc import Iterator, Mapping

import attrs

from pico.cli.main import main


@attrs.frozen
class Outcome:
    """
    How a command ended, and what it said.
    """

    status: int
    stdout: str
    stderr: str


def run_pico(*arguments: str, environment: Mapping[str, str] | None = None) -> Outcome:
    """
    Run a command to its end.

    :param environment: variables of Pico that it finds; there are no others.
    """
    stdout, stderr = io.StringIO(), io.StringIO()
    with _environment(environment or {}), contextlib.redirect_stdout(stdout), contextlib.redirect_stderr(stderr):
        status = 0
        try:
            main(list(arguments))
        except SystemExit as end:
            status = end.code if isinstance(end.code, int) else int(end.code is not None)
    return Outcome(status, stdout.getvalue(), stderr.getvalue())


@contextlib.contextmanager
def _environment(ours: Mapping[str, str]) -> Iterator[None]:
    before = dict(os.environ)
    for name in before:
        if name.startswith("PICO_"):
            del os.environ[name]
    os.environ.update(ours)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
