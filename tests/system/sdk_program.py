"""
A program of somebody's that serves an endpoint by the SDK, with ``twisted.web``: started as
``python -m tests.system.sdk_program ENDPOINT NAME CONNECTIONS URL…``.

A POST is answered with its body, after a moment; anything else with ``NAME: METHOD TARGET``, and
``/gate`` not before SIGUSR1.
"""

from __future__ import annotations

import random
import signal
import sys
from collections.abc import Sequence
from typing import cast

from twisted.internet import reactor as installed
from twisted.internet.interfaces import IReactorCore, IReactorFromThreads, IReactorTCP, IReactorTime
from twisted.logger import (
    FilteringLogObserver,
    LogLevel,
    LogLevelFilterPredicate,
    globalLogBeginner,
    textFileLogObserver,
)
from twisted.web.http import Request
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Site

from pico.client import Dialer, DialSettings, Listener, Rotation, Tunnel, parse_node_url
from pico.net.turn import Turn
from pico.tunnel.stream import TunnelStream

#: Seconds for what is under way when it is told to stop.
GRACE = 20.0

#: Seconds that the program thinks about a POST.
_WORK = 0.02


class Echo(Resource):
    """
    What it serves, at every path.
    """

    isLeaf = True

    def __init__(self, name: str, clock: IReactorTime) -> None:
        Resource.__init__(self)
        self._name = name
        self._clock = clock
        self._waiting: list[Request] = []

    def render_GET(self, request: Request) -> bytes | int:
        """
        Say what was asked, or wait.
        """
        if request.uri == b"/gate":
            self._waiting.append(request)
            print(f"{len(self._waiting)} at the gate")
            return NOT_DONE_YET
        return self._answer(request)

    def render_POST(self, request: Request) -> int:
        """
        Say the same.
        """
        assert request.content is not None
        self._clock.callLater(_WORK, self._tell, request, request.content.read())
        return NOT_DONE_YET

    def open_gate(self) -> None:
        """
        Answer those who wait.
        """
        waiting, self._waiting = self._waiting, []
        for request in waiting:
            self._tell(request, self._answer(request))

    def _tell(self, request: Request, answer: bytes) -> None:
        if request.channel is not None:
            request.write(answer)
            request.finish()

    def _answer(self, request: Request) -> bytes:
        return b"%b: %b %b\n" % (self._name.encode(), request.method, request.uri)


class Printer:
    """
    Says how it goes.
    """

    def connected(self, endpoint: str, tunnel: Tunnel) -> None:
        """
        A tunnel stands.
        """
        print(f"{endpoint}: connected to node {tunnel.node}")

    def refused(self, endpoint: str, reason: str) -> None:
        """
        It was refused.
        """
        print(f"{endpoint}: refused: {reason}")

    def lost(self, endpoint: str, reason: str, retry_in: float) -> None:
        """
        There is none.
        """
        print(f"{endpoint}: {reason}; again in {retry_in:.1f} s")


class _Reactor(IReactorCore, IReactorFromThreads, IReactorTCP, IReactorTime):
    """
    What of the reactor is used here.
    """


def main(endpoint: str, name: str, connections: int, urls: Sequence[str]) -> None:
    """
    Serve until SIGTERM.
    """
    # Without a line for each request.
    quiet = FilteringLogObserver(textFileLogObserver(sys.stderr), [LogLevelFilterPredicate(LogLevel.warn)])
    globalLogBeginner.beginLoggingTo([quiet], redirectStandardIO=False)
    reactor = cast(_Reactor, installed)
    turn = Turn(reactor)
    dialers = [Dialer(DialSettings(url=parse_node_url(url)), reactor=reactor, clock=reactor, turn=turn) for url in urls]
    echo = Echo(name, reactor)
    site = Site(echo)

    def serve(stream: TunnelStream) -> None:
        stream.attach(site.buildProtocol(stream.getPeer()))

    listener = Listener(
        endpoint,
        dialer=Rotation(dialers),
        clock=reactor,
        on_stream=serve,
        watcher=Printer(),
        chooser=random.Random(),
        connections=connections,
    )
    signal.signal(signal.SIGUSR1, lambda *_: reactor.callFromThread(echo.open_gate))
    site.startFactory()
    listener.start()
    reactor.addSystemEventTrigger("before", "shutdown", listener.stop, GRACE)
    reactor.run()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4:])
