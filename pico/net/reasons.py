"""
Why a connection could not be had, in few words.
"""

from __future__ import annotations

import os


def why(error: BaseException | None) -> str:
    """
    Say what an error means; Twisted's own texts repeat the class's description.
    """
    number = getattr(error, "osError", None)
    if isinstance(number, int):
        return _lowered(os.strerror(number))
    if error is not None and error.args and isinstance(error.args[0], list):
        # OpenSSL's: library, function and reason of each.
        return "TLS: " + ", ".join(str(each[-1]) for each in error.args[0])
    return _lowered(str(error).rstrip(".") or type(error).__name__)


def _lowered(text: str) -> str:
    return text[:1].lower() + text[1:]
