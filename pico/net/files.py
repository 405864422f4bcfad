"""
How many files this process may have open, connections among them.
"""

from __future__ import annotations

import resource


def allow_open_files() -> float:
    """
    Let this process and its children open as many files as they may at all. The lower limit that many systems begin
    with protects programs that use select(), as no reactor here does.

    :return: the limit; infinite without one.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        except (ValueError, OSError):
            # Some systems have another limit besides, which no call tells.
            return _number(soft)
    return _number(hard)


def most_open_files() -> float:
    """
    The limit that :func:`allow_open_files` tries to get.
    """
    return _number(resource.getrlimit(resource.RLIMIT_NOFILE)[1])


def _number(limit: int) -> float:
    return float("inf") if limit == resource.RLIM_INFINITY else limit
