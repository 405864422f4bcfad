"""
A service that tells its supervisor how it fares.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from twisted.application.service import Service
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from pico.net.background import background

#: Seconds between two looks at what there is to say.
STATUS_INTERVAL = 5.0
STOPPING_INTERVAL = 0.5

#: How long to wait for a supervisor that is slow to hear what is said once.
_PATIENCE = 1.0


class Notifies(Protocol):
    """
    What is needed of a :class:`pico.net.systemd.Notifier`.
    """

    def send(self, *, patience: float = 0.0, **fields: str) -> None: ...
    def close(self) -> None: ...


class Supervised(Service):
    """
    Run a service, and say READY=1 when it is, STOPPING=1 when its end begins, STATUS= whenever that has changed, and
    WATCHDOG=1 twice in each interval for as long as the reactor turns.
    """

    _log = Logger(namespace="systemd")

    def __init__(
        self,
        service: Service,
        notifier: Notifies,
        *,
        clock: IReactorTime,
        status: Callable[[], str],
        when_ready: Callable[[], Deferred[None]],
        watchdog: float = 0.0,
    ) -> None:
        """
        :param status: one line about what the service does now.
        :param when_ready: asked once, after the start.
        :param watchdog: the supervisor's interval; 0 for none.
        """
        self._service = service
        self._notifier = notifier
        self._clock = clock
        self._status = status
        self._when_ready = when_ready
        self._watchdog = watchdog
        self._said = ""
        self._alive = self._loop(lambda: notifier.send(WATCHDOG="1"))
        self._look = self._loop(self._say_status)

    def privilegedStartService(self) -> None:
        """
        Let the service do what needs rights.
        """
        self._service.privilegedStartService()

    def startService(self) -> None:
        """
        Start the service.

        Nothing is said before the reactor runs: who hears READY=1 may send a signal at once.
        """
        Service.startService(self)
        self._service.startService()
        self._clock.callLater(0, self._begin)

    def stopService(self) -> Deferred[object]:
        """
        Stop the service.
        """
        Service.stopService(self)
        self._notifier.send(patience=_PATIENCE, STOPPING="1")
        stopping: Deferred[object] = maybeDeferred(self._service.stopService)
        if self._look.running:
            self._look.stop()
            self._start(self._look, STOPPING_INTERVAL)
        return stopping.addBoth(self._ended)

    def _begin(self) -> None:
        if not self.running:
            return
        if self._watchdog:
            self._start(self._alive, self._watchdog / 2)
        self._start(self._look, STATUS_INTERVAL)
        background(self._when_ready().addCallback(self._ready), self._log, "telling the supervisor")

    def _ready(self, _: None) -> None:
        if self.running:
            self._said = self._status()
            self._notifier.send(patience=_PATIENCE, READY="1", STATUS=self._said)

    def _say_status(self) -> None:
        status = self._status()
        if status != self._said:
            self._said = status
            self._notifier.send(STATUS=status)

    def _ended(self, result: object) -> object:
        for loop in (self._alive, self._look):
            if loop.running:
                loop.stop()
        self._notifier.close()
        return result

    def _loop(self, call: Callable[[], None]) -> LoopingCall:
        loop = LoopingCall(call)
        loop.clock = self._clock
        return loop

    def _start(self, loop: LoopingCall, interval: float) -> None:
        background(loop.start(interval), self._log, "telling the supervisor")
