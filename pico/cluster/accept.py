"""
Where other nodes connect: each connection makes sure of its node, says what it is for, and becomes that.

A node that leaves serves on until its own tunnels have left; only then are links told to go away.
"""

from __future__ import annotations

from collections.abc import Callable

import attrs
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IAddress, IProtocol, IProtocolFactory, IReactorTime
from twisted.internet.protocol import Protocol, connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from pico.cluster.greeting import Greeting, Identification
from pico.cluster.link import SESSION
from pico.cluster.members import Members
from pico.cluster.relay import LocalUpstreams, Relay, Stage
from pico.errors import RemoteProtocolError, TunnelError
from pico.net.addresses import text_of
from pico.net.deadlines import Deadline, Deadlines
from pico.net.turn import Turn
from pico.net.waiters import Waiters
from pico.tunnel.leaving import Leaving
from pico.tunnel.session import TunnelSession, TunnelSettings
from pico.tunnel.stream import TunnelStream
from pico.wire.link_auth import Peer, Purpose, Refusal
from pico.wire.link_auth import Role as Side
from pico.wire.link_notices import Notice, NoticeType, encode_notice
from pico.wire.preamble import Preamble, Verdict
from pico.wire.yamux.session import Role

_log = Logger(namespace="cluster")

#: Seconds between two looks at which relays are under way.
LOOK = 1.0

#: Seconds for which a refusal for one reason is not logged again.
QUIET = 10.0

#: Refusals that say something about the configuration; the others may be anybody who knocks at the port.
_TELLING = frozenset({Refusal.VERSION, Refusal.MODE, Refusal.PROOF, Refusal.SAME_ID, Refusal.WRONG_NODE})


#: Stages in which a relay waits for the other node, which has nothing else to do first.
_AWAITED = (Stage.READING, Stage.RETURNED)


@attrs.frozen
class AcceptSettings:
    """
    The times, in seconds, and limits of what other nodes dial.

    :ivar tunnel: those of a link's session.
    :ivar agreement_timeout: until both nodes are sure of each other.
    :ivar preamble_timeout: from the beginning of a stream to the end of its preamble; and before it is given up that
        was not taken by its tunnel.
    :ivar max_pending: connections that have not come so far yet.
    :ivar max_links: links of all nodes, and ...
    :ivar max_links_per_node: ... of one: one, and those that it has replaced or that it does not know to be lost.
    """

    tunnel: TunnelSettings = SESSION
    agreement_timeout: float = 5.0
    preamble_timeout: float = 10.0
    max_pending: int = 256
    max_links: int = 1024
    max_links_per_node: int = 4


@attrs.define
class Count:
    """
    What has come over links that were accepted.

    :ivar refused: connections without an agreement, by reason.
    :ivar answers: streams, by what was said to them.
    :ivar bytes_received: within streams that are over, from the other nodes.
    :ivar bytes_sent: to them.
    """

    refused: dict[Refusal, int] = attrs.field(factory=lambda: dict.fromkeys(Refusal, 0))
    answers: dict[Verdict, int] = attrs.field(factory=lambda: dict.fromkeys(Verdict, 0))
    bytes_received: int = 0
    bytes_sent: int = 0


