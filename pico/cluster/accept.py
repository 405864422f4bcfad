"""
Where other nodes connect: each connection makes sure of its node, says what it is for, and becomes that.

A node that leaves serves on until its own tunnels have left; only then are links told to go away.
"""

from __future__ import annotations

from collections.abc import Callable

import attrs
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IAddress, IProtocol, IProtocolFactory, IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from pico.cluster.accepted import AcceptedLink
from pico.cluster.greeting import Greeting, Identification
from pico.cluster.link import SESSION
from pico.cluster.members import Members
from pico.cluster.relay import LocalUpstreams
from pico.errors import RemoteProtocolError
from pico.net.addresses import text_of
from pico.net.deadlines import Deadline, Deadlines
from pico.net.turn import Turn
from pico.net.waiters import Waiters
from pico.tunnel.session import TunnelSettings
from pico.wire.link_auth import Peer, Purpose, Refusal
from pico.wire.link_auth import Role as Side
from pico.wire.preamble import Preamble, Verdict

_log = Logger(namespace="cluster")

#: Seconds between two looks at which relays are under way.
LOOK = 1.0

#: Seconds for which a refusal for one reason is not logged again.
QUIET = 10.0

#: Refusals that say something about the configuration; the others may be anybody who knocks at the port.
_TELLING = frozenset({Refusal.VERSION, Refusal.MODE, Refusal.PROOF, Refusal.SAME_ID, Refusal.WRONG_NODE})


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

    def answered(self, verdict: Verdict) -> None:
        """
        A link has said this of a stream.
        """
        self.count.answers[verdict] += 1

    def passed_on(self, received: int, sent: int) -> None:
        """
        A stream is over, with so many bytes from the other node and to it.
        """
        self.count.bytes_received += received
        self.count.bytes_sent += sent

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
        link = AcceptedLink(
            self,
            peer,
            clock=self._clock,
            turn=self._turn,
            tunnel=self._settings.tunnel,
            preamble_timeout=self._settings.preamble_timeout,
        )
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
