"""
A tunnel for one endpoint, kept up for as long as its owner wants it.

Make before break: when the node says go-away its tunnel goes on serving, and leaves only once another
stands. What leaves (for that reason or because the listener was stopped) is no part of the machine any
more; it stands in ``_Core.leaving`` until its last stream has ended.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from math import inf
from typing import Protocol

import attrs
from automat import TypeMachineBuilder, pep614
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from pico.client.dialer import DialError, Tunnel, TunnelUser
from pico.client.leaving import Leaving
from pico.tunnel.endings import why_ended
from pico.tunnel.stream import TunnelStream
from pico.wire.dialling import Backoff, Patience, Verdict, verdict


class Watcher(Protocol):
    """
    Who wants to know how the endpoint is doing. Nothing of what it is told needs an answer.
    """

    def connected(self, endpoint: str, tunnel: Tunnel) -> None:
        """
        A tunnel stands.
        """

    def refused(self, endpoint: str, reason: str) -> None:
        """
        The node refuses, and will go on to. Told once for each reason until it accepts; it is asked again
        slowly.
        """

    def lost(self, endpoint: str, reason: str, retry_in: float) -> None:
        """
        There is no tunnel: it ended, or could not be had. It is dialled in so many seconds.
        """


class Dials(Protocol):
    """
    What is needed of a :class:`pico.client.dialer.Dialer`.
    """

    def dial(self, endpoint: str, user: TunnelUser) -> Deferred[Tunnel]: ...


@attrs.frozen
class _Setback:
    """
    Why there is to be another try, and when.

    :ivar final: it was refused, and will be.
    """

    reason: str
    delay: float
    final: bool = False


class _Listening(Protocol):
    def start(self) -> None:
        """
        Begin to dial.
        """

    def stop(self, grace: float) -> None:
        """
        Dial no more, and let the tunnel go.
        """

    def _dialled(self, link: _Link) -> None:
        """
        A try has succeeded.
        """

    def _failed(self, setback: _Setback) -> None:
        """
        A try has failed.
        """

    def _due(self) -> None:
        """
        The wait is over.
        """

    def _relieved(self, setback: _Setback) -> None:
        """
        The node of the tunnel has said go-away.
        """

    def _lost(self, setback: _Setback) -> None:
        """
        The tunnel has ended.
        """


@attrs.define(eq=False)
class _Link:
    """
    A tunnel's user: one try, and the tunnel that came of it.

    :ivar since: when the tunnel began to stand.
    """

    core: _Core
    machine: _Listening
    tunnel: Tunnel | None = None
    since: float = 0.0

    def stream_opened(self, stream: TunnelStream) -> None:
        """
        Hand a stream on.
        """
        try:
            self.core.on_stream(stream)
        except Exception:
            self.core.log.failure("a stream could not be served")
            stream.abortConnection()

    def node_leaves(self) -> None:
        """
        Look for another node, if this tunnel is the one that counts.
        """
        core = self.core
        if core.link is self:
            delay = core.patience.relieved(core.chooser.random())
            self.machine._relieved(_Setback("the node is leaving", delay))

    def tunnel_closed(self, reason: Failure) -> None:
        """
        Dial again, if this tunnel is the one that counts.
        """
        core = self.core
        if core.link is self:
            core.link = None
            delay = core.patience.lost(core.clock.seconds() - self.since, core.chooser.random())
            self.machine._lost(_Setback(why_ended(reason, "the node closed the tunnel"), delay))
        else:
            core.left(self)


@attrs.define(eq=False)
class _Core:
    """
    What all states share.

    :ivar link: the tunnel that serves.
    :ivar leaving: those on their way out.
    :ivar attempt: the try under way.
    :ivar told: the final refusal that was reported last.
    :ivar stopping: who waits for the last tunnel to be gone.
    """

    endpoint: str
    dialer: Dials
    clock: IReactorTime
    chooser: random.Random
    on_stream: Callable[[TunnelStream], None]
    watcher: Watcher
    patience: Patience
    link: _Link | None = None
    leaving: dict[_Link, Leaving] = attrs.field(factory=dict)
    attempt: Deferred[Tunnel] | None = None
    told: str = ""
    stopping: list[Deferred[None]] = attrs.field(factory=list)

    log = Logger(namespace="client")

    def dial(self, machine: _Listening) -> Deferred[Tunnel]:
        """
        Begin a try.
        """
        link = _Link(self, machine)

        def succeeded(tunnel: Tunnel) -> None:
            if self.attempt is not attempt:
                tunnel.session.close()
                return
            self.attempt = None
            link.tunnel = tunnel
            link.since = self.clock.seconds()
            machine._dialled(link)

        def failed(reason: Failure) -> None:
            if self.attempt is not attempt:
                return
            self.attempt = None
            error = reason.value
            if not isinstance(error, DialError):
                self.log.failure("dialling failed", reason)
                error = DialError("internal error")
            delay = self.patience.refused(error.status, error.retry_after, self.chooser.random())
            machine._failed(_Setback(str(error), delay, verdict(error.status) is Verdict.FINAL))

        self.attempt = attempt = self.dialer.dial(self.endpoint, link)
        attempt.addCallbacks(succeeded, failed)
        return attempt

    def give_up(self) -> None:
        """
        Drop the try under way; nothing more is heard of it.
        """
        attempt, self.attempt = self.attempt, None
        if attempt is not None:
            attempt.cancel()

    def report(self, setback: _Setback) -> None:
        """
        Tell that there is no tunnel.
        """
        if not setback.final:
            self.tell(self.watcher.lost, self.endpoint, setback.reason, setback.delay)
        elif self.told != setback.reason:
            self.told = setback.reason
            self.tell(self.watcher.refused, self.endpoint, setback.reason)

    def tell(self, call: Callable[..., None], *what: object) -> None:
        """
        Tell the watcher something; its failures are its own.
        """
        try:
            call(*what)
        except Exception:
            self.log.failure("telling of the tunnel for {endpoint} failed", endpoint=self.endpoint)

    def let_go(self, grace: float) -> None:
        """
        Take no more streams from the tunnel that served, and close it when those that it has have ended.
        """
        link, self.link = self.link, None
        if link is not None and link.tunnel is not None:
            leaving = self.leaving[link] = Leaving(link.tunnel.session, clock=self.clock, grace=grace)
            leaving.start()

    def left(self, link: _Link) -> None:
        """
        A tunnel that was let go is gone.
        """
        leaving = self.leaving.pop(link, None)
        if leaving is not None:
            leaving.closed()
        self.settle()

    def settle(self) -> None:
        """
        If nothing is left to wait for, say so.
        """
        if not self.leaving:
            stopping, self.stopping = self.stopping, []
            for waiting in stopping:
                waiting.callback(None)


def make_machine() -> Callable[[_Core], _Listening]:
    """
    Make the machine of all listeners.
    """
    machine = TypeMachineBuilder(_Listening, _Core)

    def dial(c: _Listening, s: _Core, setback: _Setback | None = None) -> Deferred[Tunnel]:
        return s.attempt or s.dial(c)

    def wait(c: _Listening, s: _Core, setback: _Setback) -> IDelayedCall:
        return s.clock.callLater(setback.delay, c._due)

    idle = machine.state("Idle")
    dialling = machine.state("Dialling", dial)
    waiting = machine.state("Waiting", wait)
    serving = machine.state("Serving")
    # The tunnel's node has said go-away; it serves until another stands. Before and during a try:
    lingering = machine.state("Lingering", wait)
    replacing = machine.state("Replacing", dial)
    stopped = machine.state("Stopped")

    idle.upon(_Listening.start).to(dialling).returns(None)
    dialling.upon(_Listening.start).loop().returns(None)
    waiting.upon(_Listening.start).loop().returns(None)
    waiting.upon(_Listening._due).to(dialling).returns(None)
    serving.upon(_Listening.start).loop().returns(None)
    lingering.upon(_Listening.start).loop().returns(None)
    lingering.upon(_Listening._due).to(replacing).returns(None)
    replacing.upon(_Listening.start).loop().returns(None)
    stopped.upon(_Listening.start).to(dialling).returns(None)

    @pep614(dialling.upon(_Listening._dialled).to(serving))
    @pep614(replacing.upon(_Listening._dialled).to(serving))
    def stands(c: _Listening, s: _Core, attempt: Deferred[Tunnel], link: _Link) -> None:
        s.let_go(inf)
        s.link = link
        s.told = ""
        s.tell(s.watcher.connected, s.endpoint, link.tunnel)

    @pep614(dialling.upon(_Listening._failed, nodata=True).to(waiting))
    @pep614(serving.upon(_Listening._lost).to(waiting))
    def report(c: _Listening, s: _Core, setback: _Setback) -> None:
        s.report(setback)

    @pep614(serving.upon(_Listening._relieved).to(lingering))
    def look_for_another(c: _Listening, s: _Core, setback: _Setback) -> None:
        s.log.info("the node of {endpoint} is leaving", endpoint=s.endpoint)

    @pep614(replacing.upon(_Listening._failed, nodata=True).to(lingering))
    def keep(c: _Listening, s: _Core, setback: _Setback) -> None:
        s.log.info("no other tunnel for {endpoint} yet: {reason}", endpoint=s.endpoint, reason=setback.reason)
        if setback.final:
            s.report(setback)

    @pep614(lingering.upon(_Listening._lost).to(waiting))
    def wait_anew(c: _Listening, s: _Core, timer: IDelayedCall, setback: _Setback) -> None:
        timer.cancel()
        s.report(setback)

    @pep614(replacing.upon(_Listening._lost, nodata=True).to(dialling))
    def dial_on(c: _Listening, s: _Core, setback: _Setback) -> None:
        s.report(attrs.evolve(setback, delay=0.0))

    @pep614(dialling.upon(_Listening.stop).to(stopped))
    @pep614(replacing.upon(_Listening.stop).to(stopped))
    def stop_dialling(c: _Listening, s: _Core, attempt: Deferred[Tunnel], grace: float) -> None:
        s.give_up()
        s.let_go(grace)
        hurry(c, s, grace)

    @pep614(waiting.upon(_Listening.stop).to(stopped))
    @pep614(lingering.upon(_Listening.stop).to(stopped))
    def stop_waiting(c: _Listening, s: _Core, timer: IDelayedCall, grace: float) -> None:
        timer.cancel()
        s.let_go(grace)
        hurry(c, s, grace)

    @pep614(serving.upon(_Listening.stop).to(stopped))
    def stop_serving(c: _Listening, s: _Core, grace: float) -> None:
        s.let_go(grace)
        hurry(c, s, grace)

    @pep614(idle.upon(_Listening.stop).to(stopped))
    @pep614(stopped.upon(_Listening.stop).loop())
    def hurry(c: _Listening, s: _Core, grace: float) -> None:
        for leaving in list(s.leaving.values()):
            leaving.hurry(grace)
        s.settle()

    return machine.build()


_make_machine = make_machine()


class Listener:
    """
    Serve one endpoint: dial, serve, dial again, until stopped.

    A tunnel that ends, however it ends, is dialled again, for ever; :class:`pico.wire.dialling.Patience`
    says when.
    """

    def __init__(
        self,
        endpoint: str,
        *,
        dialer: Dials,
        clock: IReactorTime,
        on_stream: Callable[[TunnelStream], None],
        watcher: Watcher,
        chooser: random.Random,
        patience: Patience | None = None,
    ) -> None:
        """
        :param on_stream: gets every stream that the node opens, and attaches a protocol to it.
        :param chooser: spreads waits.
        :param patience: of this listener alone; one with the usual times when not given.
        """
        self._core = _Core(endpoint, dialer, clock, chooser, on_stream, watcher, patience or Patience(Backoff()))
        self._machine = _make_machine(self._core)

    @property
    def endpoint(self) -> str:
        """
        What it serves.
        """
        return self._core.endpoint

    @property
    def connected(self) -> bool:
        """
        Whether there is a tunnel that serves.
        """
        return self._core.link is not None

    def start(self) -> None:
        """
        Begin to dial, the first time at once.
        """
        self._machine.start()

    def stop(self, grace: float) -> Deferred[None]:
        """
        Say go-away, serve the streams that are there to their end, then close.

        May be called again to give less time.

        :param grace: seconds after which what is left is cut.
        :return: fires when no tunnel is left.
        """
        stopped: Deferred[None] = Deferred()
        self._core.stopping.append(stopped)
        self._machine.stop(grace)
        return stopped