@implementer(IProtocolFactory)
class LinkPort:
    """
    The port for other nodes.

    :ivar count: what has happened so far.
    """

    def __init__(
        self,
        identification: Identification,
        *,
        upstreams: LocalUpstreams,
        members: Members,
        settings: AcceptSettings,
        clock: IReactorTime,
        deadlines: Deadlines,
        turn: Turn,
        exchange: Callable[[Peer], IProtocol | None] | None = None,
    ) -> None:
        """
        :param upstreams: the tunnels of this node, and nothing else.
        :param exchange: makes the protocol of a connection that exchanges what both know, or nothing when there are
            too many; such connections are refused when not given.
        """
        self._identification = identification
        self._members = members
        self._settings = settings
        self._clock = clock
        self._turn = turn
        self._exchange = exchange
        self._pending: dict[Greeting, None] = {}
        self._links: dict[AcceptedLink, None] = {}
        self._look: Deadline = deadlines.watch(self._looked)
        self._looking = False
        self._quiet_until: dict[Refusal, float] = {}
        self._leaving = False
        self._awaiting_quiet: Waiters[None] = Waiters()
        self._awaiting_end: Waiters[None] = Waiters()
        self.upstreams = upstreams
        self.count = Count()

    # IProtocolFactory

    def buildProtocol(self, addr: IAddress | None) -> IProtocol | None:
        """
        Make the connection's first protocol, or refuse it when too many have not come any further.
        """
        if len(self._pending) >= self._settings.max_pending:
            self._refused(addr, RemoteProtocolError(Refusal.OVERLOADED, "too many connections have just begun"))
            return None
        deadline = self._clock.seconds() + self._settings.agreement_timeout

        def ended(peer: Peer | None, error: RemoteProtocolError | None) -> None:
            del self._pending[greeting]
            if error is not None:
                self._refused(addr, error)

        greeting = Greeting(
            self._identification.agreement(Side.ACCEPTOR, deadline, Purpose.LINK, None),
            clock=self._clock,
            decide=self._decide,
            ended=ended,
        )
        self._pending[greeting] = None
        return greeting

    def doStart(self) -> None:
        """
        The port listens.
        """

    def doStop(self) -> None:
        """
        The port does not listen any more; links live on.
        """

    # What others may ask

    @property
    def links(self) -> int:
        """
        Links that other nodes have to this one.
        """
        return len(self._links)

    @property
    def streams(self) -> int:
        """
        Streams of all of them, idle ones included.
        """
        return sum(len(link.relays) for link in self._links)

    @property
    def passed(self) -> tuple[int, int]:
        """
        Bytes that came from other nodes for tunnels of this one, and that went back.
        """
        received, sent = self.count.bytes_received, self.count.bytes_sent
        for link in self._links:
            for relay in link.relays:
                more_received, more_sent = relay.passed
                received += more_received
                sent += more_sent
        return received, sent

    @property
    def in_flight(self) -> int:
        """
        Those that are under way, as far as the last look at them goes.
        """
        return sum(link.busy for link in self._links)

    # Draining

    def when_quiet(self) -> Deferred[None]:
        """
        Wait until nothing is under way on any stream.
        """
        quiet = self._awaiting_quiet.wait()
        for link in self._links:
            link.look(self._clock.seconds())
        self._tell_quiet()
        return quiet

    def leave(self, grace: float) -> Deferred[None]:
        """
        Take nothing new, and close each link when its last stream has ended.

        :param grace: seconds after which streams that are left are cut.
        :return: fires when no link is left.
        """
        self._leaving = True
        ended = self._awaiting_end.wait()
        for link in list(self._links):
            link.leave(grace)
        self._tell_ended()
        return ended

    def abort(self) -> None:
        """
        Drop everything now.
        """
        self._leaving = True
        self._look.cancel()
        for greeting in list(self._pending):
            del self._pending[greeting]
            greeting.abort()
        for link in list(self._links):
            link.session.abort()

    # The links' calls

    def judge(self, preamble: Preamble) -> Verdict:
        """
        Say whether a stream may be joined to a tunnel at all.
        """
        return Verdict.DRAINING if self._leaving else Verdict.ACCEPTED

    def watch(self) -> None:
        """
        There is a relay to be looked at from time to time.
        """
        if not self._looking:
            self._looking = True
            self._look.set(LOOK)

    def closed(self, link: AcceptedLink, reason: Failure) -> None:
        """
        A link is gone.
        """
        self._links.pop(link, None)
        _log.info("link from node {node} closed: {reason}", node=link.peer.id, reason=reason.getErrorMessage())
        self._tell_quiet()
        self._tell_ended()

    # Inside

    def _decide(self, peer: Peer, purpose: Purpose | None) -> IProtocol | Refusal:
        if self._leaving:
            return Refusal.DRAINING
        generation = self._members.generation(peer.id)
        if generation is not None and peer.generation < generation:
            return Refusal.OLD_LIFE
        if purpose is not Purpose.LINK:
            protocol = self._exchange(peer) if self._exchange is not None else None
            if protocol is not None:
                return protocol
            return Refusal.PURPOSE if self._exchange is None else Refusal.OVERLOADED
        links = [link for link in self._links if link.peer.id == peer.id]
        if any(peer.generation < link.peer.generation for link in links):
            return Refusal.OLD_LIFE
        for link in links:
            if link.peer.generation < peer.generation:
                link.session.abort()
        same = sum(link.peer == peer for link in links)
        if same >= self._settings.max_links_per_node or len(self._links) >= self._settings.max_links:
            return Refusal.OVERLOADED
        link = AcceptedLink(self, peer, clock=self._clock, turn=self._turn, settings=self._settings)
        self._links[link] = None
        _log.info("link from node {node}", node=peer.id)
        return link.session

    def _refused(self, addr: IAddress | None, error: RemoteProtocolError) -> None:
        refusal = Refusal(error.code)
        self.count.refused[refusal] += 1
        now = self._clock.seconds()
        if refusal in _TELLING and now >= self._quiet_until.get(refusal, 0.0):
            self._quiet_until[refusal] = now + QUIET
            _log.warn(
                "no agreement with whoever connected from {peer}: {reason}",
                peer=text_of(addr) if addr is not None else "somewhere",
                reason=error.reason,
            )

    def _looked(self) -> None:
        self._looking = False
        now = self._clock.seconds()
        for link in list(self._links):
            link.look(now)
            if link.relays:
                self.watch()
        self._tell_quiet()

    def _tell_quiet(self) -> None:
        if self._awaiting_quiet and not self.in_flight:
            self._awaiting_quiet.tell(None)

    def _tell_ended(self) -> None:
        if self._awaiting_end and not self._links:
            self._awaiting_end.tell(None)


