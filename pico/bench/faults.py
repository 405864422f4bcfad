"""
Why a run cannot go on.
"""

from __future__ import annotations

from pico.errors import PicoError


class BenchError(PicoError):
    """
    Something that the benchmark needs is missing, did not start, or broke; the text says what and shows why.
    """
