"""
The place of one tunnel of an endpoint, filled for as long as its owner wants it.

Make before break: when the node says go-away its tunnel goes on serving, and leaves only once another
stands and all nodes have had the time to hear of that. So does a tunnel to a node that has another tunnel of the
endpoint: it serves until one stands at a node of its own. What leaves (for these reasons or because the slot was
stopped) is no part of the machine any more; it stands in ``_Core.leaving`` until its last stream has ended.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Collection
from math import inf
from typing import Protocol

import attrs
from automat import TypeMachineBuilder, pep614
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger, LogLevel
from twisted.python.failure import Failure

from pico.client.dialer import DialError, Tunnel, TunnelUser
from pico.net.waiters import Waiters
from pico.tunnel.endings import why_ended
from pico.tunnel.leaving import Leaving
from pico.tunnel.stream import TunnelStream
from pico.wire.dialling import Patience, Verdict, verdict
from pico.wire.spreading import Spreading, Worth, is_second

#: Seconds for which a tunnel serves on beside the one that replaces it. The node of the old one forgets it with the
#: agent's go-away, and hears of the new one by gossip, which takes some tenths of a second in a large cluster.
OVERLAP = 1.0


class SlotWatcher(Protocol):
    """
    Whom a slot tells how it is doing.
    """

    def connected(self, tunnel: Tunnel) -> None:
        """
        A tunnel stands.
        """

    def refused(self, reason: str) -> None:
        """
        A node refuses, and will go on to; told for each try, which are rare then.
        """

    def lost(self, reason: str, retry_in: float) -> None:
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


@attrs.frozen
class _Second(_Setback):
    """
    A tunnel that is good for the meantime.
    """

    link: _Link = attrs.field(kw_only=True)


class _Filling(Protocol):
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

    def _doubled(self, setback: _Second) -> None:
        """
        A try has succeeded, but its node has another tunnel of the endpoint.
        """

    def _apart(self) -> None:
        """
        The wait is over, and nothing is left to wait for: the other tunnel at the node is gone.
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
    :ivar node_stays: false once its node has said go-away.
    """

    core: _Core
    machine: _Filling
    tunnel: Tunnel | None = None
    since: float = 0.0
    node_stays: bool = True

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
        self.node_stays = False
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
    :ivar others: where the endpoint's other tunnels lead to.
    :ivar attempt: the try under way.
    :ivar stopped: who waits for the last tunnel to be gone.
    """

    endpoint: str
    dialer: Dials
    clock: IReactorTime
    chooser: random.Random
    on_stream: Callable[[TunnelStream], None]
    watcher: SlotWatcher
    patience: Patience
    others: Callable[[], Collection[str]]
    spreading: Spreading = attrs.field(factory=Spreading)
    link: _Link | None = None
    leaving: dict[_Link, Leaving] = attrs.field(factory=dict)
    attempt: Deferred[Tunnel] | None = None
    stopped: Waiters[None] = attrs.field(factory=lambda: Waiters[None]())

    log = Logger(namespace="client")

    def dial(self, machine: _Filling) -> Deferred[Tunnel]:
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
            self.weigh(machine, link, tunnel)

        def failed(reason: Failure) -> None:
            if self.attempt is not attempt:
                return
            self.attempt = None
            error = reason.value
            if not isinstance(error, DialError):
                self.log.failure("dialling failed", reason)
                error = DialError("internal error")
            delay = self.patience.refused(error.status, error.retry_after, self.chooser.random())
            if self.keeps:
                delay = max(delay, self.spreading.next_look(self.chooser.random()))
            machine._failed(_Setback(str(error), delay, verdict(error.status) is Verdict.FINAL))

        self.attempt = attempt = self.dialer.dial(self.endpoint, link)
        attempt.addCallbacks(succeeded, failed)
        return attempt

    def weigh(self, machine: _Filling, link: _Link, tunnel: Tunnel) -> None:
        """
        See what a new tunnel is good for.
        """
        worth = self.spreading.judge(tunnel.node, self.others(), serves=self.keeps)
        if worth is Worth.APART:
            machine._dialled(link)
            return
        reason = f"node {tunnel.node} has another"
        delay = self.spreading.next_look(self.chooser.random())
        if worth is Worth.SECOND:
            machine._doubled(_Second(reason, delay, link=link))
        else:
            self.leave(link, inf)
            machine._failed(_Setback(reason, delay))

    @property
    def keeps(self) -> bool:
        """
        Whether there is a tunnel that serves and whose node stays.
        """
        return self.link is not None and self.link.node_stays

    @property
    def wants(self) -> bool:
        """
        Whether the tunnel that serves is to be replaced.
        """
        link = self.link
        if link is None or link.tunnel is None or not link.node_stays:
            return True
        return is_second(link.tunnel.node, self.others())

    def look(self, machine: _Filling) -> None:
        """
        Try to replace the tunnel that serves, if that still makes sense.
        """
        if self.wants:
            machine._due()
        else:
            machine._apart()

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
        if setback.final:
            self.tell(self.watcher.refused, setback.reason)
        else:
            self.tell(self.watcher.lost, setback.reason, setback.delay)

    def tell(self, call: Callable[..., None], *what: object) -> None:
        """
        Tell the watcher something; its failures are its own.
        """
        try:
            call(*what)
        except Exception:
            self.log.failure("telling of the tunnel for {endpoint} failed", endpoint=self.endpoint)

    def serve(self, link: _Link) -> None:
        """
        Let a tunnel take the place of the one that served.
        """
        former, self.link = self.link, None
        if former is not None:
            self.leave(former, inf, OVERLAP)
        self.link = link
        self.tell(self.watcher.connected, link.tunnel)

    def let_go(self, grace: float) -> None:
        """
        Take no more streams from the tunnel that served, and close it when those that it has have ended.
        """
        link, self.link = self.link, None
        if link is not None:
            self.leave(link, grace)

    def leave(self, link: _Link, grace: float, after: float = 0.0) -> None:
        """
        Take no more streams from a tunnel, and close it when those that it has have ended.

        :param after: seconds for which it serves on before that.
        """
        if link.tunnel is not None:
            leaving = self.leaving[link] = Leaving(link.tunnel.session, clock=self.clock, grace=grace)
            leaving.start(after)

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
            self.stopped.tell(None)


