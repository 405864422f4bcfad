"""
What the tests of upstreams share: tunnels, and who waits for their streams.
"""

from __future__ import annotations

from twisted.internet.task import Clock

from pico.names import DEFAULT_TENANT, EndpointKey, TenantId
from pico.net.deadlines import Deadlines
from pico.net.http.gateway import FailureKind
from pico.proxy.headers import fate_of
from pico.tunnel.session import TunnelSession
from pico.tunnel.supply import SupplySettings
from pico.upstream.tunnel import TunnelUpstream
from pico.wire.http1.headers import HeaderCache
from tests.net.http.requester import QuietRequester
from tests.tunnel.support import Alone


class Waiter(QuietRequester):
    """
    Who waits for a stream, and notes what it gets.
    """

    def __init__(self, *, peer_host: str = "192.0.2.9", request_id: bytes = b"") -> None:
        super().__init__(peer_host=peer_host, request_id=request_id)
        self.failure: FailureKind | None = None

    def unreachable(self, kind: FailureKind) -> None:
        """
        None.
        """
        self.failure = kind


def make_upstream(
    session: TunnelSession | None = None,
    *,
    tenant: TenantId = DEFAULT_TENANT,
    endpoint: str = "e",
    address: str = "192.0.2.1:1",
    max_waiting: int = 2,
) -> TunnelUpstream:
    """
    Make a tunnel.

    :param session: one with nobody at its other end when not given.
    """
    clock = Clock()
    upstream = TunnelUpstream(
        EndpointKey(tenant, endpoint),
        address=address,
        version="",
        cache=HeaderCache(fate_of),
        clock=clock,
        deadlines=Deadlines(clock),
        settings=SupplySettings(max_waiting=max_waiting),
    )
    upstream.session = session or Alone().session
    return upstream


def load(upstream: TunnelUpstream, requests: int) -> list[Waiter]:
    """
    Send so many requests through a tunnel, to stay.
    """
    waiters = [Waiter() for _ in range(requests)]
    for waiter in waiters:
        upstream.acquire(waiter, True)
    return waiters
