"""
What is kept of a request when it is over: its numbers.
"""

from __future__ import annotations

from pico.metrics import LATENCY_BUCKETS, SIZE_BUCKETS, Distribution, Metrics, Number, method_label
from pico.net.http.exchange import Exchange
from pico.net.http.gateway import FailureKind


class _Series:
    """
    The numbers of one status and method, looked up once a request.
    """

    __slots__ = ("latency", "total")

    def __init__(self, total: Number, latency: Distribution) -> None:
        self.total = total
        self.latency = latency


class Recorder:
    """
    Count exchanges.

    The names are those of Piko with ``pico`` for ``piko``. Sizes are of bodies, in bytes.
    """

    def __init__(self, metrics: Metrics) -> None:
        self._series: dict[tuple[int, bytes], _Series] = {}
        self.in_flight = metrics.gauge("pico_proxy_requests_in_flight", "Requests that have no whole answer yet.")
        self._totals = metrics.counters("pico_proxy_requests", "Requests by status and method.", ["status", "method"])
        self._latencies = metrics.histograms(
            "pico_proxy_request_latency_seconds",
            "From the request's head to the response's last byte.",
            ["status", "method"],
        )
        self._request_size = metrics.histogram(
            "pico_proxy_request_size_bytes", "Bytes of request bodies.", SIZE_BUCKETS
        )
        self._response_size = metrics.histogram(
            "pico_proxy_response_size_bytes", "Bytes of response bodies.", SIZE_BUCKETS
        )
        self._upstream_requests = metrics.counter(
            "pico_upstreams_upstream_requests", "Requests sent to a tunnel of this node."
        )
        self.retries = metrics.counter("pico_proxy_retries", "Requests that were sent to another upstream.")
        self._failures = metrics.counters(
            "pico_proxy_failures", "Requests without a whole answer from a service, by reason.", ["reason"]
        )
        self._malformed = metrics.counters(
            "pico_proxy_malformed_requests", "Bytes that were not a request, by answered status.", ["status"]
        )
        self.connections_refused = metrics.counter(
            "pico_proxy_connections_refused", "Connections over proxy.http.max_connections."
        )

    def finished(self, exchange: Exchange, now: float) -> None:
        """
        Count an exchange that is over.
        """
        self.in_flight.value -= 1
        series = self._series.get((exchange.status, exchange.head.method))
        if series is None:
            series = self._new_series(exchange.status, exchange.head.method)
        series.total.value += 1
        series.latency.observe(now - exchange.started)
        self._request_size.observe(exchange.bytes_in)
        self._response_size.observe(exchange.bytes_out)
        if exchange.backend is not None:
            self._upstream_requests.value += 1
        if exchange.failure is not None:
            self._count_failure(exchange.failure)

    def malformed(self, status: int) -> None:
        """
        Count bytes that were not a request.
        """
        key = (str(status),)
        number = self._malformed.get(key)
        if number is None:
            number = self._malformed[key] = Number()
        number.value += 1

    def _new_series(self, status: int, method: bytes) -> _Series:
        """
        Find the series of a status and a method. Methods that are not the RFC's share one and are not remembered:
        anybody may invent them.
        """
        label = method_label(method)
        labels = (str(status), label)
        total = self._totals.setdefault(labels, Number())
        latency = self._latencies.get(labels)
        if latency is None:
            latency = self._latencies[labels] = Distribution(LATENCY_BUCKETS)
        series = _Series(total, latency)
        if label != "other":
            self._series[(status, method)] = series
        return series

    def _count_failure(self, kind: FailureKind) -> None:
        key = (kind.value,)
        number = self._failures.get(key)
        if number is None:
            number = self._failures[key] = Number()
        number.value += 1
