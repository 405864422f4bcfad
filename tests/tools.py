"""
Programs of others that tests need.
"""

from __future__ import annotations

import os
import shutil

#: Daemons are not in everybody's ``PATH``.
_PATH = f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/usr/local/sbin"


def tool(name: str, package: str = "") -> str:
    """
    The path of a program.

    :param package: of Debian that brings it, if it has another name.
    :raises AssertionError: it is not there, so that nobody takes a test for passed that saw nothing.
    """
    found = shutil.which(name, path=_PATH)
    if found is None:
        raise AssertionError(f"there is no {name}: apt-get install {package or name}")
    return found
