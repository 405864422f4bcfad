"""
Programs of others that tests need.
"""

from __future__ import annotations

import os
import shutil
from unittest import SkipTest

#: Daemons are not in everybody's ``PATH``.
_PATH = f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/usr/local/sbin"


def tool(name: str, package: str = "") -> str:
    """
    The path of a program.

    :param package: of Debian that brings it, if it has another name.
    :raises SkipTest: it is not there. Where nothing may be skipped (``NO_SKIPS=1``), the test fails.
    """
    found = shutil.which(name, path=_PATH)
    if found is None:
        raise SkipTest(f"there is no {name}: apt-get install {package or name}")
    return found
