"""
``python -m pico.bench``: the same as ``pico bench nginx``.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from pico.bench.main import run_bench
from pico.bench.plan import STAGES


def main() -> int:
    """
    Read the command line and run.

    :return: the exit status.
    """
    parser = argparse.ArgumentParser(
        prog="python -m pico.bench", description="Measure Pico beside nginx on this machine."
    )
    parser.add_argument("--quick", action="store_true", help="one short round: does it work, roughly how fast")
    parser.add_argument("--output", type=Path, metavar="FILE", help="write all figures as JSON")
    parser.add_argument("--docs", type=Path, metavar="FILE", help="write the page of the manual")
    parser.add_argument(
        "--only", action="append", default=[], choices=STAGES, help="measure this alone; may be given again"
    )
    options = parser.parse_args()
    return run_bench(quick=options.quick, output=options.output, docs=options.docs, only=options.only)


if __name__ == "__main__":
    sys.exit(main())
