"""
``pico version``.
"""

from __future__ import annotations

import click

from pico import __version__


@click.command("version")
def version() -> None:
    """
    Print the version.

    \b
    Example:
      pico version
    """
    click.echo(f"pico {__version__}")
