"""
A node's life: bind, serve, drain, end.
"""

from __future__ import annotations

import enum

from twisted.application.service import Service
from twisted.internet import defer
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTCP, IReactorTime
from twisted.internet.task import deferLater
from twisted.logger import Logger
from twisted.python.failure import Failure

from pico import __version__
from pico.cluster.membership import JoinFailed
from pico.cluster.schema import Fact
from pico.errors import ListenError, PicoError
from pico.names import NodeId
from pico.net.background import background
from pico.net.waiters import Waiters
from pico.proxy.port import ProxyPort
from pico.server.amounts import amount
from pico.server.drain import Drain, Entrances
from pico.server.entrance import Binding, Entrance
from pico.server.links import NodeLinks
from pico.server.view import NodeView
from pico.upstream.port import UpstreamPort

_log = Logger(namespace="server")

#: A node that got the socket for clients from the node before waits until no tunnel has come for so many seconds,
#: and at most so many.
_QUIET = 0.5
_SETTLED = 5.0

#: Ports that are tried until one is free for both TCP and UDP, when any will do.
_TRIES = 16


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
    :class:`pico.errors.ListenError` says which. ``stopService`` drains, see :class:`pico.server.drain.Drain`; a second
    one meanwhile cuts what is left at once. :meth:`drain` is the beginning of that alone, and :meth:`undrain` takes it
    back.

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
        self._admin = Entrance(admin, reactor)
        self._upstream = Entrance(upstream, reactor)
        self._proxy = Entrance(proxy, reactor)
        self._cluster = Entrance(links.binding, reactor)
        self._links = links
        self.membership = links.membership
        self._upstream_port = upstream_port
        self.view = view
        self._drain = Drain(
            clock=clock,
            entrances=Entrances(self._admin, self._upstream, self._proxy, self._cluster),
            upstream_port=upstream_port,
            proxy_port=proxy_port,
            links=links,
            view=view,
            grace_period=grace_period,
            drain_delay=drain_delay,
        )
        self._life = _Life.NEW
        #: Whether other nodes hear of what is served here, or there are none to be looked for.
        self._joined = False
        self._starting: Deferred[None] | None = None
        self._ready: Waiters[None] = Waiters()
        self._failure: PicoError | None = None
        self._failed: Waiters[PicoError] = Waiters()
        #: Whom to tell when everything is closed; one for each time that a stop was asked for.
        self._stopping: list[Deferred[None]] = []

    @property
    def status(self) -> str:
        """
        What the node does, in one line.
        """
        if not self.running:
            return f"draining: {amount(self._upstream_port.in_flight, 'request')} left"
        tunnels = amount(self._upstream_port.upstreams, "tunnel")
        told = f"{tunnels}, {amount(len(self.view.upstream_endpoints()), 'endpoint')}"
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
            Deferred.fromCoroutine(self._drain.run()).addCallbacks(self._stopped, self._stopped)
        else:
            self._drain.hurry()
        return stopped

    # Operators' orders

    def drain(self) -> bool:
        """
        Have nothing new come here: agents go to other nodes, and so do clients. What is under way goes on.

        :return: whether that is new.
        """
        if self.view.leaving:
            return False
        self._drain.tell()
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
        self._drain.take_back()
        self._admit()
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

    @property
    def _opens_late(self) -> bool:
        if self._proxy.inherited:
            return True
        return self.membership is not None and self.membership.seeks and not self._proxy.privileged

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
