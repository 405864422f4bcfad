"""
Exchanges in numbers: the same on the node and on the agent, under names of their own.
"""

from __future__ import annotations

from collections.abc import Sequence

from pico.metrics import (
    LATENCY_BUCKETS,
    OTHER,
    SIZE_BUCKETS,
    Children,
    Distribution,
    Metrics,
    Number,
    method_label,
    status_label,
)
from pico.net.http.gateway import FailureKind


class Tallies:
    """
    The families of metrics, and a tally for each set of values of their labels.

    Names behind the prefix, labels and buckets are those of Piko. Sizes are of bodies, in bytes.
    """

    def __init__(self, metrics: Metrics, prefix: str, labels: Sequence[str] = ()) -> None:
        """
        :param labels: what tells tallies apart; their values must come from a bounded set.
        """
        self.counting = metrics.counting
        self._tallies: dict[tuple[str, ...], Tally] = {}
        metrics.gauges(
            f"{prefix}_requests_in_flight",
            "Requests that have no whole answer yet.",
            labels,
            lambda: [(values, tally.in_flight) for values, tally in self._tallies.items()],
        )
        by_kind = ["status", "method", *labels]
        self.totals = metrics.counters(
            f"{prefix}_requests", "Requests that are over, by status and method of those that are registered.", by_kind
        )
        self.latencies = metrics.histograms(
            f"{prefix}_request_latency_seconds",
            "From the request's head to the response's last byte.",
            by_kind,
            LATENCY_BUCKETS,
        )
        self.request_sizes = metrics.histograms(
            f"{prefix}_request_size_bytes", "Bytes of request bodies.", labels, SIZE_BUCKETS
        )
        self.response_sizes = metrics.histograms(
            f"{prefix}_response_size_bytes", "Bytes of response bodies.", labels, SIZE_BUCKETS
        )
        self.failures = metrics.counters(
            f"{prefix}_failures", "Requests without a whole answer from a service, by reason.", ["reason", *labels]
        )

    def of(self, *values: str) -> Tally:
        """
        The tally of a set of label values, always the same for the same.
        """
        tally = self._tallies.get(values)
        if tally is None:
            tally = self._tallies[values] = Tally(self, values)
        return tally


class _Series:
    """
    The numbers of one status and method, looked up once a request.
    """

    __slots__ = ("latency", "total")

    def __init__(self, total: Number, latency: Distribution) -> None:
        self.total = total
        self.latency = latency


class Tally:
    """
    Count exchanges.

    :ivar in_flight: those that are not over; whoever begins one adds it.
    """

    __slots__ = (
        "_counting",
        "_failures",
        "_labels",
        "_latencies",
        "_request_size",
        "_response_size",
        "_series",
        "_totals",
        "in_flight",
    )

    def __init__(self, families: Tallies, labels: tuple[str, ...]) -> None:
        self._counting = families.counting
        self._labels = labels
        self._series: dict[tuple[int, bytes], _Series] = {}
        self._totals: Children[Number] = families.totals
        self._latencies: Children[Distribution] = families.latencies
        self._request_size = families.request_sizes[labels]
        self._response_size = families.response_sizes[labels]
        # From zero on, so that the first of them counts as a change.
        self._failures = {kind: families.failures[(kind.value, *labels)] for kind in FailureKind}
        self.in_flight = 0

    def finished(
        self,
        status: int,
        method: bytes,
        seconds: float,
        bytes_in: int,
        bytes_out: int,
        failure: FailureKind | None,
    ) -> None:
        """
        Count an exchange that is over.

        :param seconds: that it took.
        :param bytes_in: of its request's body, ``bytes_out`` of its response's.
        """
        self.in_flight -= 1
        if not self._counting:
            return
        series = self._series.get((status, method))
        if series is None:
            series = self._new_series(status, method)
        series.total.value += 1
        series.latency.observe(seconds)
        if bytes_in:
            self._request_size.observe(bytes_in)
        else:
            # Most requests; there is nothing to look for.
            self._request_size.counts[0] += 1
        self._response_size.observe(bytes_out)
        if failure is not None:
            self._failures[failure].value += 1

    def _new_series(self, status: int, method: bytes) -> _Series:
        """
        Find the series of a status and a method. Those that are not registered share one and are not remembered:
        anybody may invent them.
        """
        kind = (status_label(status), method_label(method))
        labels = (*kind, *self._labels)
        series = _Series(self._totals[labels], self._latencies[labels])
        if OTHER not in kind:
            self._series[(status, method)] = series
        return series
