"""
A node's life: bind, serve, drain, end.
"""

from __future__ import annotations

import enum
import socket
from collections.abc import Callable, Sequence

import attrs
from twisted.application.service import Service
from twisted.internet import defer
from twisted.internet.defer import Deferred, DeferredList
from twisted.internet.interfaces import IAddress, IListeningPort, IProtocolFactory, IReactorTCP, IReactorTime
from twisted.internet.task import deferLater
from twisted.logger import Logger
from twisted.python.failure import Failure

from pico import __version__
from pico.cluster.accept import LinkPort
from pico.cluster.membership import JoinFailed, Membership
from pico.cluster.remote import Remotes
from pico.cluster.schema import Fact
from pico.config.addresses import Address
from pico.errors import ListenError, PicoError
from pico.names import NodeId
from pico.net.addresses import advertised, text_of_pair
from pico.net.background import background
from pico.net.ports import adopt_tcp, listen_tcp
from pico.net.transport import address_of
from pico.net.waiters import Waiters
from pico.proxy.port import ProxyPort
from pico.server.view import NodeView
from pico.upstream.port import UpstreamPort

_log = Logger(namespace="server")

#: A node that got the socket for clients from the node before waits until no tunnel has come for so many seconds,
#: and at most so many.
_QUIET = 0.5
_SETTLED = 5.0

#: The first port that needs no rights.
_UNPRIVILEGED = 1024

#: Ports that are tried until one is free for both TCP and UDP, when any will do.
_TRIES = 16

#: Seconds for agents to find another node, from when they are told to. Those that have found none by then, as
#: they know no other one, are served on like those that do not understand.
_MOVING = 10.0

#: Seconds between two looks whether there still is another node to be found.
_LOOK = 0.5

#: Seconds before the end of the grace period, and half of it at the most, from which on nothing new goes to the tunnels
#: that are left, however busy they are.
_LAST_CALL = 5.0

#: Seconds for telling other nodes goodbye.
_GOODBYE = 3.0

#: Seconds for closing links in order when the grace period is over.
_CLOSING = 1.0


@attrs.frozen
class Binding:
    """
    A port to bind.

    :ivar setting: its name in the configuration, for the message when it cannot be bound.
    :ivar advertise: what others shall dial; empty to work it out from what was bound.
    :ivar inherited: sockets that listen already; if there are any, ``address`` is not bound.
    :ivar max_unsent: see :func:`pico.net.ports.limit_unsent`.
    """

    setting: str
    address: Address
    advertise: str
    factory: IProtocolFactory
    inherited: Sequence[socket.socket] = ()
    max_unsent: int = 0


@attrs.frozen
class NodeLinks:
    """
    The links of a node to others.

    :ivar binding: of the port for other nodes.
    :ivar port: its factory.
    :ivar remotes: what other nodes serve.
    :ivar membership: finds them; nothing where they are known.
    """

    binding: Binding
    port: LinkPort
    remotes: Remotes
    membership: Membership | None = None


class _Entrance:
    """
    What listens for one binding.

    :ivar host: the address that it listens on; the first of several. Known once it was bound, and with an inherited
        socket before that.
    """

    def __init__(self, binding: Binding, reactor: IReactorTCP) -> None:
        self._binding = binding
        self._reactor = reactor
        self._ports: list[IListeningPort] = []
        self.host: IAddress | None = address_of(binding.inherited[0].getsockname()) if binding.inherited else None

    @property
    def inherited(self) -> bool:
        """
        Whether its socket was there before this process.
        """
        return bool(self._binding.inherited)

    @property
    def privileged(self) -> bool:
        """
        Whether its port may need rights that the process does not keep.
        """
        return 0 < self._binding.address.port < _UNPRIVILEGED

    @property
    def advertised(self) -> str:
        """
        How others reach it.
        """
        assert self.host is not None
        return advertised(self._binding.advertise, self.host)

    @property
    def shown(self) -> str:
        """
        The address as it is written in the configuration, with the port that was really bound.
        """
        asked = self._binding.address
        host = asked.host if not self.inherited else str(getattr(self.host, "host", ""))
        port = getattr(self.host, "port", asked.port)
        return text_of_pair((host, port))

    def open(self) -> None:
        """
        Listen.

        :raises pico.errors.ListenError: the port cannot be had.
        """
        binding = self._binding
        for each in binding.inherited:
            self._ports.append(adopt_tcp(self._reactor, each, binding.factory, max_unsent=binding.max_unsent))
        if not binding.inherited:
            address = binding.address
            port = listen_tcp(
                self._reactor,
                address.host,
                address.port,
                binding.factory,
                setting=binding.setting,
                max_unsent=binding.max_unsent,
            )
            self._ports.append(port)
            self.host = port.getHost()

    async def close(self) -> None:
        """
        Listen no more; what was accepted lives on.
        """
        ports, self._ports = self._ports, []
        stopping = [port.stopListening() for port in ports]
        await DeferredList([each for each in stopping if each is not None], consumeErrors=True)


