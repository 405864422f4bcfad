"""
What is kept of a request when it is over: its numbers, and its line in the access log.
"""

from __future__ import annotations

import attrs
from twisted.logger import Logger, LogLevel

from pico.metrics import (
    LATENCY_BUCKETS,
    OTHER,
    SIZE_BUCKETS,
    Distribution,
    Metrics,
    Number,
    method_label,
    status_label,
)
from pico.names import EndpointKey
from pico.net.http.exchange import Exchange
from pico.net.http.gateway import FailureKind

_log = Logger(namespace="proxy.access")


@attrs.frozen
class AccessLogSettings:
    """
    Whether and how loudly requests are logged; answers of 500 and more are logged as warnings at least.
    """

    enabled: bool = True
    level: LogLevel = LogLevel.info


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
    Count exchanges, and log them.

    The names are those of Piko with ``pico`` for ``piko``. Sizes are of bodies, in bytes.
    """

    def __init__(self, metrics: Metrics, access_log: AccessLogSettings) -> None:
        self._access_log = access_log
        self._series: dict[tuple[int, bytes], _Series] = {}
        self.in_flight = metrics.gauge("pico_proxy_requests_in_flight", "Requests that have no whole answer yet.")
        self._totals = metrics.counters("pico_proxy_requests", "Requests by status and method.", ["status", "method"])
        self._latencies = metrics.histograms(
            "pico_proxy_request_latency_seconds",
            "From the request's head to the response's last byte.",
            ["status", "method"],
            LATENCY_BUCKETS,
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
            "pico_proxy_failures",
            "Requests without a whole answer from a service, by reason.",
            ["reason"],
            [(kind.value,) for kind in FailureKind],
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
        if self._access_log.enabled:
            self._write(exchange, now)

    def malformed(self, status: int) -> None:
        """
        Count bytes that were not a request.
        """
        self._malformed[(status_label(status),)].value += 1

    def _new_series(self, status: int, method: bytes) -> _Series:
        """
        Find the series of a status and a method. Those that are not registered share one and are not remembered:
        anybody may invent them.
        """
        labels = (status_label(status), method_label(method))
        series = _Series(self._totals[labels], self._latencies[labels])
        if OTHER not in labels:
            self._series[(status, method)] = series
        return series

    def _count_failure(self, kind: FailureKind) -> None:
        self._failures[(kind.value,)].value += 1

    def _write(self, exchange: Exchange, now: float) -> None:
        level = self._access_log.level
        if exchange.status >= 500 and level in (LogLevel.debug, LogLevel.info):
            level = LogLevel.warn
        key = exchange.note
        _log.emit(
            level,
            "{method} {path} {status} {endpoint} {client} {duration_ms:.1f}ms {bytes_out}B",
            client=exchange.server.peer_host,
            endpoint=key.endpoint if isinstance(key, EndpointKey) else "-",
            method=exchange.head.method.decode("latin-1"),
            # The query may hold secrets, so it is not logged.
            path=exchange.head.path.partition(b"?")[0].decode("latin-1"),
            status=exchange.status,
            bytes_in=exchange.bytes_in,
            bytes_out=exchange.bytes_out,
            duration_ms=(now - exchange.started) * 1000,
            failure=exchange.failure.value if exchange.failure is not None else None,
        )
