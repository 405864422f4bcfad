"""
The reactor that the foreground commands run on.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Protocol, cast

from twisted.internet.interfaces import IReactorTCP, IReactorTime


class Reactor(Protocol):
    """
    What running needs of a reactor.
    """

    def run(self, installSignalHandlers: bool = True) -> None: ...  # noqa: N803 - Twisted's name
    def stop(self) -> None: ...
    def callFromThread(self, callable: Callable[..., object], *args: object) -> None: ...  # noqa: A002, N802


def install() -> tuple[Reactor, IReactorTCP, IReactorTime]:
    """
    Install the fastest reactor of this platform.

    :return: the same object three times, by what it is used for.
    """
    if sys.platform == "linux":
        from pico.net.reactor import install as install_short

        install_short()
    from twisted.internet import reactor

    return cast(Reactor, reactor), cast(IReactorTCP, reactor), cast(IReactorTime, reactor)
