"""
What may be done on a stream that may be a terminal.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TextIO


def is_terminal(stream: TextIO, environment: Mapping[str, str] = os.environ) -> bool:
    """
    Whether somebody looks at it, on something that understands escape sequences.
    """
    return stream.isatty() and environment.get("TERM", "") not in ("", "dumb")


def use_color_on(stream: TextIO, environment: Mapping[str, str] = os.environ) -> bool:
    """
    Whether it may be coloured (https://no-color.org).
    """
    return is_terminal(stream, environment) and not environment.get("NO_COLOR")
