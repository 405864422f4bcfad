"""
``pico demo``.
"""

from __future__ import annotations

import sys

import click

from pico.cli.command import Command


@click.command("demo", cls=Command)
def demo() -> None:
    """
    Run a node, a sample web service and an agent until Ctrl-C.

    \b
    Example:
      pico demo
    """
    from pico.demo.run import run_demo

    sys.exit(run_demo())
