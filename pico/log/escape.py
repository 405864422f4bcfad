"""
Text that does nothing to a terminal and stays on its line.

What is logged may come from anybody: a line feed in it would make a second line that nobody wrote, an escape sequence
would command the terminal of whoever reads it, and a mark that turns the writing direction would show another text.
``str.isprintable`` knows all of these, so that text without them costs one look.
"""

from __future__ import annotations

from typing import Final

#: What stands at the end of a value that was cut.
CUT: Final = "…"


def printable(text: str) -> str:
    """
    Write what is not printable as an escape sequence of Python's, such as ``\\x1b``.
    """
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else _escaped(char) for char in text)


def text_of(data: bytes) -> str:
    """
    Read what a peer has sent as text: UTF-8, with other bytes as ``\\xff``. Not all of it may be printable.
    """
    return data.decode("utf-8", "backslashreplace")


def cut(text: str, limit: int) -> str:
    """
    Leave out what is behind so many characters.
    """
    return text if len(text) <= limit else text[:limit] + CUT


def _escaped(char: str) -> str:
    number = ord(char)
    if number < 0x100:
        return f"\\x{number:02x}"
    return f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"
