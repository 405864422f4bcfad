"""
A node's life: bind, serve, drain, end.
"""

from __future__ import annotations

import attrs
from twisted.application.service import Service
from twisted.internet import defer
from twisted.internet.defer import Deferred, DeferredList
from twisted.internet.interfaces import IListeningPort, IProtocolFactory, IReactorTCP, IReactorTime
from twisted.logger import Logger

from pico.config.addresses import Address
from pico.names import NodeId
from pico.net.addresses import advertised
from pico.net.ports import listen_tcp
from pico.proxy.port import ProxyPort
from pico.server.view import NodeView
from pico.upstream.port import UpstreamPort

_log = Logger(namespace="server")


@attrs.frozen
class Binding:
    """
    A port to bind.

    :ivar setting: its name in the configuration, for the message when it cannot be bound.
    :ivar advertise: what others shall dial; empty to work it out from what was bound.
    """

    setting: str
    address: Address
    advertise: str
    factory: IProtocolFactory


class NodeService(Service):
    """
    Run one node.

    ``startService`` binds its ports, the operators' first; when one cannot be bound none stays open and
    :class:`pico.errors.ListenError` says which. ``stopService`` drains: not ready any more, agents told, no new
    connections, those that are there served to their end, at most for the grace period. Then what is left is cut.
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
    ) -> None:
        self._node_id = node_id
        self._reactor = reactor
        self._clock = clock
        self._admin = admin
        self._upstream = upstream
        self._proxy = proxy
        self._upstream_port = upstream_port
        self._proxy_port = proxy_port
        self._view = view
        self._grace_period = grace_period
        self._ports: list[IListeningPort] = []

    def privilegedStartService(self) -> None:
        """
        Bind while there still are the rights to.
        """
        Service.privilegedStartService(self)
        self._bind()

    def startService(self) -> None:
        """
        Bind, if that was not done before, and be ready.
        """
        Service.startService(self)
        if not self._ports:
            self._bind()
        admin, upstream, proxy = (port.getHost() for port in self._ports)
        self._view.admin_addr = advertised(self._admin.advertise, admin)
        self._view.proxy_addr = advertised(self._proxy.advertise, proxy)
        self._view.ready = True
        _log.info(
            "pico node {node} ready: proxy {proxy}, upstream {upstream}, admin {admin}",
            node=self._node_id,
            proxy=_shown(self._proxy.address, proxy),
            upstream=_shown(self._upstream.address, upstream),
            admin=_shown(self._admin.address, admin),
        )

    async def _drain(self) -> None:
        self._view.ready = False
        in_flight = self._upstream_port.in_flight
        _log.info("draining: {requests} requests in flight", requests=in_flight)
        self._upstream_port.drain()
        admin, *rest = self._ports
        self._ports = []
        for port in rest:
            await _stopped(port)
        self._proxy_port.drain()
        try:
            await self._proxy_port.when_empty().addTimeout(self._grace_period, self._clock)
        except defer.TimeoutError:
            _log.warn(
                "grace period over: {connections} connections are cut",
                connections=self._proxy_port.connections,
            )
            self._proxy_port.abort()
        self._upstream_port.close()
        await _stopped(admin)
        _log.info("drained")

    def stopService(self) -> Deferred[None] | None:
        """
        Drain.

        :return: fires when everything is closed.
        """
        Service.stopService(self)
        if not self._ports:
            return None
        return Deferred.fromCoroutine(self._drain())

    def _bind(self) -> None:
        try:
            for binding in (self._admin, self._upstream, self._proxy):
                self._ports.append(
                    listen_tcp(
                        self._reactor,
                        binding.address.host,
                        binding.address.port,
                        binding.factory,
                        setting=binding.setting,
                    )
                )
        except BaseException:
            for port in self._ports:
                port.stopListening()
            self._ports = []
            raise


async def _stopped(port: IListeningPort) -> None:
    stopping = port.stopListening()
    if stopping is not None:
        await DeferredList([stopping], consumeErrors=True)


def _shown(asked: Address, bound: object) -> str:
    """
    An address as it is written in the configuration, with the port that was really bound.
    """
    port = getattr(bound, "port", asked.port)
    host = f"[{asked.host}]" if ":" in asked.host else asked.host
    return f"{host}:{port}"