class _Life(enum.Enum):
    """
    How far a node has come.
    """

    NEW = "nothing is bound"
    BOUND = "its ports are"
    ENDED = "it was stopped"


class NodeService(Service):
    """
    Run one node, once.

    ``startService`` binds its ports, the operators' first; when one cannot be bound none stays open and
    :class:`pico.errors.ListenError` says which. ``stopService`` drains: not ready any more, agents and other nodes
    told; clients are still taken for the drain delay; then no new connections, those that are there served to their
    end, at most for the grace period. Then what is left is cut. A second ``stopService`` meanwhile cuts it at once.

    Where there are other nodes this one does not leave them before its agents have: an endpoint that only it has a
    tunnel of is found here until the agent has another one elsewhere.

    :meth:`drain` is the beginning of all that alone, and :meth:`undrain` takes it back.

    Where the sockets for clients and agents were inherited both may wait in them, clients for endpoints that agents
    behind them are about to serve. So agents are let in first, and clients when no more of them come.

    A node that joins others does not know yet what they serve. So its port for clients is not open before it does, and
    whoever stands in front takes another node; unless the port is one that only root may bind. Nor can it tell them
    what it serves, so agents are sent away until then.

    :ivar membership: the node's part in the cluster; nothing where the other nodes are known.
    :ivar view: what operators see of the node.
    """

    def __init__(
        self,
        *,
        node_id: NodeId,
        reactor: IReactorTCP,
        clock: IReactorTime,
        admin: Binding,
        upstream: Binding,
        proxy: Binding,
        upstream_port: UpstreamPort,
        proxy_port: ProxyPort,
        view: NodeView,
        grace_period: float,
        drain_delay: float = 0.0,
        links: NodeLinks,
    ) -> None:
        self._node_id = node_id
        self._clock = clock
        self._admin = _Entrance(admin, reactor)
        self._upstream = _Entrance(upstream, reactor)
        self._proxy = _Entrance(proxy, reactor)
        self._cluster = _Entrance(links.binding, reactor)
        self._links = links
        self.membership = links.membership
        self._upstream_port = upstream_port
        self._proxy_port = proxy_port
        self.view = view
        self._drain_delay = drain_delay
        self._grace_period = grace_period
        self._life = _Life.NEW
        #: Whether other nodes hear of what is served here, or there are none to be looked for.
        self._joined = False
        #: When the drain began that is under way.
        self._told_at = 0.0
        self._starting: Deferred[None] | None = None
        self._ready: Waiters[None] = Waiters()
        self._failure: PicoError | None = None
        self._failed: Waiters[PicoError] = Waiters()
        #: Whom to tell when everything is closed; one for each time that a stop was asked for.
        self._stopping: list[Deferred[None]] = []
        #: What the drain waits for now.
        self._awaited: Deferred[None] | None = None

    @property
    def status(self) -> str:
        """
        What the node does, in one line.
        """
        if not self.running:
            return f"draining: {_count(self._upstream_port.in_flight, 'request')} left"
        tunnels = _count(self._upstream_port.upstreams, "tunnel")
        told = f"{tunnels}, {_count(len(self.view.upstream_endpoints()), 'endpoint')}"
        if self.view.leaving:
            told = f"drained: {told}"
        nodes = len(self.view.statuses())
        return told if nodes == 1 else f"{told}, {nodes} nodes"

    def when_ready(self) -> Deferred[None]:
        """
        Wait until clients are taken.
        """
        return defer.succeed(None) if self.view.open else self._ready.wait()

    def when_failed(self) -> Deferred[PicoError]:
        """
        Wait until the node cannot go on; it is to be stopped then.

        :return: fires with the reason.
        """
        return defer.succeed(self._failure) if self._failure is not None else self._failed.wait()

    def privilegedStartService(self) -> None:
        """
        Bind while there still are the rights to.
        """
        self._bind()
        Service.privilegedStartService(self)

    def startService(self) -> None:
        """
        Bind, if that was not done before, join the others, and be ready.

        :raises RuntimeError: the node was stopped before; agents and clients that it sent away know another one.
        """
        self._bind()
        Service.startService(self)
        self.view.admin_addr = self._admin.advertised
        if self.membership is not None:
            self.membership.say(Fact.ADMIN_ADDR, self.view.admin_addr)
            self.membership.say(Fact.VERSION, __version__)
        if self._proxy.host is not None:
            self._tell_proxy()
        self._joined = self.membership is None or not self.membership.seeks
        self._admit()
        self._starting = Deferred.fromCoroutine(self._begin())
        background(self._starting, _log, "the node's start")

    def stopService(self) -> Deferred[None] | None:
        """
        Drain; asked for a second time, wait no longer for anybody.

        :return: fires when everything is closed.
        """
        Service.stopService(self)
        bound = self._life is _Life.BOUND
        if not bound and not self._stopping:
            return None
        stopped: Deferred[None] = Deferred()
        self._stopping.append(stopped)
        if bound:
            self._life = _Life.ENDED
            if self._starting is not None:
                self._starting.cancel()
            Deferred.fromCoroutine(self._drain()).addCallbacks(self._stopped, self._stopped)
        elif self._awaited is not None:
            self._awaited.cancel()
        return stopped

    # Operators' orders

    def drain(self) -> bool:
        """
        Have nothing new come here: agents go to other nodes, and so do clients. What is under way goes on.

        :return: whether that is new.
        """
        if self.view.leaving:
            return False
        self._tell()
        _log.info("drained by order: agents and clients are sent to other nodes")
        return True

    def undrain(self) -> bool:
        """
        Take that back.

        :return: whether that is new.
        :raises PicoError: the node is about to stop.
        """
        if self._life is _Life.ENDED:
            raise PicoError("the node is stopping, which cannot be taken back")
        if not self.view.leaving:
            return False
        self.view.leaving = False
        if self.membership is not None:
            self.membership.staying()
        self._admit()
        self._proxy_port.resume()
        _log.info("the drain was taken back by order")
        return True

    # Inside

    async def _begin(self) -> None:
        try:
            if self.membership is not None:
                self.membership.when_replaced().addCallback(self._fail)
                await self.membership.join()
                self._joined = True
                if not self.view.leaving:
                    self._admit()
            if self._proxy.inherited:
                await self._settle()
            if self._opens_late:
                self._proxy.open()
        except (JoinFailed, ListenError) as error:
            self._fail(error)
            return
        self._tell_proxy()
        self._take_clients()

    def _admit(self) -> None:
        """
        Take agents, or have them wait until other nodes can be told of them.
        """
        if self._joined:
            self._upstream_port.resume()
        else:
            self._upstream_port.hold()

    def _tell_proxy(self) -> None:
        """
        Tell everybody where clients are taken.
        """
        self.view.proxy_addr = self._proxy.advertised
        self._upstream_port.proxy_port = getattr(self._proxy.host, "port", 0)
        if self.membership is not None:
            self.membership.say(Fact.PROXY_ADDR, self.view.proxy_addr)

    def _fail(self, error: PicoError) -> None:
        if self._failure is None:
            self._failure = error
            self._failed.tell(error)

    async def _settle(self) -> None:
        tunnels = 0
        begin = last = now = self._clock.seconds()
        while now - last < _QUIET and now - begin < _SETTLED:
            await deferLater(self._clock, _QUIET / 5)
            now = self._clock.seconds()
            if self._upstream_port.upstreams != tunnels:
                tunnels, last = self._upstream_port.upstreams, now

    def _take_clients(self) -> None:
        self.view.open = True
        _log.info(
            "pico node {node} ready: proxy {proxy}, upstream {upstream}, admin {admin}, gossip {gossip}",
            node=self._node_id,
            proxy=self._proxy.shown,
            upstream=self._upstream.shown,
            admin=self._admin.shown,
            gossip=self._cluster.shown,
        )
        self._ready.tell(None)

    def _tell(self) -> None:
        """
        Tell everybody that nothing new is to come here.
        """
        self._told_at = self._clock.seconds()
        self.view.leaving = True
        if self.membership is not None:
            self.membership.leaving()
        self._upstream_port.drain()
        self._proxy_port.part()

    async def _drain(self) -> None:
        was_open = self.view.open
        _log.info("draining: {requests} in flight", requests=_count(self._upstream_port.in_flight, "request"))
        if not self.view.leaving:
            self._tell()
        delay = self._told_at + self._drain_delay - self._clock.seconds()
        if was_open and delay > 0:
            await self._wait(Deferred, delay)
        if self._proxy.inherited:
            # Clients that come when this process takes no more of them wait for the next one: be it for a short time.
            await self._move_agents(self._clock.seconds() + self._grace_period)
        self.view.open = False
        await self._upstream.close()
        await self._proxy.close()
        self._proxy_port.drain()
        end = self._clock.seconds() + self._grace_period
        await self._move_agents(end)
        await self._end_tunnels(end)
        await self._wait(self._proxy_port.when_empty, self._left(end))
        self._cut(self._proxy_port.connections, "connection")
        self._proxy_port.abort()
        await self._leave(self._links, end)
        self._upstream_port.close()
        await self._admin.close()
        _log.info("drained")

    async def _move_agents(self, end: float) -> None:
        """
        Wait until the agents that understand have other tunnels, if there is another node where these can be.
        """
        until = min(self._told_at + _MOVING, end)
        moved = False
        while not moved and not self._hurried and self._has_others and self._left(until):
            moved = await self._wait(self._upstream_port.when_moved, min(_LOOK, self._left(until)))

    async def _end_tunnels(self, end: float) -> None:
        """
        Close what tunnels are left, when nothing more is under way on them. If there is no other node they stay.
        """
        if self._has_others:
            last_call = end - min(_LAST_CALL, self._grace_period / 2)
            await self._wait(self._proxy_port.when_empty, self._left(last_call))
            await self._wait(lambda: self._upstream_port.end(self._left(last_call)), self._left(end))

    def _cut(self, number: int, what: str) -> None:
        """
        Say what has not ended in its time.
        """
        if number:
            reason = "asked again to stop" if self._hurried else "grace period over"
            _log.warn("{reason}: {what} cut", reason=reason, what=_count(number, what))

    def _left(self, end: float) -> float:
        """
        Seconds until then.
        """
        return max(0.0, end - self._clock.seconds())

    @property
    def _has_others(self) -> bool:
        """
        Whether there is another node for agents to go to.
        """
        return self.view.has_active_others

    async def _leave(self, links: NodeLinks, end: float) -> None:
        """
        Leave the other nodes: first when they send nothing any more, for as long as tunnels are here that have not
        gone elsewhere they are served.
        """
        if not await self._wait(links.port.when_quiet, self._left(end)):
            self._cut(links.port.in_flight, "stream of other nodes")
        if links.membership is not None:
            await self._wait(links.membership.leave, _GOODBYE)
            await links.membership.close()
        await self._cluster.close()
        left = self._left(end)
        await self._wait(lambda: links.port.leave(left), left + _CLOSING)
        # What has not ended by now, and who has only just connected.
        links.port.abort()
        links.remotes.stop()

    @property
    def _opens_late(self) -> bool:
        if self._proxy.inherited:
            return True
        return self.membership is not None and self.membership.seeks and not self._proxy.privileged

    @property
    def _hurried(self) -> bool:
        return len(self._stopping) > 1

    async def _wait(self, begin: Callable[[], Deferred[None]], seconds: float) -> bool:
        """
        Wait for something, for so many seconds at most and while nobody asks again to stop.

        :return: whether it happened.
        """
        if self._hurried:
            return False
        self._awaited = begin().addTimeout(seconds, self._clock)
        try:
            await self._awaited
        except (defer.TimeoutError, defer.CancelledError):
            return False
        finally:
            self._awaited = None
        return True

    def _stopped(self, result: Failure | None) -> None:
        stopping, self._stopping = self._stopping, []
        for each in stopping:
            if isinstance(result, Failure):
                each.errback(result)
            else:
                each.callback(None)

    def _bind(self) -> None:
        if self._life is _Life.ENDED:
            raise RuntimeError("a node that was stopped cannot be started again; make another one")
        if self._life is _Life.BOUND:
            return
        entrances = [self._admin, self._upstream]
        if not self._opens_late:
            entrances.append(self._proxy)
        try:
            for entrance in entrances:
                entrance.open()
            self._bind_cluster()
        except BaseException:
            for entrance in (*entrances, self._cluster):
                background(Deferred.fromCoroutine(entrance.close()), _log)
            if self.membership is not None:
                background(self.membership.close(), _log)
            raise
        self._life = _Life.BOUND

    def _bind_cluster(self) -> None:
        """
        Listen for other nodes: links and gossip have the same port number.
        """
        address = self._links.binding.address
        tries = 1 if address.port else _TRIES
        while True:
            tries -= 1
            self._cluster.open()
            if self.membership is None:
                return
            assert self._cluster.host is not None
            try:
                self.membership.open(address.host, self._cluster.host)
                return
            except ListenError:
                if not tries:
                    raise
            # Somebody else has the number that was free for TCP.
            background(Deferred.fromCoroutine(self._cluster.close()), _log)


def _count(number: int, what: str) -> str:
    noun, *rest = what.split(" ")
    return " ".join([str(number), noun if number == 1 else f"{noun}s", *rest])
