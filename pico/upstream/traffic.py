"""
What goes through this node's tunnels, in numbers.

Nothing is added to the way of a request: each tunnel counts for itself, and when somebody asks, one pass over all of
them sums up. What tunnels that are gone had carried is kept by the node, and by endpoint.

An endpoint has numbers of its own from its first tunnel on, and loses them some time after its last one is gone. Who
asks for an endpoint that no tunnel serves makes none.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

import attrs
from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure

from pico.errors import RemoteProtocolError
from pico.exposition import Description, Kind, Samples
from pico.metrics import OTHER, Metrics
from pico.names import DEFAULT_TENANT, EndpointKey
from pico.upstream.tunnel import TunnelUpstream


@attrs.frozen
class TrafficSettings:
    """
    For how many endpoints there are numbers.

    :ivar max_endpoints: those that come later share one set of numbers.
    :ivar keep: seconds for which numbers outlast an endpoint's last tunnel.
    """

    max_endpoints: int = 1000
    keep: float = 600.0


@attrs.define
class Sums:
    """
    What some tunnels have carried.
    """

    requests: int = 0
    streams_opened: int = 0
    pool_hits: int = 0
    bytes_received: int = 0
    bytes_sent: int = 0

    def add(self, upstream: TunnelUpstream) -> None:
        """
        Add a tunnel's.
        """
        self.requests += upstream.requests
        self.streams_opened += upstream.streams_opened
        self.pool_hits += upstream.pool_hits
        self.bytes_received += upstream.bytes_received
        self.bytes_sent += upstream.bytes_sent


@attrs.define(eq=False)
class Account:
    """
    The numbers of one endpoint.

    :ivar labels: tenant and endpoint.
    :ivar tunnels: those that are connected.
    :ivar ended: what those have carried that are gone.
    :ivar unused_since: when the last of them went, on the clock.
    """

    labels: tuple[str, str]
    tunnels: int = 0
    ended: Sums = attrs.field(factory=Sums)
    unused_since: float = 0.0


class Traffic:
    """
    Keep the numbers of tunnels.
    """

    def __init__(
        self, metrics: Metrics, upstreams: Collection[TunnelUpstream], clock: IReactorTime, settings: TrafficSettings
    ) -> None:
        """
        :param upstreams: all that are connected, as they are at any time; each is told to :meth:`opened` when it
            comes in, and to :meth:`closed` while it still knows what it has carried.
        """
        self._upstreams = upstreams
        self._clock = clock
        self._settings = settings
        self._accounts: dict[EndpointKey, Account] = {}
        self._other = Account((DEFAULT_TENANT, OTHER))
        self._of: dict[TunnelUpstream, Account] = {}
        self._ended = Sums()
        self._accepted = metrics.counter("pico_upstreams_accepted", "Tunnels that were accepted.")
        self._closed = metrics.counters(
            "pico_upstreams_closed",
            "Tunnels that have ended, by reason: closed (by either side, in order), lost, silent (no sign of life), "
            "protocol error.",
            ["reason"],
            [("closed",), ("lost",), ("silent",), ("protocol error",)],
        )
        by_endpoint = ("tenant", "endpoint")
        metrics.group(
            [
                Description("pico_upstreams_streams", Kind.GAUGE, "Streams open in all tunnels, idle ones included."),
                Description("pico_upstreams_idle_streams", Kind.GAUGE, "Streams kept for a next request."),
                Description("pico_upstreams_streams_opened_total", Kind.COUNTER, "Streams that were opened."),
                Description(
                    "pico_upstreams_pool_hits_total",
                    Kind.COUNTER,
                    "Requests that went over a stream that was there already.",
                ),
                Description(
                    "pico_upstreams_bytes_received_total", Kind.COUNTER, "Bytes received from agents, frames included."
                ),
                Description("pico_upstreams_bytes_sent_total", Kind.COUNTER, "Bytes sent to agents, frames included."),
                Description(
                    "pico_upstreams_endpoint_tunnels", Kind.GAUGE, "Tunnels connected, by endpoint.", by_endpoint
                ),
                Description(
                    "pico_upstreams_endpoint_requests_total",
                    Kind.COUNTER,
                    "Requests sent to a tunnel, each time that one was sent, by endpoint.",
                    by_endpoint,
                ),
                Description(
                    "pico_upstreams_endpoint_bytes_received_total",
                    Kind.COUNTER,
                    "Bytes received from agents, by endpoint.",
                    by_endpoint,
                ),
                Description(
                    "pico_upstreams_endpoint_bytes_sent_total",
                    Kind.COUNTER,
                    "Bytes sent to agents, by endpoint.",
                    by_endpoint,
                ),
            ],
            lambda: list(self._read()),
        )

    def opened(self, upstream: TunnelUpstream) -> None:
        """
        A tunnel has connected.
        """
        self._accepted.value += 1
        account = self._of[upstream] = self._account(upstream.key)
        account.tunnels += 1

    def closed(self, upstream: TunnelUpstream, reason: Failure) -> None:
        """
        A tunnel is gone.
        """
        self._closed[(end_of(reason),)].value += 1
        self._ended.add(upstream)
        account = self._of.pop(upstream)
        account.ended.add(upstream)
        account.tunnels -= 1
        account.unused_since = self._clock.seconds()

    def _account(self, key: EndpointKey) -> Account:
        account = self._accounts.get(key)
        if account is not None:
            return account
        labels = (key.tenant, key.endpoint)
        if len(self._accounts) >= self._settings.max_endpoints:
            self._forget()
        if len(self._accounts) >= self._settings.max_endpoints or labels == self._other.labels:
            return self._other
        account = self._accounts[key] = Account(labels)
        return account

    def _forget(self) -> None:
        limit = self._clock.seconds() - self._settings.keep
        for key, account in list(self._accounts.items()):
            if not account.tunnels and account.unused_since <= limit:
                del self._accounts[key]

    def _read(self) -> Iterator[Samples]:
        self._forget()
        streams = idle = 0
        whole = attrs.evolve(self._ended)
        shown = {account: attrs.evolve(account.ended) for account in self._accounts.values()}
        if self._other.tunnels or self._other.unused_since:
            shown[self._other] = attrs.evolve(self._other.ended)
        for upstream in self._upstreams:
            streams += upstream.streams
            idle += upstream.idle
            whole.add(upstream)
            shown[self._of[upstream]].add(upstream)
        for number in (
            streams,
            idle,
            whole.streams_opened,
            whole.pool_hits,
            whole.bytes_received,
            whole.bytes_sent,
        ):
            yield [((), number)]
        yield [(account.labels, account.tunnels) for account in shown]
        yield [(account.labels, sums.requests) for account, sums in shown.items()]
        yield [(account.labels, sums.bytes_received) for account, sums in shown.items()]
        yield [(account.labels, sums.bytes_sent) for account, sums in shown.items()]


def end_of(reason: Failure) -> str:
    """
    Why a tunnel ended, as a label.
    """
    if reason.check(ConnectionDone):
        return "closed"
    if reason.check(RemoteProtocolError):
        return "protocol error"
    # The session gives a text to the one loss that it makes itself: its peer showed no sign of life.
    return "silent" if type(reason.value) is ConnectionLost and reason.value.args else "lost"
