"""
``pico version``.
"""

from __future__ import annotations

import json
import platform
import sys
from importlib.metadata import version as version_of

import click

from pico import __version__
from pico.cli.command import Command, output_flag


@click.command("version", cls=Command)
@output_flag(["text", "json"], "Form of the answer.")
def version(output: str) -> None:
    """
    Print the version of Pico, and of what it runs on.

    \b
    Example:
      pico version -o json
    """
    versions = {
        "version": __version__,
        "python": platform.python_version(),
        "twisted": version_of("twisted"),
        "platform": f"{sys.platform}-{platform.machine()}",
    }
    if output == "json":
        click.echo(json.dumps(versions, indent=2))
        return
    for name, value in versions.items():
        click.echo(f"{'pico' if name == 'version' else name} {value}")
