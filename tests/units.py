"""
The names of all unit test packages and modules: everything below ``tests`` but the system tests, the long
simulations, and what needs a clean root.

``python -m tests.units`` prints them, for trial.
"""

from __future__ import annotations

from pathlib import Path

_APART = {"system", "interop", "simulation", "image", "package"}


def units() -> list[str]:
    """
    Module names, sorted.
    """
    here = Path(__file__).parent
    return sorted(
        ".".join(("tests", *path.relative_to(here).with_suffix("").parts))
        for path in here.rglob("test_*.py")
        if path.relative_to(here).parts[0] not in _APART
    )


if __name__ == "__main__":
    print(*units())
