"""
``pico demo``.
"""

from __future__ import annotations

import sys

import click


@click.command("demo")
def demo() -> None:
    """
    Run a node, a sample web service and an agent until Ctrl-C.

    \b
    Example:
      pico demo
    """
    from pico.demo.run import run_demo

    sys.exit(run_demo())
