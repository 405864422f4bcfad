"""
``pico bench``.
"""

from __future__ import annotations

import sys
from pathlib import Path

import click


@click.command("bench")
@click.option("--quick", is_flag=True, help="One short round.")
@click.option("--output", type=click.Path(path_type=Path), help="Where all figures go as JSON.")
@click.option("--docs", type=click.Path(path_type=Path), help="Where the page of the manual goes.")
@click.option("--only", multiple=True, metavar="STAGE", help="Only these stages.")
def bench(quick: bool, output: Path | None, docs: Path | None, only: tuple[str, ...]) -> None:
    """
    Measure a node and an agent beside nginx on this machine. Needs nginx and wrk.

    \b
    Example:
      pico bench --quick
    """
    from pico.bench.main import run_bench

    sys.exit(run_bench(quick=quick, output=output, docs=docs, only=only))
