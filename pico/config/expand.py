"""
Variables in a configuration file.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

_VARIABLE = re.compile(r"\$(?:\$|\{([A-Za-z_][A-Za-z0-9_]*)(?::([^}]*))?\})")


def expand(text: str, environment: Mapping[str, str]) -> str:
    """
    Replace ``${VAR}`` and ``${VAR:default}``; ``$$`` stands for one ``$``.

    A variable that is not set and has no default becomes nothing; one that is set and empty stays empty.
    """

    def value(match: re.Match[str]) -> str:
        if match[1] is None:
            return "$"
        return environment.get(match[1], match[2] or "")

    return _VARIABLE.sub(value, text)