class AcceptedLink:
    """
    A link that another node has to this one: the session, and a relay for each of its streams.

    :ivar peer: the other node.
    :ivar relays: those that are not over.
    :ivar busy: how many of them are under way, as far as the last look goes.
    """

    def __init__(
        self, port: LinkPort, peer: Peer, *, clock: IReactorTime, turn: Turn, settings: AcceptSettings
    ) -> None:
        self._port = port
        self._clock = clock
        self._preamble_timeout = settings.preamble_timeout
        self._notices: TunnelStream | None = None
        self._leaving: Leaving | None = None
        self.busy = 0
        self.peer = peer
        self.relays: dict[Relay, None] = {}
        self.session = TunnelSession(
            Role.SERVER,
            clock=clock,
            turn=turn,
            settings=settings.tunnel,
            on_stream=self._offered,
            on_going_away=_nothing,
            on_closed=self._closed,
        )

    def look(self, now: float) -> None:
        """
        See which relays are under way, and end those whose preamble does not come.
        """
        busy = 0
        for relay in list(self.relays):
            if relay.stage in _AWAITED and now - relay.since >= self._preamble_timeout:
                relay.give_up()
            busy += relay.look()
        self.busy = busy

    def leave(self, grace: float) -> None:
        """
        Close when the last stream has ended, or after ``grace`` seconds.
        """
        if self._leaving is None:
            self._leaving = Leaving(self.session, clock=self._clock, grace=grace)
            self._leaving.start()
            self._end_notices()
        else:
            self._leaving.hurry(grace)

    # Host, for the relays

    def judge(self, preamble: Preamble) -> Verdict:
        """
        Say whether a stream may be joined to a tunnel at all.
        """
        return self._port.judge(preamble)

    def answered(self, verdict: Verdict) -> None:
        """
        Count what was said to the other node.
        """
        self._port.count.answers[verdict] += 1

    def tell(self, kind: NoticeType, stream: int) -> bool:
        """
        Tell the other node something about a stream.

        :return: whether it will hear that, if the link lives.
        """
        notices = self._notices
        if notices is None:
            try:
                notices = self.session.open_stream()
            except TunnelError:
                return False  # it takes none: then it is on its way out, and its streams with it
            self._notices = notices
            notices.attach(_Notices(self._notices_lost))
        notices.write(encode_notice(Notice(kind, stream)))
        return True

    def ended(self, relay: Relay, received: int, sent: int) -> None:
        """
        A relay is over.
        """
        if self.relays.pop(relay, relay) is None:
            self._port.count.bytes_received += received
            self._port.count.bytes_sent += sent
            self._end_notices()

    # Inside

    def _offered(self, stream: TunnelStream) -> None:
        relay = Relay(self, self._port.upstreams, stream, self._clock.seconds())
        self.relays[relay] = None
        self._port.watch()
        stream.attach(relay)

    def _closed(self, reason: Failure) -> None:
        if self._leaving is not None:
            self._leaving.closed()
        self.busy = 0
        self._port.closed(self, reason)

    def _notices_lost(self) -> None:
        self._notices = None

    def _end_notices(self) -> None:
        if self._leaving is not None and not self.relays and self._notices is not None:
            self._notices.loseConnection()


class _Notices(Protocol):
    """
    The protocol of the stream for notices; nothing comes back on it.
    """

    def __init__(self, lost: Callable[[], None]) -> None:
        self._lost = lost

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._lost()


def _nothing() -> None:
    """
    The other node opens no more streams, which it need not say.
    """
