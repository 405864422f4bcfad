"""
A run, from the first tunnel to the last answer.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import cast
from urllib.parse import urlsplit

import attrs
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.endpoints import wrapClientTLS
from twisted.internet.interfaces import IReactorTCP, IReactorTime, ITCPTransport
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.ssl import optionsForClientTLS
from twisted.internet.task import LoopingCall, deferLater
from twisted.python.failure import Failure

from pico import __version__
from pico.bench.faults import BenchError
from pico.bench.load.bar import Bar
from pico.bench.load.echo import EchoService
from pico.bench.load.plan import Requests, Upstreams
from pico.bench.load.requests import RequestLoad, why_not
from pico.bench.load.upstreams import UpstreamLoad
from pico.client.dialer import Dialer, DialSettings
from pico.client.urls import parse_node_url
from pico.net.ports import make_client_endpoint
from pico.net.turn import Turn

#: Seconds between two looks at how far it is.
_LOOK = 0.2

#: Seconds that tunnels have to end at the end of a run.
_GRACE = 5.0


@attrs.frozen
class Node:
    """
    The node that is measured.

    :ivar timeout: seconds to connect to it.
    """

    proxy_url: str = ""
    upstream_url: str = ""
    timeout: float = 5.0
    token: str = attrs.field(default="", repr=False)


@attrs.define
class Run:
    """
    A run, which may be stopped.

    :ivar interrupted: it was.
    """

    reactor: IReactorTCP
    clock: IReactorTime
    chooser: random.Random
    bar: Bar
    interrupted: bool = False
    _stop: Callable[[], None] | None = None

    def stop(self) -> None:
        """
        End it as soon as possible; what was measured is kept.
        """
        self.interrupted = True
        if self._stop is not None:
            self._stop()

    async def open(self, plan: Upstreams, node: Node) -> UpstreamLoad:
        """
        Open all tunnels, or as many as can be had until somebody stops it.

        :raises BenchError: the node refuses, or opens none for so long that no more are to be expected.
        """
        load = make_upstreams(plan, node, self.reactor, self.clock, self.chooser)
        opened = load.open()
        progress = 0, self.clock.seconds()

        def look() -> None:
            nonlocal progress
            count, now = load.tally.succeeded, self.clock.seconds()
            self.bar.show(count, plan.count, f"{count:,} of {plan.count:,} tunnels")
            if count > progress[0]:
                progress = count, now
            elif now - progress[1] > node.timeout + _LOOK and not opened.called:
                opened.errback(BenchError(_stalled(load, plan, node)))

        try:
            await self._watched(opened, look, opened.cancel)
        except BenchError:
            await load.close(0)
            raise
        return load

    async def request(self, plan: Requests, node: Node) -> RequestLoad:
        """
        Send all requests.
        """
        load = make_requests(plan, node, self.reactor, self.clock, self.chooser)
        # One that cannot be reached at all is told at once, and not by thousands of failures.
        try:
            first = await load.endpoint.connect(Factory.forProtocol(Protocol))
        except Exception as error:
            why = why_not(Failure(error))
            raise BenchError(
                f"cannot connect to {node.proxy_url}: {why}; is a node running, and is this its proxy port?"
            ) from None
        cast(ITCPTransport, cast(Protocol, first).transport).abortConnection()

        def look() -> None:
            tally, seconds = load.tally, self.clock.seconds() - load.tally.began
            rate = tally.done / seconds if seconds else 0.0
            text = f"{tally.done:,} of {plan.count:,} requests, {rate:,.0f}/s, {tally.failed:,} failed"
            self.bar.show(tally.done, plan.count, text)

        await self._watched(load.run(), look, load.stop)
        return load

    async def hold(self, load: UpstreamLoad, count: int, seconds: float) -> None:
        """
        Keep tunnels open.

        :param seconds: 0 until somebody stops it.
        """
        forever: Deferred[None] = Deferred()
        waiting = deferLater(self.clock, seconds) if seconds else forever

        def look() -> None:
            self.bar.show(load.connected, count, f"{load.connected:,} of {count:,} tunnels stand, {load.lost:,} lost")

        await self._watched(waiting, look, waiting.cancel)

    async def close(self, load: UpstreamLoad) -> None:
        """
        Close all tunnels.
        """
        self.bar.show(1, 1, "closing tunnels")
        await load.close(_GRACE)
        self.bar.clear()

    async def _watched(self, done: Deferred[None], look: Callable[[], None], stop: Callable[[], None]) -> None:
        """
        Wait, show how far it is, and let it be stopped.
        """
        if self.interrupted:
            done.addErrback(lambda reason: reason.trap(CancelledError) and None)
            stop()
            return
        self._stop = stop
        looking = LoopingCall(look)
        looking.clock = self.clock
        looking.start(_LOOK)
        try:
            await done
        except CancelledError:
            pass
        finally:
            looking.stop()
            self.bar.clear()
            self._stop = None


def _stalled(load: UpstreamLoad, plan: Upstreams, node: Node) -> str:
    """
    Word why it is given up.
    """
    kinds = load.tally.errors.most_common(1)
    why = f": {kinds[0][0]}" if kinds else ""
    text = f"{load.tally.succeeded:,} of {plan.count:,} tunnels, and no other within {node.timeout:g}s{why}"
    return text if load.tally.succeeded else f"{text}; is a node running, and is this its upstream port?"


def make_upstreams(
    plan: Upstreams, node: Node, reactor: IReactorTCP, clock: IReactorTime, chooser: random.Random
) -> UpstreamLoad:
    """
    Make the agents of a run.

    :raises pico.errors.ConfigError: the URL cannot be used.
    """
    settings = DialSettings(
        url=parse_node_url(node.upstream_url), timeout=node.timeout, token=node.token, version=__version__
    )
    dialer = Dialer(settings, reactor=reactor, clock=clock, turn=Turn(clock))
    return UpstreamLoad(plan, dialer=dialer, clock=clock, chooser=chooser, on_stream=EchoService(clock).serve)


def make_requests(
    plan: Requests, node: Node, reactor: IReactorTCP, clock: IReactorTime, chooser: random.Random
) -> RequestLoad:
    """
    Make the clients of a run.

    :raises BenchError: the URL cannot be used.
    """
    try:
        url = urlsplit(node.proxy_url)
        host, port = url.hostname, url.port
    except ValueError as error:
        raise BenchError(f"--connect.proxy-url {node.proxy_url}: {error}") from None
    plain = url.netloc.isascii() and url.path in ("", "/") and not url.query and not url.username
    if url.scheme not in ("http", "https") or not host or not plain:
        raise BenchError(
            f"--connect.proxy-url {node.proxy_url}: write scheme, host and port, such as http://localhost:8000"
        )
    secure = url.scheme == "https"
    endpoint = make_client_endpoint(reactor, host, port or (443 if secure else 80), node.timeout)
    if secure:
        endpoint = wrapClientTLS(optionsForClientTLS(host), endpoint)
    return RequestLoad(plan, endpoint=endpoint, host=url.netloc.encode("ascii"), clock=clock, chooser=chooser)
