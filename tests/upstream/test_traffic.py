"""
Tests for :mod:`pico.upstream.traffic`.
"""

from __future__ import annotations

from typing import cast

import attrs
from prometheus_client.parser import text_string_to_metric_families
from twisted.internet.error import ConnectionAborted, ConnectionDone, ConnectionLost
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from pico.errors import RemoteProtocolError
from pico.metrics import Metrics
from pico.names import DEFAULT_TENANT, EndpointKey, NodeId, TenantId
from pico.net.deadlines import Deadlines
from pico.net.http.server import ServerSettings
from pico.net.turn import Turn
from pico.server.anyone import Anyone
from pico.tunnel.session import TunnelSettings
from pico.tunnel.supply import SupplySettings
from pico.upstream.port import UpstreamPort, UpstreamPortSettings
from pico.upstream.registry import Registry
from pico.upstream.traffic import Traffic, TrafficSettings, end_of
from pico.upstream.tunnel import TunnelUpstream
from pico.wire.http1.headers import HeaderCache

_DONE = Failure(ConnectionDone())


@attrs.define(eq=False)
class FakeTunnel:
    """
    A tunnel that has carried what the test says.
    """

    key: EndpointKey
    requests: int = 0
    streams_opened: int = 0
    pool_hits: int = 0
    bytes_received: int = 0
    bytes_sent: int = 0
    streams: int = 0
    idle: int = 0


class ConnectionTests(SynchronousTestCase):
    """
    The port before there is a tunnel.
    """

    def test_too_many(self) -> None:
        """
        Connections over the limit are counted.
        """
        clock, metrics = Clock(), Metrics()
        port = UpstreamPort(
            node_id=NodeId("n"),
            registry=Registry(clock),
            verifier=Anyone(),
            settings=UpstreamPortSettings(ServerSettings(), TunnelSettings(), SupplySettings(), max_connections=0),
            cache=HeaderCache(),
            clock=clock,
            deadlines=Deadlines(clock),
            turn=Turn(clock),
            metrics=metrics,
        )
        self.assertIsNone(port.buildProtocol(None))
        self.assertIn(b"pico_upstreams_connections_refused_total 1.0\n", metrics.render(False)[0])


