"""
How many files a run may open.
"""

from __future__ import annotations

import resource


def raise_open_files(wanted: int) -> None:
    """
    Let this process and its children open so many files, or as many as they may.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    limit = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    if soft != resource.RLIM_INFINITY and soft < limit:
        resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))
