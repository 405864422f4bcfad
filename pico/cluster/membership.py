"""
A node among others: it finds them, tells them what it serves, hears what they serve, and takes its leave.

Gossip goes over UDP. Who has just come, or is far behind, learns everything in a *state exchange* with another node,
over a connection to the port of the same number on which links end.

Nobody vouches for a cluster as a whole: a node that knows nobody yet is either the first one, or cannot reach the
others. So one that was told where to look does not take part before it has found somebody and has learnt all that he
knows. It waits for ``join_timeout`` where it must not be alone, and else for a moment (:data:`ALONE_AFTER`). If the
only ones found are itself, it is the first.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random

import attrs
from twisted.internet import defer
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.interfaces import (
    IAddress,
    IListeningPort,
    IReactorPluggableNameResolver,
    IReactorTime,
    IReactorUDP,
)
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from pico.cluster.exchanges import Exchanges
from pico.cluster.greeting import Identification, NodeDialer
from pico.cluster.publish import LOOK, Publication
from pico.cluster.schema import ACTIVE, LEAVING, Fact
from pico.cluster.table import MemberTable, News
from pico.errors import ConfigError, PicoError
from pico.gossip.events import (
    BecameReachable,
    BecameUnreachable,
    BeganAgain,
    Event,
    FarBehind,
    Joined,
    Left,
    Removed,
    Superseded,
)
from pico.gossip.limits import Limits, Timing
from pico.gossip.member import Member
from pico.gossip.seal import Keys
from pico.gossip.stream import ExchangeProtocol
from pico.gossip.udp import MAX_DATAGRAM, Gossip
from pico.names import EndpointKey, NodeId
from pico.net.addresses import is_any, is_loopback, own_host, port_of, text_of_pair
from pico.net.background import background
from pico.net.ports import listen_udp
from pico.net.turn import Turn
from pico.net.waiters import Waiters
from pico.wire.link_auth import Peer

_log = Logger(namespace="cluster")

#: Seconds after which a node that may be alone, and was told where to look for others, goes on without them.
ALONE_AFTER = 3.0

#: Seconds between two looks whether all that was found is the node itself.
_LOOK_AGAIN = 0.1

#: Nodes that are asked for everything, one after the other, before a node goes on with what gossip brings.
_ASKED = 3

#: Seconds to wait at most for others to take notice that this node leaves.
LEAVE_TIMEOUT = 2.0

SETTING = "cluster.gossip.bind_addr"


class JoinFailed(PicoError):
    """
    No other node was found in time, by one that must not be alone.
    """


class Replaced(PicoError):
    """
    Another process has this node's id, and was started later.
    """


@attrs.frozen
class MembershipSettings:
    """
    How a node finds others.

    :ivar seeds: where to look.
    :ivar default_port: of seeds that name none.
    :ivar advertise: ``(host, port)`` by which others reach this node; worked out when not given.
    :ivar secret_keys: what all nodes know, the one to use first; none to believe everybody.
    :ivar join_timeout: seconds to look for another node ...
    :ivar must_join: ... if this one must not be alone.
    """

    seeds: Sequence[str] = ()
    default_port: int = 8003
    advertise: tuple[str, int] | None = None
    secret_keys: Sequence[bytes] = attrs.field(default=(), repr=False)
    join_timeout: float = 60.0
    must_join: bool = True
    limits: Limits = attrs.field(factory=Limits)
    timing: Timing = attrs.field(factory=Timing)


class Membership:
    """
    The node's part in the cluster.

    :ivar gossip: the member; it has a core from :meth:`open` on.
    :ivar table: what is known of other nodes.
    :ivar publication: what they are told of this one.
    :ivar exchanges: state exchanges with them.
    """

    def __init__(
        self,
        identification: Identification,
        *,
        settings: MembershipSettings,
        table: MemberTable,
        publication: Publication,
        load_of: Callable[[EndpointKey], int],
        dialer: NodeDialer,
        reactor: object,
        clock: IReactorTime,
        turn: Turn,
        random: Random,
        on_end_of_life: Callable[[NodeId, int], object],
        on_unreachable: Callable[[NodeId, int], object],
        on_news: Callable[[News], object] = lambda _: None,
        find_host: Callable[[str], str] = own_host,
    ) -> None:
        """
        :param table: learns what gossip tells.
        :param load_of: how busy an endpoint's tunnels on this node are.
        :param reactor: binds the UDP port and looks names up.
        :param random: must be unpredictable.
        :param on_end_of_life: called with a node's id and a generation: no life of it below that goes on.
        :param on_unreachable: called with a node's id and the generation of its life that does not answer gossip.
        :param on_news: called with what has changed for those who look for an endpoint.
        :param find_host: finds the address of this machine by which others reach what is bound to all of them; nothing
            if there is none.
        :raises ConfigError: the node's id cannot be told others, or a seed cannot be read.
        """
        node = identification.own.id
        if len(node.encode()) > settings.limits.max_id:
            raise ConfigError(
                f"cluster.node_id: {node[:20]}... is too long; with its prefix it may have {settings.limits.max_id} "
                "characters"
            )
        self._identification = identification
        self._settings = settings
        self.table = table
        self.publication = publication
        self._load_of = load_of
        self._reactor = reactor
        self._clock = clock
        self._turn = turn
        self._random = random
        self._on_end_of_life = on_end_of_life
        self._on_unreachable = on_unreachable
        self._on_news = on_news
        self._find_host = find_host
        self._address = ("", 0)
        self._port: IListeningPort | None = None
        self._flushing = False
        self._replaced: Waiters[Replaced] = Waiters()
        self._looking = LoopingCall(self._look)
        self._looking.clock = clock
        try:
            self.gossip = Gossip(
                clock,
                IReactorPluggableNameResolver(reactor).nameResolver,
                self._make_member,
                seeds=settings.seeds,
                default_port=settings.default_port,
            )
        except ValueError as error:
            raise ConfigError(f"cluster.join: {error}") from None
        self.exchanges = Exchanges(self.gossip, dialer)
        self.gossip.observe(self._heard)

    @property
    def seeks(self) -> bool:
        """
        Whether there are others to be found before this node takes part.
        """
        return bool(self._settings.seeds)

    # The node's calls

    def open(self, host: str, bound: IAddress) -> None:
        """
        Take and send datagrams.

        :param host: where to listen, as it was configured.
        :param bound: where this node takes other nodes' connections: gossip has the same port's number.
        :raises pico.errors.ListenError: the port cannot be had.
        :raises ConfigError: nobody could reach this node.
        """
        self._address = self._settings.advertise or self._own_address(bound)
        if len(self._address[0].encode()) > self._settings.limits.max_id:
            raise ConfigError(
                f"cluster.gossip.advertise_addr: {self._address[0][:20]}... is too long; a host may have "
                f"{self._settings.limits.max_id} characters"
            )
        self._port = listen_udp(
            IReactorUDP(self._reactor),
            host,
            port_of(bound),
            self.gossip,
            setting=SETTING,
            max_size=MAX_DATAGRAM,
        )
        background(self._looking.start(LOOK, now=False), _log, "looking at the load of endpoints")
        self._flush_later()
        if not self._settings.secret_keys and not is_loopback(bound):
            _log.warn(
                "cluster.secret_keys is not set: whoever reaches {address} can join the cluster, and see and change "
                "what goes where",
                address=text_of_pair(self._address),
            )

    def say(self, fact: Fact, text: str) -> None:
        """
        Tell others something of this node.
        """
        self.publication.say(fact, text)
        self._flush_later()

    def serves(self, key: EndpointKey, upstreams: int) -> None:
        """
        Tell others how many tunnels an endpoint has here.
        """
        self.publication.serves(key, upstreams)
        self._flush_later()

    async def join(self) -> None:
        """
        Find others and learn what they know, unless there is nobody to be found.

        :raises JoinFailed: nobody was found, and this node must not be alone.
        """
        settings = self._settings
        if not settings.seeds:
            return
        patience = settings.join_timeout if settings.must_join else min(ALONE_AFTER, settings.join_timeout)
        if await self._find_somebody(patience):
            await self._synchronise()
        elif self.gossip.only_seed:
            _log.info("cluster.join leads to this node alone: it is the first one")
        elif settings.must_join:
            raise JoinFailed(f"{self._nobody(patience)}; cluster.abort_if_join_fails=false would let it run alone")
        else:
            _log.warn("{nobody}; it runs alone, and looks on", nobody=self._nobody(patience))

    def leaving(self) -> None:
        """
        Tell others that this node is about to stop: they send their requests elsewhere where they can.
        """
        self.say(Fact.STATUS, LEAVING)

    def staying(self) -> None:
        """
        Take that back.
        """
        self.say(Fact.STATUS, ACTIVE)

    def leave(self) -> Deferred[None]:
        """
        Say goodbye: from now on nobody sends anything here.

        :return: fires when others know, or some have not answered in time.
        """
        if self._port is None:
            return defer.succeed(None)
        self._flush()
        left: Deferred[None] = Deferred()
        waiting = self.gossip.leave().addTimeout(LEAVE_TIMEOUT, self._clock)
        waiting.addBoth(lambda _: left.callback(None))
        return left

    def close(self) -> Deferred[None]:
        """
        Hear and say nothing any more.
        """
        if self._looking.running:
            self._looking.stop()
        port, self._port = self._port, None
        if port is None:
            return defer.succeed(None)
        return maybeDeferred(port.stopListening).addCallback(lambda _: None)

    def when_replaced(self) -> Deferred[Replaced]:
        """
        Wait until this node's id belongs to somebody else.
        """
        return self._replaced.wait()

    # The link port's call

    def accept(self, peer: Peer) -> ExchangeProtocol | None:
        """
        Make the protocol of a connection over which another node wants to exchange all that both know.

        :return: nothing if there are too many.
        """
        return self.exchanges.accept() if self._port is not None else None

    # Inside: joining

    async def _find_somebody(self, patience: float) -> bool:
        end = self._clock.seconds() + patience
        while (left := end - self._clock.seconds()) > 0:
            joined = self.gossip.when_joined().addTimeout(min(left, _LOOK_AGAIN), self._clock)
            try:
                await joined
            except defer.TimeoutError:
                if self.gossip.only_seed:
                    return False
                continue
            return True
        return False

    def _nobody(self, patience: float) -> str:
        unfound = self.gossip.unfound_seeds
        unverified = self.gossip.member.counters.unverified
        reasons = []
        if unfound:
            reasons.append(f"there is no address for {', '.join(unfound)} (getent hosts {unfound[0]} looks it up)")
        if unverified:
            reasons.append(f"{unverified} datagrams came from who has other cluster.secret_keys, or none")
        elif self.gossip.has_seed:
            reasons.append("the ports of other nodes may be closed for UDP, or they may have other secret_keys")
        return (
            f"no other node was found within {patience:g}s at {', '.join(self._settings.seeds)} (cluster.join): "
            + "; ".join(reasons)
        )

    async def _synchronise(self) -> None:
        lives = list(self.gossip.member.roster.up.values())
        if not lives:
            return  # gone again, and with it whatever there was to be learnt
        for life in self._random.sample(lives, min(_ASKED, len(lives))):
            if await self.exchanges.hold(life):
                return
        _log.warn(
            "no state exchange with another node came to its end; what other nodes serve is learnt bit by bit: are "
            "their ports open for TCP, too?"
        )

    # Inside: gossip

    def _own_address(self, bound: IAddress) -> tuple[str, int]:
        host = str(getattr(bound, "host", ""))
        if is_any(host):
            host = self._find_host(host)
        if not host:
            if self._settings.seeds:
                raise ConfigError(
                    "cluster.gossip.advertise_addr: it cannot be told by which address other nodes reach this machine, "
                    f"which has no route to others; write it with the port, such as 10.0.0.1:{port_of(bound)}"
                )
            host = "127.0.0.1"
            _log.warn(
                "it cannot be told by which address other nodes reach this machine, which has no route to others: none "
                "can join this one, unless cluster.gossip.advertise_addr says it"
            )
        return host, port_of(bound)

    def _make_member(self, bound: IAddress) -> Member:
        own = self._identification.own
        settings = self._settings
        return Member(
            id=own.id,
            generation=own.generation,
            address=self._address,
            keys=Keys(settings.secret_keys),
            random=self._random,
            now=self._clock.seconds(),
            limits=settings.limits,
            timing=settings.timing,
        )

    def _heard(self, events: Sequence[Event]) -> None:
        news = self.table.take(events)
        for event in events:
            self._note(event)
        self._on_news(news)

    def _note(self, event: Event) -> None:
        if isinstance(event, Joined):
            life = event.peer.life
            self._on_end_of_life(NodeId(life.id), life.generation)
            _log.info("node {node} found at {address}", node=life.id, address=text_of_pair(life.address))
        elif isinstance(event, Left):
            _log.info("node {node} has left", node=event.peer.id)
        elif isinstance(event, BecameUnreachable):
            _log.warn("node {node} cannot be reached", node=event.peer.id)
            self._on_unreachable(NodeId(event.peer.id), event.peer.life.generation)
        elif isinstance(event, BecameReachable):
            _log.info("node {node} can be reached again", node=event.peer.id)
        elif isinstance(event, Removed):
            self._on_end_of_life(NodeId(event.peer.id), event.peer.life.generation + 1)
            _log.debug("a life of node {node} is over", node=event.peer.id)
        elif isinstance(event, FarBehind):
            if self._port is not None:
                self.exchanges.catch_up(event.peer)
        elif isinstance(event, BeganAgain):
            own = self._identification.own
            self._identification.own = Peer(own.id, event.generation)
            _log.warn(
                "a node {node} was started before by a clock that was ahead of this machine's; it is replaced",
                node=own.id,
            )
        elif isinstance(event, Superseded):
            node = self._identification.own.id
            replaced = Replaced(
                f"another process was started as node {node}, and the cluster goes on with that one: give each node "
                "an id of its own (cluster.node_id), or only a prefix (cluster.node_id_prefix)"
            )
            self._replaced.tell(replaced)

    # Inside: publishing

    def _look(self) -> None:
        self.publication.look(self._load_of)
        self._flush()

    def _flush_later(self) -> None:
        # What changes within a turn is published once.
        if not self._flushing and self._port is not None:
            self._flushing = True
            self._turn.at_end(self._flush)

    def _flush(self) -> None:
        self._flushing = False
        if self._port is None or self.gossip.member.is_out:
            return
        for key, value in self.publication.take():
            if value is None:
                self.gossip.delete(key)
            else:
                self.gossip.put(key, value)
