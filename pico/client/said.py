"""
What a node says in words, for people.
"""

from __future__ import annotations

import json

#: The longest text that is shown.
_MAX_SHOWN = 200


def error_in(body: bytes) -> str:
    """
    The ``error`` of a JSON body; empty if there is none.
    """
    try:
        found = json.loads(body)["error"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return ""
    return shown(found) if isinstance(found, str) else ""


def shown(text: str) -> str:
    """
    A text from outside as it may go to a terminal.
    """
    return "".join(char if char.isprintable() else " " for char in text[:_MAX_SHOWN]).strip()