class TrafficTests(SynchronousTestCase):
    """
    Tunnels come and go.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.clock.advance(1000)
        self.metrics = Metrics()
        self.tunnels: dict[TunnelUpstream, None] = {}
        self.traffic = Traffic(
            self.metrics, self.tunnels.keys(), self.clock, TrafficSettings(max_endpoints=3, keep=60.0)
        )

    def open(self, endpoint: str, tenant: str = DEFAULT_TENANT) -> FakeTunnel:
        """
        Connect a tunnel.
        """
        fake = FakeTunnel(EndpointKey(TenantId(tenant), endpoint))
        tunnel = cast(TunnelUpstream, fake)
        self.tunnels[tunnel] = None
        self.traffic.opened(tunnel)
        return fake

    def close(self, fake: FakeTunnel, reason: Failure = _DONE) -> None:
        """
        End it.
        """
        tunnel = cast(TunnelUpstream, fake)
        self.traffic.closed(tunnel, reason)
        del self.tunnels[tunnel]

    def read(self, name: str) -> dict[str, float]:
        """
        The samples of a metric by endpoint, with its tenant in front if there is one, or by reason.
        """
        text = self.metrics.render(False)[0].decode()
        return {
            "/".join(value for _, value in sorted(sample.labels.items(), reverse=True) if value): sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
            if sample.name == name
        }

    def test_sums(self) -> None:
        """
        What all tunnels have carried, those that are gone included; what is open now only in those that live.
        """
        first, second = self.open("e"), self.open("f")
        for fake in (first, second):
            fake.requests, fake.streams_opened, fake.pool_hits = 10, 4, 6
            fake.bytes_received, fake.bytes_sent = 1000, 500
            fake.streams, fake.idle = 3, 2
        for _ in range(2):
            for name, value in [
                ("pico_upstreams_accepted_total", 2),
                ("pico_upstreams_streams", 6),
                ("pico_upstreams_idle_streams", 4),
                ("pico_upstreams_streams_opened_total", 8),
                ("pico_upstreams_pool_hits_total", 12),
                ("pico_upstreams_bytes_received_total", 2000),
                ("pico_upstreams_bytes_sent_total", 1000),
            ]:
                self.assertEqual(self.read(name), {"": value}, name)
        self.close(first)
        self.assertEqual(self.read("pico_upstreams_streams"), {"": 3})
        self.assertEqual(self.read("pico_upstreams_idle_streams"), {"": 2})
        second.bytes_received += 1
        self.assertEqual(self.read("pico_upstreams_bytes_received_total"), {"": 2001})
        self.assertEqual(self.read("pico_upstreams_pool_hits_total"), {"": 12})

    def test_endpoints(self) -> None:
        """
        Each endpoint has its own numbers, which go on with the next tunnel; tenants are apart.
        """
        first, second, other = self.open("e"), self.open("e"), self.open("e", "t")
        first.requests, second.requests, other.requests = 1, 2, 4
        self.assertEqual(self.read("pico_upstreams_endpoint_requests_total"), {"e": 3, "t/e": 4})
        self.assertEqual(self.read("pico_upstreams_endpoint_tunnels"), {"e": 2, "t/e": 1})
        self.close(first)
        self.close(second)
        self.assertEqual(self.read("pico_upstreams_endpoint_tunnels"), {"e": 0, "t/e": 1})
        third = self.open("e")
        third.requests, third.bytes_received, third.bytes_sent = 8, 16, 32
        self.assertEqual(self.read("pico_upstreams_endpoint_requests_total"), {"e": 11, "t/e": 4})
        self.assertEqual(self.read("pico_upstreams_endpoint_bytes_received_total"), {"e": 16, "t/e": 0})
        self.assertEqual(self.read("pico_upstreams_endpoint_bytes_sent_total"), {"e": 32, "t/e": 0})

    def test_forgotten(self) -> None:
        """
        An endpoint that has been without a tunnel for some time has no numbers any more; the node keeps its own.
        """
        fake = self.open("e")
        fake.requests = fake.bytes_sent = 5
        self.clock.advance(1000)
        self.assertEqual(self.read("pico_upstreams_endpoint_requests_total"), {"e": 5})
        self.close(fake)
        self.clock.advance(59)
        self.assertEqual(self.read("pico_upstreams_endpoint_requests_total"), {"e": 5})
        self.clock.advance(2)
        self.assertEqual(self.read("pico_upstreams_endpoint_requests_total"), {})
        self.assertEqual(self.read("pico_upstreams_bytes_sent_total"), {"": 5})
        self.open("e")
        self.assertEqual(self.read("pico_upstreams_endpoint_requests_total"), {"e": 0})

    def test_bound(self) -> None:
        """
        Endpoints beyond the limit share one set of numbers, and go on to when there is room again.
        """
        tunnels = [self.open(f"e{number}") for number in range(5)]
        for fake in tunnels:
            fake.requests = 1
        expected = {"e0": 1, "e1": 1, "e2": 1, "other": 2}
        self.assertEqual(self.read("pico_upstreams_endpoint_requests_total"), expected)
        for fake in tunnels[:3]:
            self.close(fake)
        self.clock.advance(61)
        self.open("e5").requests = 7
        tunnels[3].requests = 10
        self.assertEqual(self.read("pico_upstreams_endpoint_requests_total"), {"e5": 7, "other": 11})
        self.close(tunnels[3])
        self.close(tunnels[4])
        self.assertEqual(self.read("pico_upstreams_endpoint_requests_total"), {"e5": 7, "other": 11})
        self.assertEqual(self.read("pico_upstreams_endpoint_tunnels"), {"e5": 1, "other": 0})

    def test_named_other(self) -> None:
        """
        An endpoint that is called like the shared set is counted there: no two series have the same labels.
        """
        self.open("other").requests = 1
        for number in range(4):
            self.open(f"e{number}").requests = 1
        self.assertEqual(self.read("pico_upstreams_endpoint_requests_total"), {"e0": 1, "e1": 1, "e2": 1, "other": 2})
        text = self.metrics.render(False)[0].decode().splitlines()
        self.assertEqual(len([line for line in text if line.startswith("pico_upstreams_endpoint_requests_total{")]), 4)

    def test_ends(self) -> None:
        """
        Why tunnels end is counted, each reason from zero.
        """
        self.close(self.open("e"))
        self.close(self.open("e"), Failure(ConnectionLost("no sign of life")))
        expected = {"closed": 1, "silent": 1, "lost": 0, "protocol error": 0}
        self.assertEqual(self.read("pico_upstreams_closed_total"), expected)
        for error, reason in [
            (ConnectionDone(), "closed"),
            (ConnectionLost(), "lost"),
            (ConnectionAborted(), "lost"),
            (ValueError("bug"), "lost"),
            (RemoteProtocolError(1, "bad frame"), "protocol error"),
        ]:
            self.assertEqual(end_of(Failure(error)), reason)
