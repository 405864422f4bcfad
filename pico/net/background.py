"""
Work that nobody waits for.
"""

from __future__ import annotations

from typing import TypeVar

from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

_T = TypeVar("_T")


def background(d: Deferred[_T], log: Logger, what: str = "work in the background") -> None:
    """
    Let ``d`` run by itself: its result is dropped, its failure logged as a bug.

    Failures that are to be expected are the caller's to handle before. Being cancelled is no failure.

    :param what: names the work in the log.
    """

    def failed(failure: Failure) -> None:
        if not failure.check(CancelledError):
            log.failure("{what} failed", failure=failure, what=what)

    d.addErrback(failed)