def make_machine() -> Callable[[_Core], _Filling]:
    """
    Make the machine of all slots.
    """
    machine = TypeMachineBuilder(_Filling, _Core)

    def dial(c: _Filling, s: _Core, setback: _Setback | None = None) -> Deferred[Tunnel]:
        return s.attempt or s.dial(c)

    def wait(c: _Filling, s: _Core, setback: _Setback) -> IDelayedCall:
        return s.clock.callLater(setback.delay, c._due)

    def linger(c: _Filling, s: _Core, setback: _Setback) -> IDelayedCall:
        return s.clock.callLater(setback.delay, s.look, c)

    idle = machine.state("Idle")
    dialling = machine.state("Dialling", dial)
    waiting = machine.state("Waiting", wait)
    serving = machine.state("Serving")
    # The tunnel's node has said go-away, or has another one; it serves until another stands. Before and during a try:
    lingering = machine.state("Lingering", linger)
    replacing = machine.state("Replacing", dial)
    stopped = machine.state("Stopped")

    idle.upon(_Filling.start).to(dialling).returns(None)
    dialling.upon(_Filling.start).loop().returns(None)
    waiting.upon(_Filling.start).loop().returns(None)
    waiting.upon(_Filling._due).to(dialling).returns(None)
    serving.upon(_Filling.start).loop().returns(None)
    lingering.upon(_Filling.start).loop().returns(None)
    lingering.upon(_Filling._due).to(replacing).returns(None)
    lingering.upon(_Filling._apart).to(serving).returns(None)
    replacing.upon(_Filling.start).loop().returns(None)
    # The try is under way already.
    replacing.upon(_Filling._relieved).loop().returns(None)
    stopped.upon(_Filling.start).to(dialling).returns(None)

    @pep614(dialling.upon(_Filling._dialled).to(serving))
    @pep614(replacing.upon(_Filling._dialled).to(serving))
    def stands(c: _Filling, s: _Core, attempt: Deferred[Tunnel], link: _Link) -> None:
        s.serve(link)

    @pep614(dialling.upon(_Filling._doubled, nodata=True).to(lingering))
    @pep614(replacing.upon(_Filling._doubled, nodata=True).to(lingering))
    def stands_second(c: _Filling, s: _Core, setback: _Second) -> None:
        s.log.info("{endpoint}: {reason} tunnel; looking for another node", endpoint=s.endpoint, reason=setback.reason)
        s.serve(setback.link)

    @pep614(dialling.upon(_Filling._failed, nodata=True).to(waiting))
    @pep614(serving.upon(_Filling._lost).to(waiting))
    def report(c: _Filling, s: _Core, setback: _Setback) -> None:
        s.report(setback)

    @pep614(serving.upon(_Filling._relieved).to(lingering))
    def look_for_another(c: _Filling, s: _Core, setback: _Setback) -> None:
        s.log.info("the node of {endpoint} is leaving", endpoint=s.endpoint)

    @pep614(lingering.upon(_Filling._relieved).loop())
    def look_sooner(c: _Filling, s: _Core, timer: IDelayedCall, setback: _Setback) -> None:
        timer.reset(setback.delay)
        look_for_another(c, s, setback)

    @pep614(replacing.upon(_Filling._failed, nodata=True).to(lingering))
    def keep(c: _Filling, s: _Core, setback: _Setback) -> None:
        # Two tunnels at one node may be all that there is to have for weeks.
        level = LogLevel.debug if s.keeps else LogLevel.info
        s.log.emit(level, "no other tunnel for {endpoint} yet: {reason}", endpoint=s.endpoint, reason=setback.reason)
        if setback.final:
            s.report(setback)

    @pep614(lingering.upon(_Filling._lost).to(waiting))
    def wait_anew(c: _Filling, s: _Core, timer: IDelayedCall, setback: _Setback) -> None:
        timer.cancel()
        s.report(setback)

    @pep614(replacing.upon(_Filling._lost, nodata=True).to(dialling))
    def dial_on(c: _Filling, s: _Core, setback: _Setback) -> None:
        s.report(attrs.evolve(setback, delay=0.0))

    @pep614(dialling.upon(_Filling.stop).to(stopped))
    @pep614(replacing.upon(_Filling.stop).to(stopped))
    def stop_dialling(c: _Filling, s: _Core, attempt: Deferred[Tunnel], grace: float) -> None:
        s.give_up()
        s.let_go(grace)
        hurry(c, s, grace)

    @pep614(waiting.upon(_Filling.stop).to(stopped))
    @pep614(lingering.upon(_Filling.stop).to(stopped))
    def stop_waiting(c: _Filling, s: _Core, timer: IDelayedCall, grace: float) -> None:
        timer.cancel()
        s.let_go(grace)
        hurry(c, s, grace)

    @pep614(serving.upon(_Filling.stop).to(stopped))
    def stop_serving(c: _Filling, s: _Core, grace: float) -> None:
        s.let_go(grace)
        hurry(c, s, grace)

    @pep614(idle.upon(_Filling.stop).to(stopped))
    @pep614(stopped.upon(_Filling.stop).loop())
    def hurry(c: _Filling, s: _Core, grace: float) -> None:
        for leaving in list(s.leaving.values()):
            leaving.hurry(grace)
        s.settle()

    return machine.build()


_make_machine = make_machine()


class Slot:
    """
    Keep one tunnel up: dial, serve, dial again, until stopped.

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
        watcher: SlotWatcher,
        chooser: random.Random,
        patience: Patience,
        others: Callable[[], Collection[str]],
    ) -> None:
        """
        :param on_stream: gets every stream that the node opens, and attaches a protocol to it.
        :param chooser: spreads waits.
        :param patience: of this slot alone.
        :param others: tells the nodes of the endpoint's other tunnels.
        """
        self._core = _Core(endpoint, dialer, clock, chooser, on_stream, watcher, patience, others)
        self._machine = _make_machine(self._core)

    @property
    def tunnel(self) -> Tunnel | None:
        """
        The tunnel that serves.
        """
        return self._core.link.tunnel if self._core.link is not None else None

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
        stopped = self._core.stopped.wait()
        self._machine.stop(grace)
        return stopped
