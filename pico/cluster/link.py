"""
The link to one other node: a session that is dialled when somebody wants a stream, shared by all endpoints that the
node serves, and closed when nobody has wanted one for long.

When the other node says go-away, or stream ids run out, the session is no part of the machine any more; it stands in
``_Core.old`` until its last stream has ended.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator
from typing import Protocol

import attrs
from automat import TypeMachineBuilder, pep614
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IDelayedCall, IProtocol, IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from pico.cluster.greeting import LinkError, NodeDialer
from pico.cluster.notices import NoticeProtocol
from pico.errors import TunnelBusy, TunnelError
from pico.net.deadlines import Deadline, Deadlines
from pico.net.turn import Turn
from pico.tunnel.session import TunnelSession, TunnelSettings
from pico.tunnel.stream import TunnelStream
from pico.wire.dialling import Backoff, Patience
from pico.wire.link_auth import Peer, Purpose
from pico.wire.yamux.limits import Limits
from pico.wire.yamux.session import Role

_log = Logger(namespace="cluster")

#: Stream ids left at which a session is replaced.
RETIRE = 65_536

#: Endpoints that are asked for an idle stream when a link is full; others are asked the next time.
LOOKS = 256

#: Seconds after which a session that is lost had been a success: the next one is dialled without a wait.
STABLE = 5.0


#: The times and limits of a link's session.
SESSION = TunnelSettings(keepalive_interval=10.0, keepalive_timeout=5.0, limits=Limits(max_streams=12_000))


@attrs.frozen
class LinkSettings:
    """
    The times, in seconds, and limits of links.

    :ivar tunnel: those of a session. A node that vanished without a word is found by its keep-alive at the latest;
        its ``max_streams`` leaves room above the one here for streams that are being closed.
    :ivar dial_timeout: for connection and agreement together.
    :ivar idle_timeout: a link without a stream for so long is closed, after twice that at the latest.
    :ivar max_streams: streams of one link, idle ones included; to open one more an idle one is closed, and if there is
        none it is refused.
    :ivar retry_minimum: how long a node is left alone after it could not be reached, the first time ...
    :ivar retry_maximum: ... and after many.
    """

    tunnel: TunnelSettings = SESSION
    dial_timeout: float = 3.0
    idle_timeout: float = 300.0
    max_streams: int = 10_000
    retry_minimum: float = 0.1
    retry_maximum: float = 2.0


class LinkUser(Protocol):
    """
    Who opens streams: an endpoint of the other node.
    """

    def room(self) -> None:
        """
        Streams can be opened that could not when it was tried last.
        """

    def link_failed(self) -> None:
        """
        The node cannot be reached: whoever waits must look elsewhere.
        """

    def link_replaced(self) -> None:
        """
        Nothing new may go over the streams that there are.
        """

    def drop_oldest(self) -> bool:
        """
        Close the stream that has been idle for the longest time.

        :return: whether there was one.
        """


class _Linking(Protocol):
    def want(self) -> None:
        """
        Somebody wants a stream.
        """

    def stop(self) -> None:
        """
        Dial no more.
        """

    def _dialled(self, carried: _Carried) -> None:
        """
        There is a session.
        """

    def _failed(self, delay: float) -> None:
        """
        There is none, and for so many seconds none is tried.
        """

    def _rested(self) -> None:
        """
        Those seconds are over.
        """

    def _ended(self) -> None:
        """
        The session takes no new streams any more.
        """


class _Carried:
    """
    A session with the other node. All its streams are ours, but for one.
    """

    def __init__(self, core: _Core, machine: _Linking) -> None:
        self._core = core
        self._machine = machine
        self._notices: TunnelStream | None = None
        self.session = TunnelSession(
            Role.CLIENT,
            clock=core.clock,
            turn=core.turn,
            settings=core.settings.tunnel,
            on_stream=self._offered,
            on_going_away=self._leaves,
            on_closed=self._closed,
            on_room=core.room,
        )

    @property
    def idle(self) -> bool:
        """
        Whether it has no stream of ours.
        """
        return self.session.streams <= (self._notices is not None)

    def _offered(self, stream: TunnelStream) -> None:
        if self._notices is not None:
            stream.abortConnection()
            return
        self._notices = stream
        stream.attach(NoticeProtocol(self.session, self._notices_ended))

    def _notices_ended(self) -> None:
        self._notices = None

    def _leaves(self) -> None:
        core = self._core
        _log.info("node {node} takes no new streams", node=core.peer.id)
        if core.carried is self:
            core.replace()
            self._machine._failed(core.patience.refused(None, 0.0, core.chooser.random()))

    def _closed(self, reason: Failure) -> None:
        core = self._core
        if core.carried is self:
            core.replace()
            _log.info("link to node {node} lost: {reason}", node=core.peer.id, reason=reason.getErrorMessage())
            stood = core.clock.seconds() - self.session.opened_at
            delay = core.patience.lost(stood, core.chooser.random())
            if stood < STABLE:
                self._machine._failed(delay)
            else:
                self._machine._ended()
        core.old.pop(self, None)
        # Those who waited for this one ask for another.
        core.room()


@attrs.define(eq=False)
class _Core:
    """
    What all states share.

    :ivar carried: the session over which streams are opened.
    :ivar old: those over which none are opened any more.
    :ivar attempt: the dial under way.
    :ivar resting: whether the node is left alone for now.
    :ivar users: every endpoint that may open streams.
    :ivar waiting: those that want one as soon as there is room.
    :ivar look: goes off when it is time to see what is still used.
    :ivar used: whether a stream was opened since the last look.
    """

    peer: Peer
    host: str
    port: int
    dialer: NodeDialer
    clock: IReactorTime
    turn: Turn
    chooser: random.Random
    settings: LinkSettings
    patience: Patience
    carried: _Carried | None = None
    old: dict[_Carried, None] = attrs.field(factory=dict)
    attempt: Deferred[Peer] | None = None
    resting: bool = False
    users: dict[LinkUser, None] = attrs.field(factory=dict)
    waiting: dict[LinkUser, None] = attrs.field(factory=dict)
    look: Deadline | None = None
    used: bool = False

    def dial(self, machine: _Linking) -> Deferred[Peer]:
        """
        Begin to dial.
        """
        carried = _Carried(self, machine)

        def succeeded(_: Peer) -> None:
            self.attempt = None
            machine._dialled(carried)

        def failed(reason: Failure) -> None:
            self.attempt = None
            if reason.check(CancelledError):
                return
            if not reason.check(LinkError):
                _log.failure("dialling node {node} failed", reason, node=self.peer.id)
            delay = self.patience.refused(None, 0.0, self.chooser.random())
            _log.warn(
                "no link to node {node} for {delay:.1f}s: {reason}",
                node=self.peer.id,
                delay=delay,
                reason=reason.getErrorMessage(),
            )
            machine._failed(delay)

        def make(_: Peer) -> IProtocol:
            return carried.session

        self.attempt = attempt = self.dialer.dial(self.host, self.port, Purpose.LINK, make, self.peer)
        attempt.addCallbacks(succeeded, failed)
        return attempt

    def room(self) -> None:
        """
        Let those who wait go on.
        """
        for user in self.take_waiting():
            user.room()

    def fail(self) -> None:
        """
        Send those who wait elsewhere.
        """
        for user in self.take_waiting():
            user.link_failed()

    def take_waiting(self) -> Iterator[LinkUser]:
        """
        Take those who wait now, one by one: what one is told may make another wait no more, or anew.
        """
        for user in list(self.waiting):
            if user in self.waiting:
                del self.waiting[user]
                yield user

    def replace(self) -> None:
        """
        Open no more streams over the session; those that are open end by themselves.
        """
        carried, self.carried = self.carried, None
        if carried is not None:
            self.old[carried] = None
            for user in list(self.users):
                # What one is told may make another leave.
                if user in self.users:
                    user.link_replaced()

    def make_room(self) -> bool:
        """
        Close an idle stream, of whichever endpoint.

        :return: whether there was one, among those that were looked at.
        """
        for _ in range(min(len(self.users), LOOKS)):
            user = next(iter(self.users))
            if user.drop_oldest():
                return True
            # Looked at last the next time.
            del self.users[user]
            self.users[user] = None
        return False

    def close_old(self) -> None:
        """
        Close the sessions that are replaced and have no stream any more.
        """
        for carried in list(self.old):
            if carried.idle:
                carried.session.close()

    def close_all(self) -> None:
        """
        Close every session, with whatever is on it.
        """
        for carried in list(self.old):
            carried.session.close()


def make_machine() -> Callable[[_Core], _Linking]:
    """
    Make the machine of all links.
    """
    machine = TypeMachineBuilder(_Linking, _Core)

    def dial(c: _Linking, s: _Core) -> Deferred[Peer]:
        return s.attempt or s.dial(c)

    def rest(c: _Linking, s: _Core, delay: float) -> IDelayedCall:
        s.resting = True
        return s.clock.callLater(delay, c._rested)

    down = machine.state("Down")
    dialling = machine.state("Dialling", dial)
    up = machine.state("Up")
    resting = machine.state("Resting", rest)
    stopped = machine.state("Stopped")

    down.upon(_Linking.want).to(dialling).returns(None)
    dialling.upon(_Linking.want).loop().returns(None)
    up.upon(_Linking.want).loop().returns(None)
    resting.upon(_Linking.want).loop().returns(None)
    up.upon(_Linking._ended).to(down).returns(None)
    stopped.upon(_Linking.want).loop().returns(None)
    stopped.upon(_Linking.stop).loop().returns(None)

    @pep614(dialling.upon(_Linking._dialled).to(up))
    def stands(c: _Linking, s: _Core, attempt: Deferred[Peer], carried: _Carried) -> None:
        _log.info("link to node {node}", node=s.peer.id)
        s.carried = carried
        s.used = True
        if s.look is not None:
            s.look.set(s.settings.idle_timeout)
        s.room()

    @pep614(dialling.upon(_Linking._failed, nodata=True).to(resting))
    @pep614(up.upon(_Linking._failed).to(resting))
    def send_away(c: _Linking, s: _Core, delay: float) -> None:
        s.fail()

    @pep614(resting.upon(_Linking._rested).to(down))
    def rested(c: _Linking, s: _Core, timer: IDelayedCall) -> None:
        s.resting = False

    @pep614(dialling.upon(_Linking.stop).to(stopped))
    def stop_dialling(c: _Linking, s: _Core, attempt: Deferred[Peer]) -> None:
        attempt.cancel()
        stop(c, s)

    @pep614(resting.upon(_Linking.stop).to(stopped))
    def stop_resting(c: _Linking, s: _Core, timer: IDelayedCall) -> None:
        timer.cancel()
        stop(c, s)

    @pep614(down.upon(_Linking.stop).to(stopped))
    @pep614(up.upon(_Linking.stop).to(stopped))
    def stop(c: _Linking, s: _Core) -> None:
        s.replace()
        s.close_all()
        s.fail()

    return machine.build()


_make_machine = make_machine()


class Link:
    """
    The way to one life of one other node.
    """

    def __init__(
        self,
        peer: Peer,
        host: str,
        port: int,
        *,
        dialer: NodeDialer,
        clock: IReactorTime,
        deadlines: Deadlines,
        turn: Turn,
        chooser: random.Random,
        settings: LinkSettings,
    ) -> None:
        """
        :param host: where the node takes links.
        :param chooser: spreads waits.
        """
        patience = Patience(Backoff(settings.retry_minimum, settings.retry_maximum), stable=STABLE)
        self._core = _Core(peer, host, port, dialer, clock, turn, chooser, settings, patience)
        self._core.look = deadlines.watch(self._look)
        self._machine = _make_machine(self._core)

    @property
    def peer(self) -> Peer:
        """
        Where it leads.
        """
        return self._core.peer

    @property
    def address(self) -> tuple[str, int]:
        """
        Where that is dialled the next time; a session that stands is not touched by a change.
        """
        return self._core.host, self._core.port

    @address.setter
    def address(self, address: tuple[str, int]) -> None:
        self._core.host, self._core.port = address

    @property
    def users(self) -> Iterable[LinkUser]:
        """
        Those that may open streams.
        """
        return self._core.users

    @property
    def session(self) -> TunnelSession | None:
        """
        Over which streams are opened, if there is one now.
        """
        carried = self._core.carried
        return carried.session if carried is not None else None

    @property
    def resting(self) -> bool:
        """
        Whether the node could not be reached a moment ago, and is left alone for now.
        """
        return self._core.resting

    @property
    def unused(self) -> bool:
        """
        Whether nobody uses it and nothing is open.
        """
        core = self._core
        return not core.users and core.carried is None and not core.old and core.attempt is None

    @property
    def streams(self) -> int:
        """
        Streams to the other node, idle ones included.
        """
        return sum(carried.session.streams for carried in self._sessions())

    def join(self, user: LinkUser) -> None:
        """
        Somebody may open streams from now on.
        """
        self._core.users[user] = None

    def part(self, user: LinkUser) -> None:
        """
        Somebody will open none any more; those that are open end by themselves.
        """
        self._core.users.pop(user, None)
        self._core.waiting.pop(user, None)

    def open_stream(self, user: LinkUser) -> TunnelStream:
        """
        Open a stream; attach a protocol to it and write.

        :raises TunnelBusy: when that must wait; ``user`` is told.
        :raises TunnelError: when the node could not be reached a moment ago, the link has as many streams as it may,
            or it has been stopped.
        """
        core = self._core
        carried = core.carried
        if carried is None:
            self._machine.want()
            if core.attempt is None:
                raise TunnelError(f"node {core.peer.id} could not be reached a moment ago")
            core.waiting[user] = None
            raise TunnelBusy(f"the link to node {core.peer.id} is being made")
        session = carried.session
        core.used = True
        if session.streams >= core.settings.max_streams and not core.make_room():
            raise TunnelError(f"the link to node {core.peer.id} carries as many streams as it may")
        try:
            stream = session.open_stream()
        except TunnelBusy:
            core.waiting[user] = None
            raise
        if session.ids_left < RETIRE:
            core.replace()
            self._machine._ended()
        return stream

    def probe(self) -> None:
        """
        Ask the node for a sign of life on every session. Those on which none comes are lost, and with them what is
        under way there.
        """
        for carried in self._sessions():
            carried.session.probe()

    def stop(self) -> None:
        """
        Close everything, with whatever is on it, and dial no more.
        """
        if self._core.look is not None:
            self._core.look.cancel()
        self._machine.stop()

    def _sessions(self) -> list[_Carried]:
        core = self._core
        return [*core.old, *([core.carried] if core.carried is not None else [])]

    def _look(self) -> None:
        core = self._core
        carried = core.carried
        if carried is not None and carried.idle and not core.used:
            core.replace()
            self._machine._ended()
        core.used = False
        core.close_old()
        if core.look is not None and self._sessions():
            core.look.set(core.settings.idle_timeout)
