"""
Tests for :mod:`pico.agent.numbers`.
"""

from __future__ import annotations

from typing import cast

import attrs
from prometheus_client.parser import text_string_to_metric_families
from twisted.trial.unittest import SynchronousTestCase

from pico.agent.backend import ServiceBackend
from pico.agent.endpoints import Endpoints
from pico.agent.numbers import watch_endpoints, watch_services
from pico.metrics import Metrics
from tests.agent.test_endpoints import FakeTunnel


@attrs.define
class FakeBackend:
    """
    Connections that the test makes up.
    """

    dials: int
    pool_hits: int
    idle: int


def _samples(metrics: Metrics) -> dict[str, dict[str, float]]:
    found: dict[str, dict[str, float]] = {}
    for family in text_string_to_metric_families(metrics.render(False)[0].decode()):
        for sample in family.samples:
            found.setdefault(sample.name.removeprefix("pico_agent_"), {})[sample.labels["endpoint"]] = sample.value
    return found


class NumbersTests(SynchronousTestCase):
    """
    Endpoints "e" and, twice, "f".
    """

    def test_endpoints(self) -> None:
        """
        Every number by endpoint; two listeners of one add up.
        """
        metrics, endpoints = Metrics(), Endpoints()
        watch_endpoints(metrics, endpoints)
        self.assertEqual(_samples(metrics), {})
        one, two, three = (endpoints.add(name, 0.0) for name in ("e", "f", "f"))
        tunnel = FakeTunnel(1, 2, 3)
        one.got(tunnel, "n", [tunnel], 1.0)
        one.lost("gone", [], 2.0)
        one.lost("no", [], 3.0)
        one.refused("never", 4.0)
        for state in (two, three):
            tunnel = FakeTunnel(10, 20, 30)
            state.got(tunnel, "n", [tunnel], 1.0)
        first, second = (FakeTunnel(100, 200, 300) for _ in range(2))
        two.got(first, "n", [first], 1.0)
        two.got(second, "n2", [first, second], 1.0)
        self.assertEqual(
            _samples(metrics),
            {
                "tunnels": {"e": 0, "f": 3},
                "tunnels_wanted": {"e": 1, "f": 2},
                "nodes": {"e": 0, "f": 3},
                "reconnects_total": {"e": 0, "f": 2},
                "disconnects_total": {"e": 1, "f": 0},
                "failed_dials_total": {"e": 1, "f": 0},
                "refusals_total": {"e": 1, "f": 0},
                "streams": {"e": 3, "f": 660},
                "bytes_received_total": {"e": 1, "f": 220},
                "bytes_sent_total": {"e": 2, "f": 440},
            },
        )

    def test_services(self) -> None:
        """
        Connections to services, likewise.
        """
        metrics = Metrics()
        backends = [("e", FakeBackend(1, 2, 3)), ("f", FakeBackend(10, 20, 30)), ("f", FakeBackend(100, 200, 300))]
        watch_services(metrics, [(endpoint, cast(ServiceBackend, backend)) for endpoint, backend in backends])
        self.assertEqual(
            _samples(metrics),
            {
                "service_dials_total": {"e": 1, "f": 110},
                "service_pool_hits_total": {"e": 2, "f": 220},
                "service_idle_connections": {"e": 3, "f": 330},
            },
        )
