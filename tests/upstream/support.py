"""
What the tests of upstreams share: tunnels without a wire.
"""

from __future__ import annotations

from typing import cast

from twisted.internet.task import Clock

from pico.errors import TunnelBusy, TunnelError
from pico.names import DEFAULT_TENANT, EndpointKey, TenantId
from pico.net.deadlines import Deadlines
from pico.net.http.client import HTTPClientProtocol
from pico.net.http.gateway import FailureKind
from pico.proxy.headers import fate_of
from pico.tunnel.session import TunnelSession
from pico.upstream.tunnel import PoolSettings, TunnelUpstream
from pico.wire.http1.headers import HeaderCache


class FakeStream:
    """
    A stream that is only attached to.
    """

    def attach(self, protocol: HTTPClientProtocol) -> None:
        """
        Remember nothing.
        """


class FakeSession:
    """
    A session that opens as many streams as it is told to.
    """

    def __init__(self, ids_left: int = 1_000_000) -> None:
        self.ids_left = ids_left
        self.busy = False
        self.going_away = False
        self.closed = False

    def open_stream(self) -> FakeStream:
        """
        Open one, or refuse.
        """
        if self.busy:
            raise TunnelBusy("busy")
        if not self.ids_left:
            raise TunnelError("used up")
        self.ids_left -= 1
        return FakeStream()

    def go_away(self) -> None:
        """
        Note it.
        """
        self.going_away = True

    def close(self) -> None:
        """
        Note it.
        """
        self.closed = True


class FakeExchange:
    """
    An exchange that notes what it gets.
    """

    def __init__(self) -> None:
        self.client: HTTPClientProtocol | None = None
        self.failure: FailureKind | None = None

    def connected(self, client: HTTPClientProtocol) -> None:
        """
        A stream.
        """
        self.client = client

    def unreachable(self, kind: FailureKind) -> None:
        """
        None.
        """
        self.failure = kind


def make_upstream(
    session: FakeSession | None = None,
    *,
    tenant: TenantId = DEFAULT_TENANT,
    endpoint: str = "e",
    address: str = "192.0.2.1:1",
    max_waiting: int = 2,
) -> TunnelUpstream:
    """
    Make a tunnel.

    :param session: one that opens any number of streams when not given.
    """
    clock = Clock()
    upstream = TunnelUpstream(
        EndpointKey(tenant, endpoint),
        address=address,
        version="",
        cache=HeaderCache(fate_of),
        clock=clock,
        deadlines=Deadlines(clock),
        settings=PoolSettings(max_waiting=max_waiting),
    )
    upstream.session = cast(TunnelSession, session or FakeSession())
    return upstream
