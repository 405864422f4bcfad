"""
What is kept of a request when it is over: its numbers.
"""

from __future__ import annotations

from typing import Final

from pico.metrics import Metrics, status_label
from pico.net.http.exchange import Exchange
from pico.net.http.tally import Tallies

#: Why requests are refused.
REFUSALS: Final = ("method", "path", "endpoint", "authorization", "body malformed", "body too large", "body slow")

#: What becomes of requests that wait for an upstream.
WAITS: Final = ("found", "again", "none", "gone", "full")


class Recorder:
    """
    Count exchanges.

    The names are those of Piko with ``pico`` for ``piko``.

    :ivar tally: counts exchanges; whoever begins one adds it to those in flight.
    """

    def __init__(self, metrics: Metrics) -> None:
        self.tally = Tallies(metrics, "pico_proxy").of()
        self._counting = metrics.counting
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
        self._waits = metrics.counters(
            "pico_proxy_waits",
            "Waits of requests whose endpoint had just lost its last upstream, by outcome: found, again (who had "
            "refused was asked again), none (came in time), gone (the client), full (proxy.max_waiting, so that "
            "there was no wait).",
            ["outcome"],
            [(outcome,) for outcome in WAITS],
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
        if exchange.backend is not None and self._counting:
            self._upstream_requests.value += 1

    def refused(self, reason: str) -> None:
        """
        Count a request that was refused.

        :param reason: one of :data:`REFUSALS`.
        """
        self._refusals[(reason,)].value += 1

    def waited(self, outcome: str) -> None:
        """
        Count a wait that is over, or could not begin.

        :param outcome: one of :data:`WAITS`.
        """
        self._waits[(outcome,)].value += 1

    def malformed(self, status: int) -> None:
        """
        Count bytes that were not a request.
        """
        self._malformed[(status_label(status),)].value += 1
