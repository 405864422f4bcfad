"""
Numbers that cost nothing to count.

A counter here is an object with a plain attribute: the hot path writes ``requests.value += 1``. Only when somebody
asks are they turned into Prometheus' text, through prometheus-client's own collector interface.

Label values come from sets that the program bounds itself, never from outside: see :func:`method_label`,
:func:`status_label`. Should one grow all the same, a family stops at :data:`MAX_SERIES`, and what comes after that is
counted together.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sequence
from http import HTTPStatus
from typing import Final, Generic, TypeVar

import attrs
from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.exposition import generate_latest
from prometheus_client.openmetrics import exposition as open_metrics_text
from prometheus_client.registry import Collector

#: Upper bounds in seconds, those of Piko's latency histograms.
LATENCY_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
#: Upper bounds in bytes, 256 · 4ⁿ.
SIZE_BUCKETS = tuple(float(256 * 4**n) for n in range(8))

_TEXT = b"text/plain; version=0.0.4; charset=utf-8"
_OPEN_METRICS = b"application/openmetrics-text; version=1.0.0; charset=utf-8"

#: The label of whatever has no series of its own.
OTHER = "other"

#: Sets of label values that one family has at most.
MAX_SERIES = 10_000

_METHODS = {
    method: method.decode()
    for method in (b"GET", b"HEAD", b"POST", b"PUT", b"DELETE", b"CONNECT", b"OPTIONS", b"TRACE", b"PATCH")
}

#: Those that are registered, and 499 for a client that did not wait.
_STATUSES = {int(status): str(int(status)) for status in HTTPStatus} | {499: "499"}

#: Values of the labels of a sample, and the sample.
Samples = Iterable[tuple[Sequence[str], float]]


def method_label(method: bytes) -> str:
    """
    The label of a request's method; one for all that RFC 9110 and RFC 5789 do not name.
    """
    return _METHODS.get(method, OTHER)


def status_label(status: int) -> str:
    """
    The label of a response's status; one for all that are not registered, which a service may make up.
    """
    return _STATUSES.get(status, OTHER)


class Kind:
    """
    The types of metrics, as Prometheus calls them.
    """

    COUNTER: Final = "counter"
    GAUGE: Final = "gauge"
    HISTOGRAM: Final = "histogram"


@attrs.frozen
class Description:
    """
    What a metric is.

    :ivar name: as it is shown, that of a counter with its ``_total``.
    :ivar kind: one of :class:`Kind`.
    """

    name: str
    kind: str
    help: str
    labels: tuple[str, ...] = ()


class Number:
    """
    A counter or a gauge of one set of label values: ``number.value += 1``.
    """

    __slots__ = ("value",)

    def __init__(self) -> None:
        self.value: float = 0.0


class Distribution:
    """
    A histogram of one set of label values.
    """

    __slots__ = ("bounds", "counts", "total")

    def __init__(self, bounds: Sequence[float]) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.total = 0.0

    def observe(self, value: float) -> None:
        """
        Count one value.
        """
        bounds = self.bounds
        if value <= bounds[0]:
            self.counts[0] += 1
        else:
            self.counts[bisect_left(bounds, value)] += 1
        self.total += value

    def cumulative(self) -> list[tuple[str, float]]:
        """
        The buckets as Prometheus wants them: each with all that is below its bound.
        """
        pairs: list[tuple[str, float]] = []
        count = 0
        for bound, own in zip(self.bounds, self.counts, strict=False):
            count += own
            pairs.append((str(bound), count))
        pairs.append(("+Inf", count + self.counts[-1]))
        return pairs


Child = TypeVar("Child")


class Children(dict[tuple[str, ...], Child], Generic[Child]):
    """
    What a family counts, by label values. What was not there when it was asked for begins at zero.

    Look a child up once and keep it where every nanosecond counts.
    """

    def __init__(self, make: Callable[[], Child], limit: int) -> None:
        """
        :param limit: sets of label values; all that come later share one more.
        """
        super().__init__()
        self._make = make
        self._limit = limit

    def __missing__(self, labels: tuple[str, ...]) -> Child:
        if len(self) >= self._limit:
            labels = (OTHER,) * len(labels)
            child = self.get(labels)
            if child is not None:
                return child
        child = self[labels] = self._make()
        return child


class Metrics(Collector):
    """
    All numbers of one process, by name.
    """

    def __init__(self, max_series: int = MAX_SERIES) -> None:
        self._max_series = max_series
        self._descriptions: dict[str, Description] = {}
        self._families: list[Callable[[], Iterable[Metric]]] = []
        self._foreign: list[Collector] = []
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(self)

    def counter(self, name: str, help_text: str, read: Callable[[], float] | None = None) -> Number:
        """
        Make a counter without labels, either written or read when it is asked for; ``name`` without ``_total``.
        """
        number = Number()
        get = read or (lambda: number.value)
        self.group([Description(name + "_total", Kind.COUNTER, help_text)], lambda: [[((), get())]])
        return number

    def gauge(self, name: str, help_text: str, read: Callable[[], float] | None = None) -> Number:
        """
        Make a gauge without labels, either written like a counter or read when it is asked for.
        """
        number = Number()
        get = read or (lambda: number.value)
        self.group([Description(name, Kind.GAUGE, help_text)], lambda: [[((), get())]])
        return number

    def counters(
        self, name: str, help_text: str, labels: Sequence[str], known: Iterable[tuple[str, ...]] = ()
    ) -> Children[Number]:
        """
        Make a counter with labels; ``name`` without ``_total``.

        :param known: label values that are shown from the beginning, so that the first of them counts as a change.
        """
        children = Children(Number, self._max_series)
        for values in known:
            children[values] = Number()
        self.group(
            [Description(name + "_total", Kind.COUNTER, help_text, tuple(labels))],
            lambda: [[(values, number.value) for values, number in children.items()]],
        )
        return children

    def gauges(self, name: str, help_text: str, labels: Sequence[str], read: Callable[[], Samples]) -> None:
        """
        Make a gauge with labels that is read when it is asked for.
        """
        self.group([Description(name, Kind.GAUGE, help_text, tuple(labels))], lambda: [read()])

    def group(self, descriptions: Sequence[Description], read: Callable[[], Iterable[Samples]]) -> None:
        """
        Make counters and gauges that are read together when they are asked for.

        :param read: gives the samples of each, in the order of the descriptions.
        """
        for description in descriptions:
            self._describe(description)

        def collect() -> Iterator[Metric]:
            for description, samples in zip(descriptions, read(), strict=True):
                family = (CounterMetricFamily if description.kind == Kind.COUNTER else GaugeMetricFamily)(
                    description.name, description.help, labels=description.labels
                )
                for values, value in samples:
                    family.add_metric(values, value)
                yield family

        self._families.append(collect)

    def histogram(self, name: str, help_text: str, bounds: Sequence[float]) -> Distribution:
        """
        Make a histogram without labels.
        """
        return self.histograms(name, help_text, (), bounds)[()]

    def histograms(
        self, name: str, help_text: str, labels: Sequence[str], bounds: Sequence[float]
    ) -> Children[Distribution]:
        """
        Make a histogram with labels.
        """
        children = Children(lambda: Distribution(bounds), self._max_series)
        self._describe(Description(name, Kind.HISTOGRAM, help_text, tuple(labels)))

        def collect() -> Iterator[Metric]:
            family = HistogramMetricFamily(name, help_text, labels=labels)
            for values, distribution in children.items():
                family.add_metric(values, distribution.cumulative(), distribution.total)
            yield family

        self._families.append(collect)
        return children

    def register(self, collector: Collector) -> None:
        """
        Show what another collector has, such as prometheus-client's own numbers of the process.
        """
        self._foreign.append(collector)
        self._registry.register(collector)

    def collect(self) -> Iterator[Metric]:
        """
        Prometheus-client's call.
        """
        for family in self._families:
            yield from family()

    def descriptions(self) -> list[Description]:
        """
        What there is, those of other collectors last.
        """
        found = list(self._descriptions.values())
        for collector in self._foreign:
            for metric in collector.collect():
                name = metric.name + "_total" if metric.type == Kind.COUNTER else metric.name
                labels = sorted({label for sample in metric.samples for label in sample.labels})
                found.append(Description(name, metric.type, metric.documentation, tuple(labels)))
        return found

    def render(self, open_metrics: bool) -> tuple[bytes, bytes]:
        """
        Write everything down.

        :param open_metrics: in the format of OpenMetrics 1.0, else in the text format of Prometheus.
        :return: the text and its content type.
        """
        if open_metrics:
            # prometheus-client has left this one function without annotations.
            encode: Callable[[Collector], bytes] = open_metrics_text.generate_latest
            return encode(self._registry), _OPEN_METRICS
        return generate_latest(self._registry), _TEXT

    def _describe(self, description: Description) -> None:
        if description.name in self._descriptions:
            raise ValueError(f"there is a metric {description.name} already")
        self._descriptions[description.name] = description
