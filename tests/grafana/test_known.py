"""
Queries for what is not there are found.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tests.grafana.known import known_metrics, unknown


class UnknownTests(SynchronousTestCase):
    """
    :func:`unknown`.
    """

    def test_unknown(self) -> None:
        """
        Metrics and labels, in braces and in groups; what targets have is everywhere, ``le`` is of buckets alone.
        """
        known = known_metrics()
        for query, wrong in (
            ('sum by (status, job) (rate(pico_proxy_requests_total{instance="x"}[1m]))', []),
            ("sum by (le) (pico_proxy_request_latency_seconds_bucket)", []),
            ("pico_proxy_request_latency_seconds", ["pico_proxy_request_latency_seconds: no such metric"]),
            ("pico_requests_total", ["pico_requests_total: no such metric"]),
            ('pico_node_ready{endpoint="x"}', ["pico_node_ready has no label endpoint"]),
            ("sum by (le) (pico_node_ready)", ["nothing has a label le"]),
        ):
            self.assertEqual(unknown(query, known), wrong, query)
