"""
The manual lists the metrics that there are, and they are called as Prometheus wants it.
"""

from __future__ import annotations

import re

from twisted.trial.unittest import SynchronousTestCase

from pico.exposition import Description, Kind
from tests.metrics_page import PAGE, agent_metrics, node_metrics, page, tables

#: What dashboards made for Piko ask for, "piko" being "pico", as far as one node and one agent have it.
_LIKE_PIKO = {
    "pico_proxy_requests_in_flight": (Kind.GAUGE, set()),
    "pico_proxy_requests_total": (Kind.COUNTER, {"status", "method"}),
    "pico_proxy_request_latency_seconds": (Kind.HISTOGRAM, {"status", "method"}),
    "pico_proxy_request_size_bytes": (Kind.HISTOGRAM, set()),
    "pico_proxy_response_size_bytes": (Kind.HISTOGRAM, set()),
    "pico_upstreams_connected_upstreams": (Kind.GAUGE, set()),
    "pico_upstreams_registered_endpoints": (Kind.GAUGE, set()),
    "pico_upstreams_upstream_requests_total": (Kind.COUNTER, set()),
    "pico_cluster_nodes": (Kind.GAUGE, {"status"}),
    "pico_agent_requests_in_flight": (Kind.GAUGE, {"endpoint"}),
    "pico_agent_requests_total": (Kind.COUNTER, {"status", "method", "endpoint"}),
    "pico_agent_request_latency_seconds": (Kind.HISTOGRAM, {"status", "method", "endpoint"}),
    "pico_agent_request_size_bytes": (Kind.HISTOGRAM, {"endpoint"}),
    "pico_agent_response_size_bytes": (Kind.HISTOGRAM, {"endpoint"}),
}


class PageTests(SynchronousTestCase):
    """
    ``docs/metrics.md``.
    """

    def test_up_to_date(self) -> None:
        """
        The tables are those of the code, all three of them.
        """
        text = PAGE.read_text(encoding="utf-8")
        self.assertEqual(text, page(text), "docs/metrics.md is out of date: run python -m tests.metrics_page")
        self.assertEqual(set(re.findall(r"<!-- table: (\w+) -->", text)), set(tables()))

    def test_other_pages(self) -> None:
        """
        No page speaks of a metric that does not exist.
        """
        known = {each.name for each in (*node_metrics(), *agent_metrics())}
        for path in PAGE.parent.rglob("*.md"):
            for name in re.findall(r"`(pico_[a-z_]+)`", path.read_text(encoding="utf-8")):
                if not name.endswith("_"):
                    self.assertIn(re.sub(r"_(bucket|sum|count)$", "", name), known, path.name)


class NameTests(SynchronousTestCase):
    """
    All metrics of a node and an agent.
    """

    def setUp(self) -> None:
        self.all: list[Description] = [*node_metrics(), *agent_metrics()]

    def test_like_piko(self) -> None:
        """
        What Piko has is here under the same name, with the same type and labels.
        """
        found = {each.name: (each.kind, set(each.labels)) for each in self.all}
        for name, expected in _LIKE_PIKO.items():
            self.assertEqual(found.get(name), expected, name)

    def test_names(self) -> None:
        """
        Counters end in _total and nothing else does; seconds and bytes say so; each has a help text.
        """
        for each in self.all:
            self.assertRegex(each.name, r"^(pico|process|python)_[a-z0-9_]+$")
            self.assertEqual(each.name.endswith("_total"), each.kind == Kind.COUNTER, each.name)
            self.assertTrue(each.help, each.name)
            if each.name.startswith("pico"):
                self.assertRegex(each.help, r"^[A-Z0-9].*\.$", each.name)
