"""
What is kept of a request when it is over: its numbers, and its line in the access log.
"""

from __future__ import annotations

import attrs
from twisted.logger import Logger, LogLevel

from pico.metrics import Metrics, status_label
from pico.names import EndpointKey
from pico.net.http.exchange import Exchange
from pico.net.http.tally import Tallies

_log = Logger(namespace="proxy.access")


#: Why requests are refused.
REFUSALS = ("method", "path", "endpoint", "authorization", "body malformed", "body too large", "body slow")


@attrs.frozen
class AccessLogSettings:
    """
    Whether and how loudly requests are logged; answers of 500 and more are logged as warnings at least.
    """

    enabled: bool = True
    level: LogLevel = LogLevel.info


class Recorder:
    """
    Count exchanges, and log them.

    The names are those of Piko with ``pico`` for ``piko``.

    :ivar tally: counts exchanges; whoever begins one adds it to those in flight.
    """

    def __init__(self, metrics: Metrics, access_log: AccessLogSettings) -> None:
        self._access_log = access_log
        self.tally = Tallies(metrics, "pico_proxy").of()
        self._upstream_requests = metrics.counter(
            "pico_upstreams_upstream_requests", "Requests sent to a tunnel of this node."
        )
        self.retries = metrics.counter("pico_proxy_retries", "Requests that were sent to another upstream.")
        self._refusals = metrics.counters(
            "pico_proxy_refused_requests",
            "Requests that were refused, by reason: method, path, endpoint (none, or not one), authorization, "
            "body malformed, body too large, body slow.",
            ["reason"],
            [(reason,) for reason in REFUSALS],
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
        self.tally.finished(
            exchange.status,
            exchange.head.method,
            now - exchange.started,
            exchange.bytes_in,
            exchange.bytes_out,
            exchange.failure,
        )
        if exchange.backend is not None:
            self._upstream_requests.value += 1
        if self._access_log.enabled:
            self._write(exchange, now)

    def refused(self, reason: str) -> None:
        """
        Count a request that was refused.

        :param reason: one of :data:`REFUSALS`.
        """
        self._refusals[(reason,)].value += 1

    def malformed(self, status: int) -> None:
        """
        Count bytes that were not a request.
        """
        self._malformed[(status_label(status),)].value += 1

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
