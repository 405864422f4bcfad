"""
Numbers that cost nothing to count.

A counter here is an object with a plain attribute: the hot path writes ``requests.value += 1``. Only when somebody
asks are they turned into Prometheus' text, through prometheus-client's own collector interface.

Label values come from sets that the program bounds itself, never from outside: see :func:`method_label`.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sequence

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

#: Upper bounds in seconds, those of Piko's latency histograms.
LATENCY_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
#: Upper bounds in bytes, 256 · 4ⁿ.
SIZE_BUCKETS = tuple(float(256 * 4**n) for n in range(8))

_METHODS = {
    method: method.decode()
    for method in (b"GET", b"HEAD", b"POST", b"PUT", b"DELETE", b"CONNECT", b"OPTIONS", b"TRACE", b"PATCH")
}


def method_label(method: bytes) -> str:
    """
    The label of a request's method; one for all that RFC 9110 and RFC 5789 do not name.
    """
    return _METHODS.get(method, "other")


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
            pairs.append((_number(bound), count))
        pairs.append(("+Inf", count + self.counts[-1]))
        return pairs


def _number(value: float) -> str:
    return str(value)


class Metrics(Collector):
    """
    All numbers of one process, by name.
    """

    def __init__(self) -> None:
        self._families: list[Callable[[], Metric]] = []
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(self)

    def counter(self, name: str, help_text: str) -> Number:
        """
        Make a counter without labels; ``name`` without ``_total``.
        """
        number = Number()

        def collect() -> Metric:
            family = CounterMetricFamily(name, help_text)
            family.add_metric((), number.value)
            return family

        self._families.append(collect)
        return number

    def gauge(self, name: str, help_text: str, read: Callable[[], float] | None = None) -> Number:
        """
        Make a gauge without labels, either written like a counter or read when it is asked for.
        """
        number = Number()

        def collect() -> Metric:
            return GaugeMetricFamily(name, help_text, value=read() if read is not None else number.value)

        self._families.append(collect)
        return number

    def counters(self, name: str, help_text: str, labels: Sequence[str]) -> dict[tuple[str, ...], Number]:
        """
        Make a counter with labels: a dictionary from label values to numbers, which the caller fills.
        """
        children: dict[tuple[str, ...], Number] = {}

        def collect() -> Metric:
            family = CounterMetricFamily(name, help_text, labels=labels)
            for values, number in children.items():
                family.add_metric(values, number.value)
            return family

        self._families.append(collect)
        return children

    def gauges(
        self,
        name: str,
        help_text: str,
        labels: Sequence[str],
        read: Callable[[], Iterable[tuple[Sequence[str], float]]],
    ) -> None:
        """
        Make a gauge with labels that is read when it is asked for.
        """

        def collect() -> Metric:
            family = GaugeMetricFamily(name, help_text, labels=labels)
            for values, value in read():
                family.add_metric(values, value)
            return family

        self._families.append(collect)

    def histogram(self, name: str, help_text: str, bounds: Sequence[float]) -> Distribution:
        """
        Make a histogram without labels.
        """
        distribution = Distribution(bounds)

        def collect() -> Metric:
            family = HistogramMetricFamily(name, help_text)
            family.add_metric((), distribution.cumulative(), distribution.total)
            return family

        self._families.append(collect)
        return distribution

    def histograms(self, name: str, help_text: str, labels: Sequence[str]) -> dict[tuple[str, ...], Distribution]:
        """
        Make a histogram with labels: a dictionary from label values to distributions, which the caller fills.
        """
        children: dict[tuple[str, ...], Distribution] = {}

        def collect() -> Metric:
            family = HistogramMetricFamily(name, help_text, labels=labels)
            for values, distribution in children.items():
                family.add_metric(values, distribution.cumulative(), distribution.total)
            return family

        self._families.append(collect)
        return children

    def register(self, collector: Collector) -> None:
        """
        Show what another collector has, such as prometheus-client's own numbers of the process.
        """
        self._registry.register(collector)

    def collect(self) -> Iterator[Metric]:
        """
        Prometheus-client's call.
        """
        for family in self._families:
            yield family()

    def render(self, accept: str) -> tuple[bytes, bytes]:
        """
        Write everything down.

        :param accept: the Accept header of whoever asks; OpenMetrics is used where it is wanted.
        :return: the text and its content type.
        """
        encode, content_type = choose_encoder(accept)
        return encode(self._registry), content_type.encode("ascii")
