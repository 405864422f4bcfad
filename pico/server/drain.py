"""
The end of a node: nothing new comes to it, what is under way is served, and what has not ended in time is cut.
"""

from __future__ import annotations

from collections.abc import Callable

import attrs
from twisted.internet import defer
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from pico.proxy.port import ProxyPort
from pico.server.amounts import amount
from pico.server.entrance import Entrance
from pico.server.links import NodeLinks
from pico.server.view import NodeView
from pico.upstream.port import UpstreamPort

_log = Logger(namespace="server")

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
class Entrances:
    """
    Where a node listens.
    """

    admin: Entrance
    upstream: Entrance
    proxy: Entrance
    cluster: Entrance


class Drain:
    """
    Take a node out of the traffic, and end it.

    Not ready any more, agents and other nodes told; clients are still taken for the drain delay; then no new
    connections, those that are there served to their end, at most for the grace period. Then what is left is cut.

    Where there are other nodes this one does not leave them before its agents have: an endpoint that only it has a
    tunnel of is found here until the agent has another one elsewhere.
    """

    def __init__(
        self,
        *,
        clock: IReactorTime,
        entrances: Entrances,
        upstream_port: UpstreamPort,
        proxy_port: ProxyPort,
        links: NodeLinks,
        view: NodeView,
        grace_period: float,
        drain_delay: float,
    ) -> None:
        self._clock = clock
        self._entrances = entrances
        self._upstream_port = upstream_port
        self._proxy_port = proxy_port
        self._links = links
        self._view = view
        self._grace_period = grace_period
        self._drain_delay = drain_delay
        #: When everybody was told.
        self._told_at = 0.0
        #: Whether nothing is waited for any more.
        self._hurried = False
        #: What is waited for now.
        self._awaited: Deferred[None] | None = None

    def tell(self) -> None:
        """
        Tell everybody that nothing new is to come here.
        """
        self._told_at = self._clock.seconds()
        self._view.leaving = True
        if self._links.membership is not None:
            self._links.membership.leaving()
        self._upstream_port.drain()
        self._proxy_port.part()

    def take_back(self) -> None:
        """
        Take that back. Agents are the caller's to let in.
        """
        self._view.leaving = False
        if self._links.membership is not None:
            self._links.membership.staying()
        self._proxy_port.resume()

    async def run(self) -> None:
        """
        Serve what is under way to its end, at most for the grace period; cut what is left, and close everything.
        """
        was_open = self._view.open
        _log.info("draining: {requests} in flight", requests=amount(self._upstream_port.in_flight, "request"))
        if not self._view.leaving:
            self.tell()
        delay = self._told_at + self._drain_delay - self._clock.seconds()
        if was_open and delay > 0:
            await self._wait(Deferred, delay)
        if self._entrances.proxy.inherited:
            # Clients that come when this process takes no more of them wait for the next one: be it for a short time.
            await self._move_agents(self._clock.seconds() + self._grace_period)
        self._view.open = False
        await self._entrances.upstream.close()
        await self._entrances.proxy.close()
        self._proxy_port.drain()
        end = self._clock.seconds() + self._grace_period
        await self._move_agents(end)
        await self._end_tunnels(end)
        await self._wait(self._proxy_port.when_empty, self._left(end))
        self._cut(self._proxy_port.connections, "connection")
        self._proxy_port.abort()
        await self._leave(end)
        self._upstream_port.close()
        await self._entrances.admin.close()
        _log.info("drained")

    def hurry(self) -> None:
        """
        Wait no longer for anybody.
        """
        self._hurried = True
        if self._awaited is not None:
            self._awaited.cancel()

    # Inside

    async def _move_agents(self, end: float) -> None:
        """
        Wait until the agents that understand have other tunnels, if there is another node where these can be.
        """
        until = min(self._told_at + _MOVING, end)
        moved = False
        while not moved and not self._hurried and self._view.has_active_others and self._left(until):
            moved = await self._wait(self._upstream_port.when_moved, min(_LOOK, self._left(until)))

    async def _end_tunnels(self, end: float) -> None:
        """
        Close what tunnels are left, when nothing more is under way on them. If there is no other node they stay.
        """
        if self._view.has_active_others:
            last_call = end - min(_LAST_CALL, self._grace_period / 2)
            await self._wait(self._proxy_port.when_empty, self._left(last_call))
            await self._wait(lambda: self._upstream_port.end(self._left(last_call)), self._left(end))

    def _cut(self, number: int, what: str) -> None:
        """
        Say what has not ended in its time.
        """
        if number:
            reason = "asked again to stop" if self._hurried else "grace period over"
            _log.warn("{reason}: {what} cut", reason=reason, what=amount(number, what))

    def _left(self, end: float) -> float:
        """
        Seconds until then.
        """
        return max(0.0, end - self._clock.seconds())

    async def _leave(self, end: float) -> None:
        """
        Leave the other nodes when they send nothing any more: for as long as tunnels are here that have not gone
        elsewhere they are served.
        """
        links = self._links
        quiet = await self._wait(links.port.when_quiet, self._left(end))
        if not quiet:
            self._cut(links.port.in_flight, "stream of other nodes")
        if links.membership is not None:
            await self._wait(links.membership.leave, _GOODBYE)
            await links.membership.close()
        await self._entrances.cluster.close()
        # Other nodes close what they keep for a next request when they are told; what is there after that is in use.
        left = max(self._left(end), _CLOSING / 2)
        if not await self._wait(lambda: links.port.leave(left + _CLOSING), left) and quiet:
            self._cut(links.port.streams, "stream of other nodes")
        await self._wait(lambda: links.port.leave(0.0), _CLOSING / 2)
        # What has not ended by now, and who has only just connected.
        links.port.abort()
        links.remotes.stop()

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
