"""
The endpoints that other nodes serve, each as an upstream like a tunnel of this node.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Sequence
from math import inf
from typing import Final, cast

import attrs
from twisted.internet.interfaces import IReactorTime
from zope.interface import classImplements

from pico.cluster.greeting import NodeDialer
from pico.cluster.link import Link, LinkSettings
from pico.cluster.members import Holder, Members
from pico.cluster.opening import Opening
from pico.errors import TunnelError
from pico.interfaces import IUpstream
from pico.metrics import OTHER, Number
from pico.names import EndpointKey, NodeId
from pico.net.addresses import text_of_pair
from pico.net.deadlines import Deadline, Deadlines
from pico.net.http.client import HTTPClientProtocol
from pico.net.http.gateway import FailureKind, Requester
from pico.net.turn import Turn
from pico.tunnel.stream import TunnelStream
from pico.tunnel.supply import Origin, StreamSupply, SupplySettings
from pico.wire.http1.headers import HeaderCache
from pico.wire.preamble import (
    MAX_CLIENT,
    MAX_FAILED,
    MAX_REQUEST_ID,
    Answer,
    Preamble,
    Verdict,
    encode_preamble,
)

#: Seconds for which others are preferred after something could not serve a request.
AVOID: Final = 1.0

#: Nodes that have a number of their own, dead ones among them: an id is often used by one life only.
MAX_NODES: Final = 256

#: Seconds between two looks at what is not used any more.
SWEEP: Final = 60.0

#: Endpoints that are looked at in one go, and seconds until the next ones are, so that nobody waits for many.
SLICE: Final = 1000
NEXT_SLICE: Final = 0.1


class RemoteUpstream(Origin):
    """
    One endpoint at one other node.

    :ivar holder: what is known of it.
    :ivar last_turn: for whoever chooses: when it was chosen last, in turns.
    :ivar link: the way to the node.
    """

    __slots__ = (
        "__weakref__",
        "_avoid_until",
        "_blamed",
        "_clock",
        "_failed",
        "_former",
        "_former_until",
        "_on_answer",
        "_requests",
        "_supply",
        "holder",
        "key",
        "last_turn",
        "link",
    )

    def __init__(
        self,
        key: EndpointKey,
        holder: Holder,
        link: Link,
        *,
        cache: HeaderCache,
        clock: IReactorTime,
        deadlines: Deadlines,
        settings: SupplySettings,
        on_answer: Callable[[Verdict], None],
        requests: Number,
    ) -> None:
        """
        :param on_answer: called with each verdict of the node.
        :param requests: counts those that are sent to the node, whatever their endpoints.
        """
        self._avoid_until = 0.0
        #: The tunnel of the stream that was given back last and cannot be used again; see :meth:`failed`.
        self._blamed = 0
        self._clock = clock
        #: Tunnels of the node that could not serve a request, and when. The node is told with the next stream.
        self._failed: dict[int, float] = {}
        #: How many tunnels the node had before it lost some, for as long as requests may be on their way to those.
        self._former = 0
        self._former_until = 0.0
        self._on_answer = on_answer
        self._requests = requests
        self._supply = StreamSupply(self, cache=cache, clock=clock, deadlines=deadlines, settings=settings)
        self.holder = holder
        self.key = key
        self.last_turn = 0
        self.link = link
        link.join(self)

    @property
    def address(self) -> str:
        """
        Where the node takes links.
        """
        return text_of_pair((self.holder.host, self.holder.port))

    @property
    def available(self) -> bool:
        """
        False from the moment on when nothing new may go there.
        """
        return self._supply.available

    @property
    def in_flight(self) -> int:
        """
        Requests of this node that are under way there.
        """
        return self._supply.in_flight

    @property
    def requests(self) -> int:
        """
        Each time that one was sent there.
        """
        return self._supply.requests

    @property
    def idle(self) -> int:
        """
        Streams that are kept for a next request.
        """
        return self._supply.idle

    @property
    def avoid_until(self) -> float:
        """
        Until when others are preferred.
        """
        return inf if self.link.resting else self._avoid_until

    @property
    def upstreams(self) -> int:
        """
        Tunnels of the node, those included that it has lost so recently that a request which failed may have met one.
        """
        now = self.holder.upstreams
        return max(now, self._former) if self._clock.seconds() < self._former_until else now

    def renew(self, holder: Holder) -> None:
        """
        Something has changed at the node.
        """
        if holder.upstreams < self.holder.upstreams:
            self._former = self.upstreams
            self._former_until = self._clock.seconds() + AVOID
        self.holder = holder

    @property
    def load(self) -> float:
        """
        What each of its tunnels carries, by all that is known.
        """
        holder = self.holder
        load = self._supply.in_flight
        if holder.load > load:
            load = holder.load
        return load / holder.upstreams if holder.upstreams > 1 else float(load)

    # Backend

    def acquire(self, exchange: Requester, fresh: bool) -> None:
        """
        Give the exchange a stream: an idle one, or a new one as soon as there is a link.
        """
        # Who gets none now, or whose wait is ended, blames no tunnel: see also refusal, link_failed and close.
        self._blamed = 0
        self._requests.value += 1.0
        self._supply.acquire(exchange, fresh)

    def cancel(self, exchange: Requester) -> None:
        """
        An exchange that waited for a stream does not want it any more.
        """
        self._supply.cancel(exchange)

    def release(self, client: HTTPClientProtocol) -> None:
        """
        Take a stream back.
        """
        if not client.reusable:
            self._blamed = client.note
        elif cast(TunnelStream, client.transport).session is not self.link.session:
            # The link was replaced meanwhile; what belongs to the old one is not to go on.
            client.retire()
        self._supply.release(client)

    def failed(self) -> None:
        """
        A request could not be served: prefer others for a moment. Called right after the stream was given back, if
        there was one.

        A tunnel that failed says nothing of the node's other tunnels: the node is told, and chooses another.
        """
        now = self._clock.seconds()
        tunnel, self._blamed = self._blamed, 0
        self._failed = {number: when for number, when in self._failed.items() if when + AVOID > now}
        if tunnel and len(self._failed) < MAX_FAILED:
            self._failed[tunnel] = now
        if not tunnel or len(self._failed) >= self.upstreams:
            self._avoid_until = now + AVOID

    # Origin

    def open_stream(self) -> TunnelStream:
        """
        Open a stream over the link.
        """
        if not self._supply.available:
            # An exchange may come back to where its kept stream was lost.
            raise TunnelError(f"{self.key.endpoint} is not served there any more")
        return self.link.open_stream(self)

    def refusal(self) -> FailureKind:
        """
        Why there was no stream.
        """
        self._blamed = 0
        full = self._supply.available and self.link.session is not None
        return FailureKind.OVERLOADED if full else FailureKind.NODE_UNREACHABLE

    def attach(self, stream: TunnelStream, client: HTTPClientProtocol, exchange: Requester) -> None:
        """
        Begin a stream with a preamble.
        """
        now = self._clock.seconds()
        failed = tuple(number for number, when in self._failed.items() if when + AVOID > now)
        client_host = exchange.peer_host
        preamble = Preamble(
            self.key,
            client=client_host if len(client_host) <= MAX_CLIENT and client_host.isascii() else "",
            request_id=exchange.request_id[:MAX_REQUEST_ID],
            failed=failed,
        )
        stream.attach(Opening(client, encode_preamble(preamble), self))

    # Opening's call

    def answered(self, client: HTTPClientProtocol, answer: Answer) -> None:
        """
        The node has taken a stream, or not.
        """
        self._on_answer(answer.verdict)
        if answer.verdict is Verdict.ACCEPTED:
            client.note = answer.tunnel
        else:
            self._avoid_until = self._clock.seconds() + AVOID

    # The link's news

    def room(self) -> None:
        """
        There is a link, or room on it: go on with those who wait.
        """
        self._supply.room()

    def link_failed(self) -> None:
        """
        The node cannot be reached: those who wait look elsewhere.
        """
        self._blamed = 0
        self._supply.turn_away(FailureKind.NODE_UNREACHABLE)

    def link_replaced(self) -> None:
        """
        Keep no stream of the old link.
        """
        while self._supply.drop_oldest():
            pass

    def drop_oldest(self) -> bool:
        """
        Close the stream that has been idle for the longest time.
        """
        return self._supply.drop_oldest()

    # The table's

    def close(self) -> None:
        """
        Nothing new goes there any more; what is under way ends by itself.
        """
        self._blamed = 0
        self.link.part(self)
        self._supply.leave()
        self._supply.stop()


classImplements(RemoteUpstream, IUpstream)


@attrs.define(eq=False)
class _Known:
    """
    What an endpoint has elsewhere.

    :ivar holders: as they were given; another object means that something has changed. Nothing when it is to be looked
        at anew whatever was given.
    """

    holders: Sequence[Holder] | None
    upstreams: Sequence[RemoteUpstream]


class Remotes:
    """
    All endpoints at all other nodes, and the links to those nodes.

    Both are made when they are wanted first, and forgotten when they are not used any more.
    """

    def __init__(
        self,
        members: Members,
        *,
        dialer: NodeDialer,
        clock: IReactorTime,
        deadlines: Deadlines,
        turn: Turn,
        chooser: random.Random,
        cache: HeaderCache,
        links: LinkSettings,
        supply: SupplySettings,
    ) -> None:
        """
        :param cache: of the headers of responses that come over links.
        :param supply: how the streams of one endpoint at one node are kept.
        """
        self._cache = cache
        self._chooser = chooser
        self._clock = clock
        self._deadlines = deadlines
        self._dialer = dialer
        self._known: dict[EndpointKey, _Known] = {}
        self._link_settings = links
        #: By id and generation. Not by :class:`Peer`, whose equality compiled code does not know.
        self._links: dict[tuple[NodeId, int], Link] = {}
        self._members = members
        self._supply_settings = supply
        self._sweep: Deadline = deadlines.watch(self._swept)
        self._stopped = False
        self._sweeping = False
        #: Which are still to be looked at in this sweep.
        self._to_sweep: list[EndpointKey] = []
        self._turn = turn
        #: Requests that went to other nodes, by their ids; those of one too many are counted together.
        self.requests: dict[str, Number] = {}
        #: Streams that nodes were asked for, by what they said.
        self.answers: dict[Verdict, int] = dict.fromkeys(Verdict, 0)

    def of(self, key: EndpointKey) -> Sequence[RemoteUpstream]:
        """
        The endpoint's upstreams at other nodes.
        """
        holders = self._members.holders(key)
        known = self._known.get(key)
        if known is not None and known.holders is holders:
            return known.upstreams
        if known is None and not holders:
            return ()
        return self._renew(key, holders, known.upstreams if known is not None else ())

    @property
    def links(self) -> Iterable[Link]:
        """
        The links that there are, made or to be made.
        """
        return self._links.values()

    def forget(self, node: NodeId, before: int | None = None) -> None:
        """
        A node, or what it was before a new life of it, is gone: drop the links to it, with whatever is on them.

        :param before: only lives of an earlier generation; all when not given.
        """
        for life, link in list(self._links.items()):
            if life[0] == node and (before is None or life[1] < before):
                del self._links[life]
                for upstream in link.users:
                    known = self._known.get(upstream.key) if isinstance(upstream, RemoteUpstream) else None
                    if known is not None:
                        # The node may be named again by the same object as before, and is then dialled again.
                        known.holders = None
                # Who is sent elsewhere by that may ask for the same endpoint, in the middle of this call.
                self._turn.at_end(link.stop)

    def probe(self, node: NodeId, generation: int) -> None:
        """
        Others cannot reach a life of a node: see whether the link to it still leads anywhere.
        """
        link = self._links.get((node, generation))
        if link is not None:
            link.probe()

    def stop(self) -> None:
        """
        Close all links, with whatever is on them.
        """
        self._stopped = True
        self._sweep.cancel()
        # Who is sent elsewhere by this asks again, and finds nothing.
        everything, self._known = self._known, {}
        for known in everything.values():
            for upstream in known.upstreams:
                upstream.close()
        links, self._links = self._links, {}
        for link in links.values():
            link.stop()

    # Inside

    def _renew(
        self, key: EndpointKey, holders: Sequence[Holder], before: Sequence[RemoteUpstream]
    ) -> Sequence[RemoteUpstream]:
        if self._stopped:
            return ()
        old = {each.link: each for each in before}
        upstreams = []
        for holder in holders:
            link = self._link(holder)
            upstream = old.pop(link, None)
            if upstream is None:
                upstream = self._make(key, holder, link)
            upstream.renew(holder)
            upstreams.append(upstream)
        if upstreams:
            self._known[key] = _Known(holders, upstreams)
            self._sweep_later()
        else:
            del self._known[key]
        # Only now: who waits at one of these is sent elsewhere, and asks for the same endpoint in the middle of this.
        for upstream in old.values():
            upstream.close()
        return upstreams

    def _make(self, key: EndpointKey, holder: Holder, link: Link) -> RemoteUpstream:
        return RemoteUpstream(
            key,
            holder,
            link,
            cache=self._cache,
            clock=self._clock,
            deadlines=self._deadlines,
            settings=self._supply_settings,
            on_answer=self._answered,
            requests=self._count_of(holder.peer.id),
        )

    def _count_of(self, node: NodeId) -> Number:
        name = str(node)
        if name not in self.requests and len(self.requests) >= MAX_NODES:
            name = OTHER
        count = self.requests.get(name)
        if count is None:
            count = self.requests[name] = Number()
        return count

    def _link(self, holder: Holder) -> Link:
        peer = holder.peer
        life = (peer.id, peer.generation)
        link = self._links.get(life)
        if link is None:
            # A node that has begun a new life takes nothing over its old links.
            self.forget(peer.id, peer.generation)
            link = self._links[life] = Link(
                peer,
                holder.host,
                holder.port,
                dialer=self._dialer,
                clock=self._clock,
                deadlines=self._deadlines,
                turn=self._turn,
                chooser=self._chooser,
                settings=self._link_settings,
            )
        else:
            link.address = (holder.host, holder.port)
        return link

    def _answered(self, verdict: Verdict) -> None:
        self.answers[verdict] += 1

    def _sweep_later(self, seconds: float = SWEEP) -> None:
        if not self._sweeping:
            self._sweeping = True
            self._sweep.set(seconds)

    def _swept(self) -> None:
        """
        Forget what nothing is under way on: it is made anew when somebody asks.
        """
        self._sweeping = False
        left = self._to_sweep or list(self._known)
        self._to_sweep = left[SLICE:]
        for key in left[:SLICE]:
            known = self._known.get(key)
            if known is not None and not any(upstream.in_flight or upstream.idle for upstream in known.upstreams):
                del self._known[key]
                for upstream in known.upstreams:
                    upstream.close()
        for life, link in list(self._links.items()):
            if link.unused:
                del self._links[life]
                link.stop()
        if self._known or self._links:
            self._sweep_later(NEXT_SLICE if self._to_sweep else SWEEP)
