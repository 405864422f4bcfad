"""
What was found.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable

import attrs


class Level(enum.Enum):
    """
    How bad it is.
    """

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@attrs.frozen
class Finding:
    """
    One thing that was looked at.

    :ivar subject: what was looked at, in few words.
    :ivar advice: what to do about it; empty for nothing.
    """

    level: Level
    subject: str
    text: str
    advice: str = ""


@attrs.frozen
class Check:
    """
    Something to look at.

    :ivar look: blocks; at least one finding comes of it.
    """

    subject: str
    look: Callable[[], Iterable[Finding]]


def ok(subject: str, text: str) -> Finding:
    """
    It is as it should be.
    """
    return Finding(Level.OK, subject, text)


def warn(subject: str, text: str, advice: str) -> Finding:
    """
    It may be meant.
    """
    return Finding(Level.WARN, subject, text, advice)


def fail(subject: str, text: str, advice: str) -> Finding:
    """
    It will not work.
    """
    return Finding(Level.FAIL, subject, text, advice)


def reason_of(error: OSError) -> str:
    """
    Why a call of the system failed, in few words.
    """
    if isinstance(error, TimeoutError):
        return "no answer in time"
    text = error.strerror or str(error) or type(error).__name__
    return text[:1].lower() + text[1:]
