"""
Commands, run in this process.
"""

from __future__ import annotations

import contextlib
import io
import os
from collections.abc import Iterator, Mapping

import attrs
import click

from pico.cli.main import main, pico


@attrs.frozen
class Outcome:
    """
    How a command ended, and what it said.
    """

    status: int
    stdout: str
    stderr: str


def invoke(*arguments: str, width: int = 80, environment: Mapping[str, str] | None = None) -> Outcome:
    """
    Run a command to its end.

    :param width: of the terminal, in columns.
    :param environment: variables of Pico that it finds; there are no others.
    """
    stdout, stderr = io.StringIO(), io.StringIO()
    ours = {**(environment or {}), "COLUMNS": str(width)}
    with _environment(ours), contextlib.redirect_stdout(stdout), contextlib.redirect_stderr(stderr):
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


def commands() -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """
    All commands, ``pico`` itself included, by the words behind ``pico``.
    """
    yield from _below((), pico, click.Context(pico, info_name="pico"))


def _below(
    path: tuple[str, ...], command: click.Command, ctx: click.Context
) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    yield path, command
    if isinstance(command, click.Group):
        for name in command.list_commands(ctx):
            below = command.get_command(ctx, name)
            assert below is not None
            yield from _below((*path, name), below, click.Context(below, ctx, name))
